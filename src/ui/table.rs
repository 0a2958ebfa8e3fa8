//! Aligned columns.
//!
//! Widths are those of a terminal: a wide character takes two columns, a colour none.

use super::paint::Style;
use super::printer::Printer;
use super::visible::one_line;

/// Between two columns.
const GAP: &str = "   ";

/// Rows under a header.
#[derive(Clone, Debug, Default)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings; without any it has no heading line.
    pub fn new<'a>(header: impl IntoIterator<Item = &'a str>) -> Self {
        Self { header: header.into_iter().map(str::to_owned).collect(), rows: Vec::new() }
    }

    /// Adds a row. What would move the cursor is made visible; line feeds become blanks.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        self.rows.push(cells.into_iter().map(|cell| one_line(&cell.into())).collect());
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as data for standard output; each line ends in a line feed.
    pub fn render(&self, printer: &Printer) -> String {
        let headed = !self.header.is_empty();
        let all: Vec<Vec<String>> =
            headed.then(|| self.header.clone()).into_iter().chain(self.rows.iter().cloned()).collect();
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

/// One line a row, its cells aligned, nothing after the last one.
pub fn columns(rows: &[Vec<String>]) -> Vec<String> {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..count)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| console::measure_text_width(cell))
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

/// The text with blanks up to a width.
pub(super) fn padded(text: &str, width: usize) -> String {
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
    fn a_cell_stays_on_its_line_and_sends_no_escape_sequence() {
        let mut table = Table::new(["NAME", "NOTE"]);
        table.row(["db", "two\nlines \u{1b}[31m"]);
        let printer = Printer::new(false, ColorChoice::Never);
        assert_eq!(table.render(&printer), "NAME   NOTE\ndb     two lines ␛[31m\n");
    }
}
