//! Promotion: the follower is asked to lead. Planned, it waits until the leader has stopped and it has
//! everything; forced, it does not. Either takes the documented time, during which nobody serves.

use super::{Ask, RISE};
use crate::ids::ConnectionId;
use crate::message::control::{Answer, Transition};
use crate::message::replication::Record;
use crate::message::{Body, Message};
use crate::node::Context;
use crate::observe::{Birth, Handling, What};
use crate::random::Purpose;
use crate::services::service_bus::config::Replication;
use crate::services::service_bus::entity::State;
use crate::services::service_bus::namespace::{Namespace, token};

impl Namespace {
    /// People or automation ask for a promotion. The answer comes when it is done; who asks again meanwhile
    /// is answered with the others.
    pub(in crate::services::service_bus) fn promote(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        to: u8,
        mode: Transition,
        cx: &mut Context<'_>,
    ) {
        let (Some(pair), Some(geo)) = (&self.layout.pair, &self.store.geo) else {
            return refuse(connection, message, cx);
        };
        let (here, there) = (to == pair.site, to == pair.peer_site);
        if pair.mode == Replication::MetadataOnly {
            return self.fail_forward(connection, message, here, mode, cx);
        }
        if here && geo.leads && self.serves() || there && !geo.leads && geo.rising.is_none() {
            return done(connection, message, cx);
        }
        let ask = Ask { connection, message: message.answer(Body::Probe) };
        let same = |other: &Ask| (other.connection, other.message.tag) == (ask.connection, ask.message.tag);
        self.live.link.asks.retain(|other| !same(other));
        self.live.link.asks.push(ask);
        if there && geo.leads {
            self.tell_peer(Record::Promote { mode }, cx);
        } else if !(here && self.begin(mode, cx)) {
            self.answer_asks(false, cx);
        }
    }

    /// The leader was asked, and passes it on.
    pub(super) fn asked_by_peer(&mut self, mode: Transition, cx: &mut Context<'_>) {
        if !self.begin(mode, cx) {
            self.tell_peer(Record::Declined, cx);
        }
    }

    /// Begins to take the lead, or goes on with it. False if that is not possible now.
    fn begin(&mut self, mode: Transition, cx: &mut Context<'_>) -> bool {
        let Some(geo) = &self.store.geo else { return false };
        if geo.leads || geo.fresh {
            return false;
        }
        if geo.rising.is_some() {
            return true;
        }
        let epoch = geo.epoch;
        match mode {
            Transition::Planned if self.live.link.waiting => {}
            Transition::Planned => {
                self.live.link.waiting = true;
                self.tell_peer(Record::Yield { epoch, planned: true }, cx);
            }
            Transition::Forced => {
                self.live.link.waiting = false;
                self.tell_peer(Record::Yield { epoch, planned: false }, cx);
                self.rise(mode, cx);
            }
        }
        true
    }

    /// The leader has stopped, and this one has everything.
    pub(super) fn yielded(&mut self, epoch: u32, cx: &mut Context<'_>) {
        let Some(geo) = &self.store.geo else { return };
        if geo.leads || geo.epoch != epoch {
            return;
        }
        if geo.rising.is_some() {
            return;
        }
        if self.live.link.waiting {
            self.live.link.waiting = false;
            return self.rise(Transition::Planned, cx);
        }
        // It no longer wants to: the leader may go on.
        let (applied, fresh) = (geo.applied, geo.fresh);
        self.tell_peer(Record::Follow { epoch, applied, fresh, rising: false }, cx);
    }

    fn rise(&mut self, mode: Transition, cx: &mut Context<'_>) {
        let (Some(pair), Some(geo)) = (&self.layout.pair, &mut self.store.geo) else { return };
        let takes = pair.promotion.at(cx.draw(Purpose::Work, [u64::from(geo.epoch), 0]));
        geo.rising = Some((cx.now() + takes, mode));
        // Messages wait for it: it is work.
        cx.timer(takes, token::of(token::GEO, 0, RISE), true);
    }

