//! The terminal rendering of a run and of a sweep, for someone who sees it for the first time: the verdict
//! and its cause first, then what was promised, what was measured, what was done to the design, the books,
//! the story of the first violation, and how to see it again. Eighty columns unless told otherwise.

mod page;
mod run;
mod sweep;
mod table;
mod timeline;
pub(crate) mod words;

#[cfg(test)]
mod tests;

use crate::results::{ComparisonResult, NATIVE, Results};
use page::Page;

pub use crate::words::{clock, grouped};
pub use timeline::timeline;

/// How to render.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether to colour; the caller knows whether it is a terminal that wants it.
    pub colour: bool,
    /// Columns.
    pub width: usize,
    /// Whether to print the line about speed, which differs from run to run.
    pub speed: bool,
    /// Whether block characters may be drawn (`▁▂▃`); else a timeline is drawn with digits.
    pub blocks: bool,
}

impl Default for Style {
    fn default() -> Self {
        Style { colour: false, width: 80, speed: true, blocks: true }
    }
}

/// Renders the results: of a run if there is one seed, of a sweep if there are more.
#[must_use]
pub fn render(results: &Results, style: Style) -> String {
    let mut page = Page { out: String::new(), style };
    page.banner(results);
    match results.seeds.as_slice() {
        [] => {}
        [one] => page.run(results, one),
        many => page.sweep(results, many),
    }
    page.out
}

/// The command that shows a seed again.
#[must_use]
pub fn replay_command(results: &Results, seed: u64) -> String {
    let path = path(results);
    let variant = match results.variant.as_str() {
        "" | "base" => String::new(),
        variant => format!(" --variant {}", quoted(variant)),
    };
    let engine = engine(results).map_or(String::new(), |engine| format!(" --engine {}", quoted(engine)));
    format!("{} run {path}{variant} --seed {seed}{engine}", results.program)
}

/// The command that compares the two designs again, on the same seeds.
pub(crate) fn compare_command(results: &Results, one: &ComparisonResult) -> String {
    let path = path(results);
    let engine = engine(results).map_or(String::new(), |engine| format!(" --engine {}", quoted(engine)));
    let from = match results.seeds.first().map_or(1, |seed| seed.seed) {
        1 => String::new(),
        first => format!(" --from {first}"),
    };
    let (of, than, seeds) = (quoted(&one.of), quoted(&one.than), results.seeds.len().max(1));
    format!("{} sweep {path} --variant {of} --variant {than} --seeds {seeds}{from}{engine}", results.program)
}

/// How the scenario is named on a command line. It has been quoted by whoever wrote it: it may have arguments
/// of its own after it.
fn path(results: &Results) -> String {
    if results.path.is_empty() { quoted(&results.scenario) } else { results.path.clone() }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "-_./=:,%+@".contains(c);
    match word.chars().all(harmless) && !word.is_empty() {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// The engine, if it is another than the native one.
pub(crate) fn engine(results: &Results) -> Option<&str> {
    Some(results.engine.as_str()).filter(|engine| !engine.is_empty() && *engine != NATIVE)
}
