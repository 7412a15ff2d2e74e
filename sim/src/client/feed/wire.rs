//! What a processor says to a change feed, and what to an event hub.

use super::{Owned, Wire};
use crate::ids::Address;
use crate::message::{Body, broker, store};
use crate::services::event_hubs::LONG_POLL;
use crate::time::Span;

impl Wire {
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