    /// It leads from now on: its shadows are the messages.
    pub(super) fn rise_due(&mut self, cx: &mut Context<'_>) {
        let Some(geo) = &mut self.store.geo else { return };
        let Some((_, mode)) = geo.rising.take_if(|(until, _)| *until <= cx.now()) else { return };
        geo.planned = mode == Transition::Planned;
        (geo.leads, geo.epoch, geo.joined) = (true, geo.epoch + 1, geo.planned);
        (geo.base, geo.joins_at, geo.fence) = (0, None, super::Fence::No);
        geo.log.clear();
        let shadows: Vec<_> = geo.shadows.iter_mut().map(std::mem::take).collect();
        let link = &mut self.live.link;
        (link.shipped, link.in_flight, link.up) = (0, 0, false);
        (link.writing, link.written_next) = (Vec::new(), Vec::new());
        for (part, letters) in shadows.into_iter().enumerate() {
            for letter in letters.values() {
                self.reborn(part as u16, super::stored(letter), cx);
            }
        }
        self.answer_asks(true, cx);
        self.proclaim(cx);
        self.look(cx);
    }

    /// Tells the name and the control plane that it leads.
    pub(super) fn proclaim(&self, cx: &mut Context<'_>) {
        let (Some(pair), Some(geo)) = (&self.layout.pair, &self.store.geo) else { return };
        if geo.leads {
            let record = Record::Lead { epoch: geo.epoch, planned: geo.planned };
            let to = |process| cx.tell(process, Message::new(Body::Replica(record.clone())));
            pair.before.into_iter().for_each(to);
        }
    }

    fn reborn(&mut self, part: u16, stored: super::Stored, cx: &mut Context<'_>) {
        let place = self.layout.entities[usize::from(part)].place;
        cx.observe(stored.item, What::Born { place, cause: Birth::Reborn });
        self.count(part, u64::from(stored.bytes), true);
        let slot = self.entity(part).insert(stored);
        match stored.state {
            State::Scheduled(due) => {
                cx.timer(due.since(cx.wall()), token::of(token::SCHEDULED, part, 0), true)
            }
            State::Deferred => self.entity(part).defer(slot),
            State::Ready | State::Locked(_) => self.line_up(part, slot, cx),
        }
    }

    /// Geo-DR: the other namespace takes over the name. It has the entities and no messages; the pairing
    /// is over (facts 1.9). There is no planned way.
    fn fail_forward(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        here: bool,
        mode: Transition,
        cx: &mut Context<'_>,
    ) {
        let Some(geo) = &mut self.store.geo else { return };
        match (here, geo.leads) {
            (true, true) | (false, false) => done(connection, message, cx),
            (true, false) if geo.paired && mode == Transition::Forced => {
                (geo.leads, geo.paired, geo.epoch) = (true, false, geo.epoch + 1);
                self.tell_peer(Record::Unpaired, cx);
                self.proclaim(cx);
                done(connection, message, cx);
            }
            _ => refuse(connection, message, cx),
        }
    }

    /// Answers everybody who asked for the promotion that is over.
    pub(super) fn answer_asks(&mut self, well: bool, cx: &mut Context<'_>) {
        for Ask { connection, message } in std::mem::take(&mut self.live.link.asks) {
            if well { done(connection, &message, cx) } else { refuse(connection, &message, cx) }
        }
    }

    /// The other one is gone. What was asked of it will not happen; a promotion that is certain will.
    pub(super) fn answer_lost_asks(&mut self, cx: &mut Context<'_>) {
        if self.store.geo.as_ref().is_some_and(|geo| geo.rising.is_none()) {
            self.answer_asks(false, cx);
        }
    }
}

fn done(connection: ConnectionId, message: &Message, cx: &mut Context<'_>) {
    if message.call.0 != 0 {
        let what = What::Handled { call: message.call, how: Handling::Stored };
        cx.observe_on(connection, crate::ids::Item::default(), what);
    }
    cx.answer(connection, message.answer(Body::ControlAnswer(Answer::Done)));
}

fn refuse(connection: ConnectionId, message: &Message, cx: &mut Context<'_>) {
    cx.answer(connection, message.answer(Body::ControlAnswer(Answer::Refused)));
}
