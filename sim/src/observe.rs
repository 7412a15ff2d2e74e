//! Everything that a judge may see. The world pushes observations as they happen and stores none.

use serde::{Deserialize, Serialize};

use crate::ids::{Address, CallId, ConnectionId, FaultId, FaultMask, Item, NodeId, PlaceId, ProcessId};
use crate::time::Time;

/// One thing that happened, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When, in true time.
    pub at: Time,
    /// The kernel event in which it happened.
    pub event: u64,
    /// The kernel event that caused that one.
    pub parent: u64,
    /// Who reports it.
    pub process: ProcessId,
    /// Which life of that process.
    pub incarnation: u32,
    /// On which connection, or [`ConnectionId::NONE`].
    pub connection: ConnectionId,
    /// About which item; meaningless where `what` is not about an item ([`What::has_item`]).
    pub item: Item,
    /// Which faults touched it.
    pub by: FaultMask,
    /// What happened.
    pub what: What,
}

/// Where observations go. Statically dispatched; must not influence the world.
pub trait Sink {
    /// Takes one observation.
    fn observe(&mut self, observation: &Observation);
}

/// Takes nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nobody;

impl Sink for Nobody {
    fn observe(&mut self, _: &Observation) {}
}

/// Keeps everything; for tests and for explaining one run.
impl Sink for Vec<Observation> {
    fn observe(&mut self, observation: &Observation) {
        self.push(*observation);
    }
}

/// How a call ended, as the caller believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// The callee said yes.
    Ok,
    /// The callee said no, definitely and for good (4xx, conflict).
    Refused,
    /// A definite error: nothing happened, and trying again was given up or is not worth it.
    Failed,
    /// No answer, or an answer that leaves it open: it may have happened.
    Unknown,
}

/// What the callee did with one attempt of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Handling {
    /// It took effect.
    Stored,
    /// It was recognised as a repetition and had no further effect.
    Suppressed,
    /// It was refused, without effect.
    Rejected,
}

/// Why a copy came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Birth {
    /// A write or a send was accepted.
    Stored,
    /// A topic gave a copy to a subscription.
    FannedOut,
    /// A service derived it (a dead-letter record, an outbox entry).
    Derived,
    /// It came back by failover, restore or rewind.
    Reborn,
}

/// Why a copy came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum End {
    /// Its consumer completed it, deleted it or took it for good.
    Completed,
    /// It was given to every matching subscription.
    FannedOut,
    /// Its time to live passed.
    Expired,
    /// The service or the network dropped it for a documented reason.
    Discarded(Discard),
    /// A crash or a lost sync destroyed it.
    Destroyed,
    /// A failover destroyed it: the place was given up, whether or not the copy lives on elsewhere.
    FailoverTail,
}

/// Documented reasons to drop a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Discard {
    /// No subscription's filter matches.
    Unsubscribed,
    /// Delivery attempts are used up and there is no dead-letter destination.
    Undeliverable,
    /// Another write to the same document was later, in another region.
    Superseded,
    /// The dead-letter destination did not take it in time.
    DeadLetterUnavailable,
    /// A fault removed it.
    Fault,
}

/// Why a message was moved to a dead-letter queue (facts 1.4, 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the documented ones")]
pub enum DeadLetterReason {
    MaxDeliveryCountExceeded,
    TtlExpired,
    HeaderSizeExceeded,
    SessionIdIsNull,
    MaxTransferHopCountExceeded,
    ForwardingFailed,
    FilterEvaluation,
    Application,
    MaxDeliveryAttemptsExceeded,
    TimeToLiveExceeded,
    Rejected,
}

/// Signs that something is not as it should be; by these a fault is *felt*.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Symptom {
    /// A caller got a definite error.
    Error,
    /// A caller got no answer in time.
    Timeout,
    /// A caller tries again.
    Retry,
    /// A message is delivered again.
    Redelivery,
    /// A lock or a session lock was lost.
    LockLost,
    /// A lease was lost.
    LeaseLost,
    /// A connection was reset or given up.
    Reset,
    /// A message or a request took longer: retransmissions, a stalled connection, somebody who is slow.
    Delayed,
    /// A datagram was lost, doubled or overtaken.
    Datagram,
    /// A run ended in failure.
    RunFailed,
    /// Work waits because there is no free slot, credit or token.
    Throttled,
    /// A message goes where it should not, or does not go where it should. Nobody in the world notices.
    Misrouted,
    /// A caller is told that something was done, and it was not. Nobody in the world notices.
    Misled,
}

/// The phases of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are those of the design: armed, fired, healed")]
pub enum FaultPhase {
    Armed,
    Started,
    Fired,
    Healed,
}

/// The life of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Life {
    Started,
    Stopped,
    Crashed,
    PowerLost,
    Paused,
    Resumed,
}

