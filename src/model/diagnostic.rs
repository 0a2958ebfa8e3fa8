//! Messages for users: each says what is wrong, where, why, and how to continue.

use super::Origin;

/// The severity of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Information.
    Note,
    /// The command continues, but the result differs from the request.
    Warning,
    /// The command cannot continue.
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
    /// An image is not available.
    Image = 5,
    /// A service was not ready in time.
    NotReady = 6,
    /// `.env` or the environment differs from production.
    Differs = 7,
    /// The command of `run` exists and cannot be executed; the same code as a shell's.
    NotExecutable = 126,
    /// The command of `run` does not exist.
    NoCommand = 127,
    /// The user answered a question with Ctrl-C, or a signal stopped the command before its end.
    Cancelled = 130,
}

/// An additional place that a message points to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The place.
    pub origin: Origin,
    /// The text below the place.
    pub label: String,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The severity.
    pub severity: Severity,
    /// A short stable name in kebab case: `version-floating`.
    pub code: &'static str,
    /// The problem, in one sentence without a full stop.
    pub message: String,
    /// The place.
    pub origin: Option<Origin>,
    /// The text below the marked source text.
    pub label: String,
    /// Additional places, each with its text.
    pub related: Vec<Place>,
    /// The reasons and other details (log lines); each entry may have several lines.
    pub notes: Vec<String>,
    /// The advice; each entry is one alternative.
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

    /// Sets the place.
    #[must_use]
    pub fn at(mut self, origin: &Origin, label: impl Into<String>) -> Self {
        self.origin = Some(origin.clone());
        self.label = label.into();
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn and_at(mut self, origin: &Origin, label: impl Into<String>) -> Self {
        self.related.push(Place { origin: origin.clone(), label: label.into() });
        self
    }

    /// Adds a reason.
    #[must_use]
    pub fn because(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds advice.
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
    /// Whether another plan may succeed.
    pub reason: Reason,
}

/// The reason of a failure, as far as a caller decides by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reason {
    /// Report it.
    #[default]
    Final,
    /// The engine changed meanwhile: another program took a port that the plan had chosen, or the engine only now carried
    /// out a request of an earlier run. Another plan takes the change into account.
    Overtaken,
    /// The container of a service ended before anybody could log in.
    ContainerEnded,
    /// The run was asked to stop.
    Stopped,
}

impl Failure {
    /// A failure of one message.
    pub fn new(exit: Exit, diagnostic: Diagnostic) -> Self {
        Self::of(exit, vec![diagnostic])
    }

    /// A failure of several messages.
    pub fn of(exit: Exit, diagnostics: Vec<Diagnostic>) -> Self {
        Self { exit, diagnostics, reason: Reason::Final }
    }

    /// The same failure for another reason.
    #[must_use]
    pub fn because_of(self, reason: Reason) -> Self {
        Self { reason, ..self }
    }

    /// The messages as warnings, for a command that continues; `note` says what is missing then.
    pub fn into_warnings(self, note: &str) -> Vec<Diagnostic> {
        let soften = |one: Diagnostic| Diagnostic { severity: Severity::Warning, ..one }.because(note);
        self.diagnostics.into_iter().map(soften).collect()
    }
}

/// The known word nearest to a mistyped one, if it is near enough to be meant.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A mistyped word is shorter than this limit, and no user reads a list that is longer.
    let short = |word: &str| word.len() <= MAX_WORD_LENGTH;
    known
        .into_iter()
        .take(MAX_KNOWN)
        .filter(|candidate| {
            short(word) && short(candidate) && candidate.len().abs_diff(word.len()) <= MAX_WORD_LENGTH / 3
        })
        .map(|candidate| (edit_distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The length limit of compared words, in bytes.
const MAX_WORD_LENGTH: usize = 100;

/// The number of known words that a word is compared with.
const MAX_KNOWN: usize = 200;

/// Levenshtein's distance, in characters, where a swap of neighbours counts as one edit.
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
