//! What one entity holds: its messages in every state of facts 1.3, by retrieval order, by session, by
//! due time. Pure data; it survives a crash.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use crate::ids::Item;
use crate::kernel::slab::Slab;
use crate::node::TimerId;
use crate::services::service_bus::lane::{History, Lane};
use crate::time::Time;

/// Where in its life a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Invisible until then.
    Scheduled(Time),
    /// Can be retrieved.
    Ready,
    /// Delivered and not settled.
    Locked(Lock),
    /// Set aside; retrieved by its sequence number only.
    Deferred,
}

/// The lock on a delivered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lock {
    /// The token to settle with.
    pub(super) id: u64,
    /// The serial number of the link that owns it; 0 after a crash.
    pub(super) link: u32,
    /// Until when, on the wall clock; a session's lock covers those of its messages.
    pub(super) until: Time,
    /// The timer of its expiry; `None` under a session's lock.
    pub(super) timer: Option<TimerId>,
    /// A settlement waits for its sync; expiry no longer matters.
    pub(super) settling: bool,
    /// It was a deferred message that was fetched.
    pub(super) deferred: bool,
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stored {
    pub(super) item: Item,
    /// The message id.
    pub(super) identity: u64,
    /// The session id; 0: none.
    pub(super) session: u64,
    pub(super) sequence: u64,
    /// When it can no longer be retrieved.
    pub(super) expires: Time,
    /// How many deliveries have failed.
    pub(super) deliveries: u32,
    pub(super) bytes: u32,
    /// How often it was forwarded.
    pub(super) hops: u8,
    /// Its sender gave it its id, so that duplicate detection looks at it.
    pub(super) recognise: bool,
    /// If scheduled: only its visibility is delayed, so that it keeps its sequence number.
    pub(super) delayed: bool,
    /// A fault has made or moved it already; it does not strike again.
    pub(super) spared: bool,
    /// Where in the log of its pair it stands: deliverable under `sync` once the follower has it. 0: nowhere.
    pub(super) position: u64,
    pub(super) state: State,
}

/// Who holds a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Owner {
    /// Nobody.
    #[default]
    Nobody,
    /// The link in this slot.
    Link(u32),
    /// A link that is gone; the lock runs on until it expires.
    Gone,
}

/// A session that has messages or an owner.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) id: u64,
    pub(super) lane: Lane,
    pub(super) owner: Owner,
    pub(super) until: Time,
    pub(super) timer: Option<TimerId>,
    /// Its messages that are delivered and not settled.
    pub(super) held: SmallVec<[u32; 2]>,
    /// Whether it stands in the line of sessions that can be accepted.
    pub(super) queued: bool,
}

/// The sessions of an entity.
#[derive(Clone, Default)]
pub(super) struct Sessions {
    /// Never iterated.
    by_id: FxHashMap<u64, u32>,
    pub(super) table: Slab<Session>,
    /// Those with a message and no owner, in the order in which they became so.
    pub(super) available: VecDeque<u32>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("table", &self.table).field("available", &self.available).finish()
    }
}

impl Sessions {
    /// The session of this id, made if there is none.
    pub(super) fn slot(&mut self, id: u64) -> u32 {
        if let Some(slot) = self.by_id.get(&id) {
            return *slot;
        }
        let slot = self.table.insert(Session { id, ..Session::default() });
        self.by_id.insert(id, slot);
        slot
    }

    /// The session of this id, if it has messages or an owner.
    pub(super) fn find(&self, id: u64) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    fn forget(&mut self, slot: u32) {
        if let Some(session) = self.table.take(slot) {
            self.by_id.remove(&session.id);
        }
    }
}

/// One entity.
#[derive(Clone, Debug)]
pub(super) struct Entity {
    pub(super) messages: Slab<Stored>,
    /// Retrieval order, without sessions.
    pub(super) lane: Lane,
    pub(super) sessions: Sessions,
    /// Invisible messages by due time.
    pub(super) scheduled: BTreeMap<(Time, u64), u32>,
    /// Messages with an end, by that.
    pub(super) expiring: BTreeMap<(Time, u64), u32>,
    pub(super) deferred: BTreeMap<u64, u32>,
    pub(super) history: History,
    /// The last sequence number given out.
    pub(super) sequence: u64,
    /// How many are active: ready or locked.
    pub(super) active: u64,
    /// The size of all messages that count towards this entity's quota.
    pub(super) used: u64,
    pub(super) enabled: bool,
}

impl Default for Entity {
    fn default() -> Self {
        Self {
            messages: Slab::default(),
            lane: Lane::default(),
            sessions: Sessions::default(),
            scheduled: BTreeMap::new(),
            expiring: BTreeMap::new(),
            deferred: BTreeMap::new(),
            history: History::default(),
            sequence: 0,
            active: 0,
            used: 0,
            enabled: true,
        }
    }
}

impl Entity {
    pub(super) fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Puts a message in; it is in no order yet unless scheduled.
    pub(super) fn insert(&mut self, stored: Stored) -> u32 {
        let slot = self.messages.insert(stored);
        match stored.state {
            State::Scheduled(due) => {
                self.scheduled.insert((due, stored.sequence), slot);
            }
            State::Ready | State::Locked(_) => self.active += 1,
            State::Deferred => {}
        }
        if stored.expires != Time::NEVER {
            self.expiring.insert((stored.expires, stored.sequence), slot);
        }
        slot
    }

