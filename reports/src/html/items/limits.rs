//! Limits: where somebody was told to come back later, and all other signs of trouble.

use maud::html;

use super::Panel;
use super::tracks::{self, Track, ranked};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::{Doc, NO_SERIES};
use crate::html::plot::{Plot, Unit};
use crate::html::table::{self, Cell, Table};
use crate::series::{Series, SignSeries};

/// The sign of a limit that was reached.
const THROTTLED: &str = "throttled";

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(series) = doc.series else { return Ok(Panel::Absent(NO_SERIES.to_owned())) };
    if series.signs.is_empty() {
        return Ok(Panel::Absent("no node showed a sign of trouble".to_owned()));
    }
    let throttled = series.signs.iter().filter(|sign| sign.sign == THROTTLED);
    let throttled = ranked(throttled.map(|sign| Track::rates(&sign.node, &sign.count, series)).collect());
    let figure = if throttled.is_empty() {
        html! { p.note { "Nobody was throttled." } }
    } else {
        let plot = Plot {
            title: format!("Throttled{}", doc.of_seed()),
            desc: format!("Most at {}.", throttled[0].name),
            ..tracks::plot(doc, series, "throttled", "throttled a second", Unit::Number, &throttled)
        };
        build.figure(&plot, &tracks::sheet(series, "throttled", &throttled))?
    };
    let table = build.table(&signs(series))?;
    Ok(Panel::Shown(html! {
        (figure)
        @if let Some(note) = tracks::rest(&throttled) { p.note { (note) } }
        (table)
    }))
}

/// A row for each node, a column for each sign.
fn signs(series: &Series) -> Table {
    let mut kinds: Vec<&str> = Vec::new();
    let mut nodes: Vec<&str> = Vec::new();
    for sign in &series.signs {
        if !kinds.contains(&sign.sign.as_str()) {
            kinds.push(&sign.sign);
        }
        if !nodes.contains(&sign.node.as_str()) {
            nodes.push(&sign.node);
        }
    }
    let sum = |sign: &SignSeries| sign.count.iter().sum::<u64>();
    let of = |node: &str, kind: &str| {
        series.signs.iter().filter(|sign| sign.node == node && sign.sign == kind).map(sum).sum::<u64>()
    };
    let all = |node: &str| kinds.iter().map(|kind| of(node, kind)).sum::<u64>();
    nodes.sort_by_key(|node| std::cmp::Reverse(all(node)));
    let mut columns = vec![table::words("Node", "node")];
    columns.extend(kinds.iter().map(|kind| table::numbers(&kind.replace('-', " "), kind)));
    let rows = nodes.iter().map(|node| {
        let mut cells: Vec<Cell> = vec![table::text(*node)];
        cells.extend(kinds.iter().map(|kind| match of(node, kind) {
            0 => Cell { raw: Some("0".to_owned()), ..table::none() },
            count => table::count(count),
        }));
        cells
    });
    let mut table = Table::new("signs", "Signs of trouble, node by node", columns).rows(rows);
    table.shown = 24;
    table
}
