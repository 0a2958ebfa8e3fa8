//! One variable to write, and the reason why a variable cannot be written.

use crate::model::{Diagnostic, Secret};

/// One variable of `.env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name that production uses.
    pub name: String,
    /// The value.
    pub value: EntryValue,
    /// The comment above the line: why the value is empty, where production gets the value, or which part was dropped.
    /// The comment can have several lines.
    pub comment: Option<String>,
}

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryValue {
    /// A value that everyone may see.
    Plain(String),
    /// A value that contains a credential.
    Secret(Secret),
    /// No value: the user has to fill it in. This is not the same as an empty text that production sets.
    Empty,
}

impl EntryValue {
    /// The text to write; `None` if the user has to fill in the value.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Secret(secret) => Some(secret.reveal()),
            Self::Empty => None,
        }
    }
}

/// A variable that a format does not carry for every reader, without its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The variable.
    pub name: String,
    /// The reason, as a clause after "because".
    pub reason: String,
    /// Whether most readers still read the value correctly; otherwise the value is left empty or the variable is not
    /// written.
    pub for_most: bool,
}

impl Refusal {
    pub(super) fn new(name: &str, reason: impl Into<String>) -> Self {
        Self { name: name.to_owned(), reason: reason.into(), for_most: false }
    }

    /// The message for a person. The caller adds the place where the value was declared.
    pub fn diagnostic(&self) -> Diagnostic {
        let what = if self.for_most { "is not read the same by every program" } else { "is not written" };
        Diagnostic::warning("value-not-carried", format!("the value of `{}` {what}", self.name))
            .because(self.reason.clone())
            .help(
                "all other variables are written; `devenv run -- COMMAND` sets this one as it is, unless it holds NUL",
            )
    }
}

/// Whether a name can be a variable for every reader: letters, digits and `_`, not starting with a digit.
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
