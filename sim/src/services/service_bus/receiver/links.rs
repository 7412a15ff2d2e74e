//! The links of a receiver: opened, lost, opened again after the pause of the client library.

use super::{ATTACH_TIMEOUT, LOOKUP, OPEN, Phase, RENEW, RENEW_SESSION, Received, Receiver};
use crate::client::Verdict;
use crate::client::names::{ASK_AGAIN, Resolved};
use crate::ids::{Item, ProcessId};
use crate::message::broker::{Command, Error, Event, Source};
use crate::message::{Body, Message, name};
use crate::node::Context;
use crate::observe::{Symptom, What};
use crate::random::Purpose;
use crate::time::Span;

impl Receiver {
    /// The number of the link in this place.
    pub(super) fn number(&self, place: u32) -> u32 {
        u32::from(self.space) << 24 | (place & 0xfff) << 12 | self.places[place as usize].generation & 0xfff
    }

    /// The place of a link, if the link is the current one there.
    pub(super) fn place_of(&self, link: u32) -> Option<u32> {
        let place = link >> 12 & 0xfff;
        let known = (place as usize) < self.places.len();
        (known && self.number(place) == link).then_some(place)
    }

    pub(super) fn token(&self, kind: u64, slot: u32) -> u64 {
        u64::from(self.space) << 56 | kind << 48 | u64::from(slot)
    }

    pub(super) fn tag(&self, kind: u64, slot: u32) -> u32 {
        u32::from(self.space) << 24 | (kind as u32) << 20 | slot & 0xf_ffff
    }

    pub(super) fn open(&mut self, place: u32, cx: &mut Context<'_>) {
        match cx.resolve(self.from, Item::NONE) {
            Resolved::At(at) => self.moved(at.process, place, cx),
            Resolved::Ask(name) => return self.look_up(name, place, cx),
        }
        let timer = cx.timeout(ATTACH_TIMEOUT, self.token(OPEN, place), false);
        let entry = &mut self.places[place as usize];
        entry.generation += 1;
        entry.phase = Phase::Opening;
        entry.opening = Some(timer);
        entry.deadline = cx.now() + ATTACH_TIMEOUT;
        let running = entry.running;
        let own = if self.rules.sessions { 1 } else { self.rules.concurrency.max(1) };
        let source = if self.rules.sessions { Source::NextSession } else { Source::Any };
        // What is still worked on keeps its place.
        let processor = (own + self.rules.prefetch).saturating_sub(running);
        let credit = if self.is_on_demand() { self.wanted } else { processor };
        self.granted = credit;
        let command = Command::Attach {
            part: self.from.part,
            link: self.number(place),
            from: source,
            mode: self.rules.mode,
            credit,
        };
        let mut message = Message::new(Body::Broker(command));
        message.tag = self.tag(OPEN, place);
        message.attempt = self.places[place as usize].generation as u16;
        cx.tell(self.at, message);
    }

    /// Asks where the name of the broker leads.
    fn look_up(&mut self, name: ProcessId, place: u32, cx: &mut Context<'_>) {
        let timer = cx.timeout(ASK_AGAIN, self.token(OPEN, place), false);
        let entry = &mut self.places[place as usize];
        entry.generation += 1;
        entry.phase = Phase::Resolving;
        entry.opening = Some(timer);
        entry.deadline = cx.now() + ASK_AGAIN;
        let attempt = entry.generation as u16;
        cx.datagram(name, Message { tag: self.tag(LOOKUP, place), attempt, ..Message::new(Body::Lookup) });
    }

    /// The answer of a name service. False if somebody else asked for it.
    pub(super) fn looked_up(
        &mut self,
        name: ProcessId,
        answer: name::Answer,
        message: &Message,
        cx: &mut Context<'_>,
    ) -> bool {
        let tag = message.tag;
        if tag >> 24 != u32::from(self.space) || u64::from(tag >> 20 & 0xf) != LOOKUP {
            return false;
        }
        let place = tag & 0xf_ffff;
        let Some(entry) = self.places.get_mut(place as usize) else { return true };
        if entry.phase != Phase::Resolving || entry.generation as u16 != message.attempt {
            return true;
        }
        if let Some(timer) = entry.opening.take() {
            cx.cancel(timer);
        }
        entry.phase = Phase::Closed;
        if let name::Answer::Record { address, ttl } = answer {
            cx.learn(name, address, ttl);
            self.open(place, cx);
        } else {
            cx.trouble(name, Symptom::Error);
            self.open_later(place, Span::ZERO, cx);
        }
        true
    }

    /// The broker is there now. If it was elsewhere, the links to the old one are given up.
    fn moved(&mut self, at: ProcessId, opening: u32, cx: &mut Context<'_>) {
        if at == self.at {
            return;
        }
        for place in 0..self.places.len() as u32 {
            if place != opening && matches!(self.places[place as usize].phase, Phase::Opening | Phase::Open) {
                self.close_lost(place, cx);
                self.open_later(place, Span::ZERO, cx);
            }
        }
        self.at = at;
    }

    fn close_lost(&mut self, place: u32, cx: &mut Context<'_>) {
        let command = Command::Detach { link: self.number(place) };
        cx.tell(self.at, Message::new(Body::Broker(command)));
        self.lose(place, cx);
    }

