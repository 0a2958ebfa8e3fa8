//! The results of reading manifests: a folder for each case under `tests/manifests/`.
//!
//! `input/` is a project, which is copied to a temporary folder before it is read. `request.json`, if it exists, sets
//! the options: `folder`, `files`, `stdin`, `environment`, `profiles`. `expected.json` is the output of `devenv
//! manifest --json`, and `expected.txt` has the full messages. With `UPDATE_EXPECTED=1`, both files are written instead
//! of compared; review the difference before you commit it.

#![expect(clippy::unwrap_used, reason = "a case fails by panicking, in its steps too")]

use devenv::manifest::{self, Request, Strictness};
use devenv::model::{Diagnostic, Origin};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    folder: PathBuf,
    files: Vec<PathBuf>,
    stdin: Option<String>,
    environment: BTreeMap<String, String>,
    profiles: Vec<String>,
    allow_floating: bool,
}

#[test]
fn every_case_reads_as_expected() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let update = std::env::var_os("UPDATE_EXPECTED").is_some();
    let mut names: Vec<PathBuf> = fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert!(names.len() > 20, "the cases are missing: {}", cases.display());
    let mut wrong = String::new();
    for case in names {
        for (file, read) in read_case(&case) {
            let expected = case.join(file);
            if update {
                fs::write(&expected, read).unwrap();
            } else if fs::read_to_string(&expected).ok().as_ref() != Some(&read) {
                let name = expected.strip_prefix(&cases).unwrap().display().to_string();
                write!(wrong, "\n{name} differs; this was read:\n{read}").unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Compares every key that Compose files declare of a service with the keys in the output.
#[test]
fn every_key_of_a_compose_service_is_accounted_for() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests");
    let (mut services, mut lost) = (0, String::new());
    for case in fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()) {
        let read: serde_json::Value = serde_json::from_str(&read_case(&case)[0].1).unwrap();
        // A second file that is merged over the first may remove a key again.
        let sources = read["sources"].as_array().filter(|sources| sources.len() == 1).into_iter().flatten();
        let sources = sources.filter(|source| source["format"] == "compose");
        for source in sources {
            let Ok(text) = fs::read_to_string(case.join("input").join(source["path"].as_str().unwrap())) else {
                continue;
            };
            let Ok(declared) = serde_saphyr::from_str::<serde_json::Value>(&text) else { continue };
            for service in read["services"].as_array().unwrap() {
                let Some(declared) = declared["services"][service["name"].as_str().unwrap()].as_object() else {
                    continue;
                };
                services += 1;
                let paths: Vec<&str> =
                    service["keys"].as_array().unwrap().iter().map(|key| key["path"].as_str().unwrap()).collect();
                let told = |key: &str| {
                    // `configs:`, and `secrets:` without a password, are reported as mounts.
                    let keys: &[&str] = if ["configs", "secrets"].contains(&key) { &[key, "volumes"] } else { &[key] };
                    paths.iter().any(|path| keys.iter().any(|key| path == key || path.starts_with(&format!("{key}."))))
                };
                // `extends` and `profiles` do not concern the server: they name the source of other keys and the
                // condition of the start.
                for key in declared.keys().filter(|key| !["extends", "profiles"].contains(&key.as_str())) {
                    if !told(key) && declared[key] != serde_json::Value::Null {
                        writeln!(lost, "{}: {key} of {}", case.display(), service["name"]).unwrap();
                    }
                }
            }
        }
    }
    assert!(services > 20 && lost.is_empty(), "{services} services; not accounted for:\n{lost}");
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(200))]

    /// Lines of a valid file, some of them removed, doubled, indented differently or with a replaced part.
    #[test]
    fn a_damaged_services_yaml_is_read_without_a_panic(
        damage in proptest::collection::vec((0_usize..60, 0_usize..6, 0_usize..8), 0..12)
    ) {
        let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/manifests/services-full/input/services.yaml");
        let good = fs::read_to_string(case).unwrap();
        let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
        for (line, how, what) in damage {
            let at = line % lines.len();
            let part = ["[]", "{}", "~", "'", "${db.url", "${db}", "- x", "<<: *common"][what];
            match how {
                0 => lines[at].clear(),
                1 => lines.insert(at, lines[at].clone()),
                2 => lines[at] = format!("  {}", lines[at]),
                3 => lines[at] = lines[at].replacen(": ", &format!(": {part} "), 1),
                4 => lines[at] = lines[at].split(": ").next().unwrap_or_default().to_owned() + ": " + part,
                _ => lines[at].push_str(part),
            }
        }
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("services.yaml"), lines.join("\n")).unwrap();
        let request = Request { folder: folder.path().to_path_buf(), folder_is_root: true, ..Request::default() };
        let reading = manifest::read(&request).unwrap();
        let refused = manifest::refusals(&reading.stack, &reading.kinds, Strictness::Usual);
        let json = manifest::json(&reading, &refused);
        proptest::prop_assert!(json["services"].is_array());
        proptest::prop_assert!(!manifest::lines(&reading).is_empty());
    }
}

