//! The languages and tools that production can pin, and what is said about them. Data alone.

use super::{Origin, Requirement};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// What a tool is there for, and so what another version of it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The app runs on it.
    Language,
    /// It installs what the app needs.
    PackageManager,
}

/// One language or package manager.
#[derive(Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name in reports: `python`.
    pub name: &'static str,
    /// Its name for people: `Python`.
    pub title: &'static str,
    /// What it is there for.
    pub role: Role,
    /// How many numbers make a release line, within which programs go on working: 2 for Python, 1 for Node.
    pub line: usize,
    /// Commands that say its version, the first that is on PATH counts.
    pub commands: &'static [&'static [&'static str]],
    /// What stands before the version in their output; nothing where it is the first word.
    pub mark: &'static str,
    /// Other names in files of version managers (asdf, mise, Volta).
    pub aliases: &'static [&'static str],
    /// Where its makers say what its versions mean.
    pub source: &'static str,
}

/// Every tool that is known.
pub const TOOLS: &[Tool] = &[
    language("python", "Python", 2, &[&["python3", "--version"], &["python", "--version"]])
        .says("Python ", "https://docs.python.org/3/whatsnew/"),
    language("ruby", "Ruby", 2, &[&["ruby", "--version"]])
        .says("ruby ", "https://www.ruby-lang.org/en/downloads/branches/"),
    language("node", "Node.js", 1, &[&["node", "--version"], &["nodejs", "--version"]])
        .named(&["nodejs"])
        .says("", "https://nodejs.org/en/about/previous-releases"),
    language("go", "Go", 2, &[&["go", "version"]])
        .named(&["golang"])
        .says("go version go", "https://go.dev/doc/devel/release"),
    language("rust", "Rust", 2, &[&["rustc", "--version"]])
        .says("rustc ", "https://doc.rust-lang.org/stable/releases.html"),
    language("php", "PHP", 2, &[&["php", "--version"]]).says("PHP ", "https://www.php.net/supported-versions.php"),
    language("java", "Java", 1, &[&["java", "-version"]]).says("version \"", "https://openjdk.org/projects/jdk/"),
    language("elixir", "Elixir", 2, &[&["elixir", "--version"]])
        .says("Elixir ", "https://hexdocs.pm/elixir/compatibility-and-deprecations.html"),
    // Its shell has no switch for its version, and reads a file of the working folder unless it is told not to.
    language(
        "erlang",
        "Erlang/OTP",
        1,
        &[&[
            "erl",
            "-boot",
            "no_dot_erlang",
            "-noinput",
            "-eval",
            "io:put_chars(erlang:system_info(otp_release)), halt().",
        ]],
    )
    .says("", "https://www.erlang.org/doc/system/versions.html"),
    language("dotnet", ".NET", 1, &[&["dotnet", "--version"]])
        .named(&["dotnet-core"])
        .says("", "https://learn.microsoft.com/dotnet/core/versions/"),
    language("deno", "Deno", 1, &[&["deno", "--version"]])
        .says("deno ", "https://docs.deno.com/runtime/fundamentals/stability_and_releases/"),
    language("bun", "Bun", 1, &[&["bun", "--version"]]).says("", "https://bun.sh/docs/installation"),
    manager("npm", "npm", &[&["npm", "--version"]])
        .says("", "https://docs.npmjs.com/cli/configuring-npm/package-lock-json"),
    manager("pnpm", "pnpm", &[&["pnpm", "--version"]]).says("", "https://pnpm.io/installation"),
    manager("yarn", "Yarn", &[&["yarn", "--version"]]).says("", "https://yarnpkg.com/getting-started/install"),
    manager("bundler", "Bundler", &[&["bundle", "--version"]])
        .says("Bundler version ", "https://bundler.io/guides/bundler_2_upgrade.html"),
    manager("composer", "Composer", &[&["composer", "--no-plugins", "--version"]])
        .says("Composer version ", "https://getcomposer.org/upgrade/UPGRADE-2.0.md"),
    manager("poetry", "Poetry", &[&["poetry", "--no-plugins", "--version"]])
        .says("version ", "https://python-poetry.org/history/"),
    manager("uv", "uv", &[&["uv", "--version"]])
        .says("uv ", "https://docs.astral.sh/uv/reference/policies/versioning/"),
];

const fn language(
    name: &'static str,
    title: &'static str,
    line: usize,
    commands: &'static [&'static [&'static str]],
) -> Tool {
    Tool { name, title, role: Role::Language, line, commands, mark: "", aliases: &[], source: "" }
}

const fn manager(name: &'static str, title: &'static str, commands: &'static [&'static [&'static str]]) -> Tool {
    Tool { role: Role::PackageManager, ..language(name, title, 1, commands) }
}

impl Tool {
    const fn named(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    const fn says(self, mark: &'static str, source: &'static str) -> Self {
        Self { mark, source, ..self }
    }

    /// The tool of that name, in reports or in version managers' files.
    pub fn named_so(name: &str) -> Option<&'static Self> {
        TOOLS.iter().find(|tool| tool.name == name || tool.aliases.contains(&name))
    }

    /// One release of it, or a release line. Java's `1.8` is Java 8.
    pub fn release(&self, text: &str) -> Option<Requirement> {
        let old_java =
            text.strip_prefix("1.").filter(|rest| self.name == "java" && rest.starts_with(['5', '6', '7', '8']));
        let mut wanted = Requirement::release(old_java.unwrap_or(text))?;
        text.clone_into(&mut wanted.text);
        Some(wanted)
    }
}

/// How much a file's word counts. The greatest is production's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// A range of versions that would do.
    Range,
    /// A file that names the version to install.
    Named,
    /// What is deployed: the Dockerfile.
    Deployed,
}

/// What one file says of one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedTool {
    /// The tool.
    pub tool: &'static Tool,
    /// The folder of the component that it is for, relative to the root; empty for the root itself.
    pub folder: PathBuf,
    /// The versions that do.
    pub wanted: Requirement,
    /// How much that counts.
    pub strength: Strength,
    /// Where it says so.
    pub origin: Origin,
}

/// What this machine has of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundTool {
    /// Its version, as it says it: `3.11.7`.
    Version(String),
    /// It is not on PATH.
    Missing,
    /// It is on PATH and does not say its version; the reason.
    Fails(String),
}

/// What this machine has, by the component's folder (relative to the root) and the tool's name.
pub type FoundTools = BTreeMap<(PathBuf, &'static str), FoundTool>;

/// A file that names the packages an app needs, and the lock file that settles their versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFile {
    /// Where packages are named: `package.json`.
    pub origin: Origin,
    /// What writes the lock file: `npm install`.
    pub command: &'static str,
    /// The lock file's names, the usual one first.
    pub lock_names: &'static [&'static str],
    /// The lock file, relative to the root, where there is one.
    pub lock: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_tool_can_be_asked() {
        let mut names: Vec<&str> =
            TOOLS.iter().flat_map(|tool| tool.aliases.iter().copied().chain([tool.name])).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        for tool in TOOLS {
            assert!(!tool.commands.is_empty() && tool.source.starts_with("https://"), "{}", tool.name);
        }
    }

    #[test]
    fn java_1_8_is_java_8() {
        let java = Tool::named_so("java").unwrap();
        assert_eq!(java.release("1.8.0_292").unwrap().apart(&java.release("8").unwrap()), None);
        assert_eq!(java.release("1.8").unwrap().apart(&java.release("17.0.2").unwrap()), Some(0));
    }
}
