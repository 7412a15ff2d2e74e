//! The gateway's process: what it does with a request, in the order of its policies.

use crate::client::classify::classify;
use crate::client::{CallHandle, Caller, Finished, Progress, Rules};
use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{CallId, ConnectionId, Item};
use crate::kernel::slab::Slab;
use crate::message::{Body, Cargo, Message, http};
use crate::node::{Context, Gauge, Input, Process, TimerId};
use crate::observe::{Belief, Handling, Held, Outcome, Symptom, What};
use crate::plan::{Endpoint, Protocol};
use crate::random::{Purpose, name_hash};
use crate::services::api_management::tripping::Tripping;
use crate::services::api_management::{ApiManagement, Pool};
use crate::services::throttle::PINCHED;
use crate::services::window::{Window, whole_seconds};
use crate::time::{Span, Time};
use crate::units::Rate;

/// The space of its caller's tokens.
const SPACE: u8 = 1;
const EARLY: u64 = 1;
const LATER: u64 = 2;
const CLOSES: u64 = 3;

/// A request that is being answered.
#[derive(Clone, Debug)]
struct Inbound {
    connection: ConnectionId,
    call: CallId,
    tag: u32,
    attempt: u16,
    item: Item,
    /// The call to the backend and which backend, once it is forwarded.
    forwarded: Option<(CallHandle, usize)>,
    /// A fault's own timeout, shorter than the configured one.
    early: Option<TimerId>,
    then: Then,
}

/// What a request that a fault holds back waits for.
#[derive(Clone, Debug)]
enum Then {
    /// Nothing.
    Nothing,
    /// To be let in.
    Admit(Message),
    /// To be answered.
    Answer(http::Response),
}

/// A limit, with what it counts.
#[derive(Clone, Debug, PartialEq)]
struct Limit {
    rate: Rate,
    window: Window,
}

/// A quota: a fixed window. The count is kept by the service, not by a unit of the gateway.
#[derive(Clone, Debug, PartialEq)]
struct Quota {
    rate: Rate,
    period: u64,
    used: u64,
}

#[derive(Clone, Debug)]
struct Backend {
    endpoint: Endpoint,
    breaker: Option<Tripping>,
    probed: bool,
}

/// A gateway.
#[derive(Clone, Debug)]
pub(super) struct Gateway {
    concurrency: usize,
    limit: Option<Limit>,
    quota: Option<Quota>,
    backends: Vec<Backend>,
    /// Whether it always begins with the first.
    in_order: bool,
    /// Whose turn it is (the service documents round robin).
    turn: usize,
    caller: Caller<u32>,
    requests: Slab<Inbound>,
    /// The limit that a fault puts on it, while one does.
    pinched: Option<Limit>,
}

impl Gateway {
    pub(super) fn new(config: &ApiManagement, name: &str, backends: Vec<Endpoint>) -> Gateway {
        let retry = config.retry.map(|retry| (retry.count, retry.pauses));
        let backend = |(endpoint, name): (Endpoint, &String)| Backend {
            endpoint,
            breaker: config.breaker.map(Tripping::new),
            probed: config.health.contains(name),
        };
        Gateway {
            concurrency: config.concurrency.map_or(usize::MAX, |n| n as usize),
            limit: config.rate_limit.map(Limit::new),
            quota: config.quota.map(|rate| Quota { rate, period: 0, used: 0 }),
            backends: backends.into_iter().zip(config.pool()).map(backend).collect(),
            in_order: config.pool == Pool::InOrder,
            turn: 0,
            caller: Caller::with_rules(Rules::forwarding(config.timeout, retry), name_hash(name), SPACE),
            requests: Slab::default(),
            pinched: None,
        }
    }

    fn arrive(&mut self, cx: &mut Context<'_>, connection: ConnectionId, message: Message) {
        let item = message.cargo.first().unwrap_or_default();
        let occurrence = u64::from(message.attempt);
        let slot = self.requests.insert(Inbound {
            connection,
            call: message.call,
            tag: message.tag,
            attempt: message.attempt,
            item,
            forwarded: None,
            early: None,
            then: Then::Nothing,
        });
        if cx.strike(Hook::HttpAbort, 0, item, occurrence).is_some() {
            return self.answer(cx, slot, http::Response::RESET);
        }
        match cx.strike(Hook::HttpDelay, 0, item, occurrence) {
            Some(strike) => {
                let span = lasting(cx, strike.value, item, occurrence);
                cx.observe(item, What::Symptom(Symptom::Delayed));
                self.later(cx, slot, span, Then::Admit(message));
            }
            None => self.admit(cx, slot, &message),
        }
    }

