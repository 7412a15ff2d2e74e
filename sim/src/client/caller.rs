//! The caller itself: it owns every call from the first attempt to the conclusion. The embedding process
//! hands it answers, timers and closed connections, and takes from it what happened.

use std::collections::VecDeque;
use std::fmt::Debug;

use crate::client::breaker::{Breaker, Permission, Ticket};
use crate::client::budget::Budget;
use crate::client::classify::{Verdict, classify};
use crate::client::names::{ASK_AGAIN, QUESTIONS, Resolved};
use crate::client::policy::{Policy, WhenOpen};
use crate::client::retry::{BUSY_BACK_OFF, Rules, Sdk};
use crate::ids::{Address, CallId, Item, ProcessId};
use crate::message::{Body, Message, name, store};
use crate::node::{Context, Gauge, TimerId};
use crate::observe::{Outcome, Symptom, What};
use crate::random::Purpose;
use crate::time::{Span, Time};

/// Timeouts, retries, breaker and limit for the calls to one callee under one policy. Calls that share a
/// breaker, a budget, an in-flight limit or a client (the 10 s back-off after `ServiceBusy`) share a caller.
///
/// `T` says whose call it is. After every call into it, take [`next`](Self::next) until it is empty.
#[derive(Clone, Debug)]
pub struct Caller<T> {
    name: u64,
    space: u8,
    rules: Rules,
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    /// Calls that wait for one of the `in_flight` places, first come first served.
    door: VecDeque<u32>,
    /// Attempts that wait for the breaker.
    gate: VecDeque<u32>,
    admitted: u32,
    breaker: Option<Breaker>,
    budget: Option<Budget>,
    busy_until: Time,
    /// When the gate is looked at next; `NEVER`: no timer is armed for it.
    gate_due: Time,
    /// The names that it asks or has asked for.
    lookups: Vec<Lookup>,
    /// The credential without which it calls nobody.
    need: Option<u16>,
    progress: VecDeque<Progress<T>>,
}

/// A name that some calls are by.
#[derive(Clone, Copy, Debug)]
struct Lookup {
    name: ProcessId,
    /// How often it was asked for in this lookup; 0: none is under way.
    asked: u8,
    /// Tells one question from the next.
    serial: u16,
    timer: Option<TimerId>,
}

/// What happened to calls, in order.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress<T> {
    /// An attempt of this owner's call was put on the wire just now: from here it is in doubt.
    Sent(T),
    /// A call is over.
    Finished(Finished<T>),
}

/// A call that is over, retries included.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished<T> {
    /// Whose call it was.
    pub owner: T,
    /// What the caller believes. An attempt without answer followed by a definite error stays unknown.
    pub outcome: Outcome,
    /// The last answer with its cargo; none if the last attempt got none, or none was made.
    pub answer: Option<Message>,
    /// How many attempts were made; 0 if an open breaker refused the call, or the client backed off until
    /// there were no retries left.
    pub attempts: u16,
}

/// Names a call until it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallHandle {
    slot: u32,
    generation: u32,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    generation: u32,
    pending: Option<Pending<T>>,
}

#[derive(Clone, Debug)]
struct Pending<T> {
    owner: T,
    to: Address,
    /// Where the attempt under way went: to `to`, or to where its name leads.
    at: Address,
    message: Message,
    /// Some attempt may have taken effect.
    doubtful: bool,
    /// How often the wait for a busy client, or for a name that led nowhere, counted as a failed attempt.
    held: u32,
    paused: Span,
    /// Whether a refused credential has been fetched again for it.
    reread: bool,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Waits for a place, for the gate, or has just been made.
    Waiting,
    /// It is not known yet where the name of the callee leads.
    Resolving { name: ProcessId, timer: TimerId, ticket: Ticket },
    /// The callee refused the credential, and another one is being fetched.
    Rereading { timer: TimerId },
    /// There is no credential to present.
    Keyless { ticket: Ticket },
    /// An attempt is under way.
    Open { call: CallId, timer: TimerId, ticket: Ticket },
    /// The pause before the next attempt.
    Pausing,
    /// Sits out the back-off of the client, for the whole of it or for the time of one attempt.
    Held { whole: bool },
}

