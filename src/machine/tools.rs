//! The releases of the pinned languages and tools that this machine has.
//!
//! Only tools that production pins are asked, in parallel and under a deadline. A tool is asked only for its version:
//! it must fetch nothing and run no code of the project. Many tools obey files in their working folder
//! (`rust-toolchain.toml` with `path`, `yarnPath`, plugins). So each tool is asked in a new folder that contains only
//! the wanted version, in files for version managers.

use super::ask::ask;
use super::program::{OnPath, Programs};
use crate::model::{FoundTool, FoundTools, PinnedTool, Strength, Tool};
use crate::project::read_text;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a tool may take to say its version.
const LIMIT: Duration = Duration::from_secs(10);

/// Variables that keep version managers, and tools that hand over to another release of themselves, from fetching that
/// release, and other tools from looking for updates.
const QUIET: &[(&str, &str)] = &[
    ("LC_ALL", "C"),
    ("COMPOSER_ALLOW_SUPERUSER", "1"),
    ("COREPACK_ENABLE_NETWORK", "0"),
    ("DENO_NO_UPDATE_CHECK", "1"),
    ("DOTNET_CLI_TELEMETRY_OPTOUT", "1"),
    ("DOTNET_NOLOGO", "1"),
    ("GOPROXY", "off"),
    ("MISE_OFFLINE", "1"),
    ("NO_UPDATE_NOTIFIER", "1"),
    ("RUSTUP_AUTO_INSTALL", "0"),
    // Releases of rustup before 1.28 do not know the variable above.
    ("RUSTUP_DIST_SERVER", "file:///dev/null"),
    ("YARN_IGNORE_PATH", "1"),
    ("npm_config_update_notifier", "false"),
];

/// The release of each pinned tool on this machine, by the component's folder and the tool's name. Version managers
/// obey the component's files, so each tool is asked for the version that its component names.
pub fn found(root: &Path, pins: &[PinnedTool]) -> FoundTools {
    let asked: BTreeSet<(&PathBuf, &str)> = pins.iter().map(|pin| (&pin.folder, pin.tool.name)).collect();
    std::thread::scope(|scope| {
        let threads: Vec<_> = asked
            .into_iter()
            .filter_map(|(folder, name)| Some((folder, Tool::named_so(name)?)))
            .map(|(folder, tool)| {
                let named = named(pins, folder, tool);
                let find = move || {
                    let folder = root.join(folder);
                    find(tool, named, &folder, &Programs::seen_from(&folder))
                };
                (folder, tool, scope.spawn(find))
            })
            .collect();
        let joined = threads.into_iter().map(|(folder, tool, thread)| {
            let found = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            ((folder.clone(), tool.name), found)
        });
        joined.collect()
    })
}

/// The version that a version manager's file names for a component: the component's own file, else the root's. None for
/// a text that could be more than a version, such as a path.
fn named<'p>(pins: &'p [PinnedTool], folder: &Path, tool: &Tool) -> Option<&'p str> {
    let of = |folder: &Path| {
        let mut named = pins.iter().filter(|pin| pin.strength == Strength::Named && pin.tool.name == tool.name);
        named.find(|pin| pin.folder == folder).map(|pin| pin.wanted.text.as_str())
    };
    let is_version = |text: &&str| {
        text.starts_with(|c: char| c.is_ascii_alphanumeric())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-_+".contains(c))
    };
    of(folder).or_else(|| of(Path::new(""))).filter(is_version)
}

