//! From process to node in the words of the scenario: a call to a queue goes to the queue, although its
//! namespace answers; what a topic pushes comes from the subscription.

use beaufort_sim::ids::{Address, NodeId, ProcessId};
use beaufort_sim::plan::{Plan, Protocol};
use beaufort_sim::services::Service;
use rustc_hash::FxHashMap;

/// Who a message comes from and goes to.
#[derive(Clone, Debug)]
pub(super) struct Routes {
    /// By process: its node.
    nodes: Vec<NodeId>,
    /// The parts of processes that are nodes of their own.
    parts: FxHashMap<Address, NodeId>,
    /// By node: from where it takes what it works on, where it fetches it itself.
    sources: Vec<Option<NodeId>>,
    /// From a whole to a node that one of its parts triggers: that part.
    pushers: FxHashMap<(NodeId, NodeId), NodeId>,
}

impl Routes {
    pub(super) fn new(plan: &Plan) -> Routes {
        let mut parts = FxHashMap::default();
        for (_, endpoint) in plan.endpoints() {
            parts.entry(endpoint.address).or_insert(endpoint.node);
        }
        let mut routes = Routes {
            nodes: plan.processes.iter().map(|process| process.node).collect(),
            parts,
            sources: vec![None; plan.nodes.len()],
            pushers: FxHashMap::default(),
        };
        for (name, kind) in &plan.blueprint.nodes {
            for trigger in kind.consumes() {
                routes.add_trigger(plan, name, &trigger);
            }
        }
        routes
    }

    fn add_trigger(&mut self, plan: &Plan, consumer: &str, trigger: &str) {
        let Some(consumer) = plan.node(consumer) else { return };
        let store = trigger.strip_suffix(".change-feed");
        let whole = plan.anywhere(store.unwrap_or(trigger));
        let endpoint = plan.endpoint(trigger).or_else(|| plan.endpoint(&whole));
        let fetched = endpoint.filter(|e| matches!(e.protocol, Protocol::Broker | Protocol::Store));
        let source = match (fetched, store) {
            (Some(endpoint), _) => Some(endpoint.node),
            (None, Some(_)) => plan.node(&whole),
            (None, None) => None,
        };
        if let Some(source) = source {
            self.sources[consumer.index()].get_or_insert(source);
        }
        let part = plan.node(trigger).or_else(|| plan.node(&whole));
        let of = part.and_then(|part| plan.blueprint.nodes.get(&plan.nodes[part.index()].name)?.of());
        if let (Some(part), Some(of)) = (part, of.and_then(|of| plan.node(of))) {
            self.pushers.insert((of, consumer), part);
        }
    }

    /// The node of a process.
    pub(super) fn node(&self, process: ProcessId) -> NodeId {
        self.nodes[process.index()]
    }

    /// The node that a call goes to.
    pub(super) fn target(&self, to: Address) -> NodeId {
        self.parts.get(&to).copied().unwrap_or(self.nodes[to.process.index()])
    }

    /// From which node to which a call goes, if it leaves the node.
    pub(super) fn call(&self, from: ProcessId, to: Address) -> Option<(NodeId, NodeId)> {
        let (from, to) = (self.node(from), self.target(to));
        let from = self.pushers.get(&(from, to)).copied().unwrap_or(from);
        (from != to).then_some((from, to))
    }

    /// From which node a run of this process has what it works on, if it fetches that itself.
    pub(super) fn fetch(&self, process: ProcessId) -> Option<(NodeId, NodeId)> {
        let node = self.node(process);
        self.sources[node.index()].filter(|source| *source != node).map(|source| (source, node))
    }
}
