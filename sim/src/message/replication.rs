//! Between the replicas of a geo-replicated service: its log, who leads, and the change of the lead.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{Execution, Item};
use crate::message::Cargo;
use crate::message::control::Transition;
use crate::message::store::{self, Operation};
use crate::services::cosmos_db::Account;
use crate::services::ownership::Ownerships;
use crate::services::tables::{self, Table};
use crate::time::Time;

/// What one replica says to the other. An epoch is the term of one leader; each promotion begins the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// The leader's log from this position on. The copies that it brings are the cargo.
    Ship {
        /// The leader's term.
        epoch: u32,
        /// The position of the first change.
        from: u64,
        /// The changes, in order.
        changes: Arc<Vec<Change>>,
    },
    /// The follower has the log up to this position, durably.
    Ack {
        /// The leader's term.
        epoch: u32,
        /// The position of the next change.
        upto: u64,
    },
    /// I lead in this term: asked of a follower to hear how far it is, told to an old leader to depose it.
    Lead {
        /// The leader's term.
        epoch: u32,
        /// The old leader had yielded everything, so that its copies are as good as the new one's.
        planned: bool,
    },
    /// I follow in this term.
    Follow {
        /// The leader's term.
        epoch: u32,
        /// The position of the next change that the follower needs.
        applied: u64,
        /// It has nothing, and needs everything from the start.
        fresh: bool,
        /// It is about to lead itself.
        rising: bool,
    },
    /// Take the lead: passed on by the replica that was asked.
    Promote {
        /// How.
        mode: Transition,
    },
    /// The follower will not take the lead.
    Declined,
    /// To the leader: take no more work; if `planned`, bring me up to date and say so.
    Yield {
        /// The leader's term.
        epoch: u32,
        /// Whether the new leader waits for the rest of the log.
        planned: bool,
    },
    /// The leader has stopped, and the follower has all of its log.
    Yielded {
        /// The leader's term.
        epoch: u32,
    },
    /// The pairing is over (facts 1.9, Geo-DR: fail-forward); of an account: your region is offline (facts data
    /// 1.8).
    Unpaired,
    /// Everything that the write region of an account has, for a region that follows it from now on.
    Base {
        /// The leader's term.
        epoch: u32,
        /// The position of the next change.
        at: u64,
        /// What there is.
        state: Arc<Account>,
    },
}

/// One change of a replicated broker or database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Change {
    /// The follower forgets everything that it has.
    Clear,
    /// A message is there, or is changed.
    Put {
        /// The entity.
        part: u16,
        /// The message.
        letter: Letter,
    },
    /// A message is no longer there.
    Gone {
        /// The entity.
        part: u16,
        /// Its sequence number.
        sequence: u64,
    },
    /// Duplicate detection has seen a message id.
    Seen {
        /// The entity.
        part: u16,
        /// When, on the leader's wall clock.
        at: Time,
        /// The message id.
        identity: u64,
    },
    /// All message ids that duplicate detection remembers, oldest first.
    History {
        /// The entity.
        part: u16,
        /// When each was seen, and the id.
        ids: Arc<Vec<(Time, u64)>>,
    },
    /// An entity was switched on or off.
    Enabled {
        /// The entity.
        part: u16,
        /// On or off.
        on: bool,
    },
    /// All tables of a database, to begin with.
    Seed {
        /// The tables, in order of their parts.
        tables: Arc<Vec<Table>>,
    },
    /// A database has committed a transaction. Done again in the same order it has the same effect.
    Committed {
        /// The operations.
        operations: Arc<Vec<Operation>>,
        /// The execution in which they were done.
        execution: Execution,
        /// The items.
        items: Cargo,
    },
    /// Where all regions take writes: what a transaction did, document by document.
    Documents {
        /// The time stamp, on the region's wall clock.
        at: Time,
        /// Up to which position the region had the log of the one that it ships this to.
        seen: u64,
        /// The execution in which it was done.
        execution: Execution,
        /// What was done.
        journal: Arc<Vec<tables::Change>>,
        /// The items.
        items: Cargo,
    },
    /// A namespace of event hubs has changed.
    Hub(HubChange),
    /// The oldest document of this key has expired.
    Expired {
        /// The container.
        part: u16,
        /// The item.
        item: Item,
        /// Whether the type is part of the key.
        typed: bool,
        /// Its feed range.
        range: u16,
        /// The position of its change in the feed.
        position: u64,
    },
}

impl Change {
    /// The items that it is about and brings along.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        match self {
            Change::Put { letter, .. } => std::slice::from_ref(&letter.item),
            Change::Committed { items, .. }
            | Change::Documents { items, .. }
            | Change::Hub(HubChange::Log { items, .. }) => items.items(),
            Change::Hub(HubChange::Event { item, .. }) => std::slice::from_ref(item),
            _ => &[],
        }
    }
}

/// One change of a namespace of event hubs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum HubChange {
    /// An event was appended.
    Event {
        /// The hub.
        part: u16,
        /// The partition.
        partition: u16,
        /// The event.
        item: Item,
        /// When it was enqueued.
        at: Time,
    },
    /// A consumer group has checkpointed a partition, as its reader says.
    Done {
        /// The consumer group.
        part: u16,
        /// The partition.
        partition: u16,
        /// Up to where.
        done: u64,
    },
    /// All of a partition, to begin with.
    Log {
        /// The hub.
        part: u16,
        /// The partition.
        partition: u16,
        /// The sequence number of the last event that is gone.
        base: u64,
        /// Up to where the copies have ended.
        settled: u64,
        /// By consumer group: up to where it is checkpointed.
        done: Arc<Vec<u64>>,
        /// The terms of the leaders, each with the sequence number after which it began.
        terms: Arc<Vec<(u32, u64)>>,
        /// The events.
        items: Cargo,
        /// When each was enqueued.
        at: Arc<Vec<Time>>,
    },
    /// Somebody has written an owner or a checkpoint.
    Written {
        /// What was written.
        command: store::Command,
        /// When, on the leader's wall clock.
        at: Time,
    },
    /// All owners and checkpoints, to begin with.
    Ownerships(Arc<Ownerships>),
}

/// A message as it is replicated: without its lock, which belongs to a link of the leader.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// What it is about.
    pub item: Item,
    /// The message id.
    pub identity: u64,
    /// The session id; 0: none.
    pub session: u64,
    /// The sequence number, which names it within its entity.
    pub sequence: u64,
    /// When it can no longer be retrieved.
    pub expires: Time,
    /// How many deliveries have failed.
    pub deliveries: u32,
    /// Its size.
    pub bytes: u32,
    /// How often it was forwarded.
    pub hops: u8,
    /// Its sender gave it its id.
    pub recognise: bool,
    /// If scheduled: only its visibility is delayed.
    pub delayed: bool,
    /// A fault has made or moved it already.
    pub spared: bool,
    /// Where in its life it is.
    pub rest: Rest,
}

/// Where in its life a replicated message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rest {
    /// It can be retrieved, or is locked by a link of the leader.
    Ready,
    /// Invisible until then.
    Scheduled(Time),
    /// Retrieved by its sequence number only.
    Deferred,
}
