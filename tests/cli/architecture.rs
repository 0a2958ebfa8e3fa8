//! The invariants of the code (docs/development/invariants.md) that the sources can show.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Modules on the same level: none imports another.
const SIBLINGS: &[&str] = &["manifest", "resolve", "plan", "docker", "protocol", "dotenv", "parity", "ui"];
/// Modules that every module may import.
const SHARED: &[&str] = &["model", "kinds", "syntax", "project"];

/// Every Rust file below `src`, with its path from there and its text without comments.
fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    assert!(paths.len() > 50, "the sources were found");
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a source");
            let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            (path.strip_prefix(&root).expect("a path below src").to_owned(), code)
        })
        .collect()
}

fn module_of(path: &Path) -> String {
    let first = path.components().next().expect("a path").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn only_docker_names_bollard() {
    for (path, code) in sources() {
        assert!(module_of(&path) == "docker" || !code.contains("bollard"), "{}", path.display());
    }
}

/// One module writes and reads the labels of resources; everything else uses types.
#[test]
fn one_module_writes_and_reads_labels() {
    let engine_s_filters = ["docker/observe.rs", "docker/pending_stops.rs"];
    for (path, code) in sources().iter().filter(|(path, _)| path != Path::new("docker/labels.rs")) {
        assert!(!code.contains("\"dev.devenv."), "{} names a label", path.display());
        let may_filter = engine_s_filters.iter().any(|one| path == Path::new(one));
        assert!(may_filter || !code.contains("label::"), "{} uses a label", path.display());
    }
}

#[test]
fn no_call_on_the_engine_is_awaited_without_its_deadline() {
    for (path, code) in sources().iter().filter(|(path, _)| module_of(path) == "docker") {
        let code = code.split("#[cfg(test)]").next().expect("the code before its tests");
        let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        for (at, _) in code.match_indices("self.docker.") {
            let call = &code[at..];
            let mut depth = 0;
            let end = call.char_indices().find(|(_, c)| {
                depth += i32::from(*c == '(') - i32::from(*c == ')');
                *c == ')' && depth == 0
            });
            let end = end.map_or(call.len(), |(end, _)| end + 1);
            let is_awaited = call[end..].starts_with(".await");
            assert!(!is_awaited, "{}: {} (docker/deadline.rs)", path.display(), &call[..end]);
        }
        assert!(!code.contains("with_timeout("), "{}: deadlines are in docker/deadline.rs", path.display());
    }
}

#[test]
fn only_ui_prints() {
    for (path, code) in sources() {
        let prints = ["println!(", "print!(", "eprintln!(", "eprint!(", "io::stdout().lock", "io::stderr().lock"];
        let found = prints.iter().find(|word| code.contains(**word));
        assert!(module_of(&path) == "ui" || found.is_none(), "{} has {found:?}", path.display());
    }
}

/// Everything that is written to either stream passes the printer. The exceptions: the client that `devenv shell` opens
/// owns the terminal, and `is_terminal` only asks.
#[test]
fn within_ui_only_the_printer_writes() {
    let may_write = ["ui/printer.rs", "docker/terminal.rs"];
    for (path, code) in sources() {
        if may_write.iter().any(|one| path == Path::new(one)) {
            continue;
        }
        let asked = code.replace("stdout().is_terminal()", "").replace("stderr().is_terminal()", "");
        let asked = asked.replace("use_stderr()", "");
        let found = ["stdout()", "stderr()", "/dev/tty", "Term::std"].into_iter().find(|word| asked.contains(word));
        assert_eq!(found, None, "{}", path.display());
        // indicatif draws lines that change in place; their text has passed the printer.
        let drawn: Vec<&str> = code.lines().filter(|line| line.contains("write_str(")).collect();
        let passes = |line: &&str| module_of(&path) != "ui" || line.contains("gate(");
        assert!(drawn.iter().all(passes), "{}: {drawn:?}", path.display());
    }
}

/// The paths of a tree of `use`, as rustc sees them: `crate::{a, b::{c, d}}` is `crate::a`, `crate::b::c`, `crate::b::d`.
fn expanded(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some(open) = tree.find('{') else {
        return vec![tree.split(" as ").next().unwrap_or_default().trim().to_owned()];
    };
    let (head, rest) = tree.split_at(open);
    let inner = rest.trim().trim_start_matches('{').strip_suffix('}').unwrap_or_default();
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, c) in inner.char_indices() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            parts.push(&inner[start..at]);
            start = at + 1;
        }
    }
    parts.push(&inner[start..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(expanded).map(|part| format!("{head}{part}")).collect()
}

/// The module that a file is: `plan/data/mod.rs` is `plan`, `data`.
fn module_path(path: &Path) -> Vec<String> {
    let path = path.with_extension("");
    let parts = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let mut parts: Vec<String> = parts.collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// The paths that a file imports or names, from the root of the crate: `model::Volume`. A path may begin with a module
/// below the file.
fn imports(path: &Path, code: &str) -> BTreeSet<String> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let own = module_path(path);
    let declares = |name: &str| code.contains(&format!("mod {name};"));
    let mut found = BTreeSet::new();
    let mut add = |full: &str| {
        let mut base = own.clone();
        let mut parts = full.split("::").map(str::trim);
        let first = parts.next().unwrap_or_default();
        match first {
            "crate" => base.clear(),
            "self" => {}
            "super" => drop(base.pop()),
            child if declares(child) => base.push(child.to_owned()),
            _ => return,
        }
        for part in parts {
            if part == "super" {
                base.pop();
            } else if part != "self" && !part.is_empty() {
                base.push(part.to_owned());
            }
        }
        if !base.is_empty() {
            found.insert(base.join("::"));
        }
    };
    for statement in code.split("use ").skip(1) {
        let tree = statement.split(';').next().unwrap_or_default();
        for path in expanded(&tree.replace('\n', " ")) {
            add(&path);
        }
    }
    for root in ["crate::", "super::"] {
        for (at, _) in code.match_indices(root).filter(|(at, _)| !code[..*at].ends_with("::")) {
            let path = code[at..].split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':').next();
            add(path.unwrap_or_default());
        }
    }
    found
}