fn find(tool: &Tool, named: Option<&str>, folder: &Path, programs: &Programs) -> FoundTool {
    if tool.name == "python"
        && let Some(version) = virtual_environment(folder)
    {
        return FoundTool::Version(version);
    }
    for command in tool.commands {
        let Some((name, arguments)) = command.split_first() else { continue };
        let program = match programs.find(name) {
            OnPath::Machine(program) => program,
            OnPath::Missing => continue,
            OnPath::Checkout(program) => {
                return of_package(&program, tool.name).map_or_else(
                    || {
                        FoundTool::Fails(format!(
                            "`{name}` on PATH is in the checkout, and devenv runs no program of a checkout"
                        ))
                    },
                    FoundTool::Version,
                );
            }
        };
        if let Some(version) = of_package(&program, tool.name) {
            return FoundTool::Version(version);
        }
        let empty = match neutral(tool, named) {
            Ok(empty) => empty,
            Err(error) => return FoundTool::Fails(format!("there is no folder to ask it in: {error}")),
        };
        let asked = run(programs, &program, arguments, empty.path(), None);
        // Go hands over to the release that go.mod asks for. If that release is not installed, the installed one is
        // reported.
        if tool.name == "go" && matches!(asked, Err(_) | Ok((false, _))) {
            return read_version(
                tool,
                run(programs, &program, arguments, empty.path(), Some(("GOTOOLCHAIN", "local"))),
            );
        }
        return read_version(tool, asked);
    }
    FoundTool::Missing
}

/// A new folder that contains only the named version, in the files that version managers read. The folder is in the
/// user's own folders, because tools also read files in the folders above it, and in a shared folder any user could put
/// such files.
fn neutral(tool: &Tool, named: Option<&str>) -> io::Result<tempfile::TempDir> {
    let home = dirs::data_local_dir().ok_or_else(|| io::Error::other("this user has no home folder"))?;
    let home = home.join("devenv");
    std::fs::create_dir_all(&home)?;
    let folder = tempfile::Builder::new().prefix("asked-").tempdir_in(home)?;
    for (name, text) in named.map(|version| version_files(tool, version)).unwrap_or_default() {
        std::fs::write(folder.path().join(name), text)?;
    }
    Ok(folder)
}

/// The files that version managers read, and tools that hand over to another release of themselves.
fn version_files(tool: &Tool, version: &str) -> Vec<(&'static str, String)> {
    let names = [tool.name].into_iter().chain(tool.aliases.iter().copied());
    let lines: Vec<String> = names.map(|name| format!("{name} {version}\n")).collect();
    let mut files = vec![(".tool-versions", lines.concat())];
    let line = format!("{version}\n");
    files.extend(match tool.name {
        "python" => vec![(".python-version", line)],
        "ruby" => vec![(".ruby-version", line)],
        "node" => vec![(".node-version", line)],
        "java" => vec![(".java-version", line)],
        "go" => vec![(".go-version", line)],
        "rust" => vec![("rust-toolchain", line)],
        "dotnet" => vec![("global.json", format!("{{\"sdk\": {{\"version\": \"{version}\"}}}}\n"))],
        "bundler" => {
            vec![("Gemfile", String::new()), ("Gemfile.lock", format!("BUNDLED WITH\n   {version}\n"))]
        }
        "yarn" | "pnpm" | "npm" => {
            vec![("package.json", format!("{{\"packageManager\": \"{}@{version}\"}}\n", tool.name))]
        }
        _ => Vec::new(),
    });
    files
}

/// The version that a program's own package names. Tools written for Node need a third of a second to report it
/// themselves.
fn of_package(program: &Path, name: &str) -> Option<String> {
    let real = program.canonicalize().ok()?;
    real.ancestors().skip(1).take(3).find_map(|folder| {
        let text = read_text(&folder.join("package.json")).ok()?;
        let package: serde_json::Value = serde_json::from_str(&text).ok()?;
        let version = package.get("version")?.as_str().filter(|_| package.get("name").is_some_and(|it| it == name))?;
        version_in("", version).map(str::to_owned)
    })
}

/// Whether the program succeeded, and its output.
type Said = Result<(bool, String), String>;

