//! The shell around a process: its life, clocks, timers, the inbox of a paused process, the faults that
//! are active in it. The same under every engine: an engine tells it the true time and what arrives, asks
//! when it wants to be woken, and carries its effects out.

use std::collections::VecDeque;

use crate::client::names::NameCache;
use crate::faults::local::LocalFaults;
use crate::ids::{FaultId, FaultMask, ProcessId};
use crate::node::clock::Clock;
use crate::node::context::{Context, Effect, Parts, Scene};
use crate::node::gauge::Gauge;
use crate::node::timers::{Fired, Timers};
use crate::node::{Input, Process};
use crate::observe::Sink;
use crate::plan::Plan;
use crate::random::Random;
use crate::time::Time;
use crate::units::Sampler;

/// What a process meets when something comes to its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It runs (or is paused, which nobody can see from outside at first).
    Alive,
    /// The host is there, the process is not: it answers with a reset.
    Absent,
    /// Nothing answers at all.
    Dark,
}

/// How an engine is to keep the host of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It runs, or waits until it is wanted.
    #[default]
    Up,
    /// It stands still.
    Paused,
    /// It is dead: killed, or its host without power.
    Down,
}

/// What an engine lends for one turn.
pub struct Lent<'a> {
    /// The plan of the world.
    pub plan: &'a Plan,
    /// Chance.
    pub random: &'a Random,
    /// The latency of a sync.
    pub disk: &'a Sampler,
    /// The last call id given out.
    pub calls: &'a mut u64,
    /// Where effects go.
    pub effects: &'a mut Vec<Effect>,
    /// Who sees observations at once; without it all of them are effects.
    pub sink: Option<&'a mut dyn Sink>,
}

/// An input that waits, with the event that caused it.
#[derive(Clone, Debug)]
struct Waiting {
    at: Time,
    input: Input,
    parent: u64,
}

/// A process and all that belongs to its life.
#[derive(Clone, Debug)]
pub struct Shell {
    id: ProcessId,
    process: Box<dyn Process>,
    /// Its timers.
    pub timers: Timers,
    /// The faults active in it.
    pub faults: LocalFaults,
    /// Where the names lead that it has looked up in this life.
    names: NameCache,
    /// Its clocks.
    pub clock: Clock,
    incarnation: u32,
    /// Whether it is wanted: not a dormant or stopped slot.
    wanted: bool,
    alive: bool,
    start_due: bool,
    crashes: u16,
    outages: u16,
    pauses: u16,
    held_by: FaultMask,
    masked: u16,
    slow: Vec<(FaultId, u64)>,
    slowness: u64,
    inbox: VecDeque<Waiting>,
    /// Effects of a turn that was frozen at a point.
    frozen: Vec<Effect>,
    /// The earliest wake-up that the engine has noted.
    pub wake: Time,
    /// The event that last armed a timer, for lineage.
    parent: u64,
}

impl Shell {
    /// A process that has not started. A dormant one waits until it is wanted.
    #[must_use]
    pub fn new(id: ProcessId, process: Box<dyn Process>, dormant: bool) -> Shell {
        Shell {
            id,
            process,
            timers: Timers::default(),
            faults: LocalFaults::default(),
            names: NameCache::default(),
            clock: Clock::default(),
            incarnation: 0,
            wanted: !dormant,
            alive: false,
            start_due: !dormant,
            crashes: 0,
            outages: 0,
            pauses: 0,
            held_by: FaultMask::NONE,
            masked: 0,
            slow: Vec::new(),
            slowness: 1000,
            inbox: VecDeque::new(),
            frozen: Vec::new(),
            wake: Time::NEVER,
            parent: 0,
        }
    }

    /// The process inside, for the inventory walk.
    #[must_use]
    pub fn process(&self) -> &dyn Process {
        self.process.as_ref()
    }

    /// How near it is to its limits, at a true instant that is not before its last turn; nothing while it is not
    /// alive.
    pub fn gauges(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        if self.alive {
            self.process.gauges(self.clock.monotonic(now), out);
        }
    }