    /// The policies before the backend, in their order; then the forwarding.
    fn admit(&mut self, cx: &mut Context<'_>, slot: u32, message: &Message) {
        let item = message.cargo.first().unwrap_or_default();
        let refusal = self.injected(cx, item, message.attempt).or_else(|| self.over_limit(cx, item));
        if let Some(response) = refusal {
            return self.answer(cx, slot, response);
        }
        match self.choose(cx, item, message.attempt) {
            Some(backend) => self.forward(cx, slot, message, backend),
            None => self.answer(cx, slot, http::Response::status(503)),
        }
    }

    /// What a fault answers in the gateway's place.
    fn injected(&self, cx: &mut Context<'_>, item: Item, attempt: u16) -> Option<http::Response> {
        let occurrence = u64::from(attempt);
        if let Some(strike) = cx.strike(Hook::HttpStatus, 0, item, occurrence) {
            let status = match strike.value {
                Value::Number(status) => u16::try_from(status).unwrap_or(503),
                _ => 503,
            };
            let retry_after = (status == 429).then_some(Span::secs(1));
            return Some(http::Response { status, retry_after });
        }
        cx.strike(Hook::JwtReject, 0, item, occurrence).map(|_| http::Response::status(401))
    }

    fn over_limit(&mut self, cx: &mut Context<'_>, item: Item) -> Option<http::Response> {
        let now = cx.now();
        let refuse = |status, wait| Some(http::Response { status, retry_after: Some(whole_seconds(wait)) });
        if self.requests.len() > self.concurrency {
            cx.observe(item, What::Symptom(Symptom::Throttled));
            return refuse(429, Span::secs(1));
        }
        if let Some(wait) = self.pinch(cx, item) {
            return refuse(429, wait);
        }
        if let Some(wait) = self.limit.as_mut().and_then(|limit| limit.take(now)) {
            cx.observe(item, What::Symptom(Symptom::Throttled));
            return refuse(429, wait);
        }
        let exhausted = cx.strike(Hook::GatewayQuota, 0, item, 0).map(|_| Span::mins(1));
        let over = exhausted.or_else(|| self.quota.as_mut().and_then(|quota| quota.take(now)));
        over.and_then(|wait| refuse(403, wait))
    }

    /// The limit of a fault: its own rate where it has one, else nothing passes.
    fn pinch(&mut self, cx: &mut Context<'_>, item: Item) -> Option<Span> {
        let Some(strike) = cx.impaired(Hook::GatewayRateLimit, 0) else {
            self.pinched = None;
            return None;
        };
        let wait = match strike.value {
            Value::Rate(rate) => {
                let limit = self.pinched.get_or_insert_with(|| Limit::new(rate));
                if limit.rate != rate {
                    *limit = Limit::new(rate);
                }
                limit.take(cx.now())?
            }
            _ => Span::secs(1),
        };
        cx.touched(item, strike);
        Some(wait)
    }

    /// The next backend, in turn or in order, that is neither tripped nor drained.
    fn choose(&mut self, cx: &mut Context<'_>, item: Item, attempt: u16) -> Option<usize> {
        let occurrence = u64::from(attempt);
        let first = if self.in_order { 0 } else { self.turn };
        for step in 0..self.backends.len() {
            let index = (first + step) % self.backends.len();
            let tripped = self.backends[index].breaker.as_ref().is_some_and(|b| b.is_tripped(cx.now()));
            if tripped
                || cx.strike(Hook::GatewayBreakerStuck, index as u16, item, occurrence).is_some()
                || cx.strike(Hook::GatewayDrain, index as u16, item, occurrence).is_some()
            {
                continue;
            }
            self.turn = (index + 1) % self.backends.len();
            return Some(index);
        }
        None
    }

    fn forward(&mut self, cx: &mut Context<'_>, slot: u32, message: &Message, index: usize) {
        let Body::Request(request) = message.body else { return };
        let endpoint = &self.backends[index].endpoint;
        let to = endpoint.address;
        let verb = if endpoint.protocol == Protocol::EventTopic { http::Verb::Publish } else { request.verb };
        let request = http::Request { part: to.part, verb, ..request };
        let item = message.cargo.first().unwrap_or_default();
        let early = match cx.strike(Hook::GatewayTimeout, 0, item, u64::from(message.attempt)) {
            Some(strike) => {
                let span = lasting(cx, strike.value, item, u64::from(message.attempt));
                Some(cx.timeout(span, EARLY << 48 | u64::from(slot), true))
            }
            None => None,
        };
        let outbound = Message::new(Body::Request(request)).carrying(message.cargo.clone());
        let call = self.caller.call(cx, to, outbound, slot);
        if let Some(inbound) = self.requests.get_mut(slot) {
            inbound.forwarded = Some((call, index));
            inbound.early = early;
        }
    }

