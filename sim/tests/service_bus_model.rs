//! A queue against a model that was written from the fact sheet and shares no code with the service:
//! messages in a plain vector, every rule a scan. After each operation both must have delivered the
//! same, answered the same and hold the same. And a crash must leave what a rebuilt namespace would be.

use std::collections::BTreeSet;

use beaufort_sim::blueprint::{Blueprint, Flow, Site};
use beaufort_sim::ids::{CallId, Execution, Item, Once};
use beaufort_sim::message::broker::{Command, Event, ReceiveMode, Settlement, Source};
use beaufort_sim::message::{Body, Cargo, Message, control};
use beaufort_sim::node::rig::{Rig, sent};
use beaufort_sim::node::{CloseReason, Effect};
use beaufort_sim::plan::Plan;
use beaufort_sim::services::service_bus::{ServiceBus, ServiceBusQueue, Tier};
use beaufort_sim::services::{NodeKind, Service as _};
use beaufort_sim::time::Span;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

// All times in microseconds. The odd parts keep two kinds of timers from being due at the same instant.
const SYNC: u64 = 1_000;
const STEP: u64 = 2_000;
const LOCK: u64 = 10_000_000;
const DELAY: u64 = 3_000_250;
const TTL: u64 = 7_000_500;
const WINDOW: u64 = 20_000_125;
const WAIT: u64 = 15_000_062;

#[derive(Clone, Copy, Debug)]
struct Setup {
    sessions: bool,
    dedup: bool,
    keep_expired: bool,
    max_delivery: u32,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Send { item: u32, ttl: bool, delay: bool },
    Attach { peer: u32, credit: u32, dead: bool },
    Credit { peer: u32, more: u32 },
    Detach { peer: u32 },
    Settle { which: usize, how: Settlement },
    Renew { which: usize },
    Fetch { peer: u32, which: usize },
    Wait { ms: u64 },
    Lose { peer: u32 },
    Enable { on: bool },
    Crash,
    SendAndCrash { item: u32 },
}

fn ops() -> impl Strategy<Value = Op> {
    use Settlement::{Abandon, Complete, DeadLetter, Defer};
    let how = prop_oneof![4 => Just(Complete), 3 => Just(Abandon), 1 => Just(DeadLetter), 1 => Just(Defer)];
    prop_oneof![
        8 => (0u32..12, any::<bool>(), prop::bool::weighted(0.3))
            .prop_map(|(item, ttl, delay)| Op::Send { item, ttl, delay }),
        4 => (0u32..3, 1u32..4, prop::bool::weighted(0.2))
            .prop_map(|(peer, credit, dead)| Op::Attach { peer, credit, dead }),
        3 => (0u32..3, 1u32..3).prop_map(|(peer, more)| Op::Credit { peer, more }),
        1 => (0u32..3).prop_map(|peer| Op::Detach { peer }),
        8 => (0usize..8, how).prop_map(|(which, how)| Op::Settle { which, how }),
        2 => (0usize..8).prop_map(|which| Op::Renew { which }),
        2 => (0u32..3, 0usize..4).prop_map(|(peer, which)| Op::Fetch { peer, which }),
        5 => (1u64..6000).prop_map(|ms| Op::Wait { ms: ms * 2 }),
        1 => (0u32..3).prop_map(|peer| Op::Lose { peer }),
        1 => any::<bool>().prop_map(|on| Op::Enable { on }),
        1 => Just(Op::Crash),
        1 => (0u32..12).prop_map(|item| Op::SendAndCrash { item }),
    ]
}

// ---------------------------------------------------------------------------------------------------
// The model.

#[derive(Clone, Copy, Debug, PartialEq)]
enum St {
    Scheduled(u64),
    Ready,
    /// Grant number, receiver's serial, until (none under a session's lock), being settled, fetched by number.
    Locked {
        grant: u64,
        by: u64,
        until: Option<u64>,
        settling: bool,
        fetched: bool,
    },
    Deferred,
}

#[derive(Clone, Debug)]
struct Msg {
    item: u32,
    session: u32,
    seq: u64,
    expires: Option<u64>,
    failed: u32,
    st: St,
    /// Ties are broken by what was armed first.
    armed: u64,
    dead: bool,
}

#[derive(Clone, Debug)]
struct Rcv {
    peer: u32,
    serial: u64,
    credit: u32,
    dead: bool,
    session: Option<u32>,
    waits_until: Option<u64>,
    armed: u64,
}

