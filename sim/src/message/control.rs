//! Between the instances of an app and what manages them, and from people and automation to a service.

use serde::{Deserialize, Serialize};

/// What is asked or told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// An instance has started and can serve.
    Ready {
        /// Its index within the app.
        instance: u16,
    },
    /// An instance is asked to take no new work and to stop when idle.
    Drain,
    /// How many messages wait in an entity or table (a management operation).
    Depth {
        /// The entity or table.
        part: u16,
    },
    /// An alert: something has to be done.
    Raise {
        /// How often it was raised before; the same number is the same alarm.
        number: u32,
    },
    /// Switch an entity or app on or off.
    Enable {
        /// The part.
        part: u16,
        /// On or off.
        on: bool,
    },
    /// So many instances, from now on.
    Scale {
        /// How many.
        to: u16,
    },
    /// Is it up, and in sync?
    Verify {
        /// The part.
        part: u16,
    },
    /// Move all dead letters of an entity to another.
    Resubmit {
        /// From the dead-letter queue of this entity.
        part: u16,
        /// To this one.
        to: u16,
    },
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Done.
    Done,
    /// So many messages wait.
    Depth {
        /// Which part was asked about.
        part: u16,
        /// How many.
        waiting: u64,
    },
    /// The state that was asked for.
    State {
        /// Whether it serves.
        up: bool,
    },
    /// Throttled, down or not permitted in this state.
    Refused,
}
