//! Pushing: an attempt, its answer or the lack of one, the next attempt by the schedule, probation.

use crate::client::classify::{Verdict, classify};
use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{CallId, Execution, ProcessId};
use crate::message::{Body, Cargo, Message, http};
use crate::node::Context;
use crate::observe::{Discard, End, Outcome, Symptom, What};
use crate::random::Purpose;
use crate::services::event_grid::schedule::{Failure, LATE_ANSWER, RESPONSE_WAIT, is_success};
use crate::services::event_grid::subscription::{Activity, Doing};
use crate::services::event_grid::topic::{SLOT_MASK, STRAY, Stray, Topic, timer, token};
use crate::time::{Span, Time};

impl Topic {
    /// Makes attempts as long as some are due and the subscription may.
    pub(super) fn pump(&mut self, cx: &mut Context<'_>, index: usize) {
        while let Some(subscription) = self.subscriptions.get_mut(index) {
            let may = subscription.kept.validated
                && cx.now() >= subscription.kept.probation_until
                && subscription.busy.outstanding < subscription.setup.outstanding;
            if !may {
                return;
            }
            let Some((slot, number)) = subscription.busy.ready.pop_front() else { return };
            let ready = matches!(subscription.activity(slot).doing, Doing::Ready);
            if ready && subscription.event(slot, number).is_some() {
                self.attempt(cx, index, slot);
            }
        }
    }

    /// The next attempt of an event is due. Only now its time to live is looked at.
    fn attempt(&mut self, cx: &mut Context<'_>, index: usize, slot: u32) {
        let subscription = &mut self.subscriptions[index];
        let setup = subscription.setup.clone();
        subscription.activity(slot).doing = Doing::Waiting;
        let Some(event) = subscription.kept.events.get_mut(slot) else { return };
        let item = event.item;
        if cx.wall().since(event.accepted) >= setup.ttl {
            return self.undeliverable(cx, index, slot, End::Expired);
        }
        if !event.held_up
            && let Some(strike) = cx.strike(Hook::PushOutOfOrder, setup.part, item, 0)
        {
            event.held_up = true;
            cx.observe(item, What::Symptom(Symptom::Delayed));
            let pause = if let Value::Span(span) = strike.value { span } else { Span::secs(5) };
            return self.wait(cx, index, slot, pause);
        }
        event.attempts += 1;
        let attempt = event.attempts;
        if attempt > 1 {
            cx.observe(item, What::Symptom(Symptom::Redelivery));
        }
        if let Some(strike) = cx.strike(Hook::PushFails, setup.part, item, u64::from(attempt)) {
            return self.prevented(cx, index, slot, strike.value);
        }
        self.push(cx, index, slot);
        if cx.strike(Hook::PushTwice, setup.part, item, u64::from(attempt)).is_some() {
            cx.observe(item, What::Symptom(Symptom::Redelivery));
            self.push_stray(cx, index, slot);
        }
    }

    fn push(&mut self, cx: &mut Context<'_>, index: usize, slot: u32) {
        let Some(message) = self.message(index, slot) else { return };
        let subscription = &mut self.subscriptions[index];
        let number = subscription.kept.events.get(slot).map_or(0, |event| event.number);
        let message = Message { tag: (index as u32) << 24 | slot & SLOT_MASK, ..message };
        let call = cx.call(subscription.setup.to, message);
        let timer = cx.timeout(RESPONSE_WAIT, token(timer::TIMEOUT, index, number, slot), true);
        subscription.busy.outstanding += 1;
        let activity = subscription.activity(slot);
        (activity.doing, activity.call, activity.sent) = (Doing::Pushing(timer), call, cx.now());
    }

    /// A fault keeps an attempt from the endpoint: it is answered with a status in its place, or not at
    /// all (0, or no status).
    fn prevented(&mut self, cx: &mut Context<'_>, index: usize, slot: u32, value: Value) {
        let item = self.subscriptions[index].kept.events.get(slot).map(|event| event.item);
        let (symptom, failure, lost) = match value {
            Value::Number(status @ 1..) => (Symptom::Error, Failure::Status(status as u16), Span::ZERO),
            _ => (Symptom::Timeout, Failure::TimedOut, RESPONSE_WAIT),
        };
        cx.observe(item.unwrap_or_default(), What::Symptom(symptom));
        self.failed(cx, index, slot, failure, lost);
    }

    fn message(&self, index: usize, slot: u32) -> Option<Message> {
        let subscription = self.subscriptions.get(index)?;
        let event = subscription.kept.events.get(slot)?;
        let execution = Execution { run: event.id, message: event.id };
        let part = subscription.setup.to.part;
        let request =
            http::Request { part, verb: http::Verb::Push, key: Some(event.id), secret: 0, execution };
        let message = Message::new(Body::Request(request)).carrying(Cargo::One(event.item));
        Some(Message { attempt: event.attempts as u16, ..message })
    }

