//! The leader: what it changes goes into the log, the log goes to the follower, and what waits for that
//! goes on when the follower has it.

use std::sync::Arc;

use super::pair::{Fence, Logged, SHIP};
use super::{Paired, Replica};
use crate::ids::ConnectionId;
use crate::message::replication::{Change, Record};
use crate::message::{Body, Cargo, Message};
use crate::node::Context;
use crate::time::Span;

/// So many batches may be under way at once \[K\].
const WINDOW: u32 = 16;
/// So many changes make a batch at most \[K\].
const BATCH: usize = 256;

/// What a leader does.
pub trait Leads: Replica {
    /// Puts a change into the log. Returns the position after it, if there is a log.
    fn log(&mut self, change: Change) -> Option<u64> {
        let at = self.channel().now;
        let tenure = self.tenure_mut().filter(|tenure| tenure.logs())?;
        tenure.log.push_back(Logged { at, change });
        Some(tenure.end())
    }

    /// Whether there is a log at all.
    fn logs(&self) -> bool {
        self.tenure().is_some_and(super::Tenure::logs)
    }

    /// Whether what was logged up to there may be shown: under `sync` only once the follower has it.
    fn may_show(&self, position: u64) -> bool {
        position == 0 || !self.is_sync() || self.tenure().is_none_or(|tenure| tenure.base >= position)
    }

    /// Answers that something was done: under `sync` as soon as the follower has it too.
    fn acknowledge(&mut self, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        match self.tenure() {
            Some(tenure) if tenure.base < tenure.end() && self.is_sync() => {
                let end = tenure.end();
                self.channel_mut().unanswered.push_back((end, connection, message));
            }
            _ => cx.answer(connection, message),
        }
    }

    /// Sends what is new in the log.
    fn ship(&mut self, cx: &mut Context<'_>) {
        let (Some(pair), Some(tenure)) = (self.pair(), self.tenure()) else { return };
        let channel = self.channel();
        if !tenure.leads || !channel.up {
            return;
        }
        let (mut shipped, mut in_flight) = (channel.shipped, channel.in_flight);
        let now = channel.now;
        let delay = if tenure.fence == Fence::No { pair.delay } else { Span::ZERO };
        let waits = |logged: &Logged| (logged.at + delay).since(now);
        while in_flight < WINDOW && shipped < tenure.end() {
            let start = (shipped - tenure.base) as usize;
            let mut end = (start + BATCH).min(tenure.log.len());
            if !delay.is_zero() {
                end =
                    start + tenure.log.range(start..end).take_while(|logged| waits(logged).is_zero()).count();
            }
            if end == start {
                break;
            }
            let changes: Vec<Change> =
                tenure.log.range(start..end).map(|logged| logged.change.clone()).collect();
            let cargo = Cargo::of(changes.iter().flat_map(Change::items).copied().collect());
            let record = Record::Ship { epoch: tenure.epoch, from: shipped, changes: Arc::new(changes) };
            shipped = tenure.base + end as u64;
            in_flight += 1;
            cx.tell(pair.peer, Message::new(Body::Replica(record)).carrying(cargo));
        }
        let next = tenure.log.get((shipped - tenure.base) as usize).map(waits);
        let channel = self.channel_mut();
        (channel.shipped, channel.in_flight) = (shipped, in_flight);
        if let Some(wait) = next.filter(|wait| !wait.is_zero())
            && !std::mem::replace(&mut channel.holding, true)
        {
            // Items wait for it: it is work.
            cx.timer(wait, Self::token(SHIP), true);
        }
    }

    /// The follower has the log up to there.
    fn acked(&mut self, epoch: u32, upto: u64, cx: &mut Context<'_>) {
        if self.tenure().is_none_or(|tenure| !tenure.leads || tenure.epoch != epoch) {
            return;
        }
        let channel = self.channel_mut();
        channel.up = true;
        channel.in_flight = channel.in_flight.saturating_sub(1);
        self.trim(upto, cx);
        self.check_drained(cx);
    }

