//! `cosmos-db`: Cosmos DB, API for NoSQL (facts 1): an account, or one region of it.
//!
//! A request is admitted by the budget of its physical partition, or answered 429 with the time to wait.
//! A write takes effect when the local quorum has it, at the end of its latency; the replicas are its
//! disk. A transactional batch reaches one logical partition only. Every change stands once in the change
//! feed of its range, in the order of the writes; rows that expire leave the feed.

mod budget;
mod config;
mod expiry;
mod feed;
mod geo;
mod regions;
#[cfg(test)]
mod tests;

pub use config::{Consistency, CosmosDb, Writes};

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::faults::Hook;
use crate::ids::{ConnectionId, Item, Once, ProcessId};
use crate::message::replication;
use crate::message::store::{Answer, Command, Error, LeaseAction, Operation};
use crate::message::{Body, Cargo, Message, control};
use crate::node::{Context, Gauge, Input, Process};
use crate::observe::{End, Handling, Held, Symptom, What};
use crate::random::mix;
use crate::services::front::{self, Front, Pending, answer_control};
use crate::services::store::{about, answer_probe, book, done, refuse};
use crate::services::tables::{self, Change, Table};
use crate::time::{Span, Time};
use crate::units::Sampler;

use budget::{Budgets, RU};
use expiry::{Expiries, Expiry};
use feed::Feed;
use geo::{Geo, Group, Link};

/// What never changes about an account.
#[derive(Debug)]
struct Setup {
    partition_by: Once,
    /// Of each physical partition, in hundredths of a unit a second.
    budget: u64,
    ranges: usize,
    write: Sampler,
    read: Sampler,
    /// For each KB, in hundredths of a unit.
    write_charge: u64,
    read_charge: u64,
    timeout: Span,
    expiration: Span,
    /// Of which parts the rows wait for a reader of the feed.
    waits: Vec<bool>,
    /// The other regions, if there are any.
    group: Option<Group>,
}

/// An account, or one region of it.
#[derive(Clone, Debug)]
pub struct CosmosDbProcess {
    setup: Arc<Setup>,
    durable: Account,
    /// Durable too: what this region knows of the others.
    geo: Option<Geo>,
    volatile: Volatile,
}

/// What an account holds: what one region takes over from another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    tables: Vec<Table>,
    feed: Feed,
    expiries: Expiries,
    /// The terms of its write regions, and the position in the log at which each began; the first is not
    /// written down.
    terms: Vec<(u32, u64)>,
}

#[derive(Clone, Debug)]
struct Volatile {
    front: Front,
    budgets: Budgets,
    journal: Vec<Change>,
    /// For when the expiry timer is armed, on the wall clock.
    expiry_due: Time,
    link: Link,
}

/// The limits of a transactional batch (facts 1.1).
const BATCH_OPERATIONS: usize = 100;
const BATCH_BYTES: u64 = 2 << 20;
/// The largest document (facts 1.1).
const DOCUMENT_BYTES: u64 = 2 << 20;

/// Marks the timer at which rows expire.
const EXPIRE: u64 = 1 << 40;
/// Marks the timer at which the service gives a request up.
const GIVE_UP: u64 = 1 << 41;
/// Marks the timers that are about the other regions.
const GEO: u64 = 1 << 42;

impl CosmosDbProcess {
    fn new(setup: Setup, tables: Vec<Table>, feed: Feed, budgets: Budgets) -> Self {
        let durable = Account { tables, feed, expiries: Expiries::default(), terms: Vec::new() };
        let geo = setup.group.as_ref().map(Geo::new);
        Self { setup: Arc::new(setup), durable, geo, volatile: Volatile::new(budgets) }
    }

    /// The logical partition of the item's document in this part.
    fn partition_key(&self, part: u16, item: Item) -> u64 {
        let by = self.setup.partition_by;
        let mut hash = 0x636f_736d_6f73;
        if by.has(Once::KEY) {
            hash = mix(hash, u64::from(item.key));
        }
        if by.has(Once::ITEM) {
            hash = mix(hash, item.identity());
        }
        if by.has(Once::TYPE) {
            hash = mix(hash, u64::from(part));
        }
        mix(hash, 0x7061_7274)
    }

