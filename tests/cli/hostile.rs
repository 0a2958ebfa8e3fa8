//! Malicious files end in a message. `tests/bench/reading` measures the time and the memory.

use crate::sandbox::Sandbox;
use std::fs::File;

const DEEP: usize = 100_000;

/// Each file on its own, the exit code, and the expected message.
fn said(name: &str, content: &[u8]) -> (i32, String) {
    let project = Sandbox::new(&[]);
    std::fs::write(project.path(name), content).expect("a file of the project");
    let outcome = project.run(&["-f", name, "manifest"]);
    (outcome.code, outcome.stderr)
}

fn repeated(numbers: std::ops::Range<usize>, part: impl FnMut(usize) -> String) -> String {
    numbers.map(part).collect::<Vec<_>>().concat()
}

#[test]
fn deep_nesting_and_multiplying_aliases_are_refused() {
    let bomb = repeated(1..12, |at| format!("a{at}: &a{at} [{}]\n", vec![format!("*a{}", at - 1); 10].join(",")));
    let merges =
        repeated(1..8, |at| format!("a{at}: &a{at} {{<<: [{}]}}\n", vec![format!("*a{}", at - 1); 50].join(",")));
    let too_deep = "nest deeper than 128 levels";
    let not_hcl = "is not valid HCL here";
    let cases: &[(&str, String, &str)] = &[
        ("bomb.yaml", format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{bomb}"), "aliases multiply to more than"),
        ("merges.yaml", format!("a0: &a0 {{k: 1}}\n{merges}"), "is of no format that devenv reads"),
        ("deep.yaml", format!("a: {}", "[".repeat(DEEP)), too_deep),
        ("maps.yaml", format!("services: {}", "{a: ".repeat(DEEP)), too_deep),
        ("dashes.yaml", "- ".repeat(DEEP), too_deep),
        ("keys.yaml", "? ".repeat(DEEP), too_deep),
        ("indented.yaml", repeated(0..3000, |at| format!("{}a:\n", " ".repeat(at))), too_deep),
        ("lists.json", format!("{{\"format_version\": \"1.0\", \"values\": {}", "[".repeat(DEEP)), too_deep),
        ("maps.json", "{\"a\":".repeat(DEEP), too_deep),
        ("lists.tf", format!("locals {{ a = {}\n}}", "[".repeat(DEEP)), not_hcl),
        ("blocks.tf", "a {\n".repeat(DEEP), not_hcl),
        ("calls.tf", format!("locals {{ a = {}\n}}", "f(".repeat(DEEP)), not_hcl),
        ("templates.tf", format!("locals {{ a = {}\n}}", "\"${".repeat(DEEP)), not_hcl),
        ("signs.tf", format!("locals {{ a = {}1\n}}", "-".repeat(DEEP)), not_hcl),
        ("sums.tf", format!("locals {{ a = {}1\n}}", "1 + ".repeat(DEEP)), not_hcl),
        ("indexes.tf", format!("locals {{ a = b{}\n}}", "[0]".repeat(DEEP)), not_hcl),
        ("many.yaml", repeated(0..600_000, |at| format!("k{at}: x\n")), "more than 10000 entries"),
        ("items.json", format!("[{}1]", "1,".repeat(10_000)), "more than 10000 entries"),
        ("lists.yaml", repeated(0..200, |at| format!("k{at}: [{}]\n", "x,".repeat(6000))), "more than 1000000 values"),
    ];
    for (name, content, message) in cases {
        let (code, told) = said(name, content.as_bytes());
        assert_eq!(code, 3, "{name}: {told}");
        assert!(told.contains(message) && told.contains(name), "{name}: {told}");
    }
    let braces = format!("services: {{db: {{image: \"postgres:{}\"}}}}", "${A:-".repeat(DEEP));
    let (_, told) = said("compose.yaml", braces.as_bytes());
    assert!(told.contains("a value's `${…}` cannot be read"), "{told}");
}

#[test]
fn a_file_that_is_larger_than_any_manifest_is_refused() {
    let project = Sandbox::new(&[("services.yaml", "services: {}\n")]);
    for name in ["services.yaml", "shown.json", "main.tf"] {
        // A sparse file takes no space on the disk.
        File::create(project.path(name)).and_then(|file| file.set_len(1 << 30)).unwrap();
        let refused = project.fail(3, &["-f", name, "manifest"]);
        assert!(refused.stderr.contains(&format!("`{name}` is larger than 32 MB")), "{refused:?}");
    }
    let long = "x".repeat(5 << 20);
    for (name, content) in [
        ("compose.yaml", format!("services:\n  db:\n    image: \"{long}\"\n")),
        ("services.yaml", format!("services:\n  db:\n    kind: {long}\n")),
        ("shown.json", format!("{{\"format_version\": \"{long}\"}}")),
    ] {
        let (code, told) = said(name, content.as_bytes());
        assert_eq!(code, 3, "{name}");
        assert!(told.contains("a text is longer than 4 MB") && told.len() < 20_000, "{name}: {}", told.len());
    }
}

#[test]
fn invalid_text_and_unclosed_syntax_are_reported_with_their_place() {
    for name in ["compose.yaml", "shown.json", "main.tf", "fly.toml"] {
        for bytes in [&b"a: \"b\xff\xfe\"\n"[..], b"a = \"b\0c\"\n"] {
            let (code, told) = said(name, bytes);
            assert_eq!(code, 3, "{name}: {told}");
            assert!(told.contains(&format!("`{name}` is no UTF-8 text")), "{name}: {told}");
        }
    }
    let (code, told) = said("main.tf", b"resource \"aws_db_instance\" \"db\" { engine = \"${var.x\" }\n");
    assert!(code == 3 && told.contains("`main.tf` is not valid HCL here"), "{told}");
    let (_, told) = said("compose.yaml", b"services: {db: {image: \"postgres:${A\"}}\n");
    assert!(told.contains("a value's `${…}` cannot be read") && told.contains("--> compose.yaml:1:"), "{told}");
    let (code, told) = said("compose.yaml", b"services:\n  db:\n    image: \"postgres\n");
    assert!(code == 3 && told.contains("is not valid YAML here"), "{told}");
    let (_, told) = said("compose.yaml", b"services:\n  db: {image: \"postgres:{{ .Values.x \"}\n");
    assert!(told.contains("has no valid tag after the colon"), "{told}");
}

#[test]
fn a_link_out_of_the_project_is_not_followed() {
    let secret = Sandbox::new(&[("secret", "POSTGRES_DB=stolen\n"), ("compose.yaml", "services: {}\n")]);
    let env_file = "services:\n  db: {image: \"postgres:16.4\", env_file: inside}\n";
    let extends = "services:\n  web: {extends: {file: inside, service: web}}\n";
    for (compose, target) in [(env_file, "secret"), (extends, "compose.yaml")] {
        let project = Sandbox::new(&[("compose.yaml", compose)]);
        std::os::unix::fs::symlink(secret.path(target), project.path("inside")).unwrap();
        let read = project.run(&["manifest"]);
        assert!(read.stderr.contains("`inside` lies outside the project"), "{read:?}");
        assert!(read.stderr.contains("--> compose.yaml:2:"), "{read:?}");
        let read = project.run(&["manifest", "--json"]);
        assert!(!read.stdout.contains("stolen"), "{read:?}");
    }
}
