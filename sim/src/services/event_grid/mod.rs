//! `event-grid-topic` and `event-grid-subscription`: an event router that pushes (facts 2.1).
//!
//! A published event is accepted (200) once it is on disk; then every matching subscription has a copy of
//! its own, pushed until the endpoint takes it: at least once, in no order. The topic with all its
//! subscriptions is one process; what it has accepted, and how far each delivery has come, survives it.

mod config;
mod dead_letter;
mod handshake;
mod push;
mod schedule;
mod subscription;
#[cfg(test)]
mod tests;
mod topic;

pub use config::{EventGridSubscription, EventGridTopic};