/// What an attempt is told before it is made.
enum Gate {
    Go(Ticket),
    Wait(Option<Time>),
    Refused,
}

const TIMEOUT: u64 = 1;
const PAUSE: u64 = 2;
const GATE: u64 = 3;
const HELD: u64 = 4;
const LOOKUP: u64 = 5;
const SLOT_BITS: u32 = 24;
const SLOT_MASK: u32 = (1 << SLOT_BITS) - 1;
const GENERATION_MASK: u64 = (1 << 28) - 1;

impl<T: Copy + Debug> Caller<T> {
    /// A caller under this policy with the client library `sdk`. `name` enters the draws of its jitter:
    /// the hash of the app and the step, not of the replica. `space` (1 to 254, unique within the
    /// process) is the top byte of its timer tokens and of the tags of its messages.
    #[must_use]
    pub fn new(policy: &Policy, sdk: Sdk, name: u64, space: u8) -> Caller<T> {
        Caller::with_rules(Rules::new(policy, sdk), name, space)
    }

    /// A caller under these rules; see [`new`](Self::new).
    #[must_use]
    pub fn with_rules(rules: Rules, name: u64, space: u8) -> Caller<T> {
        Caller {
            name,
            space,
            slots: Vec::new(),
            free: Vec::new(),
            door: VecDeque::new(),
            gate: VecDeque::new(),
            admitted: 0,
            breaker: rules.breaker.map(Breaker::new),
            budget: rules.budget.map(Budget::new),
            busy_until: Time::ZERO,
            gate_due: Time::NEVER,
            lookups: Vec::new(),
            need: None,
            progress: VecDeque::new(),
            rules,
        }
    }

    /// The same, for a callee that wants this credential to be presented, where there is one.
    #[must_use]
    pub fn needing(self, need: Option<u16>) -> Caller<T> {
        Caller { need, ..self }
    }

    /// Forgets every call: the process died.
    pub fn crash(&mut self) {
        self.slots.clear();
        self.free.clear();
        self.door.clear();
        self.gate.clear();
        self.admitted = 0;
        self.breaker = self.rules.breaker.map(Breaker::new);
        self.budget = self.rules.budget.map(Budget::new);
        self.busy_until = Time::ZERO;
        self.gate_due = Time::NEVER;
        self.lookups.clear();
        self.progress.clear();
    }

    /// The rules it follows.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How many calls are not over, those that wait included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Whether no call is open or waiting.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many calls are under way of those that may be at once, where that is limited. Only a look.
    #[must_use]
    pub fn gauge(&self) -> Option<Gauge> {
        let limited = self.rules.in_flight != u32::MAX;
        limited.then(|| {
            let (admitted, most) = (self.admitted.into(), self.rules.in_flight.into());
            Gauge::level("calls in flight", "calls", admitted, most)
        })
    }

    /// Until when the whole client backs off after `ServiceBusy`.
    #[must_use]
    pub fn busy_until(&self) -> Time {
        self.busy_until
    }

    /// Takes over the back-off of another caller of the same client (one Service Bus client, several policies).
    pub fn back_off(&mut self, until: Time) {
        self.busy_until = self.busy_until.max(until);
    }

    /// The broker said `ServiceBusy`. While the client backs off already, that does not prolong it (facts 1.2).
    pub fn busy(&mut self, now: Time) {
        if now >= self.busy_until {
            self.busy_until = now + BUSY_BACK_OFF;
        }
    }

    /// What happened next; empty it after every call into the caller.
    #[expect(clippy::should_implement_trait, reason = "a caller is not a sequence")]
    pub fn next(&mut self) -> Option<Progress<T>> {
        self.progress.pop_front()
    }

