//! The columns of the report of a run.

use super::lines::wrapped;
use super::paint::Style;
use super::table::padded;
use super::visible::one_line;
use std::time::Duration;

/// The widths of the image's origin and of the state; both fit their usual words.
pub(super) const IMAGE: usize = 13;

pub(super) const STATE: usize = 12;

/// The widths of the state if there is little room, of the time, and of an address on loopback.
pub(super) const SHORT_STATE: usize = 10;

pub(super) const TIME: usize = 6;

pub(super) const ADDRESS: usize = 15;

/// A service in the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceRow {
    /// Its name.
    pub name: String,
    /// Kind and version: `postgres 16.4`.
    pub what: String,
}

/// The columns of the report, so that the lines before and after the services are aligned with the services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The width of the first column: names and labels.
    pub name: usize,
    /// The width of kind and version.
    pub what: usize,
    /// The width of the terminal, if there is one.
    pub width: Option<usize>,
}

/// Which columns a service's line has, and how wide they are.
pub(super) struct Shape {
    pub(super) gap: &'static str,
    pub(super) image: Option<usize>,
    pub(super) state: usize,
    pub(super) time: bool,
}

/// From all columns to the fewest. The whole address is always there.
pub(super) const SHAPES: [Shape; 4] = [
    Shape { gap: "   ", image: Some(IMAGE), state: STATE, time: true },
    Shape { gap: "  ", image: Some(IMAGE), state: SHORT_STATE, time: true },
    Shape { gap: "  ", image: None, state: SHORT_STATE, time: true },
    Shape { gap: "  ", image: None, state: SHORT_STATE, time: false },
];

impl Shape {
    /// The width of a line with an address at its end.
    pub(super) fn width(&self, layout: Layout) -> usize {
        let columns = [self.image, Some(self.state), self.time.then_some(TIME), Some(ADDRESS)];
        let columns = columns.into_iter().flatten().map(|column| self.gap.len() + column);
        1 + layout.name + 2 + layout.what + columns.sum::<usize>()
    }
}

impl Layout {
    /// A layout that is wide enough for these services and for the label `production`.
    pub fn of(services: &[ServiceRow]) -> Self {
        let widest = |texts: &mut dyn Iterator<Item = &String>| {
            texts.map(|text| console::measure_text_width(&one_line(text))).max().unwrap_or_default()
        };
        Self {
            name: widest(&mut services.iter().map(|row| &row.name)).max("production".len()),
            what: widest(&mut services.iter().map(|row| &row.what)),
            width: None,
        }
    }

    /// The same layout on a terminal of that many columns.
    #[must_use]
    pub fn within(self, width: Option<usize>) -> Self {
        Self { width, ..self }
    }

    /// Returns a separate line with a label in the first column. If the text is too long for the terminal, it continues
    /// below itself, broken between words.
    pub fn line(&self, label: &str, text: &str) -> String {
        let indent = 1 + self.name.max(console::measure_text_width(label)) + 2;
        let text = match self.width {
            Some(width) if width > 2 * indent => {
                wrapped(text, width - indent).join(&format!("\n{}", " ".repeat(indent)))
            }
            _ => text.to_owned(),
        };
        format!(" {}  {text}", padded(label, self.name))
    }

    pub(super) fn shape(&self) -> &'static Shape {
        let fits = |shape: &&Shape| self.width.is_none_or(|width| shape.width(*self) <= width);
        SHAPES.iter().find(fits).unwrap_or(&SHAPES[SHAPES.len() - 1])
    }
}

/// One service's line.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) service: ServiceRow,
    pub(super) image: String,
    pub(super) state: String,
    pub(super) style: Style,
    /// Set once the service is ready.
    pub(super) took: Option<Duration>,
    /// The address, or details of the state.
    pub(super) tail: String,
    /// Shown beside the state when the state lasts.
    pub(super) last_error: String,
    pub(super) over: bool,
}
