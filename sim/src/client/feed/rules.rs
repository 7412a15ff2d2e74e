//! How the processors of feeds behave.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Span;

/// How a processor behaves. The defaults are those of the .NET library for a change feed, version 3 (facts
/// 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedRules {
    /// How often it looks for leases to take. Default: 17s.
    pub acquire: Span,
    /// How often it renews a lease. Default: 13s.
    pub renew: Span,
    /// How long a lease lasts that is not renewed. The server keeps the same time. Default: 60s.
    pub expiration: Span,
    /// How long it pauses when a range has nothing new, or after a failure. Default: 5s.
    pub poll: Span,
    /// At most so many changes in a page. Default: 100.
    pub max: u32,
    /// Of an event hub: so many events are fetched at once, page by page.
    pub prefetch: u32,
    /// How long it waits for an answer. Default: 5s (facts 1.1).
    pub timeout: Span,
    /// Of an event hub: how it takes what is its share.
    pub strategy: Strategy,
    /// Of an event hub: only every so many pages are checkpointed.
    pub checkpoint_every: u32,
}

/// How an event processor takes its share of the partitions (facts 3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// All of it at once.
    #[default]
    Greedy,
    /// At most one partition in each interval.
    Balanced,
}

impl FeedRules {
    /// Those of the event processor (facts 3.3): 30 s between looks, at which what it owns is renewed, 2 min
    /// until an owner who does not renew is written off. 10 s for an answer of the checkpoint store, and a
    /// second until a partition that could not be read is read again \[K\]; 300 events are fetched at once.
    #[must_use]
    pub fn of_event_processor() -> FeedRules {
        FeedRules {
            acquire: Span::secs(30),
            renew: Span::secs(30),
            expiration: Span::mins(2),
            poll: Span::secs(1),
            max: 100,
            prefetch: 300,
            timeout: Span::secs(10),
            strategy: Strategy::Greedy,
            checkpoint_every: 1,
        }
    }
}

impl Default for FeedRules {
    fn default() -> Self {
        FeedRules {
            acquire: Span::secs(17),
            renew: Span::secs(13),
            expiration: Span::secs(60),
            poll: Span::secs(5),
            max: 100,
            prefetch: 0,
            timeout: Span::secs(5),
            strategy: Strategy::Greedy,
            checkpoint_every: 1,
        }
    }
}
