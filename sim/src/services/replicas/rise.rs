//! Promotion: the follower is asked to lead. Planned, it waits until the leader has stopped and it has
//! everything; forced, it does not. Either takes the documented time, during which nobody serves.

use super::pair::{Ask, Fence, Mode, RISE};
use super::{Leads, Paired, Replica};
use crate::ids::{ConnectionId, ProcessId};
use crate::message::control::{Answer, Transition};
use crate::message::replication::Record;
use crate::message::{Body, Message};
use crate::node::Context;
use crate::observe::{Handling, What};
use crate::random::Purpose;

/// How a follower becomes the leader.
pub trait Rises: Replica {
    /// People or automation ask for a promotion. The answer comes when it is done; who asks again meanwhile
    /// is answered with the others.
    fn promote(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        to: u8,
        mode: Transition,
        cx: &mut Context<'_>,
    ) {
        let (Some(pair), Some(tenure)) = (self.pair(), self.tenure()) else {
            return refuse(connection, message, cx);
        };
        let (here, there) = (to == pair.site, to == pair.peer_site);
        let (leads, rises) = (tenure.leads, tenure.rising.is_some());
        if pair.mode == Mode::NameOnly {
            return self.fail_forward(connection, message, here, mode, cx);
        }
        if here && leads && self.serves() || there && !leads && !rises {
            return done(connection, message, cx);
        }
        let ask = Ask { connection, message: message.answer(Body::Probe) };
        let same = |other: &Ask| (other.connection, other.message.tag) == (ask.connection, ask.message.tag);
        let asks = &mut self.channel_mut().asks;
        asks.retain(|other| !same(other));
        asks.push(ask);
        if there && leads {
            self.tell_peer(Record::Promote { mode }, cx);
        } else if !(here && self.begin(mode, cx)) {
            self.answer_asks(false, cx);
        }
    }

    /// The leader was asked, and passes it on.
    fn asked_by_peer(&mut self, mode: Transition, cx: &mut Context<'_>) {
        if !self.begin(mode, cx) {
            self.tell_peer(Record::Declined, cx);
        }
    }

    /// Begins to take the lead, or goes on with it. False if that is not possible now.
    fn begin(&mut self, mode: Transition, cx: &mut Context<'_>) -> bool {
        let Some(tenure) = self.tenure() else { return false };
        if tenure.leads || tenure.fresh {
            return false;
        }
        if tenure.rising.is_some() {
            return true;
        }
        let epoch = tenure.epoch;
        match mode {
            Transition::Planned if self.channel().waiting => {}
            Transition::Planned => {
                self.channel_mut().waiting = true;
                self.tell_peer(Record::Yield { epoch, planned: true }, cx);
            }
            Transition::Forced => {
                self.channel_mut().waiting = false;
                self.tell_peer(Record::Yield { epoch, planned: false }, cx);
                self.rise(mode, cx);
            }
        }
        true
    }

    /// The leader has stopped, and this one has everything.
    fn yielded(&mut self, epoch: u32, cx: &mut Context<'_>) {
        let Some(tenure) = self.tenure() else { return };
        if tenure.leads || tenure.epoch != epoch || tenure.rising.is_some() {
            return;
        }
        // It may no longer want to: then the leader may go on.
        let (applied, fresh) = (tenure.applied, tenure.fresh);
        if std::mem::take(&mut self.channel_mut().waiting) {
            return self.rise(Transition::Planned, cx);
        }
        self.tell_peer(Record::Follow { epoch, applied, fresh, rising: false }, cx);
    }

    /// It will lead.
    fn rise(&mut self, mode: Transition, cx: &mut Context<'_>) {
        let (Some(pair), Some(tenure)) = (self.pair(), self.tenure()) else { return };
        let takes = pair.promotion.at(cx.draw(Purpose::Work, [u64::from(tenure.epoch), 0]));
        if let Some(tenure) = self.tenure_mut() {
            tenure.rising = Some((cx.now() + takes, mode));
        }
        // Messages wait for it: it is work.
        cx.timer(takes, Self::token(RISE), true);
    }

    /// It leads from now on: its shadows are the real thing.
    fn rise_due(&mut self, cx: &mut Context<'_>) {
        let once = self.pair().is_some_and(|pair| pair.once);
        let Some(tenure) = self.tenure_mut() else { return };
        let Some((_, mode)) = tenure.rising.take_if(|(until, _)| *until <= cx.now()) else { return };
        tenure.planned = mode == Transition::Planned;
        tenure.paired = tenure.planned || !once;
        (tenure.leads, tenure.epoch, tenure.joined) = (true, tenure.epoch + 1, tenure.planned);
        (tenure.base, tenure.joins_at, tenure.fence) = (0, None, Fence::No);
        tenure.log.clear();
        let channel = self.channel_mut();
        (channel.shipped, channel.in_flight, channel.up) = (0, 0, false);
        (channel.writing, channel.written_next) = (Vec::new(), Vec::new());
        self.take_over(cx);
        self.answer_asks(true, cx);
        self.proclaim(cx);
        self.look(cx);
    }

    /// Tells the name and the control plane that it leads.
    fn proclaim(&self, cx: &mut Context<'_>) {
        let (Some(pair), Some(tenure)) = (self.pair(), self.tenure()) else { return };
        if tenure.leads {
            let record = Record::Lead { epoch: tenure.epoch, planned: tenure.planned };
            let to = |process: &ProcessId| cx.tell(*process, Message::new(Body::Replica(record.clone())));
            pair.before.iter().for_each(to);
        }
    }

    /// Nothing is replicated: the other one takes over the name. It has what it has; the pairing is over
    /// (facts 1.9, Geo-DR). There is no planned way.
    fn fail_forward(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        here: bool,
        mode: Transition,
        cx: &mut Context<'_>,
    ) {
        let Some(tenure) = self.tenure_mut() else { return };
        match (here, tenure.leads) {
            (true, true) | (false, false) => done(connection, message, cx),
            (true, false) if tenure.paired && mode == Transition::Forced => {
                (tenure.leads, tenure.paired, tenure.epoch) = (true, false, tenure.epoch + 1);
                self.tell_peer(Record::Unpaired, cx);
                self.proclaim(cx);
                done(connection, message, cx);
            }
            _ => refuse(connection, message, cx),
        }
    }

    /// Answers everybody who asked for the promotion that is over.
    fn answer_asks(&mut self, well: bool, cx: &mut Context<'_>) {
        for Ask { connection, message } in std::mem::take(&mut self.channel_mut().asks) {
            if well { done(connection, &message, cx) } else { refuse(connection, &message, cx) }
        }
    }

    /// The other one is gone. What was asked of it will not happen; a promotion that is certain will.
    fn answer_lost_asks(&mut self, cx: &mut Context<'_>) {
        if self.tenure().is_some_and(|tenure| tenure.rising.is_none()) {
            self.answer_asks(false, cx);
        }
    }
}

impl<R: Replica> Rises for R {}

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
