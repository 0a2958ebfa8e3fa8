//! Tests that print plans and compare them with the expected lines. They need no engine.

mod heads;
mod images;
mod layers;
mod model;
mod phases;

use super::service::joined;
use super::*;
use crate::kinds::Kinds;
use crate::machine::Key;
use crate::model::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

fn origin() -> Origin {
    Origin::start_of(&Arc::new(SourceFile { path: "services.yaml".into(), text: "db:\n".into() }))
}

fn service(name: &str, kind: &str, version: &str) -> Service {
    let kinds = Kinds::built_in().unwrap();
    let known = kinds.get(kind).unwrap();
    let version = Version::parse(version, false, |parts| known.exact_parts(parts), origin());
    Service::new(name, kind, "official", version, origin())
}

fn setting(name: &str, value: &str) -> Setting {
    Setting { name: name.into(), value: Located::new(value.into(), origin()) }
}

fn stack(services: Vec<Service>) -> Stack {
    Stack { project: "shop".into(), services, ..Stack::default() }
}

fn identity() -> Identity {
    Identity::of_checkout("shop", Path::new("/shop"), Key::from_bytes([7; 32]))
}

fn decide(stack: &Stack, observed: &Observed) -> Desired {
    decide_with(stack, observed, &BTreeMap::new())
}

fn decide_with(stack: &Stack, observed: &Observed, passwords: &BTreeMap<String, Secret>) -> Desired {
    decide_as(&identity(), stack, observed, passwords)
}

fn decide_as(identity: &Identity, stack: &Stack, observed: &Observed, passwords: &BTreeMap<String, Secret>) -> Desired {
    let free = |_: IpAddr, _: u16| true;
    let kinds = Kinds::built_in().unwrap();
    let fresh = BTreeSet::new();
    let request = Request {
        kinds: &kinds,
        identity,
        observed,
        passwords,
        fresh: &fresh,
        is_free: &free,
        fixed_ports: FixedPorts::Claimed,
        source: None,
        cold: false,
        clone_mode: None,
    };
    desired(stack, &request).unwrap()
}

/// The state of the engine once all desired services run.
fn running(desired: &Desired) -> Observed {
    let mut observed = Observed { platform: "linux/amd64".into(), ..Observed::default() };
    let scope = desired.scope.clone();
    observed.networks.push(Network { id: "net".into(), name: desired.environment.clone(), scope });
    observed.records.extend(desired.transition.head.as_ref().map(Record::as_made));
    for service in &desired.services {
        let image = format!("id of {}", service.container.image);
        observed
            .images
            .insert(service.container.image.to_string(), LocalImage { id: image.clone(), ..LocalImage::default() });
        for volume in &service.volumes {
            observed.volumes.push(volume.as_made());
        }
        observed.containers.push(Container {
            id: format!("c-{}", service.name),
            name: service.container.name.clone(),
            state: "running".into(),
            scope: service.container.scope.clone(),
            role: service.container.role.clone(),
            image_id: image,
            image: service.container.image.to_string(),
            created: 0,
            status: "Up".into(),
            publish: service.container.publish.clone(),
            volumes: Vec::new(),
            networks: Some(BTreeSet::from([desired.environment.clone()])),
        });
    }
    observed
}

/// The plan as lines: the index, the service, the operation, the cause, and the indices of the earlier steps.
fn printed(stack: &Stack, observed: &Observed) -> Vec<String> {
    let plan = diff(&decide(stack, observed), observed, &BTreeSet::new()).unwrap();
    print_plan(&plan)
}

