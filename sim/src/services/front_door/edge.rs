//! One edge location: it probes the origins, forwards requests to the one it thinks best, and passes the
//! answer on.

use std::sync::Arc;

use crate::client::classify::classify;
use crate::client::names::Resolved;
use crate::client::{self, Caller, Finished, Progress};
use crate::ids::{CallId, ConnectionId, Item};
use crate::kernel::slab::Slab;
use crate::message::{Body, Cargo, Message, http, name};
use crate::node::{Context, Input, Process};
use crate::observe::{Belief, Handling, Held, Outcome, Symptom, What};
use crate::random::Purpose;
use crate::services::front_door::origins::{Rules, Views};
use crate::time::Span;

/// The space of its caller's tokens.
const SPACE: u8 = 1;
const ROUND: u64 = 0;
/// The space of the tags of its probes.
const PROBE: u32 = 2 << 24;

/// A request that is being answered.
#[derive(Clone, Debug)]
struct Inbound {
    connection: ConnectionId,
    call: CallId,
    tag: u32,
    attempt: u16,
    item: Item,
}

/// An edge location.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    rules: Arc<Rules>,
    views: Views,
    caller: Caller<u32>,
    requests: Slab<Inbound>,
}

impl Edge {
    pub(super) fn new(rules: Arc<Rules>, timeout: Span, name: u64) -> Edge {
        let caller = Caller::with_rules(client::Rules::forwarding(timeout, None), name, SPACE);
        Edge { views: Views::new(&rules), rules, caller, requests: Slab::default() }
    }

    // -- Probing. --

    fn round(&mut self, cx: &mut Context<'_>) {
        cx.timer(self.rules.interval, ROUND, false);
        for index in 0..self.rules.origins.len() {
            if self.views.ask(index, cx.now()) {
                self.sample(cx, index, Some(Symptom::Timeout));
            }
            self.probe(cx, index);
        }
    }

    fn probe(&self, cx: &mut Context<'_>, index: usize) {
        let Some(origin) = self.rules.origins.get(index) else { return };
        let tag = PROBE | index as u32;
        match cx.resolve(origin.address, Item::default()) {
            Resolved::At(at) => cx.datagram(at.process, Message { tag, ..Message::new(Body::Probe) }),
            Resolved::Ask(name) => cx.datagram(name, Message { tag, ..Message::new(Body::Lookup) }),
        }
    }

    /// Takes a sample; `trouble` is what was wrong with it.
    fn sample(&mut self, cx: &mut Context<'_>, index: usize, trouble: Option<Symptom>) {
        let Some(origin) = self.rules.origins.get(index) else { return };
        let subject = origin.address.process;
        if let Some(symptom) = trouble {
            cx.trouble(subject, symptom);
        }
        if self.views.sample(&self.rules, index, trouble.is_none()) {
            cx.believe(subject, Belief::Ready(self.views.is_healthy(&self.rules, index)));
        }
    }

    // -- Forwarding. --

    fn arrive(
        &mut self,
        cx: &mut Context<'_>,
        connection: ConnectionId,
        message: &Message,
        request: http::Request,
    ) {
        let inbound = Inbound {
            connection,
            call: message.call,
            tag: message.tag,
            attempt: message.attempt,
            item: message.cargo.first().unwrap_or_default(),
        };
        let slot = self.requests.insert(inbound);
        let chosen = self.views.choose(&self.rules).and_then(|index| self.rules.origins.get(index));
        let Some(origin) = chosen else {
            return self.answer(cx, slot, http::Response::status(503));
        };
        let request = http::Request { part: origin.address.part, ..request };
        let outbound = Message::new(Body::Request(request)).carrying(message.cargo.clone());
        self.caller.call(cx, origin.address, outbound, slot);
    }

    /// An origin is done with a request: its answer is passed on as it is; without one 504 in time, 502
    /// where the connection failed.
    fn back(&mut self, cx: &mut Context<'_>, finished: &Finished<u32>, reset: bool) {
        let response = match finished.answer.as_ref().map(|message| &message.body) {
            Some(Body::Response(response)) => *response,
            // Nothing was sent: the name of the origin led nowhere.
            _ if finished.outcome == Outcome::Failed => http::Response::status(503),
            _ if reset => http::Response::status(502),
            _ => http::Response::status(504),
        };
        self.answer(cx, finished.owner, response);
    }

    fn answer(&mut self, cx: &mut Context<'_>, slot: u32, response: http::Response) {
        let Some(Inbound { connection, call, tag, attempt, item }) = self.requests.take(slot) else { return };
        let how = match classify(&Body::Response(response)).outcome {
            Outcome::Ok => Some(Handling::Stored),
            Outcome::Refused | Outcome::Failed => Some(Handling::Rejected),
            Outcome::Unknown => None,
        };
        if let Some(how) = how {
            cx.observe(item, What::Handled { call, how });
        }
        let body = Body::Response(response);
        cx.answer(connection, Message { call, tag, attempt, cargo: Cargo::None, body });
    }
}

impl Process for Edge {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        let reset = matches!(input, Input::Closed { .. });
        match input {
            Input::Start => {
                let draw = cx.draw(Purpose::Phase, [0, 0]);
                let phase = ((u128::from(draw) * u128::from(self.rules.interval.0)) >> 64) as u64;
                cx.timer(Span(phase), ROUND, false);
            }
            Input::Message { from, connection, message } => match message.body {
                Body::Request(request) => self.arrive(cx, connection, &message, request),
                Body::Probe => cx.datagram(from, message.answer(Body::ProbeAnswer { ready: true })),
                Body::ProbeAnswer { ready } if message.tag & !0x00ff_ffff == PROBE => {
                    let index = (message.tag & 0x00ff_ffff) as usize;
                    if self.views.answered(index, cx.now()) {
                        self.sample(cx, index, (!ready).then_some(Symptom::Error));
                    }
                }
                Body::Record(answer) if message.tag & !0x00ff_ffff == PROBE => {
                    if let name::Answer::Record { address, ttl } = answer {
                        cx.learn(from, address, ttl);
                        self.probe(cx, (message.tag & 0x00ff_ffff) as usize);
                    }
                }
                _ => drop(self.caller.on_message(cx, &message)),
            },
            Input::Timer(ROUND) => self.round(cx),
            Input::Timer(token) => drop(self.caller.on_timer(cx, token)),
            Input::Closed { peer, .. } => self.caller.on_closed(cx, peer),
            Input::Disk(..) | Input::Poke => {}
        }
        while let Some(progress) = self.caller.next() {
            if let Progress::Finished(finished) = progress {
                self.back(cx, &finished, reset);
            }
        }
    }

    fn crash(&mut self) {
        self.views = Views::new(&self.rules);
        self.caller.crash();
        self.requests = Slab::default();
    }

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
