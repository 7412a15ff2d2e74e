//! What a processor says to a change feed, and what to an event hub.

use super::{Owned, owner_of_life};
use crate::ids::Address;
use crate::message::{Body, broker, store};
use crate::services::event_hubs::LONG_POLL;
use crate::time::{Span, Time};

/// What is read, and where it is written down who reads which range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// The change feed of a store, which keeps the leases and spreads them itself.
    ChangeFeed {
        /// The store.
        store: Address,
        /// Which part of it; `u16::MAX`: all.
        part: u16,
    },
    /// A consumer group of an event hub.
    Hub {
        /// The consumer group.
        group: Address,
        /// How many partitions there are.
        partitions: u16,
        /// The checkpoint store.
        store: Address,
    },
}

impl Wire {
    /// The number of an owner of this name.
    pub(super) fn owner(self, name: u64, started: Time) -> u64 {
        if self.is_hub() { owner_of_life(name, started) } else { name }
    }

    /// Whether it is an event hub.
    pub(super) const fn is_hub(self) -> bool {
        matches!(self, Wire::Hub { .. })
    }

    /// Where pages are read.
    pub(super) const fn source(self) -> Address {
        match self {
            Wire::ChangeFeed { store, .. } => store,
            Wire::Hub { group, .. } => group,
        }
    }

    /// Where it is written down who owns what, and how far it is.
    pub(super) const fn store(self) -> Address {
        match self {
            Wire::ChangeFeed { store, .. } | Wire::Hub { store, .. } => store,
        }
    }

    /// How long the service may take to answer because there is nothing new.
    pub(super) const fn patience(self) -> Span {
        match self {
            Wire::ChangeFeed { .. } => Span::ZERO,
            Wire::Hub { .. } => LONG_POLL,
        }
    }

    /// The request for the next page of a range.
    pub(super) fn read(self, owned: &Owned, owner: u64, max: u32) -> Body {
        match self {
            Wire::ChangeFeed { part, .. } => {
                Body::Store(store::Command::ReadFeed { part, range: owned.range, after: owned.position, max })
            }
            Wire::Hub { group, .. } => Body::Broker(broker::Command::Receive {
                part: group.part,
                partition: owned.range,
                after: owned.position,
                max,
                owner,
                opens: owned.opens,
                done: owned.checkpoint,
            }),
        }
    }
}