    /// Begins a call. The first attempt goes out at once unless the limit, the breaker or a back-off hold it.
    pub fn call(&mut self, cx: &mut Context<'_>, to: Address, message: Message, owner: T) -> CallHandle {
        let pending = Pending {
            owner,
            to,
            at: to,
            message: Message { attempt: 0, ..message },
            doubtful: false,
            held: 0,
            paused: Span::ZERO,
            reread: false,
            state: State::Waiting,
        };
        let slot = self.insert(pending);
        if self.admitted < self.rules.in_flight {
            self.admitted += 1;
            self.attempt(cx, slot);
            self.flow(cx);
        } else {
            self.symptom(cx, slot, Symptom::Throttled);
            self.door.push_back(slot);
        }
        CallHandle { slot, generation: self.slots[slot as usize].generation }
    }

    /// Whether this message is an answer to one of its calls (a late one included).
    #[must_use]
    pub fn owns(&self, message: &Message) -> bool {
        let answers = match message.body {
            Body::Response(_)
            | Body::BrokerEvent(_)
            | Body::StoreAnswer(_)
            | Body::ControlAnswer(_)
            | Body::Granted(_)
            | Body::ProbeAnswer { .. } => message.call.0 != 0,
            Body::Record(_) => true,
            _ => false,
        };
        answers && message.tag >> SLOT_BITS == u32::from(self.space)
    }

    /// Takes an answer. False if it is not for this caller.
    pub fn on_message(&mut self, cx: &mut Context<'_>, message: &Message) -> bool {
        if !self.owns(message) {
            return false;
        }
        let slot = message.tag & SLOT_MASK;
        if let Body::Record(answer) = message.body {
            self.looked_up(cx, slot as usize, answer);
            self.flow(cx);
            return true;
        }
        // The id of the attempt is unique in a run: an answer to an earlier attempt is too late.
        if self.open_call(slot) == Some(message.call) {
            if unauthorised(message) && self.reread(cx, slot) {
                self.flow(cx);
                return true;
            }
            let verdict = classify(&message.body);
            let symptom = match verdict.outcome {
                _ if verdict.silent => Some(Symptom::Reset),
                Outcome::Ok => None,
                _ => Some(Symptom::Error),
            };
            let answer = (!verdict.silent).then_some(message);
            self.attempt_over(cx, slot, verdict, symptom, answer);
            self.flow(cx);
        }
        true
    }

    /// Takes a timer. False if it is not this caller's.
    pub fn on_timer(&mut self, cx: &mut Context<'_>, token: u64) -> bool {
        if token >> 56 != u64::from(self.space) {
            return false;
        }
        let (kind, slot) = (token >> 52 & 15, token as u32 & SLOT_MASK);
        if kind == GATE {
            self.gate_due = Time::NEVER;
        } else if kind == LOOKUP {
            self.unanswered(cx, slot as usize);
        } else if let Some(entry) = self.slots.get(slot as usize)
            && u64::from(entry.generation) & GENERATION_MASK == token >> SLOT_BITS & GENERATION_MASK
            && let Some(pending) = &entry.pending
        {
            match pending.state {
                State::Open { .. } if kind == TIMEOUT => {
                    self.attempt_over(cx, slot, Verdict::NO_ANSWER, Some(Symptom::Timeout), None);
                }
                State::Resolving { .. } if kind == TIMEOUT => {
                    self.attempt_over(cx, slot, Verdict::UNRESOLVED, Some(Symptom::Timeout), None);
                }
                State::Rereading { .. } if kind == TIMEOUT => self.conclude(slot, Outcome::Refused, None),
                State::Pausing if kind == PAUSE => self.attempt(cx, slot),
                State::Held { whole } if kind == HELD => self.held_over(cx, slot, whole),
                _ => {}
            }
        }
        self.flow(cx);
        true
    }