fn read_case(case: &Path) -> [(&'static str, String); 2] {
    let asked: Asked = match fs::read(case.join("request.json")) {
        Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", case.display())),
        Err(_) => Asked::default(),
    };
    let folder = tempfile::tempdir().unwrap();
    // The folder's name is the project's name if no file sets another name.
    let root = folder.path().join("checkout");
    copy(&case.join("input"), &root);
    let request = Request {
        folder: root.join(&asked.folder),
        root: None,
        folder_is_root: false,
        files: asked.files,
        stdin: asked.stdin.map(String::into_bytes),
        environment: asked.environment,
        profiles: asked.profiles,
    };
    let (json, text) = match manifest::read(&request) {
        Ok(reading) => {
            let strictness = if asked.allow_floating { Strictness::AllowFloating } else { Strictness::Usual };
            let refused = manifest::refusals(&reading.stack, &reading.kinds, strictness);
            let json = manifest::json(&reading, &refused);
            let mut text = manifest::lines(&reading).join("\n") + "\n";
            for (app, file) in &reading.env_files {
                writeln!(text, "variables of {app} go to {}", file.value).unwrap();
            }
            for diagnostic in reading.diagnostics.iter().chain(&refused) {
                text += &plain(diagnostic);
            }
            writeln!(text, "\nunreadable: {}, errors: {}", reading.has_unreadable(), reading.has_errors()).unwrap();
            (serde_json::to_string_pretty(&json).unwrap() + "\n", text)
        }
        Err(failure) => {
            let text: String = failure.diagnostics.iter().map(plain).collect();
            ("null\n".to_owned(), format!("exit {}\n{text}", failure.exit as i32))
        }
    };
    let real = fs::canonicalize(folder.path()).unwrap();
    let hide = |text: String| text.replace(&real.display().to_string(), "/tmp");
    [("expected.json", hide(json)), ("expected.txt", hide(text))]
}

/// A message as plain text, with the marked line.
fn plain(diagnostic: &Diagnostic) -> String {
    let severity = format!("{:?}", diagnostic.severity).to_lowercase();
    let mut text = format!("\n{severity}[{}]: {}\n", diagnostic.code, diagnostic.message);
    if let Some(origin) = &diagnostic.origin {
        text += &place(origin, &diagnostic.label);
    }
    for related in &diagnostic.related {
        text += &place(&related.origin, &related.label);
    }
    for note in &diagnostic.notes {
        writeln!(text, "  because {note}").unwrap();
    }
    for help in &diagnostic.help {
        writeln!(text, "  help: {help}").unwrap();
    }
    text
}

fn place(origin: &Origin, label: &str) -> String {
    let line = origin.file.text.lines().nth(origin.line as usize - 1).unwrap_or_default();
    let line: String = line.chars().take(100).collect();
    let (before, marks) = (" ".repeat(origin.column as usize - 1), "^".repeat(origin.length as usize));
    format!("  --> {origin}\n   | {line}\n   | {before}{marks} {label}\n").replace(" \n", "\n")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    // A case with an empty project has no input folder, because git does not store empty folders.
    for entry in fs::read_dir(from).into_iter().flatten() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_symlink() {
            #[cfg(unix)]
            std::os::unix::fs::symlink(fs::read_link(entry.path()).unwrap(), target).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
