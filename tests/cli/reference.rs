//! Everything that the documentation refers to exists: links, messages, kinds, commands, keys, paths and tests.

use crate::advice::{sources, texts};
use crate::pages::{Page, page, pages, top};
use crate::sandbox::Sandbox;
use clap::CommandFactory as _;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path};

/// The anchor of a heading, as code hosts build it.
fn anchor(heading: &str) -> String {
    // The text of a link, without its target.
    let mut words = String::new();
    let mut rest = heading;
    while let Some((before, link)) = rest.split_once("](") {
        words.push_str(before);
        rest = link.split_once(')').map_or("", |(_, after)| after);
    }
    words.push_str(rest);
    let letters = words.trim().chars().flat_map(char::to_lowercase);
    let kept = letters.filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

fn anchors(page: &Page) -> BTreeSet<String> {
    let headings = page.prose.iter().filter(|line| line.starts_with('#'));
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    let (mut faults, mut count, mut reached) = (Vec::new(), 0, BTreeSet::from(["README.md".to_owned()]));
    for page in &pages {
        let folder = Path::new(&page.path).parent().expect("a folder");
        let text = page.prose.join("\n");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '\n']).next()) {
            if link.starts_with("https://") {
                continue;
            }
            count += 1;
            let (path, wanted) = link.split_once('#').unwrap_or((link, ""));
            let mut to = folder.to_path_buf();
            for part in Path::new(path).components() {
                match part {
                    Component::ParentDir => {
                        to.pop();
                    }
                    part => to.push(part),
                }
            }
            let to = if path.is_empty() { page.path.clone() } else { to.display().to_string() };
            let target = pages.iter().find(|page| page.path == to);
            let leads = match target {
                Some(target) => wanted.is_empty() || anchors(target).contains(wanted),
                None => wanted.is_empty() && top().join(&to).exists(),
            };
            if !leads {
                faults.push(format!("{}: {link}", page.path));
            }
            if to != page.path {
                reached.insert(to);
            }
        }
    }
    assert!(count > 100, "{count} links were found");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let alone: Vec<&String> = pages.iter().map(|page| &page.path).filter(|path| !reached.contains(*path)).collect();
    assert!(alone.is_empty(), "no page leads to {alone:?}");
}

#[test]
fn readme_and_architecture_are_short_and_repeat_no_figure_of_their_own() {
    for path in ["README.md", "ARCHITECTURE.md"] {
        assert!(page(path).length <= 250, "{path} has {} lines", page(path).length);
    }
    let (readme, speed) = (page("README.md"), page("docs/speed.md"));
    let rows = readme.prose.iter().skip_while(|line| *line != "## Speed").filter(|line| line.starts_with("| "));
    let rows: Vec<&String> = rows.collect();
    assert!((2..=6).contains(&rows.len()), "{rows:?}");
    for row in rows {
        assert!(speed.prose.contains(row), "docs/speed.md does not have {row}");
    }
}

