//! Who is at work: the runs of apps, copy by copy, for the contracts about runs, and what alerts set going.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use beaufort_sim::ids::{Item, NodeId, ProcessId};
use beaufort_sim::observe::Life;
use beaufort_sim::plan::Plan;
use beaufort_sim::time::{Span, Time};

use super::rules::{Check, Rules};

/// At most so many runs that break a contract, and so many that an alert set going, are kept one by one.
const KEPT: usize = 1_000;

/// A run that should not have been, or not then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Stray {
    /// What it began with; none for a run without an item.
    pub(crate) item: Item,
    /// When it began.
    pub(crate) at: Time,
    /// Where.
    pub(crate) node: NodeId,
    /// The copy that was at work as well.
    pub(crate) beside: Option<NodeId>,
}

/// What one contract about runs has seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watch {
    nodes: Vec<NodeId>,
    /// Runs in progress, by node.
    active: Vec<u32>,
    /// `None`: no two copies at a time; `Some`: no more runs than this in all.
    most: Option<u64>,
    pub(crate) started: u64,
    pub(crate) broken: u64,
    pub(crate) strays: Vec<Stray>,
}

impl Watch {
    fn begin(&mut self, node: NodeId, item: Item, at: Time) {
        let Some(index) = self.nodes.iter().position(|known| *known == node) else { return };
        self.started += 1;
        self.active[index] += 1;
        let beside = (0..self.nodes.len()).find(|other| *other != index && self.active[*other] > 0);
        let beside = beside.map(|other| self.nodes[other]);
        let broken = match self.most {
            None => beside.is_some(),
            Some(most) => self.started > most,
        };
        if broken {
            self.broken += 1;
            if self.strays.len() < KEPT {
                self.strays.push(Stray { item, at, node, beside });
            }
        }
    }

    fn end(&mut self, node: NodeId) {
        if let Some(index) = self.nodes.iter().position(|known| *known == node) {
            self.active[index] = self.active[index].saturating_sub(1);
        }
    }
}

/// All runs that somebody asks about.
#[derive(Clone, Debug)]
pub(crate) struct Activity {
    /// By process: its node, if anybody asks about it.
    asked: Arc<[Option<NodeId>]>,
    /// Apps and people whose trigger is an alert.
    alarmed: Arc<[NodeId]>,
    under_way: BTreeSet<(ProcessId, u64)>,
    /// By contract.
    pub(crate) watches: BTreeMap<usize, Watch>,
    /// The runs that an alert set going: begin and end.
    acts: Vec<(ProcessId, u64, Time, Option<Time>)>,
}

impl Activity {
    pub(crate) fn new(plan: &Plan, rules: &Rules) -> Activity {
        let alarmed: Vec<NodeId> =
            (0..plan.nodes.len() as u16).map(NodeId).filter(|id| answers_alert(plan, *id)).collect();
        let mut watches = BTreeMap::new();
        for (index, rule) in rules.contracts.iter().enumerate() {
            if let Check::Runs { apps, most } = &rule.check {
                let watch = Watch {
                    nodes: apps.clone(),
                    active: vec![0; apps.len()],
                    most: *most,
                    ..Watch::default()
                };
                watches.insert(index, watch);
            }
        }
        let asks = |node: NodeId| {
            alarmed.contains(&node) || watches.values().any(|watch: &Watch| watch.nodes.contains(&node))
        };
        let asked =
            plan.processes.iter().map(|process| Some(process.node).filter(|node| asks(*node))).collect();
        Activity { asked, alarmed: alarmed.into(), under_way: BTreeSet::new(), watches, acts: Vec::new() }
    }

    fn asked(&self, process: ProcessId) -> Option<NodeId> {
        self.asked.get(process.index()).copied().flatten()
    }

    /// A run begins; one with a batch begins once for every item.
    pub(crate) fn begin(&mut self, process: ProcessId, run: u64, item: Item, now: Time) {
        let Some(node) = self.asked(process) else { return };
        if !self.under_way.insert((process, run)) {
            return;
        }
        self.watches.values_mut().for_each(|watch| watch.begin(node, item, now));
        if self.alarmed.contains(&node) && self.acts.len() < KEPT {
            self.acts.push((process, run, now, None));
        }
    }

    /// A run ends.
    pub(crate) fn end(&mut self, process: ProcessId, run: u64, now: Time) {
        let Some(node) = self.asked(process) else { return };
        if !self.under_way.remove(&(process, run)) {
            return;
        }
        self.watches.values_mut().for_each(|watch| watch.end(node));
        if let Some(act) = self.acts.iter_mut().rev().find(|act| (act.0, act.1) == (process, run)) {
            act.3 = Some(now);
        }
    }

    /// What was under way in a process that is gone has no end; it is no longer in progress.
    pub(crate) fn life(&mut self, process: ProcessId, life: Life) {
        let (Life::Stopped | Life::Crashed | Life::PowerLost) = life else { return };
        let Some(node) = self.asked(process) else { return };
        let gone: Vec<(ProcessId, u64)> =
            self.under_way.range((process, 0)..=(process, u64::MAX)).copied().collect();
        for run in gone {
            self.under_way.remove(&run);
            self.watches.values_mut().for_each(|watch| watch.end(node));
        }
    }

    /// When, after `from` and before `until`, the first run began that an alert set going, and when it was over.
    pub(crate) fn first_act(&self, from: Time, until: Time) -> (Option<Span>, Option<Span>) {
        let act = self.acts.iter().find(|act| act.2 >= from && act.2 < until);
        (act.map(|act| act.2.since(from)), act.and_then(|act| act.3).map(|end| end.since(from)))
    }
}

/// Whether the trigger of a node is an alert.
pub(crate) fn answers_alert(plan: &Plan, node: NodeId) -> bool {
    let config = plan.blueprint.nodes.get(&plan.nodes[node.index()].name);
    let value = config.and_then(|kind| serde_json::to_value(kind).ok());
    let fields = value.as_ref().and_then(|value| value.as_object()).and_then(|map| map.values().next());
    let trigger = fields.and_then(|fields| fields.get("trigger")).and_then(|trigger| trigger.as_str());
    trigger.and_then(|name| plan.blueprint.nodes.get(name)).is_some_and(|kind| kind.word() == "alert")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decided_and_acted_are_those_of_the_first_run_after_the_fault() {
        let (node, process) = (NodeId(0), ProcessId(0));
        let mut activity = Activity {
            asked: vec![Some(node)].into(),
            alarmed: vec![node].into(),
            under_way: BTreeSet::new(),
            watches: BTreeMap::new(),
            acts: Vec::new(),
        };
        let at = |seconds| Time::ZERO + Span::secs(seconds);
        for (run, from, to) in [(1, 5, Some(8)), (2, 130, Some(190)), (3, 200, Some(210)), (4, 320, None)] {
            activity.begin(process, run, Item::default(), at(from));
            if let Some(to) = to {
                activity.end(process, run, at(to));
            }
        }
        let secs = |seconds| Some(Span::secs(seconds));
        assert_eq!(activity.first_act(at(100), at(300)), (secs(30), secs(90)));
        assert_eq!(activity.first_act(at(300), Time::NEVER), (secs(20), None));
        assert_eq!(activity.first_act(at(400), Time::NEVER), (None, None));
    }
}
