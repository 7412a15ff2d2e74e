//! AMQP as a broker speaks it: links with credit, deliveries under lock, settlements.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{Execution, Once};
use crate::time::{Span, Time};

/// What a client sends to a broker. `part` is the entity, by the namespace's own numbering.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// Send the cargo (one message an item).
    Send {
        /// The queue, topic or event hub.
        part: u16,
        /// What makes the message id; `NONE`: a new id each time.
        once: Once,
        /// What makes the session id, of an event hub the partition key; `NONE`: none.
        session: Once,
        /// The execution in which it is sent.
        execution: Execution,
        /// The message's own time to live; `FOREVER`: the entity's default.
        ttl: Span,
        /// Enqueue only after this delay (a scheduled message).
        delay: Span,
    },
    /// Open a receiver link. Deliveries follow as long as there is credit.
    Attach {
        /// The queue, subscription or dead-letter queue.
        part: u16,
        /// The client's number for the link, unique on its connection.
        link: u32,
        /// Which messages the link wants.
        from: Source,
        /// Peek-lock, or receive-and-delete.
        mode: ReceiveMode,
        /// How many messages may be sent before more credit is given (concurrency + prefetch).
        credit: u32,
    },
    /// Give more credit to a link.
    Credit {
        /// The link.
        link: u32,
        /// How much more.
        more: u32,
    },
    /// Take back the credit of a link: nothing more is delivered on it until it gets more.
    Drain {
        /// The link.
        link: u32,
    },
    /// Close a link; an idle session is given back.
    Detach {
        /// The link.
        link: u32,
    },
    /// Settle a message that is locked on this connection.
    Settle {
        /// The link on which it came.
        link: u32,
        /// Its lock.
        lock: u64,
        /// What becomes of it.
        how: Settlement,
        /// How much more credit the link gets once it is settled: saves a message where the receiver is
        /// free as soon as the settlement is done.
        more: u32,
    },
    /// Extend the lock of a message (`lock`), or of the session of the link (`lock` = 0).
    Renew {
        /// The link.
        link: u32,
        /// The lock of a message; 0 for the session's.
        lock: u64,
    },
    /// Settle and send atomically, within one namespace.
    Transact {
        /// The operations, in order.
        operations: Arc<Vec<TransactionStep>>,
        /// The execution in which it is done.
        execution: Execution,
    },
    /// Receive a deferred message by its sequence number.
    ReceiveDeferred {
        /// The entity.
        part: u16,
        /// The link that will own the lock.
        link: u32,
        /// Its sequence number.
        sequence: u64,
    },
    /// Cancel a scheduled message by the sequence number that its send returned.
    CancelScheduled {
        /// The entity.
        part: u16,
        /// Its sequence number.
        sequence: u64,
    },
    /// Read one partition of an event hub. Answered as soon as there is something to read, or after a while
    /// with nothing (facts 3.3).
    Receive {
        /// The consumer group.
        part: u16,
        /// The partition.
        partition: u16,
        /// After which sequence number.
        after: u64,
        /// At most so many events.
        max: u32,
        /// Who reads. All readers have the owner level 0.
        owner: u64,
        /// Whether this opens the link: the reader before is disconnected, the newest wins (facts 3.2).
        opens: bool,
        /// Up to where the reader has checkpointed, as far as it knows. No broker is told; it is for the books.
        done: u64,
    },
    /// Look at messages without locking them.
    Peek {
        /// The entity.
        part: u16,
        /// At most so many.
        max: u16,
    },
}

/// Which messages a receiver link wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Any message of an entity without sessions.
    Any,
    /// The next session that has a message and no owner.
    NextSession,
    /// This session.
    Session(u64),
}

/// How a message is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ReceiveMode {
    /// Locked until it is settled or the lock expires.
    #[default]
    PeekLock,
    /// Removed when it is put on the wire.
    ReceiveAndDelete,
}

/// How a locked message is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Settlement {
    /// Done: removed.
    Complete,
    /// Not done: available again, the delivery count raised.
    Abandon,
    /// Moved to the dead-letter queue, with the application's reason.
    DeadLetter,
    /// Set aside; only receivable by its sequence number.
    Defer,
}

/// One operation of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionStep {
    /// Settle a message that is locked on this connection.
    Settle {
        /// The link.
        link: u32,
        /// The lock.
        lock: u64,
        /// What becomes of it.
        how: Settlement,
    },
    /// Send the cargo of the command to an entity.
    Send {
        /// The queue or topic.
        part: u16,
        /// What makes the message id.
        once: Once,
        /// What makes the session id.
        session: Once,
        /// Under which message type.
        kind: crate::ids::TypeId,
    },
}

/// What a broker sends to a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The send (or transaction) was accepted, or absorbed by duplicate detection: the client cannot tell.
    Accepted {
        /// The sequence number of the (last) message.
        sequence: u64,
    },
    /// The command was refused.
    Refused(Error),
    /// The link is open; `session` is the session it owns (0: none).
    Attached {
        /// The link.
        link: u32,
        /// The session.
        session: u64,
        /// Until when the session is locked.
        locked_until: Time,
    },
    /// A message. Its item is the cargo.
    Delivered {
        /// The link.
        link: u32,
        /// How often it had been delivered before.
        delivery_count: u32,
        /// The lock to settle it with; 0 under receive-and-delete.
        lock: u64,
        /// Until when it is locked (the session's lock on a session link).
        locked_until: Time,
        /// The message id.
        identity: u64,
        /// The sequence number.
        sequence: u64,
    },
    /// The settlement was done.
    Settled,
    /// The lock now holds until then.
    Renewed {
        /// Until when.
        locked_until: Time,
    },
    /// The broker closed the link (entity disabled, session lock lost, idle for too long).
    Detached {
        /// The link.
        link: u32,
        /// Why.
        why: Error,
    },
    /// The answer to a peek: the cargo.
    Peeked,
    /// Events of a partition, oldest first: the cargo. None, if there were none for a while.
    Received {
        /// The partition.
        partition: u16,
        /// The sequence number up to which was read.
        upto: u64,
    },
}

/// The errors of a broker (facts 1.2, 1.10). Each says whether the client knows what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the documented ones")]
pub enum Error {
    /// 50009; the client backs off for 10 s, as a whole.
    ServiceBusy,
    /// No answer in time, or no session available.
    ServiceTimeout,
    ServiceCommunicationProblem,
    GeneralError,
    /// The entity is full.
    QuotaExceeded,
    MessageSizeExceeded,
    MessageLockLost,
    SessionLockLost,
    SessionCannotBeLocked,
    MessageNotFound,
    MessagingEntityDisabled,
    MessagingEntityNotFound,
    /// A message without a session id on an entity that requires sessions.
    SessionIdRequired,
    /// The transaction was rolled back.
    TransactionAborted,
    /// The operation does not exist on this entity or tier.
    InvalidOperation,
    /// Another reader has taken the partition (facts 3.2).
    ConsumerDisconnected,
}

impl Error {
    /// Whether the SDK repeats the operation by itself (facts 1.10).
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Error::ServiceBusy
                | Error::ServiceTimeout
                | Error::ServiceCommunicationProblem
                | Error::GeneralError
        )
    }

    /// Whether the client knows that nothing happened. Where it does not, the operation may have taken effect.
    #[must_use]
    pub const fn is_definite(self) -> bool {
        !matches!(self, Error::ServiceTimeout | Error::ServiceCommunicationProblem | Error::GeneralError)
    }
}
