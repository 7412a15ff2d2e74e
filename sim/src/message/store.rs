//! Databases and blob storage: writes, transactions, polls, the change feed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{Execution, Once, TypeId};
use crate::time::{Span, Time};

/// What a client sends to a store. `part` is the table or container, by the store's own numbering.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Do these operations for every item of the cargo, all or nothing. One operation is a plain write.
    Write {
        /// The operations; shared with the recipe that they come from.
        operations: Arc<Vec<Operation>>,
        /// The execution in which it is done.
        execution: Execution,
    },
    /// The oldest rows of a table that is read as a queue.
    Poll {
        /// The table.
        part: u16,
        /// At most so many.
        max: u32,
    },
    /// Read the row of the item.
    Read {
        /// The table.
        part: u16,
    },
    /// Take or keep a lease of a feed range.
    Lease {
        /// Which reader of the feed: the node of the app. Each has leases and checkpoints of its own.
        processor: u16,
        /// The range; `u16::MAX`: any that this owner may take by its fair share.
        range: u16,
        /// The owner's own number.
        owner: u64,
        /// What to do.
        how: LeaseAction,
    },
    /// Who owns the partitions of an event hub, as a consumer group has written it down? (facts 3.3)
    Owners {
        /// The consumer group, by its number in the plan.
        processor: u16,
    },
    /// Read the change feed of a range after a position.
    ReadFeed {
        /// Which part; `u16::MAX`: all.
        part: u16,
        /// The range.
        range: u16,
        /// The position after which to read.
        after: u64,
        /// At most so many changes.
        max: u32,
    },
}

/// One write.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// What is done.
    pub verb: WriteVerb,
    /// The table or container.
    pub part: u16,
    /// By what the store recognises a repetition (an inbox row in the same transaction); `NONE`: not at all.
    pub once: Once,
    /// By how much, for an increment.
    pub by: i64,
    /// The row's own time to live; `FOREVER`: none.
    pub ttl: Span,
    /// The type under which the copy is kept; 0: as it came.
    pub kind: TypeId,
}

/// The kinds of write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WriteVerb {
    /// A new row for the item; a conflict where there is one (absorbed with `once`).
    Insert,
    /// A new row, or the same row again.
    Upsert,
    /// Always a new row.
    Append,
    /// The row of the item goes.
    Delete,
    /// A counter changes; a repetition changes it again unless recognised by `once`.
    Increment,
}

/// What is done with a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LeaseAction {
    /// Take it if it is free or expired.
    Acquire,
    /// Keep it.
    Renew,
    /// Move its checkpoint to this position.
    Checkpoint(u64),
    /// Write one's own name into it if it still has this ETag (of the partitions of an event hub, facts 3.3).
    Claim(u32),
    /// Give it back.
    Release,
}

/// What a store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Done. `absorbed`: it had been done before, and `once` recognised it.
    Done {
        /// Whether it had been done before.
        absorbed: bool,
    },
    /// The rows that were asked for: the cargo. `upto` is the position of the last change.
    Rows {
        /// The feed range, where a feed was read.
        range: u16,
        /// The position of the last change.
        upto: u64,
    },
    /// The lease is held by the asker; its checkpoint is at `position`.
    Leased {
        /// The range.
        range: u16,
        /// Its checkpoint.
        position: u64,
    },
    /// No lease for the asker: `range` is held by somebody else, or there is none left to take.
    NotLeased {
        /// The range.
        range: u16,
    },
    /// Refused.
    Refused {
        /// Why.
        error: Error,
        /// When to come again, where the store says so.
        retry_after: Option<Span>,
    },
}

/// What is written down about one partition of an event hub (facts 3.3): two blobs, one of them with the
/// owner, one with the checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// The owner; 0: nobody.
    pub owner: u64,
    /// When that was written last, on the store's wall clock.
    pub since: Time,
    /// Counts the writes; 0: never written.
    pub etag: u32,
    /// The sequence number up to which events are done.
    pub checkpoint: u64,
}

/// The errors of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Error {
    /// There is a row already (409; SQL 2627).
    Conflict,
    /// Over the provisioned throughput (429).
    TooManyRequests,
    /// Not available now: failing over, restarting, down (503; SQL 40613). Nothing happened.
    Unavailable,
    /// The service gave up in the middle: it may have happened (408).
    Timeout,
    /// The item is too large, the batch too long or over two partitions (400, 413).
    BadRequest,
    /// No such row (404).
    NotFound,
    /// Chosen as a deadlock victim and rolled back (SQL 1205).
    Deadlock,
    /// The database is read-only now (SQL 3906).
    ReadOnly,
    /// No free connection or worker (SQL 10928).
    ConnectionLimit,
}

impl Error {
    /// Whether trying again may help.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        !matches!(self, Error::Conflict | Error::BadRequest | Error::NotFound)
    }
    /// Whether the client knows that nothing happened.
    #[must_use]
    pub const fn is_definite(self) -> bool {
        !matches!(self, Error::Timeout)
    }
}
