//! The one gate to the terminal, for standard output and standard error.
//!
//! The function that a caller uses decides who reads the text. Text for people never steers a terminal. Text for a
//! program keeps its exact bytes, unless a terminal reads it.
//!
//! A reader that goes away (`devenv env | head -1`) ends the output, not the command.

use super::diagnostic;
use super::failure::failure_json;
use super::lines::in_lines;
use super::paint::{ColorChoice, Style};
use super::visible::{colored, escaped, painted, visible};
use crate::model::{Diagnostic, Exit, Failure, Severity};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;
use std::borrow::Cow;
use std::env;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};

/// The width in columns if the terminal does not report one, or if there is no terminal: wide enough for a log.
const WIDTH: usize = 120;
/// The minimum width: no text can be shown well in less, so the terminal may wrap.
const NARROWEST: usize = 40;

/// The properties of an output stream.
#[derive(Clone, Copy, Debug)]
struct Stream {
    color: bool,
    terminal: bool,
}

impl Stream {
    fn of(stream: &impl io::IsTerminal, color: ColorChoice) -> Self {
        Self { color: color.applies_to(stream), terminal: stream.is_terminal() }
    }
}

/// Writes data to standard output and everything else to standard error.
#[derive(Debug)]
pub struct Printer {
    quiet: bool,
    out: Stream,
    err: Stream,
    /// Lines that are redrawn in place, if standard error is a terminal.
    progress: Option<MultiProgress>,
    /// Whether the reader of standard output has gone.
    out_closed: AtomicBool,
    /// Whether anything was written to standard output.
    out_used: AtomicBool,
}

impl Printer {
    /// A printer for this process. With `quiet`, it prints only data and errors.
    pub fn new(quiet: bool, color: ColorChoice) -> Self {
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let live = io::stderr().is_terminal() && !quiet && !dumb;
        Self {
            quiet,
            out: Stream::of(&io::stdout(), color),
            err: Stream::of(&io::stderr(), color),
            progress: live.then(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr())),
            out_closed: AtomicBool::new(false),
            out_used: AtomicBool::new(false),
        }
    }

    /// Prints text for people to standard output. Fails if the text cannot be written; a reader that has gone is not a
    /// failure.
    pub fn data(&self, text: &str) -> Result<(), Failure> {
        self.out_text(&fitted(&gate(text, self.out.color), out_width()))
    }

    /// Prints text for a program to standard output: its bytes are exact, unless the reader is a terminal.
    pub fn exact(&self, text: &str) -> Result<(), Failure> {
        self.out_text(&if self.out.terminal { gate(text, false) } else { Cow::Borrowed(text) })
    }

    /// Prints a line of another program's output to standard output: its bytes are exact, but on a terminal only its
    /// colours are kept.
    pub fn program_line(&self, text: &str) -> Result<(), Failure> {
        self.out_text(&program_line(text, self.out.terminal))
    }

    fn out_text(&self, text: &str) -> Result<(), Failure> {
        if self.out_closed.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.out_used.store(true, Ordering::Relaxed);
        let written = self.without_progress(|| {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        });
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.out_closed.store(true, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(Failure::new(
                Exit::Failed,
                Diagnostic::error("output", "standard output cannot be written").because(error.to_string()),
            )),
        }
    }

    /// Prints a value to standard output as indented JSON.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| {
            Failure::new(
                Exit::Failed,
                Diagnostic::error("output", "the result cannot be written as JSON").because(error.to_string()),
            )
        })?;
        self.out_text(&format!("{}\n", escaped(&text)))
    }

    /// Whether the reader of standard output has gone, so that more output is useless.
    pub fn is_closed(&self) -> bool {
        self.out_closed.load(Ordering::Relaxed)
    }

    /// Prints a line for people to standard error, unless quiet.
    pub fn line(&self, text: &str) {
        if !self.quiet {
            self.always(text);
        }
    }

    /// Prints a line for people to standard error, also when quiet.
    pub fn always(&self, text: &str) {
        self.error_text(&format!("{}\n", fitted(&gate(text, self.err.color), self.width())));
    }

    /// Prints a line for a program to standard error: its bytes are exact, unless the reader is a terminal.
    pub fn exact_error_line(&self, text: &str) {
        self.error_text(&format!("{}\n", if self.err.terminal { gate(text, false) } else { Cow::Borrowed(text) }));
    }

    /// Prints a line of another program's output to standard error: its bytes are exact, but on a terminal only its
    /// colours are kept.
    pub fn program_error_line(&self, text: &str) {
        self.error_text(&program_line(text, self.err.terminal));
    }

    /// Prints a question to standard error; the cursor stays behind the question.
    pub(super) fn prompt(&self, text: &str) {
        self.error_text(&gate(text, self.err.color));
    }

    /// Prints a message to standard error; when quiet, only an error.
    pub fn diagnostic(&self, diagnostic: &Diagnostic) {
        if !self.quiet || diagnostic.severity == Severity::Error {
            let width = terminal_width().unwrap_or(WIDTH).max(NARROWEST);
            let text = diagnostic::render(diagnostic, self.err.color, width, self.err.terminal);
            // The renderer's colours carry no mark; the renderer has already made the control characters of other texts
            // visible.
            self.error_text(&if self.err.color { colored(&text) } else { visible(&text) });
        }
    }

    /// Prints several messages, each as [`Printer::diagnostic`] does. Of very many messages, only the first are
    /// printed, and the number of the others.
    pub fn diagnostics<'a>(&self, diagnostics: impl IntoIterator<Item = &'a Diagnostic>) {
        const MANY: usize = 100;
        let mut left = diagnostics.into_iter();
        for diagnostic in left.by_ref().take(MANY) {
            self.diagnostic(diagnostic);
        }
        let left: Vec<Severity> = left.map(|diagnostic| diagnostic.severity).collect();
        if let Some(severity) = left.iter().max() {
            let more = Diagnostic {
                severity: *severity,
                ..Diagnostic::note("more", format!("and {} more messages", left.len()))
            };
            self.diagnostic(&more.help("`devenv manifest --json` lists every one that is about a manifest"));
        }
    }

    /// Prints all messages of a failure. With `json`, standard output also gets them as one object, unless it has an
    /// outcome already.
    pub fn failure(&self, failure: &Failure, json: bool) {
        self.diagnostics(&failure.diagnostics);
        if json && !self.out_used.load(Ordering::Relaxed) {
            // If standard output cannot be written, standard error has already reported that.
            let _ = self.json(&failure_json(failure));
        }
    }

    /// Returns a text in a style, for [`Printer::line`].
    pub fn paint(&self, style: Style, text: &str) -> String {
        style.paint(text, self.err.color)
    }

    /// Returns a text in a style, for [`Printer::data`].
    pub fn paint_data(&self, style: Style, text: &str) -> String {
        style.paint(text, self.out.color)
    }

    /// The columns of the terminal behind standard error, if there is one.
    pub fn width(&self) -> Option<usize> {
        terminal_width().filter(|_| io::stderr().is_terminal())
    }

    /// Whether only data and errors are printed.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub(super) fn progress(&self) -> Option<&MultiProgress> {
        self.progress.as_ref()
    }

    pub(super) fn colors(&self) -> bool {
        self.err.color
    }

    /// Takes the lines that are redrawn in place off the terminal while other text is written.
    fn without_progress<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.progress {
            Some(progress) => progress.suspend(write),
            None => write(),
        }
    }

    fn error_text(&self, text: &str) {
        // If standard error has gone, no other stream can report that.
        let _ = self.without_progress(|| io::stderr().lock().write_all(text.as_bytes()));
    }
}