    /// Takes what its caller has to tell. `reset`: the connection to a backend has just been lost.
    fn settle(&mut self, cx: &mut Context<'_>, reset: bool) {
        while let Some(progress) = self.caller.next() {
            if let Progress::Finished(finished) = progress {
                self.back(cx, &finished, reset);
            }
        }
    }

    /// The backend is done with a request: its answer is passed on as it is.
    fn back(&mut self, cx: &mut Context<'_>, finished: &Finished<u32>, reset: bool) {
        let slot = finished.owner;
        let response = match finished.answer.as_ref().map(|message| &message.body) {
            Some(Body::Response(response)) => *response,
            // Without an answer: 504 in time, 500 where the connection failed (facts 6: on-error).
            _ if reset => http::Response::status(500),
            _ => http::Response::status(504),
        };
        let Some(inbound) = self.requests.get_mut(slot) else { return };
        let (item, attempt) = (inbound.item, u64::from(inbound.attempt));
        let early = inbound.early.take();
        let forwarded = inbound.forwarded.take();
        if let Some(timer) = early {
            cx.cancel(timer);
        }
        if let Some((_, backend)) = forwarded {
            self.judge(cx, backend, response.status >= 500);
        }
        if cx.strike(Hook::HttpCutResponse, 0, item, attempt).is_some() {
            self.book(cx, slot, response);
            return self.put(cx, slot, http::Response::RESET);
        }
        match cx.strike(Hook::HttpSlowBody, 0, item, attempt) {
            Some(strike) => {
                let span = lasting(cx, strike.value, item, attempt);
                cx.observe(item, What::Symptom(Symptom::Delayed));
                self.later(cx, slot, span, Then::Answer(response));
            }
            None => self.answer(cx, slot, response),
        }
    }

    /// Tells the breaker about a backend how a call to it went.
    fn judge(&mut self, cx: &mut Context<'_>, index: usize, failed: bool) {
        let Some(backend) = self.backends.get_mut(index) else { return };
        let subject = backend.endpoint.address.process;
        if let Some(lasts) = backend.breaker.as_mut().and_then(|b| b.record(cx.now(), failed)) {
            cx.believe(subject, Belief::BreakerOpen);
            cx.timer(lasts, CLOSES << 48 | index as u64, false);
        }
    }

    /// The timeout of a fault: the gateway gives up while the backend is still at work.
    fn give_up(&mut self, cx: &mut Context<'_>, slot: u32) {
        let Some(inbound) = self.requests.get_mut(slot) else { return };
        inbound.early = None;
        if let Some((call, backend)) = inbound.forwarded.take() {
            self.caller.cancel(cx, call);
            self.judge(cx, backend, true);
        }
        self.answer(cx, slot, http::Response::status(504));
    }

    fn later(&mut self, cx: &mut Context<'_>, slot: u32, span: Span, then: Then) {
        if let Some(inbound) = self.requests.get_mut(slot) {
            inbound.then = then;
            cx.timer(span, LATER << 48 | u64::from(slot), true);
        }
    }

    fn proceed(&mut self, cx: &mut Context<'_>, slot: u32) {
        let Some(inbound) = self.requests.get_mut(slot) else { return };
        match std::mem::replace(&mut inbound.then, Then::Nothing) {
            Then::Admit(message) => self.admit(cx, slot, &message),
            Then::Answer(response) => self.answer(cx, slot, response),
            Then::Nothing => {}
        }
    }

    fn answer(&mut self, cx: &mut Context<'_>, slot: u32, response: http::Response) {
        self.book(cx, slot, response);
        self.put(cx, slot, response);
    }

    /// The sends book: what this answer says about the request.
    fn book(&self, cx: &mut Context<'_>, slot: u32, response: http::Response) {
        let Some(inbound) = self.requests.get(slot) else { return };
        let how = match classify(&Body::Response(response)).outcome {
            Outcome::Ok => Handling::Stored,
            Outcome::Refused | Outcome::Failed => Handling::Rejected,
            Outcome::Unknown => return,
        };
        cx.observe(inbound.item, What::Handled { call: inbound.call, how });
    }

    fn put(&mut self, cx: &mut Context<'_>, slot: u32, response: http::Response) {
        let Some(inbound) = self.requests.take(slot) else { return };
        let Inbound { connection, call, tag, attempt, .. } = inbound;
        let body = Body::Response(response);
        cx.answer(connection, Message { call, tag, attempt, cargo: Cargo::None, body });
    }

