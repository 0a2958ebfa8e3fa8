//! The images of services, and images that registries no longer have.

use super::*;

fn of_image(image: &str) -> Service {
    let mut db = service("db", "postgres", "16.4.0");
    db.image = Some(Located::new(ImageRef::parse(image).unwrap(), origin()));
    db
}

#[test]
fn a_version_that_names_a_variant_runs_it() {
    for (version, image) in [
        ("16.4-alpine", "docker.io/library/postgres:16.4-alpine"),
        ("16-bookworm", "docker.io/library/postgres:16-bookworm"),
        ("16.4", "docker.io/library/postgres:16.4"),
        // The suffix of a cloud's version is no part of an image's tag.
        ("16.4-rds.20240418", "docker.io/library/postgres:16.4"),
    ] {
        let desired = decide(&stack(vec![service("db", "postgres", version)]), &Observed::default());
        assert_eq!(desired.services[0].container.image.to_string(), image);
    }
}

#[test]
fn a_withdrawn_image_is_refused_with_a_replacement_only_if_the_engine_does_not_have_it() {
    let gone = stack(vec![of_image("bitnami/postgresql:16.4.0"), service("cache", "redis", "7.2.5")]);
    let desired = decide(&gone, &Observed::default());
    let plan = diff(&desired, &Observed::default(), &BTreeSet::new()).unwrap();
    let diagnostic = withdrawn_images(&plan, &desired);
    assert_eq!(diagnostic.len(), 1, "{diagnostic:?}");
    assert_eq!(diagnostic[0].message, "docker.io/bitnami/postgresql:16.4.0 has been unavailable since 2025-09-29");
    assert_eq!(diagnostic[0].origin.as_ref(), Some(&origin()));
    let paste = "`services: {db: {image: \"docker.io/bitnamilegacy/postgresql:16.4.0\"}}`";
    assert!(diagnostic[0].help[0].contains(paste), "{:?}", diagnostic[0].help);

    let observed = running(&desired);
    let desired = decide(&gone, &observed);
    let plan = diff(&desired, &observed, &BTreeSet::new()).unwrap();
    assert_eq!(withdrawn_images(&plan, &desired), []);
}

#[test]
fn bitnami_s_broker_accepts_its_login_from_outside_and_loads_definitions() {
    let mut queue = service("queue", "rabbitmq", "4.0.5");
    queue.family = "bitnami".to_owned();
    queue.image = Some(Located::new(ImageRef::parse("bitnamilegacy/rabbitmq:4.0.5").unwrap(), origin()));
    let desired = decide(&stack(vec![queue]), &Observed::default());
    let container = &desired.services[0].container;
    let value = |name: &str| {
        let found = container.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.reveal().to_owned()).unwrap_or_default()
    };
    assert_eq!(value("RABBITMQ_LOAD_DEFINITIONS"), "yes");
    // Without this setting, the login is accepted only from inside the container.
    assert_eq!(value("RABBITMQ_MANAGEMENT_ALLOW_WEB_ACCESS"), "yes");
    let file = container.files.iter().find(|file| file.path == value("RABBITMQ_DEFINITIONS_FILE")).unwrap();
    let text = String::from_utf8_lossy(&file.content.0).into_owned();
    assert!(text.contains("\"users\"") && text.contains(&value("RABBITMQ_USERNAME")), "{text}");
    assert!(!text.contains(&value("RABBITMQ_PASSWORD")), "a file that is readable in the container has no password");
}
