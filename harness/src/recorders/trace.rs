//! A run to step through: the numbers of all events, and the ways of as many items as there is room for.

use std::collections::BTreeMap;

use beaufort_reports::SeedResult;
use beaufort_reports::trace::{Trace, TracedEvent, TracedItem};
use beaufort_sim::ids::Item;
use beaufort_sim::observe::{Observation, What};
use beaufort_sim::plan::Plan;
use indexmap::IndexSet;

use super::Close;
use super::flows::Flows;
use super::routes::Routes;
use super::story::{Recorder, Teller, find};
use crate::judges::naming::{item_name, scenario_seconds};
use crate::judges::sends;

/// Of all items at most so many events are kept: about 700 kB of text.
const ROOM: usize = 24_000;

/// The items that are to be shown, the most important first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    /// The items, and what they violate, if anything.
    items: Vec<(u64, String)>,
}

impl Choice {
    /// Those that violate something, those that were asked for, and those that a first pass found.
    pub(crate) fn new(plan: &Plan, result: &SeedResult, asked: &[u64], close: &Close) -> Choice {
        let contracts = result.contracts.iter().map(|c| (&c.name, &c.violations));
        let goals = result.objectives.iter().map(|goal| (&goal.name, &goal.examples));
        let mut named: BTreeMap<u64, String> = BTreeMap::new();
        let mut order: IndexSet<u64> = IndexSet::new();
        for (name, violations) in contracts.chain(goals) {
            for violation in violations {
                let Some(item) = find(plan, &violation.stream, violation.number) else { continue };
                order.insert(item);
                let why = named.entry(item).or_default();
                if !why.split(", ").any(|known| known == name) {
                    let comma = if why.is_empty() { "" } else { ", " };
                    why.push_str(&format!("{comma}{name}"));
                }
            }
        }
        order.extend(asked.iter().copied());
        order.extend(close.picker.candidates());
        let items = order.into_iter().map(|item| (item, named.remove(&item).unwrap_or_default()));
        Choice { items: items.collect() }
    }

    /// Somebody who keeps what happens to them.
    pub(crate) fn recorder(&self) -> Recorder {
        Recorder::keeping(self.items.iter().map(|(item, _)| *item))
    }
}

/// Puts together what both passes saw.
pub(crate) fn trace(plan: &Plan, close: &Close, choice: &Choice, recorder: &Recorder) -> Trace {
    let mut writer =
        Writer { plan, routes: Routes::new(plan), flows: Flows::new(plan), words: IndexSet::new() };
    let (mut room, mut items) = (ROOM, Vec::new());
    for (item, violates) in &choice.items {
        let kept = recorder.kept(*item);
        if kept.is_empty() {
            continue;
        }
        let told = writer.item(kept, violates);
        if told.events.len() <= room {
            room -= told.events.len();
            items.push(told);
        }
    }
    items.sort_by(|a, b| begin(a).total_cmp(&begin(b)).then_with(|| a.name.cmp(&b.name)));
    let blueprint = &plan.blueprint;
    Trace {
        start: close.bins.start,
        step: close.bins.step(),
        bins: close.bins.count as u32,
        nodes: plan.nodes.iter().map(|node| node.name.clone()).collect(),
        processes: plan.processes.iter().map(|process| (process.name.clone(), process.node.0)).collect(),
        flows: blueprint.flows.keys().cloned().collect(),
        faults: blueprint.faults.keys().cloned().collect(),
        words: writer.words.into_iter().collect(),
        apart: true,
        activity: close.picker.activity(),
        traffic: close.picker.traffic(),
        items_all: close.picker.items,
        events_all: close.picker.events,
        items,
    }
}

fn begin(item: &TracedItem) -> f64 {
    item.events.first().map_or(0.0, |event| event.0)
}

struct Writer<'a> {
    plan: &'a Plan,
    routes: Routes,
    flows: Flows,
    words: IndexSet<String>,
}

impl Writer<'_> {
    fn item(&mut self, kept: &[Observation], violates: &str) -> TracedItem {
        // Where a crash is put into the way of an item, the observation has no item of its own.
        let item = kept.iter().find(|seen| seen.what.has_item()).map_or(Item::default(), |seen| seen.item);
        let (name, _) = item_name(self.plan, item.stream, item.number);
        let mut teller = Teller::new(self.plan);
        TracedItem {
            name,
            flow: self.flows.of(item.stream),
            key: item.key,
            violates: violates.to_owned(),
            events: kept.iter().filter_map(|seen| self.event(&mut teller, seen)).collect(),
        }
    }

    fn event(&mut self, teller: &mut Teller<'_>, seen: &Observation) -> Option<TracedEvent> {
        if teller.echoes(seen) {
            return None;
        }
        let told = teller.line(seen);
        let (words, to) = match seen.what {
            What::Sent { to, .. } => {
                (format!("calls {}", sends::name(self.plan, to)), Some(self.routes.target(to).0))
            }
            _ => (told?, None),
        };
        let (word, _) = self.words.insert_full(words);
        let at = (scenario_seconds(self.plan, seen.at) * 1e6).round() / 1e6;
        let faults = seen.by.iter().map(|fault| fault.0).collect();
        Some(TracedEvent(at, seen.process.0, word as u32, to, faults))
    }
}