    /// The callee does not take the credential: the call waits for another one, once. False: there will be
    /// none.
    fn reread(&mut self, cx: &mut Context<'_>, slot: u32) -> bool {
        let again = self.pending_mut(slot).is_some_and(|pending| !pending.reread);
        if !again || !self.need.is_some_and(|need| cx.credential_refused(need)) {
            return false;
        }
        if let Some(ticket) = self.close_attempt(cx, slot, Outcome::Refused) {
            self.symptom(cx, slot, Symptom::Error);
            if let Some(breaker) = &mut self.breaker {
                breaker.release(ticket);
            }
        }
        let (token, timeout) = (self.token(TIMEOUT, slot), self.rules.timeout);
        let Some(pending) = self.pending_mut(slot) else { return true };
        let timer = cx.timeout(timeout, token, !pending.message.cargo.is_empty());
        (pending.reread, pending.state) = (true, State::Rereading { timer });
        true
    }

    /// The credential for this need has been fetched again.
    pub fn credential_came(&mut self, need: u16, cx: &mut Context<'_>) {
        if self.need != Some(need) {
            return;
        }
        for slot in 0..self.slots.len() as u32 {
            let state = self.pending_mut(slot).map(|pending| pending.state);
            if let Some(State::Rereading { timer }) = state {
                cx.cancel(timer);
                self.attempt(cx, slot);
            }
        }
        self.flow(cx);
    }

    /// The connection to this process is gone: every attempt that is open to it will get no answer.
    pub fn on_closed(&mut self, cx: &mut Context<'_>, peer: ProcessId) {
        let open_to = |entry: &Slot<T>| {
            let pending = entry.pending.as_ref();
            pending.is_some_and(|p| p.at.process == peer && matches!(p.state, State::Open { .. }))
        };
        // What is sent while these are settled goes over a new connection.
        let slots: Vec<u32> =
            (0..self.slots.len() as u32).filter(|slot| open_to(&self.slots[*slot as usize])).collect();
        for slot in slots {
            self.attempt_over(cx, slot, Verdict::NO_ANSWER, Some(Symptom::Reset), None);
        }
        self.flow(cx);
    }

    /// Calls a call off; nothing more is heard of it. An open attempt stays unknown.
    pub fn cancel(&mut self, cx: &mut Context<'_>, call: CallHandle) {
        let Some(entry) = self.slots.get(call.slot as usize) else { return };
        if entry.generation != call.generation || entry.pending.is_none() {
            return;
        }
        if let Some(ticket) = self.close_attempt(cx, call.slot, Outcome::Unknown)
            && let Some(breaker) = &mut self.breaker
        {
            breaker.release(ticket);
        }
        let at_door = self.door.iter().position(|slot| *slot == call.slot);
        match at_door {
            Some(index) => drop(self.door.remove(index)),
            None => self.admitted -= 1,
        }
        self.gate.retain(|slot| *slot != call.slot);
        self.remove(call.slot);
        self.flow(cx);
    }

    // -- One attempt. --

    /// Makes an attempt of this admitted call, or lets it wait, or ends it there.
    fn attempt(&mut self, cx: &mut Context<'_>, slot: u32) {
        if cx.now() < self.busy_until {
            self.hold(cx, slot);
        } else {
            self.pass(cx, slot);
        }
    }

    /// Lets an attempt sit out the back-off of the whole client (facts 1.2). Each does so by itself, from
    /// the moment at which it was to be made, so that they do not all come back in the same instant.
    ///
    /// A call whose attempts may take less than the back-off waits for the time of one attempt; if the
    /// client still backs off then, that was a failed one.
    fn hold(&mut self, cx: &mut Context<'_>, slot: u32) {
        let timeout = self.rules.timeout;
        let token = self.token(HELD, slot);
        let Some(pending) = self.pending_mut(slot) else { return };
        let whole = pending.message.attempt > 0 || timeout >= BUSY_BACK_OFF;
        pending.state = State::Held { whole };
        let work = !pending.message.cargo.is_empty();
        self.symptom(cx, slot, Symptom::Throttled);
        cx.timeout(if whole { BUSY_BACK_OFF } else { timeout }, token, work);
    }