fn print_plan(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .enumerate()
        .map(|(index, step)| {
            let operation = match &step.action {
                Action::Pull { image, .. } => format!("pull {image}"),
                Action::CreateNetwork { .. } => "network".to_owned(),
                Action::Write { record, .. } if record.head().is_some() => "head".to_owned(),
                Action::Write { .. } => "pin".to_owned(),
                Action::CreateVolume(volume) => format!("volume {}", volume.name.replace(&identity().name, "ENV")),
                Action::Remove { id, .. } => format!("remove {id}"),
                Action::Create(_) => "create".to_owned(),
                Action::Start { id } => format!("start {}", id.as_deref().unwrap_or("it")),
                Action::Prove { .. } => "prove".to_owned(),
                Action::RemoveVolume { name } => format!("delete {}", name.replace(&identity().name, "ENV")),
                Action::RemoveNetwork { .. } => "remove network".to_owned(),
            };
            format!("{index} [{}] {operation}: {} {:?}", step.service, step.cause, step.after)
        })
        .collect()
}

#[test]
fn on_an_empty_engine_all_resources_are_created_in_parallel() {
    let stack = stack(vec![service("db", "postgres", "16.4"), service("cache", "redis", "7.2.5")]);
    assert_eq!(
        printed(&stack, &Observed::default()),
        [
            "0 [db] pull docker.io/library/postgres:16.4: the engine does not have the image []",
            "1 [cache] pull docker.io/library/redis:7.2.5: the engine does not have the image []",
            "2 [] head: it names the volumes of all services [0, 1]",
            "3 [] network: the environment has no network yet []",
            "4 [db] volume ENV-db.v16: its data has no volume yet [0, 2]",
            "5 [db] create: it does not run yet [0, 4]",
            "6 [db] start it: its container was created [5, 3]",
            "7 [db] prove: its container was started [6]",
            "8 [cache] volume ENV-cache: its data has no volume yet [1, 2]",
            "9 [cache] create: it does not run yet [1, 8]",
            "10 [cache] start it: its container was created [9, 3]",
            "11 [cache] prove: its container was started [10]",
        ]
    );
}

#[test]
fn an_image_that_two_services_share_is_pulled_once() {
    let stack = stack(vec![service("one", "redis", "7.2.5"), service("two", "redis", "7.2.5")]);
    let pulls = printed(&stack, &Observed::default()).iter().filter(|line| line.contains("pull")).count();
    assert_eq!(pulls, 1);
}

#[test]
fn the_steps_of_some_services_include_the_steps_that_they_wait_for_and_no_steps_of_other_services() {
    let stack = stack(vec![service("cache", "redis", "7.0.15"), service("queue", "redis", "7.0.15")]);
    let desired = decide(&stack, &Observed::default());
    let plan = diff(&desired, &Observed::default(), &BTreeSet::new()).unwrap();
    let some = plan.of_services(&["queue".to_owned()]);
    assert!(some.steps.iter().any(|step| matches!(step.action, Action::Pull { .. })), "the shared image");
    assert!(some.steps.iter().any(|step| matches!(step.action, Action::CreateNetwork { .. })));
    let of_cache = |step: &&Step| step.service == "cache" && !matches!(step.action, Action::Pull { .. });
    assert_eq!(some.steps.iter().filter(of_cache).count(), 0);
    for (index, step) in some.steps.iter().enumerate() {
        assert!(step.after.iter().all(|earlier| *earlier < index));
    }
    let prove = some.steps.iter().filter(|step| matches!(step.action, Action::Prove { .. }));
    assert_eq!(prove.count(), 1);
}

#[test]
fn a_service_that_runs_as_declared_is_only_proven() {
    let stack = stack(vec![service("db", "postgres", "16.4")]);
    let observed = running(&decide(&stack, &Observed::default()));
    assert_eq!(printed(&stack, &observed), ["0 [db] prove: it runs as declared []"]);
    let plan = diff(&decide(&stack, &observed), &observed, &BTreeSet::new()).unwrap();
    assert!(plan.changes_nothing());
}

