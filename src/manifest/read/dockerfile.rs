//! Reads a Dockerfile: the base image of a `build:`, the program that it runs, and the images that it copies from.
//!
//! A stage that is based on an earlier stage is followed to that stage. Build arguments are replaced. Nothing is built.

use crate::manifest::read::interpolate::interpolate;
use crate::project::{Budget, Resource};
use std::collections::{HashMap, VecDeque};

/// The base image of a build's final stage, and the program that the stage runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    /// The image's name with arguments replaced; `scratch` if there is no image.
    pub(crate) image: String,
    /// The `FROM` line that names the image, counted from 1.
    pub(crate) line: u32,
    /// Arguments in the name that have no value.
    pub(crate) unset: Vec<String>,
    /// The last `ENTRYPOINT`, as words; the shell form as `sh -c TEXT`.
    pub(crate) entrypoint: Option<Vec<String>>,
    /// The last `CMD`, in the same form.
    pub(crate) command: Option<Vec<String>>,
}

struct Stage {
    image: String,
    line: u32,
    unset: Vec<String>,
    entrypoint: Option<Vec<String>>,
    command: Option<Vec<String>>,
    /// The images and stages that `COPY --from` names, each with its line.
    copies: Vec<(String, u32)>,
    /// The earlier stage that this stage is based on.
    parent: Option<usize>,
    /// The stage at the end of the chain of parents, which is based on an image.
    root: usize,
}

/// The stages of a file in order, and by name in lower case, the last stage of that name.
#[derive(Default)]
struct Stages {
    all: Vec<Stage>,
    names: HashMap<String, usize>,
}

impl Stages {
    fn named(&self, name: &str) -> Option<usize> {
        self.names.get(&name.to_ascii_lowercase()).copied()
    }

    /// The stage that a word means: a stage's name, else its number, counted from 0.
    fn meant(&self, word: &str) -> Option<usize> {
        self.named(word).or_else(|| word.parse::<usize>().ok().filter(|index| *index < self.all.len()))
    }
}

/// The images that contribute to a build's last stage, with their lines: first the base image, then the images that the
/// stage and its parents copy from. For a copy from another stage, the base image of that stage counts. Names with an
/// argument that has no value are not returned.
pub(crate) fn images(text: &str, budget: &Budget) -> Vec<(String, u32)> {
    let stages = stages(text, &HashMap::new(), budget);
    let Some(last) = stages.all.last() else { return Vec::new() };
    let image_of = |stage: &Stage| {
        let root = &stages.all[stage.root];
        (root.image.clone(), root.line, root.unset.is_empty())
    };
    let mut images = vec![image_of(last)];
    let mut next = Some(last);
    while let Some(stage) = next {
        for (name, line) in &stage.copies {
            images.push(match stages.meant(name) {
                Some(index) => image_of(&stages.all[index]),
                None => (name.clone(), *line, !name.contains('$')),
            });
        }
        next = stage.parent.map(|index| &stages.all[index]);
    }
    images.into_iter().filter(|(_, _, resolved)| *resolved).map(|(image, line, _)| (image, line)).collect()
}

/// Follows the target stage (the last stage if no target is given) to its base image. `None` if the file has no such
/// stage.
pub(crate) fn base(
    text: &str,
    arguments: &HashMap<String, String>,
    target: Option<&str>,
    budget: &Budget,
) -> Option<Base> {
    let stages = stages(text, arguments, budget);
    let mut at = match target.filter(|target| !target.is_empty()) {
        Some(target) => stages.meant(target)?,
        None => stages.all.len().checked_sub(1)?,
    };
    let (mut entrypoint, mut command) = (None, None);
    loop {
        let stage = &stages.all[at];
        // The ENTRYPOINT of a stage removes the CMD that the stage inherits.
        if command.is_none() && entrypoint.is_none() {
            command.clone_from(&stage.command);
        }
        if entrypoint.is_none() {
            entrypoint.clone_from(&stage.entrypoint);
        }
        match stage.parent {
            Some(parent) => at = parent,
            None => {
                return Some(Base {
                    image: stage.image.clone(),
                    line: stage.line,
                    unset: stage.unset.clone(),
                    entrypoint,
                    command,
                });
            }
        }
    }
}

