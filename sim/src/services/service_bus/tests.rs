//! The namespace on the bench: what the facts say, one by one.

use indexmap::IndexMap;

use crate::blueprint::{Blueprint, Flow, Site, Timetable};
use crate::ids::{ConnectionId, Execution, Item, Once};
use crate::message::broker::{Command, Event, ReceiveMode, Settlement, Source};
use crate::message::{Body, Cargo, Message};
use crate::node::Effect;
use crate::node::rig::{Rig, bodies};
use crate::plan::Plan;
use crate::services::{NodeKind, Service as _};
use crate::time::Span;

mod basics;
mod clients;
mod geo;
mod hooks;
mod plans;
mod regions;

/// A plan with these nodes, one site and one flow.
pub(super) fn plan(nodes: Vec<(&str, NodeKind)>) -> Result<Plan, Vec<crate::plan::PlanError>> {
    let nodes: IndexMap<String, NodeKind> =
        nodes.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect();
    Plan::new(Blueprint {
        time: Timetable::default(),
        sites: [("westeurope".to_owned(), Site::default())].into_iter().collect(),
        flows: [("orders".to_owned(), Flow::default())].into_iter().collect(),
        nodes,
        ..Blueprint::default()
    })
}

/// The namespace `bus` of this plan on the bench.
pub(super) fn rig(plan: &Plan) -> Rig<'_> {
    let mut built = plan.blueprint.nodes["bus"].build("bus", plan).expect("a namespace");
    let (id, process) = built.remove(0);
    Rig::new(plan, id, process).0
}

pub(super) fn part(plan: &Plan, name: &str) -> u16 {
    plan.endpoint(name).expect("a part").address.part
}

pub(super) fn item(number: u32) -> Item {
    Item { number, key: number % 7, stream: crate::ids::StreamId::named("shoppers"), ..Item::default() }
}

/// A send of these items.
pub(super) fn send(part: u16, items: &[u32]) -> Send {
    Send {
        part,
        items: items.iter().map(|n| item(*n)).collect(),
        once: Once::ITEM,
        session: Once::NONE,
        ttl: Span::FOREVER,
        delay: Span::ZERO,
    }
}

/// A send with everything that can be said about it.
#[derive(Clone)]
pub(super) struct Send {
    part: u16,
    items: Vec<Item>,
    once: Once,
    session: Once,
    ttl: Span,
    delay: Span,
}

impl Send {
    pub(super) fn message(self, call: u64) -> Message {
        let Send { part, items, once, session, ttl, delay } = self;
        let command = Command::Send { part, once, session, execution: Execution::default(), ttl, delay };
        let mut message = Message::new(Body::Broker(command)).carrying(Cargo::of(items));
        message.call = crate::ids::CallId(call);
        message
    }
}

pub(super) fn attach(part: u16, link: u32, credit: u32) -> Message {
    let (from, mode) = (Source::Any, ReceiveMode::PeekLock);
    Message::new(Body::Broker(Command::Attach { part, link, from, mode, credit }))
}

pub(super) fn settle(link: u32, lock: u64, how: Settlement) -> Message {
    let mut message = Message::new(Body::Broker(Command::Settle { link, lock, how, more: 1 }));
    message.call = crate::ids::CallId(1000 + (lock >> 40 & 0xffff));
    message
}

/// What was delivered: item number, lock, delivery count.
pub(super) fn delivered(effects: &[Effect]) -> Vec<(u32, u64, u32)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Answer {
                message:
                    Message {
                        cargo, body: Body::BrokerEvent(Event::Delivered { lock, delivery_count, .. }), ..
                    },
                ..
            } => Some((cargo.first()?.number, *lock, *delivery_count)),
            _ => None,
        })
        .collect()
}

/// The broker's answers and notices other than deliveries.
pub(super) fn events(effects: &[Effect]) -> Vec<Event> {
    bodies(effects)
        .filter_map(|body| match body {
            Body::BrokerEvent(event) if !matches!(event, Event::Delivered { .. }) => Some(event.clone()),
            _ => None,
        })
        .collect()
}