/// The columns of the terminal behind standard output, if there is one.
pub(super) fn out_width() -> Option<usize> {
    console::Term::stdout()
        .size_checked()
        .filter(|_| io::stdout().is_terminal())
        .map(|(_, columns)| usize::from(columns))
}

/// Returns the text that may reach a terminal: no character steers the terminal, and only colours of this program
/// remain.
pub(super) fn gate(text: &str, color: bool) -> Cow<'_, str> {
    if color { painted(text) } else { visible(text) }
}

/// Wraps text for people, so that a terminal of that width breaks no word.
fn fitted(text: &str, width: Option<usize>) -> Cow<'_, str> {
    match width {
        Some(width) => Cow::Owned(in_lines(text, width.max(NARROWEST), "  ")),
        None => Cow::Borrowed(text),
    }
}

/// A line of another program, for a terminal or not. Its colours end with the line.
fn program_line(text: &str, terminal: bool) -> String {
    if !terminal {
        return format!("{text}\n");
    }
    // Programs that write for a terminal end their lines with a carriage return.
    let shown = colored(text.strip_suffix('\r').unwrap_or(text));
    let reset = if shown.contains('\u{1b}') { Style::RESET } else { "" };
    format!("{shown}{reset}\n")
}

/// The columns of the terminal behind standard error, if there is one.
pub(super) fn terminal_width() -> Option<usize> {
    console::Term::stderr().size_checked().map(|(_, columns)| usize::from(columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_program_s_line_is_exact_in_a_pipe_and_keeps_its_colours_on_a_terminal() {
        let line = "\u{1b}[31mred\u{1b}]52;c;eA==\u{7}\r";
        assert_eq!(program_line(line, false), format!("{line}\n"));
        assert_eq!(program_line(line, true), "\u{1b}[31mred␛]52;c;eA==␇\u{1b}[0m\n");
        assert_eq!(program_line("plain", true), "plain\n");
    }

    #[test]
    fn text_for_people_has_only_the_program_s_own_colours() {
        let own = Style::Bad.paint("\u{1b}[31mx", true);
        assert_eq!(gate(&format!("{own}\u{1b}[0my\u{1b}[2J"), true), "\u{1b}[31m␛[31mx\u{1b}[0m␛[0my␛[2J");
        assert_eq!(gate("\u{1b}[31mx\u{202e}", false), "␛[31mx\u{fffd}");
    }
}
