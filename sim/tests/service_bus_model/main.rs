//! A queue against a model that was written from the fact sheet and shares no code with the service:
//! messages in a plain vector, every rule a scan. After each operation both must have delivered the
//! same, answered the same and hold the same. And a crash must leave what a rebuilt namespace would be.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

mod model;

use std::collections::BTreeSet;

use beaufort_sim::blueprint::{Blueprint, Flow, Site};
use beaufort_sim::ids::{CallId, Execution, Item, Once};
use beaufort_sim::message::broker::{Command, Event, ReceiveMode, Settlement, Source};
use beaufort_sim::message::{Body, Cargo, Message, control};
use beaufort_sim::node::rig::{Rig, sent};
use beaufort_sim::node::{CloseReason, Effect};
use beaufort_sim::plan::Plan;
use beaufort_sim::services::service_bus::{ServiceBus, ServiceBusQueue, Tier};
use beaufort_sim::services::{NodeKind, Service as _};
use beaufort_sim::time::Span;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use crate::model::{DELAY, LOCK, Model, Out, STEP, Setup, St, TTL, WAIT, WINDOW};

#[derive(Clone, Copy, Debug)]
enum Op {
    Send { item: u32, ttl: bool, delay: bool },
    Attach { peer: u32, credit: u32, dead: bool },
    Credit { peer: u32, more: u32 },
    Detach { peer: u32 },
    Settle { which: usize, how: Settlement },
    Renew { which: usize },
    Fetch { peer: u32, which: usize },
    Wait { ms: u64 },
    Lose { peer: u32 },
    Enable { on: bool },
    Crash,
    SendAndCrash { item: u32 },
}

fn ops() -> impl Strategy<Value = Op> {
    use Settlement::{Abandon, Complete, DeadLetter, Defer};
    let how = prop_oneof![4 => Just(Complete), 3 => Just(Abandon), 1 => Just(DeadLetter), 1 => Just(Defer)];
    prop_oneof![
        8 => (0u32..12, any::<bool>(), prop::bool::weighted(0.3))
            .prop_map(|(item, ttl, delay)| Op::Send { item, ttl, delay }),
        4 => (0u32..3, 1u32..4, prop::bool::weighted(0.2))
            .prop_map(|(peer, credit, dead)| Op::Attach { peer, credit, dead }),
        3 => (0u32..3, 1u32..3).prop_map(|(peer, more)| Op::Credit { peer, more }),
        1 => (0u32..3).prop_map(|peer| Op::Detach { peer }),
        8 => (0usize..8, how).prop_map(|(which, how)| Op::Settle { which, how }),
        2 => (0usize..8).prop_map(|which| Op::Renew { which }),
        2 => (0u32..3, 0usize..4).prop_map(|(peer, which)| Op::Fetch { peer, which }),
        5 => (1u64..6000).prop_map(|ms| Op::Wait { ms: ms * 2 }),
        1 => (0u32..3).prop_map(|peer| Op::Lose { peer }),
        1 => any::<bool>().prop_map(|on| Op::Enable { on }),
        1 => Just(Op::Crash),
        1 => (0u32..12).prop_map(|item| Op::SendAndCrash { item }),
    ]
}

fn plan(setup: Setup) -> Plan {
    let bus = ServiceBus { tier: Tier::Premium, session_wait: Span::micros(WAIT), ..ServiceBus::default() };
    let queue = ServiceBusQueue {
        of: "bus".to_owned(),
        lock: Span::micros(LOCK),
        max_delivery: setup.max_delivery,
        dead_letter_on_expiration: setup.keep_expired,
        dedup_window: setup.dedup.then(|| Span::micros(WINDOW)),
        sessions: setup.sessions,
        ..ServiceBusQueue::default()
    };
    Plan::new(Blueprint {
        sites: [("here".to_owned(), Site::default())].into_iter().collect(),
        flows: [("orders".to_owned(), Flow::default())].into_iter().collect(),
        nodes: [
            ("bus".to_owned(), NodeKind::ServiceBus(bus)),
            ("q".to_owned(), NodeKind::ServiceBusQueue(queue)),
        ]
        .into_iter()
        .collect(),
        ..Blueprint::default()
    })
    .expect("a plan")
}

struct Both<'a> {
    rig: Rig<'a>,
    model: Model,
    /// For each grant of the model, in order: the broker's lock.
    locks: Vec<u64>,
    calls: u64,
}