    fn held_over(&mut self, cx: &mut Context<'_>, slot: u32, whole: bool) {
        if whole || cx.now() >= self.busy_until {
            return self.pass(cx, slot);
        }
        if let Some(pending) = self.pending_mut(slot) {
            pending.held += 1;
            pending.state = State::Pausing;
        }
        match self.next_pause(cx, slot, &Verdict::BUSY, false) {
            Some(pause) => self.pause(cx, slot, pause),
            None => self.conclude(slot, Outcome::Failed, None),
        }
    }

    /// Asks the breaker, and makes the attempt.
    fn pass(&mut self, cx: &mut Context<'_>, slot: u32) {
        match self.ask(cx, slot) {
            Gate::Go(ticket) => self.send(cx, slot, ticket),
            Gate::Wait(until) => {
                if let Some(pending) = self.pending_mut(slot) {
                    pending.state = State::Waiting;
                }
                self.symptom(cx, slot, Symptom::Throttled);
                self.gate.push_back(slot);
                self.watch_gate(cx, until);
            }
            Gate::Refused => self.conclude(slot, Outcome::Failed, None),
        }
    }

    fn ask(&mut self, cx: &mut Context<'_>, slot: u32) -> Gate {
        let Some(breaker) = &mut self.breaker else { return Gate::Go(Ticket::default()) };
        match breaker.ask(cx.now()) {
            Permission::Granted(ticket, belief) => {
                if let (Some(belief), Some(subject)) = (belief, self.callee(slot)) {
                    cx.believe(subject, belief);
                }
                Gate::Go(ticket)
            }
            Permission::Denied(until) => match self.rules.when_open {
                WhenOpen::Fail => Gate::Refused,
                WhenOpen::Wait => Gate::Wait(until),
            },
        }
    }

    /// Makes the attempt, or finds out first where the name of the callee leads.
    fn send(&mut self, cx: &mut Context<'_>, slot: u32, ticket: Ticket) {
        let credential = self.need.map(|need| cx.credential(need));
        let keyless = credential == Some(None);
        let Some(pending) = self.pending_mut(slot) else { return };
        if keyless {
            // The client library fails before it sends anything.
            pending.state = State::Keyless { ticket };
            return self.attempt_over(cx, slot, Verdict::UNRESOLVED, Some(Symptom::Error), None);
        }
        if let (Some(Some(held)), Body::Request(request)) = (credential, &mut pending.message.body) {
            request.secret = held.version;
        }
        let (to, item) = (pending.to, first(&pending.message));
        let resolved = match &pending.message.body {
            Body::Store(command) => {
                cx.resolve_nearest(to, matches!(command, store::Command::Write { .. }), item)
            }
            _ => cx.resolve(to, item),
        };
        match resolved {
            Resolved::At(at) => {
                pending.at = at;
                self.transmit(cx, slot, ticket);
            }
            Resolved::Ask(name) => self.wait_for_name(cx, slot, ticket, name),
        }
    }

    fn transmit(&mut self, cx: &mut Context<'_>, slot: u32, ticket: Ticket) {
        let token = self.token(TIMEOUT, slot);
        let tag = u32::from(self.space) << SLOT_BITS | slot;
        let timeout = self.rules.timeout;
        let Some(pending) = self.pending_mut(slot) else { return };
        pending.message.attempt = pending.message.attempt.saturating_add(1);
        pending.message.tag = tag;
        let mut message = pending.message.clone();
        let (at, owner) = (pending.at, pending.owner);
        if at.part != pending.to.part
            && let Body::Request(request) = &mut message.body
        {
            request.part = at.part;
        }
        if message.attempt > 1 {
            cx.observe_each(message.cargo.items(), What::Symptom(Symptom::Retry));
        }
        let work = !message.cargo.is_empty();
        let call = cx.call(at, message);
        let timer = cx.timeout(timeout, token, work);
        pending.state = State::Open { call, timer, ticket };
        if let Some(budget) = &mut self.budget {
            budget.earn();
        }
        self.progress.push_back(Progress::Sent(owner));
    }

