//! Lines that are redrawn in place on a terminal. Only this module draws with indicatif.

use super::layout::{Layout, Row};
use super::printer::{gate, terminal_width};
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the time is redrawn.
const TICK: Duration = Duration::from_millis(100);

/// One line for each row, drawn until the line is cleared.
pub(super) struct Live {
    progress: MultiProgress,
    lines: Vec<ProgressBar>,
}

impl Live {
    /// Draws the rows, in this order.
    pub(super) fn start(
        progress: &MultiProgress,
        rows: &[Arc<Mutex<Row>>],
        layout: Layout,
        start: Instant,
        color: bool,
    ) -> Self {
        let lines = rows.iter().map(|row| {
            let line = progress.add(ProgressBar::new_spinner());
            let row = Arc::clone(row);
            let draw = move |_: &ProgressState, out: &mut dyn fmt::Write| {
                let row = row.lock().unwrap_or_else(PoisonError::into_inner);
                let text = row.text(layout, Some(start.elapsed()), color);
                // One column stays free: a full line makes some terminals wrap.
                let width = terminal_width().unwrap_or(80).saturating_sub(1);
                let _ = out.write_str(&gate(&console::truncate_str(&text, width, "…"), color));
            };
            // The template is a constant, so it is always valid.
            let style = ProgressStyle::with_template("{line}").unwrap_or_else(|_| ProgressStyle::default_spinner());
            line.set_style(style.with_key("line", draw));
            line.enable_steady_tick(TICK);
            line
        });
        Self { lines: lines.collect(), progress: progress.clone() }
    }

    /// Redraws a row; the time of a finished row stops.
    pub(super) fn redraw(&self, index: usize, over: bool) {
        let Some(line) = self.lines.get(index) else { return };
        if over {
            line.disable_steady_tick();
        }
        line.tick();
    }

    /// Takes the lines off the terminal.
    pub(super) fn clear(self) {
        for line in &self.lines {
            line.disable_steady_tick();
            line.finish_and_clear();
        }
        let _ = self.progress.clear();
    }
}