#[test]
fn every_kind_command_and_key_has_its_place_in_the_reference() {
    let sandbox = Sandbox::new(&[]);
    let text = page("docs/manifests.md").prose.join("\n");
    let (_, text) = text.split_once("\n## Kinds\n").expect("the kinds");
    let (in_full, rest) = text.split_once("**Approximated,**").expect("those in full");
    let approximated = rest.split("\n\n").next().expect("those approximated");
    let kinds = sandbox.succeed(&["kinds", "--json"]).json();
    let kinds = kinds["kinds"].as_array().expect("the kinds");
    assert!(kinds.len() > 20);
    for kind in kinds {
        let name = kind["name"].as_str().expect("a name");
        let place = if kind["support"] == "reproduced" { in_full } else { approximated };
        let listed = place.split(|letter: char| !letter.is_alphanumeric() && letter != '-').any(|word| word == name);
        assert!(listed || name.starts_with("generic"), "{name} is not listed as {}", kind["support"]);
    }

    let commands = page("docs/commands.md").prose.join("\n");
    for command in devenv::cli::Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        let is_there = [format!("`devenv {name}"), format!("`{name}")].iter().any(|words| commands.contains(words));
        assert!(is_there, "docs/commands.md does not have {name}");
    }

    let configuration = page("docs/configuration.md");
    let local = configuration.blocks.iter().find(|block| block.lines[0].starts_with("from: ")).expect("the example");
    let schema = sandbox.succeed(&["schema", "local"]).json();
    let of = |schema: &serde_json::Value| schema.as_object().expect("keys").keys().cloned().collect::<Vec<_>>();
    let service = &schema["properties"]["services"]["additionalProperties"]["properties"];
    for key in of(&schema["properties"]).iter().chain(&of(service)) {
        let is_there = local.lines.iter().any(|line| line.trim_start().starts_with(&format!("{key}:")));
        assert!(is_there, "the example of services.local.yaml does not have `{key}`");
    }
    let keys = configuration.prose.join("\n");
    let schema = sandbox.succeed(&["schema", "services"]).json();
    for key in of(&schema["properties"]["services"]["additionalProperties"]["properties"]) {
        assert!(keys.contains(&format!("`{key}`")), "docs/configuration.md does not have `{key}`");
    }
}

/// The text with `…` for each placeholder.
fn with_gaps(text: &str) -> String {
    let mut gaps = String::new();
    let mut depth = 0;
    for letter in text.chars() {
        match letter {
            '{' => {
                depth += 1;
                gaps.push('…');
            }
            '}' => depth -= 1,
            letter if depth == 0 => gaps.push(letter),
            _ => {}
        }
    }
    gaps
}

#[test]
fn every_message_that_is_explained_is_one_of_the_program_s() {
    let said: Vec<String> = sources().iter().flat_map(|(_, code)| texts(&code.replace(['(', ')'], " ")).0).collect();
    let said: Vec<String> = said.iter().map(|text| with_gaps(text)).collect();
    let has = |text: &String, message: &str| {
        let mut rest = text.as_str();
        message.split('…').all(|part| match rest.find(part) {
            Some(at) => {
                rest = &rest[at + part.len()..];
                true
            }
            None => false,
        })
    };
    let page = page("docs/troubleshooting.md");
    let headings = page.prose.iter().filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'));
    let headings: Vec<&str> = headings.collect();
    assert!(headings.len() > 20, "{headings:?}");
    let unknown: Vec<&&str> = headings.iter().filter(|message| !said.iter().any(|text| has(text, message))).collect();
    assert!(unknown.is_empty(), "the program does not say {unknown:#?}");
}

#[test]
fn every_path_and_test_that_a_page_names_is_there() {
    let mut tests = String::new();
    let mut waiting = vec![top().join("src"), top().join("tests")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                waiting.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                tests.push_str(&fs::read_to_string(entry).expect("a source"));
            }
        }
    }
    let mut faults = Vec::new();
    for page in pages().iter().filter(|page| page.path != "CHANGELOG.md") {
        for quoted in page.quoted() {
            let word = quoted.split([' ', ':']).next().unwrap_or_default().trim_end_matches('/');
            let is_path =
                ["src/", "tests/", "templates/", "fuzz/", ".ci/", "docs/"].iter().any(|top| word.starts_with(top));
            let is_source =
                word.contains('/') && Path::new(word).extension().is_some_and(|extension| extension == "rs");
            let is_there = top().join(word).exists() || top().join("src").join(word).exists();
            if (is_path || is_source) && !word.contains(['*', '…']) && !is_there {
                faults.push(format!("{}: no {word}", page.path));
            }
            let is_test = quoted.matches('_').count() > 3
                && quoted.chars().all(|c| c.is_lowercase() || c.is_numeric() || c == '_' || c == '…');
            if is_test && !tests.contains(&format!("fn {}", quoted.trim_end_matches('…'))) {
                faults.push(format!("{}: no test {quoted}", page.path));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
