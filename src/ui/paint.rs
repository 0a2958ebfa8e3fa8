//! Colours, and when there are any.

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::BuildHasher as _;
use std::io::IsTerminal;
use std::sync::LazyLock;

/// Marks the escape sequences of this process, so that the gate can tell them from the sequences of other programs,
/// which cannot guess the mark. The mark consists of numbers after the code of each sequence, and the gate removes it.
/// Each number has four digits, because `console` takes no longer number for a part of a sequence.
pub(super) static MARK: LazyLock<String> = LazyLock::new(|| {
    let chance = RandomState::new().hash_one("mark");
    [1, 10_000, 100_000_000].map(|from| format!(";{:04}", chance / from % 10_000)).concat()
});

/// The value of `--color`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl ColorChoice {
    /// Whether to colour the output to this stream.
    pub(super) fn applies_to(self, stream: &impl IsTerminal) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
                let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
                stream.is_terminal() && !unwanted && !dumb
            }
        }
    }
}

/// The style of a piece of text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Unchanged.
    #[default]
    Plain,
    /// A text that the reader should find.
    Bold,
    /// A text that the reader may skip.
    Dim,
    /// Done.
    Good,
    /// In progress.
    Busy,
    /// Needs attention.
    Warn,
    /// Failed.
    Bad,
}

impl Style {
    /// Ends any style.
    pub(super) const RESET: &str = "\u{1b}[0m";

    /// Returns the text in this style, or unchanged if there is no colour. Only the gate (`printer::gate`) removes the
    /// marks.
    pub(super) fn paint(self, text: &str, color: bool) -> String {
        let code = match self {
            Self::Plain => return text.to_owned(),
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Busy => "36",
            Self::Warn => "33",
            Self::Bad => "31",
        };
        if color && !text.is_empty() {
            let mark = MARK.as_str();
            format!("\u{1b}[{code}{mark}m{text}\u{1b}[0{mark}m")
        } else {
            text.to_owned()
        }
    }
}
