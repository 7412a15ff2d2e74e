//! Failover: a region is asked to take the writes. Planned ("change write region"), it waits until the leader has
//! stopped and it has everything, which needs a connection between the two; forced ("offline region"), it does
//! not wait, and the old write region is offline (facts 1.8).

use super::{Ask, Fence, Follower, RISE};
use crate::ids::ConnectionId;
use crate::message::control::{Answer, Transition};
use crate::message::replication::Record;
use crate::message::{Body, Message};
use crate::node::Context;
use crate::observe::{Birth, What};
use crate::random::Purpose;
use crate::services::cosmos_db::{CosmosDbProcess, GEO};
use crate::services::front::answer_control;

impl CosmosDbProcess {
    /// People or automation ask for a failover to this region. The answer comes when it is done; who asks again
    /// meanwhile is answered with the others.
    pub(in crate::services::cosmos_db) fn fail_over(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        to: u8,
        mode: Transition,
        cx: &mut Context<'_>,
    ) {
        let here = self.setup.group.as_ref().is_some_and(|group| group.site == to);
        let Some(geo) = self.geo.as_ref().filter(|_| here) else {
            return answer_control(connection, message, Answer::Refused, cx);
        };
        if geo.leads && geo.fence == Fence::No {
            // Where all regions take writes there is nothing to be done.
            if mode == Transition::Forced && !self.is_multi() {
                self.offline_the_silent(cx);
            }
            return answer_control(connection, message, Answer::Done, cx);
        }
        let ask = Ask { connection, message: message.answer(Body::Probe) };
        let same = |other: &Ask| (other.connection, other.message.tag) == (ask.connection, ask.message.tag);
        self.volatile.link.asks.retain(|other| !same(other));
        self.volatile.link.asks.push(ask);
        if !self.begin(mode, cx) {
            self.answer_asks(false, cx);
        }
    }

    /// Begins to take the lead, or goes on with it. False if that is not possible now.
    fn begin(&mut self, mode: Transition, cx: &mut Context<'_>) -> bool {
        let Some(geo) = &self.geo else { return false };
        if geo.leads || geo.offline {
            return false;
        }
        if geo.rising.is_some() {
            return true;
        }
        let (epoch, leader) = (geo.epoch, self.leader());
        match mode {
            Transition::Planned if self.volatile.link.asked_leader => {}
            Transition::Planned => {
                self.volatile.link.asked_leader = true;
                self.tell_peer(leader, Record::Yield { epoch, planned: true }, cx);
            }
            Transition::Forced => {
                self.volatile.link.asked_leader = false;
                self.tell_peer(leader, Record::Yield { epoch, planned: false }, cx);
                self.rise(mode, cx);
            }
        }
        true
    }

    /// Whom it follows: at first the region of the highest priority among the others, which is the primary.
    pub(super) fn leader(&self) -> usize {
        self.geo.as_ref().and_then(|geo| geo.leader).unwrap_or(0)
    }

    /// Somebody is to lead instead.
    pub(super) fn asked_to_yield(&mut self, peer: usize, epoch: u32, planned: bool, cx: &mut Context<'_>) {
        let Some(geo) = &mut self.geo else { return };
        if geo.leads && epoch != geo.epoch {
            return self.contest(peer, epoch, cx);
        }
        if !geo.leads || geo.yields_to.is_some_and(|to| to != peer) {
            return self.tell_peer(peer, Record::Declined, cx);
        }
        if geo.fence == Fence::No {
            geo.fence = if planned { Fence::Draining } else { Fence::Given };
            geo.yields_to = Some(peer);
        }
        self.check_drained(cx);
    }

    /// Says that everything is there, as soon as it is.
    pub(super) fn check_drained(&mut self, cx: &mut Context<'_>) {
        let Some(geo) = &mut self.geo else { return };
        let Some(peer) = geo.yields_to else { return };
        let up = self.volatile.link.lines[peer].up;
        if geo.fence == Fence::Draining && up && geo.followers[peer] == Follower::Joined(geo.end()) {
            geo.fence = Fence::Given;
            let epoch = geo.epoch;
            self.tell_peer(peer, Record::Yielded { epoch }, cx);
        }
    }

    /// Whom it asked does not lead, or yields to another.
    pub(super) fn declined(&mut self, cx: &mut Context<'_>) {
        if std::mem::take(&mut self.volatile.link.asked_leader) {
            self.answer_asks(false, cx);
        }
    }

