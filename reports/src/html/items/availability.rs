//! Availability: what each door reached and what that rate means in a year; and what one would expect if the
//! parts it needs failed independently of each other.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::Panel;
use crate::design::{Design, DesignNode, PromiseSource, Role};
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::{Doc, NO_SERIES, at};
use crate::html::table::{self, Cell, Table};
use crate::results::SeedResult;
use crate::series::{HealthLane, LaneKind, Series};
use crate::words::{duration, percent};

const HOUR: f64 = 3600.0;

pub(super) fn panel(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let (Some(seed), Some(series), Some(period)) = (doc.focus, doc.series, doc.period()) else {
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
        design.nodes.iter().map(|node| (node.name.clone(), up(seed, series, node, period))).collect();
    let mut predictions = Vec::new();
    for (door, simulated) in &doors {
        predictions.push(html! { (prediction(design, &nodes, door, *simulated)) (promised(design, door)) });
    }
    let parts = build.table(&parts(design, &nodes))?;
    Ok(Panel::Shown(html! {
        (measured)
        h4 { "Predicted by the formula, and simulated" }
        @for prediction in predictions { (prediction) }
        p.note {
            "A node counts as available while not all of its processes (of an app: not all of its replicas) were down or "
            "paused. The formula assumes that nodes fail independently of each other, that every item needs each of "
            "them (everything that the door leads to, up to the first broker or store), and that one of the copies of a node in "
            "several sites is enough. Where both differ, retries, caches and slow answers, or faults that strike several nodes "
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

/// The processes of a node that do its work: its replicas where it has such, by the trace's list; where there
/// is none, all of those the design counts.
fn workers(seed: &SeedResult, node: &DesignNode) -> (Option<Vec<String>>, usize) {
    let Some(trace) = &seed.trace else { return (None, node.processes.max(1) as usize) };
    let of = |index: u16| trace.nodes.get(usize::from(index)).is_some_and(|name| *name == node.name);
    let all: Vec<String> =
        trace.processes.iter().filter(|(_, index)| of(*index)).map(|(name, _)| name.clone()).collect();
    let replicas: Vec<String> = all.iter().filter(|name| name.contains('#')).cloned().collect();
    let names = if replicas.is_empty() { all } else { replicas };
    let count = names.len().max(1);
    (Some(names), count)
}

/// The share of the time in which not all processes of a node were down.
fn up(seed: &SeedResult, series: &Series, node: &DesignNode, (from, to): (f64, f64)) -> f64 {
    let (names, count) = workers(seed, node);
    let worker = |lane: &&HealthLane| names.as_ref().is_none_or(|names| names.contains(&lane.name));
    let lanes = series.lanes.iter().filter(|lane| lane.kind == LaneKind::Process && lane.node == node.name);
    let lanes: Vec<Vec<(f64, f64)>> = lanes
        .filter(worker)
        .map(|lane| lane.spans.iter().map(|span| (span.from.max(from), span.to.min(to))).collect())
        .collect();
    if lanes.is_empty() || lanes.len() < count || to <= from {
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

/// What a door needs at once: everything it leads to, up to and including the first broker or store. A door
/// that leads nowhere only names those to whom callers then go themselves.
fn needs<'a>(design: &'a Design, door: &'a str) -> Vec<&'a str> {
    let node = |name: &str| design.nodes.iter().find(|node| node.name == name);
    let role = |name: &str, role: Role| node(name).is_some_and(|node| node.role == role);
    let mut seen: BTreeSet<&str> = [door].into();
    let mut found = vec![door];
    if design.edges.iter().all(|edge| edge.from != door) {
        let called = design.edges.iter().filter(|edge| role(&edge.from, Role::Load));
        found.extend(called.map(|edge| edge.to.as_str()).filter(|to| seen.insert(to)));
    }
    let mut next = 0;
    while let Some(from) = found.get(next).copied() {
        next += 1;
        // Whoever is fed by a broker or by a store is not waited for.
        if role(from, Role::Broker) || role(from, Role::Store) {
            continue;
        }
        let edges = design.edges.iter().filter(|edge| edge.from == from);
        found.extend(edges.map(|edge| edge.to.as_str()).filter(|to| seen.insert(to)));
    }
    found
}

/// A factor of the product: a node, or its copies in several sites, one of which is enough.
struct Factor<'a> {
    name: &'a str,
    copies: Vec<f64>,
}

impl Factor<'_> {
    fn share(&self) -> f64 {
        1.0 - self.copies.iter().map(|share| 1.0 - share).product::<f64>()
    }

    /// The factor, with its formula where it has copies.
    fn told(&self) -> Markup {
        html! {
            bdi { (self.name) } " " (percent(self.share()))
            @if self.copies.len() > 1 {
                " [1 \u{2212} "
                @for (index, share) in self.copies.iter().enumerate() {
                    @if index > 0 { " \u{d7} " }
                    "(1 \u{2212} " (percent(*share)) ")"
                }
                "]"
            }
        }
    }
}

/// The factors of a door's product, copies of one node together.
fn factors<'a>(nodes: &[(String, f64)], needs: &[&'a str]) -> Vec<Factor<'a>> {
    let mut factors: Vec<Factor<'a>> = Vec::new();
    for name in needs {
        let Some((_, share)) = nodes.iter().find(|(other, _)| other == name) else { continue };
        let base = name.split_once('/').map_or(*name, |(base, _)| base);
        match factors.iter_mut().find(|factor| factor.name == base) {
            Some(factor) => factor.copies.push(*share),
            None => factors.push(Factor { name: base, copies: vec![*share] }),
        }
    }
    factors
}

fn prediction(design: &Design, nodes: &[(String, f64)], door: &str, simulated: f64) -> Markup {
    let all = factors(nodes, &needs(design, door));
    let predicted: f64 = all.iter().map(Factor::share).product();
    let plain = |factor: &&Factor<'_>| factor.copies.iter().all(|share| *share >= 1.0);
    let (always, lost): (Vec<&Factor<'_>>, Vec<&Factor<'_>>) = all.iter().partition(plain);
    let names: Vec<&str> = always.iter().map(|factor| factor.name).collect();
    html! {
        p {
            "Door " bdi { (door) } ": predicted "
            @for (index, factor) in lost.iter().enumerate() {
                @if index > 0 { " \u{d7} " }
                (factor.told())
            }
            @if !always.is_empty() {
                @if !lost.is_empty() { " \u{d7} " }
                "100 % for " (names.join(", "))
            }
            " = " strong { (percent(predicted)) } "; simulated " strong { (percent(simulated)) } "."
        }
    }
}

/// What the promises of the providers come to for a door, where there are any.
fn promised(design: &Design, door: &str) -> Markup {
    let wholes = wholes(design, &needs(design, door));
    let promise = |node: &&DesignNode| Some((node.name.clone(), node.sla?.share));
    let promises: Vec<(String, f64)> = wholes.iter().filter_map(promise).collect();
    if promises.is_empty() {
        return html! {};
    }
    let names: Vec<&str> = wholes.iter().map(|node| node.name.as_str()).collect();
    let all = factors(&promises, &names);
    let product: f64 = all.iter().map(Factor::share).product();
    let of = |is: &dyn Fn(&DesignNode) -> bool| {
        let found = wholes.iter().filter(|node| is(node)).map(|node| node.name.as_str());
        found.collect::<Vec<_>>().join(", ")
    };
    let missing = of(&|node| node.sla.is_none());
    let quoted = of(&|node| node.sla.is_some_and(|promise| promise.source == PromiseSource::Quoted));
    let said = of(&|node| node.sla.is_some_and(|promise| promise.source == PromiseSource::Scenario));
    html! {
        p {
            "Door " bdi { (door) } ", by what the providers promise: "
            @for (index, factor) in all.iter().enumerate() {
                @if index > 0 { " \u{d7} " }
                (factor.told())
            }
            " = " strong { (percent(product)) } ", " (duration((1.0 - product) * 730.0 * HOUR)) " a month."
            @if !missing.is_empty() { " Nothing is promised for " (missing) "." }
            @if !said.is_empty() { " The scenario says it of " (said) "." }
            @if !quoted.is_empty() { " Generally quoted, not confirmed: " (quoted) "." }
        }
    }
}

/// The nodes that promises are about: of a part the whole, each once, and none that only makes items.
fn wholes<'a>(design: &'a Design, needs: &[&str]) -> Vec<&'a DesignNode> {
    let node = |name: &str| design.nodes.iter().find(|node| node.name == name);
    let mut found: Vec<&DesignNode> = Vec::new();
    for name in needs {
        let Some(part) = node(name).filter(|node| node.role != Role::Load) else { continue };
        // What the scenario says of a part itself counts for it.
        let whole = part.of.as_deref().filter(|_| part.sla.is_none()).and_then(node).unwrap_or(part);
        if !found.iter().any(|known| known.name == whole.name) {
            found.push(whole);
        }
    }
    found
}

fn parts(design: &Design, nodes: &[(String, f64)]) -> Table {
    let columns = vec![
        table::words("Node", "node"),
        table::words("Kind", "kind"),
        table::numbers("Processes", "processes"),
        table::numbers("Available", "available_share"),
        table::numbers("Promised", "promised_share"),
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
                table::share(node.sla.map(|promise| promise.share)),
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
    use crate::design::{DesignEdge, Promise};
    use crate::html::fixture;
    use crate::trace::Trace;

    #[test]
    fn a_node_is_down_only_while_all_of_its_processes_are() {
        let results = fixture::run();
        let seed = &SeedResult { trace: None, ..results.seeds[0].clone() };
        let series = seed.series.clone().expect("series");
        let node = |name: &str| {
            let design = results.design.as_ref().expect("design");
            design.nodes.iter().find(|node| node.name == name).cloned().expect("node")
        };
        // One process from 300 s to 600 s, the other from 330 s to 340 s.
        assert_eq!(up(seed, &series, &node("orders-api"), (0.0, 1000.0)), 0.99);
        assert_eq!(up(seed, &series, &node("bus"), (0.0, 1200.0)), 0.99);
        // Of two processes only one is ever down.
        let one =
            Series { lanes: vec![HealthLane { node: "edge".into(), ..series.lanes[2].clone() }], ..series };
        assert_eq!(up(seed, &one, &node("edge"), (0.0, 1000.0)), 1.0);
    }

    #[test]
    fn what_manages_replicas_does_not_stand_in_for_them() {
        let results = fixture::run();
        let trace = Trace {
            nodes: vec!["orders-api".into()],
            processes: ["orders-api", "orders-api#0", "orders-api#1"]
                .map(|name| (name.to_owned(), 0))
                .to_vec(),
            ..Trace::default()
        };
        let seed = SeedResult { trace: Some(trace), ..results.seeds[0].clone() };
        let series = seed.series.clone().expect("series");
        let node = DesignNode { name: "orders-api".into(), processes: 3, ..DesignNode::default() };
        assert_eq!(up(&seed, &series, &node, (0.0, 1000.0)), 0.99);
    }

    #[test]
    fn a_door_needs_what_it_leads_to_up_to_the_first_broker() {
        let results = fixture::run();
        let design = results.design.as_ref().expect("design");
        assert_eq!(needs(design, "edge"), ["edge", "orders-api", "orders-db", "bus"]);
        // A name that callers only look up leads to those whom they call then.
        let edges = design.edges.iter().filter(|edge| edge.from != "edge").cloned();
        let call = DesignEdge { from: "shoppers".into(), to: "orders-api".into(), used: 1 };
        let named = Design { edges: edges.chain([call]).collect(), ..design.clone() };
        assert_eq!(needs(&named, "edge"), ["edge", "orders-api", "orders-db", "bus"]);
    }

    /// The worked example of the Well-Architected Framework (data facts, 10.3).
    #[test]
    fn promises_multiply_as_in_the_worked_example() {
        let promise = |share, source| Some(Promise { share, source });
        let node = |name: &str, of: Option<&str>, sla| DesignNode {
            name: name.into(),
            of: of.map(str::to_owned),
            sla,
            ..DesignNode::default()
        };
        let published = PromiseSource::Published;
        let nodes = vec![
            node("front", None, promise(0.9998, published)),
            node("app", None, promise(0.9995, PromiseSource::Quoted)),
            node("table", Some("database"), None),
            node("database", None, promise(0.998, PromiseSource::Scenario)),
            node("link", None, promise(0.9999, published)),
            node("ours", None, None),
        ];
        let edge = |(from, to): (&str, &str)| DesignEdge { from: from.into(), to: to.into(), used: 1 };
        let edges = [("front", "app"), ("app", "table"), ("app", "link"), ("app", "ours"), ("ours", "table")];
        let design = Design { nodes, edges: edges.map(edge).to_vec(), ..Design::default() };
        let text = promised(&design, "front").into_string();
        for words in [
            "= <strong>99.72 %</strong>, 2 h 3 min a month.",
            "Nothing is promised for ours.",
            "The scenario says it of database.",
            "Generally quoted, not confirmed: app.",
        ] {
            assert!(text.contains(words), "no `{words}` in {text}");
        }
        assert_eq!(text.matches("database").count(), 2, "{text}");
        let bare = Design { nodes: vec![node("front", None, None)], ..Design::default() };
        assert_eq!(promised(&bare, "front").into_string(), "");
    }

    #[test]
    fn of_copies_in_several_sites_one_is_enough() {
        let nodes =
            [("a", 0.99), ("b/west", 0.9), ("b/north", 0.8)].map(|(name, share)| (name.to_owned(), share));
        let factors = factors(&nodes, &["a", "b/west", "b/north"]);
        let shares: Vec<String> = factors.iter().map(|factor| percent(factor.share())).collect();
        assert_eq!(shares, ["99 %", "98 %"]);
        let told = factors[1].told().into_string();
        assert_eq!(told, "<bdi>b</bdi> 98 % [1 \u{2212} (1 \u{2212} 90 %) \u{d7} (1 \u{2212} 80 %)]");
    }
}