#[test]
fn a_changed_setting_replaces_the_container_and_keeps_the_data() {
    let mut stack = stack(vec![service("db", "postgres", "16.4")]);
    let observed = running(&decide(&stack, &Observed::default()));
    stack.services[0].settings.push(setting("max_connections", "50"));
    assert_eq!(
        printed(&stack, &observed),
        [
            "0 [db] remove c-db: changed: settings []",
            "1 [db] create: changed: settings [0]",
            "2 [db] start it: its container was created [1]",
            "3 [db] prove: its container was started [2]",
        ]
    );
}

#[test]
fn a_container_that_was_disconnected_from_its_network_is_recreated() {
    let stack = stack(vec![service("db", "postgres", "16.4")]);
    let mut observed = running(&decide(&stack, &Observed::default()));
    observed.containers[0].networks = Some(BTreeSet::from(["bridge".to_owned()]));
    for state in ["running", "exited"] {
        observed.containers[0].state = state.to_owned();
        assert_eq!(
            printed(&stack, &observed),
            [
                "0 [db] remove c-db: it was disconnected from its network []",
                "1 [db] create: it was disconnected from its network [0]",
                "2 [db] start it: its container was created [1]",
                "3 [db] prove: its container was started [2]",
            ]
        );
    }
    // If the engine does not list the networks, the container counts as connected.
    observed.containers[0].networks = None;
    observed.containers[0].state = "running".to_owned();
    assert_eq!(printed(&stack, &observed), ["0 [db] prove: it runs as declared []"]);
}

#[test]
fn a_removed_network_is_recreated_together_with_its_containers() {
    let stack = stack(vec![service("db", "postgres", "16.4")]);
    let mut observed = running(&decide(&stack, &Observed::default()));
    observed.networks.clear();
    observed.containers[0].networks = Some(BTreeSet::new());
    assert_eq!(
        printed(&stack, &observed),
        [
            "0 [] network: the environment has no network yet []",
            "1 [db] remove c-db: its network is gone []",
            "2 [db] create: its network is gone [1]",
            "3 [db] start it: its container was created [2, 0]",
            "4 [db] prove: its container was started [3]",
        ]
    );
}

#[test]
fn a_minor_version_change_says_both_versions() {
    let old = stack(vec![service("db", "postgres", "16.3")]);
    let observed = running(&decide(&old, &Observed::default()));
    let new = stack(vec![service("db", "postgres", "16.4")]);
    let lines = printed(&new, &observed);
    // The running container stays until the engine has the new image.
    assert!(lines[0].starts_with("0 [db] pull"), "{lines:?}");
    assert_eq!(lines[1], "1 [db] remove c-db: version 16.3 → 16.4 [0]");
    assert!(!lines.iter().any(|line| line.contains("volume")), "{lines:?}");
}

#[test]
fn a_major_version_change_of_postgres_is_refused_and_names_both() {
    let old = stack(vec![service("db", "postgres", "15")]);
    let observed = running(&decide(&old, &Observed::default()));
    let new = stack(vec![service("db", "postgres", "17")]);
    let refusals = diff(&decide(&new, &observed), &observed, &BTreeSet::new()).unwrap_err();
    assert_eq!(refusals[0].message, "the data of db was written by Postgres 15, and Postgres 17 cannot read it");
    assert!(refusals[0].help[0].contains("devenv up --fresh db"), "{:?}", refusals[0].help);
    assert!(refusals[0].help[1].contains("pg_dumpall"), "{:?}", refusals[0].help);

    let fresh = diff(&decide(&new, &observed), &observed, &BTreeSet::from(["db".to_owned()])).unwrap();
    assert!(print_plan(&fresh).iter().any(|line| line.contains("volume ENV-db.v17")), "{:?}", print_plan(&fresh));
}

#[test]
fn a_container_that_was_created_and_never_started_is_recreated() {
    let stack = stack(vec![service("db", "postgres", "16.4")]);
    let mut observed = running(&decide(&stack, &Observed::default()));
    observed.containers[0].state = "created".into();
    assert_eq!(printed(&stack, &observed)[0], "0 [db] remove c-db: an earlier start did not finish []");
}