fn first_of(import: &str) -> &str {
    import.split("::").next().unwrap_or_default()
}

#[test]
fn every_form_of_an_import_is_seen() {
    let code = "use crate::{plan, docker::{Engine, label as l}};\nuse super::super::ui::Printer;\nfn f() { crate::parity::x() }";
    let found = imports(Path::new("manifest/bind/hosts.rs"), code);
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(found, ["docker::Engine", "docker::label", "manifest::ui::Printer", "parity::x", "plan"]);
}

#[test]
fn siblings_do_not_import_each_other() {
    for (path, code) in sources() {
        let module = module_of(&path);
        if SIBLINGS.contains(&module.as_str()) {
            let imports = imports(&path, &code);
            let other = imports.iter().find(|one| SIBLINGS.contains(&first_of(one)) && first_of(one) != module);
            assert_eq!(other, None, "{}", path.display());
        }
    }
}

#[test]
fn the_model_imports_nothing_of_the_crate_and_other_shared_modules_only_the_model() {
    for (path, code) in sources() {
        let module = module_of(&path);
        if SHARED.contains(&module.as_str()) {
            let imports = imports(&path, &code);
            let may = |one: &str| one == module || one == "model";
            let other = imports.iter().find(|one| !may(first_of(one)));
            assert_eq!(other, None, "{}", path.display());
        }
    }
}

#[test]
fn only_commands_use_the_use_cases_and_no_command_imports_another() {
    for (path, code) in sources() {
        let own = module_path(&path);
        for one in imports(&path, &code) {
            let is_below = !["environment", "commands", "main", "lib"].contains(&own[0].as_str());
            assert!(
                !is_below || !["environment", "commands"].contains(&first_of(&one)),
                "{} imports {one}",
                path.display()
            );
            assert!(own[0] != "environment" || first_of(&one) != "commands", "{} imports {one}", path.display());
            let is_command = own.len() == 2 && own[0] == "commands";
            let is_other = first_of(&one) == "commands" && one.split("::").nth(1) != own.get(1).map(String::as_str);
            assert!(!is_command || !is_other, "{} imports {one}", path.display());
        }
    }
}

