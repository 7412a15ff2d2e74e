//! Lines, paragraphs, headings and tables, with or without colour.

use std::fmt::Write as _;

use super::Style;
use super::words::wrap;
use crate::verdict::Verdict;

#[derive(Clone, Copy)]
pub(super) enum Ink {
    Good,
    Bad,
    Odd,
    Faint,
    Strong,
}

pub(super) struct Page {
    pub(super) out: String,
    pub(super) style: Style,
}

/// A cell: its text, and how it is written.
pub(super) type Cell = (String, Option<Ink>);

pub(super) fn plain(text: impl Into<String>) -> Cell {
    (text.into(), None)
}

impl Page {
    pub(super) fn paint(&self, text: &str, ink: Ink) -> String {
        if !self.style.colour {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Good => "32",
            Ink::Bad => "1;31",
            Ink::Odd => "33",
            Ink::Faint => "2",
            Ink::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    pub(super) fn line(&mut self, text: &str) {
        let _ = writeln!(self.out, "{text}");
    }

    /// A paragraph, wrapped, every line after so many blanks.
    pub(super) fn paragraph(&mut self, text: &str, indent: usize) {
        for line in wrap(text, self.style.width.saturating_sub(indent).max(20)) {
            let _ = writeln!(self.out, "{:indent$}{line}", "");
        }
    }

    pub(super) fn heading(&mut self, text: &str, columns: &str) {
        self.line("");
        let gap = self.style.width.saturating_sub(text.chars().count() + columns.chars().count());
        let head = format!("{}{:gap$}{}", self.paint(text, Ink::Strong), "", self.paint(columns, Ink::Faint));
        self.line(head.trim_end());
    }

    /// Columns as wide as their widest cell; where that is too wide, a row's last words go to a line of
    /// their own. `right`: the columns that are numbers. `spare`: the column that is left out if then every
    /// row fits.
    pub(super) fn table(&mut self, rows: &[Vec<Cell>], right: &[usize], indent: usize, spare: Option<usize>) {
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let width_of = |column: usize| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|(text, _)| text.chars().count())
                .max()
                .unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..columns).map(|column| width_of(column).min(34)).collect();
        let total: usize = indent + widths.iter().map(|width| width + 2).sum::<usize>();
        if let Some(spare) = spare.filter(|spare| *spare < columns && total > self.style.width + 2) {
            widths[spare] = 0;
        }
        for row in rows {
            let mut line = String::new();
            let mut used = 0;
            let mut first = true;
            for (column, (text, ink)) in row.iter().enumerate() {
                if widths[column] == 0 {
                    continue;
                }
                let length = text.chars().count();
                let gap = if first { indent } else { 2 };
                first = false;
                let wanted = gap + length.max(widths[column]);
                if used > indent && used + gap + length > self.style.width && length > 0 {
                    self.line(line.trim_end());
                    line = " ".repeat(indent + 6);
                    used = indent + 6;
                    let room = self.style.width.saturating_sub(used).max(20);
                    for part in wrap(text, room) {
                        let painted = ink.map_or(part.clone(), |ink| self.paint(&part, ink));
                        self.line(&format!("{line}{painted}"));
                    }
                    line.clear();
                    used = 0;
                    continue;
                }
                let painted = ink.map_or(text.clone(), |ink| self.paint(text, ink));
                let pad = " ".repeat(wanted - gap - length);
                let cell = if right.contains(&column) {
                    format!("{pad}{painted}")
                } else {
                    format!("{painted}{pad}")
                };
                let _ = write!(line, "{:gap$}{cell}", "");
                used += wanted;
            }
            if !line.trim().is_empty() {
                self.line(line.trim_end());
            }
        }
    }
}

pub(super) fn ink(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Pass => Ink::Good,
        Verdict::Degraded | Verdict::Inconclusive => Ink::Odd,
        Verdict::Fail | Verdict::Error => Ink::Bad,
    }
}

pub(super) fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "ok",
        Verdict::Degraded => "low",
        Verdict::Inconclusive => "?",
        Verdict::Fail => "FAIL",
        Verdict::Error => "ERR",
    }
}
