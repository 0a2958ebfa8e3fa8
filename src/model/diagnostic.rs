//! What is said to a person: what went wrong, where, why, and what to do next.

use super::Origin;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Goes on, but differs from what was asked.
    Warning,
    /// Does not go on.
    Error,
}

/// The exit codes, in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Something failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A manifest cannot be read, or does not say enough.
    Manifest = 3,
    /// The engine cannot be reached.
    Engine = 4,
    /// An image cannot be had.
    Image = 5,
    /// A service was not ready in time.
    NotReady = 6,
    /// `.env` or the environment differs from production.
    Differs = 7,
    /// The command of `run` is there and cannot be executed; as a shell has it.
    NotExecutable = 126,
    /// There is no such command.
    NoCommand = 127,
    /// Ctrl-C was the answer to a question, or a signal stopped the command before it was done.
    Cancelled = 130,
}

/// A further place that a message points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where.
    pub origin: Origin,
    /// What is there.
    pub label: String,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A short stable name in kebab case: `version-floating`.
    pub code: &'static str,
    /// What went wrong, in one sentence without a full stop.
    pub message: String,
    /// Where.
    pub origin: Option<Origin>,
    /// What to say below the marked text.
    pub label: String,
    /// Further places, each with what is there.
    pub related: Vec<Place>,
    /// Why, and what else belongs to it (log lines); each may have several lines.
    pub notes: Vec<String>,
    /// What to do next; each entry is one way.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message)
    }

    /// A warning.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message)
    }

    /// A note.
    pub fn note(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, code, message)
    }

    fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            severity,
            code,
            message: message.into(),
            origin: None,
            label: String::new(),
            related: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, origin: &Origin, label: impl Into<String>) -> Self {
        self.origin = Some(origin.clone());
        self.label = label.into();
        self
    }

    /// Adds a further place.
    #[must_use]
    pub fn and_at(mut self, origin: &Origin, label: impl Into<String>) -> Self {
        self.related.push(Place { origin: origin.clone(), label: label.into() });
        self
    }

    /// Says why.
    #[must_use]
    pub fn because(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

/// Why a command ended: its messages and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// The messages, at least one.
    pub diagnostics: Vec<Diagnostic>,
}

impl Failure {
    /// A failure of one message.
    pub fn new(exit: Exit, diagnostic: Diagnostic) -> Self {
        Self { exit, diagnostics: vec![diagnostic] }
    }

    /// The messages as warnings, where it goes on without: `note` says without what.
    pub fn into_warnings(self, note: &str) -> Vec<Diagnostic> {
        let soften = |one: Diagnostic| Diagnostic { severity: Severity::Warning, ..one }.because(note);
        self.diagnostics.into_iter().map(soften).collect()
    }
}

/// The known word nearest to a mistyped one, if it is near enough to be meant.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // No word that somebody mistyped is as long, and nobody reads a list as long as that.
    let short = |word: &str| word.len() <= LONGEST_WORD;
    known
        .into_iter()
        .take(MOST_KNOWN)
        .filter(|candidate| short(word) && short(candidate) && candidate.len().abs_diff(word.len()) <= LONGEST_WORD / 3)
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How long words are that are compared, in bytes.
const LONGEST_WORD: usize = 100;

/// How many words one is compared with.
const MOST_KNOWN: usize = 200;

/// Levenshtein's distance, in characters, with a swap of neighbours counted as one.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_found_and_a_far_one_is_not() {
        let known = ["services", "variables", "settings"];
        assert_eq!(did_you_mean("servcies", known), Some("services"));
        assert_eq!(did_you_mean("setings", known), Some("settings"));
        assert_eq!(did_you_mean("networks", known), None);
    }
}
