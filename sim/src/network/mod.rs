//! The network: paths and their latency, connections, datagrams. A pure module between the processes
//! and the engine.

pub mod transport;

pub use transport::Transport;
