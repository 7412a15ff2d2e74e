//! The tiers of a namespace, and what each of them allows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Span;
use crate::units::Bytes;

/// The tiers of a namespace (facts 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// One consumer group, 256 KB, a day of retention.
    Basic,
    /// 20 consumer groups, 1 MB, 7 days.
    #[default]
    Standard,
    /// Capacity of its own, in processing units.
    Premium,
    /// A cluster of its own, in capacity units.
    Dedicated,
}

impl Tier {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Tier::Basic => "basic",
            Tier::Standard => "standard",
            Tier::Premium => "premium",
            Tier::Dedicated => "dedicated",
        }
    }

    /// Whether it is bought in throughput units, which limit what goes in and out.
    pub(super) const fn has_throughput_units(self) -> bool {
        matches!(self, Tier::Basic | Tier::Standard)
    }

    pub(super) const fn most_groups(self) -> usize {
        match self {
            Tier::Basic => 1,
            Tier::Standard => 20,
            Tier::Premium => 100,
            Tier::Dedicated => 1000,
        }
    }

    pub(super) const fn most_partitions(self) -> u16 {
        match self {
            Tier::Basic | Tier::Standard => 32,
            Tier::Premium => 100,
            Tier::Dedicated => 1024,
        }
    }

    pub(super) const fn most_hubs(self, units: u16) -> usize {
        match self {
            Tier::Basic | Tier::Standard => 10,
            Tier::Premium => 100 * units as usize,
            Tier::Dedicated => 1000,
        }
    }

    pub(super) const fn most_units(self) -> u16 {
        match self {
            Tier::Basic | Tier::Standard => 1,
            Tier::Premium => 16,
            Tier::Dedicated => 20,
        }
    }

    pub(super) fn longest_retention(self) -> Span {
        match self {
            Tier::Basic => Span::days(1),
            Tier::Standard => Span::days(7),
            Tier::Premium | Tier::Dedicated => Span::days(90),
        }
    }

    /// The largest event, or batch of events.
    pub(super) const fn largest(self) -> Bytes {
        match self {
            Tier::Basic => Bytes(256 << 10),
            _ => Bytes(1 << 20),
        }
    }

    /// Concurrent connections to the namespace.
    pub(super) const fn connections(self, units: u16) -> u32 {
        match self {
            Tier::Basic => 100,
            Tier::Standard => 5_000,
            Tier::Premium => 10_000 * units as u32,
            Tier::Dedicated => 100_000 * units as u32,
        }
    }
}