/// The lock of a session: its holder's serial, or none if the holder is gone.
#[derive(Clone, Debug)]
struct Hold {
    session: u32,
    by: Option<u64>,
    until: u64,
    armed: u64,
    /// Grants in order.
    held: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq)]
enum Out {
    Delivered { peer: u32, item: u32, failed: u32, seq: u64 },
    Accepted { peer: u32, seq: u64 },
    Attached { peer: u32, session: bool },
    Settled { peer: u32 },
    Renewed { peer: u32 },
    Refused { peer: u32 },
    Detached { peer: u32 },
}

impl Out {
    /// Whose answers are compared in order; the deliveries to all are.
    fn peer(&self) -> u32 {
        match self {
            Out::Delivered { .. } => 0,
            Out::Accepted { peer, .. }
            | Out::Attached { peer, .. }
            | Out::Settled { peer }
            | Out::Renewed { peer }
            | Out::Refused { peer }
            | Out::Detached { peer } => *peer,
        }
    }
}

#[derive(Debug)]
struct Model {
    setup: Setup,
    now: u64,
    count: u64,
    msgs: Vec<Msg>,
    seq: [u64; 2],
    seen: Vec<(u64, u32)>,
    rcvs: Vec<Rcv>,
    /// Serials of receivers with credit, in their turn: of the queue and of the dead-letter queue.
    turn: [Vec<u64>; 2],
    holds: Vec<Hold>,
    /// Sessions that can be accepted, in the order in which they became so.
    line: Vec<u32>,
    enabled: bool,
    out: Vec<Out>,
    /// Every grant: number, peer, receiver's serial.
    grants: Vec<(u64, u32, u64)>,
}

impl Model {
    fn new(setup: Setup) -> Model {
        Model {
            setup,
            now: 0,
            count: 0,
            msgs: Vec::new(),
            seq: [0; 2],
            seen: Vec::new(),
            rcvs: Vec::new(),
            turn: [Vec::new(), Vec::new()],
            holds: Vec::new(),
            line: Vec::new(),
            enabled: true,
            out: Vec::new(),
            grants: Vec::new(),
        }
    }

