//! The front of an app: it owns the readiness of the instances, picks one for each request, and starts and
//! stops instances. A managed part of the platform, redundant over the zones.

use std::sync::Arc;

use crate::client::names::Resolved;
use crate::ids::{Address, CallId, ConnectionId, Item, ProcessId};
use crate::kernel::slab::Slab;
use crate::message::{Body, Cargo, Message, control, http, name};
use crate::node::{CloseReason, Context, Gauge, Input, Process, TimerId};
use crate::observe::{Belief, Handling, Held, Outcome, Symptom, What};
use crate::random::{Purpose, mix};
use crate::recipe::hosts::ingress::{self, HeldUp, Struck};
use crate::services::front::{control_fails, turned_away};
use crate::time::{Span, Time};

/// What a front is told.
#[derive(Clone, Debug)]
pub struct Fronting {
    /// The instances, by their number.
    pub slots: Vec<ProcessId>,
    /// How many run at least.
    pub min: u16,
    /// How often readiness is probed.
    pub period: Span,
    /// After so many missed or negative probes an instance is out.
    pub threshold: u8,
    /// How long a request may take.
    pub timeout: Span,
    /// How instances are added and removed; none where their number is fixed.
    pub scaling: Option<Scaling>,
    /// The control plane, where the app can be switched off: nothing runs before it says so.
    pub plane: Option<ProcessId>,
}

/// The rule by which instances are added and removed.
#[derive(Clone, Debug)]
pub struct Scaling {
    /// What is counted.
    pub by: Measure,
    /// So much of it for each instance.
    pub target: u32,
    /// How often it is looked at.
    pub every: Span,
    /// At most so many instances more, each time.
    pub step: u16,
    /// The shortest time between two additions.
    pub pause: Span,
    /// An instance goes after so long with less to do.
    pub cool_down: Span,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Requests under way.
    Requests,
    /// Messages that wait in this part of a process.
    Depth(ProcessId, u16),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Stopped,
    Starting,
    Ready,
    Unready,
    Draining,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    state: State,
    /// Probes in a row without a positive answer.
    missed: u8,
    in_flight: u32,
}

/// A request that waits for the answer of an instance.
#[derive(Clone, Debug)]
struct Forward {
    client: Client,
    call: CallId,
    slot: u16,
    timer: Option<TimerId>,
    generation: u32,
}

/// Who wants the answer.
#[derive(Clone, Debug)]
struct Client {
    connection: ConnectionId,
    call: CallId,
    tag: u32,
    attempt: u16,
    item: Item,
}

/// The front of one app.
#[derive(Clone, Debug)]
pub struct Front {
    fronting: Arc<Fronting>,
    slots: Vec<Slot>,
    forwards: Slab<Forward>,
    generation: u32,
    /// Requests that wait for the first instance.
    waiting: Vec<(ConnectionId, Message)>,
    /// What a fault holds up.
    held_up: Slab<HeldUp>,
    /// The last answer about the depth of the source.
    depth: u64,
    wanted: u16,
    added: Time,
    /// Since when fewer instances would do; `NEVER`: they would not.
    idle_since: Time,
    enabled: bool,
    /// Whether its control plane has told it what is wanted.
    told: bool,
}

const PROBE: u64 = 1 << 56;
const SCALE: u64 = 2 << 56;
const TIMEOUT: u64 = 3 << 56;
const HELD_UP: u64 = 4 << 56;
const ASK: u64 = 5 << 56;
/// So long an answer of the control plane is waited for before it is asked again.
const PATIENCE: Span = Span::secs(5);
const PROBE_TAG: u32 = 1 << 24;
const DEPTH_TAG: u32 = 2 << 24;
/// At most so many requests wait for the first instance; further ones are answered 503 \[K\].
const MOST_WAITING: usize = 1000;

impl Front {
    /// A front that knows nothing about its instances yet.
    #[must_use]
    pub fn new(fronting: Arc<Fronting>) -> Front {
        let stopped = Slot { state: State::Stopped, missed: 0, in_flight: 0 };
        Front {
            slots: vec![stopped; fronting.slots.len()],
            forwards: Slab::default(),
            generation: 0,
            waiting: Vec::new(),
            held_up: Slab::default(),
            depth: 0,
            wanted: fronting.min,
            added: Time::ZERO,
            idle_since: Time::NEVER,
            enabled: fronting.plane.is_none(),
            told: false,
            fronting,
        }
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        if self.enabled {
            for slot in self.slots.iter_mut().take(usize::from(self.fronting.min)) {
                slot.state = State::Starting;
            }
        }
        self.ask(cx);
        // After a crash of the front more may run than the minimum: the probe finds them.
        self.probe(cx);
        if let Some(scaling) = &self.fronting.scaling {
            cx.timer(scaling.every, SCALE, false);
        }
    }

