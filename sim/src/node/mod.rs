//! What a process is: a state machine without input or output of its own, the context in which it
//! runs, its timers and its durable state. The same for every engine.

pub mod bag;
pub mod clock;
pub mod context;
pub mod durable;
pub mod gauge;
pub mod rig;
pub mod shell;
pub mod timers;

pub use bag::ItemBag;
pub use clock::Clock;
pub use context::{Context, Effect, Point};
pub use durable::{Apply, Durable};
pub use gauge::{Gauge, LimitKind};
pub use shell::Shell;
pub use timers::{TimerId, Timers};

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::guest::Mailbox;
use crate::ids::{ConnectionId, ProcessId};
use crate::message::Message;
use crate::observe::Held;
use crate::time::Time;

/// What happens to a process.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// It starts, for the first time or after a crash.
    Start,
    /// A message arrived. `connection` is [`ConnectionId::NONE`] for a datagram.
    Message {
        /// Who sent it.
        from: ProcessId,
        /// On which connection; answer on it.
        connection: ConnectionId,
        /// The message.
        message: Message,
    },
    /// A timer is due, with the token that it was given.
    Timer(u64),
    /// A `sync` completed: what was staged under this token is durable, or failed.
    Disk(u64, Result<(), DiskError>),
    /// A connection is gone; answers on it will not come.
    Closed {
        /// Which.
        connection: ConnectionId,
        /// To whom it was.
        peer: ProcessId,
        /// Why.
        reason: CloseReason,
    },
    /// Somebody outside the world left something at the door of this process; see
    /// [`mailbox`](Process::mailbox).
    Poke,
}

/// Why a sync failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskError {
    /// The disk reported an error; what was staged is not durable.
    Failed,
}

/// Why a connection closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CloseReason {
    /// The peer's process died or refused, and its host said so.
    Reset,
    /// Nothing came through for too long.
    TimedOut,
    /// Closed after too long without traffic.
    Idle,
    /// The peer closed it in good order.
    Closed,
}

/// A unit of failure and atomicity. Its state is configuration, durable state and the rest, which a
/// crash takes away.
pub trait Process: Send + fmt::Debug {
    /// Reacts to one input. Effects are appended to the context and applied afterwards.
    fn handle(&mut self, input: Input, cx: &mut Context<'_>);

    /// Loses everything volatile. Afterwards the process must equal one newly built from its
    /// configuration and durable state (tested for every process).
    fn crash(&mut self);

    /// What it holds now; feeds the ledger.
    fn inventory(&self, out: &mut dyn FnMut(Held));

    /// How near it is to the limits that it enforces, at this instant of its monotonic clock. Only a look:
    /// nothing is drawn, nothing changes. A process without limits says nothing.
    fn gauges(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        let _ = (now, out);
    }

    /// The door through which code outside the world talks to it, where it has one. Whoever hosts the
    /// process gives it [`Input::Poke`] when something has been left there.
    fn mailbox(&self) -> Option<Arc<Mailbox>> {
        None
    }

    /// A copy, for snapshots.
    fn clone_box(&self) -> Box<dyn Process>;
}

impl Clone for Box<dyn Process> {
    fn clone(&self) -> Self {
        self.clone_box()
    }
}
