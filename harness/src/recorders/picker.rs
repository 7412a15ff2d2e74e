//! Which items of a run are worth to be shown one by one, and how much went from where to where: found in one
//! pass, in bounded memory, whatever the run.

use std::collections::{BTreeMap, BTreeSet};

use beaufort_reports::trace::{Activity, Traffic};
use beaufort_sim::ids::NodeId;
use beaufort_sim::observe::{Observation, Outcome, Sink, What};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Span;

use super::Bins;
use super::routes::Routes;

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
    routes: Routes,
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
            routes: Routes::new(plan),
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

    fn message(&mut self, way: Option<(NodeId, NodeId)>, seen: &Observation) {
        if let Some(way) = way {
            let bins = self.bins;
            self.traffic.entry(way).or_insert_with(|| bins.zeros())[bins.of(seen.at)] += 1;
        }
    }
}

impl Sink for Picker {
    fn observe(&mut self, seen: &Observation) {
        if !seen.what.has_item() || seen.item.is_none() {
            return;
        }
        self.events += 1;
        let node = self.routes.node(seen.process);
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
            What::Sent { to, .. } => self.message(self.routes.call(seen.process, to), seen),
            What::RunStarted { .. } => self.message(self.routes.fetch(seen.process), seen),
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