    /// The physical partition, and feed range, of the item's document in this part.
    fn range(&self, part: u16, item: Item) -> usize {
        let key = u128::from(self.partition_key(part, item));
        ((key * self.setup.ranges as u128) >> 64) as usize
    }

    fn arrive(&mut self, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        let Body::Store(command) = &message.body else { return };
        let (part, run) = about(command);
        let item = message.cargo.first().unwrap_or_default();
        let occurrence = self.volatile.front.occurrence(&message, run);
        if self.volatile.front.is_down(cx, part, item, occurrence) {
            return refuse(connection, &message, Error::Unavailable, None, cx);
        }
        if self.volatile.front.is_exhausted(cx, part, item) {
            return refuse(connection, &message, Error::ConnectionLimit, None, cx);
        }
        if let Command::Write { operations, .. } = command
            && !self.is_possible(operations, message.cargo.items(), cx)
        {
            return refuse(connection, &message, Error::BadRequest, None, cx);
        }
        if let Some(error) = self.barred(command) {
            return refuse(connection, &message, error, None, cx);
        }
        if matches!(command, Command::Write { .. })
            && let Some(wait) = self.too_stale(cx)
        {
            return refuse(connection, &message, Error::TooManyRequests, Some(wait), cx);
        }
        if let Some(wait) = self.admit(command, message.cargo.items(), part, item, cx) {
            return refuse(connection, &message, Error::TooManyRequests, Some(wait), cx);
        }
        let setup = &self.setup;
        let usual = if matches!(command, Command::Write { .. }) { &setup.write } else { &setup.read };
        let service = self.volatile.front.service_time(cx, usual, part, item, occurrence);
        let work = !message.cargo.is_empty();
        let atomic = matches!(command, Command::Write { operations, .. } if operations.len() > 1);
        let token = self.volatile.front.keep(Pending { connection, message });
        if service <= setup.timeout {
            cx.timer(service, token, work);
        } else {
            // A batch that takes too long is rolled back; another request goes on unanswered.
            cx.timer(setup.timeout, token | GIVE_UP, work);
            if !atomic {
                cx.timer(service, token, work);
            }
        }
    }

    /// Whether a batch keeps to the limits and to one logical partition, and documents are small enough.
    fn is_possible(&self, operations: &[Operation], items: &[Item], cx: &Context<'_>) -> bool {
        if operations.iter().any(|operation| usize::from(operation.part) >= self.durable.tables.len()) {
            return false;
        }
        let size = |item: &Item| cx.plan().item_bytes(item.stream);
        if operations.len() <= 1 {
            return items.iter().all(|item| size(item) <= DOCUMENT_BYTES);
        }
        let bytes: u64 = items.iter().map(size).sum::<u64>() * operations.len() as u64;
        let mut keys = items.iter().flat_map(|item| {
            operations.iter().map(move |operation| self.partition_key(operation.part, *item))
        });
        let first = keys.next();
        items.len() * operations.len() <= BATCH_OPERATIONS
            && bytes <= BATCH_BYTES
            && keys.all(|key| Some(key) == first)
    }

    /// Charges the request, or says how long to wait until it can be.
    fn admit(
        &mut self,
        command: &Command,
        items: &[Item],
        part: u16,
        item: Item,
        cx: &mut Context<'_>,
    ) -> Option<Span> {
        let mut charges = self.charges(command, items, cx);
        let fault = cx.impaired(Hook::DatabaseThrottle, part);
        let throttle = fault
            .and_then(front::limit)
            .map(|rate| (rate.a_second() * RU as f64) as u64 / self.setup.ranges as u64);
        let limit = throttle.map_or(self.setup.budget, |throttle| throttle.min(self.setup.budget));
        let now = cx.now();
        let budgets = &mut self.volatile.budgets;
        let longest = charges.iter().map(|(range, _)| budgets.wait(*range, now, limit)).max();
        if let Some(wait) = longest.filter(|wait| !wait.is_zero()) {
            if let Some(fault) = fault {
                cx.touched(item, fault);
            }
            return Some(wait);
        }
        for (range, units) in charges.drain(..) {
            budgets.charge(range, units);
        }
        None
    }