    /// Forgets what the follower has, and lets go on what waited for that.
    fn trim(&mut self, upto: u64, cx: &mut Context<'_>) {
        let sync = self.is_sync();
        let Some(tenure) = self.tenure_mut() else { return };
        let mut released = Vec::new();
        while tenure.base < upto
            && let Some(logged) = tenure.log.pop_front()
        {
            tenure.base += 1;
            if sync {
                released.push(logged.change);
            }
        }
        if tenure.joins_at.is_some_and(|at| tenure.base >= at) {
            (tenure.joined, tenure.joins_at) = (true, None);
        }
        let base = tenure.base;
        let channel = self.channel_mut();
        channel.shipped = channel.shipped.max(base);
        while let Some((position, _, _)) = channel.unanswered.front()
            && *position <= base
            && let Some((_, connection, message)) = channel.unanswered.pop_front()
        {
            cx.answer(connection, message);
        }
        if !released.is_empty() {
            self.released(&released, cx);
        }
    }

    /// Looks for the follower, and says that it leads.
    fn look(&mut self, cx: &mut Context<'_>) {
        let Some(tenure) = self.tenure() else { return };
        if !self.replicates() {
            if tenure.leads && !tenure.paired {
                self.tell_peer(Record::Unpaired, cx);
            }
        } else if tenure.leads && !self.channel().up {
            self.tell_peer(Record::Lead { epoch: tenure.epoch, planned: tenure.planned }, cx);
        }
    }

    /// The follower says how far it is.
    fn followed(&mut self, epoch: u32, applied: u64, fresh: bool, rising: bool, cx: &mut Context<'_>) {
        let Some(tenure) = self.tenure() else { return };
        if !tenure.leads || tenure.epoch != epoch {
            return;
        }
        let fence = tenure.fence;
        let channel = self.channel_mut();
        (channel.up, channel.in_flight) = (true, 0);
        let checked = std::mem::take(&mut channel.checking);
        if fresh {
            // One that is alone wants nobody to follow.
            if self.tenure().is_some_and(|tenure| tenure.paired) {
                self.snapshot();
            }
        } else {
            self.trim(applied, cx);
        }
        if let Some(base) = self.tenure().map(|tenure| tenure.base) {
            self.channel_mut().shipped = base;
        }
        match fence {
            Fence::No if checked => self.reopen(cx),
            Fence::No => {}
            Fence::Draining | Fence::Given if !rising => self.resume(cx),
            Fence::Draining => self.check_drained(cx),
            Fence::Given => self.tell_peer(Record::Yielded { epoch }, cx),
        }
    }

    /// The log begins anew, with everything that there is.
    fn snapshot(&mut self) {
        let Some(tenure) = self.tenure_mut() else { return };
        tenure.base = tenure.end();
        tenure.log.clear();
        tenure.joins_at = Some(tenure.base);
        self.log(Change::Clear);
        self.log_everything();
        if let Some(tenure) = self.tenure_mut() {
            tenure.joins_at = Some(tenure.end());
        }
    }

    /// Somebody is to lead instead.
    fn asked_to_yield(&mut self, epoch: u32, planned: bool, cx: &mut Context<'_>) {
        let Some(tenure) = self.tenure_mut() else { return };
        if !tenure.leads || epoch != tenure.epoch {
            return;
        }
        if tenure.fence == Fence::No {
            tenure.fence = if planned { Fence::Draining } else { Fence::Given };
            self.quiet(cx);
        }
        self.check_drained(cx);
    }

    /// Says that everything is there, as soon as it is.
    fn check_drained(&mut self, cx: &mut Context<'_>) {
        let up = self.channel().up;
        let Some(tenure) = self.tenure_mut() else { return };
        if tenure.fence == Fence::Draining && tenure.log.is_empty() && up {
            tenure.fence = Fence::Given;
            let epoch = tenure.epoch;
            self.tell_peer(Record::Yielded { epoch }, cx);
        }
    }

    /// Nobody leads instead after all: it serves again. All locks are lost, as after a crash.
    fn resume(&mut self, cx: &mut Context<'_>) {
        if let Some(tenure) = self.tenure_mut() {
            tenure.fence = Fence::No;
        }
        self.reopen(cx);
    }
}

impl<R: Replica> Leads for R {}