    fn tick(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    fn next_seq(&mut self, dead: bool) -> u64 {
        self.seq[usize::from(dead)] += 1;
        self.seq[usize::from(dead)]
    }

    fn peer(&self, peer: u32) -> Option<usize> {
        self.rcvs.iter().position(|r| r.peer == peer)
    }

    fn by_serial(&self, serial: u64) -> Option<usize> {
        self.rcvs.iter().position(|r| r.serial == serial)
    }

    fn listens(&self, dead: bool) -> bool {
        self.rcvs.iter().any(|r| r.dead == dead)
    }

    /// Sessions matter in the queue, not in its dead-letter queue.
    fn grouped(&self, dead: bool) -> bool {
        self.setup.sessions && !dead
    }

    // -- Time. --

    /// Lets everything happen that is due by then, in order.
    fn until(&mut self, then: u64) {
        while let Some((due, _, what)) = self.earliest().filter(|(due, ..)| *due <= then) {
            self.now = due;
            match what {
                0 => self.release_scheduled(),
                1 => self.lock_runs_out(),
                2 => self.session_runs_out(),
                3 => self.wait_is_over(),
                _ => self.purge(),
            }
        }
        self.now = then;
    }

    fn earliest(&self) -> Option<(u64, u64, u8)> {
        let mut all = Vec::new();
        for m in &self.msgs {
            match m.st {
                St::Scheduled(due) => all.push((due, m.armed, 0)),
                St::Locked { until: Some(until), settling: false, .. } => all.push((until, m.armed, 1)),
                St::Ready => {
                    let listens = self.listens(m.dead);
                    all.extend(m.expires.filter(|_| listens).map(|at| (at, 0, 4)));
                }
                _ => {}
            }
        }
        all.extend(self.holds.iter().map(|h| (h.until, h.armed, 2)));
        all.extend(self.rcvs.iter().filter_map(|r| Some((r.waits_until?, r.armed, 3))));
        all.into_iter().min()
    }

    fn release_scheduled(&mut self) {
        let due: Vec<usize> = (0..self.msgs.len())
            .filter(|i| matches!(self.msgs[*i].st, St::Scheduled(due) if due <= self.now))
            .collect();
        let first = due.into_iter().min_by_key(|i| match self.msgs[*i].st {
            St::Scheduled(due) => (due, self.msgs[*i].seq),
            _ => unreachable!(),
        });
        let index = first.expect("one is due");
        self.msgs[index].seq = self.next_seq(false);
        self.msgs[index].st = St::Ready;
        let session = self.msgs[index].session;
        self.ready(false, session);
    }

    fn lock_runs_out(&mut self) {
        let first = (0..self.msgs.len())
            .filter_map(|i| match self.msgs[i].st {
                St::Locked { until: Some(until), settling: false, .. } if until <= self.now => {
                    Some((until, self.msgs[i].armed, i))
                }
                _ => None,
            })
            .min();
        let (_, _, index) = first.expect("one runs out");
        self.give_back(index, true);
    }

    fn session_runs_out(&mut self) {
        let first = (0..self.holds.len()).min_by_key(|i| (self.holds[*i].until, self.holds[*i].armed));
        let index = first.expect("one runs out");
        if let Some(serial) = self.holds[index].by {
            let rcv = self.by_serial(serial).expect("the holder");
            let peer = self.rcvs[rcv].peer;
            self.rcvs.remove(rcv);
            self.out.push(Out::Detached { peer });
        }
        self.end_hold(index, true);
    }

    fn wait_is_over(&mut self) {
        let first = self.rcvs.iter().position(|r| r.waits_until.is_some_and(|at| at <= self.now));
        let index = first.expect("one waits");
        let peer = self.rcvs.remove(index).peer;
        self.out.push(Out::Refused { peer });
    }

    fn purge(&mut self) {
        for dead in [false, true] {
            if !self.listens(dead) {
                continue;
            }
            while let Some(index) = self
                .msgs
                .iter()
                .enumerate()
                .filter(|(_, m)| m.dead == dead && m.st == St::Ready)
                .filter(|(_, m)| m.expires.is_some_and(|at| at <= self.now))
                .min_by_key(|(_, m)| (m.expires, m.seq))
                .map(|(i, _)| i)
            {
                self.expire(index);
            }
        }
    }

    fn expire(&mut self, index: usize) {
        let session = self.msgs[index].session;
        if self.setup.keep_expired {
            self.bury(index);
        } else {
            self.msgs.remove(index);
        }
        self.leave_line(session);
    }

    /// A session without messages does not stand in line.
    fn leave_line(&mut self, session: u32) {
        if self.head(false, Some(session)).is_none() {
            self.line.retain(|s| *s != session);
        }
    }

    // -- Messages. --

    fn bury(&mut self, index: usize) {
        let mut msg = self.msgs.remove(index);
        msg.dead = true;
        msg.expires = None;
        msg.seq = self.next_seq(true);
        msg.st = St::Ready;
        self.msgs.push(msg);
        self.pump(true, None);
    }

    fn head(&self, dead: bool, session: Option<u32>) -> Option<usize> {
        let fits = |m: &Msg| m.dead == dead && m.st == St::Ready && session.is_none_or(|s| m.session == s);
        (0..self.msgs.len()).filter(|i| fits(&self.msgs[*i])).min_by_key(|i| self.msgs[*i].seq)
    }

    fn ready(&mut self, dead: bool, session: u32) {
        if !self.grouped(dead) {
            return self.pump(dead, None);
        }
        if self.holds.iter().any(|h| h.session == session) {
            return self.pump(dead, Some(session));
        }
        self.offer(session);
    }

    /// A session that nobody holds goes to who waits longest, else in line.
    fn offer(&mut self, session: u32) {
        if self.head(false, Some(session)).is_none() {
            return;
        }
        let waiting = self.rcvs.iter().filter(|r| r.waits_until.is_some() && self.enabled);
        match waiting.min_by_key(|r| r.armed).map(|r| r.serial) {
            Some(serial) => self.take_session(serial, session),
            None if self.line.contains(&session) => {}
            None => self.line.push(session),
        }
    }

    fn take_session(&mut self, serial: u64, session: u32) {
        self.line.retain(|s| *s != session);
        let armed = self.tick();
        let rcv = self.by_serial(serial).expect("a receiver");
        self.rcvs[rcv].waits_until = None;
        self.rcvs[rcv].session = Some(session);
        let peer = self.rcvs[rcv].peer;
        let until = self.now + LOCK;
        self.holds.push(Hold { session, by: Some(serial), until, armed, held: Vec::new() });
        self.out.push(Out::Attached { peer, session: true });
        self.pump(false, Some(session));
    }

    fn pump(&mut self, dead: bool, session: Option<u32>) {
        loop {
            let Some(index) = self.head(dead, session) else { return };
            let to = match session {
                Some(session) => self.holds.iter().find(|h| h.session == session).and_then(|h| h.by),
                None => self.turn[usize::from(dead)].first().copied(),
            };
            let Some(rcv) = to.and_then(|serial| self.by_serial(serial)) else { return };
            if self.rcvs[rcv].credit == 0 {
                return;
            }
            if self.msgs[index].expires.is_some_and(|at| at <= self.now) {
                self.expire(index);
                continue;
            }
            let serial = self.rcvs[rcv].serial;
            if session.is_none() {
                self.turn[usize::from(dead)].remove(0);
            }
            self.deliver(index, rcv, false);
            if session.is_none() && self.rcvs[rcv].credit > 0 {
                self.turn[usize::from(dead)].push(serial);
            }
        }
    }

    fn deliver(&mut self, index: usize, rcv: usize, fetched: bool) {
        let grant = self.tick();
        let receiver = &mut self.rcvs[rcv];
        receiver.credit -= u32::from(!fetched);
        let (by, peer, session) = (receiver.serial, receiver.peer, receiver.session);
        let until = match session {
            None => Some(self.now + LOCK),
            Some(session) => {
                let hold = self.holds.iter_mut().find(|h| h.session == session).expect("a hold");
                hold.held.push(grant);
                None
            }
        };
        let m = &mut self.msgs[index];
        m.armed = grant;
        m.st = St::Locked { grant, by, until, settling: false, fetched };
        self.out.push(Out::Delivered { peer, item: m.item, failed: m.failed, seq: m.seq });
        self.grants.push((grant, peer, by));
    }

    /// A delivered message is available again.
    fn give_back(&mut self, index: usize, counted: bool) {
        let St::Locked { grant, fetched, .. } = self.msgs[index].st else { unreachable!() };
        self.holds.iter_mut().for_each(|h| h.held.retain(|held| *held != grant));
        self.msgs[index].failed += u32::from(counted);
        let m = &mut self.msgs[index];
        if m.failed >= self.setup.max_delivery && !m.dead {
            return self.bury(index);
        }
        if fetched {
            m.st = St::Deferred;
            return;
        }
        m.st = St::Ready;
        let (dead, session) = (m.dead, m.session);
        if m.expires.is_some_and(|at| at <= self.now) {
            return self.expire(index);
        }
        self.ready(dead, session);
    }

    fn end_hold(&mut self, index: usize, counted: bool) {
        let session = self.holds[index].session;
        self.holds[index].by = None;
        for grant in self.holds[index].held.clone() {
            let index = self
                .msgs
                .iter()
                .position(|m| matches!(m.st, St::Locked { grant: g, settling: false, .. } if g == grant));
            if let Some(index) = index {
                self.give_back(index, counted);
            }
        }
        let index = self.holds.iter().position(|h| h.session == session).expect("a hold");
        self.holds.remove(index);
        self.offer(session);
    }

    // -- Operations. --

    fn send(&mut self, item: u32, ttl: bool, delay: bool) {
        if !self.enabled {
            self.out.push(Out::Refused { peer: 9 });
            return;
        }
        self.until(self.now + SYNC);
        self.seen.retain(|(at, _)| at + WINDOW > self.now);
        if self.setup.dedup && self.seen.iter().any(|(_, seen)| *seen == item) {
            self.out.push(Out::Accepted { peer: 9, seq: 0 });
            return;
        }
        self.seen.push((self.now, item));
        let (seq, armed) = (self.next_seq(false), self.tick());
        let enqueued = self.now + if delay { DELAY } else { 0 };
        let session = if self.setup.sessions { item % 3 + 1 } else { 0 };
        let st = if delay { St::Scheduled(enqueued) } else { St::Ready };
        let expires = ttl.then_some(enqueued + TTL);
        self.msgs.push(Msg { item, session, seq, expires, failed: 0, st, armed, dead: false });
        self.out.push(Out::Accepted { peer: 9, seq });
        if !delay {
            self.ready(false, session);
        }
    }

    fn attach(&mut self, peer: u32, credit: u32, dead: bool) {
        self.lose(peer);
        if !self.enabled && !dead {
            self.out.push(Out::Refused { peer });
            return;
        }
        let serial = self.tick();
        let rcv = Rcv { peer, serial, credit, dead, session: None, waits_until: None, armed: serial };
        self.rcvs.push(rcv);
        self.purge();
        if !self.grouped(dead) {
            self.out.push(Out::Attached { peer, session: false });
            self.turn[usize::from(dead)].push(serial);
            return self.pump(dead, None);
        }
        if let Some(session) = self.line.first().copied() {
            return self.take_session(serial, session);
        }
        let armed = self.tick();
        let waits_until = Some(self.now + WAIT);
        let rcv = self.rcvs.last_mut().expect("just added");
        (rcv.waits_until, rcv.armed) = (waits_until, armed);
    }

    fn credit(&mut self, peer: u32, more: u32) {
        let Some(rcv) = self.peer(peer) else { return };
        self.rcvs[rcv].credit += more;
        let Rcv { serial, dead, session, waits_until, .. } = self.rcvs[rcv].clone();
        if waits_until.is_some() {
            return;
        }
        if session.is_some() {
            return self.pump(dead, session);
        }
        if !self.turn[usize::from(dead)].contains(&serial) {
            self.turn[usize::from(dead)].push(serial);
        }
        self.pump(dead, None);
    }

    fn detach(&mut self, peer: u32) {
        let Some(rcv) = self.peer(peer) else { return };
        let rcv = self.rcvs.remove(rcv);
        self.turn.iter_mut().for_each(|turn| turn.retain(|serial| *serial != rcv.serial));
        if let Some(hold) = self.holds.iter().position(|h| h.by == Some(rcv.serial)) {
            self.end_hold(hold, false);
        }
    }

    /// A link is lost: its locks run on, nobody can settle them.
    fn lose(&mut self, peer: u32) {
        let Some(rcv) = self.peer(peer) else { return };
        let rcv = self.rcvs.remove(rcv);
        self.turn.iter_mut().for_each(|turn| turn.retain(|serial| *serial != rcv.serial));
        self.holds.iter_mut().filter(|h| h.by == Some(rcv.serial)).for_each(|h| h.by = None);
    }

    /// The message of this grant, if its receiver may still settle it.
    fn valid(&self, grant: u64, by: u64) -> Option<usize> {
        let rcv = self.by_serial(by)?;
        if !self.enabled && !self.rcvs[rcv].dead {
            return None;
        }
        self.msgs
            .iter()
            .position(|m| matches!(m.st, St::Locked { grant: g, settling: false, .. } if g == grant))
    }

    fn settle(&mut self, (grant, peer, by): (u64, u32, u64), how: Settlement) {
        let found = self.valid(grant, by);
        let Some(index) = found.filter(|i| !(self.msgs[*i].dead && how == Settlement::DeadLetter)) else {
            self.out.push(Out::Refused { peer });
            return;
        };
        if let St::Locked { settling, .. } = &mut self.msgs[index].st {
            *settling = true;
        }
        self.until(self.now + SYNC);
        self.out.push(Out::Settled { peer });
        let index = self.msgs.iter().position(|m| matches!(m.st, St::Locked { grant: g, .. } if g == grant));
        let index = index.expect("a message that is being settled stays");
        match how {
            Settlement::Abandon => self.give_back(index, true),
            _ => {
                self.holds.iter_mut().for_each(|h| h.held.retain(|held| *held != grant));
                match how {
                    Settlement::Complete => drop(self.msgs.remove(index)),
                    Settlement::DeadLetter => self.bury(index),
                    _ => self.msgs[index].st = St::Deferred,
                }
            }
        }
    }

    fn renew(&mut self, (grant, peer, by): (u64, u32, u64)) {
        let holder = self.holds.iter().position(|h| h.by == Some(by));
        if let Some(hold) = holder {
            let armed = self.tick();
            (self.holds[hold].until, self.holds[hold].armed) = (self.now + LOCK, armed);
            self.out.push(Out::Renewed { peer });
            return;
        }
        let Some(index) = self.valid(grant, by) else {
            self.out.push(Out::Refused { peer });
            return;
        };
        let armed = self.tick();
        let renewed = self.now + LOCK;
        if let St::Locked { until: Some(until), .. } = &mut self.msgs[index].st {
            *until = renewed;
        }
        self.msgs[index].armed = armed;
        self.out.push(Out::Renewed { peer });
    }

    fn fetch(&mut self, peer: u32, seq: u64) {
        let Some(rcv) = self.peer(peer) else {
            self.out.push(Out::Refused { peer });
            return;
        };
        let (dead, session) = (self.rcvs[rcv].dead, self.rcvs[rcv].session);
        let grouped = self.grouped(dead);
        let found = self.msgs.iter().position(|m| {
            m.dead == dead && m.st == St::Deferred && m.seq == seq && (!grouped || Some(m.session) == session)
        });
        match found {
            Some(index) => self.deliver(index, rcv, true),
            None => self.out.push(Out::Refused { peer }),
        }
    }

    fn enable(&mut self, on: bool) {
        self.enabled = on;
        if on {
            return;
        }
        let mut serials: Vec<u64> = self.rcvs.iter().filter(|r| !r.dead).map(|r| r.serial).collect();
        serials.sort_unstable();
        for serial in serials {
            let peer = self.rcvs[self.by_serial(serial).expect("a receiver")].peer;
            self.lose(peer);
            self.out.push(Out::Detached { peer });
        }
    }

    fn crash(&mut self) {
        self.rcvs.clear();
        self.turn = [Vec::new(), Vec::new()];
        self.holds.clear();
        for dead in [false, true] {
            while let Some((_, index)) = (0..self.msgs.len())
                .filter(|i| self.msgs[*i].dead == dead && matches!(self.msgs[*i].st, St::Locked { .. }))
                .map(|i| (self.msgs[i].seq, i))
                .min()
            {
                self.give_back(index, true);
            }
        }
        // The sessions stand in line by their oldest messages.
        let mut ready: Vec<&Msg> = self.msgs.iter().filter(|m| !m.dead && m.st == St::Ready).collect();
        ready.sort_by_key(|m| m.seq);
        let mut line: Vec<u32> = Vec::new();
        for m in ready.into_iter().filter(|m| m.session != 0) {
            if !line.contains(&m.session) {
                line.push(m.session);
            }
        }
        self.line = line;
        let mut scheduled: Vec<usize> =
            (0..self.msgs.len()).filter(|i| matches!(self.msgs[*i].st, St::Scheduled(_))).collect();
        scheduled.sort_by_key(|i| match self.msgs[*i].st {
            St::Scheduled(due) => (due, self.msgs[*i].seq),
            _ => unreachable!(),
        });
        for index in scheduled {
            self.msgs[index].armed = self.tick();
        }
    }

    fn held(&self) -> Vec<(bool, u32)> {
        let mut held: Vec<(bool, u32)> = self.msgs.iter().map(|m| (m.dead, m.item)).collect();
        held.sort_unstable();
        held
    }
}

// ---------------------------------------------------------------------------------------------------
// The service beside it.

fn plan(setup: Setup) -> Plan {
    let bus = ServiceBus { tier: Tier::Premium, session_wait: Span::micros(WAIT), ..ServiceBus::default() };
    let queue = ServiceBusQueue {
        of: "bus".to_owned(),
        lock: Span::micros(LOCK),
        max_delivery: setup.max_delivery,
        dead_letter_on_expiration: setup.keep_expired,
        dedup_window: setup.dedup.then(|| Span::micros(WINDOW)),
        sessions: setup.sessions,
        ..ServiceBusQueue::default()
    };
    Plan::new(Blueprint {
        sites: [("here".to_owned(), Site::default())].into_iter().collect(),
        flows: [("orders".to_owned(), Flow::default())].into_iter().collect(),
        nodes: [
            ("bus".to_owned(), NodeKind::ServiceBus(bus)),
            ("q".to_owned(), NodeKind::ServiceBusQueue(queue)),
        ]
        .into_iter()
        .collect(),
        ..Blueprint::default()
    })
    .expect("a plan")
}

struct Both<'a> {
    rig: Rig<'a>,
    model: Model,
    /// For each grant of the model, in order: the broker's lock.
    locks: Vec<u64>,
    calls: u64,
}