    /// Asks the control plane what is wanted, until it says so.
    fn ask(&mut self, cx: &mut Context<'_>) {
        if let Some(plane) = self.fronting.plane.filter(|_| !self.told) {
            let ready = control::Command::Ready { instance: u16::MAX };
            cx.tell(plane, Message::new(Body::Control(ready)));
            cx.timer(PATIENCE, ASK, false);
        }
    }

    /// An instance is there: one of an app that can be switched off begins only when it is told to.
    fn instance_ready(&mut self, index: usize, cx: &mut Context<'_>) {
        if self.fronting.plane.is_some() {
            if !self.told {
                return; // it asks again
            }
            let slot = self.fronting.slots[index];
            if !self.enabled {
                self.slots[index].state = State::Stopped;
                return cx.stop_slot(slot);
            }
            let begin = control::Command::Enable { part: 0, on: true };
            cx.tell(slot, Message::new(Body::Control(begin)));
        }
        self.believe(index, State::Ready, cx);
        self.send_waiting(cx);
    }

    // -- Readiness. --

    fn probe(&mut self, cx: &mut Context<'_>) {
        for index in 0..self.slots.len() {
            self.miss(index, cx);
            if self.slots[index].state != State::Draining {
                let probe = Message { tag: PROBE_TAG | index as u32, ..Message::new(Body::Probe) };
                cx.datagram(self.fronting.slots[index], probe);
            }
        }
        cx.timer(self.fronting.period, PROBE, false);
    }

    /// One probe more without an answer, as long as none comes.
    fn miss(&mut self, index: usize, cx: &mut Context<'_>) {
        let slot = &mut self.slots[index];
        if !matches!(slot.state, State::Ready | State::Starting) {
            return;
        }
        slot.missed = slot.missed.saturating_add(1);
        if slot.missed <= self.fronting.threshold {
            return;
        }
        if slot.state == State::Ready {
            self.believe(index, State::Unready, cx);
        } else {
            // An answer that was under way when it was stopped may have been taken for a sign of life.
            slot.missed = 0;
            if control_fails(cx).is_none() {
                cx.start_slot(self.fronting.slots[index]);
            }
        }
    }

    fn believe(&mut self, index: usize, state: State, cx: &mut Context<'_>) {
        let slot = &mut self.slots[index];
        let was = slot.state == State::Ready;
        slot.state = state;
        if state == State::Ready {
            slot.missed = 0;
        }
        if was != (state == State::Ready) {
            cx.believe(self.fronting.slots[index], Belief::Ready(!was));
        }
    }