    /// What a request costs, by physical partition. Leases are kept in a container of their own.
    fn charges(
        &self,
        command: &Command,
        items: &[Item],
        cx: &Context<'_>,
    ) -> smallvec::SmallVec<[(usize, u64); 4]> {
        let kilobytes = |item: &Item| cx.plan().item_bytes(item.stream).div_ceil(1024).max(1);
        match command {
            Command::Write { operations, .. } => {
                let write = |item: &Item, operation: &Operation| {
                    (self.range(operation.part, *item), kilobytes(item) * self.setup.write_charge)
                };
                let each =
                    items.iter().flat_map(|item| operations.iter().map(move |operation| (item, operation)));
                each.map(|(item, operation)| write(item, operation)).collect()
            }
            Command::Read { part } => {
                let read = |item: &Item| (self.range(*part, *item), kilobytes(item) * self.setup.read_charge);
                items.iter().map(read).collect()
            }
            // What a page costs is known when it is read; here only the request itself.
            Command::ReadFeed { range, .. } if usize::from(*range) < self.setup.ranges => {
                smallvec::smallvec![(usize::from(*range), self.setup.read_charge)]
            }
            Command::ReadFeed { .. }
            | Command::Lease { .. }
            | Command::Poll { .. }
            | Command::Owners { .. } => smallvec::SmallVec::new(),
        }
    }

    /// The latency of a request is over.
    fn serve(&mut self, pending: Pending, cx: &mut Context<'_>) {
        let Pending { connection, message } = pending;
        let Body::Store(command) = &message.body else { return };
        let (part, run) = about(command);
        let item = message.cargo.first().unwrap_or_default();
        if self.volatile.front.went_down(cx, part, item) {
            return cx.close(connection); // it died with this request in its hands
        }
        if let Some(error) = self.barred(command) {
            return refuse(connection, &message, error, None, cx);
        }
        match *command {
            Command::Write { .. } => self.write(connection, &message, part, run, item, cx),
            Command::Read { part } => self.read(connection, &message, part, cx),
            Command::Lease { processor, range, owner, how } => {
                self.lease(connection, &message, (processor, range, owner), how, cx);
            }
            Command::ReadFeed { part, range, after, max } => {
                self.read_feed(connection, &message, (part, range, after, max), cx);
            }
            // A container has no order that could be polled.
            Command::Poll { .. } | Command::Owners { .. } => {
                refuse(connection, &message, Error::BadRequest, None, cx);
            }
        }
    }

    fn write(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        part: u16,
        run: u64,
        item: Item,
        cx: &mut Context<'_>,
    ) {
        let Body::Store(Command::Write { operations, execution }) = &message.body else { return };
        let occurrence = self.volatile.front.occurrence(message, run);
        // 403.3: not the write region now. 449: another write to the same document was faster.
        let refused = [(Hook::DatabaseReadOnly, Error::ReadOnly), (Hook::DatabaseDeadlock, Error::Deadlock)]
            .into_iter()
            .find(|(hook, _)| cx.strike(*hook, part, item, occurrence).is_some());
        if let Some((_, error)) = refused {
            return refuse(connection, message, error, None, cx);
        }
        if cx.strike(Hook::DependencyWrongAnswer, part, item, occurrence).is_some() {
            cx.observe(item, What::Symptom(Symptom::Misled));
            return done(connection, message, true, cx); // it says yes and has done nothing
        }
        let mut journal = std::mem::take(&mut self.volatile.journal);
        let items = message.cargo.items();
        match tables::transact(&mut self.durable.tables, operations, items, *execution, true, &mut journal) {
            Err(error) => refuse(connection, message, error, None, cx),
            Ok(()) => {
                for change in &journal {
                    self.publish(change, cx);
                }
                if self.is_multi() {
                    self.book_here(connection, &journal, cx);
                } else {
                    book(&self.durable.tables, connection, &journal, cx);
                }
                self.log_commit(message, &journal, cx);
                let absorbed = tables::is_absorbed(&journal);
                let how = if absorbed { Handling::Suppressed } else { Handling::Stored };
                cx.handled(connection, message, how);
                let answer = message.answer(Body::StoreAnswer(Answer::Done { absorbed }));
                self.acknowledge(connection, answer.carrying(message.cargo.clone()), cx);
                self.arm_expiry(cx);
            }
        }
        journal.clear();
        self.volatile.journal = journal;
    }