    /// Which life this is; the first is 1.
    #[must_use]
    pub const fn incarnation(&self) -> u32 {
        self.incarnation
    }

    /// The event that last ran it.
    #[must_use]
    pub const fn parent(&self) -> u64 {
        self.parent
    }

    /// What somebody outside meets here.
    #[must_use]
    pub const fn presence(&self) -> Presence {
        if self.outages > 0 {
            Presence::Dark
        } else if self.alive || self.start_due {
            Presence::Alive
        } else {
            Presence::Absent
        }
    }

    /// How an engine is to keep its host.
    #[must_use]
    pub const fn standing(&self) -> Standing {
        if self.crashes > 0 || self.outages > 0 {
            Standing::Down
        } else if self.pauses > 0 {
            Standing::Paused
        } else {
            Standing::Up
        }
    }

    /// Whether it takes inputs now.
    #[must_use]
    pub const fn runs(&self) -> bool {
        self.alive && self.pauses == 0
    }

    /// Whether it has started and not died since.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        self.alive
    }

    /// The faults that keep it down or paused.
    #[must_use]
    pub const fn held_by(&self) -> FaultMask {
        self.held_by
    }

    /// Whether a hidden fault holds it: health probes see a healthy process.
    #[must_use]
    pub const fn is_masked(&self) -> bool {
        self.masked > 0 && !self.runs()
    }

    // -- Turns. --

    /// When it wants to be woken, in true time.
    #[inline]
    #[must_use]
    pub fn next_wake(&self, now: Time) -> Time {
        if self.start_due && self.pauses == 0 {
            return now;
        }
        if !self.runs() {
            return Time::NEVER;
        }
        if !self.inbox.is_empty() {
            return now;
        }
        self.timers.next_due().map_or(Time::NEVER, |due| self.clock.true_time(due).max(now))
    }

    /// The next input that is due: a start, what came while it was paused, a timer; in order of time.
    pub fn next(&mut self, now: Time) -> Option<(Input, u64)> {
        if self.start_due && self.pauses == 0 {
            self.start_due = false;
            self.alive = true;
            self.incarnation += 1;
            return Some((Input::Start, self.parent));
        }
        if !self.runs() {
            return None;
        }
        if let Some(first) = self.inbox.front() {
            let earlier = self.timers.next_due().is_some_and(|due| self.clock.true_time(due) <= first.at);
            if !earlier {
                let waiting = self.inbox.pop_front()?;
                return Some((waiting.input, waiting.parent));
            }
        }
        let input = match self.timers.pop(self.clock.monotonic(now))? {
            Fired::Timer(token) => Input::Timer(token),
            Fired::Disk(token) => Input::Disk(token, Ok(())),
        };
        Some((input, self.parent))
    }

    /// Whether it can take an input now; if not, it is to be [kept](Self::keep) for later.
    #[must_use]
    pub fn takes(&self) -> bool {
        self.runs() && self.inbox.is_empty() && !self.start_due
    }

    /// Keeps an input until the process goes on.
    pub fn keep(&mut self, now: Time, input: Input, parent: u64) {
        self.inbox.push_back(Waiting { at: now, input, parent });
    }

    /// One turn of the process.
    #[inline]
    pub fn turn(&mut self, now: Time, event: u64, parent: u64, input: Input, lent: Lent<'_>) {
        self.parent = event;
        // What a local fault does is told before all else of the turn: then nothing may go ahead.
        let incarnation = self.incarnation;
        let sink = lent.sink.filter(|_| self.faults.is_quiet());
        let scene = sink.map(|sink| Scene { sink, at: now, event, parent, incarnation });
        let mut context = Context::new(Parts {
            me: self.id,
            now: self.clock.monotonic(now),
            wall: self.clock.wall(now),
            plan: lent.plan,
            random: lent.random,
            timers: &mut self.timers,
            effects: lent.effects,
            calls: lent.calls,
            faults: &mut self.faults,
            names: &mut self.names,
            disk: lent.disk,
            slowness: self.slowness,
            scene,
        });
        self.process.handle(input, &mut context);
    }

    /// How much in it carries an item: timers and inputs that wait.
    #[inline]
    #[must_use]
    pub fn work(&self) -> usize {
        self.timers.work() + self.waiting_work()
    }

    #[inline]
    fn waiting_work(&self) -> usize {
        if self.inbox.is_empty() && self.frozen.is_empty() { 0 } else { self.count_waiting_work() }
    }

    #[cold]
    fn count_waiting_work(&self) -> usize {
        let carries = |waiting: &&Waiting| matches!(&waiting.input, Input::Message { message, .. } if !message.cargo.is_empty());
        self.inbox.iter().filter(carries).count() + usize::from(!self.frozen.is_empty())
    }

    /// Keeps the rest of a turn's effects until the process goes on.
    pub fn freeze(&mut self, effects: impl Iterator<Item = Effect>) {
        self.frozen.extend(effects);
    }

    /// Whether there is something to [thaw](Self::thaw).
    #[inline]
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        !self.frozen.is_empty()
    }

    /// Hands over what was kept, if the process runs again.
    pub fn thaw(&mut self) -> Vec<Effect> {
        if self.runs() { std::mem::take(&mut self.frozen) } else { Vec::new() }
    }

    // -- Life. --

    /// Loses everything volatile. True if it was alive.
    fn die(&mut self) -> bool {
        let was_alive = self.alive;
        if was_alive {
            self.process.crash();
        }
        self.timers.clear();
        self.names = NameCache::default();
        self.inbox.clear();
        self.frozen.clear();
        self.alive = false;
        self.start_due = false;
        was_alive
    }

    fn revive(&mut self) {
        if self.wanted && !self.alive && self.crashes == 0 && self.outages == 0 {
            self.start_due = true;
        }
    }

    /// A fault kills it. True if it was alive.
    pub fn crash(&mut self) -> bool {
        self.crashes += 1;
        self.die()
    }

    /// The fault that killed it is over: it starts again, if nothing else keeps it down.
    pub fn recover(&mut self) {
        self.crashes = self.crashes.saturating_sub(1);
        self.revive();
    }

    /// Its host falls silent. True if it was alive.
    pub fn lose_power(&mut self) -> bool {
        self.outages += 1;
        self.die()
    }

    /// Its host is back.
    pub fn regain_power(&mut self) {
        self.outages = self.outages.saturating_sub(1);
        self.revive();
    }

    /// It stands still.
    pub fn pause(&mut self) {
        self.pauses += 1;
    }

    /// It goes on.
    pub fn resume(&mut self) {
        self.pauses = self.pauses.saturating_sub(1);
    }

    /// A slot is wanted. True if that is new.
    pub fn want(&mut self) -> bool {
        let new = !self.wanted;
        self.wanted = true;
        self.revive();
        new
    }

    /// A slot is no longer wanted. True if it was alive.
    pub fn unwant(&mut self) -> bool {
        self.wanted = false;
        self.die()
    }

    /// A fault begins to hold it (down, paused or slow).
    pub fn hold(&mut self, fault: FaultId, hidden: bool) {
        self.held_by = self.held_by.and(FaultMask::of(fault));
        self.masked += u16::from(hidden);
    }

    /// A fault no longer holds it. `over`: nothing of the fault is left here.
    pub fn release(&mut self, fault: FaultId, hidden: bool) {
        self.held_by = FaultMask(self.held_by.0 & !FaultMask::of(fault).0);
        self.masked = self.masked.saturating_sub(u16::from(hidden));
    }

    /// Its work takes this many thousandths of its time because of a fault.
    pub fn slow(&mut self, fault: FaultId, thousandths: u64) {
        self.slow.push((fault, thousandths));
        self.sum_slowness();
    }

    /// The fault no longer slows it.
    pub fn unslow(&mut self, fault: FaultId) {
        if let Some(index) = self.slow.iter().position(|(id, _)| *id == fault) {
            self.slow.remove(index);
        }
        self.sum_slowness();
    }

    fn sum_slowness(&mut self) {
        self.slowness = self.slow.iter().fold(1000, |all, (_, one)| all * one / 1000).max(1);
    }
}
