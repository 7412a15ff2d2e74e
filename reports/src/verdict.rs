//! The verdict lattice: the worst wins.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What became of a run. Ordered: a later one is worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Everything holds.
    #[default]
    Pass,
    /// Only goals marked `ideally` were missed.
    Degraded,
    /// Nothing can be said: a fault was not felt, there was no traffic, the deadline passed.
    Inconclusive,
    /// A contract was violated or a goal missed.
    Fail,
    /// A defect of Beaufort itself; never swallowed by any other verdict.
    Error,
}

impl Verdict {
    /// The worse of the two.
    #[must_use]
    pub fn worst(self, other: Verdict) -> Verdict {
        self.max(other)
    }

    /// The word in documents and on the terminal.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Degraded => "degraded",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Fail => "fail",
            Verdict::Error => "error",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