impl Both<'_> {
    fn message(&mut self, peer: u32, command: Command, cargo: Cargo) -> Vec<Effect> {
        self.calls += 1;
        let mut message = Message::new(Body::Broker(command)).carrying(cargo);
        message.call = CallId(self.calls);
        self.rig.message(peer, message)
    }

    fn send(&mut self, item: u32, ttl: bool, delay: bool) -> Vec<Effect> {
        let span = |on: bool, micros| if on { Span::micros(micros) } else { Span::ZERO };
        let command = Command::Send {
            part: 0,
            once: Once::ITEM,
            session: if self.model.setup.sessions { Once::KEY } else { Once::NONE },
            execution: Execution::default(),
            ttl: if ttl { Span::micros(TTL) } else { Span::FOREVER },
            delay: span(delay, DELAY),
        };
        let item = Item { number: item, key: item % 3 + 1, ..Item::default() };
        self.message(9, command, Cargo::One(item))
    }

    /// Does one thing on both sides; what the service did comes back.
    fn apply(&mut self, op: Op) -> Vec<Effect> {
        match op {
            Op::Send { item, ttl, delay } => {
                let effects = self.send(item, ttl, delay);
                self.model.send(item, ttl, delay);
                effects
            }
            Op::Attach { peer, credit, dead } => {
                let session = self.model.setup.sessions && !dead;
                let from = if session { Source::NextSession } else { Source::Any };
                let (part, mode) = (u16::from(dead), ReceiveMode::PeekLock);
                let command = Command::Attach { part, link: 0, from, mode, credit };
                self.model.attach(peer, credit, dead);
                self.message(peer, command, Cargo::None)
            }
            Op::Credit { peer, more } => {
                self.model.credit(peer, more);
                self.message(peer, Command::Credit { link: 0, more }, Cargo::None)
            }
            Op::Detach { peer } => {
                self.model.detach(peer);
                self.message(peer, Command::Detach { link: 0 }, Cargo::None)
            }
            Op::Settle { which, how } => {
                let Some((grant, lock)) = self.grant(which) else { return Vec::new() };
                self.model.settle(grant, how);
                self.message(grant.1, Command::Settle { link: 0, lock, how, more: 0 }, Cargo::None)
            }
            Op::Renew { which } => {
                let Some((grant, lock)) = self.grant(which) else { return Vec::new() };
                // A client renews the session where it holds one.
                let session = self.model.holds.iter().any(|h| h.by == Some(grant.2));
                self.model.renew(grant);
                let lock = if session { 0 } else { lock };
                self.message(grant.1, Command::Renew { link: 0, lock }, Cargo::None)
            }
            Op::Fetch { peer, which } => {
                let deferred = self.model.msgs.iter().filter(|m| m.st == St::Deferred).nth(which);
                let seq = deferred.map_or(77, |m| m.seq);
                self.model.fetch(peer, seq);
                let part = 0;
                self.message(peer, Command::ReceiveDeferred { part, link: 0, sequence: seq }, Cargo::None)
            }
            Op::Wait { ms } => {
                self.model.until(self.model.now + ms * 1000);
                self.rig.advance(Span::millis(ms))
            }
            Op::Lose { peer } => {
                self.model.lose(peer);
                self.rig.closed(peer, CloseReason::Reset)
            }
            Op::Enable { on } => {
                self.model.enable(on);
                let command = control::Command::Enable { part: 0, on };
                self.rig.message(8, Message::new(Body::Control(command)))
            }
            Op::Crash => {
                self.model.crash();
                self.rig.crash()
            }
            Op::SendAndCrash { item } => {
                // Not durable, not acknowledged: it never was.
                let mut effects = self.send(item, false, false);
                if !self.model.enabled {
                    self.model.out.push(Out::Refused { peer: 9 });
                }
                self.model.crash();
                effects.extend(self.rig.crash());
                effects
            }
        }
    }

    fn grant(&self, which: usize) -> Option<((u64, u32, u64), u64)> {
        // The latest first, so that most settlements are about locks that hold.
        let index = self.model.grants.len().checked_sub(1 + which)?;
        Some((self.model.grants[index], self.locks[index]))
    }

    fn step(&mut self, op: Op) -> Result<(), TestCaseError> {
        let start = self.model.now;
        let mut effects = self.apply(op);
        // Time for the sync of what was sent or settled.
        let rest = (start + STEP).max(self.model.now + STEP) - start;
        let waited = if let Op::Wait { ms } = op { ms * 1000 } else { 0 };
        effects.extend(self.rig.advance(Span::micros(rest - waited)));
        self.model.until(start + rest);
        let (service, locks) = outputs(&effects);
        self.locks.extend(locks);
        let model = std::mem::take(&mut self.model.out);
        for kind in [true, false] {
            let pick = |out: &[Out]| -> Vec<Out> {
                let of = |o: &&Out| matches!(o, Out::Delivered { .. }) == kind;
                out.iter().filter(of).cloned().collect()
            };
            let (mut service, mut model) = (pick(&service), pick(&model));
            // Answers to different peers have no order among each other; deliveries have.
            service.sort_by_key(Out::peer);
            model.sort_by_key(Out::peer);
            prop_assert_eq!(service, model, "after {:?}", op);
        }
        let mut held: Vec<(bool, u32)> =
            self.rig.held().iter().map(|held| (held.rest, held.item.number)).collect();
        held.sort_unstable();
        prop_assert_eq!(held, self.model.held(), "held after {:?}", op);
        Ok(())
    }
}

