//! The files in an app's folder that name the versions of languages and tools that the app needs. Each has one reader.

use super::MAX_PINS;
use super::image::node_version;
use super::lines::{Assignment, lines, located, property, quoted, toml};
use crate::model::{Located, Requirement, SourceFile, Strength, Tilde, Tool};
use crate::syntax::tree::Node;
use crate::syntax::yaml;
use std::sync::Arc;

/// The version of one tool that one file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FilePin {
    /// The tool.
    pub(super) tool: &'static Tool,
    /// The versions that the file accepts, with the place.
    pub(super) wanted: Located<Requirement>,
    /// The strength of this pin.
    pub(super) strength: Strength,
}

type Reader = fn(&Arc<SourceFile>) -> Vec<FilePin>;

/// Names of files and their readers.
pub(super) const FILES: &[(&str, Reader)] = &[
    (".platform.app.yaml", platform_app),
    (".upsun/config.yaml", upsun),
    (".ruby-version", |source| only(source, "ruby")),
    (".python-version", |source| only(source, "python")),
    (".node-version", |source| only(source, "node")),
    (".nvmrc", |source| only(source, "node")),
    (".go-version", |source| only(source, "go")),
    (".java-version", |source| only(source, "java")),
    (".bun-version", |source| only(source, "bun")),
    ("runtime.txt", |source| only(source, "python")),
    (".tool-versions", tool_versions),
    ("mise.toml", mise),
    (".mise.toml", mise),
    (".sdkmanrc", |source| properties(source, &[("java", "java")])),
    ("system.properties", |source| properties(source, &[("java.runtime.version", "java")])),
    ("elixir_buildpack.config", |source| {
        properties(source, &[("elixir_version", "elixir"), ("erlang_version", "erlang")])
    }),
    ("rust-toolchain.toml", rust_toolchain),
    ("rust-toolchain", rust_toolchain),
    ("global.json", global_json),
    ("package.json", package_json),
    ("composer.json", composer_json),
    ("Gemfile", gemfile),
    ("Gemfile.lock", gemfile_lock),
    ("Pipfile", pipfile),
    ("pyproject.toml", pyproject),
    ("go.mod", go_mod),
    ("Cargo.toml", cargo_toml),
    ("mix.exs", mix_exs),
];

/// The release that a text names: `ruby-3.3.0`, `temurin-17.0.8+7`, `lts/iron`.
fn release(tool: &'static Tool, text: &str) -> Option<Requirement> {
    let shown = text.trim();
    let text = if tool.name == "node" { node_version(shown) } else { shown };
    let text = text.strip_prefix('v').unwrap_or(text);
    let version = text.split('-').find(|part| part.starts_with(|c: char| c.is_ascii_digit()))?;
    // Other implementations of a language number their own releases.
    let other = ["jruby", "truffleruby", "pypy", "graalpy", "micropython", "anaconda", "miniconda", "miniforge"];
    if other.iter().any(|name| text.starts_with(name)) {
        return None;
    }
    let mut wanted = tool.release(version)?;
    shown.clone_into(&mut wanted.text);
    Some(wanted)
}