#[test]
fn a_stopped_container_is_started_again() {
    let stack = stack(vec![service("db", "postgres", "16.4")]);
    let mut observed = running(&decide(&stack, &Observed::default()));
    observed.containers[0].state = "exited".into();
    assert_eq!(
        printed(&stack, &observed),
        ["0 [db] start c-db: it is stopped []", "1 [db] prove: its container was started [0]"]
    );
}

#[test]
fn a_service_that_is_no_longer_declared_is_removed_and_its_data_stays() {
    let both = stack(vec![service("db", "postgres", "16.4"), service("cache", "redis", "7.2.5")]);
    let observed = running(&decide(&both, &Observed::default()));
    let one = stack(vec![service("db", "postgres", "16.4")]);
    assert_eq!(
        printed(&one, &observed),
        [
            "0 [] pin: it protects data that no service uses now []",
            "1 [cache] remove c-cache: the service is no longer part of this environment; its data is kept [0]",
            "2 [db] prove: it runs as declared []",
        ]
    );
}

#[test]
fn other_environments_are_never_touched() {
    let stack = stack(vec![service("db", "postgres", "16.4")]);
    let mut observed = running(&decide(&stack, &Observed::default()));
    for scope in observed.containers.iter_mut().map(|container| &mut container.scope) {
        scope.environment = "other-12345678".to_owned();
    }
    for scope in observed.volumes.iter_mut().map(|volume| &mut volume.scope) {
        scope.environment = "other-12345678".to_owned();
    }
    observed.records.iter_mut().for_each(|one| one.record.scope.environment = "other-12345678".to_owned());
    let lines = printed(&stack, &observed);
    assert!(!lines.iter().any(|line| line.contains("remove") || line.contains("delete")), "{lines:?}");
    assert_eq!(
        print_plan(&teardown(&identity(), &observed, true)),
        ["0 [] remove network: the environment goes down []"]
    );
}

#[test]
fn a_teardown_keeps_the_data_unless_asked() {
    let stack = stack(vec![service("db", "postgres", "16.4")]);
    let observed = running(&decide(&stack, &Observed::default()));
    assert_eq!(
        print_plan(&teardown(&identity(), &observed, false)),
        ["0 [db] remove c-db: the environment goes down []", "1 [] remove network: the environment goes down [0]"]
    );
    assert_eq!(
        print_plan(&teardown(&identity(), &observed, true))[3],
        "3 [db] delete ENV-db.v16: its data is to be deleted [0]"
    );
}

#[test]
fn postgres_18_keeps_its_data_in_another_folder() {
    for (version, folder) in [("17", "/var/lib/postgresql/data"), ("18", "/var/lib/postgresql")] {
        let desired = decide(&stack(vec![service("db", "postgres", version)]), &Observed::default());
        assert_eq!(desired.services[0].container.mounts[0].target, folder);
    }
}

#[test]
fn no_secret_is_in_a_label_or_an_argument() {
    let mut cache = service("cache", "redis", "7.2.5");
    cache.users.push(User {
        name: Located::new(String::new(), origin()),
        credential: Credential::Variable("REDIS_PASSWORD".into()),
        bound: true,
        rights: None,
    });
    let all = stack(vec![service("db", "postgres", "16.4"), cache, service("queue", "rabbitmq", "3.13.7")]);
    let desired = decide(&all, &Observed::default());
    for service in &desired.services {
        let secrets = service.endpoints.iter().chain(&service.admin).filter_map(|endpoint| endpoint.password.as_ref());
        let mut count = 0;
        for secret in secrets {
            count += 1;
            let shown = format!("{:?} {:?} {:?}", service.container.role, service.container.command, service.container);
            assert!(!shown.contains(secret.reveal()), "{}", service.name);
        }
        assert!(count > 0, "{} has a password", service.name);
    }
}

