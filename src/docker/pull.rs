//! Pulls an image to the engine, from its registry or from the mirror of Docker Hub.

use super::credentials::{Login, login_for};
use super::deadline::NoAnswer;
use super::images::{engine_name, tag_of};
use super::pull_fault::{PullFault, PullFaultKind};
use super::pull_progress::{Layers, News};
use super::{Engine, EngineError, EngineFault};
use crate::model::{ImageRef, LocalImage, PullProgress};
use bollard::errors::Error;
use bollard::query_parameters::CreateImageOptions;
use futures_util::{StreamExt as _, pin_mut};
use std::fmt;
use std::time::Duration;

/// The pause before each retry after a transient fault.
const WAITS: &[Duration] = &[Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// A pull without a message for this time has stalled.
const STALLED_AFTER: Duration = Duration::from_mins(3);

/// A mirror: a registry that serves the images of `docker.io`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mirror {
    registry: String,
    /// The prefix of the repository, with its slash. Usually empty.
    prefix: String,
}

impl Mirror {
    /// Parses `mirror.example`, `127.0.0.1:5000`, `https://mirror.example/hub/`. The engine itself chooses between HTTP
    /// and HTTPS. None if the text names no host.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        let text = text.trim_matches('/');
        // An image name has the same grammar, so parsing one checks host and path.
        let probe = ImageRef::parse(&format!("{text}/x")).ok()?;
        let host = text.split('/').next()?;
        let is_host = host.chars().all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c));
        (is_host && probe.registry == host).then(|| {
            let prefix = probe.repository.strip_suffix('x').unwrap_or_default().to_owned();
            Self { registry: probe.registry, prefix }
        })
    }

    /// The name of an image on the mirror. None if the image's registry is not `docker.io`.
    pub(super) fn name_of(&self, image: &ImageRef) -> Option<ImageRef> {
        (image.registry == "docker.io").then(|| ImageRef {
            registry: self.registry.clone(),
            repository: format!("{}{}", self.prefix, image.repository),
            ..image.clone()
        })
    }
}

impl fmt::Display for Mirror {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.registry)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix.trim_end_matches('/')) }
    }
}

/// A request to pull an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullRequest<'a> {
    /// The image.
    pub image: &'a ImageRef,
    /// Production's platform, where it is known: `linux/amd64`.
    pub platform: Option<&'a str>,
    /// The mirror of Docker Hub, if there is one.
    pub mirror: Option<&'a Mirror>,
}

/// A pulled image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The image as the engine has it now. [`LocalImage::is_for`] tells whether the image is for the requested
    /// platform.
    pub image: LocalImage,
    /// The digest under which the registry has it.
    pub digest: Option<String>,
    /// Bytes that were downloaded.
    pub bytes: u64,
}

/// A failed attempt to pull.
struct TryFailed {
    fault: PullFault,
    /// Whether the engine itself has already retried several times, with pauses of its own.
    engine_retried: bool,
}

