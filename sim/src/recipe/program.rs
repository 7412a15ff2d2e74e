//! What a recipe is compiled to: a flat list of operations with every name resolved, so that running it
//! looks nothing up and allocates nothing.

use std::sync::Arc;

use crate::client::keyring::Need;
use crate::client::{Policy, Sdk};
use crate::ids::{Address, Once, PlaceId, TypeId};
use crate::message::broker::Settlement;
use crate::message::control;
use crate::message::store::Operation;
use crate::recipe::step::State;
use crate::time::Span;
use crate::units::Sampler;

/// A compiled recipe.
#[derive(Clone, Debug)]
pub struct Program {
    /// The status of the first `reply`: what a repetition of a request is answered.
    pub status: u16,
    /// The hash of the app's name; enters the draws of its work.
    pub app: u64,
    /// The operations: those of the three lists, each followed by its parts, then the undos.
    pub ops: Vec<Op>,
    /// The first operation that does something outside the app: there a poison item throws.
    pub first_effect: Option<u16>,
    /// The recipe itself.
    pub main: Block,
    /// What is done after a definite no.
    pub on_refusal: Option<Block>,
    /// What is done after trying and giving up.
    pub on_failure: Option<Block>,
    /// Whether a step of which it is not known whether it happened is taken back too.
    pub undo_unknown: bool,
    /// Whom the recipe calls, and how.
    pub routes: Vec<Route>,
    /// The credentials that these calls need.
    pub needs: Arc<Vec<Need>>,
}

/// The operations `from..to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// The first one.
    pub from: u16,
    /// The one after the last.
    pub to: u16,
}

/// Somebody who is called in one way; one client with its own retries and breaker.
#[derive(Clone, Debug, PartialEq)]
pub struct Route {
    /// Whom: only the process counts.
    pub to: Address,
    /// With which client library; its documented defaults fill the gaps of the policy.
    pub sdk: Sdk,
    /// How.
    pub policy: Policy,
    /// The hash of the names of the app and the callee; enters the draws of its jitter.
    pub hash: u64,
    /// Which of the needs of the program has to be met.
    pub need: Option<u16>,
}

/// One operation.
#[derive(Clone, Debug)]
pub struct Op {
    /// The step, by its index in the plan.
    pub step: u16,
    /// The hash of the step's name; enters the draws of its work, so that another step shifts nothing.
    pub hash: u64,
    /// What is done.
    pub verb: Verb,
    /// What takes it back.
    pub undo: Option<u16>,
    /// Whether nothing is taken back any more once it is done.
    pub pivot: bool,
}

/// What an operation does.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Computes.
    Work(Sampler),
    /// Waits.
    Wait(Span),
    /// Calls, once for each item.
    Call {
        /// By which route.
        route: u8,
        /// The operation of the callee.
        part: u16,
        /// The idempotency key.
        once: Once,
    },
    /// Publishes to an event router.
    Publish {
        /// By which route.
        route: u8,
        /// The topic.
        part: u16,
        /// The event id.
        once: Once,
        /// The message type; 0: as it came.
        kind: TypeId,
    },
    /// Sends to a broker.
    Send {
        /// By which route.
        route: u8,
        /// The entity.
        part: u16,
        /// The message id.
        once: Once,
        /// The session id.
        session: Once,
        /// The message type; 0: as it came.
        kind: TypeId,
        /// The message's own time to live.
        ttl: Span,
        /// It becomes visible only after so long.
        delay: Span,
    },
    /// Writes to a store, all or nothing.
    Write {
        /// By which route.
        route: u8,
        /// The operations.
        operations: Arc<Vec<Operation>>,
    },
    /// Reads the row of the item.
    Read {
        /// By which route.
        route: u8,
        /// The table.
        part: u16,
        /// Where its rows are; of a store in several regions in one of them.
        place: Option<PlaceId>,
    },
    /// Sends, and settles what triggered the run, all or nothing, within one namespace.
    Transact {
        /// By which route.
        route: u8,
        /// The sends.
        sends: Vec<TransactedSend>,
        /// What becomes of the message that triggered the run, where the transaction says so.
        settle: Option<Settlement>,
    },
    /// Starts the operations of the block at the same time.
    Together(Block),
    /// Answers the request.
    Reply(u16),
    /// Settles the message.
    Settle(Settlement),
    /// Moves the position in the feed.
    Checkpoint,
    /// Asks a service to do something, or how it is.
    Control {
        /// By which route.
        route: u8,
        /// What.
        command: control::Command,
        /// What must be so, for `verify`.
        up: Option<State>,
    },
}

/// One send of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactedSend {
    /// The entity.
    pub part: u16,
    /// The message id.
    pub once: Once,
    /// The session id.
    pub session: Once,
    /// The message type; 0: as it came.
    pub kind: TypeId,
}

impl Verb {
    /// Whether it does something outside the app.
    #[must_use]
    pub const fn is_effectful(&self) -> bool {
        !matches!(self, Verb::Work(_) | Verb::Wait(_) | Verb::Reply(_) | Verb::Settle(_) | Verb::Checkpoint)
    }
}

impl Program {
    /// The operation at this index.
    #[must_use]
    pub fn op(&self, index: u16) -> Option<&Op> {
        self.ops.get(usize::from(index))
    }
}
