//! The reference relay on this kernel and on its peers, measured in one run.

pub mod actor;
pub mod bare;
pub mod case;
pub mod lanes;
pub mod memory;
pub mod native;
#[cfg(madsim)]
pub mod on_madsim;
#[cfg(feature = "peers")]
pub mod on_nexosim;
pub mod on_turmoil;
pub mod relay;
mod stopwatch;
pub mod suite;

use serde::{Deserialize, Serialize};

pub use relay::Shape;
pub use stopwatch::Stopwatch;

/// What one run came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// How many messages reached the application.
    pub delivered: u64,
    /// Whether these were all messages, each once.
    pub whole: bool,
    /// How many packets were put on the network.
    pub packets: u64,
    /// How often a node handled something; 0 where the engine does not say.
    pub events: u64,
    /// The simulated time, in seconds.
    pub simulated: f64,
    /// The wall time, in seconds.
    pub wall: f64,
    /// The digest of the run, where there is one.
    pub digest: Option<String>,
}
