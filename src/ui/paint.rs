//! Colour, and when there is any.

use std::collections::hash_map::RandomState;
use std::env;
use std::hash::BuildHasher as _;
use std::io::IsTerminal;
use std::sync::LazyLock;

/// Marks the sequences of this process among those that others wrote, who cannot guess it: numbers behind the code of
/// each, which the gate takes away. Of more than four digits none would be taken for a part of a sequence (`console`).
pub(super) static MARK: LazyLock<String> = LazyLock::new(|| {
    let chance = RandomState::new().hash_one("mark");
    [1, 10_000, 100_000_000].map(|from| format!(";{:04}", chance / from % 10_000)).concat()
});

/// What `--color` says.
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
    /// Whether to colour what goes to this stream.
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

/// How a piece of text is set off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// As it is.
    #[default]
    Plain,
    /// What the eye should find.
    Bold,
    /// What may be passed over.
    Dim,
    /// Done.
    Good,
    /// On its way.
    Busy,
    /// Worth a look.
    Warn,
    /// Failed.
    Bad,
}

impl Style {
    /// Ends any style.
    pub(super) const RESET: &str = "\u{1b}[0m";

    /// The text in this style, or as it is where there is no colour. Only the gate (`printer::gate`) takes its marks away.
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