/// The modules that a module leads to, by any number of imports.
fn reachable<'g>(graph: &'g BTreeMap<String, BTreeSet<String>>, from: &'g str) -> BTreeSet<&'g str> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(module) = open.pop() {
        for next in graph.get(module).into_iter().flatten() {
            if found.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    found
}

/// A module and its own children may import each other. Every larger circle makes its modules one.
#[test]
fn no_import_circle_is_larger_than_a_module_and_its_children() {
    let sources = sources();
    let is_code =
        |path: &&(PathBuf, String)| !path.0.ends_with("tests.rs") && !path.0.iter().any(|part| part == "tests");
    let sources: Vec<_> = sources.iter().filter(is_code).collect();
    let modules: BTreeSet<String> = sources.iter().map(|(path, _)| module_path(path).join("::")).collect();
    // The nearest module that a path is in.
    let module_of_path = |full: &str| {
        let parts: Vec<&str> = full.split("::").collect();
        (1..=parts.len()).rev().map(|count| parts[..count].join("::")).find(|name| modules.contains(name))
    };
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, code) in &sources {
        let own = module_path(path).join("::");
        if own != "lib" && own != "main" {
            let targets = imports(path, code).iter().filter_map(|full| module_of_path(full)).collect::<BTreeSet<_>>();
            graph.insert(own.clone(), targets.into_iter().filter(|target| *target != own).collect());
        }
    }
    assert!(graph.len() > 200 && graph.values().map(BTreeSet::len).sum::<usize>() > 500, "the imports were read");
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|module| (module.as_str(), reachable(&graph, module))).collect();
    let mut wrong = BTreeSet::new();
    for (module, others) in &reach {
        let circle: Vec<&str> = others
            .iter()
            .copied()
            .filter(|other| other != module && reach.get(other).is_some_and(|back| back.contains(module)))
            .chain([*module])
            .collect();
        let top = circle.iter().min_by_key(|one| one.matches("::").count()).copied().unwrap_or_default();
        let is_child = |one: &&str| {
            *one == top
                || one
                    .strip_prefix(top)
                    .and_then(|rest| rest.strip_prefix("::"))
                    .is_some_and(|rest| !rest.contains("::"))
        };
        if !circle.iter().all(is_child) {
            let mut circle = circle;
            circle.sort_unstable();
            wrong.insert(circle.join(" "));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
}

#[test]
fn only_the_edges_are_async() {
    for (path, code) in sources() {
        let may = ["docker", "protocol", "apply", "environment", "commands"].contains(&module_of(&path).as_str());
        assert!(may || !code.contains("async fn"), "{} is async", path.display());
    }
}

#[test]
fn programs_are_started_in_three_places_and_git_in_one() {
    // Programs that devenv asks, git among them; the commands that the user runs or agreed to; another devenv process.
    let places = ["machine/program.rs", "environment/child.rs", "commands/hidden_arguments.rs"];
    for (path, code) in sources() {
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        let shown = path.display().to_string();
        assert!(!code.contains("Command::new(") || places.contains(&shown.as_str()), "{shown} starts a program");
        assert!(!code.contains("\"git\")") || shown == "machine/git.rs", "{shown} asks git on its own");
    }
}

#[test]
fn main_stays_small() {
    let main = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs")).expect("main.rs");
    assert!(main.lines().count() < 40, "{} lines", main.lines().count());
}

/// Files that a module opens for reading by itself, with the reason. All other code uses `src/project`, which never
/// waits for a FIFO and never reads without a limit.
const OPENS_ITSELF: &[(&str, &str)] = &[
    ("machine/key.rs", "/dev/urandom"),
    ("machine/lock.rs", "the machine's own locks, opened for writing"),
    ("machine/ports.rs", "/proc"),
    ("docker/context.rs", "the user's Docker configuration"),
    ("docker/credentials.rs", "the user's Docker configuration"),
];

#[test]
fn files_are_opened_for_reading_by_the_project_module_alone() {
    let opens = ["fs::read(", "fs::read_to_string(", "File::open(", ".read(true)"];
    for (path, code) in sources() {
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        let is_test = path.ends_with("tests.rs");
        let own = module_of(&path) == "project" || OPENS_ITSELF.iter().any(|(known, _)| path == Path::new(known));
        let found = opens.iter().find(|word| code.contains(**word));
        assert!(is_test || own || found.is_none(), "{} has {found:?}", path.display());
    }
}

#[test]
fn no_width_of_a_format_comes_from_data() {
    // A width may be 65,535 at most; a higher width panics.
    for (path, code) in sources() {
        let code = code.split("#[cfg(test)]").next().unwrap_or_default();
        for part in code.split('{').skip(1).filter_map(|part| part.split('}').next()) {
            let Some((_, format)) = part.split_once(':').filter(|(name, _)| !name.contains([' ', '(', '"'])) else {
                continue;
            };
            // A name in capitals is a constant.
            let width = format.trim_start_matches(['<', '>', '^']).strip_suffix('$');
            let width = width.filter(|name| name.chars().any(|c| c.is_ascii_lowercase()));
            assert!(
                width.is_none_or(|name| !name.chars().all(|c| c.is_alphanumeric() || c == '_')),
                "{}: {part}",
                path.display()
            );
        }
    }
}
