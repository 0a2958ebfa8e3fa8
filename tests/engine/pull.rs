//! Pulls from a registry on loopback, which engines treat as an insecure registry by default.

use crate::sandbox::{Sandbox, docker, engine};
use crate::tiny_registry::{TinyRegistry, Trouble};
use devenv::docker::{DockerEnv, Mirror, PullFault, PullFaultKind, PullRequest, Pulled, connect};
use devenv::model::{ImageRef, PullProgress};

/// Removes an image's name at the end.
struct Named(ImageRef);

impl Named {
    fn new(text: &str) -> Self {
        Self(ImageRef::parse(text).unwrap())
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        docker(["image", "rm", "--force", &self.0.to_string()]);
    }
}

async fn pull(image: &ImageRef, mirror: Option<&Mirror>) -> (Result<Pulled, PullFault>, Vec<PullProgress>) {
    let mut progress = Vec::new();
    let request = PullRequest { image, platform: None, mirror };
    let pulled = engine().await.pull(request, &mut |news| progress.push(news)).await;
    (pulled, progress)
}

async fn pull_with(trouble: Trouble, times: usize) -> (Result<Pulled, PullFault>, Vec<PullProgress>, usize) {
    let sandbox = Sandbox::new();
    let registry = TinyRegistry::with_trouble(sandbox.name(), trouble, times);
    let image = Named::new(&format!("{}/{}:1", registry.address, sandbox.name()));
    let (pulled, progress) = pull(&image.0, None).await;
    (pulled, progress, registry.pulls())
}

fn retries(progress: &[PullProgress]) -> usize {
    progress.iter().filter(|news| matches!(news, PullProgress::Retry { .. })).count()
}

#[tokio::test]
async fn an_image_is_pulled_with_progress_in_bytes_and_is_then_local() {
    let sandbox = Sandbox::new();
    let registry = TinyRegistry::start(sandbox.name());
    let image = Named::new(&format!("{}/{}:1", registry.address, sandbox.name()));
    assert_eq!(engine().await.local_image(&image.0).await.unwrap(), None);

    let (pulled, progress) = pull(&image.0, None).await;
    let pulled = pulled.unwrap();
    assert_eq!(pulled.digest.as_deref(), Some(registry.digest.as_str()));
    assert_eq!(pulled.image.labels["content"], sandbox.name());
    assert!(pulled.image.is_for(engine().await.platform()), "{}", pulled.image.platform);
    assert!(pulled.bytes > 900_000, "{}", pulled.bytes);
    assert!(progress.contains(&PullProgress::Bytes { done: pulled.bytes, total: pulled.bytes }), "{progress:?}");
    assert_eq!(progress.last(), Some(&PullProgress::Done { bytes: pulled.bytes }));

    let observed = engine().await.observe(std::slice::from_ref(&image.0)).await.unwrap();
    assert_eq!(observed.images[&image.0.to_string()], pulled.image);
}

#[tokio::test]
async fn a_mirror_s_image_gets_docker_hub_s_name_and_the_mirror_s_goes() {
    let sandbox = Sandbox::new();
    let registry = TinyRegistry::start(sandbox.name());
    let mirror = Mirror::parse(&registry.address).unwrap();
    let image = Named::new(&format!("{}:1", sandbox.name()));
    let (pulled, _) = pull(&image.0, Some(&mirror)).await;
    let id = pulled.unwrap().image.id;

    assert_eq!(docker(["image", "inspect", "--format", "{{.Id}}", &format!("{}:1", sandbox.name())]).trim(), id);
    let names = docker(["image", "inspect", "--format", "{{.RepoTags}}", &id]);
    assert_eq!(names.trim(), format!("[{}:1]", sandbox.name()));
}

#[tokio::test]
async fn a_mirror_s_image_with_a_digest_is_found_by_it_and_runs_by_it() {
    let sandbox = Sandbox::new();
    let registry = TinyRegistry::start(sandbox.name());
    let mirror = Mirror::parse(&format!("http://{}/", registry.address)).unwrap();
    let image = ImageRef::parse(&format!("{}:1@{}", sandbox.name(), registry.digest)).unwrap();
    let _mirrored = Named::new(&format!("{}/library/{}@{}", registry.address, sandbox.name(), registry.digest));
    let (pulled, _) = pull(&image, Some(&mirror)).await;
    let id = pulled.unwrap().image.id;

    assert_eq!(engine().await.local_image(&image).await.unwrap().unwrap().id, id);
    let spec = crate::docker::spec(&sandbox, "db", image);
    let container = engine().await.create_container(&spec).await.unwrap();
    assert_eq!(docker(["container", "inspect", "--format", "{{.Image}}", &container]).trim(), id);
}

