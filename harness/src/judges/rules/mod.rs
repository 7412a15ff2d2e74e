//! Contracts and objectives with every name resolved: which lanes of an item's state they look at.

mod lanes;
mod names;
mod resolver;

use beaufort_sim::ids::{FaultId, FlowId, NodeId, PlaceId, StreamId};
use beaufort_sim::plan::{Plan, PlanError};
use beaufort_sim::time::Span;
use indexmap::IndexMap;
use smallvec::SmallVec;

use super::config::{Contract, Objective, While};
use resolver::Resolver;

pub(crate) use lanes::{
    COLUMNS, CONCLUSION, ENDS, GROSS, Lane, Lanes, NET, NOWHERE, STANDING, all, conclusion, count, ends,
    lane, mark, uncount,
};
pub(crate) use names::source_of;

/// Where a promise begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Start {
    /// All of them counted: accepted. One for a door, one for each place.
    pub(crate) lanes: Lanes,
    /// The door, if it is one.
    pub(crate) door: Option<NodeId>,
}

/// What a contract looks at.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Check {
    /// The at-least-once and at-most-once family.
    Delivery {
        /// From where on every item counts; `None` for at-most-once.
        start: Option<Start>,
        /// The effects.
        effects: Lanes,
        /// Whether two effects are too many.
        single: bool,
        /// Where an item may be kept instead.
        parked: SmallVec<[PlaceId; 2]>,
        /// The hook that knows what is superseded.
        latest: Option<usize>,
    },
    /// Effects without acceptance.
    Phantom {
        /// The acceptance.
        start: Start,
        /// The effects.
        effects: Lanes,
    },
    /// The order of effects; the hooks find the violations as they happen.
    Order,
    /// All groups or none, by lanes of net effects.
    Whole {
        /// Each name with its lanes.
        groups: Vec<(String, Lanes)>,
    },
    /// Net effects that follow from one.
    Implies {
        /// The claim.
        claim: Lanes,
        /// What it claims.
        then: Lanes,
    },
    /// What copies of a store hold at the end.
    Converge {
        /// The copies: name and places.
        copies: Vec<(String, Vec<PlaceId>)>,
    },
    /// What is read of a store.
    Consistent {
        /// The places of the store.
        places: Vec<PlaceId>,
        /// What readers may rely on.
        promise: Promise,
    },
    /// The runs of the copies of an app.
    Runs {
        /// The copies.
        apps: Vec<NodeId>,
        /// No more runs than this in all; `None`: no two copies at a time.
        most: Option<u64>,
    },
}

/// What readers of a store may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Promise {
    /// What was acknowledged, or seen by anybody, is seen.
    Linearizable,
    /// The same, so long after.
    BoundedStaleness(Span),
    /// What one has written or seen himself is seen.
    Session,
    /// Nothing is seen without what was written before it under the same key.
    ConsistentPrefix,
}

/// A contract.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// Its name.
    pub(crate) name: String,
    /// `exactly-once orders`.
    pub(crate) text: String,
    /// The flow.
    pub(crate) flow: FlowId,
    /// What it looks at.
    pub(crate) check: Check,
    /// The lanes by which it is exercised.
    pub(crate) lanes: Lanes,
}

/// Something that has to be done when a lane is counted for the first time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Hook {
    /// Measures from start to the last effect; one register.
    Delay { objective: usize, start: Lanes, end: Lanes, register: usize },
    /// The backlog between start and the last effect.
    Backlog { objective: usize, start: Lanes, end: Lanes },
    /// Order relative to real time at the door; the flow's two registers.
    RealTime { contract: usize, effect: Lane },
    /// Order relative to the sequence at places; one register.
    Sequence { contract: usize, start: Lanes, effect: Lane, register: usize },
    /// The newest effected item of each key; two registers.
    Latest { start: Lanes, end: Lanes, register: usize },
}

