//! The process of a topic: it accepts events, gives each matching subscription a copy, and sees to it
//! that each is pushed.

use crate::client::{Caller, Policy, Progress, Sdk};
use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{CallId, ConnectionId, Item, PlaceId, ProcessId};
use crate::kernel::slab::Slab;
use crate::message::{Body, Message, http};
use crate::node::{Context, DiskError, Gauge, Input, Process, TimerId};
use crate::observe::{Birth, Discard, End, Handling, Held, Outcome, Symptom, What};
use crate::random::{mix, name_hash};
use crate::services::event_grid::dead_letter::DeadLetter;
use crate::services::event_grid::subscription::{Busy, Subscription};
use crate::services::throttle::PINCHED;
use crate::services::window::{Window, whole_seconds};
use crate::time::{Span, Time};
use crate::units::Rate;

/// The space of the caller that writes dead letters.
pub(super) const SPACE: u8 = 253;
/// In the top byte of a tag, instead of the number of a subscription.
pub(super) const HANDSHAKE: u32 = 254;
pub(super) const STRAY: u32 = 255;
pub(super) const SLOT_MASK: u32 = 0x00ff_ffff;

/// An event, and a batch of them, are at most so large (facts 2.4).
const LARGEST: u64 = 1 << 20;

/// What a timer is for; see [`token`].
pub(super) mod timer {
    pub(crate) const TIMEOUT: u64 = 1;
    pub(crate) const DUE: u64 = 2;
    pub(crate) const PROBATION: u64 = 3;
    pub(crate) const HANDSHAKE: u64 = 4;
    pub(crate) const HANDSHAKE_TIMEOUT: u64 = 5;
    pub(crate) const STRAY: u64 = 6;
}

/// The token of a timer: what for, which subscription, which event in which slot.
pub(super) fn token(kind: u64, subscription: usize, number: u16, slot: u32) -> u64 {
    kind << 48 | (subscription as u64) << 40 | u64::from(number) << 24 | u64::from(slot & SLOT_MASK)
}

/// Events that wait for the disk.
#[derive(Clone, Debug)]
struct Publish {
    connection: ConnectionId,
    message: Message,
}

/// A push that a fault doubled: its answer is booked and means nothing.
#[derive(Clone, Debug)]
pub(super) struct Stray {
    pub(super) call: CallId,
    pub(super) item: Item,
    pub(super) to: ProcessId,
    pub(super) timer: Option<TimerId>,
}

/// A topic with all its subscriptions.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    place: PlaceId,
    ingress: Rate,
    arrived: Window,
    /// The limit that a fault puts on it, while one does.
    pinched: Option<(Rate, Window)>,
    publishing: Slab<Publish>,
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) writer: Caller<DeadLetter>,
    pub(super) strays: Slab<Stray>,
}

impl Topic {
    pub(super) fn new(name: &str, place: PlaceId, ingress: Rate, subscriptions: Vec<Subscription>) -> Topic {
        Topic {
            place,
            ingress,
            arrived: Window::new(ingress.per),
            pinched: None,
            publishing: Slab::default(),
            subscriptions,
            writer: Caller::new(&Policy::default(), Sdk::Storage, name_hash(name), SPACE),
            strays: Slab::default(),
        }
    }

    // -- Publishing. --

    fn publish(&mut self, cx: &mut Context<'_>, connection: ConnectionId, message: Message) {
        let items = message.cargo.items();
        let item = items.first().copied().unwrap_or_default();
        let bytes: u64 = items.iter().map(|item| cx.plan().item_bytes(item.stream)).sum();
        let refusal = if bytes > LARGEST {
            Some(http::Response::status(413))
        } else {
            let wait = self.throttle(cx, item, items.len() as u32);
            wait.map(|wait| http::Response { status: 429, retry_after: Some(whole_seconds(wait)) })
        };
        if let Some(response) = refusal {
            cx.observe(item, What::Handled { call: message.call, how: Handling::Rejected });
            return cx.answer(connection, message.answer(Body::Response(response)));
        }
        let slot = self.publishing.insert(Publish { connection, message });
        cx.sync(u64::from(slot), item);
    }

