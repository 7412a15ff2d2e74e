//! Guests: the user's own async code takes a node's place in a scenario (`kind: guest`) and talks to the
//! simulated services.
//!
//! Inside the world stands a [`Port`], a process like any other: it has the clients that every caller has,
//! is crashed, paused and cut off by faults, and keeps the books. Outside runs the guest, on an engine that
//! can let async code run. Between them is a [`Mailbox`]: the guest leaves requests and awaits replies.

pub mod config;
pub mod mailbox;
pub mod port;
pub mod request;
#[cfg(test)]
mod tests;

pub use config::Guest;
pub use mailbox::{Asked, Mailbox};
pub use port::Port;

use crate::plan::{Plan, PlanError};
use crate::services::NodeKind;

/// The guests of a plan: the name of the node and the program that takes its place, in file order.
pub fn guests(plan: &Plan) -> impl Iterator<Item = (&str, &str)> {
    plan.blueprint.nodes.iter().filter_map(|(name, kind)| match kind {
        NodeKind::Guest(guest) => Some((name.as_str(), guest.program(name))),
        _ => None,
    })
}

/// Why the native engine does not run a scenario with this guest.
#[must_use]
pub fn not_here(node: &str) -> PlanError {
    PlanError::at(
        &["nodes", node],
        format!("`{node}` is a guest: code of your own, which this engine cannot run"),
    )
    .help("run it with `--engine turmoil` or `--engine madsim` from a program that registers it")
    .word("guest")
}
