//! The documentation as data: its pages, the blocks in the pages, and the commands in a block.

use std::fs;
use std::path::{Path, PathBuf};

/// A page.
pub(crate) struct Page {
    /// Its path, relative to the root of the repository: `docs/data.md`.
    pub(crate) path: String,
    /// Its lines outside of blocks; lines of blocks are empty here.
    pub(crate) prose: Vec<String>,
    /// Its blocks.
    pub(crate) blocks: Vec<Block>,
    /// The number of its lines.
    pub(crate) length: usize,
}

/// A fenced block.
pub(crate) struct Block {
    /// The language after the fence: `sh`, `console`, `yaml`.
    pub(crate) language: String,
    /// Its lines.
    pub(crate) lines: Vec<String>,
}

/// One command of a session, and its output.
pub(crate) struct Step {
    /// The command as a user types it.
    pub(crate) command: String,
    /// The lines of output.
    pub(crate) output: Vec<String>,
}

/// The root of the repository.
pub(crate) fn top() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A page by its path.
pub(crate) fn page(path: &str) -> Page {
    let text = fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut page = Page { path: path.to_owned(), prose: Vec::new(), blocks: Vec::new(), length: text.lines().count() };
    let mut open: Option<Block> = None;
    for line in text.lines() {
        let is_prose = match (line.strip_prefix("```"), &mut open) {
            (Some(""), Some(_)) => {
                page.blocks.extend(open.take());
                false
            }
            (Some(language), None) => {
                open = Some(Block { language: language.to_owned(), lines: Vec::new() });
                false
            }
            (_, Some(block)) => {
                block.lines.push(line.to_owned());
                false
            }
            (None, None) => true,
        };
        page.prose.push(if is_prose { line.to_owned() } else { String::new() });
    }
    assert!(open.is_none(), "{path}: a block has no end");
    page
}

/// README.md, ARCHITECTURE.md, CHANGELOG.md and every page below `docs/`.
pub(crate) fn pages() -> Vec<Page> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of pages") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let mut found = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| top().join(name)).to_vec();
    walk(&top().join("docs"), &mut found);
    found.sort();
    let path = |path: &PathBuf| path.strip_prefix(top()).expect("below the top").display().to_string();
    found.iter().map(|found| page(&path(found))).collect()
}

impl Block {
    /// The text of the file that the block shows.
    pub(crate) fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }

    /// The commands of a session, each with its output.
    pub(crate) fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for line in &self.lines {
            match (line.strip_prefix("$ "), steps.last_mut()) {
                (Some(command), _) => steps.push(Step { command: command.to_owned(), output: Vec::new() }),
                (None, Some(step)) => step.output.push(line.clone()),
                (None, None) => panic!("a session begins with a command: {line}"),
            }
        }
        steps
    }

    /// Every command in it that a user can type, without comments.
    pub(crate) fn commands(&self) -> Vec<String> {
        let typed: Vec<String> = match self.language.as_str() {
            "sh" => self.lines.clone(),
            "console" => self.steps().into_iter().map(|step| step.command).collect(),
            _ => Vec::new(),
        };
        let bare = typed.iter().map(|line| line.split(" #").next().unwrap_or_default().trim().to_owned());
        bare.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
    }
}

impl Page {
    /// The texts between backticks in its prose, also across line breaks.
    pub(crate) fn quoted(&self) -> Vec<String> {
        let text = self.prose.join("\n");
        let paragraphs = text.split("\n\n").flat_map(|paragraph| paragraph.split("\n|"));
        let of = |paragraph: &str| -> Vec<String> {
            paragraph.replace('\n', " ").split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        paragraphs.flat_map(of).collect()
    }
}
