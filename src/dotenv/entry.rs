//! One variable as it is to be written, and why one cannot be.

use crate::model::{Diagnostic, Secret};

/// One variable of `.env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Production's own name.
    pub name: String,
    /// What it is.
    pub value: EntryValue,
    /// Shown above the line: why it is empty, where production gets it, what was dropped. May have several lines.
    pub comment: Option<String>,
}

/// What a variable is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryValue {
    /// A value that anyone may see.
    Plain(String),
    /// A value that holds a credential.
    Secret(Secret),
    /// Left empty for the user to fill in; not the same as a value that production sets to the empty text.
    Empty,
}

impl EntryValue {
    /// The text to write; nothing where the value is for the user to fill in.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Secret(secret) => Some(secret.reveal()),
            Self::Empty => None,
        }
    }
}

/// A variable that a format does not carry for every reader. It never holds the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The variable.
    pub name: String,
    /// Why: reads on from "because".
    pub reason: String,
    /// Whether most readers read it all the same; else it is left empty or out.
    pub for_most: bool,
}

impl Refusal {
    pub(super) fn new(name: &str, reason: impl Into<String>) -> Self {
        Self { name: name.to_owned(), reason: reason.into(), for_most: false }
    }

    /// The message for a person; where the value was declared is for the caller to add.
    pub fn diagnostic(&self) -> Diagnostic {
        let what = if self.for_most { "is not read the same by every program" } else { "is not written" };
        Diagnostic::warning("value-not-carried", format!("the value of `{}` {what}", self.name))
            .because(self.reason.clone())
            .help(
                "all other variables are written; `devenv run -- COMMAND` sets this one as it is, unless it holds NUL",
            )
    }
}

/// Whether a name can be a variable for every reader: letters, digits and `_`, no digit first.
pub(super) fn check_name(name: &str) -> Result<(), Refusal> {
    let good = !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if good {
        Ok(())
    } else {
        let reason = "a shell takes only letters, digits and `_` in a name, and no digit first";
        Err(Refusal::new(name, reason))
    }
}