fn run(programs: &Programs, program: &Path, arguments: &[&str], folder: &Path, also: Option<(&str, &str)>) -> Said {
    let mut command = programs.command(program);
    command.args(arguments).current_dir(folder).envs(QUIET.iter().copied()).envs(also);
    match ask(&mut command, LIMIT) {
        Ok(answer) => Ok((answer.success, format!("{}\n{}", answer.out, answer.err))),
        Err(none) => Err(none.to_string()),
    }
}

fn read_version(tool: &Tool, said: Said) -> FoundTool {
    match said {
        Ok((true, text)) => version_in(tool.mark, &text).map_or_else(
            || FoundTool::Fails(format!("it says no version: {}", first_line(&text))),
            |version| FoundTool::Version(version.to_owned()),
        ),
        // A version manager that lacks the wanted release says so here, and may name other releases.
        Ok((false, text)) => FoundTool::Fails(first_line(&text)),
        Err(reason) => FoundTool::Fails(reason),
    }
}

fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("it fails without a word");
    line.chars().take(200).collect()
}

/// The version that follows the mark, else the first line that begins with a version.
fn version_in<'t>(mark: &str, text: &'t str) -> Option<&'t str> {
    let marked = text.match_indices(mark).filter(|_| !mark.is_empty()).map(|(at, _)| &text[at + mark.len()..]);
    let lines = text.lines().map(str::trim);
    marked.chain(lines).find_map(|rest| {
        let rest = rest.strip_prefix('v').unwrap_or(rest);
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(rest.len());
        let version = rest[..end].trim_end_matches(['.', '_']);
        version.starts_with(|c: char| c.is_ascii_digit()).then_some(version)
    })
}