impl Both<'_> {
    fn message(&mut self, peer: u32, command: Command, cargo: Cargo) -> Vec<Effect> {
        self.calls += 1;
        let mut message = Message::new(Body::Broker(command)).carrying(cargo);
        message.call = CallId(self.calls);
        self.rig.message(peer, message)
    }

    fn send(&mut self, item: u32, ttl: bool, delay: bool) -> Vec<Effect> {
        let span = |on: bool, micros| if on { Span::micros(micros) } else { Span::ZERO };
        let command = Command::Send {
            part: 0,
            once: Once::ITEM,
            session: if self.model.setup.sessions { Once::KEY } else { Once::NONE },
            execution: Execution::default(),
            ttl: if ttl { Span::micros(TTL) } else { Span::FOREVER },
            delay: span(delay, DELAY),
        };
        let item = Item { number: item, key: item % 3 + 1, ..Item::default() };
        self.message(9, command, Cargo::One(item))
    }

    /// Does one thing on both sides; what the service did comes back.
    fn apply(&mut self, op: Op) -> Vec<Effect> {
        match op {
            Op::Send { item, ttl, delay } => {
                let effects = self.send(item, ttl, delay);
                self.model.send(item, ttl, delay);
                effects
            }
            Op::Attach { peer, credit, dead } => {
                let session = self.model.setup.sessions && !dead;
                let from = if session { Source::NextSession } else { Source::Any };
                let (part, mode) = (u16::from(dead), ReceiveMode::PeekLock);
                let command = Command::Attach { part, link: 0, from, mode, credit };
                self.model.attach(peer, credit, dead);
                self.message(peer, command, Cargo::None)
            }
            Op::Credit { peer, more } => {
                self.model.credit(peer, more);
                self.message(peer, Command::Credit { link: 0, more }, Cargo::None)
            }
            Op::Detach { peer } => {
                self.model.detach(peer);
                self.message(peer, Command::Detach { link: 0 }, Cargo::None)
            }
            Op::Settle { which, how } => {
                let Some((grant, lock)) = self.grant(which) else { return Vec::new() };
                self.model.settle(grant, how);
                self.message(grant.1, Command::Settle { link: 0, lock, how, more: 0 }, Cargo::None)
            }
            Op::Renew { which } => {
                let Some((grant, lock)) = self.grant(which) else { return Vec::new() };
                // A client renews the session where it holds one.
                let session = self.model.holds.iter().any(|h| h.by == Some(grant.2));
                self.model.renew(grant);
                let lock = if session { 0 } else { lock };
                self.message(grant.1, Command::Renew { link: 0, lock }, Cargo::None)
            }
            Op::Fetch { peer, which } => {
                let deferred = self.model.msgs.iter().filter(|m| m.st == St::Deferred).nth(which);
                let seq = deferred.map_or(77, |m| m.seq);
                self.model.fetch(peer, seq);
                let part = 0;
                self.message(peer, Command::ReceiveDeferred { part, link: 0, sequence: seq }, Cargo::None)
            }
            Op::Wait { ms } => {
                self.model.until(self.model.now + ms * 1000);
                self.rig.advance(Span::millis(ms))
            }
            Op::Lose { peer } => {
                self.model.lose(peer);
                self.rig.closed(peer, CloseReason::Reset)
            }
            Op::Enable { on } => {
                self.model.enable(on);
                let command = control::Command::Enable { part: 0, on };
                self.rig.message(8, Message::new(Body::Control(command)))
            }
            Op::Crash => {
                self.model.crash();
                self.rig.crash()
            }
            Op::SendAndCrash { item } => {
                // Not durable, not acknowledged: it never was.
                let mut effects = self.send(item, false, false);
                if !self.model.enabled {
                    self.model.out.push(Out::Refused { peer: 9 });
                }
                self.model.crash();
                effects.extend(self.rig.crash());
                effects
            }
        }
    }

    fn grant(&self, which: usize) -> Option<((u64, u32, u64), u64)> {
        // The latest first, so that most settlements are about locks that hold.
        let index = self.model.grants.len().checked_sub(1 + which)?;
        Some((self.model.grants[index], self.locks[index]))
    }

    fn step(&mut self, op: Op) -> Result<(), TestCaseError> {
        let start = self.model.now;
        let mut effects = self.apply(op);
        // Time for the sync of what was sent or settled.
        let rest = (start + STEP).max(self.model.now + STEP) - start;
        let waited = if let Op::Wait { ms } = op { ms * 1000 } else { 0 };
        effects.extend(self.rig.advance(Span::micros(rest - waited)));
        self.model.until(start + rest);
        let (service, locks) = outputs(&effects);
        self.locks.extend(locks);
        let model = std::mem::take(&mut self.model.out);
        for kind in [true, false] {
            let pick = |out: &[Out]| -> Vec<Out> {
                let of = |o: &&Out| matches!(o, Out::Delivered { .. }) == kind;
                out.iter().filter(of).cloned().collect()
            };
            let (mut service, mut model) = (pick(&service), pick(&model));
            // Answers to different peers have no order among each other; deliveries have.
            service.sort_by_key(Out::peer);
            model.sort_by_key(Out::peer);
            prop_assert_eq!(service, model, "after {:?}", op);
        }
        let mut held: Vec<(bool, u32)> =
            self.rig.held().iter().map(|held| (held.rest, held.item.number)).collect();
        held.sort_unstable();
        prop_assert_eq!(held, self.model.held(), "held after {:?}", op);
        Ok(())
    }
}

