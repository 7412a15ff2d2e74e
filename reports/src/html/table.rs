//! Tables: in the page with caption and headers, as a file with plain numbers.

use maud::{Markup, html};

use super::Error;
use crate::verdict::Verdict;
use crate::words;

/// What the colour of a cell says, besides its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// To be looked at.
    Odd,
    /// As it should not be.
    Bad,
    /// Of less interest.
    Faint,
    /// How much, from 0 to 4, as a shade behind it.
    Heat(u8),
}

impl Tone {
    /// The tone of a verdict.
    pub(super) fn of(verdict: Verdict) -> Tone {
        match verdict {
            Verdict::Pass => Tone::Good,
            Verdict::Degraded | Verdict::Inconclusive => Tone::Odd,
            Verdict::Fail | Verdict::Error => Tone::Bad,
        }
    }

    fn class(self) -> Option<String> {
        match self {
            Tone::Plain => None,
            Tone::Good => Some("good".to_owned()),
            Tone::Odd => Some("odd".to_owned()),
            Tone::Bad => Some("bad".to_owned()),
            Tone::Faint => Some("faint".to_owned()),
            Tone::Heat(level) => Some(format!("heat heat-{level}")),
        }
    }
}

/// A cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Cell {
    /// What is read.
    pub text: String,
    /// What stands in the file, if that is something else.
    pub raw: Option<String>,
    /// Its colour.
    pub tone: Tone,
    /// Where it leads to.
    pub link: Option<String>,
    /// Whether it is there to be copied.
    pub code: bool,
}

impl Cell {
    /// The same in a tone.
    pub(super) fn tone(self, tone: Tone) -> Cell {
        Cell { tone, ..self }
    }

    /// The same with a link to another place of the page, if there is one.
    pub(super) fn to(self, link: Option<String>) -> Cell {
        Cell { link, ..self }
    }
}

/// Words.
pub(super) fn text(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), ..Cell::default() }
}

/// Something to be copied.
pub(super) fn code(text: impl Into<String>) -> Cell {
    Cell { text: text.into(), code: true, ..Cell::default() }
}

/// A count.
pub(super) fn count(number: u64) -> Cell {
    Cell { text: words::grouped(number), raw: Some(number.to_string()), ..Cell::default() }
}

/// A number in words of its own.
pub(super) fn value(number: f64, words: String) -> Cell {
    Cell { text: words, raw: Some(plain(number)), ..Cell::default() }
}

/// A number as it is; nothing where there is none.
pub(super) fn exact(number: Option<f64>) -> Cell {
    number.map_or_else(none, |number| value(number, words::number(number)))
}

/// How long; a dash and nothing in the file where there is none.
pub(super) fn span(seconds: Option<f64>) -> Cell {
    seconds.map_or_else(none, |seconds| value(seconds, words::duration(seconds)))
}

/// When.
pub(super) fn instant(seconds: Option<f64>) -> Cell {
    seconds.map_or_else(none, |seconds| value(seconds, words::instant(seconds)))
}

/// A share.
pub(super) fn share(share: Option<f64>) -> Cell {
    share.map_or_else(none, |share| value(share, words::percent(share)))
}

/// A verdict.
pub(super) fn verdict(verdict: Verdict) -> Cell {
    text(verdict.word()).tone(Tone::of(verdict))
}

/// Nothing known.
pub(super) fn none() -> Cell {
    Cell { text: "\u{2013}".to_owned(), raw: Some(String::new()), tone: Tone::Faint, ..Cell::default() }
}

/// A number as a file has it: to the nanosecond, without what arithmetic leaves behind that.
pub(super) fn plain(number: f64) -> String {
    let rounded = (number * 1e9).round() / 1e9;
    if rounded == 0.0 { "0".to_owned() } else { format!("{rounded}") }
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    /// Its header in the page.
    head: String,
    /// Its header in the file, with a unit.
    name: String,
    /// Whether it holds numbers.
    number: bool,
    /// Whether only the file has it.
    hidden: bool,
}

/// A column of words.
pub(super) fn words(head: &str, name: &str) -> Column {
    Column { head: head.to_owned(), name: name.to_owned(), number: false, hidden: false }
}

/// A column of numbers.
pub(super) fn numbers(head: &str, name: &str) -> Column {
    Column { head: head.to_owned(), name: name.to_owned(), number: true, hidden: false }
}

/// A column that only the file has.
pub(super) fn hidden(name: &str) -> Column {
    Column { head: String::new(), name: name.to_owned(), number: true, hidden: true }
}

/// A longer text than this may be broken anywhere.
const LONG: usize = 36;
/// A shorter one than this is not broken.
const SHORT: usize = 15;

/// A table; the first column names the rows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    /// The name of its file.
    pub name: String,
    /// What it is.
    pub caption: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Vec<Cell>>,
    /// How many rows the page shows; the file has all.
    pub shown: usize,
}