    /// Takes a message out of everything.
    pub(super) fn take(&mut self, slot: u32) -> Option<Stored> {
        let stored = self.messages.take(slot)?;
        match stored.state {
            State::Scheduled(due) => {
                self.scheduled.remove(&(due, stored.sequence));
            }
            State::Locked(lock) if lock.deferred => {}
            State::Ready | State::Locked(_) => self.active -= 1,
            State::Deferred => {
                self.deferred.remove(&stored.sequence);
            }
        }
        if stored.expires != Time::NEVER {
            self.expiring.remove(&(stored.expires, stored.sequence));
        }
        Some(stored)
    }

    /// Locks a ready or deferred message. Locked messages do not expire.
    pub(super) fn lock(&mut self, slot: u32, lock: Lock) {
        let Some(stored) = self.messages.get_mut(slot) else { return };
        stored.state = State::Locked(lock);
        let (expires, sequence) = (stored.expires, stored.sequence);
        if expires != Time::NEVER {
            self.expiring.remove(&(expires, sequence));
        }
        if lock.deferred {
            self.deferred.remove(&sequence);
        }
    }

    /// A locked message is ready again, or set aside again if it came from there. Whether it is ready.
    pub(super) fn unlock(&mut self, slot: u32) -> bool {
        let Some(stored) = self.messages.get_mut(slot) else { return false };
        let State::Locked(lock) = stored.state else { return false };
        if lock.deferred {
            stored.state = State::Deferred;
            self.deferred.insert(stored.sequence, slot);
            return false;
        }
        stored.state = State::Ready;
        if stored.expires != Time::NEVER {
            self.expiring.insert((stored.expires, stored.sequence), slot);
        }
        true
    }

    /// Sets a locked message aside. Deferred messages do not expire.
    pub(super) fn defer(&mut self, slot: u32) {
        let Some(stored) = self.messages.get_mut(slot) else { return };
        if matches!(stored.state, State::Locked(lock) if !lock.deferred) {
            self.active -= 1;
        }
        stored.state = State::Deferred;
        self.deferred.insert(stored.sequence, slot);
        self.expiring.remove(&(stored.expires, stored.sequence));
    }

    /// The lock of a message, if it is locked.
    pub(super) fn lock_of(&mut self, slot: u32) -> Option<&mut Lock> {
        match &mut self.messages.get_mut(slot)?.state {
            State::Locked(lock) => Some(lock),
            _ => None,
        }
    }

    /// The first message that can be retrieved without sessions, or within one.
    pub(super) fn head(&mut self, session: Option<u32>) -> Option<u32> {
        let lane = match session {
            None => &mut self.lane,
            Some(slot) => &mut self.sessions.table.get_mut(slot)?.lane,
        };
        while let Some((sequence, slot)) = lane.first() {
            let live = self.messages.get(slot);
            if live.is_some_and(|m| m.sequence == sequence && m.state == State::Ready) {
                return Some(slot);
            }
            lane.pop();
        }
        None
    }

    /// Takes the head out of the retrieval order; it must be dealt with at once.
    pub(super) fn pop(&mut self, session: Option<u32>) -> Option<u32> {
        let head = self.head(session)?;
        match session {
            None => self.lane.pop(),
            Some(slot) => self.sessions.table.get_mut(slot)?.lane.pop(),
        };
        Some(head)
    }

    /// Puts a ready message into the retrieval order; the slot of its session if it has one here.
    pub(super) fn line_up(&mut self, slot: u32, sessions: bool) -> Option<u32> {
        let (sequence, id) = self.messages.get(slot).map(|m| (m.sequence, m.session))?;
        if !sessions {
            self.lane.push(sequence, slot);
            return None;
        }
        let session = self.sessions.slot(id);
        self.sessions.table.get_mut(session)?.lane.push(sequence, slot);
        Some(session)
    }

    /// Forgets a session that has neither messages nor an owner.
    pub(super) fn tidy(&mut self, session: u32) {
        let empty = self.head(Some(session)).is_none();
        let Some(s) = self.sessions.table.get(session) else { return };
        if empty && s.owner == Owner::Nobody && s.held.is_empty() {
            if s.queued {
                self.sessions.available.retain(|waiting| *waiting != session);
            }
            self.sessions.forget(session);
        }
    }

    /// After a crash: no lock and no session has an owner, no timer runs.
    pub(super) fn recover(&mut self) {
        let slots: Vec<u32> = self.messages.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            if let Some(stored) = self.messages.get_mut(slot)
                && let State::Locked(lock) = &mut stored.state
            {
                (lock.link, lock.timer, lock.settling) = (0, None, false);
            }
        }
        let sessions: Vec<u32> = self.sessions.table.iter().map(|(slot, _)| slot).collect();
        self.sessions.available.clear();
        for slot in sessions {
            if let Some(session) = self.sessions.table.get_mut(slot) {
                (session.owner, session.timer, session.until) = (Owner::Nobody, None, Time::ZERO);
                session.held.clear();
                session.queued = false;
            }
            self.tidy(slot);
        }
    }

    /// Every session with a message stands in line, by its oldest one.
    pub(super) fn line_up_sessions(&mut self) {
        let slots: Vec<u32> = self.sessions.table.iter().map(|(slot, _)| slot).collect();
        let mut line: Vec<(u64, u32)> = Vec::new();
        for slot in slots {
            let head = self.head(Some(slot)).and_then(|message| self.messages.get(message));
            line.extend(head.map(|message| (message.sequence, slot)));
        }
        line.sort_unstable();
        self.sessions.available = line.iter().map(|(_, slot)| *slot).collect();
        for (_, slot) in line {
            if let Some(session) = self.sessions.table.get_mut(slot) {
                session.queued = true;
            }
        }
    }
}