/// The release of Python in the project's own virtual environment.
fn virtual_environment(folder: &Path) -> Option<String> {
    let read = |name: &str| read_text(&folder.join(name).join("pyvenv.cfg")).ok();
    let text = [".venv", "venv"].into_iter().find_map(read)?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        // `version_info = 3.12.4.final.0` of virtualenv, `version = 3.12.4` of Python's own, `version_info = 3.12.4` of uv.
        let is_version = matches!(key.trim(), "version" | "version_info");
        version_in("", value.trim()).filter(|_| is_version).map(str::to_owned)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// A folder of programs, each given by its name and its script.
    fn programs(scripts: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, script) in scripts {
            let path = folder.path().join(name);
            // Another process writes the file: a file that this process has open for writing cannot be run while
            // another test forks.
            let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod +x "$2""#;
            let written = Command::new("sh").args(["-c", write, "sh", script]).arg(path).status().unwrap();
            assert!(written.success());
        }
        folder
    }

    fn find(name: &str, scripts: &[(&str, &str)]) -> FoundTool {
        let folder = programs(scripts);
        let path = std::env::join_paths([folder.path(), Path::new("/bin"), Path::new("/usr/bin")]).unwrap();
        asked(name, None, Path::new("/nowhere"), &path)
    }

    fn asked(name: &str, named: Option<&str>, folder: &Path, path: &std::ffi::OsStr) -> FoundTool {
        super::find(Tool::named_so(name).unwrap(), named, folder, &Programs::on(path, folder))
    }

    #[test]
    fn versions_are_found_in_the_real_output_of_tools() {
        for (tool, text, version) in [
            ("python", "Python 3.11.7\n", "3.11.7"),
            ("python", "Python 3.13.0rc1\n", "3.13.0"),
            ("ruby", "ruby 3.3.0 (2023-12-25 revision 5124f9ac75) [x86_64-linux]\n", "3.3.0"),
            ("ruby", "ruby 2.7.8p225 (2023-03-30 revision 1f4d455848) [x86_64-linux]\n", "2.7.8"),
            ("node", "v20.20.2\n", "20.20.2"),
            ("go", "go version go1.22.3 linux/amd64\n", "1.22.3"),
            ("rust", "rustc 1.95.0 (59807616e 2026-04-14)\n", "1.95.0"),
            (
                "java",
                "Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version \"17.0.15\" 2025-04-15\n\
                 OpenJDK Runtime Environment (build 17.0.15+6-Debian-1deb12u1)\n",
                "17.0.15",
            ),
            (
                "java",
                "java version \"1.8.0_292\"\nJava(TM) SE Runtime Environment (build 1.8.0_292-b10)\n",
                "1.8.0_292",
            ),
            ("java", "openjdk version \"21\" 2023-09-19\n", "21"),
            (
                "php",
                "PHP Warning:  Module \"curl\" is already loaded in Unknown on line 0\n\
                 PHP 8.2.28 (cli) (built: Mar 13 2025 18:21:38) (NTS)\nCopyright (c) The PHP Group\n",
                "8.2.28",
            ),
            (
                "elixir",
                "Erlang/OTP 25 [erts-13.1.5] [source] [64-bit] [smp:2:2] [ds:2:2:10]\n\n\
                 Elixir 1.14.0 (compiled with Erlang/OTP 24)\n",
                "1.14.0",
            ),
            ("erlang", "26", "26"),
            ("dotnet", "8.0.204\n", "8.0.204"),
            ("deno", "deno 1.44.0 (release, x86_64-unknown-linux-gnu)\nv8 12.6.228.9\ntypescript 5.4.5\n", "1.44.0"),
            ("bun", "1.1.8\n", "1.1.8"),
            ("npm", "10.8.2\n", "10.8.2"),
            ("pnpm", "9.1.0\n", "9.1.0"),
            ("yarn", "1.22.22\n", "1.22.22"),
            ("bundler", "Bundler version 2.5.6\n", "2.5.6"),
            ("bundler", "4.0.0\n", "4.0.0"),
            ("composer", "Composer version 2.7.2 2024-03-11 17:12:18\nPHP version 8.2.28 (/usr/bin/php8.2)\n", "2.7.2"),
            ("poetry", "Poetry (version 1.8.2)\n", "1.8.2"),
            ("uv", "uv 0.5.1 (f399a5271 2024-11-08)\n", "0.5.1"),
        ] {
            assert_eq!(version_in(Tool::named_so(tool).unwrap().mark, text), Some(version), "{text}");
        }
        assert_eq!(version_in("Python ", "no such thing 3\n"), None);
    }

    #[test]
    fn a_tool_says_its_version_on_either_output() {
        assert_eq!(find("node", &[("node", "echo v20.1.0")]), FoundTool::Version("20.1.0".to_owned()));
        let java = "echo 'openjdk version \"17.0.15\"' >&2";
        assert_eq!(find("java", &[("java", java)]), FoundTool::Version("17.0.15".to_owned()));
        assert_eq!(find("deno", &[]), FoundTool::Missing);
    }

    #[test]
    fn a_version_manager_that_lacks_the_release_is_no_version() {
        let pyenv = "echo \"pyenv: version \\`3.12.4' is not installed (set by .python-version)\" >&2; exit 1";
        let found = find("python", &[("python3", pyenv)]);
        let said = "pyenv: version `3.12.4' is not installed (set by .python-version)";
        assert_eq!(found, FoundTool::Fails(said.to_owned()));
        assert_eq!(find("bun", &[("bun", "echo hello")]), FoundTool::Fails("it says no version: hello".to_owned()));
        assert_eq!(find("bun", &[("bun", "exit 3")]), FoundTool::Fails("it fails without a word".to_owned()));
    }

    #[test]
    fn tools_are_asked_to_fetch_nothing() {
        let script = "test \"$COREPACK_ENABLE_NETWORK\" = 0 && test \"$RUSTUP_AUTO_INSTALL\" = 0 && echo 1.2.3";
        assert_eq!(find("pnpm", &[("pnpm", script)]), FoundTool::Version("1.2.3".to_owned()));
        let go =
            "test \"$GOPROXY\" = off || exit 1; test \"$GOTOOLCHAIN\" = local || exit 2; echo go version go1.21.5 x";
        assert_eq!(find("go", &[("go", go)]), FoundTool::Version("1.21.5".to_owned()));
    }

    #[test]
    fn a_tool_that_lies_in_its_own_package_is_not_even_run() {
        let folder = programs(&[("npm", "echo 1.0.0")]);
        let find = || asked("npm", None, Path::new("/nowhere"), folder.path().as_os_str());
        for (package, version) in [
            ("{\"name\": \"npm\", \"version\": \"10.8.2\"}", "10.8.2"),
            // A shim of another package hands over to the wanted release.
            ("{\"name\": \"corepack\", \"version\": \"0.29.4\"}", "1.0.0"),
            ("{\"name\": \"npm\"", "1.0.0"),
        ] {
            std::fs::write(folder.path().join("package.json"), package).unwrap();
            assert_eq!(find(), FoundTool::Version(version.to_owned()));
        }
    }

    #[test]
    fn the_projects_virtual_environment_comes_before_path() {
        let (folder, project) = (programs(&[("python3", "echo Python 3.9.1")]), tempfile::tempdir().unwrap());
        let venv = project.path().join(".venv");
        std::fs::create_dir(&venv).unwrap();
        for (text, version) in [
            ("home = /usr/bin\nversion = 3.12.4\n", "3.12.4"),
            ("implementation = CPython\nversion_info = 3.11.7.final.0\n", "3.11.7"),
            ("home = /usr/bin\n", "3.9.1"),
        ] {
            std::fs::write(venv.join("pyvenv.cfg"), text).unwrap();
            let path = std::env::join_paths([folder.path(), Path::new("/bin")]).unwrap();
            assert_eq!(asked("python", None, project.path(), &path), FoundTool::Version(version.to_owned()));
        }
    }

    #[test]
    fn a_tool_sees_nothing_of_the_checkout_but_the_version_that_it_names() {
        let folder = programs(&[("yarn", "cat .tool-versions package.json; ls -A; pwd")]);
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join(".yarnrc.yml"), "yarnPath: evil.cjs\n").unwrap();
        let path = std::env::join_paths([folder.path(), Path::new("/bin"), Path::new("/usr/bin")]).unwrap();
        let programs = Programs::on(&path, root.path());
        let OnPath::Machine(yarn) = programs.find("yarn") else { panic!("no yarn") };
        let empty = neutral(Tool::named_so("yarn").unwrap(), Some("4.1.0")).unwrap();
        let (success, said) = run(&programs, &yarn, &[], empty.path(), None).unwrap();
        assert!(success, "{said}");
        let files = "yarn 4.1.0\n{\"packageManager\": \"yarn@4.1.0\"}\n.tool-versions\npackage.json\n";
        assert_eq!(said.trim_end(), format!("{files}{}", empty.path().canonicalize().unwrap().display()));
    }

    #[test]
    fn only_texts_that_are_certainly_versions_are_passed_on_to_version_managers() {
        let pin = |text: &str| {
            let tool = Tool::named_so("rust").unwrap();
            let mut wanted = tool.release("1.80.0").unwrap();
            text.clone_into(&mut wanted.text);
            let file = std::sync::Arc::new(crate::model::SourceFile { path: PathBuf::new(), text: String::new() });
            let origin = crate::model::Origin { file, line: 1, column: 1, length: 1 };
            PinnedTool { tool, folder: PathBuf::new(), wanted, strength: Strength::Named, origin }
        };
        let rust = Tool::named_so("rust").unwrap();
        for version in ["1.80.0", "nightly-2024-05-01", "temurin-21.0.1+12"] {
            assert_eq!(named(&[pin(version)], Path::new("web"), rust), Some(version));
        }
        for no_version in ["/evil", "../evil", "path:/evil", "1.80\n[toolchain]", "-x", ""] {
            assert_eq!(named(&[pin(no_version)], Path::new(""), rust), None, "{no_version}");
        }
    }
}