    /// A committed change enters the feed; a row's time to live begins.
    fn publish(&mut self, change: &Change, cx: &Context<'_>) {
        let (part, item, typed, ttl) = match *change {
            Change::Born { part, item, typed, ttl, .. } => (part, item, typed, ttl),
            Change::Rewritten { part, item, typed, ttl } => {
                self.withdraw(part, item, typed);
                (part, item, typed, ttl)
            }
            Change::Ended { part, item, typed, .. } => return self.withdraw(part, item, typed),
            Change::Absorbed { .. } | Change::Noted { .. } => return,
        };
        let range = self.range(part, item);
        let position = self.durable.feed.append(range, part, item, typed);
        let due = cx.wall() + ttl;
        // The clock may be an hour fast: what expires after that is beyond the run.
        if due < cx.plan().deadline() + Span::hours(1) {
            let expiry = Expiry { due, item, part, typed, range: range as u16, position };
            self.durable.expiries.add(ttl, expiry);
        }
    }

    /// The oldest row of this key leaves the feed, and its time to live no longer matters.
    fn withdraw(&mut self, part: u16, item: Item, typed: bool) {
        let range = self.range(part, item);
        let position = self.durable.feed.forget(range, part, item, typed);
        self.durable.expiries.cancel(part, item, typed, position);
    }

    fn arm_expiry(&mut self, cx: &mut Context<'_>) {
        if let Some(due) = self.durable.expiries.next_due()
            && due < self.volatile.expiry_due
        {
            self.volatile.expiry_due = due;
            cx.timer(due.since(cx.wall()), EXPIRE, false);
        }
    }

    fn expire(&mut self, cx: &mut Context<'_>) {
        self.volatile.expiry_due = Time::NEVER;
        if !self.commits() {
            return;
        }
        while let Some(expiry) = self.durable.expiries.pop(cx.wall()) {
            let Expiry { part, item, typed, range, position, .. } = expiry;
            let table = &mut self.durable.tables[usize::from(part)];
            let (place, expired) = (table.place, table.expire(item, typed));
            if expired && self.is_multi() {
                self.gone_here((part, item, typed), End::Expired, cx);
            } else if expired {
                cx.observe(item, What::Ended { place, cause: End::Expired });
            }
            self.durable.feed.forget_at(usize::from(range), position);
            self.log_expired(replication::Change::Expired { part, item, typed, range, position }, cx);
        }
        self.arm_expiry(cx);
    }

    fn lease(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        (processor, range, owner): (u16, u16, u64),
        how: LeaseAction,
        cx: &mut Context<'_>,
    ) {
        let now = cx.wall();
        let held = self.durable.feed.lease(processor, range, owner, how, now, self.setup.expiration);
        let (how, answer) = match held {
            Some((range, position)) => (Handling::Stored, Answer::Leased { range, position }),
            None => (Handling::Rejected, Answer::NotLeased { range }),
        };
        cx.handled(connection, message, how);
        cx.answer(connection, message.answer(Body::StoreAnswer(answer)));
    }

    fn read_feed(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        (part, range, after, max): (u16, u16, u64, u32),
        cx: &mut Context<'_>,
    ) {
        let Some((items, upto)) = self.durable.feed.page(range, part, after, max as usize) else {
            return refuse(connection, message, Error::BadRequest, None, cx);
        };
        let kilobytes: u64 = items.iter().map(|item| cx.plan().item_bytes(item.stream).div_ceil(1024)).sum();
        self.volatile.budgets.charge(usize::from(range), kilobytes * self.setup.read_charge);
        cx.handled(connection, message, Handling::Stored);
        let answer = message.answer(Body::StoreAnswer(Answer::Rows { range, upto }));
        cx.answer(connection, answer.carrying(Cargo::of(items)));
    }

    /// The service gives a request up: a batch is rolled back, another write may still happen.
    fn give_up(&mut self, token: u64, cx: &mut Context<'_>) {
        let Some(Pending { connection, message }) = self.volatile.front.look(token) else { return };
        let (connection, message) = (*connection, message.clone());
        let atomic =
            matches!(&message.body, Body::Store(Command::Write { operations, .. }) if operations.len() > 1);
        if atomic {
            self.volatile.front.take(token);
            cx.handled(connection, &message, Handling::Rejected);
        } else {
            self.volatile.front.deafen(token);
        }
        let timeout = Answer::Refused { error: Error::Timeout, retry_after: None };
        cx.answer(connection, message.answer(Body::StoreAnswer(timeout)).carrying(message.cargo.clone()));
    }