fn stages(text: &str, arguments: &HashMap<String, String>, budget: &Budget) -> Stages {
    // A file from which many services are built is read for each of them, so each reading is counted.
    if !budget.spend(Resource::Steps, text.len()) {
        return Stages::default();
    }
    let mut global: HashMap<String, String> = HashMap::new();
    let mut stages = Stages::default();
    for (line, instruction) in instructions(text) {
        let (word, rest) = instruction.split_once(char::is_whitespace).unwrap_or((instruction.as_str(), ""));
        let rest = rest.trim();
        match word.to_ascii_uppercase().as_str() {
            "ARG" if stages.all.is_empty() => {
                for argument in rest.split_whitespace() {
                    let (name, default) = argument.split_once('=').unwrap_or((argument, ""));
                    let default = default.trim_matches(['"', '\'']);
                    let default = interpolate(default, &|name| global.get(name).cloned(), budget)
                        .map_or_else(|_| default.to_owned(), |value| value.text);
                    match arguments.get(name) {
                        Some(value) => drop(global.insert(name.to_owned(), value.clone())),
                        None if argument.contains('=') => drop(global.insert(name.to_owned(), default)),
                        None => {}
                    }
                }
            }
            "FROM" => {
                let words: Vec<&str> = rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
                let image = words.first().copied().unwrap_or_default();
                let name = match words.as_slice() {
                    [_, middle, name, ..] if middle.eq_ignore_ascii_case("as") => Some((*name).to_owned()),
                    _ => None,
                };
                let read = interpolate(image, &|name| global.get(name).cloned(), budget).ok();
                let unset = read.iter().flat_map(|read| &read.unset).map(|unset| unset.name.clone()).collect();
                let image = read.map_or_else(|| image.to_owned(), |read| read.text);
                let parent = stages.named(&image);
                let number = stages.all.len();
                let root = parent.map_or(number, |index| stages.all[index].root);
                stages.names.extend(name.map(|name| (name.to_ascii_lowercase(), number)));
                let copies = Vec::new();
                stages.all.push(Stage { image, line, unset, entrypoint: None, command: None, copies, parent, root });
            }
            "COPY" => {
                let from = rest.split_whitespace().take_while(|word| word.starts_with("--"));
                let from = from.into_iter().find_map(|word| word.strip_prefix("--from="));
                if let (Some(stage), Some(from)) = (stages.all.last_mut(), from) {
                    let known = interpolate(from, &|name| global.get(name).cloned(), budget).ok();
                    let from = known.filter(|read| read.unset.is_empty()).map_or(from.to_owned(), |read| read.text);
                    stage.copies.push((from, line));
                }
            }
            "ENTRYPOINT" => {
                if let Some(stage) = stages.all.last_mut() {
                    stage.entrypoint = Some(words(rest));
                    stage.command = None;
                }
            }
            "CMD" => {
                if let Some(stage) = stages.all.last_mut() {
                    stage.command = Some(words(rest));
                }
            }
            _ => {}
        }
    }
    stages
}

/// The words of the JSON form; for the shell form, `sh -c TEXT`.
fn words(text: &str) -> Vec<String> {
    serde_json::from_str(text).unwrap_or_else(|_| vec!["sh".to_owned(), "-c".to_owned(), text.to_owned()])
}

/// The instructions, each with the number of its first line. Comments are removed, continued lines are joined, and
/// here-documents are skipped.
fn instructions(text: &str) -> Vec<(u32, String)> {
    let escape = text
        .lines()
        .map_while(|line| line.trim().strip_prefix('#'))
        .find_map(|directive| directive.trim().to_ascii_lowercase().strip_prefix("escape=").map(str::to_owned))
        .map_or('\\', |escape| if escape == "`" { '`' } else { '\\' });
    let mut found: Vec<(u32, String)> = Vec::new();
    let mut open: Option<(u32, String)> = None;
    let mut documents: VecDeque<String> = VecDeque::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        if let Some(end) = documents.front() {
            if line.trim_start_matches('\t') == *end {
                documents.pop_front();
            }
            continue;
        }
        let content = line.trim();
        if content.starts_with('#') || content.is_empty() {
            continue;
        }
        let (start, mut joined) = open.take().unwrap_or((number, String::new()));
        if let Some(continued) = content.strip_suffix(escape) {
            joined.push_str(continued);
            joined.push(' ');
            open = Some((start, joined));
            continue;
        }
        joined.push_str(content);
        documents = here_documents(&joined).into();
        found.push((start, joined));
    }
    found.extend(open);
    found
}

