//! Aligned columns.
//!
//! Widths are those of a terminal: a wide character takes two columns, a colour none.

use super::lines::wrapped;
use super::paint::Style;
use super::printer::{Printer, out_width};
use super::visible::one_line;

/// The space between two columns.
const GAP: &str = "   ";

/// A cell that is wider only moves its own row, so that one long text does not make every line as long.
const WIDEST: usize = 200;

/// Rows under a header.
#[derive(Clone, Debug, Default)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    /// The number of columns at the end that may be dropped if the terminal is too narrow.
    spare: usize,
}

impl Table {
    /// A table with these headings; without headings, it has no heading line.
    pub fn new<'a>(header: impl IntoIterator<Item = &'a str>) -> Self {
        Self { header: header.into_iter().map(str::to_owned).collect(), rows: Vec::new(), spare: 0 }
    }

    /// The same table. If the terminal has no room, its last columns are dropped, the last column first.
    #[must_use]
    pub fn spare(self, columns: usize) -> Self {
        Self { spare: columns, ..self }
    }

    /// Adds a row. Characters that would move the cursor are made visible; line feeds become blanks.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(&cell.into())).collect());
    }

    /// Whether the table has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Renders the table as data for standard output; each line ends in a line feed.
    pub fn render(&self, printer: &Printer) -> String {
        self.render_within(printer, out_width())
    }

    /// The same in that many columns.
    fn render_within(&self, printer: &Printer, width: Option<usize>) -> String {
        let headed = !self.header.is_empty();
        let all: Vec<Vec<String>> =
            headed.then(|| self.header.clone()).into_iter().chain(self.rows.iter().cloned()).collect();
        let all = match width {
            Some(width) => fitted(all, self.spare, width),
            None => all,
        };
        let mut lines = columns(&all).into_iter();
        let mut text = String::new();
        if headed && let Some(line) = lines.next() {
            text.push_str(&printer.paint_data(Style::Dim, &line));
            text.push('\n');
        }
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
        text
    }
}

/// Fits the rows into a width, as far as possible: spare columns are dropped, then the widest columns that can be
/// broken between words are wrapped.
fn fitted(mut rows: Vec<Vec<String>>, spare: usize, width: usize) -> Vec<Vec<String>> {
    let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP.len() * widths.len().saturating_sub(1);
    let widest = |rows: &[Vec<String>], measure: fn(&str) -> usize| -> Vec<usize> {
        let count = rows.iter().map(Vec::len).max().unwrap_or_default();
        let of =
            |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| measure(cell)).max().unwrap_or(0);
        (0..count).map(of).collect()
    };
    for _ in 0..spare {
        let widths = widest(&rows, console::measure_text_width);
        if total(&widths) <= width || widths.len() <= 1 {
            break;
        }
        for row in &mut rows {
            row.truncate(widths.len() - 1);
        }
    }
    let mut widths = widest(&rows, console::measure_text_width);
    let least = widest(&rows, longest_word);
    while total(&widths) > width {
        let slack = |column: &usize| widths[*column].saturating_sub(least[*column]);
        let Some(column) = (0..widths.len()).filter(|column| slack(column) > 0).max_by_key(|column| widths[*column])
        else {
            break;
        };
        widths[column] -= (total(&widths) - width).min(slack(&column));
    }
    let mut fitting = Vec::new();
    for row in rows {
        let cells: Vec<Vec<String>> = row.iter().zip(&widths).map(|(cell, width)| wrapped(cell, *width)).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or_default();
        fitting.extend(
            (0..height).map(|line| {
                cells.iter().map(|cell| cell.get(line).cloned().unwrap_or_default()).collect::<Vec<String>>()
            }),
        );
    }
    fitting
}

fn longest_word(text: &str) -> usize {
    text.split(' ').map(console::measure_text_width).max().unwrap_or_default()
}

/// Returns one line for each row: its cells are aligned, and no blank follows the last cell.
pub fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..count)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| console::measure_text_width(cell))
                .filter(|width| *width <= WIDEST)
                .max()
                .unwrap_or(0)
        })
        .collect();
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| padded(cell, *width)).collect();
            cells.join(GAP).trim_end().to_owned()
        })
        .collect()
}

/// Returns the text with blanks up to a width.
pub fn padded(text: &str, width: usize) -> String {
    let blanks = width.saturating_sub(console::measure_text_width(text));
    format!("{text}{}", " ".repeat(blanks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::ColorChoice;

    #[test]
    fn columns_stand_in_line_whatever_the_script() {
        let rows = [vec!["db", "postgres", "x"], vec!["世界", "é", ""], vec!["e\u{301}"]];
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| (*cell).to_owned()).collect()).collect();
        assert_eq!(columns(&rows), ["db     postgres   x", "世界   é", "e\u{301}"]);
    }

    #[test]
    fn a_table_fits_the_terminal_and_no_word_is_broken() {
        let mut table = Table::new(["service", "state", "endpoint", "image", "digest"]).spare(2);
        let digest = "sha256:0123456789ab";
        table.row(["cache", "Up 3 minutes", "127.0.0.1:31698", "docker.io/library/redis:8.0.2", digest]);
        table.row(["db", "down, its data is kept: `devenv up`", "", "", ""]);
        let printer = Printer::new(false, ColorChoice::Never);
        for width in [60, 80, 200] {
            let text = table.render_within(&printer, Some(width));
            let widest = text.lines().map(console::measure_text_width).max().unwrap();
            assert!(widest <= width, "{width}: {text}");
            assert!(text.contains("127.0.0.1:31698"), "{text}");
            assert_eq!(text.contains(digest), width == 200, "{text}");
        }
        let mut table = Table::new(["step", "cause"]);
        table.row(["create", "it does not run yet, and its image is not here"]);
        let expected = "step     cause\ncreate   it does not run yet,\n         and its image is not\n         here\n";
        assert_eq!(table.render_within(&printer, Some(32)), expected);
    }

    #[test]
    fn one_wide_cell_neither_panics_nor_widens_every_line() {
        let wide = "x".repeat(70_000);
        let rows = [vec![wide.clone(), "a".to_owned()], vec!["db".to_owned(), "b".to_owned()]];
        assert_eq!(columns(&rows), [format!("{wide}   a"), "db   b".to_owned()]);
    }

    #[test]
    fn a_cell_stays_on_its_line_and_sends_no_escape_sequence() {
        let mut table = Table::new(["NAME", "NOTE"]);
        table.row(["db", "two\nlines \u{1b}[31m"]);
        let printer = Printer::new(false, ColorChoice::Never);
        assert_eq!(table.render(&printer), "NAME   NOTE\ndb     two lines ␛[31m\n");
    }
}