impl Table {
    /// A table that is shown whole, up to a bound that no page should exceed.
    pub(super) fn new(name: &str, caption: impl Into<String>, columns: Vec<Column>) -> Table {
        Table { name: name.to_owned(), caption: caption.into(), columns, rows: Vec::new(), shown: 60 }
    }

    /// The same with these rows.
    pub(super) fn rows(self, rows: impl IntoIterator<Item = Vec<Cell>>) -> Table {
        Table { rows: rows.into_iter().collect(), ..self }
    }

    /// As a file.
    pub(super) fn csv(&self) -> Result<Vec<u8>, Error> {
        let mut out = csv::Writer::from_writer(Vec::new());
        out.write_record(self.columns.iter().map(|column| plain_words(&column.name)))?;
        for row in &self.rows {
            out.write_record(self.columns.iter().zip(row).map(|(_, cell)| field(cell)))?;
        }
        out.into_inner().map_err(|error| Error::Table(error.to_string()))
    }

    /// In the page; `file` is where it is as a file.
    pub(super) fn html(&self, file: &str) -> Markup {
        let rest = self.rows.len().saturating_sub(self.shown);
        html! {
            div.scroll tabindex="0" role="group" aria-label=(self.caption) {
                table {
                    caption {
                        (self.caption) " "
                        a.file href=(file) { "CSV" }
                    }
                    thead {
                        tr { @for column in self.columns.iter().filter(|column| !column.hidden) { (header(column)) } }
                    }
                    tbody {
                        @for row in self.rows.iter().take(self.shown) {
                            (self.row(row))
                        }
                    }
                }
            }
            @if rest > 0 {
                p.more { (words::counted(rest as u64, "more row")) " in the CSV file." }
            }
        }
    }

    fn row(&self, row: &[Cell]) -> Markup {
        let shown = self.columns.iter().zip(row).enumerate().filter(|(_, (column, _))| !column.hidden);
        html! { tr { @for (index, (column, cell)) in shown { (self.cell(index, column, cell)) } } }
    }

    fn cell(&self, index: usize, column: &Column, cell: &Cell) -> Markup {
        let long = match cell.text.chars().count() {
            0..SHORT => cell.text.contains(' ').then(|| "short".to_owned()),
            SHORT..=LONG => None,
            _ => Some("long".to_owned()),
        };
        let class = [column.number.then(|| "number".to_owned()), cell.tone.class(), long];
        let class: Vec<String> = class.into_iter().flatten().collect();
        let class = (!class.is_empty()).then(|| class.join(" "));
        let inner = html! {
            @if let Some(link) = &cell.link { a href=(link) { (cell.text) } }
            @else if cell.code { code { (cell.text) } }
            @else { (cell.text) }
        };
        html! {
            @if index == 0 { th scope="row" class=[class] { (inner) } }
            @else { td class=[class] { (inner) } }
        }
    }
}

fn header(column: &Column) -> Markup {
    html! { th scope="col" class=[column.number.then_some("number")] { (column.head) } }
}

/// A field of a file.
fn field(cell: &Cell) -> String {
    cell.raw.clone().unwrap_or_else(|| plain_words(&cell.text))
}

/// Words in a file. What a spreadsheet would take for a formula is marked as words.
fn plain_words(text: &str) -> String {
    let text = super::clean::clean(text);
    let formula = text.starts_with(['=', '+', '-', '@', '\t']);
    if formula { format!("'{text}") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_plain_numbers_and_no_formulas() {
        let columns = vec![words("Node", "node"), numbers("Time", "time_s"), numbers("Items", "items")];
        let rows = [
            vec![text("=cmd|' /C calc'!A0"), span(Some(0.1 + 0.2)), count(12_345)],
            vec![text("a \"quoted\", name"), span(None), count(0)],
        ];
        let table = Table::new("x", "Nodes", columns).rows(rows);
        let file = String::from_utf8(table.csv().expect("written")).expect("text");
        let expected = "node,time_s,items\n'=cmd|' /C calc'!A0,0.3,12345\n\"a \"\"quoted\"\", name\",,0\n";
        assert_eq!(file, expected);
    }

    #[test]
    fn a_page_shows_so_many_rows_and_says_how_many_there_are_more() {
        let mut table = Table::new("x", "Seeds <1>", vec![numbers("Seed", "seed")]);
        table.rows = (0..7).map(|seed| vec![count(seed)]).collect();
        table.shown = 5;
        let page = table.html("tables/01-x.csv").into_string();
        assert!(
            page.contains(
                "<caption>Seeds &lt;1&gt; <a class=\"file\" href=\"tables/01-x.csv\">CSV</a></caption>"
            ),
            "{page}"
        );
        assert!(page.contains("2 more rows in the CSV file."), "{page}");
        assert_eq!(page.matches("<th scope=\"row\"").count(), 5);
    }
}
