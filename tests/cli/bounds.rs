//! The cost of reading a project: each expansion takes from one budget, and the message names the place.

use crate::limited::run;
use crate::sandbox::Sandbox;
use std::fmt::Write as _;
use std::process::Stdio;

fn files(project: &Sandbox, all: impl IntoIterator<Item = (String, String)>) {
    for (name, text) in all {
        project.write(&name, &text);
    }
}

fn numbered(numbers: std::ops::Range<usize>, line: impl Fn(usize) -> String) -> String {
    numbers.fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "{}", line(number));
        text
    })
}

/// Checks that the project is refused once, with the place.
fn refused(project: &Sandbox, limit: &str, place: &str) {
    let outcome = run(project, &["manifest"], Stdio::null());
    let said = &outcome.stderr;
    assert_eq!(outcome.code, 3, "{said}");
    assert!(said.contains("this project is too much to read") && said.contains(limit), "{said}");
    assert!(said.contains(place), "{place}: {said}");
    assert_eq!(said.matches("too much to read").count(), 1, "{said}");
    assert!(said.contains("help: name the files that describe the services alone"), "{said}");
    assert!(said.len() < 100_000, "{}", said.len());
}

const EXPANDED: &str = "variables and templates expand to more than 8 MB";
const VALUES: &str = "the files hold more than 1500000 values";
const FILES: &str = "more than 20000 files are asked for";

#[test]
fn a_dotenv_that_doubles_its_variables_is_refused_at_the_line() {
    let doubled = numbered(1..40, |at| format!("A{at}=$A{0}${{A{0}}}", at - 1));
    let compose = "services:\n  db:\n    image: postgres:${A39}\n";
    let project = Sandbox::new(&[(".env", &format!("A0=0123456789\n{doubled}")), ("compose.yaml", compose)]);
    refused(&project, EXPANDED, "--> .env:2");
}

#[test]
fn variables_of_a_container_that_double_are_refused_at_the_line() {
    let doubled = numbered(1..40, |at| format!("        - {{name: A{at}, value: $(A{0})$(A{0})}}", at - 1));
    let pod = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n  containers:\n    - name: web\n      \
         image: shop/web:1\n      env:\n        - {{name: A0, value: 0123456789}}\n{doubled}"
    );
    refused(&Sandbox::new(&[("k8s/web.yaml", &pod)]), EXPANDED, "--> k8s/web.yaml:2");
}

#[test]
fn build_arguments_that_double_are_refused_where_they_are_used() {
    let doubled = numbered(1..40, |at| format!("ARG A{at}=${{A{0}}}${{A{0}}}", at - 1));
    let dockerfile = format!("ARG A0=0123456789\n{doubled}FROM postgres:${{A39}}\n");
    let compose = "services:\n  db:\n    build: .\n";
    refused(&Sandbox::new(&[("compose.yaml", compose), ("Dockerfile", &dockerfile)]), EXPANDED, "--> compose.yaml:3");
}

#[test]
fn chains_of_extends_are_bounded() {
    let keys = numbered(0..40, |at| format!("      K{at}: x"));
    let services = numbered(1..1500, |at| {
        format!("  s{at}:\n    extends: s{}\n    image: shop:1\n    environment:\n{keys}", at - 1)
    });
    let compose = format!("services:\n  s0:\n    image: shop:1\n{services}");
    refused(&Sandbox::new(&[("compose.yaml", &compose)]), VALUES, "--> compose.yaml:");
}

#[test]
fn trees_of_includes_and_kustomizations_are_bounded() {
    let included = Sandbox::new(&[("compose.yaml", "include: [f1.yaml, f1.yaml]\nservices: {}\n")]);
    let service = "services: {db: {image: \"postgres:16.4\"}}\n";
    let file = |at| (format!("f{at}.yaml"), format!("include: [f{0}.yaml, f{0}.yaml]\n{service}", at + 1));
    files(&included, (1..30).map(file).chain([("f30.yaml".to_owned(), service.to_owned())]));
    refused(&included, FILES, "f");

    let kustomized = Sandbox::new(&[]);
    let file = |at| {
        let listed = format!("resources: [../k{0}, ../k{0}, ../k{0}]\n", at + 1);
        (format!("k{at}/kustomization.yaml"), listed)
    };
    files(&kustomized, (0..14).map(file).chain([("k14/kustomization.yaml".to_owned(), "resources: []\n".to_owned())]));
    refused(&kustomized, FILES, "kustomization.yaml");
}

