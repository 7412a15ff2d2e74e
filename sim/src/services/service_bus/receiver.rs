//! The client side of a queue, subscription or dead-letter queue: what a host embeds to receive from it.
//! It opens links, keeps credit, hands out messages, renews locks, settles with the retries of the
//! client library (facts 1.10), and attaches again when a link or the connection is lost.
//!
//! A plain struct. The host hands it the start, messages, timers and closed connections, and then takes
//! [`next`](Receiver::next) until it is empty. A message that it hands out occupies one of its
//! `concurrency` places until the host calls [`finish`](Receiver::finish).

mod links;
mod locks;

use std::collections::VecDeque;

use crate::client::{Caller, Policy, Progress, Rules, Sdk};
use crate::ids::{Address, Item, ProcessId};
use crate::kernel::slab::Slab;
use crate::message::broker::{Command, Event, ReceiveMode, Settlement};
use crate::message::{Body, Cargo, Message};
use crate::node::{Context, TimerId};
use crate::observe::Outcome;
use crate::time::{Span, Time};

/// How a receiver behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct ReceiverRules {
    /// Whether the entity has sessions: then each of the `concurrency` places has a session of its own.
    pub sessions: bool,
    /// How many messages are handed out at once. Default: 1 (MaxConcurrentCalls; facts 12.5).
    pub concurrency: u32,
    /// How many more messages are fetched ahead. Their locks run from then on. Default: 0 (facts 1.1).
    pub prefetch: u32,
    /// Peek-lock (the default), or receive-and-delete.
    pub mode: ReceiveMode,
    /// How long the lock of a message that is worked on is renewed; zero: not at all. Default: 5m
    /// (MaxAutoLockRenewalDuration, unconfirmed).
    pub renew_lock: Span,
    /// How long a place keeps its session when no further message comes. Default: 1s. The .NET processor
    /// waits its try time-out, 60s (unconfirmed): with many short sessions that leaves nearly all places
    /// idle, and people set it shorter.
    pub session_idle: Span,
    /// The policy of settlements and of attaching again; empty: as the client library does.
    pub policy: Policy,
    /// Whether the host says how many messages it [wants](Receiver::want): a plain receiver, whose link has
    /// credit only while somebody receives. Otherwise it is a processor, which always wants `concurrency`
    /// of them. Sessions are kept as a processor keeps them. Default: false.
    pub on_demand: bool,
}

impl Default for ReceiverRules {
    fn default() -> Self {
        Self {
            sessions: false,
            concurrency: 1,
            prefetch: 0,
            mode: ReceiveMode::PeekLock,
            renew_lock: Span::mins(5),
            session_idle: Span::secs(1),
            policy: Policy::default(),
            on_demand: false,
        }
    }
}

/// What the host has to know.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// A message to work on.
    Message(Delivery),
    /// A settlement is over, retries included. `Ok`: done. `Refused`: the lock is lost, the message will
    /// come again. `Failed`: nothing happened. `Unknown`: it may have happened.
    Settled {
        /// Of which delivery.
        handle: u64,
        /// What was asked for.
        how: Settlement,
        /// What the client believes.
        outcome: Outcome,
    },
    /// The lock of a message that is worked on is lost, and the client knows. Its settlement will fail.
    LockLost {
        /// Of which delivery.
        handle: u64,
    },
    /// A renewal that the host [asked for](Receiver::renew_now) is over.
    Renewed {
        /// Of which delivery.
        handle: u64,
        /// As for a settlement.
        outcome: Outcome,
        /// Until when the lock now holds.
        locked_until: Time,
    },
}

/// A message that was handed out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery {
    /// Names it until it is finished.
    pub handle: u64,
    /// Its item, under the type of the message.
    pub item: Item,
    /// How many deliveries of it had failed before.
    pub delivery_count: u32,
    /// The message id: the same over redeliveries, so it is the `message` of an execution.
    pub identity: u64,
    /// The sequence number; by it, a deferred message is fetched.
    pub sequence: u64,
    /// The session; 0: none.
    pub session: u64,
    /// Until when it is locked, as told when it was delivered.
    pub locked_until: Time,
}

#[derive(Clone, Copy, Debug)]
struct Run {
    delivery: Delivery,
    lock: u64,
    place: u32,
    /// The number of the link on which it came.
    link: u32,
    started: Time,
    timer: Option<TimerId>,
    lost: bool,
    /// Its credit has gone with the settlement that ends the run.
    credited: bool,
    settling: Option<Settlement>,
    /// Whether the host waits for a renewal.
    renewing: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    /// It is not known yet where the name of the broker leads.
    Resolving,
    Opening,
    Open,
}

