//! What the triggers and the worker that they feed have in common.

use crate::ids::Execution;
use crate::observe::Outcome;
use crate::random::mix;
use crate::recipe::position::RunId;
use crate::recipe::run::Start;

/// The number spaces of timers and tags: 1 to 200 belong to the callers of the interpreter, 255 to its runs.
pub mod space {
    /// The worker's own life.
    pub const LIFE: u64 = 250;
    /// The polls of a table.
    pub const POLL: u64 = 251;
    /// The ticks of a timer trigger.
    pub const TICK: u64 = 252;
    /// The keyring; and the space after it.
    pub const KEYS: u8 = 220;
    /// The receiver of a broker.
    pub const RECEIVE: u8 = 240;
    /// The processor of a change feed or an event hub.
    pub const FEED: u8 = 230;
}

/// What a trigger tells its worker.
#[derive(Clone, Debug)]
pub enum Fed {
    /// Start a run.
    Start(Start),
    /// The acknowledgement for which this run waits is over.
    Acknowledged(RunId, Outcome),
}

/// The identities of a run: `message` stays the same when the message is delivered again, `run` does not.
#[must_use]
pub fn execution(app: u64, message: u64, attempt: u64) -> Execution {
    Execution { run: mix(app ^ message, attempt), message }
}
