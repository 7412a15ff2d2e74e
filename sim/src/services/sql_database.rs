//! `sql-database`: a database of Azure SQL (facts 3).
//!
//! A request takes a worker for its service time. A write then waits for the sync of the log; only when
//! that is done is it committed, observed and acknowledged. Transactions take effect in the order of the
//! log, each as a whole; a repetition under way is therefore recognised like one long ago. When the
//! database goes down (a failover), requests in flight are terminated without an answer: one whose log
//! record was written is committed all the same.

mod config;
mod group;
mod replica;
#[cfg(test)]
mod tests;

pub use config::SqlDatabase;
pub use group::{FailoverPolicy, Replication};

use std::collections::VecDeque;
use std::sync::Arc;

use crate::faults::Hook;
use crate::ids::{ConnectionId, Item};
use crate::message::store::{Answer, Command, Error};
use crate::message::{Body, Cargo, Message, control};
use crate::node::{Context, DiskError, Gauge, Input, Process};
use crate::observe::{Handling, Held, Symptom, What};
use crate::services::front::{Front, Pending, answer_control, turned_away};
use crate::services::replicas::{Channel, Leads, Pair, Paired, Rises, SYNC, Tenure, Writes};
use crate::services::sql_database::replica::PAIR;
use crate::services::store::{about, answer_probe, book, done, keeps_rows, read, refuse};
use crate::services::tables::{self, Change, Table};
use crate::time::Time;
use crate::units::{Rate, Sampler};

/// What never changes about a database.
#[derive(Debug)]
struct Setup {
    latency: Sampler,
    workers: u32,
    capacity: Option<Rate>,
    /// The other replica, if there is one.
    pair: Option<Pair>,
}

/// A database.
#[derive(Clone, Debug)]
pub struct SqlDatabaseProcess {
    setup: Arc<Setup>,
    /// What is committed: durable.
    tables: Vec<Table>,
    /// Of one of a pair: durable.
    tenure: Option<Box<Tenure>>,
    volatile: Volatile,
}

#[derive(Clone, Debug, Default)]
struct Volatile {
    front: Front,
    /// Transactions whose log record waits for its sync, in the order of the log.
    log: VecDeque<(u64, Pending)>,
    written: u64,
    journal: Vec<Change>,
    channel: Channel,
}

impl Volatile {
    /// How many workers are taken.
    fn busy(&self) -> usize {
        self.front.busy() + self.log.len()
    }
}

impl SqlDatabaseProcess {
    fn new(setup: Setup, tables: Vec<Table>) -> Self {
        let tenure = setup.pair.as_ref().map(|pair| Box::new(Tenure::new(pair)));
        Self { setup: Arc::new(setup), tables, tenure, volatile: Volatile::default() }
    }

    fn arrive(&mut self, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        let Body::Store(command) = &message.body else { return };
        let (part, run) = about(command);
        let item = message.cargo.first().unwrap_or_default();
        let front = &mut self.volatile.front;
        let occurrence = front.occurrence(&message, run);
        if front.is_down(cx, part, item, occurrence) {
            return refuse(connection, &message, Error::Unavailable, None, cx);
        }
        if let Some(error) = self.turned_away(command) {
            return refuse(connection, &message, error, None, cx);
        }
        let front = &mut self.volatile.front;
        if !keeps_rows(command) {
            return refuse(connection, &message, Error::BadRequest, None, cx);
        }
        if let Some(retry_after) = front.throttled(cx, part, item) {
            return refuse(connection, &message, Error::TooManyRequests, Some(retry_after), cx);
        }
        let busy = self.volatile.busy();
        let front = &mut self.volatile.front;
        if busy >= self.setup.workers as usize || front.is_exhausted(cx, part, item) {
            return refuse(connection, &message, Error::ConnectionLimit, None, cx);
        }
        let wait = front.queue(cx.now(), self.setup.capacity, None).unwrap_or_default();
        let service = front.service_time(cx, &self.setup.latency, part, item, occurrence);
        let work = !message.cargo.is_empty();
        let token = front.keep(Pending { connection, message });
        cx.timer(wait + service, token, work);
    }

    /// The service time is over: a read is answered, a write goes into the log.
    fn serve(&mut self, pending: Pending, cx: &mut Context<'_>) {
        let Pending { connection, message } = pending;
        let Body::Store(command) = &message.body else { return };
        if connection == ConnectionId::NONE {
            return; // its session was terminated
        }
        let (part, run) = about(command);
        let item = message.cargo.first().unwrap_or_default();
        if self.volatile.front.went_down(cx, part, item) {
            return cx.close(connection); // terminated before its commit: rolled back, and nobody is told
        }
        match command {
            Command::Write { .. } => self.commit(part, run, item, Pending { connection, message }, cx),
            Command::Poll { part, max } => self.poll(connection, &message, *part, *max, cx),
            Command::Read { part } => read(&self.tables, connection, &message, *part, cx),
            Command::Lease { .. } | Command::ReadFeed { .. } | Command::Owners { .. } => {
                refuse(connection, &message, Error::BadRequest, None, cx);
            }
        }
    }

    fn commit(&mut self, part: u16, run: u64, item: Item, pending: Pending, cx: &mut Context<'_>) {
        let occurrence = self.volatile.front.occurrence(&pending.message, run);
        let refused = [(Hook::DatabaseReadOnly, Error::ReadOnly), (Hook::DatabaseDeadlock, Error::Deadlock)]
            .into_iter()
            .find(|(hook, _)| cx.strike(*hook, part, item, occurrence).is_some());
        if let Some((_, error)) = refused {
            return refuse(pending.connection, &pending.message, error, None, cx);
        }
        self.volatile.written += 1;
        let token = self.volatile.written;
        self.volatile.log.push_back((token, pending));
        cx.sync(token, item);
    }

