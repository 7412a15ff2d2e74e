//! The follower: it writes the leader's log down and keeps shadows of what the leader holds.

use super::pair::{Batch, Fence, SYNC};
use super::{Paired, Replica, Rises};
use crate::message::replication::{Change, Record};
use crate::message::{Body, Message};
use crate::node::{Context, DiskError};

/// What a follower does.
pub(super) trait Follows: Replica {
    /// A batch of the log arrives.
    fn shipped(&mut self, batch: Batch, cx: &mut Context<'_>) {
        let Some(tenure) = self.tenure() else { return };
        if tenure.leads {
            return self.contest(batch.epoch, cx);
        }
        if batch.epoch != tenure.epoch || tenure.rising.is_some() {
            return;
        }
        let channel = self.channel_mut();
        channel.up = true;
        channel.written_next.push(batch);
        if channel.writing.is_empty() {
            self.write(cx);
        }
    }

    /// Writes down what has come meanwhile.
    fn write(&mut self, cx: &mut Context<'_>) {
        let channel = self.channel_mut();
        std::mem::swap(&mut channel.writing, &mut channel.written_next);
        if channel.writing.is_empty() {
            return;
        }
        channel.syncs += 1;
        let about = channel.writing[0].changes.iter().flat_map(Change::items).next().copied();
        cx.sync(SYNC | channel.syncs, about.unwrap_or_default());
    }

    /// How far it is.
    fn follow(&self) -> Record {
        let waiting = self.channel().waiting;
        self.tenure().map_or(Record::Declined, |tenure| Record::Follow {
            epoch: tenure.epoch,
            applied: tenure.applied,
            fresh: tenure.fresh,
            rising: waiting || tenure.rising.is_some(),
        })
    }

    /// Somebody says that it leads.
    fn led(&mut self, epoch: u32, planned: bool, cx: &mut Context<'_>) {
        let Some(tenure) = self.tenure_mut() else { return };
        if epoch < tenure.epoch || epoch == tenure.epoch && tenure.leads {
            return self.contest(epoch, cx);
        }
        if epoch > tenure.epoch {
            if tenure.leads {
                self.depose(epoch, planned, cx);
            } else {
                (tenure.epoch, tenure.fresh, tenure.applied, tenure.rising) = (epoch, true, 0, None);
            }
        }
        self.channel_mut().up = true;
        let record = self.follow();
        self.tell_peer(record, cx);
    }

    /// The other one thinks that it leads, and does not know that its term is over.
    fn contest(&mut self, epoch: u32, cx: &mut Context<'_>) {
        if let Some(tenure) = self.tenure()
            && tenure.leads
            && epoch < tenure.epoch
        {
            self.tell_peer(Record::Lead { epoch: tenure.epoch, planned: tenure.planned }, cx);
        }
    }

    /// It leads no more. Its copies end here: those that were replicated live on at the new leader, the
    /// rest is the tail that a forced promotion loses.
    fn depose(&mut self, epoch: u32, planned: bool, cx: &mut Context<'_>) {
        self.quiet(cx);
        let channel = self.channel_mut();
        channel.unanswered.clear();
        (channel.in_flight, channel.checking) = (0, false);
        let Some(tenure) = self.tenure_mut() else { return };
        let keeps = planned && tenure.fence == Fence::Given;
        (tenure.leads, tenure.epoch, tenure.fence) = (false, epoch, Fence::No);
        (tenure.applied, tenure.fresh, tenure.base, tenure.joins_at) = (0, !keeps, 0, None);
        tenure.log.clear();
        self.give_up(keeps, cx);
        self.answer_asks(true, cx);
    }

    /// Takes changes over. False if there is a gap before them.
    fn apply_all(&mut self, from: u64, changes: &[Change], cx: &mut Context<'_>) -> bool {
        let Some(tenure) = self.tenure_mut() else { return false };
        if matches!(changes.first(), Some(Change::Clear)) {
            tenure.applied = from;
            tenure.fresh = false;
        }
        if tenure.fresh || from > tenure.applied {
            return false;
        }
        let known = tenure.applied - from;
        tenure.applied = tenure.applied.max(from + changes.len() as u64);
        for change in changes.iter().skip(known as usize) {
            self.apply(change, cx);
        }
        true
    }
}

impl<R: Replica> Follows for R {}

/// The rest of what a follower does: batches are durable, or are not; then the leader sends them again when
/// it looks.
pub trait Writes: Replica {
    /// The sync with a token that has [`SYNC`] in it is over.
    fn written(&mut self, result: Result<(), DiskError>, cx: &mut Context<'_>) {
        let batches = std::mem::take(&mut self.channel_mut().writing);
        for batch in batches {
            let live = self.tenure().is_some_and(|tenure| {
                !tenure.leads && tenure.epoch == batch.epoch && tenure.rising.is_none() && result.is_ok()
            });
            if !live {
                continue;
            }
            let complete = self.apply_all(batch.from, &batch.changes, cx);
            let record = match self.tenure() {
                Some(tenure) if complete => Record::Ack { epoch: tenure.epoch, upto: tenure.applied },
                _ => self.follow(),
            };
            cx.answer(batch.connection, Message::new(Body::Replica(record)));
        }
        if result.is_err() {
            let record = self.follow();
            self.tell_peer(record, cx);
        }
        self.write(cx);
    }
}

impl<R: Replica> Writes for R {}