fn outputs(effects: &[Effect]) -> (Vec<Out>, Vec<u64>) {
    let (mut outs, mut locks) = (Vec::new(), Vec::new());
    for effect in effects {
        let Effect::Answer { connection, message } = effect else { continue };
        let peer = connection.slot;
        let Body::BrokerEvent(event) = &message.body else { continue };
        outs.push(match event {
            Event::Delivered { delivery_count, lock, sequence, .. } => {
                locks.push(*lock);
                let item = message.cargo.first().expect("an item").number;
                Out::Delivered { peer, item, failed: *delivery_count, seq: *sequence }
            }
            Event::Accepted { sequence } => Out::Accepted { peer, seq: *sequence },
            Event::Refused(_) => Out::Refused { peer },
            Event::Attached { session, .. } => Out::Attached { peer, session: *session != 0 },
            Event::Settled => Out::Settled { peer },
            Event::Renewed { .. } => Out::Renewed { peer },
            Event::Detached { .. } => Out::Detached { peer },
            Event::Peeked => continue,
        });
    }
    (outs, locks)
}

fn compare(setup: Setup, ops: &[Op]) -> Result<(), TestCaseError> {
    let plan = plan(setup);
    let mut built = plan.blueprint.nodes["bus"].build("bus", &plan).expect("a namespace");
    let (id, process) = built.remove(0);
    let rig = Rig::new(&plan, id, process).0;
    let mut both = Both { rig, model: Model::new(setup), locks: Vec::new(), calls: 0 };
    for op in ops {
        both.step(*op)?;
    }
    Ok(())
}

