//! One instance of an app on the bench: its requests are answered by hand.

use super::*;
use crate::faults::Hook;
use crate::faults::local::{Active, Frequency, Value};
use crate::ids::{CallId, Execution, FaultId, Item, NodeId, ProcessId};
use crate::message::{Body, Cargo, Message, http, store};
use crate::node::rig::{Rig, sent};
use crate::node::{Effect, Point, Process};
use crate::services::Service;
use crate::services::endpoint::EndpointService;

/// The process of this name, on the bench and past its start.
pub(super) fn bench<'a>(plan: &'a Plan, name: &str) -> Rig<'a> {
    let (id, process) = build(plan, name);
    let (mut rig, _) = Rig::new(plan, id, process);
    rig.advance(Span::secs(5));
    rig
}

pub(super) fn build(plan: &Plan, name: &str) -> (ProcessId, Box<dyn Process>) {
    let index = plan.processes.iter().position(|process| process.name == name).expect("a process");
    let node = &plan.nodes[plan.processes[index].node.index()].name;
    let built = plan.blueprint.nodes[node].build(node, plan).expect("it builds");
    built.into_iter().find(|(id, _)| id.index() == index).expect("it is built")
}

pub(super) fn process(plan: &Plan, name: &str) -> u32 {
    plan.endpoint(name).expect("an endpoint").address.process.0
}

pub(super) fn item(number: u32) -> Item {
    Item { number, key: number % 3, ..Item::default() }
}

/// The client that sends the requests.
pub(super) const CLIENT: u32 = 77;

pub(super) fn request(call: u64, item: Item) -> Message {
    let verb = http::Verb::Call;
    let body = http::Request { part: 0, verb, key: None, secret: 0, execution: Execution::default() };
    Message { call: CallId(call), tag: 5, attempt: 1, cargo: Cargo::One(item), body: Body::Request(body) }
}

/// Answers the last request among these effects, from this process, with this body.
pub(super) fn answer(rig: &mut Rig<'_>, from: u32, effects: &[Effect], body: Body) -> Vec<Effect> {
    let request =
        sent(effects).filter(|message| message.call != CallId(0)).last().expect("a request").clone();
    rig.message(from, request.answer(body))
}

pub(super) fn status(status: u16) -> Body {
    Body::Response(http::Response::status(status))
}

pub(super) fn done() -> Body {
    Body::StoreAnswer(store::Answer::Done { absorbed: false })
}

/// The statuses of the responses among these effects.
pub(super) fn replies(effects: &[Effect]) -> Vec<u16> {
    let bodies = sent(effects).map(|message| &message.body);
    bodies
        .filter_map(|body| if let Body::Response(response) = body { Some(response.status) } else { None })
        .collect()
}

/// The requests among these effects: to which part, with which key.
pub(super) fn requests(effects: &[Effect]) -> Vec<(u16, Option<u64>)> {
    let bodies = sent(effects).map(|message| &message.body);
    bodies
        .filter_map(|body| if let Body::Request(it) = body { Some((it.part, it.key)) } else { None })
        .collect()
}

/// What happens at the points of the recipe and on the wire, in order.
pub(super) fn trace(plan: &Plan, node: &str, effects: &[Effect]) -> Vec<String> {
    let node = plan.node(node).expect("a node");
    let line = |effect: &Effect| match effect {
        Effect::Point { step, point, .. } => {
            let name = plan.step_name(node, *step).expect("a step");
            let point = match point {
                Point::Before => "before",
                Point::InDoubt => "in doubt",
                Point::After => "after",
            };
            Some(format!("{point} {name}"))
        }
        Effect::Call { .. } => Some("call".to_owned()),
        Effect::Answer { .. } => Some("answer".to_owned()),
        _ => None,
    };
    effects.iter().filter_map(line).collect()
}

/// Lets a fault watch every point of every step.
pub(super) fn watch(rig: &mut Rig<'_>, plan: &Plan, node: NodeId) {
    for step in 0..plan.nodes[node.index()].steps.len() as u16 {
        for point in [Point::Before, Point::InDoubt, Point::After] {
            rig.faults.watch(step, point, FaultId(0));
        }
    }
}

pub(super) fn fault(hook: Hook, value: Value) -> Active {
    Active {
        fault: FaultId(0),
        label: 1,
        hook,
        part: None,
        frequency: Frequency::Always,
        left: None,
        value,
        hidden: false,
    }
}

pub(super) fn call(target: &str, op: &str, undo: &str) -> Step {
    Step::Call(step::Call {
        target: target.to_owned(),
        op: Some(op.to_owned()),
        once: Some(Once::ITEM),
        undo: (!undo.is_empty()).then(|| undo.to_owned()),
        policy: Some("none".to_owned()),
        ..step::Call::default()
    })
}

/// An endpoint with these operations.
pub(super) fn endpoint(ops: &[&str]) -> NodeKind {
    let ops = ops.iter().map(|op| op.parse().expect("an operation")).collect();
    NodeKind::Endpoint(EndpointService { ops, ..EndpointService::default() })
}
