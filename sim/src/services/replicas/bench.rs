//! Two replicas on the bench, and the way between them in the hand of the test.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{CallId, Item, PlaceId, ProcessId};
use crate::message::control::{self, Answer, Transition};
use crate::message::{Body, Message};
use crate::node::rig::{Rig, bodies};
use crate::node::{CloseReason, Effect};
use crate::observe::{Birth, End, What};
use crate::plan::Plan;
use crate::services::Service;
use crate::time::Span;

/// A step of time.
pub(crate) const MS: Span = Span::millis(2);

/// Two replicas, and what is on the way between them.
pub(crate) struct Two<'a> {
    pub(crate) rigs: [Rig<'a>; 2],
    ids: [ProcessId; 2],
    /// Cut: what is sent between them gets lost with its connection.
    pub(crate) cut: bool,
    /// Crashed, and not back.
    pub(crate) down: [bool; 2],
    balance: BTreeMap<(PlaceId, u64), i64>,
    /// What clients of each were told: every answer and delivery.
    pub(crate) told: [Vec<Effect>; 2],
    /// What failovers destroyed, and what they brought back, by number.
    pub(crate) destroyed: Vec<u32>,
    pub(crate) reborn: Vec<u32>,
    /// What the other one would have after a failover, by place and number.
    pub(crate) shadows: BTreeSet<(PlaceId, u32)>,
    /// What was accepted, by number: call ids are numbers plus one.
    pub(crate) accepted: BTreeSet<u32>,
    accepts: fn(&Message) -> bool,
}

impl<'a> Two<'a> {
    /// The first two processes of this node. `accepts`: whether this answer says that something was done.
    pub(crate) fn new(plan: &'a Plan, node: &str, accepts: fn(&Message) -> bool) -> Two<'a> {
        let built = plan.blueprint.nodes[node].build(node, plan).expect("two replicas");
        let ids: Vec<ProcessId> = built.iter().map(|(id, _)| *id).collect();
        let mut rigs = built.into_iter().map(|(id, process)| Rig::new(plan, id, process).0);
        let rigs = [rigs.next().expect("west"), rigs.next().expect("north")];
        Two {
            rigs,
            ids: [ids[0], ids[1]],
            cut: false,
            down: [false; 2],
            balance: BTreeMap::new(),
            told: [Vec::new(), Vec::new()],
            destroyed: Vec::new(),
            reborn: Vec::new(),
            shadows: BTreeSet::new(),
            accepted: BTreeSet::new(),
            accepts,
        }
    }

    /// Books what one did, and carries what it says to the other.
    pub(crate) fn carry(&mut self, of: usize, effects: Vec<Effect>) {
        let mut lost = false;
        for effect in effects {
            match effect {
                Effect::Observe { item, what, .. } => self.book(item, what),
                Effect::Call { message, .. } => lost |= !self.pass(of, message),
                Effect::Answer { connection, message } if connection.slot == self.ids[1 - of].0 => {
                    lost |= !self.pass(of, message);
                }
                other => {
                    if let Effect::Answer { message, .. } = &other
                        && (self.accepts)(message)
                    {
                        self.accepted.insert(message.call.0 as u32 - 1);
                    }
                    self.told[of].push(other);
                }
            }
        }
        if lost {
            self.close(of);
            if !self.down[1 - of] {
                self.close(1 - of);
            }
        }
    }

    fn close(&mut self, of: usize) {
        let peer = self.ids[1 - of].0;
        let effects = self.rigs[of].closed(peer, CloseReason::TimedOut);
        self.carry(of, effects);
    }

    fn pass(&mut self, of: usize, message: Message) -> bool {
        if self.cut || self.down[1 - of] {
            return false;
        }
        let effects = self.rigs[1 - of].message(self.ids[of].0, message);
        self.carry(1 - of, effects);
        true
    }

    fn book(&mut self, item: Item, what: What) {
        let (place, by) = match what {
            What::Born { place, cause } => {
                if cause == Birth::Reborn {
                    self.reborn.push(item.number);
                }
                (place, 1)
            }
            What::Ended { place, cause } => {
                if cause == End::FailoverTail {
                    self.destroyed.push(item.number);
                }
                (place, -1)
            }
            What::Moved { from, to, .. } => {
                *self.balance.entry((from, item.identity())).or_insert(0) -= 1;
                (to, 1)
            }
            What::Shadow { place, held: true } => {
                self.shadows.insert((place, item.number));
                return;
            }
            What::Shadow { place, held: false } => {
                self.shadows.remove(&(place, item.number));
                return;
            }
            _ => return,
        };
        *self.balance.entry((place, item.identity())).or_insert(0) += by;
    }

    /// A client says something to one of them.
    pub(crate) fn client(&mut self, of: usize, message: Message) {
        let effects = self.rigs[of].message(900, message);
        self.carry(of, effects);
    }

    pub(crate) fn advance(&mut self, span: Span) {
        for _ in 0..span.0.div_ceil(MS.0).min(400) {
            let step = Span((span.0 / span.0.div_ceil(MS.0).min(400)).max(1));
            for of in 0..2 {
                if self.down[of] {
                    self.rigs[of].now += step;
                    continue;
                }
                let effects = self.rigs[of].advance(step);
                self.carry(of, effects);
            }
        }
    }

    pub(crate) fn crash(&mut self, of: usize) {
        self.rigs[of].process.crash();
        self.down[of] = true;
        if !self.down[1 - of] {
            self.close(1 - of);
        }
    }

    pub(crate) fn back(&mut self, of: usize) {
        self.down[of] = false;
        let effects = self.rigs[of].crash();
        self.carry(of, effects);
    }

    pub(crate) fn promote(&mut self, of: usize, to: u8, mode: Transition) {
        let mut message = Message::new(Body::Control(control::Command::Promote { to, mode }));
        message.call = CallId(5000);
        self.client(of, message);
    }

    /// What the control plane was answered since.
    pub(crate) fn answers(&mut self, of: usize) -> Vec<Answer> {
        let told = std::mem::take(&mut self.told[of]);
        let bodies = bodies(&told);
        bodies
            .filter_map(|body| if let Body::ControlAnswer(answer) = body { Some(*answer) } else { None })
            .collect()
    }

    pub(crate) fn verify(&mut self, of: usize) -> Option<Answer> {
        self.told[of].clear();
        let part = u16::MAX;
        self.client(of, Message::new(Body::Control(control::Command::Verify { part })));
        self.answers(of).pop()
    }

    pub(crate) fn held(&self, of: usize) -> Vec<u32> {
        let mut held: Vec<u32> = self.rigs[of].held().iter().map(|held| held.item.number).collect();
        held.sort_unstable();
        held
    }

    /// Both books close: what was born and has not ended is held, place by place, item by item.
    pub(crate) fn check(&self) {
        let mut held = BTreeMap::new();
        for rig in &self.rigs {
            for one in rig.held() {
                *held.entry((one.place, one.item.identity())).or_insert(0) += i64::from(one.copies);
            }
        }
        let open: BTreeMap<_, _> = self
            .balance
            .iter()
            .filter(|(_, count)| **count != 0)
            .map(|(key, count)| (*key, *count))
            .collect();
        assert_eq!(open, held);
    }
}