    fn probed(&mut self, index: usize, ready: bool, cx: &mut Context<'_>) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        match (slot.state, ready) {
            (State::Ready, true) | (State::Starting, false) => slot.missed = 0,
            (State::Draining, _) | (State::Ready, false) => {}
            // It is being stopped.
            (State::Stopped, _) if !self.enabled => {}
            (_, true) => {
                self.believe(index, State::Ready, cx);
                self.send_waiting(cx);
            }
            // It runs, but does not serve yet.
            (State::Stopped, false) => (slot.state, slot.missed) = (State::Starting, 0),
            (State::Unready, false) => {}
        }
    }

    // -- Requests. --

    /// A request arrives, and meets the faults of the ingress.
    fn arrive(&mut self, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        match ingress::request(&message, cx) {
            Struck::No => self.request(connection, message, cx),
            Struck::Refused(status) => respond(connection, &message, status, cx),
            Struck::Pretended => {
                let item = message.cargo.first().unwrap_or_default();
                cx.handled_about(connection, item, message.call, Handling::Suppressed);
                cx.observe(item, What::Symptom(Symptom::Misled));
                respond(connection, &message, 200, cx);
            }
            Struck::Late(span) => {
                let item = message.cargo.first().unwrap_or_default();
                self.hold_up(HeldUp::Request(connection, message), item, span, cx);
            }
        }
    }

    fn hold_up(&mut self, held: HeldUp, item: Item, span: Span, cx: &mut Context<'_>) {
        cx.observe(item, What::Symptom(Symptom::Delayed));
        let slot = self.held_up.insert(held);
        cx.timer(span, HELD_UP | u64::from(slot), true);
    }

    fn let_go(&mut self, token: u64, cx: &mut Context<'_>) {
        match self.held_up.take(token as u32) {
            Some(HeldUp::Request(connection, message)) => self.request(connection, message, cx),
            Some(HeldUp::Answer(connection, message)) => cx.answer(connection, message),
            None => {}
        }
    }

    fn request(&mut self, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        if !self.enabled {
            return respond(connection, &message, 403, cx);
        }
        if let Some(index) = self.pick(&message, cx) {
            return self.forward(index, connection, message, cx);
        }
        let coming = self.slots.iter().any(|slot| slot.state == State::Starting);
        let from_zero = self.fronting.scaling.is_some() && !coming && self.fronting.min == 0;
        if from_zero && control_fails(cx).is_none() {
            self.wanted = 1;
            self.grow(1, cx);
        }
        let coming = coming || self.slots.iter().any(|slot| slot.state == State::Starting);
        if coming && self.fronting.min == 0 && self.waiting.len() < MOST_WAITING {
            // From zero the platform holds the request until the instance is there: a cold start.
            self.waiting.push((connection, message));
        } else {
            respond(connection, &message, 503, cx);
        }
    }

    fn send_waiting(&mut self, cx: &mut Context<'_>) {
        for (connection, message) in std::mem::take(&mut self.waiting) {
            self.request(connection, message, cx);
        }
    }

    /// The instance for a request: rendezvous hashing over those that are ready.
    fn pick(&self, message: &Message, cx: &Context<'_>) -> Option<usize> {
        let item = message.cargo.first().unwrap_or_default();
        let identity = [item.identity(), mix(u64::from(item.kind.0), u64::from(message.attempt))];
        let ready = self.slots.iter().enumerate().filter(|(_, slot)| slot.state == State::Ready);
        let weight = |index: usize| {
            let hash = cx.plan().process(self.fronting.slots[index]).hash;
            cx.draw_for(hash, Purpose::Balance, identity)
        };
        ready.map(|(index, _)| (weight(index), index)).max().map(|(_, index)| index)
    }

    fn forward(&mut self, index: usize, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        let client = Client {
            connection,
            call: message.call,
            tag: message.tag,
            attempt: message.attempt,
            item: message.cargo.first().unwrap_or_default(),
        };
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let forward = Forward { client, call: CallId(0), slot: index as u16, timer: None, generation };
        let slot = self.forwards.insert(forward);
        self.slots[index].in_flight += 1;
        let work = !message.cargo.is_empty();
        let to = crate::recipe::worker::address(self.fronting.slots[index]);
        let call = cx.call(to, Message { tag: slot, ..message });
        let token = TIMEOUT | u64::from(generation & 0x00ff_ffff) << 32 | u64::from(slot);
        let timer = cx.timeout(self.fronting.timeout, token, work);
        if let Some(forward) = self.forwards.get_mut(slot) {
            forward.call = call;
            forward.timer = Some(timer);
        }
    }

    fn answered(&mut self, message: &Message, response: http::Response, cx: &mut Context<'_>) {
        if self.forwards.get(message.tag).is_none_or(|forward| forward.call != message.call) {
            return; // its request was given up
        }
        let outcome = crate::client::classify::classify(&message.body).outcome;
        self.over(message.tag, outcome, response, cx);
    }

    /// A forwarded request is over; the client gets this response.
    fn over(&mut self, slot: u32, outcome: Outcome, response: http::Response, cx: &mut Context<'_>) {
        let Some(Forward { client, call, slot, timer, .. }) = self.forwards.take(slot) else { return };
        if let Some(timer) = timer {
            cx.cancel(timer);
        }
        if let Some(slot) = self.slots.get_mut(usize::from(slot)) {
            slot.in_flight -= 1;
        }
        cx.observe(client.item, What::Answered { call, outcome });
        let how = match outcome {
            Outcome::Ok => Some(Handling::Stored),
            Outcome::Refused => Some(Handling::Rejected),
            Outcome::Failed | Outcome::Unknown => None,
        };
        if let Some(how) = how {
            cx.handled_about(client.connection, client.item, client.call, how);
        }
        let cut = ingress::cuts(client.item, client.attempt, cx);
        let response = if cut { http::Response::RESET } else { response };
        let answer = Message {
            call: client.call,
            tag: client.tag,
            attempt: client.attempt,
            cargo: Cargo::None,
            body: Body::Response(response),
        };
        match ingress::slows(client.item, client.attempt, cx) {
            Some(span) => self.hold_up(HeldUp::Answer(client.connection, answer), client.item, span, cx),
            None => cx.answer(client.connection, answer),
        }
    }

    fn timed_out(&mut self, token: u64, cx: &mut Context<'_>) {
        let (slot, generation) = (token as u32, token >> 32 & 0x00ff_ffff);
        let Some(forward) = self.forwards.get(slot) else { return };
        if u64::from(forward.generation & 0x00ff_ffff) == generation {
            cx.observe(forward.client.item, What::Symptom(Symptom::Timeout));
            self.over(slot, Outcome::Unknown, http::Response::status(504), cx);
        }
    }

    fn closed(&mut self, peer: ProcessId, reason: CloseReason, cx: &mut Context<'_>) {
        let Some(index) = self.fronting.slots.iter().position(|slot| *slot == peer) else { return };
        let under_way = self.forwards.iter().filter(|(_, forward)| usize::from(forward.slot) == index);
        let lost: Vec<u32> = under_way.map(|(slot, _)| slot).collect();
        for slot in lost {
            if let Some(forward) = self.forwards.get(slot) {
                cx.observe(forward.client.item, What::Symptom(Symptom::Reset));
            }
            self.over(slot, Outcome::Unknown, http::Response::status(502), cx);
        }
        let died = matches!(reason, CloseReason::Reset | CloseReason::TimedOut);
        if died && self.slots[index].state == State::Ready {
            self.believe(index, State::Unready, cx);
        }
    }

    // -- Scaling. --

    fn scale(&mut self, cx: &mut Context<'_>) {
        let Some(scaling) = self.fronting.scaling.clone() else { return };
        cx.timer(scaling.every, SCALE, false);
        if !self.enabled {
            return;
        }
        let load = match scaling.by {
            Measure::Requests => {
                u64::from(self.slots.iter().map(|slot| slot.in_flight).sum::<u32>())
                    + self.waiting.len() as u64
            }
            Measure::Depth(process, part) => {
                ask_depth(Address { process, part }, cx);
                self.depth
            }
        };
        let desired = load.div_ceil(u64::from(scaling.target.max(1)));
        let most = self.slots.len() as u64;
        let desired = desired.clamp(u64::from(self.fronting.min), most) as u16;
        if desired > self.wanted {
            self.idle_since = Time::NEVER;
            let first = self.added == Time::ZERO;
            let may = first || cx.now().since(self.added) >= scaling.pause;
            if may && control_fails(cx).is_none() {
                let more = (desired - self.wanted).min(scaling.step);
                self.wanted += more;
                self.grow(more, cx);
            }
        } else if desired < self.wanted {
            if self.idle_since == Time::NEVER {
                self.idle_since = cx.now();
            } else if cx.now().since(self.idle_since) >= scaling.cool_down && control_fails(cx).is_none() {
                self.idle_since = cx.now();
                self.shrink(self.wanted - 1, cx);
            }
        } else {
            self.idle_since = Time::NEVER;
        }
    }

    fn grow(&mut self, more: u16, cx: &mut Context<'_>) {
        self.added = cx.now();
        let stopped = self.slots.iter_mut().enumerate().filter(|(_, slot)| slot.state == State::Stopped);
        for (index, slot) in stopped.take(usize::from(more)) {
            slot.state = State::Starting;
            slot.missed = 0;
            cx.start_slot(self.fronting.slots[index]);
        }
    }

    /// Lets the instances beyond this number finish what they have; they stop when they say so.
    fn shrink(&mut self, to: u16, cx: &mut Context<'_>) {
        self.wanted = to;
        let running =
            self.slots.iter().filter(|slot| !matches!(slot.state, State::Stopped | State::Draining)).count();
        let surplus = running.saturating_sub(usize::from(to));
        let last: Vec<usize> = (0..self.slots.len())
            .rev()
            .filter(|index| !matches!(self.slots[*index].state, State::Stopped | State::Draining))
            .take(surplus)
            .collect();
        for index in last {
            self.believe(index, State::Draining, cx);
            cx.tell(self.fronting.slots[index], Message::new(Body::Control(control::Command::Drain)));
        }
    }

    fn control(
        &mut self,
        from: ProcessId,
        connection: ConnectionId,
        message: &Message,
        command: control::Command,
        cx: &mut Context<'_>,
    ) {
        // What comes from its own control plane has been let through there.
        if self.fronting.plane != Some(from) && turned_away(connection, message, command, cx) {
            return;
        }
        let answer = match command {
            control::Command::Ready { instance } => {
                if let Some(slot) = self.slots.get(usize::from(instance))
                    && slot.state != State::Draining
                {
                    self.instance_ready(usize::from(instance), cx);
                }
                return;
            }
            control::Command::Enable { on, .. } => {
                self.told = true;
                self.switch(on, cx);
                control::Answer::Done
            }
            control::Command::Scale { to } => {
                let to = to.min(self.slots.len() as u16);
                if to > self.wanted {
                    let more = to - self.wanted;
                    self.wanted = to;
                    self.grow(more, cx);
                } else {
                    self.shrink(to, cx);
                }
                control::Answer::Done
            }
            control::Command::Verify { .. } => {
                let up = self.enabled && self.slots.iter().any(|slot| slot.state == State::Ready);
                control::Answer::State { up, in_sync: true }
            }
            _ => control::Answer::Refused,
        };
        if answer != control::Answer::Refused {
            cx.handled_about(connection, Item::default(), message.call, Handling::Stored);
        }
        cx.answer(connection, message.answer(Body::ControlAnswer(answer)));
    }

    fn switch(&mut self, on: bool, cx: &mut Context<'_>) {
        if on == self.enabled {
            return;
        }
        self.enabled = on;
        if on {
            self.wanted = self.fronting.min.max(1);
            self.grow(self.wanted, cx);
        } else {
            self.shrink(0, cx);
        }
    }

    fn control_answer(
        &mut self,
        message: &Message,
        answer: control::Answer,
        from: ProcessId,
        cx: &mut Context<'_>,
    ) {
        match answer {
            control::Answer::Depth { waiting, .. } => self.depth = waiting,
            control::Answer::Done => {
                let index = message.tag as usize;
                if self.fronting.slots.get(index) == Some(&from) && self.slots[index].state == State::Draining
                {
                    self.slots[index].state = State::Stopped;
                    cx.stop_slot(from);
                }
            }
            _ => {}
        }
    }
}

