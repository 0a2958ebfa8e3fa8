//! The gap of tools: languages and package managers that production pins compared with those of this machine, files
//! that disagree about them, and lock files.

use crate::model::{
    Difference, FoundTool, FoundTools, Gap, Impact, Origin, PackageFile, PinnedTool, Requirement, Role, Said, Strength,
    Tool,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Returns the differences between pinned tools and the tools of this machine, and between files that disagree. `pins`
/// are sorted by component and tool, and production's own pin comes first.
pub fn differences(pins: &[PinnedTool], found: &FoundTools) -> Vec<Difference> {
    let groups = pins.chunk_by(|one, next| one.folder == next.folder && one.tool.name == next.tool.name);
    groups.flat_map(|group| of_tool(group, found)).collect()
}

fn of_tool(pins: &[PinnedTool], found: &FoundTools) -> Vec<Difference> {
    let Some((first, others)) = pins.split_first() else { return Vec::new() };
    let mut differences = Vec::new();
    let mut agreeing = vec![first];
    for other in others {
        match first.wanted.apart(&other.wanted) {
            Some(place) => differences.push(disagreement(first, other, place)),
            None => agreeing.push(other),
        }
    }
    match found.get(&(first.folder.clone(), first.tool.name)) {
        Some(FoundTool::Version(version)) => {
            if let Some(here) = first.tool.release(version) {
                // Files that agree may pin the tool more exactly than production's own pin.
                let differs = agreeing.iter().find_map(|pin| Some((*pin, pin.wanted.apart(&here)?)));
                let differs = differs.filter(|(pin, _)| !fetches_itself(pin, &here));
                differences.extend(differs.map(|(pin, place)| other_version(pin, version, place)));
            }
        }
        Some(FoundTool::Missing) => differences.push(missing(first, "absent", "it is not on PATH")),
        Some(FoundTool::Fails(reason)) => differences.push(missing(first, "unusable", reason)),
        None => {}
    }
    differences
}

/// Since 1.21, Go fetches the release that `go.mod` requires when the release is first needed
/// (<https://go.dev/doc/toolchain>).
fn fetches_itself(pin: &PinnedTool, here: &Requirement) -> bool {
    let since = Requirement::at_least("1.21");
    pin.tool.name == "go" && pin.strength == Strength::Range && since.is_some_and(|since| since.apart(here).is_none())
}

/// Returns how much a difference at that place of the version matters; place 0 is the major number.
fn impact(tool: &Tool, place: usize) -> Impact {
    match tool.role {
        Role::Language if place < tool.line => Impact::Breaks,
        Role::Language if place < 2 => Impact::Behaves,
        Role::PackageManager if place < tool.line => Impact::Behaves,
        Role::Language | Role::PackageManager => Impact::Cosmetic,
    }
}

fn why(tool: &Tool, place: usize) -> String {
    let title = tool.title;
    match (tool.role, impact(tool, place)) {
        (_, Impact::Breaks) => {
            format!("another release line of {title}: syntax, its library and built packages differ between them")
        }
        (Role::PackageManager, Impact::Behaves) => {
            format!(
                "another major release of {title} may choose other packages, and writes the lock file in its own way"
            )
        }
        (_, Impact::Behaves) => format!("a later release of {title} has features that an earlier release lacks"),
        _ => format!("the same release line of {title}; the fixes differ"),
    }
}

fn other_version(pin: &PinnedTool, version: &str, place: usize) -> Difference {
    let tool = pin.tool;
    Difference {
        code: "tool-version",
        impact: impact(tool, place),
        gap: Gap::Tools,
        service: String::new(),
        subject: subject(pin),
        said: vec![said_by(pin), local(version)],
        why: why(tool, place),
        source: tool.source.to_owned(),
        help: vec![
            format!("install {} {} on this machine", tool.title, pin.wanted.text),
            format!("or, where the newer one is meant, change {}", place_of(&pin.origin)),
        ],
        origin: Some(pin.origin.clone()),
    }
}

fn missing(pin: &PinnedTool, value: &str, reason: &str) -> Difference {
    let tool = pin.tool;
    let (impact, what) = match tool.role {
        Role::Language => (Impact::Breaks, "the app cannot run on this machine"),
        Role::PackageManager => (Impact::Behaves, "the app's packages cannot be installed as they are for production"),
    };
    Difference {
        code: "tool-missing",
        impact,
        gap: Gap::Tools,
        service: String::new(),
        subject: subject(pin),
        said: vec![said_by(pin), local(value)],
        why: format!("{what}: {reason}"),
        source: tool.source.to_owned(),
        help: vec![format!("install {} {} on this machine", tool.title, pin.wanted.text)],
        origin: Some(pin.origin.clone()),
    }
}

fn disagreement(first: &PinnedTool, other: &PinnedTool, place: usize) -> Difference {
    let tool = first.tool;
    let (production, here) = (place_of(&first.origin), place_of(&other.origin));
    let deployed = if first.strength == Strength::Deployed { "is deployed by" } else { "is named by" };
    Difference {
        code: "tools-disagree",
        impact: impact(tool, place),
        gap: Gap::Tools,
        service: String::new(),
        subject: subject(first),
        said: vec![said_by(first), said_by(other)],
        why: format!(
            "a developer who follows {here} gets another {} than the one that {deployed} {production}",
            tool.title
        ),
        source: tool.source.to_owned(),
        help: vec![
            format!("make {here} say {}", first.wanted.text),
            format!("or make {production} say {}", other.wanted.text),
        ],
        origin: Some(other.origin.clone()),
    }
}

/// The name of the tool, and of the component unless it is the root.
fn subject(pin: &PinnedTool) -> String {
    let folder = pin.folder.display().to_string();
    if folder.is_empty() { pin.tool.name.to_owned() } else { format!("{} in {folder}", pin.tool.name) }
}

fn said_by(pin: &PinnedTool) -> Said {
    Said { side: place_of(&pin.origin), value: pin.wanted.text.clone() }
}

fn local(value: &str) -> Said {
    Said { side: "local".to_owned(), value: value.to_owned() }
}

/// A file and its line.
fn place_of(origin: &Origin) -> String {
    format!("{}:{}", origin.path().display(), origin.line)
}

/// Returns the package files without a lock file, or with a lock file that git does not track. `tracked` are the lock
/// files in git's index; `None` if there is no git to ask.
pub fn lock_files(packages: &[PackageFile], tracked: Option<&BTreeSet<PathBuf>>) -> Vec<Difference> {
    let difference = |file: &PackageFile| match (&file.lock, tracked) {
        (None, _) => Some(no_lock_file(file)),
        (Some(lock), Some(tracked)) if !tracked.contains(lock) => Some(uncommitted(file, lock)),
        (Some(_), _) => None,
    };
    packages.iter().filter_map(difference).collect()
}

fn no_lock_file(file: &PackageFile) -> Difference {
    let path = file.origin.path().display();
    let lock = file.lock_names.first().copied().unwrap_or_default();
    Difference {
        code: "package-lock-missing",
        impact: Impact::Behaves,
        gap: Gap::Tools,
        service: String::new(),
        subject: format!("lock file of {path}"),
        said: vec![Said { side: path.to_string(), value: "names packages".to_owned() }, local("absent")],
        why: "without a lock file every install takes the newest packages of its day, so no two are the same"
            .to_owned(),
        source: String::new(),
        help: vec![format!("run `{}` and commit {lock}", file.command)],
        origin: Some(file.origin.clone()),
    }
}

fn uncommitted(file: &PackageFile, lock: &Path) -> Difference {
    let lock = lock.display();
    Difference {
        code: "package-lock-uncommitted",
        impact: Impact::Behaves,
        gap: Gap::Tools,
        service: String::new(),
        subject: format!("lock file of {}", file.origin.path().display()),
        said: vec![
            Said { side: "git".to_owned(), value: "absent".to_owned() },
            Said { side: "local".to_owned(), value: lock.to_string() },
        ],
        why: "a build from git does not have this lock file, and takes the newest packages of its day".to_owned(),
        source: String::new(),
        help: vec![format!("`git add {lock}`; if git ignores it, remove it from .gitignore first")],
        origin: Some(file.origin.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{SourceFile, Tilde};
    use std::sync::Arc;

    fn origin(path: &str) -> Origin {
        let file = Arc::new(SourceFile { path: path.into(), text: String::new() });
        Origin { line: 3, ..Origin::start_of(&file) }
    }

    fn pin(tool: &str, path: &str, wanted: &str, strength: Strength) -> PinnedTool {
        let wanted = Requirement::range(wanted, Tilde::Minor).unwrap();
        let tool = Tool::named_so(tool).unwrap();
        PinnedTool { tool, folder: PathBuf::new(), wanted, strength, origin: origin(path) }
    }

    fn has(tool: &str, found: FoundTool) -> FoundTools {
        FoundTools::from([((PathBuf::new(), Tool::named_so(tool).unwrap().name), found)])
    }

    fn version(tool: &str, wanted: &str, here: &str) -> Option<(&'static str, Impact)> {
        let pins = [pin(tool, "Dockerfile", wanted, Strength::Deployed)];
        let found = differences(&pins, &has(tool, FoundTool::Version(here.to_owned())));
        assert!(found.len() < 2, "{found:?}");
        found.first().map(|difference| (difference.code, difference.impact))
    }

    #[test]
    fn how_much_another_version_matters_depends_on_the_language() {
        for (tool, wanted, here, impact) in [
            ("python", "3.12", "3.12.9", None),
            ("python", "3.12", "3.11.7", Some(Impact::Breaks)),
            ("python", "3.12.4", "3.12.9", Some(Impact::Cosmetic)),
            ("ruby", "3.3.0", "3.2.9", Some(Impact::Breaks)),
            ("go", "1.22", "1.23.1", Some(Impact::Breaks)),
            ("node", "20", "22.1.0", Some(Impact::Breaks)),
            ("node", "20.11", "20.9.0", Some(Impact::Behaves)),
            ("node", "20.11.1", "20.11.9", Some(Impact::Cosmetic)),
            ("node", ">=18 <21", "20.1.0", None),
            ("java", "17", "21.0.2", Some(Impact::Breaks)),
            ("java", "8", "1.8.0_292", None),
            ("erlang", "26.2.1", "26", None),
            ("pnpm", "9.1.0", "8.6.0", Some(Impact::Behaves)),
            ("pnpm", "9.1.0", "9.2.0", Some(Impact::Cosmetic)),
        ] {
            assert_eq!(
                version(tool, wanted, here),
                impact.map(|impact| ("tool-version", impact)),
                "{tool} {wanted} {here}"
            );
        }
    }

    #[test]
    fn a_difference_says_what_where_why_and_what_to_do() {
        let pins = [pin("python", "Dockerfile", "3.12", Strength::Deployed)];
        let found = differences(&pins, &has("python", FoundTool::Version("3.11.7".to_owned())));
        let [difference] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!(difference.subject, "python");
        let said: Vec<(&str, &str)> = difference.said.iter().map(|it| (it.side.as_str(), it.value.as_str())).collect();
        assert_eq!(said, [("Dockerfile:3", "3.12"), ("local", "3.11.7")]);
        assert!(difference.why.contains("another release line of Python"), "{}", difference.why);
        assert_eq!(difference.help[0], "install Python 3.12 on this machine");
        assert!(difference.help[1].contains("Dockerfile:3"), "{}", difference.help[1]);
        assert_eq!(difference.origin, Some(origin("Dockerfile")));
    }

    #[test]
    fn a_tool_that_is_absent_or_fails_is_missing() {
        let pins = [pin("ruby", ".ruby-version", "3.3.0", Strength::Named)];
        let found = differences(&pins, &has("ruby", FoundTool::Missing));
        assert_eq!(
            (found[0].code, found[0].impact, found[0].said[1].value.as_str()),
            ("tool-missing", Impact::Breaks, "absent")
        );
        assert!(found[0].why.ends_with("it is not on PATH"), "{}", found[0].why);
        let broken = FoundTool::Fails("rbenv: version `3.3.0' is not installed".to_owned());
        let found = differences(&pins, &has("ruby", broken));
        assert!(found[0].why.contains("rbenv: version `3.3.0' is not installed"), "{}", found[0].why);
        let pins = [pin("pnpm", "package.json", "9.1.0", Strength::Named)];
        assert_eq!(differences(&pins, &has("pnpm", FoundTool::Missing))[0].impact, Impact::Behaves);
        assert_eq!(differences(&pins, &FoundTools::new()), []);
    }

    #[test]
    fn files_that_disagree_are_reported_with_both_places() {
        let pins = [
            pin("ruby", "Dockerfile", "3.3", Strength::Deployed),
            pin("ruby", ".ruby-version", "3.2.2", Strength::Named),
            pin("ruby", "Gemfile", ">=3.2", Strength::Range),
        ];
        let found = differences(&pins, &has("ruby", FoundTool::Version("3.3.1".to_owned())));
        let [difference] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((difference.code, difference.impact), ("tools-disagree", Impact::Breaks));
        let said: Vec<(&str, &str)> = difference.said.iter().map(|it| (it.side.as_str(), it.value.as_str())).collect();
        assert_eq!(said, [("Dockerfile:3", "3.3"), (".ruby-version:3", "3.2.2")]);
        assert_eq!(difference.origin, Some(origin(".ruby-version")));
        assert_eq!(difference.help, ["make .ruby-version:3 say 3.3", "or make Dockerfile:3 say 3.2.2"]);
    }

    #[test]
    fn a_file_that_agrees_and_says_more_counts_too() {
        let pins = [
            pin("python", "Dockerfile", "3.12", Strength::Deployed),
            pin("python", ".python-version", "3.12.4", Strength::Named),
        ];
        let found = differences(&pins, &has("python", FoundTool::Version("3.12.1".to_owned())));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].impact, found[0].said[0].side.as_str()), (Impact::Cosmetic, ".python-version:3"));
    }

    #[test]
    fn go_fetches_the_release_that_its_module_requires() {
        let wanted = |strength| [pin("go", "go.mod", ">=1.23", strength)];
        let here = |version: &str| has("go", FoundTool::Version(version.to_owned()));
        assert_eq!(differences(&wanted(Strength::Range), &here("1.22.1")), []);
        assert_eq!(differences(&wanted(Strength::Range), &here("1.20.1")).len(), 1);
        assert_eq!(differences(&wanted(Strength::Deployed), &here("1.22.1")).len(), 1);
    }

    #[test]
    fn lock_files_are_present_and_in_git() {
        let file = |lock: Option<&str>| PackageFile {
            origin: origin("web/package.json"),
            command: "npm install",
            lock_names: &["package-lock.json", "yarn.lock"],
            lock: lock.map(PathBuf::from),
        };
        let tracked = BTreeSet::from([PathBuf::from("web/package-lock.json")]);
        let found = lock_files(&[file(None)], None);
        assert_eq!(
            (found[0].code, found[0].subject.as_str()),
            ("package-lock-missing", "lock file of web/package.json")
        );
        assert_eq!(found[0].help, ["run `npm install` and commit package-lock.json"]);
        assert_eq!(lock_files(&[file(Some("web/package-lock.json"))], Some(&tracked)), []);
        assert_eq!(lock_files(&[file(Some("yarn.lock"))], None), []);
        let found = lock_files(&[file(Some("yarn.lock"))], Some(&tracked));
        assert_eq!((found[0].code, found[0].impact), ("package-lock-uncommitted", Impact::Behaves));
        assert!(found[0].help[0].contains("git add yarn.lock"), "{:?}", found[0].help);
    }
}