fn outputs(effects: &[Effect]) -> (Vec<Out>, Vec<u64>) {
    let (mut outs, mut locks) = (Vec::new(), Vec::new());
    for effect in effects {
        let Effect::Answer { connection, message } = effect else { continue };
        let peer = connection.slot;
        let Body::BrokerEvent(event) = &message.body else { continue };
        outs.push(match event {
            Event::Delivered { delivery_count, lock, sequence, .. } => {
                locks.push(*lock);
                let item = message.cargo.first().expect("an item").number;
                Out::Delivered { peer, item, failed: *delivery_count, seq: *sequence }
            }
            Event::Accepted { sequence } => Out::Accepted { peer, seq: *sequence },
            Event::Refused(_) => Out::Refused { peer },
            Event::Attached { session, .. } => Out::Attached { peer, session: *session != 0 },
            Event::Settled => Out::Settled { peer },
            Event::Renewed { .. } => Out::Renewed { peer },
            Event::Detached { .. } => Out::Detached { peer },
            Event::Peeked | Event::Received { .. } => continue,
        });
    }
    (outs, locks)
}

fn compare(setup: Setup, ops: &[Op]) -> Result<(), TestCaseError> {
    let plan = plan(setup);
    let mut built = plan.blueprint.nodes["bus"].build("bus", &plan).expect("a namespace");
    let (id, process) = built.remove(0);
    let rig = Rig::new(&plan, id, process).0;
    let mut both = Both { rig, model: Model::new(setup), locks: Vec::new(), calls: 0 };
    for op in ops {
        both.step(*op)?;
    }
    Ok(())
}

/// How many cases: 400, or what PROPTEST_CASES says.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(400)
}

fn setups(sessions: bool) -> impl Strategy<Value = Setup> {
    (any::<bool>(), any::<bool>(), 1u32..4).prop_map(move |(dedup, keep_expired, max_delivery)| Setup {
        sessions,
        dedup,
        keep_expired,
        max_delivery,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_does_what_the_facts_say(setup in setups(false), ops in prop::collection::vec(ops(), 1..80)) {
        compare(setup, &ops)?;
    }

    #[test]
    fn a_queue_with_sessions_does_what_the_facts_say(setup in setups(true), ops in prop::collection::vec(ops(), 1..80)) {
        compare(setup, &ops)?;
    }
}

#[test]
fn the_operations_reach_every_state() {
    // The strategies are of use only if redelivery, expiry and dead letters happen in them.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..40 {
        let ops = prop::collection::vec(ops(), 40..80).new_tree(&mut runner).expect("a value").current();
        let setup = Setup { sessions: false, dedup: true, keep_expired: true, max_delivery: 2 };
        let mut model = Both {
            rig: {
                let plan: &'static Plan = Box::leak(Box::new(plan(setup)));
                let mut built = plan.blueprint.nodes["bus"].build("bus", plan).expect("a namespace");
                let (id, process) = built.remove(0);
                Rig::new(plan, id, process).0
            },
            model: Model::new(setup),
            locks: Vec::new(),
            calls: 0,
        };
        for op in ops {
            let before = model.model.held();
            let effects = model.apply(op);
            for message in sent(&effects) {
                if let Body::BrokerEvent(Event::Delivered { delivery_count: 1.., .. }) = message.body {
                    reached.insert("redelivered");
                }
            }
            let start = model.model.now;
            let more = model.rig.advance(Span::micros(STEP));
            model.model.until(start + STEP);
            let (_, locks) = outputs(&[effects, more].concat());
            model.locks.extend(locks);
            if model.model.msgs.iter().any(|m| m.dead) {
                reached.insert("dead-lettered");
            }
            if model.model.msgs.iter().any(|m| m.st == St::Deferred) {
                reached.insert("deferred");
            }
            if model.model.held().len() < before.len() {
                reached.insert("gone");
            }
            if model.model.out.drain(..).any(|out| out == Out::Accepted { peer: 9, seq: 0 }) {
                reached.insert("absorbed");
            }
        }
    }
    assert_eq!(reached.len(), 5, "{reached:?}");
}
