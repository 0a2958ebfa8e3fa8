//! The formats of the report in other programs: in a browser and in validators of the schemas.

use crate::sandbox::Sandbox;
use std::path::Path;
use std::process::{Command, Stdio};

/// Two facts files that differ in everything that a report contains.
fn project() -> Sandbox {
    let facts = |version: &str, more: &str| {
        format!(
            "facts: 1\nservices:\n  db:\n    protocol: postgres\n    product: PostgreSQL\n    version: \"{version}\"\n    \
             extensions: {{{more}}}\n    not_asked: {{roles: \"may <not> & `never`\"}}\n"
        )
    };
    Sandbox::new(&[
        ("production.facts.yaml", &facts("16.4", "pg_trgm: \"1.6\"")),
        ("staging.facts.yaml", &facts("15.18", "")),
    ])
}

fn report(format: &str) -> String {
    project().succeed(&["parity", "--between", "production", "staging", "--format", format]).stdout
}

fn browser() -> &'static str {
    let has = |name: &&&str| {
        let asked = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    };
    let known = ["chromium", "chromium-browser", "google-chrome"];
    known.iter().find(has).unwrap_or_else(|| panic!("this test needs one of {known:?}"))
}

/// The browser's screenshot of 600 by 800 pixels, as rows of red, green and blue.
fn screenshot(page: &Path, dark: bool) -> Vec<[u8; 3]> {
    let folder = tempfile::tempdir().expect("a folder");
    let picture = folder.path().join("page.png");
    // Blink's setting for the system's dark mode: 0 is dark, 1 is light.
    let scheme = format!("--blink-settings=preferredColorScheme={}", u8::from(!dark));
    let taken = Command::new(browser())
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=600,800", &scheme])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("a browser");
    let file = std::fs::File::open(&picture)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&taken.stderr)));
    let mut reader = png::Decoder::new(std::io::BufReader::new(file)).read_info().expect("a picture");
    let mut bytes = vec![0; reader.output_buffer_size().expect("its size")];
    let info = reader.next_frame(&mut bytes).expect("its pixels");
    let samples = info.color_type.samples();
    bytes[..info.buffer_size()].chunks_exact(samples).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
}

#[test]
fn the_page_is_readable_in_a_browser_in_light_and_in_dark() {
    let html = report("html");
    assert!(!html.contains("<script") && !html.contains("javascript:"), "{html}");
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("report.html");
    std::fs::write(&page, &html).expect("the page");
    for (dark, ground) in [(false, [255, 255, 255]), (true, [13, 17, 23])] {
        let pixels = screenshot(&page, dark);
        assert_eq!(pixels[0], ground, "dark: {dark}");
        let brightness = |pixel: &[u8; 3]| pixel.iter().map(|value| u32::from(*value)).sum::<u32>();
        let far = |pixel: &&[u8; 3]| brightness(pixel).abs_diff(brightness(&ground)) > 450;
        // The text contrasts with the background, and the page has some text.
        let text = pixels.iter().filter(far).count();
        assert!(text > pixels.len() / 200, "dark: {dark}, {text} of {} pixels", pixels.len());
    }
    let shown = Command::new(browser())
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .expect("a browser");
    let shown = String::from_utf8_lossy(&shown.stdout);
    for text in ["extension pg_trgm", "<dt>production</dt><dd><code>1.6</code></dd>", "may &lt;not&gt; &amp; "] {
        assert!(shown.contains(text), "{text} in {shown}");
    }
}

