//! Shows the events of a run: on a terminal one line for each service that is redrawn in place, elsewhere a line for
//! each state that matters.
//!
//! Data goes elsewhere: this module writes nothing to standard output.

use super::layout::{Layout, Row, ServiceRow, TIME};
use super::paint::Style;
use super::printer::Printer;
use super::progress::Live;
use super::summary::{bytes, seconds};
use super::table::padded;
use super::visible::one_line;
use crate::model::{Event, PullProgress, ServiceState};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time after which a service's last error is shown beside it: before that time, the server is probably still
/// starting.
const PATIENCE: Duration = Duration::from_secs(3);

impl Row {
    fn new(service: ServiceRow) -> Self {
        Self {
            service,
            image: String::new(),
            state: "waiting".to_owned(),
            style: Style::Dim,
            took: None,
            tail: String::new(),
            last_error: String::new(),
            over: false,
        }
    }

    fn set(&mut self, state: &str, style: Style, tail: &str) {
        state.clone_into(&mut self.state);
        self.style = style;
        self.tail = one_line(tail);
        self.last_error.clear();
    }

    /// Returns the line, without a line end. While the service is not ready, `elapsed` is shown as its time.
    pub(super) fn text(&self, layout: Layout, elapsed: Option<Duration>, color: bool) -> String {
        let time = self.took.or(elapsed.filter(|_| !self.over)).map(seconds).unwrap_or_default();
        let patient = elapsed.is_some_and(|elapsed| elapsed < PATIENCE);
        let tail = if self.tail.is_empty() && !patient { &self.last_error } else { &self.tail };
        let dim_tail = if self.took.is_some() { Style::Plain } else { Style::Dim };
        let shape = layout.shape();
        let mut line = format!(
            " {}  {}",
            Style::Bold.paint(&padded(&one_line(&self.service.name), layout.name), color),
            padded(&one_line(&self.service.what), layout.what),
        );
        let image = shape.image.map(|width| Style::Dim.paint(&padded(&self.image, width), color));
        let state = Some(self.style.paint(&padded(&self.state, shape.state), color));
        let time = shape.time.then(|| format!("{time:>TIME$}"));
        for column in [image, state, time, Some(dim_tail.paint(tail, color))].into_iter().flatten() {
            line.push_str(shape.gap);
            line.push_str(&column);
        }
        line.trim_end().to_owned()
    }
}

/// Shows events as they arrive.
pub struct Reporter<'a> {
    printer: &'a Printer,
    layout: Layout,
    start: Instant,
    rows: Vec<Arc<Mutex<Row>>>,
    live: Option<Live>,
    silent: bool,
}

impl<'a> Reporter<'a> {
    /// A reporter for these services, in this order.
    pub fn new(printer: &'a Printer, services: &[ServiceRow]) -> Self {
        let layout = Layout::of(services).within(printer.width());
        let start = Instant::now();
        let rows: Vec<_> = services.iter().map(|service| Arc::new(Mutex::new(Row::new(service.clone())))).collect();
        let live = printer.progress().map(|progress| Live::start(progress, &rows, layout, start, printer.colors()));
        Self { printer, layout, start, rows, live, silent: printer.is_quiet() }
    }

    /// A reporter that shows only messages: for output that a program reads.
    pub fn silent(printer: &'a Printer) -> Self {
        let layout = Layout::of(&[]);
        Self { printer, layout, start: Instant::now(), rows: Vec::new(), live: None, silent: true }
    }

    /// The columns of its lines.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Shows one event.
    pub fn event(&self, event: &Event) {
        match event {
            Event::Message(diagnostic) => self.printer.diagnostic(diagnostic),
            Event::Service { name, state } => self.change(name, |row| on_service(row, state)),
            Event::Pull { image, services, progress } => {
                for name in services {
                    self.change(name, |row| on_pull(row, image, progress));
                }
            }
        }
    }

    /// Leaves the last state of every service on the terminal, as plain lines in the services' order.
    pub fn finish(self) {
        drop(self);
    }

