//! What the tests of the services share: a plan of one node, messages to it, what came of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::blueprint::{Blueprint, Flow, Site};
use crate::faults::Hook;
use crate::faults::local::{Active, Frequency, Value};
use crate::ids::{CallId, Execution, FaultId, Item, Once, PlaceId, TypeId};
use crate::message::http::{Request, Verb};
use crate::message::store::{Answer, Command, Error, Operation, WriteVerb};
use crate::message::{Body, Cargo, Message};
use crate::node::Effect;
use crate::node::rig::{Rig, bodies, observed};
use crate::observe::{Handling, What};
use crate::plan::{Plan, PlanError};
use crate::services::{NodeKind, Service};
use crate::time::Span;

pub(crate) fn item(number: u32) -> Item {
    Item { number, key: number % 7, ..Item::default() }
}

/// A plan with one region, one flow and this node, called `it`.
pub(crate) fn plan(kind: NodeKind) -> Result<Plan, Vec<PlanError>> {
    let mut blueprint = Blueprint::default();
    blueprint.sites.insert("westeurope".to_owned(), Site::default());
    blueprint.flows.insert("orders".to_owned(), Flow::default());
    blueprint.nodes.insert("it".to_owned(), kind);
    let mut plan = Plan::new(blueprint)?;
    plan.add_stream("shoppers", crate::ids::FlowId(0));
    Ok(plan)
}

/// The node `it` of this plan on the bench.
pub(crate) fn rig(plan: &Plan) -> Rig<'_> {
    let built = plan.blueprint.nodes["it"].build("it", plan).expect("it builds");
    let (id, process) = built.into_iter().next().expect("it has a process");
    Rig::new(plan, id, process).0
}

/// A fault at this hook, always.
pub(crate) fn fault(hook: Hook, value: Value) -> Active {
    Active {
        fault: FaultId(0),
        label: 99,
        hook,
        part: None,
        frequency: Frequency::Always,
        left: None,
        value,
        hidden: false,
    }
}

pub(crate) fn message(call: u64, cargo: Cargo, body: Body) -> Message {
    Message { call: CallId(call), tag: 0, attempt: 1, cargo, body }
}

/// A request with the item as its idempotency key.
pub(crate) fn request(call: u64, part: u16, item: Item, once: Once) -> Message {
    let execution = Execution { run: call, message: item.identity() };
    let key = once.identity(item, execution);
    let body = Body::Request(Request { part, verb: Verb::Call, key, secret: 0, execution });
    message(call, Cargo::One(item), body)
}

pub(crate) fn operation(verb: WriteVerb, part: u16, once: Once) -> Operation {
    Operation { verb, part, once, by: 1, ttl: Span::FOREVER, kind: TypeId(0) }
}

pub(crate) fn write(call: u64, items: &[Item], operations: &[Operation]) -> Message {
    let execution = Execution { run: call, message: items[0].identity() };
    let operations = Arc::new(operations.to_vec());
    message(call, Cargo::of(items.to_vec()), Body::Store(Command::Write { operations, execution }))
}

/// The status of the one response.
pub(crate) fn status(effects: &[Effect]) -> Option<u16> {
    bodies(effects).find_map(|body| match body {
        Body::Response(response) => Some(response.status),
        _ => None,
    })
}

/// The answers of a store.
pub(crate) fn answers(effects: &[Effect]) -> Vec<Answer> {
    let bodies = bodies(effects);
    bodies
        .filter_map(|body| if let Body::StoreAnswer(answer) = body { Some(*answer) } else { None })
        .collect()
}

/// The first error that a store answered.
pub(crate) fn error(effects: &[Effect]) -> Option<Error> {
    answers(effects).into_iter().find_map(|answer| match answer {
        Answer::Refused { error, .. } => Some(error),
        _ => None,
    })
}

/// What was done with the calls.
pub(crate) fn handlings(effects: &[Effect]) -> Vec<Handling> {
    observed(effects)
        .filter_map(|what| if let What::Handled { how, .. } = what { Some(*how) } else { None })
        .collect()
}

pub(crate) fn births(effects: &[Effect]) -> usize {
    observed(effects).filter(|what| matches!(what, What::Born { .. })).count()
}

pub(crate) fn touched(effects: &[Effect]) -> bool {
    observed(effects).any(|what| matches!(what, What::Touched))
}

/// Whether the node says that it is ready.
pub(crate) fn is_ready(rig: &mut Rig<'_>) -> Option<bool> {
    let effects = rig.message(3, Message::new(Body::Probe));
    bodies(&effects).find_map(|body| if let Body::ProbeAnswer { ready } = body { Some(*ready) } else { None })
}

/// The copies book of one process: born less ended, by place and item; and how often a call was handled.
#[derive(Debug, Default)]
pub(crate) struct Books {
    pub(crate) copies: BTreeMap<(PlaceId, u64), i64>,
    pub(crate) handled: BTreeMap<CallId, u32>,
}

impl Books {
    pub(crate) fn book(&mut self, effects: &[Effect]) {
        for effect in effects {
            let Effect::Observe { item, what, .. } = effect else { continue };
            match *what {
                What::Born { place, .. } => self.change(place, *item, 1),
                What::Ended { place, .. } => self.change(place, *item, -1),
                What::Handled { call, .. } => *self.handled.entry(call).or_insert(0) += 1,
                _ => {}
            }
        }
    }

    fn change(&mut self, place: PlaceId, item: Item, by: i64) {
        let copies = self.copies.entry((place, item.identity())).or_insert(0);
        *copies += by;
        if *copies == 0 {
            self.copies.remove(&(place, item.identity()));
        }
    }

    /// What the process holds, in the same form.
    pub(crate) fn held(&self, rig: &Rig<'_>) -> BTreeMap<(PlaceId, u64), i64> {
        let mut held = BTreeMap::new();
        for one in rig.held() {
            *held.entry((one.place, one.item.identity())).or_insert(0) += i64::from(one.copies);
        }
        held
    }
}