    /// Observes the end of the open attempt, if there is one, and returns its ticket.
    fn close_attempt(&mut self, cx: &mut Context<'_>, slot: u32, outcome: Outcome) -> Option<Ticket> {
        let pending = self.pending_mut(slot)?;
        let (call, timer, ticket) = match pending.state {
            State::Open { call, timer, ticket } => (call, timer, ticket),
            State::Resolving { timer, ticket, .. } => {
                cx.cancel(timer);
                pending.held += 1;
                pending.state = State::Pausing;
                return Some(ticket);
            }
            State::Keyless { ticket } => {
                pending.held += 1;
                pending.state = State::Pausing;
                return Some(ticket);
            }
            _ => return None,
        };
        cx.cancel(timer);
        cx.observe(first(&pending.message), What::Answered { call, outcome });
        pending.state = State::Pausing;
        pending.doubtful |= outcome == Outcome::Unknown;
        Some(ticket)
    }

    fn attempt_over(
        &mut self,
        cx: &mut Context<'_>,
        slot: u32,
        verdict: Verdict,
        symptom: Option<Symptom>,
        answer: Option<&Message>,
    ) {
        let Some(ticket) = self.close_attempt(cx, slot, verdict.outcome) else { return };
        if let Some(symptom) = symptom {
            self.symptom(cx, slot, symptom);
        }
        let failed = matches!(verdict.outcome, Outcome::Failed | Outcome::Unknown);
        let belief = self.breaker.as_mut().and_then(|breaker| breaker.record(ticket, failed, cx.now()));
        if let (Some(belief), Some(subject)) = (belief, self.callee(slot)) {
            cx.believe(subject, belief);
        }
        if verdict.busy {
            self.busy(cx.now());
        }
        let rerouted = failed && !verdict.throttled && self.rerouted(cx, slot);
        match self.next_pause(cx, slot, &verdict, rerouted) {
            Some(pause) if pause.is_zero() => self.attempt(cx, slot),
            Some(pause) => self.pause(cx, slot, pause),
            None => self.conclude(slot, verdict.outcome, answer),
        }
    }

    /// Whether further attempts go to another region of an account, because this one failed.
    fn rerouted(&mut self, cx: &mut Context<'_>, slot: u32) -> bool {
        let Some(pending) = self.pending_mut(slot) else { return false };
        let (to, at) = (pending.to.process, pending.at.process);
        at != to && cx.region_failed(to, at)
    }

    fn pause(&mut self, cx: &mut Context<'_>, slot: u32, pause: Span) {
        let token = self.token(PAUSE, slot);
        if let Some(pending) = self.pending_mut(slot) {
            let work = !pending.message.cargo.is_empty();
            cx.timer(pause, token, work);
        }
    }

    /// How long to wait before the next attempt, or `None` if there shall be none. `rerouted`: it goes to
    /// another region, which the library does by itself where surely nothing has happened (facts data 1.8).
    fn next_pause(&mut self, cx: &Context<'_>, slot: u32, verdict: &Verdict, rerouted: bool) -> Option<Span> {
        let (name, most) = (self.name, self.rules.pauses);
        let pending = self.slots.get_mut(slot as usize)?.pending.as_mut()?;
        let attempt = u32::from(pending.message.attempt) + pending.held;
        let rerouted = rerouted && verdict.outcome == Outcome::Failed && attempt <= self.rules.retries;
        if verdict.outcome == Outcome::Ok || !rerouted && !self.rules.allows(verdict, attempt) {
            return None;
        }
        let identity = [first(&pending.message).identity(), u64::from(attempt)];
        let pause = self.rules.pause(attempt, verdict, cx.draw_for(name, Purpose::Jitter, identity));
        let paused = pending.paused + pause;
        if paused > most || self.budget.as_mut().is_some_and(|budget| !budget.spend()) {
            return None;
        }
        pending.paused = paused;
        Some(pause)
    }