impl Engine {
    /// Pulls an image and gives it the requested name, whatever registry it came from. Transient faults are retried. If
    /// the caller drops the future, the pull is cancelled.
    pub async fn pull(
        &self,
        request: PullRequest<'_>,
        on_progress: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Result<Pulled, PullFault> {
        let stand_in = request.mirror.and_then(|mirror| mirror.name_of(request.image));
        let source = stand_in.as_ref().unwrap_or(request.image);
        let login = login_for(self.docker_config.as_deref(), &source.registry).await;
        let mut waits = WAITS.iter();
        let (digest, bytes) = loop {
            let failed = match self.try_pull(source, request.platform, &login, on_progress).await {
                Ok(brought) => break brought,
                Err(failed) => failed,
            };
            match waits.next() {
                Some(wait) if failed.fault.is_transient() && !failed.engine_retried => {
                    on_progress(PullProgress::Retry { error: failed.fault.message, wait: *wait });
                    tokio::time::sleep(*wait).await;
                }
                _ => return Err(with_notes(failed.fault, &login, WAITS.len() - waits.len())),
            }
        };
        let image = self.named(source, stand_in.is_some().then_some(request.image)).await?;
        on_progress(PullProgress::Done { bytes });
        Ok(Pulled { image, digest, bytes })
    }

    async fn try_pull(
        &self,
        source: &ImageRef,
        platform: Option<&str>,
        login: &Login,
        on_progress: &mut (dyn FnMut(PullProgress) + Send),
    ) -> Result<(Option<String>, u64), TryFailed> {
        let asked = engine_name(source);
        let options = match &source.digest {
            Some(_) => CreateImageOptions { from_image: Some(asked.clone()), ..Default::default() },
            // Without a tag, an engine would pull all tags.
            None => CreateImageOptions {
                from_image: Some(source.name()),
                tag: Some(tag_of(source).to_owned()),
                ..Default::default()
            },
        };
        let options = CreateImageOptions { platform: platform.unwrap_or_default().to_owned(), ..options };
        let answers = self.docker.create_image(Some(options), None, login.credentials.clone());
        pin_mut!(answers);
        let mut layers = Layers::default();
        loop {
            let answer = match self.watched(STALLED_AFTER, answers.next()).await {
                Ok(Some(Ok(answer))) => answer,
                Ok(None) => return Ok((layers.digest.take(), layers.bytes())),
                Ok(Some(Err(error))) => {
                    return Err(TryFailed { fault: read(&asked, &error), engine_retried: layers.engine_retried });
                }
                Err(NoAnswer::Slow(within)) => {
                    let text = format!("timed out: nothing was heard of it for {} s", within.as_secs());
                    let fault = PullFault::new(PullFaultKind::Network, &asked, text);
                    return Err(TryFailed { fault, engine_retried: true });
                }
                Err(silent) => {
                    let fault = PullFault::new(PullFaultKind::Engine, &asked, silent.text());
                    return Err(TryFailed { fault, engine_retried: true });
                }
            };
            match layers.take(&answer) {
                Some(News::Bytes { done, total }) => on_progress(PullProgress::Bytes { done, total }),
                Some(News::EngineRetries { wait }) => {
                    let error = "a layer arrived incomplete".to_owned();
                    on_progress(PullProgress::Retry { error, wait });
                }
                None => {}
            }
        }
    }

    /// The pulled image, under the requested name. The tag of a mirror is removed again. With a digest, the name of the
    /// mirror stays, because no engine can give a digest another name.
    async fn named(&self, source: &ImageRef, stands_for: Option<&ImageRef>) -> Result<LocalImage, PullFault> {
        let asked = engine_name(source);
        let fault = |error: EngineError| {
            let kind = match error.kind {
                EngineFault::Gone | EngineFault::TimedOut => PullFaultKind::Engine,
                EngineFault::NoSpace => PullFaultKind::NoSpace,
                _ => PullFaultKind::Other,
            };
            PullFault::new(kind, &asked, error.to_string())
        };
        let image = self.inspect(&asked).await.map_err(fault)?.ok_or_else(|| {
            PullFault::new(PullFaultKind::Other, &asked, "the engine reports that it was pulled, but does not have it")
        })?;
        if let Some(target) = stands_for
            && source.digest.is_none()
        {
            self.tag(&asked, target).await.map_err(fault)?;
            self.untag(&asked).await.map_err(fault)?;
        }
        Ok(image)
    }
}

pub(super) fn with_notes(mut fault: PullFault, login: &Login, retries: usize) -> PullFault {
    if retries > 0 {
        fault.notes.push(format!("it was tried {} times", retries + 1));
    }
    if fault.kind == PullFaultKind::Unauthorized
        && let Some(why) = &login.fault
    {
        fault.notes.push(format!("it was asked for without a login: {why}"));
    }
    fault
}

pub(super) fn read(asked: &str, error: &Error) -> PullFault {
    match error {
        Error::DockerStreamError { error } => PullFault::read(asked, error),
        Error::DockerResponseServerError { status_code, message } => {
            let fault = PullFault::read(asked, message);
            match (fault.kind, status_code) {
                (PullFaultKind::Other, 404) => PullFault { kind: PullFaultKind::NotFound, ..fault },
                (PullFaultKind::Other, 401 | 403) => PullFault { kind: PullFaultKind::Unauthorized, ..fault },
                _ => fault,
            }
        }
        other => {
            let error = EngineError::read("pull", other);
            match error.kind {
                EngineFault::TimedOut => {
                    PullFault::new(PullFaultKind::Network, asked, "timed out: the engine gave no answer")
                }
                EngineFault::Gone | EngineFault::Denied => PullFault::new(PullFaultKind::Engine, asked, error.message),
                _ => PullFault::new(PullFaultKind::Other, asked, error.message),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::fake_engine::{Answer, FakeEngine, VERSION};
    use crate::docker::{DockerEnv, connect};

    #[test]
    fn a_mirror_serves_images_of_docker_hub_only() {
        let image = |text: &str| ImageRef::parse(text).unwrap();
        let name = |mirror: &str, scope: &str| {
            Mirror::parse(mirror).unwrap().name_of(&image(scope)).map(|name| name.to_string())
        };
        assert_eq!(name("127.0.0.1:5000", "postgres:16").as_deref(), Some("127.0.0.1:5000/library/postgres:16"));
        assert_eq!(name("https://m.example/hub/", "a/b:1").as_deref(), Some("m.example/hub/a/b:1"));
        assert_eq!(name("m.example", "quay.io/a/b:1"), None);
    }

    #[test]
    fn text_without_a_host_is_no_mirror() {
        for text in ["", "mirror", "https://", "m.example/UPPER", "a b.c"] {
            assert_eq!(Mirror::parse(text), None, "{text}");
        }
    }

    async fn pull_from(engine: &FakeEngine) -> (Result<Pulled, PullFault>, Vec<PullProgress>) {
        let engine = connect(Some(&engine.host()), &DockerEnv::default()).await.unwrap();
        let image = ImageRef::parse("postgres:16").unwrap();
        let mut progress = Vec::new();
        let request = PullRequest { image: &image, platform: None, mirror: None };
        let pulled = engine.pull(request, &mut |news| progress.push(news)).await;
        (pulled, progress)
    }

    fn engine_whose_pulls(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> FakeEngine {
        let tries = std::sync::atomic::AtomicUsize::new(0);
        FakeEngine::start(move |request| match request.path.as_str() {
            "/version" => Answer::json(VERSION),
            path if path.contains("/images/create") => answer(tries.fetch_add(1, std::sync::atomic::Ordering::SeqCst)),
            path if path.contains("/images/docker.io/library/postgres:16/json") => {
                Answer::json(r#"{"Id":"sha256:aa","Os":"linux","Architecture":"arm64","Variant":"v8"}"#)
            }
            other => Answer::status(404, &format!(r#"{{"message":"no {other}"}}"#)),
        })
    }

    fn stream_error(text: &str) -> Answer {
        Answer::json(&format!(
            "{{\"status\":\"Pulling\"}}\n{{\"errorDetail\":{{\"message\":\"{text}\"}},\"error\":\"{text}\"}}\n"
        ))
    }

    #[tokio::test]
    async fn a_transient_fault_is_retried_and_reported() {
        let engine = engine_whose_pulls(|tries| match tries {
            0 => stream_error("received unexpected HTTP status: 503 Service Unavailable"),
            _ => Answer::json("{\"status\":\"Digest: sha256:bb\"}\n"),
        });
        let (pulled, progress) = pull_from(&engine).await;
        let pulled = pulled.unwrap();
        assert_eq!((pulled.image.platform.as_str(), pulled.digest.as_deref()), ("linux/arm64/v8", Some("sha256:bb")));
        assert!(matches!(&progress[0], PullProgress::Retry { error, .. } if error.contains("503")), "{progress:?}");
        assert_eq!(progress.last(), Some(&PullProgress::Done { bytes: 0 }));
    }

    #[tokio::test]
    async fn a_failure_inside_the_stream_is_a_failure_and_not_retried_if_it_is_not_transient() {
        let engine = engine_whose_pulls(|_| stream_error("write /x: no space left on device"));
        let (pulled, progress) = pull_from(&engine).await;
        assert_eq!(pulled.unwrap_err().kind, PullFaultKind::NoSpace);
        assert_eq!(progress, []);
    }

    #[tokio::test]
    async fn a_pull_that_the_engine_itself_has_retried_is_not_retried() {
        let engine = engine_whose_pulls(|_| {
            let retry = r#"{"status":"Retrying in 5 seconds","progressDetail":{},"id":"aa"}"#;
            Answer::json(&format!(
                "{retry}\n{{\"errorDetail\":{{\"message\":\"unexpected EOF\"}},\"error\":\"unexpected EOF\"}}\n"
            ))
        });
        let (pulled, progress) = pull_from(&engine).await;
        assert_eq!(pulled.unwrap_err().kind, PullFaultKind::Short);
        assert_eq!(progress.len(), 1, "{progress:?}");
    }

    #[tokio::test]
    async fn an_engine_that_goes_away_in_the_middle_of_a_pull_is_reported_as_such() {
        let engine = engine_whose_pulls(|_| Answer::CutShort("{\"status\":\"Pulling\"}\n".to_owned()));
        assert_eq!(pull_from(&engine).await.0.unwrap_err().kind, PullFaultKind::Engine);
    }

    #[tokio::test]
    async fn a_login_is_sent_in_the_alphabet_that_engines_decode() {
        let folder = tempfile::tempdir().unwrap();
        // `me:>>>???`, whose standard form has both `+` and `/`.
        let config = r#"{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6Pj4+Pz8/"}}}"#;
        std::fs::write(folder.path().join("config.json"), config).unwrap();
        let mut env = DockerEnv::default();
        env.variables.insert("DOCKER_CONFIG".to_owned(), folder.path().display().to_string());
        let fake = engine_whose_pulls(|_| Answer::json("{\"status\":\"Digest: sha256:bb\"}\n"));
        let engine = connect(Some(&fake.host()), &env).await.unwrap();
        let image = ImageRef::parse("postgres:16").unwrap();
        engine.pull(PullRequest { image: &image, platform: None, mirror: None }, &mut |_| {}).await.unwrap();
        let headers: Vec<String> = fake.requests().into_iter().flat_map(|request| request.headers).collect();
        let login = headers.iter().find_map(|line| line.strip_prefix("x-registry-auth:")).unwrap().trim();
        assert!(!login.contains(['+', '/']) && login.contains(['-', '_']), "{login}");
    }
}