    /// How long to wait if there are too many events now.
    fn throttle(&mut self, cx: &mut Context<'_>, item: Item, count: u32) -> Option<Span> {
        let now = cx.now();
        let take = |rate: Rate, window: &mut Window| {
            if window.count(now) as f64 + f64::from(count) > rate.count {
                return Some(window.until_below(now, (rate.count as u64).max(1)));
            }
            window.add_many(now, count);
            None
        };
        match cx.impaired(Hook::RouterThrottle, 0) {
            None => self.pinched = None,
            Some(strike) => {
                let wait = match strike.value {
                    Value::Rate(rate) => {
                        if self.pinched.as_ref().is_none_or(|(limit, _)| *limit != rate) {
                            self.pinched = Some((rate, Window::new(rate.per)));
                        }
                        self.pinched.as_mut().and_then(|(rate, window)| take(*rate, window))
                    }
                    _ => Some(Span::secs(1)),
                };
                if wait.is_some() {
                    cx.touched(item, strike);
                    return wait;
                }
            }
        }
        take(self.ingress, &mut self.arrived)
    }

    /// The events are on disk, or are not.
    fn stored(&mut self, cx: &mut Context<'_>, slot: u64, result: Result<(), DiskError>) {
        let Some(Publish { connection, message }) = self.publishing.take(slot as u32) else { return };
        let item = message.cargo.first().unwrap_or_default();
        let Body::Request(request) = message.body else { return };
        let (how, status) = match result {
            Ok(()) => (Handling::Stored, 200),
            Err(DiskError::Failed) => (Handling::Rejected, 503),
        };
        cx.observe(item, What::Handled { call: message.call, how });
        cx.answer(connection, message.answer(Body::Response(http::Response::status(status))));
        if result.is_err() {
            return;
        }
        for item in message.cargo.items() {
            // The id is what the publisher says; without one, new with each publication.
            let id = mix(request.key.unwrap_or(request.execution.run), item.identity());
            self.fan_out(cx, *item, id);
        }
        for index in 0..self.subscriptions.len() {
            self.pump(cx, index);
        }
    }

    /// Gives a copy to every matching subscription.
    fn fan_out(&mut self, cx: &mut Context<'_>, item: Item, id: u64) {
        cx.observe(item, What::Born { place: self.place, cause: Birth::Stored });
        let mut copies = 0;
        for index in 0..self.subscriptions.len() {
            if !self.is_for(cx, index, item) {
                continue;
            }
            copies += 1;
            let subscription = &mut self.subscriptions[index];
            let place = subscription.setup.place;
            cx.observe(item, What::Born { place, cause: Birth::FannedOut });
            let slot = subscription.keep(item, id, cx.now(), cx.wall());
            subscription.line_up(slot);
        }
        let cause = if copies > 0 { End::FannedOut } else { End::Discarded(Discard::Unsubscribed) };
        cx.observe(item, What::Ended { place: self.place, cause });
    }

    fn is_for(&mut self, cx: &mut Context<'_>, index: usize, item: Item) -> bool {
        self.redeploy(cx, index, item);
        let subscription = &self.subscriptions[index];
        let part = subscription.setup.part;
        let matches = subscription.matches(item.kind);
        if subscription.kept.rejected {
            if matches {
                cx.observe(item, What::Symptom(Symptom::Misrouted));
            }
            return false;
        }
        let misfiltered = cx.strike(Hook::RouterMisfilter, part, item, 0).is_some();
        if misfiltered {
            cx.observe(item, What::Symptom(Symptom::Misrouted));
        }
        matches != misfiltered
    }

    // -- Inputs. --