/// One link, and the next ones that take its place.
#[derive(Clone, Debug)]
struct Place {
    phase: Phase,
    /// How often it was opened; makes its number.
    generation: u32,
    /// How often in a row it could not be opened.
    failed: u32,
    session: u64,
    /// Messages handed out.
    running: u32,
    buffer: VecDeque<(Delivery, u64)>,
    /// The end of the wait for an answer to the attach.
    opening: Option<TimerId>,
    deadline: Time,
    renewal: Option<TimerId>,
    idle: Option<TimerId>,
}

impl Place {
    const fn new() -> Place {
        Place {
            phase: Phase::Closed,
            generation: 0,
            failed: 0,
            session: 0,
            running: 0,
            buffer: VecDeque::new(),
            opening: None,
            deadline: Time::ZERO,
            renewal: None,
            idle: None,
        }
    }
}

const OPEN: u64 = 1;
const RENEW: u64 = 2;
const RENEW_SESSION: u64 = 3;
const IDLE: u64 = 4;
const LOOKUP: u64 = 5;

/// How long the answer to an attach may take: longer than the broker lets one wait for a session.
const ATTACH_TIMEOUT: Span = Span::secs(90);

/// Receives from one entity for one host.
#[derive(Clone, Debug)]
pub struct Receiver {
    from: Address,
    /// Where that is, as far as is known: where its name leads, or `from` itself.
    at: ProcessId,
    rules: ReceiverRules,
    retry: Rules,
    space: u8,
    places: Vec<Place>,
    runs: Slab<Run>,
    caller: Caller<u64>,
    count: u64,
    stopped: bool,
    /// Whether it was told to take nothing new for a while.
    paused: bool,
    /// How many messages the host wants, on demand.
    wanted: u32,
    /// For how many of them the link has credit.
    granted: u32,
    out: VecDeque<Received>,
}

impl Receiver {
    /// A receiver from this entity. `name` enters draws: the hash of the app, not of the replica. `space`
    /// and `space + 1` (1 to 253, unique within the process) are the top bytes of its timer tokens and
    /// message tags; `space` is also the top byte of its link numbers.
    #[must_use]
    pub fn new(from: Address, rules: ReceiverRules, name: u64, space: u8) -> Receiver {
        let links = if rules.sessions { rules.concurrency.max(1) } else { 1 };
        Receiver {
            from,
            at: from.process,
            retry: Rules::new(&rules.policy, Sdk::ServiceBus),
            caller: Caller::new(&rules.policy, Sdk::ServiceBus, name, space + 1),
            places: vec![Place::new(); links as usize],
            runs: Slab::default(),
            rules,
            space,
            count: 0,
            stopped: true,
            paused: false,
            wanted: 0,
            granted: 0,
            out: VecDeque::new(),
        }
    }

    /// Forgets everything: the process died.
    pub fn crash(&mut self) {
        self.places.iter_mut().for_each(|place| *place = Place::new());
        self.runs = Slab::default();
        self.caller.crash();
        self.count = 0;
        self.at = self.from.process;
        (self.stopped, self.paused) = (true, false);
        (self.wanted, self.granted) = (0, 0);
        self.out.clear();
    }

    /// The host starts, or may receive again.
    pub fn on_start(&mut self, cx: &mut Context<'_>) {
        self.stopped = false;
        let paused = std::mem::take(&mut self.paused);
        for place in 0..self.places.len() as u32 {
            match self.places[place as usize].phase {
                Phase::Closed => self.open(place, cx),
                Phase::Open if paused => self.credit_again(place, cx),
                _ => {}
            }
        }
    }

    /// No new messages until it is started again, on the links that stay open neither: what is worked on goes
    /// on, and nothing is fetched ahead of it.
    pub fn pause(&mut self, cx: &mut Context<'_>) {
        (self.stopped, self.paused) = (true, true);
        for place in 0..self.places.len() as u32 {
            let entry = &self.places[place as usize];
            if entry.running == 0 || entry.phase != Phase::Open {
                self.close(place, cx);
            } else {
                let drain = Command::Drain { link: self.number(place) };
                cx.tell(self.at, Message::new(Body::Broker(drain)));
            }
        }
    }

    /// A link that was drained gets the credit back that is not in use.
    fn credit_again(&mut self, place: u32, cx: &mut Context<'_>) {
        let own = if self.rules.sessions { 1 } else { self.rules.concurrency.max(1) };
        let busy = self.runs.iter().filter(|(_, run)| run.place == place && !run.credited).count() as u32;
        let more = (own + self.rules.prefetch).saturating_sub(busy);
        let credit = Command::Credit { link: self.number(place), more };
        cx.tell(self.at, Message::new(Body::Broker(credit)));
    }

