//! Between the instances of an app and what manages them, and from people and automation to a service.

use serde::{Deserialize, Serialize};

use crate::ids::Address;
use crate::time::Span;

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
    /// These endpoints, in this order, and no others (a routing profile).
    Set {
        /// Which of the profile's own.
        listed: Listing,
    },
    /// The control plane of a routing profile tells its name servers what to answer from.
    Publish {
        /// The endpoints in use, in order of priority.
        listed: Listing,
        /// Those that are not well, a bit for each.
        degraded: u16,
    },
    /// The replica in this site is to lead.
    Promote {
        /// The site, by file order.
        to: u8,
        /// How.
        mode: Transition,
    },
    /// A new version of a secret, which everybody whose key it is has to accept first.
    Rotate {
        /// The secret.
        part: u16,
        /// How long the version before is good beside it.
        overlap: Span,
    },
    /// A vault to those whose key a secret is: take this version, the one before for as long as said.
    Accept {
        /// The version.
        version: u16,
        /// How long the version before is good beside it.
        overlap: Span,
    },
    /// A vault to its partitions and its copy: keep this version.
    Copy {
        /// The secret.
        part: u16,
        /// The version.
        version: u16,
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
    /// Send everything in the conflict feed of a database to a queue or topic, and take it out of the feed.
    Replay {
        /// The queue or topic.
        to: Address,
    },
}

impl Command {
    /// Whether it is asked of a control plane to change something; the others look, or pass between parts of
    /// one service.
    #[must_use]
    pub const fn manages(self) -> bool {
        match self {
            Command::Enable { .. }
            | Command::Scale { .. }
            | Command::Set { .. }
            | Command::Promote { .. }
            | Command::Resubmit { .. }
            | Command::Rotate { .. }
            | Command::Replay { .. } => true,
            Command::Ready { .. }
            | Command::Drain
            | Command::Depth { .. }
            | Command::Raise { .. }
            | Command::Publish { .. }
            | Command::Accept { .. }
            | Command::Copy { .. }
            | Command::Verify { .. } => false,
        }
    }
}

/// Some of a profile's endpoints, in order, by their position in its own list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing(u64);

impl Listing {
    /// A profile has at most so many endpoints.
    pub const MOST: usize = 15;

    /// These positions (each below [`MOST`](Self::MOST)), in this order.
    #[must_use]
    pub fn of(positions: &[u8]) -> Listing {
        Listing(
            positions.iter().rev().fold(0, |listed, position| listed << 4 | (u64::from(*position) + 1) & 15),
        )
    }

    /// The first so many.
    #[must_use]
    pub fn all(count: usize) -> Listing {
        let positions: Vec<u8> = (0..count.min(Listing::MOST) as u8).collect();
        Listing::of(&positions)
    }

    /// The positions, in order.
    pub fn iter(self) -> impl Iterator<Item = u8> + Clone {
        std::iter::successors(Some(self.0), |left| Some(left >> 4))
            .take_while(|left| *left != 0)
            .map(|left| (left & 15) as u8 - 1)
    }

    /// The positions as bits.
    #[must_use]
    pub fn bits(self) -> u16 {
        self.iter().fold(0, |bits, position| bits | 1 << position)
    }
}

/// How the lead passes from one replica to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    /// The new leader catches up first; impossible while the old one is away.
    #[default]
    Planned,
    /// At once; what has not been replicated is lost.
    Forced,
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
        /// Whether its replicas are in sync; true where nothing is replicated.
        in_sync: bool,
    },
    /// Not permitted in this state.
    Refused,
    /// The control plane is down (503).
    Unavailable,
    /// The limit of management requests is used up (429).
    Throttled {
        /// When to come again.
        retry_after: Span,
    },
}
