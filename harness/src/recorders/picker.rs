//! Which items of a run are worth to be shown one by one, and how much went from where to where: found in one
//! pass, in memory bounded by nodes, flows, faults and bins, however long the run.

use std::collections::{BTreeMap, BTreeSet};

use beaufort_reports::trace::{Activity, Traffic};
use beaufort_sim::ids::NodeId;
use beaufort_sim::observe::{Observation, Outcome, Sink, What};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Span;

use super::Bins;
use super::flows::Flows;
use super::routes::Routes;
use super::tally::Tally;

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
    flows: Flows,
    /// By node and flow.
    activity: BTreeMap<(NodeId, u16), Tally>,
    /// By sender, receiver and flow.
    traffic: BTreeMap<(NodeId, NodeId, u16), Tally>,
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
            flows: Flows::new(plan),
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

    /// The events of each node and flow.
    pub(super) fn activity(&self) -> Vec<Activity> {
        let row = |((node, flow), tally): (&(NodeId, u16), &Tally)| Activity {
            node: node.0,
            flow: *flow,
            count: tally.count(),
            touched: tally.touched(),
            by: tally.by(),
        };
        self.activity.iter().map(row).collect()
    }

    /// The messages between nodes, by flow.
    pub(crate) fn traffic(&self) -> Vec<Traffic> {
        let row = |((from, to, flow), tally): (&(NodeId, NodeId, u16), &Tally)| Traffic {
            from: from.0,
            to: to.0,
            flow: *flow,
            count: tally.count(),
            by: tally.by(),
        };
        self.traffic.iter().map(row).collect()
    }

    fn message(&mut self, way: Option<(NodeId, NodeId)>, flow: u16, seen: &Observation) {
        if let Some((from, to)) = way {
            let bins = self.bins;
            let tally = self.traffic.entry((from, to, flow)).or_insert_with(|| Tally::new(bins));
            tally.add(bins.of(seen.at), seen.by);
        }
    }
}