fn word(
    tool: &str,
    strength: Strength,
    wanted: impl FnOnce(&'static Tool) -> Option<Located<Requirement>>,
) -> Vec<FilePin> {
    let word = |tool| Some(FilePin { tool, wanted: wanted(tool)?, strength });
    Tool::named_so(tool).and_then(word).into_iter().collect()
}

fn named(source: &Arc<SourceFile>, tool: &str, text: &str) -> Vec<FilePin> {
    let read = |tool| Some(Located::new(release(tool, text)?, located(source, text).origin));
    word(tool, Strength::Named, read)
}

fn ranged(source: &Arc<SourceFile>, tool: &str, text: &str, tilde: Tilde) -> Vec<FilePin> {
    let read = |_| Some(Located::new(Requirement::range(text, tilde)?, located(source, text).origin));
    word(tool, Strength::Range, read)
}

/// Reads a file that holds one version. If it has several lines, the first counts.
fn only(source: &Arc<SourceFile>, tool: &str) -> Vec<FilePin> {
    lines(&source.text).next().map(|line| named(source, tool, line)).unwrap_or_default()
}

fn properties(source: &Arc<SourceFile>, names: &[(&str, &str)]) -> Vec<FilePin> {
    let one = |(name, tool): &(&str, &str)| Some(named(source, tool, property(&source.text, name)?));
    names.iter().filter_map(one).flatten().collect()
}

/// Reads asdf's file: each line has a name and versions, of which the first counts.
fn tool_versions(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let pairs = lines(&source.text).filter_map(|line| {
        let (name, versions) = line.split_once(char::is_whitespace)?;
        Some((name, versions.split_whitespace().next()?))
    });
    // Each place is searched from the file's start, so only one pin more than the maximum is read.
    pairs.flat_map(|(name, version)| named(source, name, version)).take(MAX_PINS + 1).collect()
}

fn mise(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let tools = toml(&source.text).into_iter().filter(|one| one.table == "tools" || one.table.starts_with("tools."));
    let read = |one: Assignment<'_>| {
        let name = if one.table == "tools" { one.key } else { one.table.trim_start_matches("tools.") };
        let is_version = one.table == "tools" || one.key == "version";
        // The value is `{ version = "20", postinstall = "…" }`, a list, or only the version.
        let value =
            one.value.split_once("version").filter(|_| one.value.starts_with('{')).map_or(one.value, |(_, v)| v);
        let text = quoted(value).filter(|_| is_version)?;
        Some(named(source, name.trim_matches(['"', '\'']), version_within(text)))
    };
    tools.filter_map(read).flatten().take(MAX_PINS + 1).collect()
}

/// A version without mise's prefix (`prefix:1.19`).
fn version_within(text: &str) -> &str {
    text.strip_prefix("prefix:").unwrap_or(text)
}

fn rust_toolchain(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let channel = toml(&source.text).into_iter().find(|one| one.is("toolchain.channel"));
    match channel {
        Some(one) => quoted(one.value).filter(|channel| is_stable(channel)).map(|text| named(source, "rust", text)),
        None => lines(&source.text).next().filter(|line| is_stable(line)).map(|line| named(source, "rust", line)),
    }
    .unwrap_or_default()
}

/// Whether a channel is a release. `nightly-2026-01-01` begins with a word and is no release.
fn is_stable(channel: &str) -> bool {
    channel.starts_with(|c: char| c.is_ascii_digit())
}

fn json(source: &Arc<SourceFile>) -> Option<Node> {
    yaml::parse(source).documents.into_iter().next()
}

fn literal<'n>(document: &'n Node, path: &[&str]) -> Option<(&'n str, &'n Node)> {
    let node = path.iter().try_fold(document, |node, key| node.get(key))?;
    Some((node.as_literal()?, node))
}