    /// No new messages: links are closed, what is worked on goes on. Messages fetched ahead come back
    /// when their locks expire.
    pub fn stop(&mut self, cx: &mut Context<'_>) {
        self.stopped = true;
        for place in 0..self.places.len() as u32 {
            // A link with work in hand stays open, because its locks can be settled on it only.
            if self.places[place as usize].running == 0 {
                self.close(place, cx);
            }
        }
    }

    /// How many messages the host wants that it has not got. Credit that was given is not taken back: a
    /// message that comes all the same is handed out.
    pub fn want(&mut self, wanted: u32, cx: &mut Context<'_>) {
        self.wanted = wanted;
        self.top_up(cx);
    }

    fn is_on_demand(&self) -> bool {
        self.rules.on_demand && !self.rules.sessions
    }

    /// Gives the link as much credit as the host wants messages.
    fn top_up(&mut self, cx: &mut Context<'_>) {
        if self.is_on_demand() && self.granted < self.wanted && self.places[0].phase == Phase::Open {
            let command = Command::Credit { link: self.number(0), more: self.wanted - self.granted };
            self.granted = self.wanted;
            cx.tell(self.at, Message::new(Body::Broker(command)));
        }
    }

    /// How many messages are handed out and not finished.
    #[must_use]
    pub fn running(&self) -> u32 {
        self.places.iter().map(|place| place.running).sum()
    }

