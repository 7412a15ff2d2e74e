//! The network: paths and their latency, connections, datagrams, and what can be wrong with them. A pure
//! module between the processes and the engine.

pub mod disturbance;
mod line;
pub mod links;
pub mod manners;
pub mod path;
pub mod round_trips;
pub mod scope;
pub mod transport;

pub use disturbance::{Burst, Disturbance, Silence, Wrong};
pub use links::{Link, LinkKind, Route, routes};
pub use manners::{Manners, Speech};
pub use path::place;
pub use scope::{ProcessSet, Scope};
pub use transport::{Network, Sending};
