//! The locks of a receiver: renewed while their messages are worked on, and sessions given back when idle.

use super::{IDLE, Phase, RENEW, RENEW_SESSION, Received, Receiver};
use crate::client::retry::BUSY_BACK_OFF;
use crate::message::broker::{Command, Event};
use crate::message::{Body, Message};
use crate::node::Context;
use crate::observe::{Outcome, Symptom, What};
use crate::time::{Span, Time};

impl Receiver {
    /// When a lock that holds until then is renewed: 10 s before, or half-way if it is shorter.
    pub(super) fn before(until: Time, now: Time) -> Span {
        let left = until.since(now).0;
        let after = left - (left / 2).min(10_000_000_000);
        // Few different durations, because each is a lane of the timers.
        let grain = if after > 4_000_000_000 { 1_000_000_000 } else { 50_000_000 };
        Span(after / grain * grain)
    }

    pub(super) fn plan_renewal(&mut self, slot: u32, until: Time, cx: &mut Context<'_>) {
        let token = self.token(RENEW, slot);
        let Some(run) = self.runs.get_mut(slot) else { return };
        let after = Self::before(until, cx.wall());
        let covered = cx.now().since(run.started) < self.rules.renew_lock;
        if covered && !run.lost && until > cx.wall() {
            run.timer = Some(cx.timeout(after, token, false));
        }
    }

    pub(super) fn renew(&mut self, slot: u32, cx: &mut Context<'_>) {
        let (tag, token) = (self.tag(RENEW, slot), self.token(RENEW, slot));
        let Some(run) = self.runs.get_mut(slot) else { return };
        run.timer = None;
        if cx.now().since(run.started) >= self.rules.renew_lock {
            return;
        }
        // The whole client backs off: a lock that is shorter than that is lost (facts 1.2).
        if cx.now() < self.caller.busy_until() {
            run.timer = Some(cx.timeout(BUSY_BACK_OFF, token, false));
            return;
        }
        let mut message = Message::new(Body::Broker(Command::Renew { link: run.link, lock: run.lock }));
        (message.tag, message.attempt) = (tag, run.lock as u16);
        cx.tell(self.at, message);
    }

    /// Extends the lock of a delivery (of its session) now; [`Received::Renewed`] follows, or
    /// [`Received::LockLost`] where the link goes meanwhile. An answer that is lost with its connection is
    /// told as a lost lock too.
    pub fn renew_now(&mut self, handle: u64, cx: &mut Context<'_>) {
        let Some(slot) = self.run(handle) else { return };
        let (tag, sessions) = (self.tag(RENEW, slot), self.rules.sessions);
        let Some(run) = self.runs.get_mut(slot) else { return };
        if run.lost || run.lock == 0 {
            return self.told(handle, Outcome::Refused, Time::ZERO);
        }
        run.renewing = true;
        let (place, link, lock) = (run.place, run.link, run.lock);
        let command = Command::Renew { link, lock: if sessions { 0 } else { lock } };
        let mut message = Message::new(Body::Broker(command));
        (message.tag, message.attempt) = if sessions {
            (self.tag(RENEW_SESSION, place), self.places[place as usize].generation as u16)
        } else {
            (tag, lock as u16)
        };
        cx.tell(self.at, message);
    }

    fn told(&mut self, handle: u64, outcome: Outcome, locked_until: Time) {
        self.out.push_back(Received::Renewed { handle, outcome, locked_until });
    }

    /// Tells the host what became of the renewals that it asked for on this link.
    fn tell_renewed(&mut self, link: u32, slot: Option<u32>, event: &Event) {
        let (outcome, until) = match event {
            Event::Renewed { locked_until } => (Outcome::Ok, *locked_until),
            Event::Refused(why) if why.is_transient() && why.is_definite() => (Outcome::Failed, Time::ZERO),
            Event::Refused(why) if why.is_transient() => (Outcome::Unknown, Time::ZERO),
            _ => (Outcome::Refused, Time::ZERO),
        };
        let asked: Vec<(u32, u64)> = self
            .runs
            .iter()
            .filter(|(at, run)| run.renewing && run.link == link && slot.is_none_or(|slot| slot == *at))
            .map(|(at, run)| (at, run.delivery.handle))
            .collect();
        for (at, handle) in asked {
            if let Some(run) = self.runs.get_mut(at) {
                run.renewing = false;
            }
            self.told(handle, outcome, until);
        }
    }