    /// A probe asks the gateway, and the backends that `health` names.
    fn probe(
        &self,
        cx: &mut Context<'_>,
        connection: ConnectionId,
        from: crate::ids::ProcessId,
        message: &Message,
    ) {
        let seen = [Hook::HttpStatus, Hook::HttpAbort, Hook::GatewayDrain];
        let impaired = seen.into_iter().any(|hook| cx.visible(hook, 0).is_some());
        let mut probed = self.backends.iter().filter(|backend| backend.probed).peekable();
        let tripped = |b: &Backend| b.breaker.as_ref().is_some_and(|breaker| breaker.is_tripped(cx.now()));
        let blind = probed.peek().is_some() && probed.all(tripped);
        let answer = message.answer(Body::ProbeAnswer { ready: !impaired && !blind });
        if connection == ConnectionId::NONE {
            cx.datagram(from, answer);
        } else {
            cx.answer(connection, answer);
        }
    }
}

impl Limit {
    fn new(rate: Rate) -> Limit {
        Limit { rate, window: Window::new(rate.per) }
    }

    /// Counts a call, or says how long to wait.
    fn take(&mut self, now: Time) -> Option<Span> {
        if (self.window.count(now) as f64) < self.rate.count {
            self.window.add(now);
            return None;
        }
        Some(self.window.until_below(now, (self.rate.count as u64).max(1)))
    }

    fn gauge(&self, name: &'static str, now: Time) -> Gauge {
        self.window.gauge(name, "calls", self.rate, now)
    }
}

impl Quota {
    /// Counts a call, or says how long the period lasts.
    fn take(&mut self, now: Time) -> Option<Span> {
        let period = now.0 / self.rate.per.0;
        if period != self.period {
            (self.period, self.used) = (period, 0);
        }
        if (self.used as f64) < self.rate.count {
            self.used += 1;
            return None;
        }
        Some(Time((period + 1) * self.rate.per.0).since(now))
    }

    fn gauge(&self, now: Time) -> Gauge {
        let used = if now.0 / self.rate.per.0 == self.period { self.used as f64 } else { 0.0 };
        Gauge::rate("quota", "calls", used, self.rate.count, self.rate.per)
    }
}

/// How long a fault holds something up: as it says, or drawn; a second where it says nothing.
fn lasting(cx: &Context<'_>, value: Value, item: Item, occurrence: u64) -> Span {
    match value {
        Value::Span(span) => span,
        Value::Latency(latency) => {
            latency.sampler().at(cx.draw(Purpose::Latency, [item.identity(), occurrence]))
        }
        _ => Span::secs(1),
    }
}

impl Process for Gateway {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        let reset = matches!(input, Input::Closed { .. });
        match input {
            Input::Message { from, connection, message } => match message.body {
                Body::Request(_) => self.arrive(cx, connection, message),
                Body::Probe => self.probe(cx, connection, from, &message),
                _ => {
                    self.caller.on_message(cx, &message);
                }
            },
            Input::Timer(token) if self.caller.on_timer(cx, token) => {}
            Input::Timer(token) => {
                let number = token as u32;
                match token >> 48 {
                    EARLY => self.give_up(cx, number),
                    LATER => self.proceed(cx, number),
                    CLOSES => {
                        if let Some(backend) = self.backends.get(number as usize) {
                            cx.believe(backend.endpoint.address.process, Belief::BreakerClosed);
                        }
                    }
                    _ => {}
                }
            }
            Input::Closed { peer, .. } => self.caller.on_closed(cx, peer),
            Input::Start | Input::Disk(..) | Input::Poke => {}
        }
        self.settle(cx, reset);
    }

    fn crash(&mut self) {
        self.requests = Slab::default();
        self.caller.crash();
        self.turn = 0;
        self.pinched = None;
        self.limit = self.limit.take().map(|limit| Limit::new(limit.rate));
        for backend in &mut self.backends {
            backend.breaker = backend.breaker.take().map(|breaker| Tripping::new(breaker.rule()));
        }
    }

    fn gauges(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        self.limit.iter().for_each(|limit| out(limit.gauge("rate limit", now)));
        self.pinched.iter().for_each(|limit| out(limit.gauge(PINCHED, now)));
        self.quota.iter().for_each(|quota| out(quota.gauge(now)));
        if self.concurrency != usize::MAX {
            let under_way = self.requests.len().min(self.concurrency) as u64;
            out(Gauge::level("concurrency", "requests", under_way, self.concurrency as u64));
        }
    }

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