#[test]
fn a_password_that_the_user_set_reaches_the_server() {
    let mut db = service("db", "postgres", "16.4");
    db.users.push(User {
        name: Located::new("shop".into(), origin()),
        credential: Credential::Variable("DB_PASSWORD".into()),
        bound: true,
        rights: None,
    });
    let passwords = BTreeMap::from([("db".to_owned(), Secret::new("mine"))]);
    let desired = decide_with(&stack(vec![db]), &Observed::default(), &passwords);
    assert_eq!(desired.services[0].endpoints[0].password, Some(Secret::new("mine")));
    assert_eq!(desired.services[0].wanted.users[0].password, Some(Secret::new("mine")));
}

#[test]
fn credentials_follow_their_source_in_production() {
    let user =
        |credential, bound| User { name: Located::new("shop".into(), origin()), credential, bound, rights: None };
    let password = |user: User| {
        let mut db = service("db", "postgres", "16.4");
        db.users.push(user);
        decide(&stack(vec![db]), &Observed::default()).services[0].endpoints[0].password.clone()
    };
    let literal = || Credential::Literal(Secret::new("paperless"));
    assert_eq!(password(user(literal(), false)), Some(Secret::new("paperless")));
    assert_ne!(password(user(literal(), true)), Some(Secret::new("paperless")));
    assert_eq!(password(user(Credential::None, false)), None);
    let shared = || user(Credential::Variable("PASSWORD".into()), true);
    assert_eq!(password(shared()), password(shared()));
    assert_ne!(password(shared()), password(user(Credential::Variable("OTHER".into()), true)));
}

#[test]
fn every_login_and_database_has_its_own_fields() {
    let mut db = service("db", "postgres", "16.4");
    for name in ["shop", "audit"] {
        db.databases.push(Database { name: Located::new(name.into(), origin()), owner: Some(name.into()) });
    }
    let desired = decide(&stack(vec![db]), &Observed::default());
    let fields = desired.fields(&Kinds::built_in().unwrap(), false).unwrap();
    let (default, audit) = (&fields["db"]["url"].text, &fields["db"]["databases.audit.url"].text);
    assert!(default.ends_with("/shop") && audit.ends_with("/audit"), "{default} {audit}");
    let network = desired.fields(&Kinds::built_in().unwrap(), true).unwrap();
    let url = &network["db"]["url"].text;
    assert!(url.contains("@db:5432/"), "{url}");
}

#[test]
fn a_variable_that_names_only_the_host_gets_the_kinds_own_port() {
    let mut db = service("db", "postgres", "16.4");
    db.needs_own_port = true;
    let desired = decide(&stack(vec![db]), &Observed::default());
    let endpoint = &desired.services[0].endpoints[0];
    assert_eq!(endpoint.port, 5432);
    assert!(endpoint.host.parse::<IpAddr>().unwrap().is_loopback());
}

#[test]
fn the_label_names_each_part_of_the_configuration() {
    let desired = decide(&stack(vec![service("db", "postgres", "16.4")]), &Observed::default());
    let service = &desired.services[0];
    let ContainerRole::Service(runs) = &service.container.role else { panic!("it runs a service") };
    assert_eq!(runs.config, joined(&service.config));
    assert!(service.config.contains_key("settings") && service.config.contains_key("port"), "{:?}", service.config);
}