/// What somebody believes about somebody else changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Belief {
    /// A probe or a registration says that it serves, or that it does not.
    Ready(bool),
    /// A circuit breaker about it opened.
    BreakerOpen,
    /// A circuit breaker lets trial requests through.
    BreakerHalfOpen,
    /// A circuit breaker closed.
    BreakerClosed,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// A generator made the item and offers it at a door.
    Offered {
        /// The node it is sent to.
        door: NodeId,
    },
    /// The generator's caller is done with the item, retries included.
    Concluded {
        /// The node it was sent to.
        door: NodeId,
        /// What the caller believes.
        outcome: Outcome,
        /// When the item was offered.
        offered: Time,
    },

    /// Sends book, caller: an attempt is put on the wire.
    Sent {
        /// The attempt.
        call: CallId,
        /// To whom.
        to: Address,
    },
    /// Sends book, caller: an attempt is over.
    Answered {
        /// The attempt.
        call: CallId,
        /// What the caller believes about this attempt.
        outcome: Outcome,
    },
    /// Sends book, callee: what became of an attempt.
    Handled {
        /// The attempt.
        call: CallId,
        /// What the callee did.
        how: Handling,
    },

    /// Copies book: a copy comes to be at a place. At a place that is an end (a table, an endpoint's
    /// operation) this is the *effect*.
    Born {
        /// Where.
        place: PlaceId,
        /// Why.
        cause: Birth,
    },
    /// Copies book: a copy ends at a place.
    Ended {
        /// Where.
        place: PlaceId,
        /// Why.
        cause: End,
    },
    /// Copies book: a copy goes from one place to another within a service.
    Moved {
        /// Where it was.
        from: PlaceId,
        /// Where it is now.
        to: PlaceId,
        /// The dead-letter reason, where the move is one.
        reason: Option<DeadLetterReason>,
    },
    /// Outside of all books: a secondary holds a copy of a copy, a shadow, from now on or no longer. One that is
    /// promoted is `Born` there, and is no shadow any more.
    Shadow {
        /// Where it would be after a promotion.
        place: PlaceId,
        /// Whether it is there now.
        held: bool,
    },
    /// A reader was answered whether the item's row is there.
    Read {
        /// Where; of a store in several regions any of its places, whichever region answered.
        place: PlaceId,
        /// Whether it is there.
        found: bool,
        /// When the request was put on the wire.
        asked: Time,
    },
    /// A repetition was recognised and had no effect there.
    Absorbed {
        /// Where.
        place: PlaceId,
    },
    /// The effect at `undone` is taken back by the one at `by`.
    Undone {
        /// What no longer counts.
        undone: PlaceId,
        /// What took it back.
        by: PlaceId,
    },

    /// A recipe's run begins with this item (once for every item of a batch).
    RunStarted {
        /// The run.
        run: u64,
    },
    /// A recipe's run ends.
    RunEnded {
        /// The run.
        run: u64,
        /// Whether all its steps were done.
        done: bool,
    },
    /// A recipe's run passed a step.
    StepDone {
        /// The step, by its position in the recipe (see [`Plan`](crate::plan::Plan)).
        step: u16,
        /// How it went.
        outcome: Outcome,
    },

    /// A sign of trouble about the item.
    Symptom(Symptom),
    /// A sign of trouble about a process, as seen by the reporting one; no item.
    Trouble {
        /// About whom.
        subject: ProcessId,
        /// Which.
        symptom: Symptom,
    },
    /// What the reporting process believes about another changed; no item.
    Believes {
        /// About whom.
        subject: ProcessId,
        /// What.
        belief: Belief,
    },
    /// A fault altered this message (`by` says which).
    Touched,
    /// A fault altered this connection, process or timer; no item.
    TouchedProcess {
        /// Whom.
        subject: ProcessId,
    },
    /// A fault changed phase; no item.
    Fault {
        /// Which.
        fault: FaultId,
        /// To what.
        phase: FaultPhase,
    },
    /// The reporting process started, stopped, crashed; no item.
    Life(Life),
}

impl What {
    /// Whether the observation is about its item.
    #[must_use]
    pub const fn has_item(&self) -> bool {
        !matches!(
            self,
            What::Trouble { .. }
                | What::Believes { .. }
                | What::TouchedProcess { .. }
                | What::Fault { .. }
                | What::Life(_)
        )
    }
}

/// The links book: what became of the messages that were put on paths. It balances at every moment:
/// `sent + duplicated = delivered + lost + dropped + in flight`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkBook {
    /// Put on a path.
    pub sent: u64,
    /// Doubled on the way (datagrams only).
    pub duplicated: u64,
    /// Arrived at a process.
    pub delivered: u64,
    /// Lost on the way (datagrams only; on a stream a loss is a delay).
    pub lost: u64,
    /// Dropped because the connection or the process it went to was gone.
    pub dropped: u64,
    /// Under way, or waiting on a stalled connection.
    pub in_flight: u64,
}

impl LinkBook {
    /// Whether it balances.
    #[must_use]
    pub const fn balances(&self) -> bool {
        self.sent + self.duplicated == self.delivered + self.lost + self.dropped + self.in_flight
    }
}

/// One or more copies that a process holds at the end (or at any moment): the inventory walk feeds the books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Where.
    pub place: PlaceId,
    /// Which item.
    pub item: Item,
    /// How many copies of it.
    pub copies: u32,
    /// Whether it may stay there for ever: a row in a table, a dead letter nobody reads.
    pub rest: bool,
    /// Whether nobody can take it out as things stand: the entity that keeps it is switched off.
    pub shut: bool,
}
