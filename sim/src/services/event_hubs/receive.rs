//! Reading: each consumer group has one reader of a partition at a time, the newest (all have the owner
//! level 0, facts 3.2). A reader who asks when there is nothing new waits for it for a while.

use crate::faults::Hook;
use crate::ids::{ConnectionId, Item};
use crate::message::broker::{Command, Error, Event};
use crate::message::replication::{Change, HubChange};
use crate::message::{Body, Cargo, Message};
use crate::node::Context;
use crate::observe::{End, What};
use crate::services::event_hubs::layout::{self, Part};
use crate::services::event_hubs::namespace::{Namespace, token};
use crate::services::replicas::Leads;
use crate::time::Span;

/// A reader who has waited for so long is told that nothing came (facts 3.3 MaximumWaitTime).
pub const LONG_POLL: Span = Span::secs(60);

/// The reader of a partition in a consumer group.
#[derive(Clone, Debug, Default)]
pub(super) struct Reader {
    /// Who; 0: nobody.
    owner: u64,
    waiting: Option<Waiting>,
    /// Counts the requests: the timer of an earlier one is out of date.
    serial: u32,
}

/// A request for events that are not there yet.
#[derive(Clone, Debug)]
struct Waiting {
    connection: ConnectionId,
    /// The request, to be answered.
    message: Message,
    after: u64,
    max: u32,
}

/// An answer that waits for its turn to go out.
#[derive(Clone, Debug)]
pub(super) struct Delayed {
    connection: ConnectionId,
    answer: Message,
}

impl Namespace {
    /// Somebody asks for events.
    pub(super) fn receive(&mut self, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        let Body::Broker(Command::Receive { part, partition, after, max, owner, opens, done }) = message.body
        else {
            return;
        };
        let found = match self.layout.part(part) {
            Some(Part::Group { hub, group }) => {
                (usize::from(hub), usize::from(partition), usize::from(group))
            }
            _ => return self.refuse(connection, &message, Error::MessagingEntityNotFound, cx),
        };
        let (hub, partition, group) = found;
        if partition >= self.store.logs[hub].len() {
            return self.refuse(connection, &message, Error::MessagingEntityNotFound, cx);
        }
        if self.settle(hub, partition, group, done, cx) {
            self.log(Change::Hub(HubChange::Done { part, partition: partition as u16, done }));
        }
        if let Err(error) = self.may_read(connection, hub, cx) {
            return self.refuse(connection, &message, error, cx);
        }
        let known = &self.live.readers[hub][partition][group];
        if !self.store.logs[hub][partition].knows(after) {
            // "The supplied sequence number is invalid": that of another namespace, after a Geo-DR failover \[K\].
            return self.refuse(connection, &message, Error::InvalidOperation, cx);
        }
        if !opens && known.owner != 0 && known.owner != owner {
            return self.refuse(connection, &message, Error::ConsumerDisconnected, cx);
        }
        self.disconnect((hub, partition, group), owner, cx);
        let reader = &mut self.live.readers[hub][partition][group];
        reader.owner = owner;
        reader.serial = reader.serial.wrapping_add(1);
        reader.waiting = Some(Waiting { connection, message, after, max });
        if !self.serve((hub, partition, group), cx) {
            let serial = u64::from(self.live.readers[hub][partition][group].serial & 0xf_ffff);
            let about = serial << 36 | (hub as u64) << 26 | (partition as u64) << 12 | group as u64;
            cx.timer(LONG_POLL, token::of(token::EMPTY, about), false);
        }
    }

    /// Ends the copies that all who read have done. True if the group is further than it was known to be.
    pub(super) fn settle(
        &mut self,
        hub: usize,
        partition: usize,
        group: usize,
        done: u64,
        cx: &mut Context<'_>,
    ) -> bool {
        let settings = &self.layout.hubs[hub];
        let place = settings.place;
        let log = &mut self.store.logs[hub][partition];
        let before = log.waiting(group);
        log.settle(group, done, &settings.read, |item| {
            cx.observe(item, What::Ended { place, cause: End::Completed });
        });
        log.waiting(group) != before
    }

    fn may_read(&mut self, connection: ConnectionId, hub: usize, cx: &mut Context<'_>) -> Result<(), Error> {
        let part = self.layout.hubs[hub].part;
        self.admit(connection, part, (Item::NONE, 0), cx)?;
        if cx.strike(Hook::LinkDetach, part, Item::NONE, 0).is_some() {
            return Err(Error::ServiceCommunicationProblem);
        }
        if let Some(strike) = cx.impaired(Hook::EntityDisabledForReceive, part) {
            cx.touched(Item::NONE, strike);
            return Err(Error::MessagingEntityDisabled);
        }
        if !self.store.enabled[hub] {
            return Err(Error::MessagingEntityDisabled);
        }
        Ok(())
    }

