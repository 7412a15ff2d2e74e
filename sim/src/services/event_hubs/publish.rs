//! Publishing: what is checked when events arrive, and what happens when their sync completes. Syncs are
//! batched: what arrives while one is under way goes with the next.

use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{ConnectionId, Item};
use crate::message::broker::{Command, Error, Event};
use crate::message::replication::{Change, HubChange};
use crate::message::{Body, Message};
use crate::node::{Context, DiskError};
use crate::observe::{Birth, Handling, What};
use crate::random::mix;
use crate::services::commits::Op;
use crate::services::event_hubs::layout::{self, Part};
use crate::services::event_hubs::namespace::{Namespace, token};
use crate::services::replicas::{Leads, Paired};
use crate::services::throttle::Limit;
use crate::time::Span;

/// How long it takes until there is a throughput unit more \[K\].
const INFLATES_IN: Span = Span::secs(30);

impl Namespace {
    /// Events arrive.
    pub(super) fn publish(&mut self, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        match self.check(connection, &message, cx) {
            Ok(()) => self.live.commits.stage(connection, message, cx),
            Err(error) => self.refuse(connection, &message, error, cx),
        }
    }

    fn check(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        let Body::Broker(Command::Send { part, .. }) = message.body else {
            return Err(Error::InvalidOperation);
        };
        let items = message.cargo.items();
        let first = items.first().copied().unwrap_or_default();
        let occurrence = u64::from(message.attempt);
        self.admit(connection, part, (first, occurrence), cx)?;
        let Some(Part::Hub(hub)) = self.layout.part(part) else { return Err(Error::MessagingEntityNotFound) };
        if cx.strike(Hook::EntityDisabledForSend, part, first, occurrence).is_some()
            || !self.store.enabled[usize::from(hub)]
        {
            return Err(Error::MessagingEntityDisabled);
        }
        let bytes: u64 = items.iter().map(|item| self.layout.size_of(item.stream)).sum();
        let struck = items.iter().any(|item| cx.strike(Hook::MessageTooLarge, part, *item, 0).is_some());
        if struck || bytes > self.layout.largest {
            return Err(Error::MessageSizeExceeded);
        }
        if self.lags() {
            return Err(Error::ServiceBusy);
        }
        self.throttle(part, first, items.len() as u64, bytes, cx)
    }

    /// Takes what the throughput units let in each second (facts 3.1).
    fn throttle(
        &mut self,
        part: u16,
        item: Item,
        events: u64,
        bytes: u64,
        cx: &mut Context<'_>,
    ) -> Result<(), Error> {
        if let Some(strike) = cx.impaired(Hook::BrokerThrottle, part)
            && let Value::Rate(rate) = strike.value
            && !self.live.fault.take(events, Limit::of(rate), cx.now())
        {
            cx.touched(item, strike);
            return Err(Error::ServiceBusy);
        }
        let Some(units) = self.store.units else { return Ok(()) };
        let limits = layout::ingress(units);
        let (costs, now) = ([events, bytes], cx.now());
        let mut meters = self.live.ingress.iter_mut().zip(costs).zip(limits);
        if meters.all(|((meter, cost), limit)| meter.has(cost, limit, now)) {
            // Both have room before either is charged.
            for ((meter, cost), limit) in self.live.ingress.iter_mut().zip(costs).zip(limits) {
                meter.take(cost, limit, now);
            }
            return Ok(());
        }
        if units < self.layout.most_units && !std::mem::replace(&mut self.live.inflating, true) {
            cx.timer(INFLATES_IN, token::of(token::INFLATE, 0), false);
        }
        Err(Error::ServiceBusy)
    }

    /// There is a throughput unit more. There is never one less again.
    pub(super) fn inflated(&mut self) {
        self.live.inflating = false;
        self.store.units = self.store.units.map(|units| (units + 1).min(self.layout.most_units));
    }

    /// A sync is over: its events are in their partitions, or are refused.
    pub(super) fn synced(&mut self, result: Result<(), DiskError>, cx: &mut Context<'_>) {
        let mut ops = self.live.commits.finished();
        for Op { connection, message } in ops.drain(..) {
            match result {
                Ok(()) => self.append(connection, &message, cx),
                Err(DiskError::Failed) => self.refuse(connection, &message, Error::GeneralError, cx),
            }
        }
        self.live.commits.next(ops, cx);
    }

    fn append(&mut self, connection: ConnectionId, message: &Message, cx: &mut Context<'_>) {
        let Body::Broker(Command::Send { part, session: key, execution, .. }) = message.body else { return };
        let Some(Part::Hub(hub)) = self.layout.part(part) else { return };
        let hub = usize::from(hub);
        let place = self.layout.hubs[hub].place;
        let (now, mut sequence, mut filled) = (cx.wall(), 0, Vec::new());
        // A batch without a key goes to one partition as a whole; the next one to the next (facts 3.2).
        let turn = key.is_none().then(|| self.turn(hub));
        for item in message.cargo.items() {
            let keyed = key.identity(*item, execution).map(|key| self.partition_of(hub, key));
            let partition = turn.or(keyed).unwrap_or(0);
            cx.observe_on(connection, *item, What::Born { place, cause: Birth::Stored });
            let change = HubChange::Event { part, partition, item: *item, at: now };
            let logged = self.log(Change::Hub(change)).filter(|_| self.is_sync());
            let log = &mut self.store.logs[hub][usize::from(partition)];
            sequence = log.append(*item, now);
            if let Some(position) = logged {
                log.hide(position);
            }
            self.capture(hub, usize::from(partition), *item, cx);
            if !filled.contains(&partition) {
                filled.push(partition);
            }
        }
        cx.handled(connection, message, Handling::Stored);
        let first = message.cargo.first().unwrap_or_default();
        if cx.strike(Hook::SendAnswerLost, part, first, u64::from(message.attempt)).is_none() {
            self.acknowledge(connection, message.answer(Body::BrokerEvent(Event::Accepted { sequence })), cx);
        }
        self.plan_sweep(hub, cx);
        for partition in filled {
            self.serve_waiting(hub, usize::from(partition), cx);
        }
    }

    fn turn(&mut self, hub: usize) -> u16 {
        let partitions = self.layout.hubs[hub].partitions;
        let turn = &mut self.live.turns[hub];
        let partition = *turn % partitions;
        *turn = (partition + 1) % partitions;
        partition
    }

    /// The same key, the same partition, as long as there are as many of them.
    fn partition_of(&self, hub: usize, key: u64) -> u16 {
        (mix(key, 0x7061_7274) % u64::from(self.layout.hubs[hub].partitions)) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_units_let_in_events_and_bytes_and_let_out_more() {
        let [events, bytes] = layout::ingress(3);
        assert_eq!((events.count, bytes.count), (3000, 3 << 20));
        assert_eq!(layout::egress(2, 8192, 0), Span::secs(1));
        assert_eq!(layout::egress(1, 1, 4 << 20), Span::secs(2));
    }
}
