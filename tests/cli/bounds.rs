//! What a project may cost to read: each expansion spends from one budget, and the message names the place.
//!
//! The program runs with 2 GB of address space and a minute at most, so what is not bounded fails here and harms nobody.

use crate::sandbox::{Outcome, Sandbox};
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs the program under those limits.
fn run(project: &Sandbox, arguments: &[&str], stdin: Stdio) -> Outcome {
    let plain = project.command(arguments);
    let mut limited = Command::new("timeout");
    limited.args(["--kill-after=1", "60", "sh", "-c", "ulimit -v 2000000; exec \"$@\"", "sh"]);
    limited.arg(plain.get_program()).args(plain.get_args()).stdin(stdin).env_clear();
    limited.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).current_dir(project.root());
    Outcome::of(&limited.output().expect("timeout of coreutils"))
}

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

/// What is refused, with the place, and once.
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
fn a_fifo_or_a_device_in_place_of_any_file_is_refused_and_never_waited_for() {
    let compose = "services:\n  db:\n    image: postgres:16.4\n    env_file: db.env\n    volumes: \
                   [\"./init:/docker-entrypoint-initdb.d\", \"./p.conf:/etc/postgresql/postgresql.conf\"]\n  web:\n    build: .\n";
    let places: &[&str] = &[
        "compose.yaml",
        ".env",
        "db.env",
        "Dockerfile",
        "init/1.sql",
        "p.conf",
        "services.local.yaml",
        "services.lock",
        "services.yaml",
        ".devenv/kinds/own.yaml",
        "chart/Chart.yaml",
        "chart/values.yaml",
        "k8s/db.yaml",
        "k8s/kustomization.yaml",
        "main.tf",
        "prod.tfvars",
        "app.json",
        ".tool-versions",
        ".gitignore",
        "config/deploy.yml",
        ".kamal/secrets",
    ];
    for place in places {
        for target in [None, Some("/dev/zero")] {
            let project = Sandbox::new(&[("compose.yaml", compose)]);
            let path = project.path(place);
            std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("a folder");
            let _ = std::fs::remove_file(&path);
            match target {
                Some(device) => std::os::unix::fs::symlink(device, &path).expect("a link"),
                None => assert!(Command::new("mkfifo").arg(&path).status().expect("mkfifo").success()),
            }
            let other: &[&str] =
                if *place == "services.lock" { &["lock", "--check"] } else { &["-f", place, "manifest"] };
            for arguments in [&["manifest"][..], other] {
                let outcome = run(&project, arguments, Stdio::null());
                assert!((0..=7).contains(&outcome.code), "{place} {target:?} {arguments:?}: {}", outcome.stderr);
            }
        }
    }
}