    /// A fenced leader hears of a region that may be about to lead.
    pub(super) fn fenced(&mut self, peer: usize, rising: bool, cx: &mut Context<'_>) {
        let Some(geo) = &self.geo else { return };
        let (fence, epoch) = (geo.fence, geo.epoch);
        if geo.yields_to.is_some_and(|to| to != peer) {
            return;
        }
        match fence {
            Fence::No => {}
            Fence::Draining | Fence::Given if !rising => self.resume(cx),
            Fence::Draining => self.check_drained(cx),
            Fence::Given => self.tell_peer(peer, Record::Yielded { epoch }, cx),
        }
    }

    /// Nobody leads instead after all: it takes writes again.
    pub(super) fn resume(&mut self, cx: &mut Context<'_>) {
        if let Some(geo) = &mut self.geo {
            (geo.fence, geo.yields_to) = (Fence::No, None);
        }
        self.expire(cx);
    }

    /// The leader has stopped, and this one has everything.
    pub(super) fn yielded(&mut self, peer: usize, epoch: u32, cx: &mut Context<'_>) {
        let Some(geo) = &self.geo else { return };
        if geo.leads || geo.epoch != epoch || geo.rising.is_some() {
            return;
        }
        if std::mem::take(&mut self.volatile.link.asked_leader) {
            return self.rise(Transition::Planned, cx);
        }
        // It no longer wants to: the leader may go on.
        let record = self.follow();
        self.tell_peer(peer, record, cx);
    }

    fn rise(&mut self, mode: Transition, cx: &mut Context<'_>) {
        let (Some(group), Some(geo)) = (&self.setup.group, &mut self.geo) else { return };
        let takes = group.failover.at(cx.draw(Purpose::Work, [u64::from(geo.epoch), 0]));
        geo.rising = Some((cx.now() + takes, mode));
        // Documents wait for it: it is work.
        cx.timer(takes, GEO | RISE, true);
    }

    /// It leads from now on: its shadows are the documents.
    pub(super) fn rise_due(&mut self, cx: &mut Context<'_>) {
        let leader = self.leader();
        let (Some(group), Some(geo)) = (&self.setup.group, &mut self.geo) else { return };
        let Some((_, mode)) = geo.rising.take_if(|(until, _)| *until <= cx.now()) else { return };
        (geo.planned, geo.leads, geo.books) = (mode == Transition::Planned, true, true);
        (geo.epoch, geo.fence, geo.leader) = (group.next_term(geo.epoch), Fence::No, None);
        (geo.log_epoch, geo.offline) = (geo.epoch, false);
        geo.followers.fill(Follower::Lapsed);
        geo.followers[leader] =
            if geo.planned { Follower::Joined(geo.base) } else { Follower::Offline(None) };
        let (term, at) = ((geo.epoch, geo.base), geo.base);
        for line in &mut self.volatile.link.lines {
            (line.up, line.in_flight, line.shipped) = (false, 0, at);
        }
        self.durable.terms.push(term);
        for table in &self.durable.tables {
            table.inventory(true, &mut |held| {
                let place = held.place;
                cx.observe(held.item, What::Shadow { place, held: false });
                for _ in 0..held.copies {
                    cx.observe(held.item, What::Born { place, cause: Birth::Reborn });
                }
            });
        }
        self.expire(cx);
        self.answer_asks(true, cx);
        self.proclaim(cx);
        self.look(cx);
    }

    /// Answers everybody who asked for the failover that is over.
    pub(super) fn answer_asks(&mut self, well: bool, cx: &mut Context<'_>) {
        let answer = if well { Answer::Done } else { Answer::Refused };
        for Ask { connection, message } in std::mem::take(&mut self.volatile.link.asks) {
            answer_control(connection, &message, answer, cx);
        }
    }

    /// Another region is gone. A planned failover that waited for it will not happen; one that is certain will.
    pub(super) fn answer_lost_asks(&mut self, peer: usize, cx: &mut Context<'_>) {
        let Some(geo) = &self.geo else { return };
        if !geo.leads && geo.rising.is_none() && peer == self.leader() {
            self.volatile.link.asked_leader = false;
            self.answer_asks(false, cx);
        }
    }
}
