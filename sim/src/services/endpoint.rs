//! `endpoint`: anything that is called and is not ours (a payment provider, a carrier).
//!
//! A request waits for its turn (`capacity`), then for its service time (`latency`). The effect happens
//! at the *end* of that time, just before the answer is sent. A caller that gave up earlier gets its effect all the
//! same: this is what makes a timeout unknown.

mod config;
mod keys;
#[cfg(test)]
mod tests;

pub use config::{EndpointService, Operation};

use std::sync::Arc;

use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{ConnectionId, Item, PlaceId};
use crate::message::http::{Request, Response, Verb};
use crate::message::{Body, Message, control};
use crate::node::{Context, Gauge, Input, ItemBag, Process};
use crate::observe::{Birth, Handling, Held, Symptom, What};
use crate::random::{Purpose, to_unit};
use crate::services::front::{Front, Pending, answer_control};
use crate::time::{Span, Time};
use crate::units::{Rate, Sampler};

use keys::Keys;

/// What never changes about an endpoint.
#[derive(Debug)]
struct Setup {
    operations: Vec<Offered>,
    latency: Sampler,
    capacity: Option<Rate>,
    queue: Option<u32>,
    refuses: f64,
    keys: Span,
    /// Whether callers have to present its key.
    keyed: bool,
    remembers_undo: bool,
}

impl Setup {
    /// A business refusal: keyed by the item, so that a further attempt gets the same answer. What is
    /// taken back is never refused.
    fn refuses(&self, operation: &Offered, item: Item, cx: &Context<'_>) -> bool {
        self.refuses > 0.0
            && operation.undoes.is_none()
            && to_unit(cx.draw(Purpose::Refusal, [item.identity(), operation.hash])) < self.refuses
    }
}

/// An operation as it is served.
#[derive(Debug)]
struct Offered {
    hash: u64,
    place: PlaceId,
    /// Which operation it takes back.
    undoes: Option<u16>,
}

/// What an endpoint remembers for ever: it is somebody else's database.
#[derive(Clone, Debug, Default)]
struct Records {
    effects: Vec<ItemBag>,
    /// Items of each operation that were taken back, so that a late one is refused.
    undone: Vec<ItemBag>,
    keys: Keys,
    /// Which version of its own key is good, counted from the first one, and which one still is until when.
    accepted: u16,
    before: Option<(u16, Time)>,
}

impl Records {
    /// Whether a caller who presents this version of the key is let in.
    fn accepts(&self, version: u16, now: Time) -> bool {
        version == self.accepted || self.before.is_some_and(|(old, until)| version == old && now < until)
    }

    fn accept(&mut self, version: u16, overlap: Span, now: Time) {
        if version > self.accepted {
            self.before = Some((self.accepted, now + overlap));
            self.accepted = version;
        }
    }
}

/// An endpoint.
#[derive(Clone, Debug)]
pub struct EndpointProcess {
    setup: Arc<Setup>,
    records: Records,
    front: Front,
}

const DONE: u16 = 200;
const UNAUTHORISED: u16 = 401;
const UNPROCESSABLE: u16 = 422;
const UNAVAILABLE: u16 = 503;
/// What a client makes of a connection that breaks in the middle of a request or of its answer: it
/// cannot tell whether anything happened.
const BROKEN: u16 = 502;
/// Marks the timer of an answer that is held back, as opposed to one of the work.
const DELAYED: u64 = 1 << 40;

impl EndpointProcess {
    fn new(setup: Setup) -> EndpointProcess {
        let count = setup.operations.len();
        let bags = || vec![ItemBag::default(); count];
        let records = Records { effects: bags(), undone: bags(), accepted: 1, ..Records::default() };
        EndpointProcess { setup: Arc::new(setup), records, front: Front::default() }
    }

    fn request(
        &mut self,
        connection: ConnectionId,
        message: Message,
        request: Request,
        cx: &mut Context<'_>,
    ) {
        let item = message.cargo.first().unwrap_or_default();
        let part = request.part;
        let occurrence = self.front.occurrence(&message, request.execution.run);
        if usize::from(part) >= self.setup.operations.len() || request.verb != Verb::Call {
            return reject(connection, &message, 404, cx);
        }
        if cx.strike(Hook::HttpAbort, part, item, occurrence).is_some() {
            return reject(connection, &message, BROKEN, cx); // before the request was read
        }
        if let Some(strike) = cx.strike(Hook::HttpStatus, part, item, occurrence) {
            let status = if let Value::Number(status) = strike.value { status as u16 } else { UNAVAILABLE };
            return reject(connection, &message, status.clamp(400, 599), cx);
        }
        if self.front.is_down(cx, part, item, occurrence) || self.front.is_exhausted(cx, part, item) {
            return reject(connection, &message, UNAVAILABLE, cx);
        }
        if self.setup.keyed && !self.records.accepts(request.secret, cx.wall()) {
            return reject(connection, &message, UNAUTHORISED, cx);
        }
        let Some(wait) = self.front.queue(cx.now(), self.setup.capacity, self.setup.queue) else {
            return reject(connection, &message, UNAVAILABLE, cx);
        };
        let mut service = self.front.service_time(cx, &self.setup.latency, part, item, occurrence);
        if let Some(strike) = cx.strike(Hook::HttpDelay, part, item, occurrence) {
            service = self.front.slowed(cx, service, strike, item, occurrence);
        }
        let work = !message.cargo.is_empty();
        let token = self.front.keep(Pending { connection, message });
        cx.timer(wait + service, token, work);
    }

