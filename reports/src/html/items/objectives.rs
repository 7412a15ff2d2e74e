//! The objectives: for an availability three large numbers, for all of them a line in a table.

use maud::{Markup, html};

use super::Panel;
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::Doc;
use crate::html::table::{self, Cell, Table, Tone};
use crate::results::{ComparisonResult, ObjectiveResult, SeedResult};
use crate::verdict::Verdict;
use crate::words;

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(first) = doc.results.seeds.first() else {
        return Ok(Panel::Absent("no seed has finished".to_owned()));
    };
    if first.objectives.is_empty() {
        return Ok(Panel::Absent("the scenario sets no objectives".to_owned()));
    }
    let all: Vec<Row<'_>> =
        (0..first.objectives.len()).filter_map(|index| Row::new(&doc.results.seeds, index)).collect();
    let table = build.table(&table(doc, &all))?;
    let compared = match doc.results.comparisons.as_slice() {
        [] => html! {},
        all => build.table(&comparisons(doc, all))?,
    };
    Ok(Panel::Shown(html! { (cards(doc, &all)) (table) (compared) }))
}

/// An objective over all seeds.
struct Row<'a> {
    worst: &'a ObjectiveResult,
    seed: u64,
    median: Option<f64>,
    missed: usize,
    seeds: usize,
}

impl<'a> Row<'a> {
    fn new(seeds: &'a [SeedResult], index: usize) -> Option<Row<'a>> {
        let all = || seeds.iter().filter_map(move |seed| Some((seed.seed, seed.objectives.get(index)?)));
        let (seed, worst) = all().rev().max_by(|a, b| {
            let margin = |objective: &ObjectiveResult| objective.margin.unwrap_or(0.0);
            a.1.verdict.cmp(&b.1.verdict).then(margin(b.1).total_cmp(&margin(a.1)))
        })?;
        let missed = |verdict| matches!(verdict, Verdict::Fail | Verdict::Degraded);
        let missed = all().filter(|(_, objective)| missed(objective.verdict)).count();
        let key = main_number(worst).or_else(|| all().find_map(|(_, objective)| main_number(objective)))?;
        let numbers = all().filter_map(|(_, objective)| objective.numbers.0.get(key).copied()).collect();
        Some(Row { worst, seed, median: median(numbers), missed, seeds: seeds.len() })
    }
}

/// The number of an objective that its bound is about; of several quantiles the highest.
pub(super) fn main_number(objective: &ObjectiveResult) -> Option<&'static str> {
    let names = [
        "share",
        "max",
        "p99",
        "p95",
        "p50",
        "recovered",
        "drained",
        "age",
        "count",
        "longest",
        "interrupted",
    ];
    let recovery = objective.measure.starts_with("recovery-time");
    let known = |name: &&str| objective.numbers.0.contains_key(*name) && !(recovery && *name == "drained");
    names.into_iter().find(known)
}

/// A number of an objective in words.
pub(super) fn told(name: &str, value: f64) -> String {
    match name {
        "share" => words::percent(value),
        "count" | "items" | "bad" => words::number(value),
        _ => words::duration(value),
    }
}

pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => values.get(middle).copied(),
        _ => Some((values.get(middle - 1)? + values.get(middle)?) / 2.0),
    }
}

/// How much of what the bound allows was used, in words.
fn used(objective: &ObjectiveResult) -> Cell {
    objective.margin.map_or_else(table::none, |margin| {
        let used = (1.0 - margin).max(0.0);
        let words = if used > 10.0 {
            format!("{} times", words::number(used))
        } else {
            format!("{:.0} %", used * 100.0)
        };
        table::value(used, words)
    })
}

fn margin(objective: &ObjectiveResult) -> Cell {
    objective.margin.map_or_else(table::none, |margin| {
        let words = match margin * 100.0 {
            percent if percent < -999.0 => "below -999 %".to_owned(),
            percent => format!("{percent:+.0} %"),
        };
        table::value(margin, words)
    })
}

