//! Azure Event Hubs: a namespace is one process; its hubs and their consumer groups are parts of it. A hub
//! is a set of partitions, each a log to which events are appended and from which nothing is taken: they go
//! when their retention is over. Every consumer group reads for itself, and keeps its place itself (facts 3).

mod capture;
mod config;
mod gauges;
mod geo;
mod layout;
mod log;
mod namespace;
mod publish;
mod receive;
#[cfg(test)]
mod tests;
mod tier;

pub use config::{Capture, EventHub, EventHubs, group_number, group_of};
pub use receive::LONG_POLL;
pub use tier::Tier;