    /// Changes a service's row; `change` returns whether a plain line is due.
    fn change(&self, name: &str, change: impl FnOnce(&mut Row) -> bool) {
        let found = self.rows.iter().enumerate().find_map(|(index, row)| {
            let row = row.lock().unwrap_or_else(PoisonError::into_inner);
            (row.service.name == name).then_some((index, row))
        });
        let Some((index, mut row)) = found else { return };
        let due = change(&mut row);
        let line = row.text(self.layout, None, self.printer.colors());
        let over = row.over;
        // The drawing thread takes the same lock.
        drop(row);
        match &self.live {
            Some(lines) => lines.redraw(index, over),
            None if due && !self.silent => self.printer.line(&line),
            None => {}
        }
    }

    /// Time since the start.
    pub fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// However a run ends, its lines stop changing.
impl Drop for Reporter<'_> {
    fn drop(&mut self) {
        let Some(live) = self.live.take() else { return };
        live.clear();
        for row in &self.rows {
            let row = row.lock().unwrap_or_else(PoisonError::into_inner);
            self.printer.line(&row.text(self.layout, None, self.printer.colors()));
        }
    }
}

fn on_service(row: &mut Row, state: &ServiceState) -> bool {
    match state {
        ServiceState::Replacing(why) => {
            row.set("replacing", Style::Busy, why);
            true
        }
        ServiceState::Starting => {
            row.set("starting", Style::Busy, "");
            false
        }
        ServiceState::Seeding { what, done, total } => {
            let first = row.state != "seeding" || !row.tail.starts_with(&one_line(what));
            let far = match total {
                _ if *done == 0 => String::new(),
                0 => format!(" · {}", bytes(*done)),
                _ => format!(" · {} of {}", bytes(*done), bytes(*total)),
            };
            row.set("seeding", Style::Busy, &format!("{what}{far}"));
            row.image = if *total > 0 { format!("{}%", done.saturating_mul(100) / total) } else { String::new() };
            first
        }
        ServiceState::LoggingIn(error) => {
            row.set("logging in", Style::Busy, "");
            row.last_error = one_line(error);
            false
        }
        ServiceState::Ready { took, address, proof, unchanged } => {
            row.set(&one_line(proof), Style::Good, address);
            row.took = Some(*took);
            row.over = true;
            if *unchanged {
                "unchanged".clone_into(&mut row.image);
            } else if row.image.is_empty() {
                "local image".clone_into(&mut row.image);
            }
            true
        }
        ServiceState::Failed => {
            row.set("failed", Style::Bad, "");
            row.over = true;
            true
        }
    }
}