    /// The log is on disk up to here, or this record could not be written.
    fn synced(&mut self, token: u64, result: Result<(), DiskError>, cx: &mut Context<'_>) {
        if result.is_err() {
            if let Some(index) = self.volatile.log.iter().position(|(record, _)| *record == token)
                && let Some((_, Pending { connection, message })) = self.volatile.log.remove(index)
            {
                refuse(connection, &message, Error::Unavailable, None, cx);
            }
            return;
        }
        while self.volatile.log.front().is_some_and(|(record, _)| *record <= token) {
            if let Some((_, pending)) = self.volatile.log.pop_front() {
                self.apply(pending, cx);
            }
        }
    }

    fn apply(&mut self, pending: Pending, cx: &mut Context<'_>) {
        let Pending { connection, message } = pending;
        let Body::Store(command @ Command::Write { operations, execution }) = &message.body else { return };
        let part = operations.first().map_or(0, |operation| operation.part);
        let item = message.cargo.first().unwrap_or_default();
        let terminated = self.volatile.front.went_down(cx, part, item);
        let occurrence = self.volatile.front.occurrence(&message, execution.run);
        if !terminated && cx.strike(Hook::DependencyWrongAnswer, part, item, occurrence).is_some() {
            cx.observe(item, What::Symptom(Symptom::Misled));
            return done(connection, &message, true, cx); // it says yes and has done nothing
        }
        let items = message.cargo.items();
        let mut journal = std::mem::take(&mut self.volatile.journal);
        match tables::transact(&mut self.tables, operations, items, *execution, false, &mut journal) {
            Err(error) if !terminated => refuse(connection, &message, error, None, cx),
            Err(_) => cx.handled(connection, &message, Handling::Rejected),
            Ok(()) => {
                let absorbed = tables::is_absorbed(&journal);
                book(&self.tables, connection, &journal, cx);
                self.log_commit(command, &message.cargo, &journal);
                if terminated {
                    let how = if absorbed { Handling::Suppressed } else { Handling::Stored };
                    cx.handled(connection, &message, how);
                } else {
                    done(connection, &message, absorbed, cx);
                }
            }
        }
        if terminated {
            cx.close(connection); // committed, and nobody is told
        }
        journal.clear();
        self.volatile.journal = journal;
    }

    fn poll(&self, connection: ConnectionId, message: &Message, part: u16, max: u32, cx: &mut Context<'_>) {
        let table = self.tables.get(usize::from(part));
        match table.and_then(|table| table.oldest(max as usize)) {
            Some(rows) => {
                cx.handled(connection, message, Handling::Stored);
                let answer = message.answer(Body::StoreAnswer(Answer::Rows { range: 0, upto: 0 }));
                cx.answer(connection, answer.carrying(Cargo::of(rows)));
            }
            None => refuse(connection, message, Error::BadRequest, None, cx),
        }
    }

    fn control(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        command: control::Command,
        cx: &mut Context<'_>,
    ) {
        if turned_away(connection, message, command, cx) {
            return;
        }
        if let control::Command::Promote { to, mode } = command {
            return self.promote(connection, message, to, mode, cx);
        }
        let up = self.volatile.front.is_ready(cx) && self.can_be_read();
        let answer = match command {
            control::Command::Depth { part } if up => {
                let waiting = self.tables.get(usize::from(part)).map(Table::len);
                waiting.map_or(control::Answer::Refused, |waiting| control::Answer::Depth { part, waiting })
            }
            control::Command::Verify { .. } => control::Answer::State { up, in_sync: self.in_sync() },
            _ => control::Answer::Refused,
        };
        answer_control(connection, message, answer, cx);
    }
}

impl Process for SqlDatabaseProcess {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        if self.tenure.is_some() {
            self.volatile.channel.now = cx.now();
        }
        match input {
            Input::Message { from, connection, message } => match message.body {
                Body::Store(_) => self.arrive(connection, message, cx),
                Body::Probe => {
                    let ready = self.volatile.front.is_ready(cx) && self.can_be_read();
                    answer_probe(from, connection, &message, ready, cx);
                }
                Body::Control(command) => self.control(connection, &message, command, cx),
                Body::Replica(ref record) => self.replica(from, connection, record, cx),
                _ => {}
            },
            Input::Timer(token) if token & PAIR != 0 => self.pair_timer(token as u32, cx),
            Input::Timer(token) => {
                if let Some(pending) = self.volatile.front.take(token) {
                    self.serve(pending, cx);
                }
            }
            Input::Disk(token, result) if token & SYNC != 0 => self.written(result, cx),
            Input::Disk(token, result) => self.synced(token, result, cx),
            Input::Start => self.pair_start(cx),
            Input::Closed { peer, .. } => self.peer_lost(peer, cx),
            Input::Poke => {}
        }
        self.ship(cx);
    }

    fn crash(&mut self) {
        self.volatile = Volatile::default();
    }

    fn gauges(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        let busy = self.volatile.busy() as u64;
        out(Gauge::level("workers", "requests", busy, self.setup.workers.into()));
        self.volatile.front.gauges(now, self.setup.capacity, None, out);
    }

    fn inventory(&self, out: &mut dyn FnMut(Held)) {
        for table in self.tables.iter().filter(|_| self.is_booked()) {
            table.inventory(!table.is_queue(), out);
        }
    }

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
