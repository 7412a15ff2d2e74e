//! Tables: columns as wide as what is in them, fitted to the width of the page.

use std::borrow::Cow;

use super::page::{Ink, Page};
use super::words::wrap;
use crate::plain::plain as harmless;

/// A cell: its text, and how it is written.
pub(super) type Cell = (String, Option<Ink>);

pub(super) fn plain(text: impl Into<String>) -> Cell {
    (text.into(), None)
}

/// Columns that hold words are not made narrower than this.
const NARROWEST: usize = 16;
/// Blanks before a row.
const INDENT: usize = 2;
/// Blanks before the notes below a row.
const NOTES: usize = 8;

/// What is above a column, and how it gives way where the page is too narrow.
#[derive(Clone, Copy)]
pub(super) enum Column {
    /// Words; wrapped if need be.
    Words(&'static str),
    /// A number; never wrapped.
    Number(&'static str),
    /// Words of which the first one, or none, will do.
    Spare,
}

impl Column {
    const fn label(self) -> &'static str {
        match self {
            Column::Words(label) | Column::Number(label) => label,
            Column::Spare => "",
        }
    }
}

/// A row, and what is said below it.
#[derive(Default)]
pub(super) struct Row {
    pub(super) cells: Vec<Cell>,
    pub(super) notes: Vec<String>,
}

impl From<Vec<Cell>> for Row {
    fn from(cells: Vec<Cell>) -> Row {
        Row { cells, notes: Vec::new() }
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// How wide each column is; those of width 0 are left out.
fn widths(columns: &[Column], rows: &mut [Row], page: usize) -> Vec<usize> {
    let natural = |column: usize, rows: &[Row]| {
        let cells = rows.iter().filter_map(|row| row.cells.get(column));
        let widest = cells.map(|(text, _)| length(text)).max().unwrap_or(0);
        if widest == 0 { 0 } else { widest.max(length(columns[column].label())) }
    };
    let mut widths: Vec<usize> = (0..columns.len()).map(|column| natural(column, rows)).collect();
    let total = |widths: &[usize]| {
        INDENT + widths.iter().filter(|width| **width > 0).map(|width| width + 2).sum::<usize>()
            - if widths.iter().any(|width| *width > 0) { 2 } else { 0 }
    };
    if let Some(spare) = columns.iter().position(|column| matches!(column, Column::Spare)) {
        if total(&widths) > page {
            for (text, _) in rows.iter_mut().filter_map(|row| row.cells.get_mut(spare)) {
                *text = text.split_whitespace().next().unwrap_or_default().to_owned();
            }
            widths[spare] = natural(spare, rows);
        }
        if total(&widths) > page {
            widths[spare] = 0;
        }
    }
    while total(&widths) > page {
        let words = (0..columns.len()).filter(|column| matches!(columns[*column], Column::Words(_)));
        match words.filter(|column| widths[*column] > NARROWEST).max_by_key(|column| widths[*column]) {
            Some(widest) => widths[widest] -= 1,
            None => break,
        }
    }
    widths
}

impl Page {
    /// A table with the title where its first columns, which need no label, would have theirs.
    pub(super) fn table(&mut self, title: &str, columns: &[Column], mut rows: Vec<Row>) {
        for (text, _) in rows.iter_mut().flat_map(|row| &mut row.cells) {
            if let Cow::Owned(harmless) = harmless(text) {
                *text = harmless;
            }
        }
        let widths = widths(columns, &mut rows, self.style.width);
        if !title.is_empty() {
            self.title(title, columns, &widths);
        }
        for row in &rows {
            self.row(row, columns, &widths);
            for note in &row.notes {
                self.hanging(note, NOTES, NOTES + 2, Some(Ink::Faint));
            }
        }
    }

    fn title(&mut self, title: &str, columns: &[Column], widths: &[usize]) {
        let labels: Vec<Vec<String>> = columns.iter().map(|column| vec![column.label().to_owned()]).collect();
        let inks = vec![None; columns.len()];
        let labels = self.placed(&labels, &inks, columns, widths, 0);
        self.line("");
        let covered = labels.chars().take(length(title) + 1).all(|c| c == ' ');
        let rest: String = labels.chars().skip(length(title)).collect();
        let head = self.paint(title, Ink::Strong);
        if covered {
            let text = if rest.trim().is_empty() { head } else { head + &self.paint(&rest, Ink::Faint) };
            self.line(&text);
        } else {
            self.line(&head);
            let labels = self.paint(&labels, Ink::Faint);
            self.line(&labels);
        }
    }

    fn row(&mut self, row: &Row, columns: &[Column], widths: &[usize]) {
        let inks: Vec<Option<Ink>> = row.cells.iter().map(|(_, ink)| *ink).collect();
        let wrapped = |(text, width): (&Cell, &usize)| match *width {
            0 => Vec::new(),
            width => wrap(&text.0, width),
        };
        let cells: Vec<Vec<String>> = row.cells.iter().zip(widths).map(wrapped).collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..height {
            let text = self.placed(&cells, &inks, columns, widths, line);
            self.line(&text);
        }
    }

    /// One line of a row: of every cell the part that stands in it.
    fn placed(
        &self,
        cells: &[Vec<String>],
        inks: &[Option<Ink>],
        columns: &[Column],
        widths: &[usize],
        line: usize,
    ) -> String {
        let mut text = " ".repeat(INDENT);
        let mut pending = 0;
        for (column, width) in widths.iter().enumerate().filter(|(_, width)| **width > 0) {
            let part = cells.get(column).and_then(|lines| lines.get(line)).map_or("", String::as_str);
            let blanks = width.saturating_sub(length(part));
            if part.is_empty() {
                pending += blanks + 2;
                continue;
            }
            let (before, after) = match columns[column] {
                Column::Number(_) => (blanks, 0),
                _ => (0, blanks),
            };
            text.push_str(&" ".repeat(pending + before));
            let ink = inks.get(column).copied().flatten();
            text.push_str(&ink.map_or_else(|| part.to_owned(), |ink| self.paint(part, ink)));
            pending = after + 2;
        }
        text
    }
}