/// The words that end the here-documents that an instruction opens.
fn here_documents(instruction: &str) -> Vec<String> {
    let takes_one = ["RUN", "COPY", "ADD"]
        .iter()
        .any(|word| instruction.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)));
    if !takes_one {
        return Vec::new();
    }
    instruction
        .split("<<")
        .skip(1)
        .filter_map(|after| {
            let after = after.strip_prefix('-').unwrap_or(after);
            let word = after.split(|c: char| c.is_whitespace() || ";&|)>".contains(c)).next().unwrap_or_default();
            let word = word.trim_matches(['"', '\'']);
            word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_').then(|| word.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(text: &str, target: Option<&str>) -> Option<String> {
        let arguments = HashMap::from([("PG".to_owned(), "16.4".to_owned())]);
        base(text, &arguments, target, &Budget::default()).map(|base| base.image)
    }

    #[test]
    fn the_last_stage_counts_and_earlier_stages_are_followed() {
        let text = "FROM golang AS build\nRUN make\nFROM postgres:16 AS base\nFROM base\nCOPY --from=build /x /x\n";
        assert_eq!(image(text, None).as_deref(), Some("postgres:16"));
        assert_eq!(image(text, Some("build")).as_deref(), Some("golang"));
        assert_eq!(image(text, Some("0")).as_deref(), Some("golang"));
        assert_eq!(image(text, Some("none")), None);
        assert_eq!(image("# nothing\n", None), None);
    }

    #[test]
    fn build_arguments_and_their_defaults_are_replaced() {
        assert_eq!(image("ARG PG=15\nFROM postgres:${PG}\n", None).as_deref(), Some("postgres:16.4"));
        assert_eq!(image("ARG R=redis\nARG V=7\nFROM ${R}:$V-alpine\n", None).as_deref(), Some("redis:7-alpine"));
        assert_eq!(base("ARG V\nFROM redis:$V\n", &HashMap::new(), None, &Budget::default()).unwrap().unset, ["V"]);
    }

    #[test]
    fn continued_lines_are_joined_and_here_documents_are_no_instructions() {
        let text =
            "# escape=`\nFROM --platform=linux/amd64 `\n  postgres:16\nRUN <<EOF\nFROM redis\nEOF\nCMD postgres\n";
        let base = base(text, &HashMap::new(), None, &Budget::default()).unwrap();
        assert_eq!((base.image.as_str(), base.line), ("postgres:16", 2));
        assert_eq!(base.command.unwrap(), ["sh", "-c", "postgres"]);
    }

    #[test]
    fn the_images_of_the_last_stage_are_found_with_their_lines() {
        let text = "ARG NODE=20\nFROM node:$NODE AS assets\nFROM golang:1.22 AS unused\nFROM ruby:3.3 AS base\n\
                    COPY --from=ghcr.io/astral-sh/uv:0.5 /uv /bin/\nFROM base\nCOPY --from=assets /a /a\n\
                    COPY --link --from=0 /b /b\nCOPY --from=$WHERE /c /c\n";
        let found = images(text, &Budget::default());
        let found: Vec<(&str, u32)> = found.iter().map(|(image, line)| (image.as_str(), *line)).collect();
        let node = ("node:20", 2);
        assert_eq!(found, [("ruby:3.3", 4), node, node, ("ghcr.io/astral-sh/uv:0.5", 5)]);
        assert_eq!(images("ARG V\nFROM ruby:$V\n", &Budget::default()), []);
        assert_eq!(images("", &Budget::default()), []);
    }

    #[test]
    fn the_entrypoint_of_the_stage_is_found() {
        let base =
            base("FROM postgres:16\nENTRYPOINT [\"/backup.sh\"]\n", &HashMap::new(), None, &Budget::default()).unwrap();
        assert_eq!(base.entrypoint.unwrap(), ["/backup.sh"]);
    }
}