impl Sink for Picker {
    fn observe(&mut self, seen: &Observation) {
        if !seen.what.has_item() || seen.item.is_none() {
            return;
        }
        self.events += 1;
        let (node, flow) = (self.routes.node(seen.process), self.flows.of(seen.item.stream));
        let (bins, item) = (self.bins, seen.item.identity());
        let tally = self.activity.entry((node, flow)).or_insert_with(|| Tally::new(bins));
        tally.add(bins.of(seen.at), seen.by);
        if !seen.by.is_empty() {
            self.touched.offer(item);
        }
        match seen.what {
            What::Offered { .. } => {
                self.items += 1;
                self.all.offer(item);
            }
            What::Sent { to, .. } => self.message(self.routes.call(seen.process, to), flow, seen),
            What::RunStarted { .. } => self.message(self.routes.fetch(seen.process), flow, seen),
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
    use crate::run::{Options, build};
    use crate::scenario::load::load;

    /// Two flows through one design, which several faults strike.
    const TWO_FLOWS: [&str; 9] = [
        "time.warmup=0s",
        "time.run=2m",
        "flows.returns={ key: customer, keys: 100 }",
        "nodes.returners={ kind: load, flow: returns, to: orders-api, rate: 4/s, policy: shopper }",
        "faults.bus-short.at=30s",
        "faults.bus-short.for=10s",
        "faults.hot-partition.at=60s",
        "faults.hot-partition.for=30s",
        "faults.hot-partition.limit=30RU/s",
    ];

    /// What a picker saw of a world, and everything about items that was there to see.
    fn watched() -> (Picker, Vec<Observation>) {
        let sets = TWO_FLOWS.map(str::to_owned);
        let plan = load("transactional-outbox", &sets).unwrap().resolve(None).unwrap().plan;
        let mut world = build(&plan, 1, &Options::default()).unwrap();
        let mut all = Vec::new();
        while world.next_at().is_some_and(|next| next <= plan.ends()) {
            world.step(&mut all);
        }
        let mut picker = Picker::new(&plan, Bins::until(&plan, plan.ends()));
        all.iter().for_each(|seen| picker.observe(seen));
        all.retain(|seen| seen.what.has_item() && !seen.item.is_none());
        (picker, all)
    }

    /// Numbers by bin, of whatever they are told apart by.
    #[derive(Debug, PartialEq)]
    struct Sums<K: Ord>(Bins, BTreeMap<K, Vec<u32>>);

    impl<K: Ord> Sums<K> {
        fn new(picker: &Picker) -> Sums<K> {
            Sums(picker.bins, BTreeMap::new())
        }

        fn add(&mut self, key: K, first: usize, count: &[u32]) {
            let bins = self.0;
            let sums = &mut self.1.entry(key).or_insert_with(|| bins.zeros())[first..];
            sums.iter_mut().zip(count).for_each(|(sum, count)| *sum += count);
        }

        fn count(&mut self, key: K, seen: &Observation) {
            self.add(key, self.0.of(seen.at), &[1]);
        }
    }

    #[test]
    fn rows_of_all_flows_together_are_all_events_of_a_node() {
        let (picker, all) = watched();
        let (mut rows, mut seen) = (Sums::new(&picker), Sums::new(&picker));
        for row in picker.activity() {
            rows.add((row.node, false), 0, &row.count);
            if !row.touched.is_empty() {
                rows.add((row.node, true), 0, &row.touched);
            }
        }
        for one in &all {
            let node = picker.routes.node(one.process).0;
            seen.count((node, false), one);
            if !one.by.is_empty() {
                seen.count((node, true), one);
            }
        }
        assert_eq!(rows, seen);
        let flows: BTreeSet<u16> = picker.activity().iter().map(|row| row.flow).collect();
        assert_eq!(flows, BTreeSet::from([0, 1]), "both flows have rows of their own");
    }

    #[test]
    fn a_row_counts_what_each_fault_touched_of_its_flow() {
        let (picker, all) = watched();
        let (mut rows, mut seen) = (Sums::new(&picker), Sums::new(&picker));
        for row in picker.activity() {
            for by in &row.by {
                rows.add((row.node, row.flow, by.fault), by.first as usize, &by.count);
            }
        }
        for one in &all {
            for fault in one.by.iter() {
                let node = picker.routes.node(one.process).0;
                seen.count((node, picker.flows.of(one.item.stream), fault.0), one);
            }
        }
        assert_eq!(rows, seen);
        let faults: BTreeSet<u16> = rows.1.keys().map(|(_, _, fault)| *fault).collect();
        let flows: BTreeSet<u16> = rows.1.keys().map(|(_, flow, _)| *flow).collect();
        assert!(faults.len() > 1 && flows.len() > 1, "{:?}", rows.1.keys());
    }

    #[test]
    fn messages_of_all_flows_together_are_all_messages_of_a_connection() {
        let (picker, all) = watched();
        let (mut rows, mut seen) = (Sums::new(&picker), Sums::new(&picker));
        for row in picker.traffic() {
            rows.add((row.from, row.to, None), 0, &row.count);
            for by in &row.by {
                rows.add((row.from, row.to, Some(by.fault)), by.first as usize, &by.count);
            }
        }
        for one in &all {
            let way = match one.what {
                What::Sent { to, .. } => picker.routes.call(one.process, to),
                What::RunStarted { .. } => picker.routes.fetch(one.process),
                _ => None,
            };
            let Some((from, to)) = way else { continue };
            seen.count((from.0, to.0, None), one);
            for fault in one.by.iter() {
                seen.count((from.0, to.0, Some(fault.0)), one);
            }
        }
        assert_eq!(rows, seen);
        let of_both = |way: &(u16, u16, Option<u16>)| {
            picker.traffic().iter().filter(|row| (row.from, row.to) == (way.0, way.1)).count() == 2
        };
        assert!(rows.1.keys().any(of_both), "some connection carries both flows");
    }

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
