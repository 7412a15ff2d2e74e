//! Azure Service Bus: a namespace is one process; its queues, topics, subscriptions and their
//! dead-letter queues are parts of it. Messages under lock, sessions, duplicate detection, time to
//! live, scheduled messages, auto-forwarding, transactions, throttling: as documented (facts 1).

mod commit;
mod config;
mod control;
mod entity;
mod gauges;
mod geo;
mod incoming;
mod lane;
mod layout;
mod links;
mod namespace;
mod pump;
pub mod receiver;
mod settle;
#[cfg(test)]
mod tests;
mod transact;

pub use crate::services::replicas::modes::Replication;
pub use config::{ServiceBus, ServiceBusQueue, ServiceBusSubscription, ServiceBusTopic, Tier};
pub use namespace::Namespace;
pub use receiver::{Delivery, Received, Receiver, ReceiverRules};
