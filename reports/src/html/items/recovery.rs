//! Recovery: what each fault did to callers, step by step, and what was lost.

use maud::html;

use super::Panel;
use super::objectives::{main_number, told};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::Doc;
use crate::html::table::{self, Cell, Table, Tone};
use crate::results::{ObjectiveResult, Recovery, SeedResult};
use crate::words::duration;

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let times = times(doc);
    let points = points(doc);
    if times.is_empty() && points.is_empty() {
        return Ok(Panel::Absent("no objective is about a recovery".to_owned()));
    }
    let mut parts = Vec::new();
    if !times.is_empty() {
        let caption = if doc.sweep() {
            "What each fault did to its door, on the worst seed; times after its start"
        } else {
            "What each fault did to its door; times after its start"
        };
        parts.push(build.table(&Table::new("recovery", caption, time_columns(doc)).rows(times))?);
    }
    if !points.is_empty() {
        let caption = if doc.sweep() {
            "What was lost, and how long backlogs and changes of sides took, on the worst seed"
        } else {
            "What was lost, and how long backlogs and changes of sides took"
        };
        parts.push(build.table(&Table::new("recovery-points", caption, point_columns()).rows(points))?);
    }
    Ok(Panel::Shown(html! { @for part in parts { (part) } }))
}

fn time_columns(doc: &Doc<'_>) -> Vec<table::Column> {
    let mut columns = vec![
        table::words("Fault", "fault"),
        table::words("Verdict", "verdict"),
        table::words("Door", "door"),
        table::words("RTO target", "target"),
        table::numbers("Began", "began_s"),
        table::numbers("Items hit", "items_hit"),
        table::numbers("Impact", "impact_s"),
        table::numbers("Detected", "detected_s"),
        table::numbers("Decided", "decided_s"),
        table::numbers("Acted", "acted_s"),
        table::numbers("Recovered", "recovered_s"),
        table::numbers("Backlog", "backlog_items"),
        table::numbers("Drained", "drained_s"),
    ];
    if doc.sweep() {
        columns.push(table::numbers("Seed", "seed"));
    }
    columns
}

/// A row for each time a fault struck; of a sweep the worst of all for each objective.
fn times(doc: &Doc<'_>) -> Vec<Vec<Cell>> {
    let seeds = &doc.results.seeds;
    let Some(first) = seeds.first() else { return Vec::new() };
    let mut rows = Vec::new();
    for index in 0..first.objectives.len() {
        let all = seeds.iter().filter_map(|seed| Some((seed, seed.objectives.get(index)?)));
        if !doc.sweep() {
            for (seed, objective) in all {
                rows.extend(objective.recoveries.iter().map(|one| time(seed, objective, one)));
            }
            continue;
        }
        let worst = all
            .filter_map(|(seed, objective)| Some((seed, objective, Recovery::worst(&objective.recoveries)?)));
        let worst: Vec<(&SeedResult, &ObjectiveResult, &Recovery)> = worst.collect();
        let worst = worst.iter().rev().max_by(|a, b| a.2.severity().total_cmp(&b.2.severity()));
        rows.extend(worst.map(|(seed, objective, one)| time(seed, objective, one)));
    }
    rows
}

fn time(seed: &SeedResult, objective: &ObjectiveResult, one: &Recovery) -> Vec<Cell> {
    let never = |seconds: Option<f64>, words: &str, tone: Tone| match seconds {
        Some(seconds) => table::span(Some(seconds)),
        None => Cell { raw: Some(String::new()), ..table::text(words).tone(tone) },
    };
    let hit = one.impact.is_some();
    vec![
        table::text(&one.fault),
        table::verdict(objective.verdict),
        table::text(&one.door),
        table::text(&objective.target),
        table::instant(Some(one.at_seconds)),
        table::count(one.bad),
        never(one.impact, "none", Tone::Good),
        never(one.detected, "never", if hit { Tone::Odd } else { Tone::Faint }),
        table::span(one.decided),
        match (one.decided, one.acted) {
            (Some(_), None) => never(None, "not by the end", Tone::Odd),
            (_, acted) => table::span(acted),
        },
        if hit { never(one.recovered, "not by the end", Tone::Bad) } else { table::none() },
        one.backlog.map_or_else(table::none, table::count),
        match one.backlog {
            Some(_) => never(one.drained, "not by the end", Tone::Odd),
            None => table::none(),
        },
        // Of a single run it stands in no column.
        table::value(seed.seed as f64, seed.seed.to_string()),
    ]
}

fn point_columns() -> Vec<table::Column> {
    vec![
        table::words("Objective", "objective"),
        table::words("Verdict", "verdict"),
        table::words("Measures", "measures"),
        table::words("Target", "target"),
        table::words("Achieved", "achieved"),
        table::numbers("Items lost", "items_lost"),
        table::numbers("Oldest of them", "oldest_lost_s"),
        table::numbers("Seed", "seed"),
    ]
}

/// Objectives about what was lost and about other times after a fault.
fn points(doc: &Doc<'_>) -> Vec<Vec<Cell>> {
    let seeds = &doc.results.seeds;
    let Some(first) = seeds.first() else { return Vec::new() };
    let kinds = ["recovery-point ", "drain-time ", "interruption "];
    let about = |objective: &ObjectiveResult| kinds.iter().any(|kind| objective.measure.starts_with(kind));
    let of = |index: usize| {
        let all = seeds.iter().filter_map(move |seed| Some((seed, seed.objectives.get(index)?)));
        let margin = |objective: &ObjectiveResult| objective.margin.unwrap_or(0.0);
        all.rev().max_by(|a, b| a.1.verdict.cmp(&b.1.verdict).then(margin(b.1).total_cmp(&margin(a.1))))
    };
    let rows = (0..first.objectives.len()).filter(|index| about(&first.objectives[*index])).filter_map(of);
    rows.map(|(seed, objective)| {
        let number = |name: &str| objective.numbers.0.get(name).copied();
        let achieved = match main_number(objective) {
            Some(name) if objective.achieved.is_empty() => {
                number(name).map_or(String::new(), |value| told(name, value))
            }
            _ => objective.achieved.clone(),
        };
        let items = number("items").or_else(|| number("count"));
        let items = items.filter(|_| objective.measure.starts_with("recovery-point "));
        vec![
            table::text(&objective.name),
            table::verdict(objective.verdict),
            table::text(&objective.measure).tone(Tone::Faint),
            table::text(&objective.target),
            table::text(achieved),
            items.map_or_else(table::none, |items| table::count(items as u64)),
            number("age").map_or_else(table::none, |age| table::value(age, duration(age))),
            table::value(seed.seed as f64, seed.seed.to_string()),
        ]
    })
    .collect()
}