#[test]
fn a_servers_files_contain_special_characters_unchanged() {
    let mut cache = service("cache", "redis", "7.2.5");
    cache.settings = vec![setting("save", ""), setting("maxmemory", "64mb")];
    cache.users.push(User {
        name: Located::new(String::new(), origin()),
        credential: Credential::Literal(Secret::new(r#"a "b" \c"#)),
        bound: false,
        rights: None,
    });
    let text = file(&decide(&stack(vec![cache]), &Observed::default()), "/etc/devenv/redis.conf");
    assert_eq!(text, "save \"\"\nmaxmemory 64mb\nrequirepass \"a \\\"b\\\" \\\\c\"\n# end");
}

#[test]
fn a_redis_without_a_password_says_that_it_is_open() {
    for kind in ["redis", "valkey"] {
        let config = |credential: Credential| {
            let mut cache = service("cache", kind, "8.0.2");
            let name = Located::new(String::new(), origin());
            cache.users.push(User { name, credential, bound: true, rights: None });
            file(&decide(&stack(vec![cache]), &Observed::default()), &format!("/etc/devenv/{kind}.conf"))
        };
        let open = config(Credential::None);
        assert!(open.contains("protected-mode no") && !open.contains("requirepass"), "{open}");
        let closed = config(Credential::Variable("CACHE_PASSWORD".to_owned()));
        assert!(closed.contains("requirepass") && !closed.contains("protected-mode"), "{closed}");
    }
}

#[test]
fn a_port_that_the_user_set_is_chosen_for_no_other_service() {
    let first = decide(&stack(vec![service("a", "redis", "8.0.2")]), &Observed::default());
    let chosen = first.services[0].endpoints[0].port;
    let mut set = service("b", "redis", "8.0.2");
    set.port = Some(Located::new(chosen, origin()));
    let both = decide(&stack(vec![service("a", "redis", "8.0.2"), set]), &Observed::default());
    assert_eq!(both.services[1].endpoints[0].port, chosen);
    assert_ne!(both.services[0].endpoints[0].port, chosen);
}

#[test]
fn plugins_are_added_to_those_of_the_image() {
    let mut queue = service("queue", "rabbitmq", "3.13.7");
    assert_eq!(file(&decide(&stack(vec![queue.clone()]), &Observed::default()), "/etc/rabbitmq/enabled_plugins"), "");
    queue.plugins.push(Located::new("rabbitmq_shovel".into(), origin()));
    let text = file(&decide(&stack(vec![queue.clone()]), &Observed::default()), "/etc/rabbitmq/enabled_plugins");
    assert_eq!(text.trim(), "[rabbitmq_prometheus,rabbitmq_shovel].");
    queue.plugins.push(Located::new("rabbitmq_management".into(), origin()));
    queue.image = Some(Located::new(ImageRef::parse("rabbitmq:3.13.7-management").unwrap(), origin()));
    let text = file(&decide(&stack(vec![queue]), &Observed::default()), "/etc/rabbitmq/enabled_plugins");
    assert_eq!(text.trim(), "[rabbitmq_prometheus,rabbitmq_management,rabbitmq_shovel].");
}

#[test]
fn the_login_exists_before_init_files_run() {
    const FIRST: &str = "/docker-entrypoint-initdb.d/000000-devenv.sql";
    let mut db = service("db", "postgres", "16.4");
    assert_eq!(file(&decide(&stack(vec![db.clone()]), &Observed::default()), FIRST), "");
    db.init_files.push(InitFile { name: "10.sql".into(), content: Vec::new(), origin: origin() });
    let text = file(&decide(&stack(vec![db]), &Observed::default()), FIRST);
    assert_eq!(text.trim(), "CREATE ROLE \"app\" LOGIN;");
}

/// The text of the first service's file at this path; empty if there is no such file.
fn file(desired: &Desired, path: &str) -> String {
    let files = &desired.services[0].container.files;
    let content = files.iter().find(|file| file.path == path).map(|file| file.content.0.clone());
    String::from_utf8(content.unwrap_or_default()).unwrap()
}

#[test]
fn an_image_for_another_platform_gives_a_warning() {
    let mut stack = stack(vec![service("db", "postgres", "16.4")]);
    let mut observed = running(&decide(&stack, &Observed::default()));
    for image in observed.images.values_mut() {
        image.platform = "linux/amd64".into();
    }
    let diagnostic = |stack: &Stack| platform_mismatches(&decide(stack, &observed).services, &observed);
    assert_eq!(diagnostic(&stack), []);
    stack.services[0].platform = Some(Located::new("linux/arm64".into(), origin()));
    let warnings = diagnostic(&stack);
    assert_eq!(warnings[0].message, "db runs an image for linux/amd64");
    assert_eq!(warnings[0].label, "production runs it on linux/arm64");
}

#[test]
fn an_app_that_logs_in_as_a_fixed_administrator_shares_its_password() {
    let mut db = service("db", "postgres", "16.4.0");
    db.family = "bitnami".into();
    let login = |name: &str| User {
        name: Located::new(name.into(), origin()),
        credential: Credential::Variable("PASSWORD".into()),
        bound: true,
        rights: None,
    };
    db.users = vec![login("postgres")];
    let shared = &decide(&stack(vec![db.clone()]), &Observed::default()).services[0];
    assert_eq!(shared.admin.as_ref().unwrap().password, shared.endpoints[0].password);
    db.users = vec![login("shop")];
    let apart = &decide(&stack(vec![db]), &Observed::default()).services[0];
    assert_eq!(apart.admin.as_ref().unwrap().user.as_deref(), Some("postgres"));
    assert_ne!(apart.admin.as_ref().unwrap().password, apart.endpoints[0].password);
}

#[test]
fn mysql_s_root_is_the_administrator_and_shares_its_password_with_an_app_that_logs_in_as_root() {
    for (kind, version) in [("mysql", "8.4.4"), ("mariadb", "11.8.9")] {
        let mut db = service("db", kind, version);
        db.users = vec![User {
            name: Located::new("shop".into(), origin()),
            credential: Credential::Variable("PASSWORD".into()),
            bound: true,
            rights: None,
        }];
        db.plugins = vec![Located::new("auth_ed25519".into(), origin())];
        let variable = |service: &DesiredService, name: &str| {
            let found = service.container.environment.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.reveal().to_owned())
        };
        let apart = &decide(&stack(vec![db.clone()]), &Observed::default()).services[0];
        let admin = apart.admin.as_ref().unwrap();
        assert_eq!(admin.user.as_deref(), Some("root"));
        assert_ne!(admin.password, apart.endpoints[0].password);
        assert_eq!(variable(apart, "MYSQL_ROOT_PASSWORD").as_deref(), admin.password.as_ref().map(Secret::reveal));
        assert_eq!(variable(apart, "MYSQL_USER").as_deref(), Some("shop"));
        assert_eq!(variable(apart, "MYSQL_ALLOW_EMPTY_PASSWORD"), None);
        assert_eq!(apart.wanted.users[0].rights, None);
        let plugins = apart.container.files.iter().find(|file| file.path.ends_with("devenv-plugins.cnf")).unwrap();
        let library = if kind == "mysql" { "auth_ed25519.so" } else { "auth_ed25519" };
        assert_eq!(String::from_utf8_lossy(&plugins.content.0), format!("[mysqld]\nplugin_load_add={library}\n"));

        // An app that logs in as root in production logs in as root here too, without a password if production needs
        // none.
        db.users[0].name = Located::new("root".into(), origin());
        db.plugins.clear();
        let shared = &decide(&stack(vec![db.clone()]), &Observed::default()).services[0];
        assert_eq!(shared.admin.as_ref().unwrap().password, shared.endpoints[0].password);
        assert_eq!(variable(shared, "MYSQL_USER"), None);
        assert!(shared.container.files.is_empty());
        db.users[0].credential = Credential::None;
        let open = &decide(&stack(vec![db]), &Observed::default()).services[0];
        assert_eq!(open.admin.as_ref().unwrap().password, None);
        assert_eq!(variable(open, "MYSQL_ALLOW_EMPTY_PASSWORD").as_deref(), Some("yes"));
    }
}