#[test]
fn products_of_groups_and_relationships_are_bounded() {
    let services = numbered(0..400, |at| {
        format!("  - {{name: web{at}, type: web, runtime: node, envVars: [{{fromGroup: all}}]}}")
    });
    let group = numbered(0..1000, |at| format!("      - {{key: K{at}, value: v}}"));
    let render = format!("services:\n{services}envVarGroups:\n  - name: all\n    envVars:\n{group}");
    refused(&Sandbox::new(&[("render.yaml", &render)]), VALUES, "--> render.yaml:");

    let related = numbered(0..300, |at| format!("      r{at}: 'db:postgresql'"));
    let apps = numbered(0..200, |at| format!("  app{at}:\n    type: nodejs:20\n    relationships:\n{related}"));
    let upsun = format!("services:\n  db: {{type: 'postgresql:16'}}\napplications:\n{apps}");
    refused(&Sandbox::new(&[(".upsun/config.yaml", &upsun)]), VALUES, "--> .upsun/config.yaml:");
}

#[test]
fn reading_self_references_ends() {
    let group = "services: [{name: web, type: web, runtime: node, envVars: [{fromGroup: g}]}]\n\
                 envVarGroups: [{name: g, envVars: [{key: A, value: b}, {fromGroup: g}]}]\n";
    let read = Sandbox::new(&[("render.yaml", group)]).succeed(&["manifest", "--json"]).json();
    assert_eq!(read["variables"].as_array().map(Vec::len), Some(1), "{read:#}");
    let keys = "services:\n  - {name: a, type: web, runtime: node, envVars: [{key: A, fromService: {name: b, type: web, envVarKey: B}}]}\n  \
                - {name: b, type: web, runtime: node, envVars: [{key: B, fromService: {name: a, type: web, envVarKey: A}}]}\n";
    Sandbox::new(&[("render.yaml", keys)]).succeed(&["manifest"]);
    let modules = "module \"a\" {\n  source = \".\"\n  x = local.a\n}\nlocals {\n  a = local.b\n  b = local.a\n}\n";
    Sandbox::new(&[("main.tf", modules)]).succeed(&["manifest"]);
    let references = "AWSTemplateFormatVersion: '2010-09-09'\nParameters: {A: {Type: String, Default: !Ref A}}\nConditions: {C: !Condition C}\n\
                      Resources: {D: {Type: 'AWS::RDS::DBInstance', Condition: C, Properties: {Engine: !Ref A, DBName: !Sub '${A}'}}}\n";
    let outcome = Sandbox::new(&[("template.yaml", references)]).run(&["manifest"]);
    assert!((0..=3).contains(&outcome.code), "{outcome:?}");
}

#[test]
fn long_texts_that_aliases_copy_are_bounded() {
    let text = "x".repeat(100_000);
    let aliases = numbered(0..5000, |_| "  - *text".to_owned());
    let project =
        Sandbox::new(&[("compose.yaml", &format!("x-text: &text {text}\nservices: {{}}\nx-all:\n{aliases}"))]);
    let outcome = run(&project, &["manifest"], Stdio::null());
    assert!(outcome.code == 3 && outcome.stderr.contains("aliases multiply"), "{}", outcome.stderr);
}

#[test]
fn long_configurations_of_a_server_are_bounded() {
    let settings = numbered(0..30_000, |at| format!("s{at} = on"));
    let compose = "services:\n  db:\n    image: postgres:16.4\n    command: -c config_file=/etc/p.conf\n    \
                   volumes: [\"./p.conf:/etc/p.conf\"]\n";
    let project = Sandbox::new(&[("compose.yaml", compose), ("p.conf", &settings)]);
    refused(&project, "comparing what the files name takes more than", "--> p.conf:");
}

#[test]
fn standard_input_without_end_is_refused() {
    let project = Sandbox::new(&[("services.yaml", "services: {}\n")]);
    let endless = std::fs::File::open("/dev/zero").expect("a device");
    let outcome = run(&project, &["-f", "-", "manifest"], endless.into());
    assert_eq!(outcome.code, 3, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("standard input cannot be read"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("larger than 32 MB"), "{}", outcome.stderr);
}

#[test]
fn four_thousand_services_are_a_table() {
    let services = numbered(0..4000, |at| format!("  a-service-with-a-long-name-{at}: {{image: \"redis:7.2.5\"}}"));
    let project = Sandbox::new(&[("compose.yaml", &format!("services:\n{services}"))]);
    let outcome = run(&project, &["manifest"], Stdio::null());
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stdout.contains("a-service-with-a-long-name-3999"), "{}", outcome.stdout.len());
    assert!(outcome.stdout.lines().all(|line| line.len() < 500), "no line is as long as all names");
}