    fn conclude(&mut self, slot: u32, outcome: Outcome, answer: Option<&Message>) {
        let Some(pending) = self.remove(slot) else { return };
        self.admitted -= 1;
        // One attempt that may have happened is not undone by a later one that surely did not.
        let open = pending.doubtful && outcome != Outcome::Ok;
        self.progress.push_back(Progress::Finished(Finished {
            owner: pending.owner,
            outcome: if open { Outcome::Unknown } else { outcome },
            answer: answer.cloned(),
            attempts: pending.message.attempt,
        }));
    }

    // -- Names. --

    /// The attempt waits until the name is known, at most for its own time.
    fn wait_for_name(&mut self, cx: &mut Context<'_>, slot: u32, ticket: Ticket, name: ProcessId) {
        let (token, timeout) = (self.token(TIMEOUT, slot), self.rules.timeout);
        let Some(pending) = self.pending_mut(slot) else { return };
        let timer = cx.timeout(timeout, token, !pending.message.cargo.is_empty());
        pending.state = State::Resolving { name, timer, ticket };
        self.find(cx, name);
    }

    /// Asks where a name leads, unless it is asking already.
    fn find(&mut self, cx: &mut Context<'_>, name: ProcessId) {
        let known = self.lookups.iter().position(|lookup| lookup.name == name);
        let index = known.unwrap_or_else(|| {
            self.lookups.push(Lookup { name, asked: 0, serial: 0, timer: None });
            self.lookups.len() - 1
        });
        if self.lookups[index].asked == 0 {
            self.ask_for_name(cx, index);
        }
    }

    fn ask_for_name(&mut self, cx: &mut Context<'_>, index: usize) {
        let space = self.space;
        let Some(lookup) = self.lookups.get_mut(index) else { return };
        lookup.asked += 1;
        lookup.serial = lookup.serial.wrapping_add(1);
        let tag = u32::from(space) << SLOT_BITS | index as u32;
        cx.datagram(lookup.name, Message { tag, attempt: lookup.serial, ..Message::new(Body::Lookup) });
        // Whoever waits for the name has a timer of his own; this one is upkeep.
        let token = u64::from(space) << 56 | LOOKUP << 52 | index as u64;
        lookup.timer = Some(cx.timeout(ASK_AGAIN, token, false));
    }

    /// The name service has answered.
    fn looked_up(&mut self, cx: &mut Context<'_>, index: usize, answer: name::Answer) {
        let Some(lookup) = self.lookups.get_mut(index).filter(|lookup| lookup.asked > 0) else { return };
        let name = lookup.name;
        lookup.asked = 0;
        if let Some(timer) = lookup.timer.take() {
            cx.cancel(timer);
        }
        let name::Answer::Record { address, ttl } = answer else {
            cx.trouble(name, Symptom::Error);
            return self.unresolved(cx, name, Symptom::Error);
        };
        cx.learn(name, address, ttl);
        for slot in self.resolving(name) {
            let Some(pending) = self.pending_mut(slot) else { continue };
            if let State::Resolving { timer, ticket, .. } = pending.state {
                cx.cancel(timer);
                self.send(cx, slot, ticket);
            }
        }
    }

    /// The name service has not answered in time.
    fn unanswered(&mut self, cx: &mut Context<'_>, index: usize) {
        let Some(lookup) = self.lookups.get_mut(index) else { return };
        let name = lookup.name;
        cx.trouble(name, Symptom::Timeout);
        if lookup.asked < QUESTIONS {
            return self.ask_for_name(cx, index);
        }
        lookup.asked = 0;
        self.unresolved(cx, name, Symptom::Timeout);
    }