fn respond(connection: ConnectionId, message: &Message, status: u16, cx: &mut Context<'_>) {
    if status == 403 {
        let item = message.cargo.first().unwrap_or_default();
        cx.handled_about(connection, item, message.call, Handling::Rejected);
    }
    cx.answer(connection, message.answer(Body::Response(http::Response::status(status))));
}

/// Asks how many messages wait, or first where the name of the source leads.
fn ask_depth(source: Address, cx: &mut Context<'_>) {
    match cx.resolve(source, Item::default()) {
        Resolved::At(at) => {
            let ask = Body::Control(control::Command::Depth { part: at.part });
            cx.tell(at.process, Message { tag: DEPTH_TAG, ..Message::new(ask) });
        }
        Resolved::Ask(name) => cx.datagram(name, Message { tag: DEPTH_TAG, ..Message::new(Body::Lookup) }),
    }
}

impl Process for Front {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => self.start(cx),
            Input::Message { from, connection, message } => match message.body {
                Body::Request(_) => self.arrive(connection, message, cx),
                Body::Response(response) => self.answered(&message, response, cx),
                Body::Probe => {
                    let ready = self.enabled && self.slots.iter().any(|slot| slot.state == State::Ready);
                    let ready = ready && ingress::is_well(cx);
                    cx.datagram(from, message.answer(Body::ProbeAnswer { ready }));
                }
                Body::ProbeAnswer { ready } => {
                    self.probed((message.tag & 0x00ff_ffff) as usize, ready, cx);
                }
                Body::Control(command) => self.control(from, connection, &message, command, cx),
                Body::Record(name::Answer::Record { address, ttl }) => cx.learn(from, address, ttl),
                Body::ControlAnswer(answer) => self.control_answer(&message, answer, from, cx),
                _ => {}
            },
            Input::Timer(PROBE) => self.probe(cx),
            Input::Timer(SCALE) => self.scale(cx),
            Input::Timer(ASK) => self.ask(cx),
            Input::Timer(token) if token & HELD_UP != 0 => self.let_go(token, cx),
            Input::Timer(token) => self.timed_out(token, cx),
            Input::Closed { peer, reason, .. } => self.closed(peer, reason, cx),
            Input::Disk(..) | Input::Poke => {}
        }
    }

    fn crash(&mut self) {
        *self = Front::new(Arc::clone(&self.fronting));
    }

    fn gauges(&self, _: Time, out: &mut dyn FnMut(Gauge)) {
        if self.fronting.scaling.is_some() {
            let running = self.slots.iter().filter(|slot| slot.state != State::Stopped).count() as u64;
            out(Gauge::level("instances", "instances", running, self.slots.len() as u64));
        }
        if self.fronting.min == 0 {
            let waiting = self.waiting.len() as u64;
            out(Gauge::level("waiting requests", "requests", waiting, MOST_WAITING as u64));
        }
    }

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
