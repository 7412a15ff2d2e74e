//! The comparison of two engines as text of eighty columns.

use std::fmt::Write as _;

use beaufort_reports::Verdict;

use super::{Agreement, Row, Said};

/// Widths of the columns: agreement, name, and what each engine says.
const AGREEMENT: usize = 9;
const NAME: usize = 18;
const SAID: usize = 23;

/// All rows of one seed on one engine belong together.
fn same_run(a: &Row, b: &Row) -> bool {
    (&a.scenario, &a.variant, a.seed, a.engine) == (&b.scenario, &b.variant, b.seed, b.engine)
}

/// A line for each seed and engine, with what is not agreed upon below it; with `all`, every row.
#[must_use]
pub fn render(rows: &[Row], all: bool) -> String {
    let mut text = String::new();
    for run in rows.chunk_by(same_run) {
        let Some(first) = run.first() else { continue };
        let (scenario, variant, engine) = (&first.scenario, &first.variant, first.engine);
        let _ = writeln!(text, "{scenario}/{variant}, seed {}, {engine}: {}", first.seed, summary(run));
        let told: Vec<&Row> = run.iter().filter(|row| all || row.agreement != Agreement::Agree).collect();
        if !told.is_empty() {
            line(&mut text, ["", "", "native", engine.name()]);
        }
        for row in told {
            let sides = [&row.native, &row.other].map(tell);
            line(&mut text, [row.agreement.words(), &row.name, &sides[0], &sides[1]]);
        }
    }
    text
}

/// How much is agreed upon.
#[must_use]
pub fn summary(rows: &[Row]) -> String {
    let all = [Agreement::Agree, Agreement::TooClose, Agreement::Differ];
    let count = |of: Agreement| rows.iter().filter(|row| row.agreement == of).count();
    let counted = all.into_iter().map(|of| (of, count(of))).filter(|(_, n)| *n > 0);
    counted.map(|(of, n)| format!("{n} {}", of.words())).collect::<Vec<_>>().join(", ")
}

fn tell(said: &Said) -> String {
    match said.verdict {
        Verdict::Pass => said.value.clone(),
        verdict => format!("{}: {}", verdict.word(), said.value),
    }
}

/// A row; a cell that is too long goes on below.
fn line(text: &mut String, cells: [&str; 4]) {
    let widths = [AGREEMENT, NAME, SAID, SAID];
    let mut columns: Vec<Vec<String>> =
        cells.into_iter().zip(widths).map(|(cell, width)| folded(cell, width)).collect();
    let lines = columns.iter().map(Vec::len).max().unwrap_or(0);
    columns.iter_mut().for_each(|column| column.resize(lines, String::new()));
    for index in 0..lines {
        let mut line = String::from(" ");
        for (column, width) in columns.iter().zip(widths) {
            let _ = write!(line, " {:width$}", column[index]);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// Lines of at most so many characters; a word that is longer is cut.
fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        while !word.is_empty() {
            let used = lines.last().map_or(0, |line| line.chars().count());
            let room = width.saturating_sub(if used > 0 { used + 1 } else { 0 });
            if word.len() > room && used > 0 {
                lines.push(String::new());
                continue;
            }
            let rest = word.split_off(word.len().min(width));
            if let Some(line) = lines.last_mut() {
                if used > 0 {
                    line.push(' ');
                }
                line.extend(word);
            }
            word = rest;
        }
    }
    lines
}