    /// Closes a link in good order.
    pub(super) fn close(&mut self, place: u32, cx: &mut Context<'_>) {
        if matches!(self.places[place as usize].phase, Phase::Opening | Phase::Open) {
            let command = Command::Detach { link: self.number(place) };
            cx.tell(self.at, Message::new(Body::Broker(command)));
        }
        self.forget(place, cx);
    }

    /// The link is gone: what is handed out has lost its lock, what is fetched ahead is dropped.
    pub(super) fn lose(&mut self, place: u32, cx: &mut Context<'_>) {
        let link = self.number(place);
        let slots: Vec<u32> =
            self.runs.iter().filter(|(_, run)| run.link == link && !run.lost).map(|(slot, _)| slot).collect();
        for slot in slots {
            self.lock_lost(slot, cx);
        }
        self.forget(place, cx);
    }

    pub(super) fn forget(&mut self, place: u32, cx: &mut Context<'_>) {
        let entry = &mut self.places[place as usize];
        entry.phase = Phase::Closed;
        entry.buffer.clear();
        entry.session = 0;
        // A later link in this place has another number.
        entry.generation += 1;
        self.granted = 0;
        for timer in [entry.opening.take(), entry.renewal.take(), entry.idle.take()].into_iter().flatten() {
            cx.cancel(timer);
        }
    }

    pub(super) fn lock_lost(&mut self, slot: u32, cx: &mut Context<'_>) {
        let Some(run) = self.runs.get_mut(slot) else { return };
        run.lost = true;
        if let Some(timer) = run.timer.take() {
            cx.cancel(timer);
        }
        let (item, handle, locked) = (run.delivery.item, run.delivery.handle, run.lock != 0);
        if locked {
            cx.observe(item, What::Symptom(Symptom::LockLost));
            self.out.push_back(Received::LockLost { handle });
        }
    }

    /// Opens the link again after the pause of the client library, and not before `least`.
    pub(super) fn open_later(&mut self, place: u32, least: Span, cx: &mut Context<'_>) {
        if self.stopped {
            return;
        }
        let entry = &mut self.places[place as usize];
        entry.failed = (entry.failed + 1).min(16);
        let failed = entry.failed;
        let draw = cx.draw(Purpose::Jitter, [u64::from(place), u64::from(failed)]);
        let busy = self.caller.busy_until().since(cx.now());
        let pause = self.retry.pause(failed, &Verdict::NO_ANSWER, draw).max(least).max(busy);
        // Not a recurring duration, so that it is not worth a lane of its own.
        cx.timer(pause, self.token(OPEN, place), false);
    }

    pub(super) fn open_due(&mut self, place: u32, cx: &mut Context<'_>) {
        let Some(entry) = self.places.get_mut(place as usize) else { return };
        match entry.phase {
            Phase::Open => {}
            // No answer to the last attempt.
            Phase::Opening | Phase::Resolving if entry.deadline <= cx.now() => {
                entry.opening = None;
                cx.trouble(self.at, Symptom::Timeout);
                self.close(place, cx);
                self.open_later(place, Span::ZERO, cx);
            }
            Phase::Opening | Phase::Resolving => {}
            Phase::Closed if !self.stopped => self.open(place, cx),
            Phase::Closed => {}
        }
    }

    /// The answer to an attach or a renewal.
    pub(super) fn answered(&mut self, event: &Event, message: &Message, cx: &mut Context<'_>) -> bool {
        if message.tag >> 24 != u32::from(self.space) {
            return false;
        }
        let slot = message.tag & 0xf_ffff;
        match u64::from(message.tag >> 20 & 0xf) {
            OPEN => self.opened(slot, event, message, cx),
            RENEW => self.renewed(slot, event, message.attempt, cx),
            RENEW_SESSION => self.session_renewed(slot, event, message.attempt, cx),
            _ => {}
        }
        true
    }

    pub(super) fn opened(&mut self, place: u32, event: &Event, message: &Message, cx: &mut Context<'_>) {
        let Some(entry) = self.places.get_mut(place as usize) else { return };
        if entry.phase != Phase::Opening || entry.generation as u16 != message.attempt {
            return;
        }
        if let Some(timer) = entry.opening.take() {
            cx.cancel(timer);
        }
        match event {
            Event::Attached { session, locked_until, .. } => {
                (entry.phase, entry.failed, entry.session) = (Phase::Open, 0, *session);
                if *session != 0 {
                    self.plan_session_renewal(place, *locked_until, cx);
                    self.plan_idle(place, cx);
                }
                self.top_up(cx);
            }
            // No session has a message: ask again at once.
            Event::Refused(Error::ServiceTimeout) if self.rules.sessions => {
                self.forget(place, cx);
                if !self.stopped {
                    self.open(place, cx);
                }
            }
            Event::Refused(why) => {
                cx.trouble(self.at, Symptom::Error);
                self.forget(place, cx);
                self.refused(*why, cx);
                self.open_later(place, Span::ZERO, cx);
            }
            _ => {}
        }
    }

    pub(super) fn refused(&mut self, why: Error, cx: &mut Context<'_>) {
        if why == Error::ServiceBusy {
            self.caller.busy(cx.now());
        }
    }

    pub(super) fn detached(&mut self, link: u32, why: Error, cx: &mut Context<'_>) -> bool {
        if link >> 24 != u32::from(self.space) {
            return false;
        }
        if let Some(place) = self.place_of(link) {
            cx.trouble(self.at, Symptom::Error);
            self.lose(place, cx);
            self.refused(why, cx);
            self.open_later(place, Span::ZERO, cx);
        }
        true
    }
}