    /// The attempts that wait for this name have failed; nothing was sent.
    fn unresolved(&mut self, cx: &mut Context<'_>, name: ProcessId, symptom: Symptom) {
        for slot in self.resolving(name) {
            self.attempt_over(cx, slot, Verdict::UNRESOLVED, Some(symptom), None);
        }
    }

    fn resolving(&self, of: ProcessId) -> Vec<u32> {
        let waits = |entry: &Slot<T>| {
            let state = entry.pending.as_ref().map(|pending| pending.state);
            matches!(state, Some(State::Resolving { name, .. }) if name == of)
        };
        (0..self.slots.len() as u32).filter(|slot| waits(&self.slots[*slot as usize])).collect()
    }

    // -- Those that wait. --

    /// Lets through whatever may go now: first those at the gate, then those at the door.
    fn flow(&mut self, cx: &mut Context<'_>) {
        while let Some(&slot) = self.gate.front() {
            if cx.now() < self.busy_until {
                self.gate.pop_front();
                self.hold(cx, slot);
                continue;
            }
            match self.ask(cx, slot) {
                Gate::Go(ticket) => {
                    self.gate.pop_front();
                    self.send(cx, slot, ticket);
                }
                Gate::Wait(until) => {
                    self.watch_gate(cx, until);
                    break;
                }
                Gate::Refused => {
                    self.gate.pop_front();
                    self.conclude(slot, Outcome::Failed, None);
                }
            }
        }
        while self.admitted < self.rules.in_flight
            && let Some(slot) = self.door.pop_front()
        {
            self.admitted += 1;
            self.attempt(cx, slot);
        }
    }

    fn watch_gate(&mut self, cx: &mut Context<'_>, until: Option<Time>) {
        if let Some(until) = until
            && until < self.gate_due
        {
            self.gate_due = until;
            cx.timer(until.since(cx.now()), self.token(GATE, 0), true);
        }
    }

    // -- The table of calls. --

    fn insert(&mut self, pending: Pending<T>) -> u32 {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize].pending = Some(pending);
            return slot;
        }
        self.slots.push(Slot { generation: 0, pending: Some(pending) });
        self.slots.len() as u32 - 1
    }

    fn remove(&mut self, slot: u32) -> Option<Pending<T>> {
        let entry = self.slots.get_mut(slot as usize)?;
        let pending = entry.pending.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(slot);
        Some(pending)
    }

    fn pending_mut(&mut self, slot: u32) -> Option<&mut Pending<T>> {
        self.slots.get_mut(slot as usize)?.pending.as_mut()
    }

    fn open_call(&self, slot: u32) -> Option<CallId> {
        match self.slots.get(slot as usize)?.pending.as_ref()?.state {
            State::Open { call, .. } => Some(call),
            _ => None,
        }
    }

    fn callee(&self, slot: u32) -> Option<ProcessId> {
        Some(self.slots.get(slot as usize)?.pending.as_ref()?.at.process)
    }

    fn symptom(&self, cx: &mut Context<'_>, slot: u32, symptom: Symptom) {
        if let Some(pending) = self.slots.get(slot as usize).and_then(|entry| entry.pending.as_ref()) {
            cx.observe_each(pending.message.cargo.items(), What::Symptom(symptom));
        }
    }

    fn token(&self, kind: u64, slot: u32) -> u64 {
        let generation = self.slots.get(slot as usize).map_or(0, |entry| u64::from(entry.generation));
        u64::from(self.space) << 56
            | kind << 52
            | (generation & GENERATION_MASK) << SLOT_BITS
            | u64::from(slot)
    }
}

/// Whether the callee does not know who asks (401).
fn unauthorised(message: &Message) -> bool {
    matches!(message.body, Body::Response(response) if response.status == 401)
}

fn first(message: &Message) -> Item {
    message.cargo.first().unwrap_or_default()
}

#[cfg(test)]
#[path = "caller_tests.rs"]
mod tests;