    fn answered(&mut self, cx: &mut Context<'_>, message: &Message) {
        if self.writer.on_message(cx, message) {
            return self.parked(cx);
        }
        let Body::Response(response) = message.body else { return };
        let (group, slot) = (message.tag >> 24, message.tag & SLOT_MASK);
        match group {
            HANDSHAKE => self.handshake_answered(cx, slot as usize, message.call, response),
            STRAY => self.stray_over(cx, slot, message.call, Some(response)),
            index => self.push_answered(cx, index as usize, slot, message.call, response),
        }
    }

    fn timer(&mut self, cx: &mut Context<'_>, fired: u64) {
        if self.writer.on_timer(cx, fired) {
            return self.parked(cx);
        }
        let index = (fired >> 40 & 0xff) as usize;
        let (number, slot) = ((fired >> 24) as u16, fired as u32 & SLOT_MASK);
        match fired >> 48 {
            timer::TIMEOUT => self.push_timed_out(cx, index, slot, number),
            timer::DUE => self.due(cx, index, slot, number),
            timer::PROBATION => self.pump(cx, index),
            timer::HANDSHAKE => self.shake_hands(cx, index),
            timer::HANDSHAKE_TIMEOUT => self.handshake_failed(cx, index, Outcome::Unknown),
            timer::STRAY => self.stray_timed_out(cx, slot),
            _ => {}
        }
    }

    fn closed(&mut self, cx: &mut Context<'_>, peer: ProcessId) {
        self.writer.on_closed(cx, peer);
        self.parked(cx);
        self.pushes_closed(cx, peer);
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        for index in 0..self.subscriptions.len() {
            if !self.subscriptions[index].kept.validated {
                self.shake_hands(cx, index);
            }
            self.resume(cx, index);
        }
    }

    /// Takes what the writer of dead letters has to tell.
    fn parked(&mut self, cx: &mut Context<'_>) {
        while let Some(progress) = self.writer.next() {
            if let Progress::Finished(finished) = progress {
                self.dead_letter_over(cx, finished.owner, finished.outcome);
            }
        }
    }
}

impl Process for Topic {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => self.start(cx),
            Input::Disk(slot, result) => self.stored(cx, slot, result),
            Input::Timer(token) => self.timer(cx, token),
            Input::Closed { peer, .. } => self.closed(cx, peer),
            Input::Poke => {}
            Input::Message { from, connection, message } => match message.body {
                Body::Request(request) if request.verb == http::Verb::Publish => {
                    self.publish(cx, connection, message);
                }
                Body::Request(_) => {
                    let item = message.cargo.first().unwrap_or_default();
                    cx.observe(item, What::Handled { call: message.call, how: Handling::Rejected });
                    cx.answer(connection, message.answer(Body::Response(http::Response::status(400))));
                }
                Body::Probe => {
                    let answer = message.answer(Body::ProbeAnswer { ready: true });
                    if connection == ConnectionId::NONE {
                        cx.datagram(from, answer);
                    } else {
                        cx.answer(connection, answer);
                    }
                }
                _ => self.answered(cx, &message),
            },
        }
    }

    fn crash(&mut self) {
        self.publishing = Slab::default();
        self.arrived = Window::new(self.ingress.per);
        self.pinched = None;
        self.writer.crash();
        self.strays = Slab::default();
        for subscription in &mut self.subscriptions {
            subscription.busy = Busy::default();
        }
    }

    fn gauges(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        out(self.arrived.gauge("ingress", "events", self.ingress, now));
        if let Some((rate, window)) = &self.pinched {
            out(window.gauge(PINCHED, "events", *rate, now));
        }
        for Subscription { setup, busy, .. } in &self.subscriptions {
            let pushes = (busy.outstanding.into(), setup.outstanding.into());
            out(Gauge::level("outstanding pushes", "pushes", pushes.0, pushes.1).at(setup.place));
        }
    }

    fn inventory(&self, out: &mut dyn FnMut(Held)) {
        for subscription in &self.subscriptions {
            subscription.inventory(out);
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