/// The pin in a value of a JSON or YAML document.
fn at(
    document: &Node,
    path: &[&str],
    tool: &str,
    strength: Strength,
    read: fn(&'static Tool, &str) -> Option<Requirement>,
) -> Vec<FilePin> {
    let Some((text, node)) = literal(document, path) else { return Vec::new() };
    word(tool, strength, |tool| Some(Located::new(read(tool, text)?, node.origin.clone())))
}

fn package_json(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let Some(document) = json(source) else { return Vec::new() };
    let mut words = Vec::new();
    for tool in ["node", "npm", "pnpm", "yarn", "bun"] {
        words.extend(at(&document, &["volta", tool], tool, Strength::Named, release));
        words.extend(at(&document, &["engines", tool], tool, Strength::Range, |_, text| {
            Requirement::range(text, Tilde::Minor)
        }));
    }
    // The form is `pnpm@9.1.0+sha512.…`.
    if let Some((text, node)) = literal(&document, &["packageManager"])
        && let Some((name, version)) = text.split_once('@')
    {
        let version = version.split('+').next().unwrap_or_default();
        let read = |tool| Some(Located::new(release(tool, version)?, node.origin.clone()));
        words.extend(word(name, Strength::Named, read));
    }
    words
}

fn composer_json(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let Some(document) = json(source) else { return Vec::new() };
    let mut words = at(&document, &["config", "platform", "php"], "php", Strength::Named, release);
    words.extend(at(&document, &["require", "php"], "php", Strength::Range, |_, text| {
        // `@stable` and similar suffixes name a stability, not a version.
        Requirement::range(text.split('@').next().unwrap_or_default(), Tilde::Last)
    }));
    words
}

/// Only the release line counts, because a later SDK of the same line may be installed (`rollForward`).
fn global_json(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let Some(document) = json(source) else { return Vec::new() };
    at(&document, &["sdk", "version"], "dotnet", Strength::Named, |tool, text| {
        let mut wanted = tool.release(&text.split('.').take(2).collect::<Vec<_>>().join("."))?;
        text.clone_into(&mut wanted.text);
        Some(wanted)
    })
}

/// Reads `type: "php:8.3"`, the runtime that Platform.sh deploys.
fn platform_app(source: &Arc<SourceFile>) -> Vec<FilePin> {
    json(source).map(|app| runtime(&app)).unwrap_or_default()
}

fn upsun(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let Some(document) = json(source) else { return Vec::new() };
    let Some(apps) = document.get("applications") else { return Vec::new() };
    // With several apps, the file does not say which app is in this folder.
    let apps: Vec<&Node> = apps.entries().map(|entry| &entry.value).collect();
    if let [app] = apps.as_slice() { runtime(app) } else { Vec::new() }
}

fn runtime(app: &Node) -> Vec<FilePin> {
    let Some((text, node)) = literal(app, &["type"]) else { return Vec::new() };
    let Some((name, version)) = text.split_once(':') else { return Vec::new() };
    let read = |tool: &'static Tool| Some(Located::new(tool.release(version)?, node.origin.clone()));
    word(name, Strength::Deployed, read)
}

/// Reads `ruby "3.3.0"` and `ruby "~> 3.2", ">= 3.2.1"`. Other engines have their own version numbers.
fn gemfile(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let line = lines(&source.text).find(|line| line.starts_with("ruby ") || line.starts_with("ruby("));
    let Some(line) = line.filter(|line| !line.contains("engine")) else { return Vec::new() };
    let Some(first) = quoted(line) else { return Vec::new() };
    if first.starts_with(|c: char| c.is_ascii_digit()) {
        return named(source, "ruby", first);
    }
    let all: Vec<&str> = line.split(['"', '\'']).skip(1).step_by(2).collect();
    let read = |_| {
        let mut wanted = Requirement::range(&all.join(", "), Tilde::Last)?;
        wanted.text = all.join(", ");
        Some(Located::new(wanted, located(source, first).origin))
    };
    word("ruby", Strength::Range, read)
}

fn gemfile_lock(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let after = |heading: &str| {
        let mut lines = source.text.lines().skip_while(|line| *line != heading).skip(1);
        lines.next().map(str::trim)
    };
    let ruby = after("RUBY VERSION").and_then(|line| line.strip_prefix("ruby ")).map(|text| {
        // In `3.3.0p0`, the patch level is no part of the release.
        text.split('p').next().unwrap_or_default()
    });
    let ruby = ruby.map(|text| named(source, "ruby", text)).unwrap_or_default();
    ruby.into_iter()
        .chain(after("BUNDLED WITH").map(|text| named(source, "bundler", text)).unwrap_or_default())
        .collect()
}

fn pipfile(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let assignments = toml(&source.text);
    let version = ["requires.python_full_version", "requires.python_version"];
    let value = version.iter().find_map(|key| assignments.iter().find(|one| one.is(key)));
    value.and_then(|one| quoted(one.value)).map(|text| named(source, "python", text)).unwrap_or_default()
}

fn pyproject(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let mut words = Vec::new();
    for one in toml(&source.text) {
        let Some(text) = quoted(one.value) else { continue };
        if one.is("project.requires-python") {
            words.extend(ranged(source, "python", text, Tilde::Last));
        } else if one.is("tool.poetry.dependencies.python") {
            words.extend(ranged(source, "python", text, Tilde::Minor));
        }
        if words.len() > MAX_PINS {
            break;
        }
    }
    words
}

/// Reads `go 1.22`, which requires that release or a later release.
fn go_mod(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let text = source.text.lines().find_map(|line| line.strip_prefix("go ")).map(str::trim);
    text.map(|text| at_least(source, "go", text)).unwrap_or_default()
}

fn cargo_toml(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let assignments = toml(&source.text);
    let is_version = |one: &&Assignment<'_>| one.is("package.rust-version") || one.is("workspace.package.rust-version");
    let value = assignments.iter().find(is_version).and_then(|one| quoted(one.value));
    value.map(|text| at_least(source, "rust", text)).unwrap_or_default()
}

fn at_least(source: &Arc<SourceFile>, tool: &str, text: &str) -> Vec<FilePin> {
    let read = |_| {
        let mut wanted = Requirement::at_least(text)?;
        wanted.text = format!(">={text}");
        Some(Located::new(wanted, located(source, text).origin))
    };
    word(tool, Strength::Range, read)
}

/// Reads `elixir: "~> 1.15"` in the project's description.
fn mix_exs(source: &Arc<SourceFile>) -> Vec<FilePin> {
    let text = lines(&source.text).find_map(|line| quoted(line.strip_prefix("elixir:")?));
    text.map(|text| ranged(source, "elixir", text, Tilde::Last)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `tool wanted strength line` of each pin in a file.
    fn read(name: &str, text: &str) -> String {
        let source = Arc::new(SourceFile { path: name.into(), text: text.to_owned() });
        let (_, reader) = FILES.iter().find(|(known, _)| *known == name).unwrap();
        let show = |word: FilePin| {
            let strength = format!("{:?}", word.strength).to_lowercase();
            let line = word.wanted.origin.line;
            format!("{} {} {strength} {line}", word.tool.name, word.wanted.value.text)
        };
        reader(&source).into_iter().map(show).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn version_files_name_one_release() {
        for (name, text, wanted) in [
            (".ruby-version", "3.3.0\n", "ruby 3.3.0 named 1"),
            (".ruby-version", "ruby-3.3.0\n", "ruby ruby-3.3.0 named 1"),
            (".ruby-version", "jruby-9.4.5.0\n", ""),
            (".python-version", "# local\n3.12.4\n3.11.9\n", "python 3.12.4 named 2"),
            (".python-version", "my-env\n", ""),
            (".python-version", "pypy3.10-7.3.12\n", ""),
            ("runtime.txt", "python-3.11.4", "python python-3.11.4 named 1"),
            (".nvmrc", "v20.11.1\n", "node v20.11.1 named 1"),
            (".nvmrc", "lts/iron\n", "node lts/iron named 1"),
            (".nvmrc", "lts/*\n", ""),
            (".nvmrc", "node\n", ""),
            (".node-version", "20\n", "node 20 named 1"),
            (".java-version", "temurin64-17.0.8\n", "java temurin64-17.0.8 named 1"),
            (".go-version", "1.22.3\n", "go 1.22.3 named 1"),
            (".sdkmanrc", "# x\njava=21.0.2-tem\n", "java 21.0.2-tem named 2"),
            ("system.properties", "java.runtime.version=17\n", "java 17 named 1"),
            (
                "elixir_buildpack.config",
                "erlang_version=26.1\nelixir_version=1.15.7\n",
                "elixir 1.15.7 named 2; erlang 26.1 named 1",
            ),
            ("rust-toolchain", "1.80.0\n", "rust 1.80.0 named 1"),
            ("rust-toolchain.toml", "[toolchain]\nchannel = \"1.80\"\n", "rust 1.80 named 2"),
            ("rust-toolchain.toml", "[toolchain]\nchannel = \"stable\"\n", ""),
            ("rust-toolchain", "nightly-2026-01-01\n", ""),
            ("global.json", "{\"sdk\": {\"version\": \"8.0.100\"}}", "dotnet 8.0.100 named 1"),
        ] {
            assert_eq!(read(name, text), wanted, "{name}: {text}");
        }
    }

    #[test]
    fn version_managers_files_name_several_tools() {
        let text = "nodejs 20.11.1\npython 3.12.4 3.11.9 # both\nterraform 1.7.0\njava temurin-17.0.8+7\n\
                    elixir 1.16.1-otp-26\nruby system\n";
        assert_eq!(
            read(".tool-versions", text),
            "node 20.11.1 named 1; python 3.12.4 named 2; java temurin-17.0.8+7 named 4; elixir 1.16.1-otp-26 named 5"
        );
        let text = "[env]\nnode = \"1\"\n[tools]\nnode = \"20\"\npython = [\"3.12\", \"3.11\"]\n\
                    go = { version = \"prefix:1.22\" }\nrust = \"latest\"\n[tools.ruby]\nversion = \"3.3\"\n";
        assert_eq!(read("mise.toml", text), "node 20 named 4; python 3.12 named 5; go 1.22 named 6; ruby 3.3 named 9");
    }

    #[test]
    fn packages_files_name_ranges() {
        for (name, text, wanted) in [
            (
                "package.json",
                "{\n\t\"engines\": {\n\t\t\"node\": \">=18 <21\",\n\t\t\"npm\": \"*\",\n\t\t\"vscode\": \"^1\"\n\t},\n\
                 \t\"packageManager\": \"pnpm@9.1.0+sha512.abc\"\n}",
                "node >=18 <21 range 3; npm * range 4; pnpm 9.1.0 named 7",
            ),
            ("package.json", "{\"volta\": {\"node\": \"20.1.0\"}}", "node 20.1.0 named 1"),
            ("package.json", "{\"engines\": [\"node\"], \"name\": \"engines\"}", ""),
            ("package.json", "{\"engines\": ", ""),
            (
                "composer.json",
                "{\"require\": {\"php\": \"^8.2\", \"a/b\": \"^7\"}, \"config\": {\"platform\": {\"php\": \"8.2.10\"}}}",
                "php 8.2.10 named 1; php ^8.2 range 1",
            ),
            ("Gemfile", "source \"x\"\n# ruby \"2.7\"\nruby '3.3.0'\n", "ruby 3.3.0 named 3"),
            ("Gemfile", "ruby \"~> 3.2\", \">= 3.2.1\"\n", "ruby ~> 3.2, >= 3.2.1 range 1"),
            ("Gemfile", "ruby file: \".ruby-version\"\n", ""),
            ("Gemfile", "ruby '3.1.0', engine: 'jruby', engine_version: '9.4'\n", ""),
            ("Gemfile", "gem \"ruby-lsp\", \"3.1\"\n", ""),
            (
                "Gemfile.lock",
                "GEM\n  specs:\n    ruby (3.0)\n\nRUBY VERSION\n   ruby 3.3.0p0\n\nBUNDLED WITH\n   2.5.6\n",
                "ruby 3.3.0 named 6; bundler 2.5.6 named 9",
            ),
            ("Pipfile", "[requires]\npython_version = \"3.11\"\n", "python 3.11 named 2"),
            ("pyproject.toml", "[project]\nrequires-python = \">=3.10,<3.13\"\n", "python >=3.10,<3.13 range 2"),
            ("pyproject.toml", "[tool.poetry.dependencies]\npython = \"^3.11\"\n", "python ^3.11 range 2"),
            ("pyproject.toml", "[tool.black]\npython = \"3.9\"\n", ""),
            ("go.mod", "module x\n\ngo 1.22\n\nrequire golang.org/x/net v0.1.0\n", "go >=1.22 range 3"),
            ("Cargo.toml", "[package]\nrust-version = \"1.80\"\n", "rust >=1.80 range 2"),
            (
                "mix.exs",
                "def project do\n  [\n    # elixir: \"~> 1.1\"\n    elixir: \"~> 1.15\",\n",
                "elixir ~> 1.15 range 4",
            ),
            (".platform.app.yaml", "name: app\ntype: \"php:8.3\"\n", "php 8.3 deployed 2"),
            (".upsun/config.yaml", "applications:\n  app:\n    type: nodejs:20\n", "node 20 deployed 3"),
            (".upsun/config.yaml", "applications:\n  a: {type: \"nodejs:20\"}\n  b: {type: \"php:8.3\"}\n", ""),
        ] {
            assert_eq!(read(name, text), wanted, "{name}: {text}");
        }
    }
}
