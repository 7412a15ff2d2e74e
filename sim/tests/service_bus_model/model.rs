//! The model: a queue as the fact sheet describes it (facts 1.3 to 1.8), messages in a plain vector and
//! every rule a scan.

use beaufort_sim::message::broker::Settlement;

// All times in microseconds. The odd parts keep two kinds of timers from being due at the same instant.
pub(crate) const SYNC: u64 = 1_000;
pub(crate) const STEP: u64 = 2_000;
pub(crate) const LOCK: u64 = 10_000_000;
pub(crate) const DELAY: u64 = 3_000_250;
pub(crate) const TTL: u64 = 7_000_500;
pub(crate) const WINDOW: u64 = 20_000_125;
pub(crate) const WAIT: u64 = 15_000_062;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) sessions: bool,
    pub(crate) dedup: bool,
    pub(crate) keep_expired: bool,
    pub(crate) max_delivery: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum St {
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
pub(crate) struct Msg {
    pub(crate) item: u32,
    pub(crate) session: u32,
    pub(crate) seq: u64,
    pub(crate) expires: Option<u64>,
    pub(crate) failed: u32,
    pub(crate) st: St,
    /// Ties are broken by what was armed first.
    pub(crate) armed: u64,
    pub(crate) dead: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Rcv {
    pub(crate) peer: u32,
    pub(crate) serial: u64,
    pub(crate) credit: u32,
    pub(crate) dead: bool,
    pub(crate) session: Option<u32>,
    pub(crate) waits_until: Option<u64>,
    pub(crate) armed: u64,
}

/// The lock of a session: its holder's serial, or none if the holder is gone.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    pub(crate) session: u32,
    pub(crate) by: Option<u64>,
    pub(crate) until: u64,
    pub(crate) armed: u64,
    /// Grants in order.
    pub(crate) held: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Out {
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
    pub(crate) fn peer(&self) -> u32 {
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
pub(crate) struct Model {
    pub(crate) setup: Setup,
    pub(crate) now: u64,
    pub(crate) count: u64,
    pub(crate) msgs: Vec<Msg>,
    pub(crate) seq: [u64; 2],
    pub(crate) seen: Vec<(u64, u32)>,
    pub(crate) rcvs: Vec<Rcv>,
    /// Serials of receivers with credit, in their turn: of the queue and of the dead-letter queue.
    pub(crate) turn: [Vec<u64>; 2],
    pub(crate) holds: Vec<Hold>,
    /// Sessions that can be accepted, in the order in which they became so.
    pub(crate) line: Vec<u32>,
    pub(crate) enabled: bool,
    pub(crate) out: Vec<Out>,
    /// Every grant: number, peer, receiver's serial.
    pub(crate) grants: Vec<(u64, u32, u64)>,
}

impl Model {
    pub(crate) fn new(setup: Setup) -> Model {
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

    pub(crate) fn tick(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    pub(crate) fn next_seq(&mut self, dead: bool) -> u64 {
        self.seq[usize::from(dead)] += 1;
        self.seq[usize::from(dead)]
    }

    pub(crate) fn peer(&self, peer: u32) -> Option<usize> {
        self.rcvs.iter().position(|r| r.peer == peer)
    }

    pub(crate) fn by_serial(&self, serial: u64) -> Option<usize> {
        self.rcvs.iter().position(|r| r.serial == serial)
    }

    pub(crate) fn listens(&self, dead: bool) -> bool {
        self.rcvs.iter().any(|r| r.dead == dead)
    }

    /// Sessions matter in the queue, not in its dead-letter queue.
    pub(crate) fn grouped(&self, dead: bool) -> bool {
        self.setup.sessions && !dead
    }

    // -- Time. --

    /// Lets everything happen that is due by then, in order.
    pub(crate) fn until(&mut self, then: u64) {
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

    pub(crate) fn earliest(&self) -> Option<(u64, u64, u8)> {
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

    pub(crate) fn release_scheduled(&mut self) {
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

    pub(crate) fn lock_runs_out(&mut self) {
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

    pub(crate) fn session_runs_out(&mut self) {
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

    pub(crate) fn wait_is_over(&mut self) {
        let first = self.rcvs.iter().position(|r| r.waits_until.is_some_and(|at| at <= self.now));
        let index = first.expect("one waits");
        let peer = self.rcvs.remove(index).peer;
        self.out.push(Out::Refused { peer });
    }

    pub(crate) fn purge(&mut self) {
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

    pub(crate) fn expire(&mut self, index: usize) {
        let session = self.msgs[index].session;
        if self.setup.keep_expired {
            self.bury(index);
        } else {
            self.msgs.remove(index);
        }
        self.leave_line(session);
    }

    /// A session without messages does not stand in line.
    pub(crate) fn leave_line(&mut self, session: u32) {
        if self.head(false, Some(session)).is_none() {
            self.line.retain(|s| *s != session);
        }
    }

    // -- Messages. --

    pub(crate) fn bury(&mut self, index: usize) {
        let mut msg = self.msgs.remove(index);
        msg.dead = true;
        msg.expires = None;
        msg.seq = self.next_seq(true);
        msg.st = St::Ready;
        self.msgs.push(msg);
        self.pump(true, None);
    }

    pub(crate) fn head(&self, dead: bool, session: Option<u32>) -> Option<usize> {
        let fits = |m: &Msg| m.dead == dead && m.st == St::Ready && session.is_none_or(|s| m.session == s);
        (0..self.msgs.len()).filter(|i| fits(&self.msgs[*i])).min_by_key(|i| self.msgs[*i].seq)
    }

    pub(crate) fn ready(&mut self, dead: bool, session: u32) {
        if !self.grouped(dead) {
            return self.pump(dead, None);
        }
        if self.holds.iter().any(|h| h.session == session) {
            return self.pump(dead, Some(session));
        }
        self.offer(session);
    }

    /// A session that nobody holds goes to who waits longest, else in line.
    pub(crate) fn offer(&mut self, session: u32) {
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

    pub(crate) fn take_session(&mut self, serial: u64, session: u32) {
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

    pub(crate) fn pump(&mut self, dead: bool, session: Option<u32>) {
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

    pub(crate) fn deliver(&mut self, index: usize, rcv: usize, fetched: bool) {
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
    pub(crate) fn give_back(&mut self, index: usize, counted: bool) {
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

    pub(crate) fn end_hold(&mut self, index: usize, counted: bool) {
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

    pub(crate) fn send(&mut self, item: u32, ttl: bool, delay: bool) {
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

    pub(crate) fn attach(&mut self, peer: u32, credit: u32, dead: bool) {
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

    pub(crate) fn credit(&mut self, peer: u32, more: u32) {
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

    pub(crate) fn detach(&mut self, peer: u32) {
        let Some(rcv) = self.peer(peer) else { return };
        let rcv = self.rcvs.remove(rcv);
        self.turn.iter_mut().for_each(|turn| turn.retain(|serial| *serial != rcv.serial));
        if let Some(hold) = self.holds.iter().position(|h| h.by == Some(rcv.serial)) {
            self.end_hold(hold, false);
        }
    }

    /// A link is lost: its locks run on, nobody can settle them.
    pub(crate) fn lose(&mut self, peer: u32) {
        let Some(rcv) = self.peer(peer) else { return };
        let rcv = self.rcvs.remove(rcv);
        self.turn.iter_mut().for_each(|turn| turn.retain(|serial| *serial != rcv.serial));
        self.holds.iter_mut().filter(|h| h.by == Some(rcv.serial)).for_each(|h| h.by = None);
    }

    /// The message of this grant, if its receiver may still settle it.
    pub(crate) fn valid(&self, grant: u64, by: u64) -> Option<usize> {
        let rcv = self.by_serial(by)?;
        if !self.enabled && !self.rcvs[rcv].dead {
            return None;
        }
        self.msgs
            .iter()
            .position(|m| matches!(m.st, St::Locked { grant: g, settling: false, .. } if g == grant))
    }

    pub(crate) fn settle(&mut self, (grant, peer, by): (u64, u32, u64), how: Settlement) {
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

    pub(crate) fn renew(&mut self, (grant, peer, by): (u64, u32, u64)) {
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

    pub(crate) fn fetch(&mut self, peer: u32, seq: u64) {
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

    pub(crate) fn enable(&mut self, on: bool) {
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

    pub(crate) fn crash(&mut self) {
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

    pub(crate) fn held(&self) -> Vec<(bool, u32)> {
        let mut held: Vec<(bool, u32)> = self.msgs.iter().map(|m| (m.dead, m.item)).collect();
        held.sort_unstable();
        held
    }
}