    pub(super) fn push_answered(
        &mut self,
        cx: &mut Context<'_>,
        index: usize,
        slot: u32,
        call: CallId,
        response: http::Response,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(index) else { return };
        let activity = *subscription.activity(slot);
        let Some(event) = subscription.kept.events.get(slot) else { return };
        let item = event.item;
        if activity.call != call {
            return;
        }
        let Doing::Pushing(timer) = activity.doing else {
            // It comes after the response wait, but takes the event off the queue if nothing else has begun.
            let waits = matches!(activity.doing, Doing::Waiting | Doing::Ready) && event.dead_since.is_none();
            if waits && is_success(response.status) && cx.now().since(activity.sent) <= LATE_ANSWER {
                self.end(cx, index, slot, End::Completed);
            }
            return;
        };
        cx.cancel(timer);
        let verdict = classify(&Body::Response(response));
        cx.observe(item, What::Answered { call, outcome: verdict.outcome });
        if is_success(response.status) {
            self.over(index, slot);
            self.healthy(index);
            self.end(cx, index, slot, End::Completed);
            return self.pump(cx, index);
        }
        let (symptom, failure) = if verdict.silent {
            (Symptom::Reset, Failure::Socket)
        } else {
            (Symptom::Error, Failure::Status(response.status))
        };
        cx.observe(item, What::Symptom(symptom));
        self.over(index, slot);
        self.failed(cx, index, slot, failure, Span::ZERO);
        self.pump(cx, index);
    }

    pub(super) fn push_timed_out(&mut self, cx: &mut Context<'_>, index: usize, slot: u32, number: u16) {
        let Some(subscription) = self.subscriptions.get(index) else { return };
        if subscription.event(slot, number).is_some() {
            self.no_answer(cx, index, slot, Symptom::Timeout, Failure::TimedOut);
            self.pump(cx, index);
        }
    }

    /// The connection to a consumer is gone.
    pub(super) fn pushes_closed(&mut self, cx: &mut Context<'_>, peer: ProcessId) {
        for index in 0..self.subscriptions.len() {
            if self.subscriptions[index].setup.to.process != peer {
                continue;
            }
            let pushing = |(slot, activity): (usize, &Activity)| {
                matches!(activity.doing, Doing::Pushing(_)).then_some(slot as u32)
            };
            let open: Vec<u32> =
                self.subscriptions[index].busy.activities.iter().enumerate().filter_map(pushing).collect();
            for slot in open {
                self.no_answer(cx, index, slot, Symptom::Reset, Failure::Socket);
            }
            if self.subscriptions[index].busy.handshake.is_some() {
                self.handshake_failed(cx, index, Outcome::Unknown);
            }
            self.pump(cx, index);
        }
        let lost: Vec<u32> =
            self.strays.iter().filter(|(_, stray)| stray.to == peer).map(|(slot, _)| slot).collect();
        for slot in lost {
            self.stray_timed_out(cx, slot);
        }
    }

    fn no_answer(&mut self, cx: &mut Context<'_>, index: usize, slot: u32, symptom: Symptom, why: Failure) {
        let subscription = &mut self.subscriptions[index];
        let activity = *subscription.activity(slot);
        let Doing::Pushing(timer) = activity.doing else { return };
        cx.cancel(timer);
        let item = subscription.kept.events.get(slot).map(|event| event.item).unwrap_or_default();
        cx.observe(item, What::Answered { call: activity.call, outcome: Outcome::Unknown });
        cx.observe(item, What::Symptom(symptom));
        self.over(index, slot);
        self.failed(cx, index, slot, why, Span::ZERO);
    }

    /// A push is no longer under way.
    fn over(&mut self, index: usize, slot: u32) {
        let subscription = &mut self.subscriptions[index];
        subscription.busy.outstanding -= 1;
        subscription.activity(slot).doing = Doing::Waiting;
    }

    fn healthy(&mut self, index: usize) {
        let kept = &mut self.subscriptions[index].kept;
        (kept.failures, kept.probations) = (0, 0);
        kept.probation_until = Time::ZERO;
    }

    /// An attempt failed: the next by the schedule, or none; and the subscription may go on probation.
    /// `lost`: how long from now the attempt would still have been waited for.
    fn failed(&mut self, cx: &mut Context<'_>, index: usize, slot: u32, failure: Failure, lost: Span) {
        self.probation(cx, index, failure);
        let setup = self.subscriptions[index].setup.clone();
        let Some(event) = self.subscriptions[index].kept.events.get(slot) else { return };
        if failure.is_final(setup.azure_resource) || event.attempts >= setup.max_attempts {
            let cause = End::Discarded(Discard::Undeliverable);
            return self.undeliverable(cx, index, slot, cause);
        }
        let draw = cx.draw_for(setup.hash, Purpose::Jitter, [event.id, u64::from(event.attempts)]);
        let pause = failure.delay(event.attempts, setup.azure_resource, draw);
        self.wait(cx, index, slot, lost + pause);
    }