fn on_pull(row: &mut Row, image: &str, progress: &PullProgress) -> bool {
    match progress {
        PullProgress::Bytes { done, total } => {
            let first = row.state != "pulling" && row.state != "retrying";
            row.set("pulling", Style::Busy, image);
            row.image = match total {
                _ if *done == 0 => String::new(),
                0 => bytes(*done),
                _ => format!("{}%", done.saturating_mul(100) / total),
            };
            if *done > 0 && *total > 0 {
                row.tail = format!("{} of {} · {}", bytes(*done), bytes(*total), row.tail);
            }
            first
        }
        PullProgress::Retry { error, wait } => {
            row.image.clear();
            row.set("retrying", Style::Warn, &format!("{error}; again in {}", seconds(*wait)));
            true
        }
        PullProgress::Done { bytes: pulled } => {
            row.set("pulled", Style::Busy, "");
            row.image = format!("pulled {}", bytes(*pulled));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn layout() -> Layout {
        Layout { name: 10, what: 13, width: None }
    }

    fn row() -> Row {
        Row::new(ServiceRow { name: "db".into(), what: "postgres 16.4".into() })
    }

    #[test]
    fn a_plain_line_is_due_for_states_that_matter() {
        let mut row = row();
        let pull = |done, total| PullProgress::Bytes { done, total };
        let mut said = Vec::new();
        let mut say = |due: bool, row: &Row| {
            if due {
                said.push(row.text(layout(), None, false));
            }
        };
        say(on_pull(&mut row, "postgres:16.4", &pull(0, 0)), &row);
        say(on_pull(&mut row, "postgres:16.4", &pull(1_000_000, 148_000_000)), &row);
        let error = "connection \u{1b}reset".to_owned();
        say(on_pull(&mut row, "postgres:16.4", &PullProgress::Retry { error, wait: Duration::from_secs(2) }), &row);
        say(on_pull(&mut row, "postgres:16.4", &pull(2_000_000, 148_000_000)), &row);
        say(on_pull(&mut row, "postgres:16.4", &PullProgress::Done { bytes: 148_000_000 }), &row);
        say(on_service(&mut row, &ServiceState::Replacing("its settings changed".into())), &row);
        say(on_service(&mut row, &ServiceState::Starting), &row);
        say(on_service(&mut row, &ServiceState::LoggingIn("connection refused".into())), &row);
        let ready = ServiceState::Ready {
            took: Duration::from_millis(2_130),
            address: "127.0.0.1:24310".into(),
            proof: "logged in".into(),
            unchanged: false,
        };
        say(on_service(&mut row, &ready), &row);
        assert_snapshot!(said.join("\n"), @r#"
        db          postgres 16.4                   pulling                 postgres:16.4
        db          postgres 16.4                   retrying                connection ␛reset; again in 2.0 s
        db          postgres 16.4   pulled 148 MB   replacing               its settings changed
        db          postgres 16.4   pulled 148 MB   logged in       2.1 s   127.0.0.1:24310
        "#);
    }

    #[test]
    fn a_line_on_the_terminal_shows_the_last_error_only_when_it_lasts() {
        let mut row = row();
        on_service(&mut row, &ServiceState::LoggingIn("connection refused".into()));
        let early = row.text(layout(), Some(Duration::from_secs(1)), false);
        let late = row.text(layout(), Some(Duration::from_secs(4)), false);
        assert!(!early.contains("refused"), "{early}");
        assert!(late.ends_with("4.0 s   connection refused"), "{late}");
    }

    #[test]
    fn a_line_fits_the_terminal_and_ends_in_its_whole_address() {
        let mut row = row();
        let ready = ServiceState::Ready {
            took: Duration::from_millis(2_130),
            address: "127.0.0.1:24310".into(),
            proof: "logged in".into(),
            unchanged: true,
        };
        on_service(&mut row, &ready);
        for width in [60, 80, 200] {
            let layout = Layout { name: 10, what: 14, width: Some(width) };
            let text = row.text(layout, None, false);
            assert!(
                console::measure_text_width(&text) <= width && text.ends_with("  127.0.0.1:24310"),
                "{width}: {text}"
            );
            assert_eq!(text.contains("unchanged"), width >= 80, "{text}");
            for line in layout.line("production", &"deploy/compose.prod.yaml (Compose) · ".repeat(5)).lines() {
                assert!(console::measure_text_width(line) <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn seeding_shows_the_file_and_the_progress() {
        let mut row = row();
        let seeding = |done| ServiceState::Seeding { what: "shop.sql".into(), done, total: 148_000_000 };
        assert!(on_service(&mut row, &seeding(0)), "each file has a line");
        assert!(!on_service(&mut row, &seeding(37_000_000)));
        assert_eq!(
            row.text(layout(), Some(Duration::from_millis(900)), false),
            " db          postgres 16.4   25%             seeding         0.9 s   shop.sql · 37 MB of 148 MB"
        );
    }

    #[test]
    fn pulling_shows_how_far_it_is() {
        let mut row = row();
        on_pull(&mut row, "postgres:16.4", &PullProgress::Bytes { done: 37_000_000, total: 148_000_000 });
        assert_eq!(
            row.text(layout(), Some(Duration::from_millis(900)), false),
            " db          postgres 16.4   25%             pulling         0.9 s   37 MB of 148 MB · postgres:16.4"
        );
    }
}
