//! Colour, and when there is any.

use std::env;
use std::io::IsTerminal;

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

    /// The text in this style, or as it is where there is no colour.
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
        if color && !text.is_empty() { format!("\u{1b}[{code}m{text}{}", Self::RESET) } else { text.to_owned() }
    }
}