    /// The service time of a request is over: it takes effect and is answered.
    fn finish(&mut self, pending: Pending, cx: &mut Context<'_>) {
        let Pending { connection, message } = pending;
        let Body::Request(request) = message.body else { return };
        let (part, item) = (request.part, message.cargo.first().unwrap_or_default());
        if self.front.went_down(cx, part, item) {
            return; // it died with this request in its hands: no effect, no answer
        }
        let occurrence = self.front.occurrence(&message, request.execution.run);
        let status = if cx.strike(Hook::DependencyWrongAnswer, part, item, occurrence).is_some() {
            cx.handled_about(connection, item, message.call, Handling::Suppressed); // it says yes and does nothing
            cx.observe(item, What::Symptom(Symptom::Misled));
            DONE
        } else {
            self.take_effect(connection, &message, request, item, cx)
        };
        let cut = cx.strike(Hook::HttpCutResponse, part, item, occurrence).is_some();
        let status = if cut { BROKEN } else { status };
        let answer = message.answer(Body::Response(Response::status(status))).carrying(message.cargo.clone());
        match cx.strike(Hook::HttpSlowBody, part, item, occurrence) {
            Some(strike) => {
                let delay = self.front.slowed(cx, Span::ZERO, strike, item, occurrence);
                let token = self.front.keep(Pending { connection, message: answer });
                cx.timer(delay, token | DELAYED, true);
            }
            None => cx.answer(connection, answer),
        }
    }

    /// The effect of a request, or the reason why there is none; returns the status.
    fn take_effect(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        request: Request,
        item: Item,
        cx: &mut Context<'_>,
    ) -> u16 {
        let part = usize::from(request.part);
        let EndpointProcess { setup, records, .. } = self;
        let Some(operation) = setup.operations.get(part) else { return 404 };
        let key = request.key.filter(|_| !setup.keys.is_zero());
        records.keys.forget(cx.now());
        if key.is_some_and(|key| records.keys.knows(request.part, key, item)) {
            cx.handled_about(connection, item, message.call, Handling::Suppressed);
            cx.observe_on(connection, item, What::Absorbed { place: operation.place });
            return DONE;
        }
        let undone = setup.remembers_undo && records.undone[part].contains(item);
        if undone || setup.refuses(operation, item, cx) {
            cx.handled_about(connection, item, message.call, Handling::Rejected);
            return UNPROCESSABLE;
        }
        if let Some(key) = key {
            let until = cx.now() + setup.keys;
            let lasting = until > cx.plan().deadline();
            records.keys.remember(request.part, key, item, (!lasting).then_some(until));
        }
        if let Some(undoes) = operation.undoes {
            let target = usize::from(undoes);
            if !records.undone[target].contains(item) {
                records.undone[target].add(item);
            }
            if !records.effects[target].contains(item) {
                // There is nothing to take back: the service says so with success and does nothing.
                cx.handled_about(connection, item, message.call, Handling::Suppressed);
                return DONE;
            }
            let by = operation.place;
            cx.observe_on(connection, item, What::Undone { undone: setup.operations[target].place, by });
        }
        records.effects[part].add(item);
        cx.handled_about(connection, item, message.call, Handling::Stored);
        cx.observe_on(connection, item, What::Born { place: operation.place, cause: Birth::Stored });
        DONE
    }

    fn control(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        command: control::Command,
        cx: &mut Context<'_>,
    ) {
        let answer = match command {
            control::Command::Verify { .. } => {
                control::Answer::State { up: self.front.is_ready(cx), in_sync: true }
            }
            control::Command::Accept { version, overlap } if self.setup.keyed => {
                self.records.accept(version, overlap, cx.wall());
                control::Answer::Done
            }
            _ => control::Answer::Refused,
        };
        answer_control(connection, message, answer, cx);
    }
}

/// A definite no: nothing happened.
fn reject(connection: ConnectionId, message: &Message, status: u16, cx: &mut Context<'_>) {
    let item = message.cargo.first().unwrap_or_default();
    cx.handled_about(connection, item, message.call, Handling::Rejected);
    let answer = message.answer(Body::Response(Response::status(status)));
    cx.answer(connection, answer.carrying(message.cargo.clone()));
}

impl Process for EndpointProcess {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Message { connection, message, from } => match message.body {
                Body::Request(request) => self.request(connection, message, request, cx),
                Body::Probe => {
                    let answer = message.answer(Body::ProbeAnswer { ready: self.front.is_ready(cx) });
                    if connection == ConnectionId::NONE {
                        cx.datagram(from, answer);
                    } else {
                        cx.answer(connection, answer);
                    }
                }
                Body::Control(command) => self.control(connection, &message, command, cx),
                _ => {}
            },
            Input::Timer(token) => {
                let Some(pending) = self.front.take(token & !DELAYED) else { return };
                if token & DELAYED == 0 {
                    self.finish(pending, cx);
                } else {
                    cx.answer(pending.connection, pending.message);
                }
            }
            Input::Start | Input::Disk(..) | Input::Closed { .. } | Input::Poke => {}
        }
    }

    fn crash(&mut self) {
        self.front = Front::default();
    }

    fn gauges(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        self.front.gauges(now, self.setup.capacity, self.setup.queue, out);
    }

    fn inventory(&self, out: &mut dyn FnMut(Held)) {
        for (operation, effects) in self.setup.operations.iter().zip(&self.records.effects) {
            for (item, copies) in effects.iter() {
                out(Held { place: operation.place, item, copies, rest: true, shut: false });
            }
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
