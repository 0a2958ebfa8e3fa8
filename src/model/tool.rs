//! The languages and tools that production can pin, and the data about them.

use super::{Origin, Requirement};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The purpose of a tool, which decides the effect of another version.
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
    /// Its purpose.
    pub role: Role,
    /// How many numbers identify a release line, within which programs continue to work: 2 for Python, 1 for Node.
    pub line: usize,
    /// Commands that print its version; the first command that is on PATH counts.
    pub commands: &'static [&'static [&'static str]],
    /// The text before the version in their output; empty if the version is the first word.
    pub mark: &'static str,
    /// Other names in files of version managers (asdf, mise, Volta).
    pub aliases: &'static [&'static str],
    /// The page where its project explains its versions.
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
    // Erlang's shell has no option that prints its version, and reads a file of the working folder by default.
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

    /// The tool with that name, in reports or in version managers' files.
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

/// The priority of a file's statement. The highest priority decides production's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// A range of allowed versions.
    Range,
    /// A file that names the version to install.
    Named,
    /// The deployed version: the Dockerfile.
    Deployed,
}

/// One file's statement about one tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinnedTool {
    /// The tool.
    pub tool: &'static Tool,
    /// The folder of the component, relative to the root; empty for the root itself.
    pub folder: PathBuf,
    /// The allowed versions.
    pub wanted: Requirement,
    /// The priority of the statement.
    pub strength: Strength,
    /// The place of the statement.
    pub origin: Origin,
}

/// A tool on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundTool {
    /// Its version, as the tool prints it: `3.11.7`.
    Version(String),
    /// The tool is not on PATH.
    Missing,
    /// The tool is on PATH and does not print its version; the text is the reason.
    Fails(String),
}

/// The tools on this machine, by the component's folder (relative to the root) and the tool's name.
pub type FoundTools = BTreeMap<(PathBuf, &'static str), FoundTool>;

/// A file that names the packages of an app, and the lock file with their exact versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFile {
    /// The file that names the packages: `package.json`.
    pub origin: Origin,
    /// The command that writes the lock file: `npm install`.
    pub command: &'static str,
    /// The possible names of the lock file, the usual name first.
    pub lock_names: &'static [&'static str],
    /// The lock file, relative to the root, if it exists.
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
