//! What a guest asks of the process that stands for it, and what it is told. Names are those of the
//! scenario; they are resolved when the request is handled.

use crate::ids::{Execution, Item, Once};
use crate::message::broker::{ReceiveMode, Settlement};
use crate::message::store::WriteVerb;
use crate::observe::Outcome;
use crate::time::{Span, Time};

/// What a guest asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// To be woken after so long, on the guest's monotonic clock.
    Sleep(Span),
    /// The time of some work: longer while a fault slows the replica down.
    Work(Span),
    /// The next message of a queue or subscription.
    Receive(From),
    /// To settle a message that was received.
    Settle {
        /// The request that received it.
        delivery: u64,
        /// What becomes of it.
        how: Settlement,
    },
    /// To extend the lock of a message (of its session).
    Renew {
        /// The request that received it.
        delivery: u64,
    },
    /// Nothing: the guest no longer has the message and did not settle it. No reply.
    Forget {
        /// The request that received it.
        delivery: u64,
    },
    /// To call, send, publish, write or read.
    Call(Box<Call>),
    /// Nothing: the reply to that request is not wanted any more. No reply.
    Withdraw {
        /// Which.
        request: u64,
    },
    /// To be ended, and started again after a pause: the guest's code returned. No reply.
    Exit {
        /// Why, if it was an error.
        error: Option<String>,
    },
}

/// From what, and how, a guest receives.
#[derive(Clone, Debug, PartialEq)]
pub struct From {
    /// The queue, subscription or dead-letter queue.
    pub name: String,
    /// Peek-lock (the default), or receive-and-delete.
    pub mode: ReceiveMode,
    /// How many messages are fetched before they are asked for. Default: 0 (facts 1.1).
    pub prefetch: u32,
    /// How long locks are renewed without being asked to. Default: not at all, as the plain receiver of
    /// the client library; its processor does so for 5m.
    pub renew_lock: Span,
    /// Of an entity with sessions: how many at once. Default: 1.
    pub sessions: u32,
}

/// One call of a guest.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Whom.
    pub target: String,
    /// What is done there.
    pub verb: Verb,
    /// About what.
    pub about: About,
    /// By what a receiver may recognise a repetition. Default: not at all.
    pub once: Once,
    /// The session; none by default.
    pub session: Once,
    /// The message type under which it is sent or kept; none: as it came.
    pub kind: Option<String>,
    /// The policy; none: that of the node.
    pub policy: Option<String>,
    /// How long one attempt may take; none: what the policy says.
    pub timeout: Option<Span>,
    /// A scheduled message: enqueued after this delay.
    pub delay: Span,
    /// The message's or row's own time to live.
    pub ttl: Span,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verb {
    /// An app, a gateway or an endpoint is called.
    Call,
    /// Something is sent to a queue or topic of a broker, or published to an event router.
    Send,
    /// A row is written; for an increment, by how much.
    Write(WriteVerb, i64),
    /// A row is read.
    Read,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// The item.
    pub item: Item,
    /// In which execution; none where it is about no message that was received.
    pub execution: Option<Execution>,
}

/// What a guest is told.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It is over, retries included; what the client believes.
    Done(Outcome),
    /// The time has passed.
    Woken,
    /// A message.
    Delivered(Delivered),
    /// The lock now holds until then, by the wall clock.
    Renewed(Time),
    /// It cannot be asked in this way: what is wrong, and what would be right.
    Wrong(String),
    /// The process died, and the guest with it.
    Gone,
}

/// A message as the guest sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivered {
    /// The request that received it; names it from now on.
    pub delivery: u64,
    /// Its item, under the type of the message.
    pub item: Item,
    /// The execution: the same message has the same `message`, each delivery another `run`.
    pub execution: Execution,
    /// How many deliveries of it had failed before.
    pub delivery_count: u32,
    /// The session; 0: none.
    pub session: u64,
    /// Until when it is locked, by the wall clock.
    pub locked_until: Time,
    /// How it was taken.
    pub mode: ReceiveMode,
}

impl std::convert::From<Item> for About {
    fn from(item: Item) -> About {
        About { item, execution: None }
    }
}

impl std::convert::From<&Item> for About {
    fn from(item: &Item) -> About {
        About::from(*item)
    }
}
