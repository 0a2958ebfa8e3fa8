//! The one gate to the terminal, for standard output and standard error.
//!
//! What is written says by the function it calls for whom it is: for people, and then nothing in it steers a terminal; or
//! for a program, and then its bytes are exact, unless a terminal reads them.
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

/// Columns where the terminal does not say, or there is none: wide enough for a log.
const WIDTH: usize = 120;
/// Narrower than this nothing can be shown well; the terminal may wrap.
const NARROWEST: usize = 40;

/// Who reads a stream.
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
    /// Lines that change in place, where standard error is a terminal.
    progress: Option<MultiProgress>,
    /// Whether the reader of standard output has gone.
    out_closed: AtomicBool,
    /// Whether anything was written there.
    out_used: AtomicBool,
}

impl Printer {
    /// A printer for this process. `quiet` leaves data and errors only.
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

    /// Text for people on standard output. Fails where it cannot be written; a reader that has gone is no failure.
    pub fn data(&self, text: &str) -> Result<(), Failure> {
        self.out_text(&fitted(&gate(text, self.out.color), out_width()))
    }

    /// Text for a program on standard output: its bytes are exact, unless the reader is a terminal.
    pub fn exact(&self, text: &str) -> Result<(), Failure> {
        self.out_text(&if self.out.terminal { gate(text, false) } else { Cow::Borrowed(text) })
    }

    /// A line of another program's output on standard output: the same, but its colours pass.
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

    /// A value for standard output as indented JSON.
    pub fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| {
            Failure::new(
                Exit::Failed,
                Diagnostic::error("output", "the result cannot be written as JSON").because(error.to_string()),
            )
        })?;
        self.out_text(&format!("{}\n", escaped(&text)))
    }

    /// Whether the reader of standard output has gone, so that there is no use in going on.
    pub fn is_closed(&self) -> bool {
        self.out_closed.load(Ordering::Relaxed)
    }

    /// A line for people on standard error, unless quiet.
    pub fn line(&self, text: &str) {
        if !self.quiet {
            self.always(text);
        }
    }

    /// A line for people on standard error, also when quiet.
    pub fn always(&self, text: &str) {
        self.error_text(&format!("{}\n", fitted(&gate(text, self.err.color), self.width())));
    }

    /// A line for a program on standard error: its bytes are exact, unless the reader is a terminal.
    pub fn exact_error_line(&self, text: &str) {
        self.error_text(&format!("{}\n", if self.err.terminal { gate(text, false) } else { Cow::Borrowed(text) }));
    }

    /// A line of another program's output on standard error: the same, but its colours pass.
    pub fn program_error_line(&self, text: &str) {
        self.error_text(&program_line(text, self.err.terminal));
    }

    /// A question on standard error; the cursor stays behind it.
    pub(super) fn prompt(&self, text: &str) {
        self.error_text(&gate(text, self.err.color));
    }

    /// A message on standard error; when quiet only an error.
    pub fn diagnostic(&self, diagnostic: &Diagnostic) {
        if !self.quiet || diagnostic.severity == Severity::Error {
            let width = terminal_width().unwrap_or(WIDTH).max(NARROWEST);
            let text = diagnostic::render(diagnostic, self.err.color, width, self.err.terminal);
            // The renderer's colours carry no mark; it has made visible what others wrote.
            self.error_text(&if self.err.color { colored(&text) } else { visible(&text) });
        }
    }

    /// Several messages, each as [`Printer::diagnostic`] has it; of very many the first, and how many there are more.
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
                ..Diagnostic::note("more", format!("and {} messages more", left.len()))
            };
            self.diagnostic(&more.help("`devenv manifest --json` lists every one that is about a manifest"));
        }
    }

    /// All messages of a failure. With `json` standard output holds them as one object too, unless it holds an outcome
    /// already.
    pub fn failure(&self, failure: &Failure, json: bool) {
        self.diagnostics(&failure.diagnostics);
        if json && !self.out_used.load(Ordering::Relaxed) {
            // Where standard output cannot be written, standard error has said it.
            let _ = self.json(&failure_json(failure));
        }
    }

    /// A text in a style, for [`Printer::line`].
    pub fn paint(&self, style: Style, text: &str) -> String {
        style.paint(text, self.err.color)
    }

    /// A text in a style, for [`Printer::data`].
    pub fn paint_data(&self, style: Style, text: &str) -> String {
        style.paint(text, self.out.color)
    }

    /// Columns of the terminal behind standard error, if there is one.
    pub fn width(&self) -> Option<usize> {
        terminal_width().filter(|_| io::stderr().is_terminal())
    }

    /// Whether only data and errors are wanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub(super) fn progress(&self) -> Option<&MultiProgress> {
        self.progress.as_ref()
    }

    pub(super) fn colors(&self) -> bool {
        self.err.color
    }

    /// Takes the lines that change in place off the terminal while something is written.
    fn without_progress<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.progress {
            Some(progress) => progress.suspend(write),
            None => write(),
        }
    }

    fn error_text(&self, text: &str) {
        // Where standard error is gone there is nobody left to tell.
        let _ = self.without_progress(|| io::stderr().lock().write_all(text.as_bytes()));
    }
}

/// Columns of the terminal behind standard output, if there is one.
pub(super) fn out_width() -> Option<usize> {
    console::Term::stdout()
        .size_checked()
        .filter(|_| io::stdout().is_terminal())
        .map(|(_, columns)| usize::from(columns))
}

/// What may reach a terminal: nothing that steers it, and of colours those alone that this program paints.
pub(super) fn gate(text: &str, color: bool) -> Cow<'_, str> {
    if color { painted(text) } else { visible(text) }
}

/// Text for people so that a terminal of that width breaks no word of it.
fn fitted(text: &str, width: Option<usize>) -> Cow<'_, str> {
    match width {
        Some(width) => Cow::Owned(in_lines(text, width.max(NARROWEST), "  ")),
        None => Cow::Borrowed(text),
    }
}

/// A line of another program's, for a terminal or not. Its colours end with it.
fn program_line(text: &str, terminal: bool) -> String {
    if !terminal {
        return format!("{text}\n");
    }
    // Programs that write for a terminal end their lines so.
    let shown = colored(text.strip_suffix('\r').unwrap_or(text));
    let reset = if shown.contains('\u{1b}') { Style::RESET } else { "" };
    format!("{shown}{reset}\n")
}

/// Columns of the terminal behind standard error, if there is one.
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
    fn text_for_people_has_the_program_s_own_colours_and_nobody_else_s() {
        let own = Style::Bad.paint("\u{1b}[31mx", true);
        assert_eq!(gate(&format!("{own}\u{1b}[0my\u{1b}[2J"), true), "\u{1b}[31m␛[31mx\u{1b}[0m␛[0my␛[2J");
        assert_eq!(gate("\u{1b}[31mx\u{202e}", false), "␛[31mx\u{fffd}");
    }
}