#[test]
fn services_and_apps_are_counted_whichever_format_declares_them() {
    let services = numbered(0..6000, |at| format!("  s{at}: {{image: \"redis:7.2.5\"}}"));
    let pods = numbered(0..6000, |at| {
        format!(
            "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: p{at}}}\nspec: {{containers: [{{name: a, image: \"redis:7.2.5\"}}]}}"
        )
    });
    let aliases = numbered(0..6000, |at| format!("  - {{name: postgresql, alias: d{at}, version: 1.2.3}}"));
    let instances = numbered(0..6000, |at| format!("      - s{at}"));
    let addons = vec!["\"heroku-postgresql\""; 6000].join(", ");
    let blocks = numbered(0..6000, |at| {
        format!("resource \"aws_db_instance\" \"d{at}\" {{\n  engine = \"postgres\"\n  engine_version = \"16.4\"\n}}")
    });
    let included = numbered(0..6000, |at| format!("  s{at}: {{image: \"redis:7.2.5\"}}"));
    for (path, text) in [
        ("compose.yaml", format!("services:\n{services}")),
        ("k8s/pods.yaml", pods),
        ("chart/Chart.yaml", format!("apiVersion: v2\nname: shop\nversion: 1.0.0\ndependencies:\n{aliases}")),
        ("manifest.yml", format!("applications:\n  - name: a\n    services:\n{instances}")),
        ("app.json", format!("{{\"addons\": [{addons}]}}")),
        ("main.tf", blocks),
        ("services.local.yaml", format!("include:\n{included}")),
    ] {
        let project = Sandbox::new(&[(path, &text)]);
        if path == "services.local.yaml" {
            project.write("services.yaml", "services: {}\n");
        }
        refused(&project, "the files declare more than 5000 services and apps", &format!("--> {path}:"));
    }
}

#[test]
fn comparisons_of_all_pairs_are_bounded() {
    let app = |line: &dyn Fn(usize) -> String| {
        let lines = numbered(0..9000, |at| format!("      {}", line(at)));
        format!("services:\n  db: {{image: \"postgres:16.4\"}}\n  web:\n    image: shop\n    environment:\n{lines}")
    };
    let users = app(&|at| format!("A{at}_URL: postgres://u{at}:p@db/d{at}"));
    refused(
        &Sandbox::new(&[("compose.yaml", &users)]),
        "comparing what the files name takes more than",
        "compose.yaml:",
    );
    let poolers = numbered(0..4000, |at| {
        format!("  p{at}: {{image: \"edoburu/pgbouncer:1\", environment: {{DB_HOST: p{}}}}}", at + 1)
    });
    let chain = format!("services:\n{poolers}  p4000: {{image: \"postgres:16.4\"}}\n");
    refused(
        &Sandbox::new(&[("compose.yaml", &chain)]),
        "comparing what the files name takes more than",
        "compose.yaml:",
    );
    let hosts = app(&|at| format!("A{at}_HOST: db"));
    let outcome = run(&Sandbox::new(&[("compose.yaml", &hosts)]), &["manifest"], Stdio::null());
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
}

#[test]
fn an_init_folder_that_many_services_mount_is_bounded() {
    let services = numbered(0..100, |at| {
        format!("  s{at}:\n    image: postgres:16.4\n    volumes: [\"./init:/docker-entrypoint-initdb.d\"]")
    });
    let project = Sandbox::new(&[("compose.yaml", &format!("services:\n{services}"))]);
    files(&project, (0..10).map(|at| (format!("init/{at}.sql"), "-- nothing\n".repeat(10_000))));
    refused(&project, "the files hold more than 40 MB", "compose.yaml:");
}

#[test]
fn the_lock_spends_from_the_budget_of_the_manifests() {
    let lists = |count: usize| numbered(0..count, |at| format!("x-{at}: [{}]", "x,".repeat(9000)));
    let manifest = format!("services: {{cache: {{kind: redis, version: \"7.2.5\"}}}}\n{}", lists(100));
    let project = Sandbox::new(&[("services.yaml", &manifest), ("services.lock", &lists(80))]);
    assert_eq!(run(&project, &["manifest"], Stdio::null()).code, 0);
    let outcome = run(&project, &["lock", "--check"], Stdio::null());
    assert_eq!(outcome.code, 3, "{}", outcome.stderr);
    assert!(outcome.stderr.contains(VALUES) && outcome.stderr.contains("services.lock:1"), "{}", outcome.stderr);
}