    /// Whoever else waits at this partition has lost it.
    fn disconnect(&mut self, (hub, partition, group): (usize, usize, usize), by: u64, cx: &mut Context<'_>) {
        let reader = &mut self.live.readers[hub][partition][group];
        let other = reader.owner != by;
        if let Some(waiting) = reader.waiting.take()
            && other
        {
            self.refuse(waiting.connection, &waiting.message, Error::ConsumerDisconnected, cx);
        }
    }

    /// Nobody may read this hub any more.
    pub(super) fn disconnect_all(&mut self, hub: usize, why: Error, cx: &mut Context<'_>) {
        let readers = self.live.readers[hub].iter_mut().flatten();
        let waiting: Vec<Waiting> = readers.filter_map(|reader| reader.waiting.take()).collect();
        for one in waiting {
            self.refuse(one.connection, &one.message, why, cx);
        }
    }

    /// New events are in a partition.
    pub(super) fn serve_waiting(&mut self, hub: usize, partition: usize, cx: &mut Context<'_>) {
        if let Some(strike) = cx.impaired(Hook::EntityDisabledForReceive, self.layout.hubs[hub].part) {
            cx.touched(Item::NONE, strike);
            return self.disconnect_all(hub, Error::MessagingEntityDisabled, cx);
        }
        for group in 0..self.live.readers[hub][partition].len() {
            self.serve((hub, partition, group), cx);
        }
    }

    /// Gives the reader who waits what there is. False if he goes on waiting.
    fn serve(&mut self, (hub, partition, group): (usize, usize, usize), cx: &mut Context<'_>) -> bool {
        self.unhide(hub, partition);
        let reader = &mut self.live.readers[hub][partition][group];
        let Some(waiting) = &reader.waiting else { return true };
        let (items, upto) = self.store.logs[hub][partition].read(waiting.after, waiting.max as usize);
        if items.is_empty() {
            return false;
        }
        let Some(waiting) = reader.waiting.take() else { return true };
        let answer = Event::Received { partition: partition as u16, upto };
        let bytes = items.iter().map(|item| self.layout.size_of(item.stream)).sum();
        let wait = self.egress(items.len() as u64, bytes, cx);
        let answer = waiting.message.answer(Body::BrokerEvent(answer)).carrying(Cargo::of(items));
        if wait.is_zero() {
            cx.answer(waiting.connection, answer);
        } else {
            let slot = self.live.delayed.insert(Delayed { connection: waiting.connection, answer });
            cx.timer(wait, token::of(token::DELAYED, u64::from(slot)), true);
        }
        true
    }

    fn unhide(&mut self, hub: usize, partition: usize) {
        let mut log = std::mem::take(&mut self.store.logs[hub][partition]);
        log.unhide(|position| self.may_show(position));
        self.store.logs[hub][partition] = log;
    }

    /// How long this waits until it may go out. Nobody is told that there is a limit (facts 3.1).
    fn egress(&mut self, events: u64, bytes: u64, cx: &Context<'_>) -> Span {
        let Some(units) = self.store.units else { return Span::ZERO };
        let wait = self.live.egress.since(cx.now());
        let lasts = layout::egress(units, events, bytes);
        self.live.turns_out.take(cx.now() + wait, lasts);
        self.live.egress = cx.now() + wait + lasts;
        wait
    }

    /// It is the turn of an answer.
    pub(super) fn let_out(&mut self, slot: u32, cx: &mut Context<'_>) {
        if let Some(Delayed { connection, answer }) = self.live.delayed.take(slot) {
            cx.answer(connection, answer);
        }
    }

    /// A reader has waited long enough.
    pub(super) fn nothing_came(&mut self, about: u64, cx: &mut Context<'_>) {
        let (serial, hub) = (about >> 36 & 0xf_ffff, (about >> 26 & 0x3ff) as usize);
        let (partition, group) = ((about >> 12 & 0x3fff) as usize, (about & 0xfff) as usize);
        let reader = &mut self.live.readers[hub][partition][group];
        if u64::from(reader.serial & 0xf_ffff) != serial {
            return;
        }
        let Some(waiting) = reader.waiting.take() else { return };
        let (_, upto) = self.store.logs[hub][partition].read(waiting.after, 0);
        let answer = Event::Received { partition: partition as u16, upto };
        cx.answer(waiting.connection, waiting.message.answer(Body::BrokerEvent(answer)));
    }

    /// Nobody waits on this connection any more.
    pub(super) fn closed(&mut self, connection: ConnectionId) {
        self.live.connections.close(connection);
        let readers = self.live.readers.iter_mut().flatten().flatten();
        for reader in readers {
            reader.waiting.take_if(|waiting| waiting.connection == connection);
        }
    }
}