    fn probation(&mut self, cx: &mut Context<'_>, index: usize, failure: Failure) {
        let Some(subscription) = self.subscriptions.get_mut(index) else { return };
        let (setup, kept) = (&subscription.setup, &mut subscription.kept);
        kept.failures += 1;
        if kept.failures < setup.probation_after || cx.now() < kept.probation_until {
            return;
        }
        let longer = 1u64.checked_shl(kept.probations.min(40)).unwrap_or(u64::MAX);
        let lasts = failure.probation().times(longer).min(setup.longest_probation);
        kept.probations += 1;
        kept.probation_until = cx.now() + lasts;
        cx.timer(lasts, token(timer::PROBATION, index, 0, 0), true);
    }

    /// Lets an event wait until its next attempt (or try to be parked) is due.
    pub(super) fn wait(&mut self, cx: &mut Context<'_>, index: usize, slot: u32, pause: Span) {
        let subscription = &mut self.subscriptions[index];
        subscription.activity(slot).doing = Doing::Waiting;
        if let Some(event) = subscription.kept.events.get_mut(slot) {
            event.due = cx.now() + pause;
            cx.timer(pause, token(timer::DUE, index, event.number, slot), true);
        }
    }

    pub(super) fn due(&mut self, cx: &mut Context<'_>, index: usize, slot: u32, number: u16) {
        let Some(subscription) = self.subscriptions.get_mut(index) else { return };
        let Some(event) = subscription.event(slot, number) else { return };
        if event.dead_since.is_some() {
            return self.park(cx, index, slot);
        }
        subscription.line_up(slot);
        self.pump(cx, index);
    }

    /// After a restart: what was under way is due at once, what waited goes on waiting.
    pub(super) fn resume(&mut self, cx: &mut Context<'_>, index: usize) {
        let subscription = &mut self.subscriptions[index];
        let mut waiting: Vec<(Time, u16, u32)> =
            subscription.kept.events.iter().map(|(slot, event)| (event.due, event.number, slot)).collect();
        waiting.sort_unstable();
        for (due, number, slot) in waiting {
            cx.timer(due.since(cx.now()), token(timer::DUE, index, number, slot), true);
        }
        let until = subscription.kept.probation_until;
        if until > cx.now() {
            cx.timer(until.since(cx.now()), token(timer::PROBATION, index, 0, 0), true);
        }
    }

    /// An event leaves the subscription.
    pub(super) fn end(&mut self, cx: &mut Context<'_>, index: usize, slot: u32, cause: End) {
        let subscription = &mut self.subscriptions[index];
        if let Some(event) = subscription.kept.events.take(slot) {
            let place = subscription.setup.place;
            cx.observe(event.item, What::Ended { place, cause });
        }
    }

    // -- Pushes that a fault doubled. --

    fn push_stray(&mut self, cx: &mut Context<'_>, index: usize, slot: u32) {
        let Some(message) = self.message(index, slot) else { return };
        let item = message.cargo.first().unwrap_or_default();
        let to = self.subscriptions[index].setup.to;
        let stray = self.strays.insert(Stray { call: CallId::default(), item, to: to.process, timer: None });
        let call = cx.call(to, Message { tag: STRAY << 24 | stray & SLOT_MASK, ..message });
        let timer = cx.timeout(RESPONSE_WAIT, token(timer::STRAY, 0, 0, stray), true);
        if let Some(stray) = self.strays.get_mut(stray) {
            (stray.call, stray.timer) = (call, Some(timer));
        }
    }

    pub(super) fn stray_over(
        &mut self,
        cx: &mut Context<'_>,
        slot: u32,
        call: CallId,
        response: Option<http::Response>,
    ) {
        if self.strays.get(slot).is_none_or(|stray| stray.call != call) {
            return;
        }
        if let Some(stray) = self.strays.take(slot) {
            let verdict = response.map_or(Verdict::NO_ANSWER, |response| classify(&Body::Response(response)));
            if let Some(timer) = stray.timer {
                cx.cancel(timer);
            }
            cx.observe(stray.item, What::Answered { call, outcome: verdict.outcome });
        }
    }

    pub(super) fn stray_timed_out(&mut self, cx: &mut Context<'_>, slot: u32) {
        if let Some(call) = self.strays.get(slot).map(|stray| stray.call) {
            self.stray_over(cx, slot, call, None);
        }
    }
}