    fn control(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        command: control::Command,
        cx: &mut Context<'_>,
    ) {
        if front::turned_away(connection, message, command, cx) {
            return;
        }
        let up = self.volatile.front.is_ready(cx) && self.commits();
        let answer = match command {
            control::Command::Depth { part } if up => {
                let parts = 0..self.durable.tables.len() as u16;
                let asked = parts.filter(|one| part == u16::MAX || part == *one);
                let waiting = asked.map(|part| self.durable.feed.unread(part).count() as u64).sum();
                control::Answer::Depth { part, waiting }
            }
            control::Command::Verify { .. } => control::Answer::State { up, in_sync: self.in_sync(cx.now()) },
            control::Command::Promote { to, mode } => {
                return self.fail_over(connection, message, to, mode, cx);
            }
            control::Command::Replay { to } => return self.replay(connection, message, to, cx),
            _ => control::Answer::Refused,
        };
        answer_control(connection, message, answer, cx);
    }

    fn message(&mut self, from: ProcessId, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        match &message.body {
            Body::Store(_) => self.arrive(connection, message, cx),
            Body::Probe => {
                let ready = self.volatile.front.is_ready(cx) && !self.is_away();
                answer_probe(from, connection, &message, ready, cx);
            }
            Body::Control(command) => self.control(connection, &message, *command, cx),
            Body::Replica(record) => self.replica(from, connection, record, cx),
            _ => self.replay_answer(&message, cx),
        }
    }
}

impl Volatile {
    fn new(budgets: Budgets) -> Volatile {
        Volatile {
            front: Front::default(),
            budgets,
            journal: Vec::new(),
            expiry_due: Time::NEVER,
            link: Link::default(),
        }
    }
}

impl Process for CosmosDbProcess {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Message { from, connection, message } => self.message(from, connection, message, cx),
            Input::Timer(EXPIRE) => self.expire(cx),
            Input::Timer(token) if token >> 56 != 0 => self.replay_timer(token, cx),
            Input::Timer(token) if token & GIVE_UP != 0 => self.give_up(token & !GIVE_UP, cx),
            Input::Timer(token) if token & GEO != 0 => self.geo_timer(token & !GEO, cx),
            Input::Timer(token) => {
                if let Some(pending) = self.volatile.front.take(token) {
                    self.serve(pending, cx);
                }
            }
            Input::Start => {
                self.geo_start(cx);
                // What expired while it was down is gone before anybody reads it.
                self.expire(cx);
            }
            Input::Closed { peer, .. } => {
                self.peer_lost(peer, cx);
                self.replay_closed(peer, cx);
            }
            Input::Disk(..) | Input::Poke => {}
        }
        self.ship(cx);
    }

    fn crash(&mut self) {
        self.volatile = Volatile::new(Budgets::new(self.setup.ranges));
    }

    fn gauges(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        let units = |hundredths: u64| hundredths as f64 / RU as f64;
        let (limit, budgets) = (self.setup.budget, &self.volatile.budgets);
        let used = units(budgets.most_used(now, limit));
        out(Gauge::rate("request units", "RU of a partition", used, units(limit), Span::secs(1)));
        self.lag_gauges(now, out);
    }

    fn inventory(&self, out: &mut dyn FnMut(Held)) {
        self.inventory_of_conflicts(out);
        if self.geo.as_ref().is_some_and(|geo| !geo.books()) {
            return; // shadows
        }
        for (part, table) in self.durable.tables.iter().enumerate() {
            let rows = |out: &mut dyn FnMut(Held)| match self.is_multi() {
                true => self.inventory_here(part as u16, out),
                false => table.inventory(true, out),
            };
            if !self.setup.waits[part] {
                rows(out);
                continue;
            }
            // A row rests when every reader of the feed has passed it.
            let mut unread: BTreeMap<u64, u32> = BTreeMap::new();
            for item in self.durable.feed.unread(part as u16) {
                *unread.entry(item.identity()).or_insert(0) += 1;
            }
            rows(&mut |held| {
                let waiting = unread.remove(&held.item.identity()).unwrap_or(0).min(held.copies);
                for (copies, rest) in [(waiting, false), (held.copies - waiting, true)] {
                    if copies > 0 {
                        out(Held { copies, rest, ..held });
                    }
                }
            });
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
