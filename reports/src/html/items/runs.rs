//! Runs of recipes: how many were done, failed, or were still under way at the end.

use maud::html;

use super::Panel;
use super::tracks::{self, Track, ranked};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::{Doc, NO_SERIES};
use crate::html::plot::{Axis, Ink, Layer, Plot, Unit};
use crate::html::table::{self, Table, Tone};
use crate::series::RunSeries;
use crate::words::{grouped, percent};

/// So many nodes are drawn; the table has all.
const NODES: usize = 24;

/// What became of the runs of a node.
struct Sum<'a> {
    node: &'a str,
    started: u64,
    done: u64,
    failed: u64,
}

impl Sum<'_> {
    fn open(&self) -> u64 {
        self.started.saturating_sub(self.done + self.failed)
    }

    fn share(&self, count: u64) -> f64 {
        count as f64 / self.started.max(self.done + self.failed).max(1) as f64
    }
}

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(series) = doc.series else { return Ok(Panel::Absent(NO_SERIES.to_owned())) };
    let sum = |counts: &[u64]| counts.iter().sum::<u64>();
    let of = |runs: &'_ RunSeries| (sum(&runs.started), sum(&runs.done), sum(&runs.failed));
    let sums = series.runs.iter().map(|runs| {
        let (started, done, failed) = of(runs);
        Sum { node: &runs.node, started, done, failed }
    });
    let mut sums: Vec<Sum<'_>> = sums.filter(|sum| sum.started > 0).collect();
    if sums.is_empty() {
        return Ok(Panel::Silent);
    }
    let worst = |sum: &Sum<'_>| sum.share(sum.failed + sum.open());
    sums.sort_by(|a, b| worst(b).total_cmp(&worst(a)));
    let table = table(&sums);
    let outcome = build.figure(&outcomes(doc, &sums), &table)?;
    let failed = series.runs.iter().map(|runs| Track::rates(&runs.node, &runs.failed, series));
    let failed = ranked(failed.collect());
    let over_time = if failed.is_empty() {
        html! { p.note { "No run failed." } }
    } else {
        let plot = Plot {
            title: format!("Runs that failed{}", doc.of_seed()),
            desc: format!("Most at {}.", failed[0].name),
            ..tracks::plot(doc, series, "runs-failed", "failed runs a second", Unit::Number, &failed)
        };
        build.figure(&plot, &tracks::sheet(series, "runs-failed", &failed))?
    };
    let table = build.table(&table)?;
    Ok(Panel::Shown(html! {
        (outcome)
        (over_time)
        (table)
        p.note { "A run that has not ended was cut off by a crash of its process, or was under way at the end." }
    }))
}

fn outcomes(doc: &Doc<'_>, sums: &[Sum<'_>]) -> Plot {
    let mut spans: [Vec<(usize, f64, f64, String)>; 3] = Default::default();
    let drawn = &sums[..sums.len().min(NODES)];
    for (row, sum) in drawn.iter().enumerate() {
        let mut from = 0.0;
        for (part, count) in [sum.done, sum.failed, sum.open()].into_iter().enumerate() {
            let to = from + sum.share(count);
            if count > 0 {
                spans[part].push((row, from, to, String::new()));
            }
            from = to;
        }
    }
    let labels = [("done", Ink::Area(0)), ("failed", Ink::Area(1)), ("not ended", Ink::Area(4))];
    let layers = spans.into_iter().zip(labels).filter(|(spans, _)| !spans.is_empty());
    let layers = layers.map(|(spans, (label, ink))| Layer::Bars { label: label.into(), ink, spans });
    Plot {
        name: "runs".into(),
        title: format!("What became of runs{}", doc.of_seed()),
        desc: drawn.iter().take(4).map(told).collect::<Vec<_>>().join(" "),
        x: Axis::linear("of the runs that began", Unit::Share, 0.0, 1.0),
        rows: drawn.iter().map(|sum| sum.node.to_owned()).collect(),
        layers: layers.collect(),
        ..Plot::default()
    }
}

fn told(sum: &Sum<'_>) -> String {
    format!("{}: {} of {} runs done.", sum.node, grouped(sum.done), grouped(sum.started))
}

fn table(sums: &[Sum<'_>]) -> Table {
    let columns = vec![
        table::words("Node", "node"),
        table::numbers("Runs began", "started"),
        table::numbers("Done", "done"),
        table::numbers("Failed", "failed"),
        table::numbers("Not ended", "not_ended"),
        table::numbers("Done of them", "done_share"),
    ];
    let rows = sums.iter().map(|sum| {
        let share = sum.share(sum.done);
        vec![
            table::text(sum.node),
            table::count(sum.started),
            table::count(sum.done),
            table::count(sum.failed),
            table::count(sum.open()).tone(if sum.open() > 0 { Tone::Odd } else { Tone::Plain }),
            table::value(share, percent(share)),
        ]
    });
    Table::new("runs", "Runs, the least successful first", columns).rows(rows)
}