/// Validates documents with the schema that `devenv schema` prints, by an independent validator.
fn validate(schema: &str, documents: &[(String, serde_json::Value, bool)]) {
    let schema = Sandbox::new(&[]).succeed(&["schema", schema]).stdout;
    let folder = tempfile::tempdir().expect("a folder");
    let input = folder.path().join("input.json");
    let all = serde_json::json!({
        "schema": serde_json::from_str::<serde_json::Value>(&schema).expect("the schema is JSON"),
        "documents": documents.iter().map(|(name, value, valid)| serde_json::json!([name, value, valid])).collect::<Vec<_>>(),
    });
    std::fs::write(&input, all.to_string()).expect("the validator's input");
    let program = "import json, sys, jsonschema
given = json.load(open(sys.argv[1]))
validator = jsonschema.validators.validator_for(given['schema'])
validator.check_schema(given['schema'])
for name, document, valid in given['documents']:
    errors = [e.message for e in validator(given['schema']).iter_errors(document)]
    assert bool(errors) != valid, (name, errors)";
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-venv/bin/python3");
    let output = Command::new(&python).args(["-c", program]).arg(&input).output().unwrap_or_else(|error| {
        panic!("{} ({error}): tests/run makes it", python.display());
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn yaml(text: &str) -> serde_json::Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// The example files with that name under `tests/manifests`, and whether `devenv` reads them without an error.
fn examples(file: &str) -> Vec<(String, serde_json::Value, bool)> {
    let mut found = Vec::new();
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    for case in std::fs::read_dir(cases).expect("the cases").map(|case| case.expect("a case").path()) {
        let Ok(text) = std::fs::read_to_string(case.join("input").join(file)) else { continue };
        let Ok(expected) = std::fs::read_to_string(case.join("expected.json")) else { continue };
        if !expected.contains("\"severity\": \"error\"") && !case.join("request.json").exists() {
            found.push((case.display().to_string(), yaml(&text), true));
        }
    }
    assert!(!found.is_empty(), "there are examples of {file}");
    found
}

#[test]
fn the_schemas_take_what_devenv_takes_and_refuse_what_it_refuses() {
    let mut services = examples("services.yaml");
    services.retain(|(_, value, _)| value.get("services").is_some());
    services.push(("an unknown key".to_owned(), yaml("services: {db: {kind: postgres, verison: 1}}"), false));
    services.push(("a list".to_owned(), yaml("services: [db]"), false));
    validate("services", &services);
    let mut local = examples("services.local.yaml");
    local.push(("an unknown key".to_owned(), yaml("service: {}"), false));
    local.push(("a seed".to_owned(), yaml("seeds: {db: [a.sql, {file: a.sql}, {command: x, reads: [a]}]}"), true));
    for seed in ["[]", "[{database: x}]", "[{file: a, command: b}]", "[{command: x, read: y}]"] {
        local.push((format!("seeds: {{db: {seed}}}"), yaml(&format!("seeds: {{db: {seed}}}")), false));
    }
    validate("local", &local);
    let digest = format!("sha256:{}", "0".repeat(64));
    let lock = format!(
        "version: 1\nservices:\n  db:\n    declared: '16'\n    from: services.yaml:3\n    version: '16.4'\n    image: postgres:16\n    digest: {digest}\n    platforms: {{linux/amd64: '{digest}'}}\n    manifest: abc\n"
    );
    let without = lock.replace("    image: postgres:16\n", "");
    validate("lock", &[("whole".to_owned(), yaml(&lock), true), ("no image".to_owned(), yaml(&without), false)]);
    let told = serde_json::from_str(&report("json")).expect("JSON");
    validate("report", &[("a report".to_owned(), told, true), ("nothing".to_owned(), serde_json::json!({}), false)]);
}

#[test]
fn the_report_points_at_stand_ins_tools_and_what_waits_to_be_deployed() {
    let settings = "DATABASES = {\n    'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': 'db.sqlite3'},\n}\n";
    let project = Sandbox::new(&[
        ("services.yaml", "name: shop\nservices:\n  db: {kind: postgres, version: \"99.4\"}\n"),
        ("manage.py", "import django\n"),
        ("shop/settings/development.py", settings),
        (".ruby-version", "0.0.1\n"),
        ("package.json", "{\"name\": \"shop\", \"dependencies\": {\"left-pad\": \"1.3.0\"}}\n"),
    ]);
    let parity = || {
        let mut command = project.command(&["parity", "--format", "json"]);
        let outcome = crate::sandbox::Outcome::of(
            &command.env("DOCKER_HOST", "unix:///nowhere.sock").output().expect("the program"),
        );
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        outcome.json()
    };
    let report = parity();
    let differences = report["differences"].as_array().expect("a list");
    let of = |code: &str| {
        let found = differences.iter().find(|difference| difference["code"] == code);
        found.unwrap_or_else(|| panic!("{code} in {report:#}"))
    };
    assert_eq!(of("adapter")["origin"]["path"], "shop/settings/development.py");
    assert_eq!(of("adapter")["origin"]["line"], 2);
    assert_eq!(of("adapter")["impact"], "breaks");
    let ruby =
        differences.iter().find(|difference| difference["subject"].as_str().is_some_and(|it| it.contains("ruby")));
    assert_eq!(ruby.expect("ruby")["origin"]["path"], ".ruby-version");
    assert_eq!(of("package-lock-missing")["origin"]["path"], "package.json");
    assert_eq!(report["sections"], serde_json::json!([]), "no release tags, no sections");

    let git = |arguments: &[&str]| {
        let status = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(project.root())
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("git").success(), "git {arguments:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "one"]);
    git(&["tag", "-a", "v1.0.0", "-m", "one"]);
    git(&["commit", "--quiet", "--allow-empty", "-m", "two"]);
    let report = parity();
    assert_eq!(report["sections"][0]["code"], "time", "{report:#}");
    assert_eq!(report["sections"][0]["rows"][0]["figure"], "v1.0.0, the newest release tag");
    assert_eq!(report["sections"][0]["rows"][1]["figure"], "1 commit");
    assert_eq!(report["sections"][1]["code"], "people");
    validate("report", &[("with sections".to_owned(), report, true)]);
}

#[test]
fn a_series_without_fixes_is_in_the_report_of_every_form_and_between_two_files() {
    let facts = |version: &str| {
        format!(
            "facts: 1\nservices:\n  db:\n    protocol: postgres\n    product: PostgreSQL\n    version: \"{version}\"\n"
        )
    };
    let project = Sandbox::new(&[
        ("compose.yaml", "services:\n  db:\n    image: postgres:9.6.24\n"),
        ("old.facts.yaml", &facts("9.6.24")),
        ("new.facts.yaml", &facts("99.1")),
    ]);
    let said = "Postgres 9.6 has had no fixes since 2021-11-11";
    let report = |arguments: &[&str]| {
        let mut command = project.command(&[&["parity"], arguments].concat());
        let outcome = command.env("DOCKER_HOST", "unix:///nowhere.sock").output().expect("the program");
        let outcome = crate::sandbox::Outcome::of(&outcome);
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert!(!outcome.stderr.contains(said), "once, and in the report: {}", outcome.stderr);
        outcome.stdout
    };
    for format in ["terminal", "json", "markdown", "html", "github"] {
        let between = report(&["--between", "old", "new", "--format", format]);
        // The annotations show differences only; the job's summary is the Markdown report.
        assert_eq!(between.contains(&format!("{said}: old")), format != "github", "{format}: {between}");
        let here = report(&["--format", format]);
        assert_eq!(
            here.contains(&format!("{said}: manifest (compose.yaml:3)")),
            format != "github",
            "{format}: {here}"
        );
    }
    let told: serde_json::Value = serde_json::from_str(&report(&["--format", "json"])).expect("JSON");
    assert_eq!(told["sections"][0]["code"], "end-of-life", "{told:#}");
    assert_eq!(told["services"][0]["origin"], serde_json::json!({"path": "compose.yaml", "line": 3, "column": 12}));
    assert!(!report(&["--between", "new", "new"]).contains("no fixes"));
}