fn setups(sessions: bool) -> impl Strategy<Value = Setup> {
    (any::<bool>(), any::<bool>(), 1u32..4).prop_map(move |(dedup, keep_expired, max_delivery)| Setup {
        sessions,
        dedup,
        keep_expired,
        max_delivery,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, max_shrink_iters: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_queue_does_what_the_facts_say(setup in setups(false), ops in prop::collection::vec(ops(), 1..80)) {
        compare(setup, &ops)?;
    }

    #[test]
    fn a_queue_with_sessions_does_what_the_facts_say(setup in setups(true), ops in prop::collection::vec(ops(), 1..80)) {
        compare(setup, &ops)?;
    }
}

#[test]
fn the_operations_reach_every_state() {
    // The strategies are of use only if redelivery, expiry and dead letters happen in them.
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = BTreeSet::new();
    for _ in 0..40 {
        let ops = prop::collection::vec(ops(), 40..80).new_tree(&mut runner).expect("a value").current();
        let setup = Setup { sessions: false, dedup: true, keep_expired: true, max_delivery: 2 };
        let mut model = Both {
            rig: {
                let plan: &'static Plan = Box::leak(Box::new(plan(setup)));
                let mut built = plan.blueprint.nodes["bus"].build("bus", plan).expect("a namespace");
                let (id, process) = built.remove(0);
                Rig::new(plan, id, process).0
            },
            model: Model::new(setup),
            locks: Vec::new(),
            calls: 0,
        };
        for op in ops {
            let before = model.model.held();
            let effects = model.apply(op);
            for message in sent(&effects) {
                if let Body::BrokerEvent(Event::Delivered { delivery_count: 1.., .. }) = message.body {
                    reached.insert("redelivered");
                }
            }
            let start = model.model.now;
            let more = model.rig.advance(Span::micros(STEP));
            model.model.until(start + STEP);
            let (_, locks) = outputs(&[effects, more].concat());
            model.locks.extend(locks);
            if model.model.msgs.iter().any(|m| m.dead) {
                reached.insert("dead-lettered");
            }
            if model.model.msgs.iter().any(|m| m.st == St::Deferred) {
                reached.insert("deferred");
            }
            if model.model.held().len() < before.len() {
                reached.insert("gone");
            }
            if model.model.out.drain(..).any(|out| out == Out::Accepted { peer: 9, seq: 0 }) {
                reached.insert("absorbed");
            }
        }
    }
    assert_eq!(reached.len(), 5, "{reached:?}");
}