    /// How many messages are fetched ahead.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.places.iter().map(|place| place.buffer.len()).sum()
    }

    /// What happened next; empty it after every call into the receiver.
    #[expect(clippy::should_implement_trait, reason = "a receiver is not a sequence")]
    pub fn next(&mut self) -> Option<Received> {
        self.out.pop_front()
    }

    /// The broker that it receives from.
    #[must_use]
    pub fn broker(&self) -> ProcessId {
        self.from.process
    }

    /// Until when the whole client backs off after `ServiceBusy`.
    #[must_use]
    pub fn busy_until(&self) -> Time {
        self.caller.busy_until()
    }

    /// Takes over the back-off of a caller of the same client.
    pub fn back_off(&mut self, until: Time) {
        self.caller.back_off(until);
    }

    /// The link and the lock of a delivery, for a transaction that settles it.
    #[must_use]
    pub fn lock_of(&self, handle: u64) -> Option<(u32, u64)> {
        self.run(handle).and_then(|slot| self.runs.get(slot)).map(|run| (run.link, run.lock))
    }

    /// Settles a delivery; [`Received::Settled`] follows. `last`: the run ends with it, so that the next
    /// message may be on its way already.
    pub fn settle(&mut self, handle: u64, how: Settlement, last: bool, cx: &mut Context<'_>) {
        let Some(slot) = self.run(handle) else { return };
        let Some(run) = self.runs.get_mut(slot) else { return };
        if run.lock == 0 {
            // Under receive-and-delete there is nothing to settle.
            self.out.push_back(Received::Settled { handle, how, outcome: Outcome::Ok });
            return;
        }
        let more = u32::from(last && !run.credited && !self.paused);
        run.credited |= more > 0;
        run.settling = Some(how);
        let command = Command::Settle { link: run.link, lock: run.lock, how, more };
        let message = Message::new(Body::Broker(command)).carrying(Cargo::One(run.delivery.item));
        self.caller.call(cx, self.from, message, handle);
        self.settled(cx);
    }

    /// The run of a delivery is over: its place is free for the next message.
    pub fn finish(&mut self, handle: u64, cx: &mut Context<'_>) {
        let Some(run) = self.run(handle).and_then(|slot| self.runs.take(slot)) else { return };
        if let Some(timer) = run.timer {
            cx.cancel(timer);
        }
        let link = self.number(run.place);
        let place = &mut self.places[run.place as usize];
        place.running = place.running.saturating_sub(1);
        if self.stopped {
            if place.running == 0 {
                self.close(run.place, cx);
            }
            return;
        }
        // What came on a link that is gone has taken credit from the one that followed.
        let credited = run.credited && run.link == link || self.rules.on_demand && !self.rules.sessions;
        if !credited && place.phase != Phase::Closed {
            cx.tell(self.at, Message::new(Body::Broker(Command::Credit { link, more: 1 })));
        }
        self.hand_out(run.place, cx);
    }

    /// Takes a message. False if it is not for this receiver.
    pub fn on_message(&mut self, cx: &mut Context<'_>, from: ProcessId, message: &Message) -> bool {
        if self.caller.on_message(cx, message) {
            self.settled(cx);
            return true;
        }
        if let Body::Record(answer) = message.body {
            return self.looked_up(from, answer, message, cx);
        }
        let Body::BrokerEvent(event) = &message.body else { return false };
        if from != self.at {
            return false;
        }
        match event {
            Event::Delivered { link, .. } => self.delivered(*link, event, message, cx),
            Event::Detached { link, why } => self.detached(*link, *why, cx),
            Event::Attached { .. } | Event::Renewed { .. } | Event::Refused(_) => {
                self.answered(event, message, cx)
            }
            _ => false,
        }
    }

    /// Takes a timer. False if it is not this receiver's.
    pub fn on_timer(&mut self, cx: &mut Context<'_>, token: u64) -> bool {
        if self.caller.on_timer(cx, token) {
            self.settled(cx);
            return true;
        }
        if token >> 56 != u64::from(self.space) {
            return false;
        }
        let slot = token as u32;
        match token >> 48 & 0xff {
            OPEN => self.open_due(slot, cx),
            RENEW => self.renew(slot, cx),
            RENEW_SESSION => self.renew_session(slot, cx),
            IDLE => self.idle(slot, cx),
            _ => {}
        }
        true
    }

    /// A connection is gone: to the broker, all links went with it.
    pub fn on_closed(&mut self, cx: &mut Context<'_>, peer: ProcessId) {
        if peer != self.at {
            return self.caller_closed(peer, cx);
        }
        for place in 0..self.places.len() as u32 {
            if self.places[place as usize].phase != Phase::Closed {
                self.lose(place, cx);
                self.open_later(place, Span::ZERO, cx);
            }
        }
        self.caller_closed(peer, cx);
    }

    fn caller_closed(&mut self, peer: ProcessId, cx: &mut Context<'_>) {
        self.caller.on_closed(cx, peer);
        self.settled(cx);
    }

    fn delivered(&mut self, link: u32, event: &Event, message: &Message, cx: &mut Context<'_>) -> bool {
        if link >> 24 != u32::from(self.space) {
            return false;
        }
        let Some(place) = self.place_of(link) else { return true };
        let Event::Delivered { delivery_count, lock, locked_until, identity, sequence, .. } = *event else {
            return true;
        };
        let Some(item) = message.cargo.first() else { return true };
        self.count += 1;
        (self.wanted, self.granted) = (self.wanted.saturating_sub(1), self.granted.saturating_sub(1));
        let entry = &mut self.places[place as usize];
        // A broker's lock has its highest bit set, so that the two do not meet.
        let handle = if lock == 0 { self.count } else { lock };
        let delivery = Delivery {
            handle,
            item,
            delivery_count,
            identity,
            sequence,
            session: entry.session,
            locked_until,
        };
        entry.buffer.push_back((delivery, lock));
        if let Some(timer) = entry.idle.take() {
            cx.cancel(timer);
        }
        self.hand_out(place, cx);
        true
    }

    /// Hands out what is fetched, up to the concurrency.
    fn hand_out(&mut self, place: u32, cx: &mut Context<'_>) {
        let most = match (self.rules.sessions, self.rules.on_demand) {
            (true, _) => 1,
            (false, true) => u32::MAX,
            (false, false) => self.rules.concurrency.max(1),
        };
        let link = self.number(place);
        while self.places[place as usize].running < most
            && let Some((delivery, lock)) = self.places[place as usize].buffer.pop_front()
        {
            self.places[place as usize].running += 1;
            let run = Run {
                delivery,
                lock,
                place,
                link,
                started: cx.now(),
                timer: None,
                lost: false,
                credited: false,
                settling: None,
                renewing: false,
            };
            let slot = self.runs.insert(run);
            if lock != 0 && !self.rules.sessions {
                self.plan_renewal(slot, delivery.locked_until, cx);
            }
            self.out.push_back(Received::Message(delivery));
        }
        if self.places[place as usize].running == 0 && self.places[place as usize].session != 0 {
            self.plan_idle(place, cx);
        }
    }

    fn run(&self, handle: u64) -> Option<u32> {
        self.runs.iter().find(|(_, run)| run.delivery.handle == handle).map(|(slot, _)| slot)
    }

    /// Takes the settlements that are over.
    fn settled(&mut self, _: &mut Context<'_>) {
        while let Some(progress) = self.caller.next() {
            let Progress::Finished(finished) = progress else { continue };
            let handle = finished.owner;
            let how = self.run(handle).and_then(|slot| self.runs.get(slot)).and_then(|run| run.settling);
            if let Some(how) = how {
                self.out.push_back(Received::Settled { handle, how, outcome: finished.outcome });
            }
        }
    }
}
