//! Other engines for the same world: every process is hosted by a task of turmoil or madsim, messages
//! travel in their wire form over the engine's sockets, and the engine crashes and restarts the hosts.
//!
//! What is shared with the native kernel: the processes, their shells, the transport with its draws, the
//! faults and the books. What is the engine's own: the run loop, the tasks, the sockets, crash and restart
//! of a host, the clock. So a verdict from another engine is a second opinion on the latter, not on the
//! service models.

mod center;
mod door;
pub mod engine;
pub mod guest;
pub mod host;
pub mod lateness;
#[cfg(madsim)]
mod on_madsim;
mod on_turmoil;
mod station;

pub use center::Referee;
pub use engine::{Engine, Refusal};
pub use host::{Conditions, HostError, Hosted, host};
pub use lateness::Lateness;
