//! A test rig: one process alone, fed by hand, with its effects laid open. For unit tests of state
//! machines; nothing of it is used by a run.

use crate::client::names::NameCache;
use crate::faults::local::{Active, LocalFaults};
use crate::ids::{ConnectionId, ProcessId};
use crate::message::{Body, Message};
use crate::node::context::{Context, Effect, Parts};
use crate::node::timers::{Fired, Timers};
use crate::node::{CloseReason, Gauge, Input, Process};
use crate::observe::{Held, What};
use crate::plan::Plan;
use crate::random::Random;
use crate::time::{Span, Time};
use crate::units::Sampler;

/// One process on the bench.
#[derive(Debug)]
pub struct Rig<'a> {
    /// The process.
    pub process: Box<dyn Process>,
    /// Its time.
    pub now: Time,
    /// The faults active in it.
    pub faults: LocalFaults,
    me: ProcessId,
    plan: &'a Plan,
    random: Random,
    timers: Timers,
    names: NameCache,
    calls: u64,
}

impl<'a> Rig<'a> {
    /// Puts a process of this plan on the bench, and starts it.
    #[must_use]
    pub fn new(plan: &'a Plan, me: ProcessId, process: Box<dyn Process>) -> (Self, Vec<Effect>) {
        let mut rig = Rig {
            process,
            now: Time::ZERO,
            faults: LocalFaults::default(),
            me,
            plan,
            random: Random::new(1),
            timers: Timers::default(),
            names: NameCache::default(),
            calls: 0,
        };
        let effects = rig.input(Input::Start);
        (rig, effects)
    }

    /// Gives it an input and returns what it does.
    pub fn input(&mut self, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        let disk = Sampler::Constant(Span::millis(1));
        let mut context = Context::new(Parts {
            me: self.me,
            now: self.now,
            wall: self.now,
            plan: self.plan,
            random: &self.random,
            timers: &mut self.timers,
            effects: &mut effects,
            calls: &mut self.calls,
            faults: &mut self.faults,
            names: &mut self.names,
            disk: &disk,
            slowness: 1000,
            scene: None,
        });
        self.process.handle(input, &mut context);
        effects
    }

    /// Gives it a message from a peer; the connection's slot is the peer's number.
    pub fn message(&mut self, from: u32, message: Message) -> Vec<Effect> {
        let connection = ConnectionId { slot: from, generation: 1 };
        self.input(Input::Message { from: ProcessId(from), connection, message })
    }

    /// Tells it that the connection to a peer is gone.
    pub fn closed(&mut self, peer: u32, reason: CloseReason) -> Vec<Effect> {
        let connection = ConnectionId { slot: peer, generation: 1 };
        self.input(Input::Closed { connection, peer: ProcessId(peer), reason })
    }

    /// Lets time pass; all timers and syncs that come due fire in order.
    pub fn advance(&mut self, span: Span) -> Vec<Effect> {
        let until = self.now + span;
        let mut effects = Vec::new();
        while let Some(due) = self.timers.next_due().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            while let Some(fired) = self.timers.pop(self.now) {
                let input = match fired {
                    Fired::Timer(token) => Input::Timer(token),
                    Fired::Disk(token) => Input::Disk(token, Ok(())),
                };
                effects.extend(self.input(input));
            }
        }
        self.now = until;
        effects
    }

    /// Crashes it and starts it again.
    pub fn crash(&mut self) -> Vec<Effect> {
        self.process.crash();
        self.timers.clear();
        self.names = NameCache::default();
        self.input(Input::Start)
    }

    /// Activates a fault in it.
    pub fn fault(&mut self, fault: Active) {
        self.faults.begin(fault);
    }

    /// What it holds.
    #[must_use]
    pub fn held(&self) -> Vec<Held> {
        let mut held = Vec::new();
        self.process.inventory(&mut |one| held.push(one));
        held
    }

    /// How much is used of the limit of this name, and how much there may be; of several, that which is used most.
    #[must_use]
    pub fn gauge(&self, name: &str) -> Option<(f64, f64)> {
        let mut found: Option<Gauge> = None;
        self.process.gauges(self.now, &mut |gauge| {
            if gauge.name == name && found.is_none_or(|known| known.share() < gauge.share()) {
                found = Some(gauge);
            }
        });
        found.map(|gauge| (gauge.used, gauge.limit))
    }

    /// Whether any timer is armed for an item.
    #[must_use]
    pub fn busy(&self) -> bool {
        self.timers.work() > 0
    }
}

/// The messages among these effects that go out, in order.
pub fn sent(effects: &[Effect]) -> impl Iterator<Item = &Message> {
    effects.iter().filter_map(|effect| match effect {
        Effect::Call { message, .. } | Effect::Answer { message, .. } | Effect::Datagram { message, .. } => {
            Some(message)
        }
        _ => None,
    })
}

/// The bodies of the messages among these effects, in order.
pub fn bodies(effects: &[Effect]) -> impl Iterator<Item = &Body> {
    sent(effects).map(|message| &message.body)
}

/// The observations among these effects, in order.
pub fn observed(effects: &[Effect]) -> impl Iterator<Item = &What> {
    effects.iter().filter_map(|effect| match effect {
        Effect::Observe { what, .. } => Some(what),
        _ => None,
    })
}