fn table(doc: &Doc<'_>, all: &[Row<'_>]) -> Table {
    let mut columns = vec![
        table::words("Objective", "objective"),
        table::words("Verdict", "verdict"),
        table::words("Measures", "measures"),
        table::words("Target", "target"),
        table::words(if doc.sweep() { "Worst seed" } else { "Achieved" }, "achieved"),
    ];
    if doc.sweep() {
        columns.push(table::numbers("Median", "median"));
        columns.push(table::numbers("Missed on", "missed_on_seeds"));
        columns.push(table::numbers("Worst is seed", "worst_seed"));
    }
    columns.extend([
        table::numbers("Used of the bound", "used_share"),
        table::numbers("Margin", "margin_share"),
        table::numbers("Measured on", "samples"),
    ]);
    let rows = all.iter().map(|row| {
        let objective = row.worst;
        let mut cells = vec![
            table::text(&objective.name).to(doc.line("objectives", &objective.name)),
            table::verdict(objective.verdict),
            table::text(&objective.measure).tone(Tone::Faint),
            table::text(&objective.target),
            table::text(&objective.achieved),
        ];
        if doc.sweep() {
            let name = main_number(objective).unwrap_or_default();
            cells.push(row.median.map_or_else(table::none, |value| table::value(value, told(name, value))));
            let missed =
                format!("{} of {}", words::grouped(row.missed as u64), words::grouped(row.seeds as u64));
            cells.push(table::value(row.missed as f64, missed));
            cells.push(table::value(row.seed as f64, row.seed.to_string()));
        }
        cells.extend([used(objective), margin(objective), table::count(objective.samples)]);
        cells
    });
    let caption = if doc.sweep() { "Objectives, the worst of all seeds" } else { "Objectives" };
    Table::new("objectives", caption, columns).rows(rows)
}

/// How it compares with other designs, seed by seed.
fn comparisons(doc: &Doc<'_>, all: &[ComparisonResult]) -> Table {
    let columns = vec![
        table::words("Comparison", "comparison"),
        table::words("Verdict", "verdict"),
        table::words("Of what", "measure"),
        table::words("Claim", "claim"),
        table::numbers("Median gain", "gain_share"),
        table::numbers("95 % from", "low_share"),
        table::numbers("to", "high_share"),
        table::numbers("Pairs", "pairs"),
    ];
    let rows = all.iter().map(|one| {
        let relation = one.relation.replace('-', " ");
        let gain = |gain: Option<f64>| {
            let told = |gain| table::value(gain, format!("{:+.1} %", gain * 100.0));
            gain.map_or_else(table::none, told)
        };
        vec![
            table::text(&one.name).to(doc.line("compare", &one.name)),
            table::verdict(one.verdict),
            table::text(&one.measure).tone(Tone::Faint),
            table::text(format!("{relation} {}, by {}", one.than, one.by)),
            gain(one.gain),
            gain(one.low),
            gain(one.high),
            table::count(one.pairs),
        ]
    });
    Table::new("comparisons", "Compared with other designs, seed by seed", columns).rows(rows)
}

/// The share that an availability asks for, as it is written: `at least 99.5%`.
pub(super) fn target(objective: &ObjectiveResult) -> Option<f64> {
    let text = objective.target.strip_prefix("at least ")?.trim_end_matches('%').trim();
    text.parse::<f64>().ok().map(|percent| percent / 100.0).filter(|share| (0.0..=1.0).contains(share))
}

/// The door of an availability that counts all of the run.
pub(super) fn door(objective: &ObjectiveResult) -> Option<&str> {
    objective.measure.strip_prefix("availability ").and_then(|rest| rest.split_whitespace().next())
}

fn cards(doc: &Doc<'_>, all: &[Row<'_>]) -> Markup {
    let shares =
        all.iter().filter_map(|row| Some((row, target(row.worst)?, *row.worst.numbers.0.get("share")?)));
    let shares: Vec<(&Row<'_>, f64, f64)> = shares.collect();
    if shares.is_empty() {
        return html! {};
    }
    html! {
        ul.cards {
            @for (row, target, achieved) in shares {
                li {
                    p.name { (row.worst.name) @if doc.sweep() { ", worst seed" } }
                    dl {
                        dt { "Objective" } dd { (words::percent(target)) }
                        dt { "Achieved" } dd { (words::percent(achieved)) }
                        dt { "Budget left" } dd class=(if achieved < target { "bad" } else { "good" }) { (left(target, achieved)) }
                    }
                }
            }
        }
    }
}

/// What is left of what may fail, in per cent of it.
fn left(target: f64, achieved: f64) -> String {
    if target >= 1.0 {
        return if achieved >= 1.0 { "none needed".to_owned() } else { "none".to_owned() };
    }
    let left = 1.0 - (1.0 - achieved) / (1.0 - target);
    if left < -9.99 { "below -999 %".to_owned() } else { format!("{:.0} %", left * 100.0) }
}
