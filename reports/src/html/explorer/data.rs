//! What the explorer's code reads: the trace with every name made visible, and what it needs of the seed.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::design::Design;
use crate::results::SeedResult;
use crate::series::LaneKind;
use crate::trace::{Activity, Trace, TracedItem, Traffic};

use super::escape::visible;

/// The data of an explorer; what a number means is said in the trace's types.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Data {
    start: f64,
    step: f64,
    bins: u32,
    nodes: Vec<String>,
    /// How many processes each node has.
    sizes: Vec<u32>,
    processes: Vec<(String, u16)>,
    flows: Vec<String>,
    faults: Vec<Fault>,
    words: Vec<String>,
    apart: bool,
    activity: Vec<Activity>,
    traffic: Vec<Traffic>,
    items_all: u64,
    events_all: u64,
    items: Vec<TracedItem>,
    lanes: Vec<Lane>,
    /// The command that runs the seed again, to which what is asked for is added.
    command: String,
}

#[derive(Serialize)]
struct Fault {
    name: String,
    about: String,
    windows: Vec<[f64; 2]>,
    more: u64,
}

#[derive(Serialize)]
struct Lane {
    node: usize,
    name: String,
    kind: LaneKind,
    spans: Vec<(f64, f64, String)>,
}

impl Data {
    pub(super) fn new(trace: &Trace, design: Option<&Design>, seed: &SeedResult, command: &str) -> Data {
        Data {
            start: trace.start,
            step: trace.step,
            bins: trace.bins,
            nodes: trace.nodes.iter().map(|name| visible(name)).collect(),
            sizes: sizes(trace, design),
            processes: trace.processes.iter().map(|(name, node)| (visible(name), *node)).collect(),
            flows: trace.flows.iter().map(|name| visible(name)).collect(),
            faults: faults(trace, seed),
            words: trace.words.iter().map(|words| visible(words)).collect(),
            apart: trace.apart,
            activity: trace.activity.clone(),
            traffic: trace.traffic.clone(),
            items_all: trace.items_all,
            events_all: trace.events_all,
            items: trace.items.iter().map(item).collect(),
            lanes: lanes(trace, seed),
            command: visible(command),
        }
    }
}

fn item(item: &TracedItem) -> TracedItem {
    TracedItem { name: visible(&item.name), violates: visible(&item.violates), ..item.clone() }
}

/// How many processes each node has: as the design says, at least as many as the trace met.
fn sizes(trace: &Trace, design: Option<&Design>) -> Vec<u32> {
    let declared = |name: &String| {
        let node = design.and_then(|design| design.nodes.iter().find(|node| node.name == *name));
        node.map_or(0, |node| node.processes)
    };
    let mut sizes: Vec<u32> = vec![0; trace.nodes.len()];
    for (_, node) in &trace.processes {
        if let Some(size) = sizes.get_mut(usize::from(*node)) {
            *size += 1;
        }
    }
    trace.nodes.iter().zip(sizes).map(|(name, met)| met.max(declared(name))).collect()
}

/// The faults of the trace in its order, then those of the seed that touched no item.
fn faults(trace: &Trace, seed: &SeedResult) -> Vec<Fault> {
    let traced = trace.faults.iter().map(|name| {
        let result = seed.faults.iter().find(|fault| fault.name == *name);
        (name, result)
    });
    let others = seed.faults.iter().filter(|fault| !trace.faults.contains(&fault.name));
    let all = traced.chain(others.map(|fault| (&fault.name, Some(fault))));
    all.map(|(name, result)| Fault {
        name: visible(name),
        about: result.map(|fault| visible(&format!("{} {}", fault.fault, fault.target))).unwrap_or_default(),
        windows: result.map(|fault| fault.windows.clone()).unwrap_or_default(),
        more: result.map_or(0, |fault| fault.more_windows),
    })
    .collect()
}

fn lanes(trace: &Trace, seed: &SeedResult) -> Vec<Lane> {
    let positions: BTreeMap<&str, usize> =
        trace.nodes.iter().enumerate().map(|(index, name)| (name.as_str(), index)).collect();
    let all = seed.series.as_ref().map_or(&[][..], |series| &series.lanes);
    let known = all.iter().filter_map(|lane| {
        let node = *positions.get(lane.node.as_str())?;
        let spans = lane.spans.iter().map(|span| (span.from, span.to, visible(&span.state))).collect();
        Some(Lane { node, name: visible(&lane.name), kind: lane.kind, spans })
    });
    known.collect()
}