/// What is remembered about the items of a flow.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlowRules {
    /// By place: the lane of births, that of births less what was undone, and that of births less what a
    /// failover took away.
    pub(crate) places: Vec<[Lane; COLUMNS]>,
    /// The same of places that are counted as one: what is the same in several sites.
    pub(crate) unions: Vec<[Lane; COLUMNS]>,
    /// The lane of each door, or of the copies of one.
    pub(crate) doors: Vec<(SmallVec<[NodeId; 2]>, Lane)>,
    /// How many lanes there are.
    pub(crate) lanes: Lane,
    /// By lane: what it is called.
    pub(crate) names: Vec<String>,
    /// The hooks.
    pub(crate) hooks: Vec<Hook>,
    /// By lane: which hooks.
    pub(crate) interest: Vec<SmallVec<[u8; 4]>>,
    /// The effect lanes of all real-time hooks.
    pub(crate) real_time: Lanes,
    /// The registers of offer and conclusion, if there are real-time hooks.
    pub(crate) clock: Option<usize>,
    /// How many words a state has, without the time of the last booking.
    pub(crate) words: usize,
}

impl FlowRules {
    /// The lanes on which something at this place counts: its own, and those of what it is a copy of.
    pub(crate) fn lanes_at(&self, place: PlaceId) -> impl Iterator<Item = [Lane; COLUMNS]> {
        let at = |lanes: &[[Lane; COLUMNS]]| lanes.get(place.index()).copied().unwrap_or([NOWHERE; COLUMNS]);
        let own = at(&self.places);
        // An item is stamped at every place, counted or not.
        std::iter::once(own).chain(Some(at(&self.unions)).filter(|lanes| *lanes != [NOWHERE; COLUMNS]))
    }
}

/// An objective with its names resolved.
#[derive(Clone, Debug)]
pub(crate) struct Goal {
    /// Its name.
    pub(crate) name: String,
    /// As written.
    pub(crate) objective: Objective,
    /// What it measures: `availability edge`.
    pub(crate) text: String,
    /// What it looks at.
    pub(crate) measure: Measure,
    /// Which part of the run.
    pub(crate) during: While,
}

/// What an objective looks at.
#[derive(Clone, Debug)]
pub(crate) enum Measure {
    /// Items with success at a door.
    Availability(NodeId),
    /// Time to success at a door.
    Latency(NodeId),
    /// Fed by its hook.
    Delay,
    /// Bad items at a door around a fault. `from`: the streams that count; empty for all. `bound`: later
    /// than this is bad too. `delays`: objectives whose items are accepted at the door, and the bound
    /// beyond which the effects of an item come so late that it is bad.
    Recovery {
        fault: FaultId,
        door: NodeId,
        from: Vec<StreamId>,
        bound: Option<Span>,
        delays: Vec<(usize, Span)>,
    },
    /// The backlog after a fault: of places, or fed by its hook.
    Drain { fault: FaultId, places: Vec<PlaceId> },
    /// Arrivals at places. `sources`: where what arrives there comes from.
    DeadLetters { places: Vec<PlaceId>, sources: Vec<PlaceId> },
    /// The runs of an app.
    Duration(NodeId),
    /// What was destroyed at places around a fault.
    RecoveryPoint { fault: FaultId, places: Vec<PlaceId> },
    /// Bad items at a door while an app, or a copy of it, runs.
    Interruption { apps: Vec<NodeId>, door: NodeId },
}

/// What the scenario says about a fault.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FaultFacts {
    /// Its name in the scenario.
    pub(crate) name: String,
    /// Its id in the catalogue.
    pub(crate) fault: String,
    /// What it strikes.
    pub(crate) target: String,
    /// The seed decides whether or when it strikes.
    pub(crate) random: bool,
    /// It has no instant of its own: part of the calm.
    pub(crate) background: bool,
}

/// All contracts and objectives of a scenario, resolved against its plan.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub(crate) contracts: Vec<Rule>,
    pub(crate) objectives: Vec<Goal>,
    pub(crate) flows: Vec<FlowRules>,
    pub(crate) faults: Vec<FaultFacts>,
}

impl Rules {
    /// Resolves every name.
    ///
    /// # Errors
    /// All that is wrong, each with its place (`["always", name, field]`, `["objectives", name, field]`).
    pub fn resolve(
        plan: &Plan,
        contracts: &IndexMap<String, Contract>,
        objectives: &IndexMap<String, Objective>,
    ) -> Result<Rules, Vec<PlanError>> {
        let mut resolver = Resolver::new(plan);
        for (name, contract) in contracts {
            resolver.contract(name, contract);
        }
        for (name, objective) in objectives {
            resolver.objective(name, objective, objectives);
        }
        resolver.finish()
    }

    /// The names of the contracts and objectives, in file order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let contracts = self.contracts.iter().map(|rule| rule.name.as_str());
        contracts.chain(self.objectives.iter().map(|goal| goal.name.as_str()))
    }
}
