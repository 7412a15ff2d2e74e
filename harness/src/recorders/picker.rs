//! Which items of a run are worth to be shown one by one, and how much went from where to where: found in one
//! pass, in bounded memory, whatever the run.

use std::collections::{BTreeMap, BTreeSet};

use beaufort_reports::trace::{Activity, Traffic};
use beaufort_sim::ids::NodeId;
use beaufort_sim::observe::{Observation, Outcome, Sink, What};
use beaufort_sim::plan::{Plan, Protocol};
use beaufort_sim::services::Service;
use beaufort_sim::time::Span;

use super::Bins;

/// So many of the slowest items of each door.
const SLOWEST: usize = 20;
/// So many items that a fault touched.
const TOUCHED: usize = 400;
/// So many of all items.
const SAMPLE: usize = 1_500;

/// At most so many items, evenly from all that were offered to it: those whose hashes are the smallest.
#[derive(Clone, Debug)]
struct Sample {
    most: usize,
    kept: BTreeSet<(u64, u64)>,
}

impl Sample {
    fn new(most: usize) -> Sample {
        Sample { most, kept: BTreeSet::new() }
    }

    fn offer(&mut self, item: u64) {
        let hash = item.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let hash = (hash ^ hash >> 29).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        if self.kept.len() == self.most && self.kept.last().is_none_or(|last| last.0 <= hash) {
            return;
        }
        self.kept.insert((hash, item));
        if self.kept.len() > self.most {
            self.kept.pop_last();
        }
    }

    fn items(&self) -> impl Iterator<Item = u64> + '_ {
        self.kept.iter().map(|(_, item)| *item)
    }
}

/// Counts who talks to whom, and finds items.
#[derive(Clone, Debug)]
pub(crate) struct Picker {
    bins: Bins,
    /// By process: its node.
    nodes: Vec<NodeId>,
    /// By node: from where it takes what it works on, where it fetches it itself.
    sources: Vec<Option<NodeId>>,
    activity: BTreeMap<NodeId, (Vec<u32>, Vec<u32>)>,
    traffic: BTreeMap<(NodeId, NodeId), Vec<u32>>,
    /// How many events there were about items.
    pub(super) events: u64,
    /// How many items there were.
    pub(super) items: u64,
    slowest: BTreeMap<NodeId, BTreeSet<(Span, u64)>>,
    touched: Sample,
    all: Sample,
}

impl Picker {
    pub(crate) fn new(plan: &Plan, bins: Bins) -> Picker {
        Picker {
            bins,
            nodes: plan.processes.iter().map(|process| process.node).collect(),
            sources: plan.nodes.iter().map(|node| fetched_from(plan, &node.name)).collect(),
            activity: BTreeMap::new(),
            traffic: BTreeMap::new(),
            events: 0,
            items: 0,
            slowest: BTreeMap::new(),
            touched: Sample::new(TOUCHED),
            all: Sample::new(SAMPLE),
        }
    }

    /// The items that were found, the most interesting first; some more than once.
    pub(super) fn candidates(&self) -> Vec<u64> {
        let slow = self.slowest.values().flat_map(|door| door.iter().rev().map(|(_, item)| *item));
        slow.chain(self.touched.items()).chain(self.all.items()).collect()
    }

    /// The events of each node.
    pub(super) fn activity(&self) -> Vec<Activity> {
        let row = |(node, (count, touched)): (&NodeId, &(Vec<u32>, Vec<u32>))| Activity {
            node: node.0,
            count: count.clone(),
            touched: touched.clone(),
        };
        self.activity.iter().map(row).collect()
    }

    /// The messages between nodes.
    pub(crate) fn traffic(&self) -> Vec<Traffic> {
        let row = |((from, to), count): (&(NodeId, NodeId), &Vec<u32>)| Traffic {
            from: from.0,
            to: to.0,
            count: count.clone(),
        };
        self.traffic.iter().map(row).collect()
    }

    fn message(&mut self, from: NodeId, to: NodeId, seen: &Observation) {
        if from != to {
            let bins = self.bins;
            self.traffic.entry((from, to)).or_insert_with(|| bins.zeros())[bins.of(seen.at)] += 1;
        }
    }
}

/// The node whose messages or rows a node fetches to work on, if it has such a trigger.
fn fetched_from(plan: &Plan, node: &str) -> Option<NodeId> {
    let triggers = plan.blueprint.nodes.get(node)?.consumes();
    triggers.iter().find_map(|trigger| {
        let store = trigger.strip_suffix(".change-feed");
        let name = plan.anywhere(store.unwrap_or(trigger));
        let endpoint = plan.endpoint(&name).or_else(|| plan.endpoint(trigger));
        match endpoint {
            Some(endpoint) => {
                matches!(endpoint.protocol, Protocol::Broker | Protocol::Store).then_some(endpoint.node)
            }
            None => plan.node(&name).filter(|_| store.is_some()),
        }
    })
}

impl Sink for Picker {
    fn observe(&mut self, seen: &Observation) {
        if !seen.what.has_item() || seen.item.is_none() {
            return;
        }
        self.events += 1;
        let node = self.nodes[seen.process.index()];
        let (bins, item) = (self.bins, seen.item.identity());
        let bin = bins.of(seen.at);
        let (count, touched) = self.activity.entry(node).or_insert_with(|| (bins.zeros(), bins.zeros()));
        count[bin] += 1;
        if !seen.by.is_empty() {
            touched[bin] += 1;
            self.touched.offer(item);
        }
        match seen.what {
            What::Offered { .. } => {
                self.items += 1;
                self.all.offer(item);
            }
            What::Sent { to, .. } => self.message(node, self.nodes[to.process.index()], seen),
            What::RunStarted { .. } => {
                if let Some(source) = self.sources[node.index()] {
                    self.message(source, node, seen);
                }
            }
            What::Concluded { door, outcome: Outcome::Ok, offered } => {
                let slowest = self.slowest.entry(door).or_default();
                slowest.insert((seen.at.since(offered), item));
                if slowest.len() > SLOWEST {
                    slowest.pop_first();
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_bounded_even_and_does_not_depend_on_the_order() {
        let (mut up, mut down) = (Sample::new(100), Sample::new(100));
        (0..10_000).for_each(|item| up.offer(item));
        (0..10_000).rev().for_each(|item| down.offer(item));
        assert_eq!(up.items().collect::<Vec<_>>(), down.items().collect::<Vec<_>>());
        assert_eq!(up.kept.len(), 100);
        let early = up.items().filter(|item| *item < 5_000).count();
        assert!((30..=70).contains(&early), "{early} of 100 are from the first half");
    }
}
