//! The documentation is correct: for every block, the program reads it, this test runs it, or a named test runs it
//! (`tests/docs/blocks.yaml`); and a user can type every command that a page names.

use crate::advice::{can_be_typed, shell};
use crate::pages::{Block, Page, pages, top};
use crate::sandbox::{Outcome, Sandbox};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The way in which one block is tested; `tests/docs/blocks.yaml` explains each key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    page: String,
    begins: String,
    #[serde(default, rename = "as")]
    path: Option<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default = "manifest")]
    runs: String,
    #[serde(default)]
    exits: i32,
    #[serde(default)]
    says: Vec<String>,
    #[serde(default)]
    line_exits: Vec<i32>,
    #[serde(default)]
    prints: Option<String>,
    #[serde(default)]
    tests: Vec<String>,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    words: BTreeMap<String, String>,
    #[serde(default)]
    why: String,
}

fn manifest() -> String {
    "manifest".to_owned()
}

fn entries() -> Vec<Entry> {
    let text = read("tests/docs/blocks.yaml");
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("blocks.yaml: {error}"))
}

fn read(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

impl Entry {
    fn is_of(&self, page: &Page, block: &Block) -> bool {
        self.page == page.path && block.lines.first().is_some_and(|line| line.starts_with(&self.begins))
    }

    fn project(&self) -> Sandbox {
        let files: Vec<(&str, &str)> = self.files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        Sandbox::new(&files)
    }

    /// The mistakes in the block; empty if it is correct.
    fn faults(&self, block: &Block) -> Vec<String> {
        let mut faults = Vec::new();
        let mut is_tested = block.language.is_empty() && !self.why.is_empty();
        if let Some(path) = &self.path {
            is_tested = true;
            faults.extend(self.read_as(path, block));
        }
        if !self.line_exits.is_empty() {
            is_tested = true;
            faults.extend(self.typed(block));
        }
        if let Some(command) = &self.prints {
            // A test runs the other commands of the session.
            is_tested = !self.tests.is_empty();
            faults.extend(printed(command, block));
        }
        if !self.tests.is_empty() {
            is_tested = true;
            faults.extend(self.carried_out_by_tests(block));
        }
        if let Some(source) = &self.source {
            is_tested = true;
            faults.extend(is_of_source(source, block));
        }
        if !self.needs.is_empty() {
            is_tested = true;
            faults.extend(self.needs.iter().filter(|path| !top().join(path).exists()).map(|path| format!("no {path}")));
        }
        let said =
            |(path, word): (&String, &String)| (!read(path).contains(word)).then(|| format!("{path}: no `{word}`"));
        faults.extend(self.words.iter().filter_map(said));
        if !is_tested {
            faults.push("nothing tests it".to_owned());
        }
        faults
    }

    /// The program reads the block as this file.
    fn read_as(&self, path: &str, block: &Block) -> Vec<String> {
        let project = self.project();
        project.write(path, &block.text());
        let mut command = project.command(&[self.runs.as_str()]);
        let command = command.env("DOCKER_HOST", "unix:///nowhere.sock");
        let outcome = Outcome::of(&command.output().expect("the built program"));
        let mut faults = Vec::new();
        if outcome.code != self.exits {
            faults.push(format!("exits with {}: {}", outcome.code, outcome.stderr));
        }
        let missing = self.says.iter().filter(|part| !outcome.stdout.contains(part.as_str()));
        faults.extend(missing.map(|part| format!("`{part}` is not in: {}", outcome.stdout)));
        if self.says.is_empty() {
            faults.push("`says` is empty: nothing is compared with the program's output".to_owned());
        }
        faults
    }

    /// Runs each line in a project without an engine.
    fn typed(&self, block: &Block) -> Vec<String> {
        let project = self.project();
        let commands = block.commands();
        let ended = commands
            .iter()
            .map(|line| shell(&project, &format!("export DOCKER_HOST=unix:///nowhere.sock\n{line}"), ""));
        let ended: Vec<_> = ended.collect();
        let codes: Vec<i32> = ended.iter().map(|outcome| outcome.code).collect();
        if codes == self.line_exits { Vec::new() } else { vec![format!("exits with {codes:?}: {ended:#?}")] }
    }

    /// The tests exist, and use the same commands and options as the block.
    fn carried_out_by_tests(&self, block: &Block) -> Vec<String> {
        let mut faults = Vec::new();
        let mut code = String::new();
        for test in &self.tests {
            let (path, name) = test.split_once(": ").unwrap_or((test, ""));
            let text = fs::read_to_string(top().join(path)).unwrap_or_default();
            if name.is_empty() || !text.contains(&format!("\nfn {name}()")) {
                faults.push(format!("there is no test {test}"));
            }
            // A test that takes the commands from the page uses all of them.
            if text.contains("use crate::pages::") && text.contains(&format!("\"{}\"", self.page)) {
                return faults;
            }
            code.push_str(&text);
        }
        for command in block.commands() {
            let words: Vec<&str> = command.split_whitespace().collect();
            let Some(program) = words.iter().position(|word| *word == "devenv") else { continue };
            let set = words[..program].iter().filter_map(|word| word.split_once('=')).map(|(name, _)| name);
            let own = words[program + 1..].iter().copied().take_while(|word| *word != "--");
            let used = own.enumerate().filter(|(at, word)| *at == 0 || word.starts_with("--")).map(|(_, word)| word);
            for word in set.chain(used).filter(|word| !code.contains(&format!("\"{word}\""))) {
                faults.push(format!("`{command}`: no test of {:?} uses {word}", self.tests));
            }
        }
        faults
    }
}

/// The command prints the output that the session shows, in the project of `tests/example` with the files that the
/// session shows.
fn printed(command: &str, block: &Block) -> Vec<String> {
    let project = Sandbox::new(&[("compose.prod.yaml", &read("tests/example/compose.prod.yaml"))]);
    project.write("web/Dockerfile", &read("tests/example/web/Dockerfile"));
    for step in block.steps() {
        let shown = step.output.join("\n");
        if step.command == command {
            let outcome = shell(&project, command, "");
            let is_it = outcome.code == 0 && outcome.stdout.trim_end() == shown.trim_end();
            return if is_it { Vec::new() } else { vec![format!("`{command}` prints {}", outcome.stdout)] };
        }
        let Some(path) = step.command.strip_prefix("cat ") else {
            return vec![format!("`{}` comes before `{command}`", step.command)];
        };
        project.write(path, &format!("{shown}\n"));
    }
    vec![format!("`{command}` is not in the session")]
}

/// Each line, without its comment, is in the source in this order; `…` stands for omitted text.
fn is_of_source(path: &str, block: &Block) -> Option<String> {
    let source = read(path);
    let mut rest = source.as_str();
    for line in &block.lines {
        let code = line.split(" //").next().unwrap_or_default().trim();
        for part in code.split('…') {
            let Some(at) = rest.find(part) else { return Some(format!("{path} has no `{part}` here")) };
            rest = &rest[at + part.len()..];
        }
    }
    None
}

#[test]
fn every_block_is_carried_out_read_or_named_with_its_test() {
    let (pages, entries) = (pages(), entries());
    let mut faults = Vec::new();
    let mut found = BTreeSet::new();
    for page in &pages {
        for block in &page.blocks {
            let place = format!("{}: {}", page.path, block.lines.first().map_or("", String::as_str));
            let of_it: Vec<usize> = (0..entries.len()).filter(|at| entries[*at].is_of(page, block)).collect();
            if let [one] = of_it[..] {
                found.insert(one);
                faults.extend(entries[one].faults(block).iter().map(|fault| format!("{place}\n  {fault}")));
            } else {
                faults.push(format!("{place}\n  {} entries in tests/docs/blocks.yaml", of_it.len()));
            }
        }
        let indented = page.prose.windows(2).find(|two| two[0].is_empty() && two[1].starts_with("    "));
        faults.extend(indented.map(|two| format!("{}: a block without a fence: {}", page.path, two[1])));
    }
    let unused = (0..entries.len()).filter(|at| !found.contains(at));
    faults.extend(unused.map(|at| format!("{}: no block begins with `{}`", entries[at].page, entries[at].begins)));
    assert!(found.len() > 15, "the blocks were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// A command as the documentation writes it, without optional parts, and with the first of several alternatives.
fn plain(command: &str) -> String {
    let mut plain = String::new();
    let mut depth = 0;
    for letter in command.chars() {
        depth += i32::from(letter == '[') - i32::from(letter == ']');
        if depth == 0 && letter != ']' {
            plain.push(letter);
        }
    }
    let first = |word: &str| word.split("\\|").next().unwrap_or_default().to_owned();
    plain.split(' ').map(first).collect::<Vec<_>>().join(" ").replace("help COMMAND", "help up")
}

#[test]
fn every_command_that_a_page_names_can_be_typed() {
    let mut faults = Vec::new();
    let mut count = 0;
    for page in pages().iter().filter(|page| page.path != "CHANGELOG.md") {
        let in_prose =
            page.quoted().into_iter().filter(|quoted| quoted.contains("devenv ") && !quoted.starts_with("tests/"));
        let in_blocks = page.blocks.iter().flat_map(Block::commands).filter(|line| line.contains("devenv "));
        for command in in_prose.chain(in_blocks) {
            count += 1;
            let command = plain(&command);
            let command = command.split(')').next().unwrap_or_default();
            faults.extend(can_be_typed(command).err().map(|fault| format!("{}: {fault}", page.path)));
        }
    }
    assert!(count > 80, "{count} commands were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
