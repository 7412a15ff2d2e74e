//! Availability: what each door reached and what that rate means in a year; and what one would expect if the
//! parts it needs failed independently of each other.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::Panel;
use crate::design::{Design, DesignNode, Role};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::{Doc, NO_SERIES, at};
use crate::html::table::{self, Cell, Table};
use crate::series::{LaneKind, Series};
use crate::words::percent;

const HOUR: f64 = 3600.0;

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let (Some(series), Some(period)) = (doc.series, doc.period()) else {
        return Ok(Panel::Absent(NO_SERIES.to_owned()));
    };
    let doors = doors(doc, series);
    if doors.is_empty() {
        return Ok(Panel::Absent("nothing was offered while load counts".to_owned()));
    }
    let measured = build.table(&downtime(doc, &doors))?;
    let Some(design) = doc.design() else {
        return Ok(Panel::Shown(html! {
            (measured)
            p.note { "Nothing is predicted: the document does not say which nodes there are." }
        }));
    };
    let nodes: Vec<(String, f64)> =
        design.nodes.iter().map(|node| (node.name.clone(), up(series, node, period))).collect();
    let mut predictions = Vec::new();
    for (door, simulated) in &doors {
        predictions.push(prediction(design, &nodes, door, *simulated));
    }
    let parts = build.table(&parts(design, &nodes))?;
    Ok(Panel::Shown(html! {
        (measured)
        h4 { "Predicted by the formula, and simulated" }
        @for prediction in predictions { (prediction) }
        p.note {
            "A node counts as available while not all of its processes were down or paused. The product assumes that "
            "nodes fail independently and that every item needs each of them: everything that the door leads to, up to "
            "the first broker. Where both differ, retries, caches and slow answers, or faults that strike several nodes "
            "at a time, made the difference."
        }
        (parts)
    }))
}

/// The share of the items offered while load counts that had success, door by door.
fn doors(doc: &Doc<'_>, series: &Series) -> Vec<(String, f64)> {
    let counted = doc.counted();
    let sum = |counts: &[u64]| counted.iter().map(|bin| at(counts, *bin)).sum::<u64>();
    let share = |offered: u64, ok: u64| (offered > 0).then(|| ok as f64 / offered as f64);
    let all = series.doors.iter();
    all.filter_map(|door| Some((door.door.clone(), share(sum(&door.offered), sum(&door.ok))?))).collect()
}

fn downtime(doc: &Doc<'_>, doors: &[(String, f64)]) -> Table {
    let columns = vec![
        table::words("Door", "door"),
        table::numbers("Success", "success_share"),
        table::numbers("A week", "lost_s_a_week"),
        table::numbers("A month", "lost_s_a_month"),
        table::numbers("A year", "lost_s_a_year"),
    ];
    let rows = doors.iter().map(|(door, share)| {
        let lost = |hours: f64| table::span(Some((1.0 - share) * hours * HOUR));
        vec![table::text(door), table::share(Some(*share)), lost(168.0), lost(730.0), lost(8760.0)]
    });
    let caption = format!(
        "Simulated: success while load was offered{}, and the downtime that such a rate comes to",
        doc.of_seed()
    );
    Table::new("availability", caption, columns).rows(rows)
}

/// The share of the time in which not all processes of a node were down.
fn up(series: &Series, node: &DesignNode, (from, to): (f64, f64)) -> f64 {
    let lanes = series.lanes.iter().filter(|lane| lane.kind == LaneKind::Process && lane.node == node.name);
    let lanes: Vec<Vec<(f64, f64)>> = lanes
        .map(|lane| lane.spans.iter().map(|span| (span.from.max(from), span.to.min(to))).collect())
        .collect();
    if lanes.is_empty() || lanes.len() < node.processes.max(1) as usize || to <= from {
        return 1.0;
    }
    let mut changes: Vec<(f64, i64)> = Vec::new();
    for (from, to) in lanes.iter().flatten().filter(|(from, to)| from < to) {
        changes.extend([(*from, 1), (*to, -1)]);
    }
    changes.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (mut down, mut all_since, mut lost) = (0, None, 0.0);
    for (at, change) in changes {
        down += change;
        match (down >= lanes.len() as i64, all_since) {
            (true, None) => all_since = Some(at),
            (false, Some(since)) => {
                lost += at - since;
                all_since = None;
            }
            _ => {}
        }
    }
    1.0 - lost / (to - from)
}