#[tokio::test]
async fn an_image_that_does_not_exist_fails_at_once() {
    let (pulled, progress, pulls) = pull_with(Trouble::ManifestStatus(404), usize::MAX).await;
    let fault = pulled.unwrap_err();
    assert_eq!(fault.kind, PullFaultKind::NotFound, "{fault}");
    assert_eq!((retries(&progress), pulls), (0, 1));
}

#[tokio::test]
async fn a_registry_that_wants_a_login_fails_at_once() {
    let (pulled, progress, _) = pull_with(Trouble::Login("Basic nobody"), usize::MAX).await;
    let fault = pulled.unwrap_err();
    assert_eq!(fault.kind, PullFaultKind::Unauthorized, "{fault}");
    assert_eq!(retries(&progress), 0);
}

#[tokio::test]
async fn the_login_of_docker_s_configuration_opens_a_registry() {
    let sandbox = Sandbox::new();
    // `me:>>>???`: in standard base64, the engine's header would contain characters that engines do not decode.
    let registry = TinyRegistry::with_trouble(sandbox.name(), Trouble::Login("Basic bWU6Pj4+Pz8/"), 0);
    let config = format!(r#"{{"auths":{{"{}":{{"auth":"bWU6Pj4+Pz8/"}}}}}}"#, registry.address);
    sandbox.write("config.json", &config);
    let mut env = DockerEnv::of_process();
    env.variables.insert("DOCKER_CONFIG".to_owned(), sandbox.root().display().to_string());
    let engine = connect(None, &env).await.unwrap();
    let image = Named::new(&format!("{}/{}:1", registry.address, sandbox.name()));
    let request = PullRequest { image: &image.0, platform: None, mirror: None };
    let pulled = engine.pull(request, &mut |_| {}).await.unwrap();
    assert_eq!(pulled.image.labels["content"], sandbox.name());
}

#[tokio::test]
async fn a_registry_that_has_enough_of_us_is_asked_again_and_then_given_up() {
    let (pulled, progress, pulls) = pull_with(Trouble::ManifestStatus(429), usize::MAX).await;
    let fault = pulled.unwrap_err();
    assert_eq!(fault.kind, PullFaultKind::TooManyRequests, "{fault}");
    assert_eq!((retries(&progress), pulls), (3, 4));
    assert_eq!(fault.notes, ["it was tried 4 times"]);
}

#[tokio::test]
async fn a_registry_that_fails_for_good_is_given_up() {
    let (pulled, progress, _) = pull_with(Trouble::ManifestStatus(500), usize::MAX).await;
    let fault = pulled.unwrap_err();
    assert_eq!(fault.kind, PullFaultKind::Server, "{fault}");
    assert_eq!(retries(&progress), 3);
}

#[tokio::test]
async fn a_registry_that_fails_once_is_asked_again() {
    let (pulled, progress, pulls) = pull_with(Trouble::ManifestStatus(500), 1).await;
    assert!(pulled.is_ok(), "{pulled:?}");
    assert_eq!((retries(&progress), pulls), (1, 2));
}

#[tokio::test]
async fn a_layer_cut_short_once_is_fetched_again() {
    let (pulled, progress, _) = pull_with(Trouble::LayerCutShort, 1).await;
    assert!(pulled.is_ok(), "{pulled:?}");
    assert_eq!(retries(&progress), 1, "{progress:?}");
}

#[tokio::test]
async fn a_layer_that_is_not_what_its_digest_says_is_given_up() {
    let (pulled, _, _) = pull_with(Trouble::LayerOfOtherBytes, usize::MAX).await;
    let fault = pulled.unwrap_err();
    assert_eq!(fault.kind, PullFaultKind::Short, "{fault}");
}

#[tokio::test]
async fn an_image_for_another_platform_than_requested_is_reported() {
    let sandbox = Sandbox::new();
    let registry = TinyRegistry::start(sandbox.name());
    let image = Named::new(&format!("{}/{}:1", registry.address, sandbox.name()));
    let request = PullRequest { image: &image.0, platform: Some("linux/s390x"), mirror: None };
    match engine().await.pull(request, &mut |_| {}).await {
        Err(fault) => assert_eq!(fault.kind, PullFaultKind::Platform, "{fault}"),
        Ok(pulled) => assert!(!pulled.image.is_for("linux/s390x")),
    }
}

#[tokio::test]
async fn a_registry_that_is_not_there_fails_at_once() {
    let image = ImageRef::parse(&format!("127.0.0.1:{}/x:1", crate::sandbox::free_port())).unwrap();
    let (pulled, progress) = pull(&image, None).await;
    assert_eq!(pulled.unwrap_err().kind, PullFaultKind::Network);
    assert_eq!(retries(&progress), 0);
}