    pub(super) fn renewed(&mut self, slot: u32, event: &Event, attempt: u16, cx: &mut Context<'_>) {
        let Some(run) = self.runs.get(slot) else { return };
        if run.lock as u16 != attempt || run.lost {
            return;
        }
        let (item, link) = (run.delivery.item, run.link);
        if run.renewing {
            self.tell_renewed(link, Some(slot), event);
            if let Some(timer) = self.runs.get_mut(slot).and_then(|run| run.timer.take()) {
                cx.cancel(timer);
            }
            if matches!(event, Event::Refused(why) if why.is_transient()) && self.rules.renew_lock.is_zero() {
                return; // whoever asked may ask again
            }
        }
        match event {
            Event::Renewed { locked_until } => self.plan_renewal(slot, *locked_until, cx),
            Event::Refused(why) if why.is_transient() => {
                cx.observe(item, What::Symptom(Symptom::Error));
                self.refused(*why, cx);
                let token = self.token(RENEW, slot);
                let timer = cx.timeout(Span::secs(1), token, false);
                if let Some(run) = self.runs.get_mut(slot) {
                    run.timer = Some(timer);
                }
            }
            _ => self.lock_lost(slot, cx),
        }
    }

    pub(super) fn plan_session_renewal(&mut self, place: u32, until: Time, cx: &mut Context<'_>) {
        if self.rules.renew_lock.is_zero() || until <= cx.wall() {
            return;
        }
        let timer = cx.timeout(Self::before(until, cx.wall()), self.token(RENEW_SESSION, place), false);
        self.places[place as usize].renewal = Some(timer);
    }

    pub(super) fn renew_session(&mut self, place: u32, cx: &mut Context<'_>) {
        let Some(entry) = self.places.get_mut(place as usize) else { return };
        entry.renewal = None;
        let generation = entry.generation;
        if entry.phase != Phase::Open || !self.may_renew_session(place, cx.now()) {
            return;
        }
        if cx.now() < self.caller.busy_until() {
            let timer = cx.timeout(BUSY_BACK_OFF, self.token(RENEW_SESSION, place), false);
            self.places[place as usize].renewal = Some(timer);
            return;
        }
        let command = Command::Renew { link: self.number(place), lock: 0 };
        let mut message = Message::new(Body::Broker(command));
        (message.tag, message.attempt) = (self.tag(RENEW_SESSION, place), generation as u16);
        cx.tell(self.at, message);
    }

    /// A session is renewed while its message has been worked on for no longer than allowed.
    pub(super) fn may_renew_session(&self, place: u32, now: Time) -> bool {
        let link = self.number(place);
        let mut runs = self.runs.iter().filter(|(_, run)| run.link == link);
        runs.all(|(_, run)| now.since(run.started) < self.rules.renew_lock)
    }

    pub(super) fn session_renewed(&mut self, place: u32, event: &Event, attempt: u16, cx: &mut Context<'_>) {
        let Some(entry) = self.places.get_mut(place as usize) else { return };
        if entry.generation as u16 != attempt || entry.phase != Phase::Open {
            return;
        }
        self.tell_renewed(self.number(place), None, event);
        let Some(entry) = self.places.get_mut(place as usize) else { return };
        if let Some(timer) = entry.renewal.take() {
            cx.cancel(timer);
        }
        if matches!(event, Event::Refused(why) if why.is_transient()) && self.rules.renew_lock.is_zero() {
            return; // whoever asked may ask again
        }
        match event {
            Event::Renewed { locked_until } => self.plan_session_renewal(place, *locked_until, cx),
            Event::Refused(why) if why.is_transient() => {
                self.refused(*why, cx);
                let timer = cx.timeout(Span::secs(1), self.token(RENEW_SESSION, place), false);
                self.places[place as usize].renewal = Some(timer);
            }
            _ => {
                self.lose(place, cx);
                self.open_later(place, Span::ZERO, cx);
            }
        }
    }

    pub(super) fn plan_idle(&mut self, place: u32, cx: &mut Context<'_>) {
        if self.places[place as usize].idle.is_none() {
            let timer = cx.timeout(self.rules.session_idle, self.token(IDLE, place), false);
            self.places[place as usize].idle = Some(timer);
        }
    }

    /// The session has had no message for long enough: it is given back, and the next one is asked for.
    pub(super) fn idle(&mut self, place: u32, cx: &mut Context<'_>) {
        let Some(entry) = self.places.get_mut(place as usize) else { return };
        entry.idle = None;
        let free = entry.running == 0 && entry.buffer.is_empty();
        if entry.phase == Phase::Open && free {
            self.close(place, cx);
            if !self.stopped {
                self.open(place, cx);
            }
        }
    }
}