/// What a door needs at once: everything it leads to, up to and including the first broker on each way.
fn needs<'a>(design: &'a Design, door: &'a str) -> Vec<&'a str> {
    let node = |name: &str| design.nodes.iter().find(|node| node.name == name);
    let mut seen: BTreeSet<&str> = [door].into();
    let mut found = vec![door];
    let mut next = 0;
    while let Some(from) = found.get(next).copied() {
        next += 1;
        if node(from).is_some_and(|node| node.role == Role::Broker) {
            continue;
        }
        for edge in design.edges.iter().filter(|edge| edge.from == from) {
            if seen.insert(&edge.to) {
                found.push(&edge.to);
            }
        }
    }
    found
}

fn prediction(design: &Design, nodes: &[(String, f64)], door: &str, simulated: f64) -> Markup {
    let of = |name: &str| nodes.iter().find(|(other, _)| other == name).map(|(_, share)| *share);
    let all: Vec<(&str, f64)> =
        needs(design, door).into_iter().filter_map(|name| Some((name, of(name)?))).collect();
    let predicted: f64 = all.iter().map(|(_, share)| share).product();
    let (always, lost): (Vec<_>, Vec<_>) = all.iter().partition(|(_, share)| *share >= 1.0);
    html! {
        p {
            "Door " bdi { (door) } ": predicted "
            @for (index, (name, share)) in lost.iter().enumerate() {
                @if index > 0 { " \u{d7} " }
                bdi { (name) } " " (percent(*share))
            }
            @if !always.is_empty() {
                @if !lost.is_empty() { " \u{d7} " }
                (always.len()) @if always.len() == 1 { " node" } @else { " nodes" } " at 100 %"
            }
            " = " strong { (percent(predicted)) } "; simulated " strong { (percent(simulated)) } "."
        }
    }
}

fn parts(design: &Design, nodes: &[(String, f64)]) -> Table {
    let columns = vec![
        table::words("Node", "node"),
        table::words("Kind", "kind"),
        table::numbers("Processes", "processes"),
        table::numbers("Available", "available_share"),
    ];
    let mut rows: Vec<(f64, Vec<Cell>)> = design
        .nodes
        .iter()
        .zip(nodes)
        .map(|(node, (_, share))| {
            let cells = vec![
                table::text(&node.name),
                table::text(&node.kind),
                table::count(u64::from(node.processes)),
                table::share(Some(*share)),
            ];
            (*share, cells)
        })
        .collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut table = Table::new(
        "availability-nodes",
        "Nodes: the share of the time in which not all processes were down",
        columns,
    );
    table.shown = 8;
    table.rows(rows.into_iter().map(|(_, cells)| cells))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::html::fixture;
    use crate::series::HealthLane;

    #[test]
    fn a_node_is_down_only_while_all_of_its_processes_are() {
        let results = fixture::run();
        let series = results.seeds[0].series.clone().expect("series");
        let node = |name: &str| {
            let design = results.design.as_ref().expect("design");
            design.nodes.iter().find(|node| node.name == name).cloned().expect("node")
        };
        // One process from 300 s to 600 s, the other from 330 s to 340 s.
        assert_eq!(up(&series, &node("orders-api"), (0.0, 1000.0)), 0.99);
        assert_eq!(up(&series, &node("bus"), (0.0, 1200.0)), 0.99);
        // Of two processes only one is ever down.
        let one =
            Series { lanes: vec![HealthLane { node: "edge".into(), ..series.lanes[2].clone() }], ..series };
        assert_eq!(up(&one, &node("edge"), (0.0, 1000.0)), 1.0);
    }

    #[test]
    fn a_door_needs_what_it_leads_to_up_to_the_first_broker() {
        let results = fixture::run();
        let design = results.design.as_ref().expect("design");
        assert_eq!(needs(design, "edge"), ["edge", "orders-api", "orders-db", "bus"]);
    }
}
