//! Layer 12: time. The wall clock skews and jumps, the monotonic clock drifts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::faults::placement::fault;
use crate::faults::{Action, Aim, Strikes};
use crate::plan::PlanError;
use crate::time::Span;

/// Which way a clock is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// It shows a later time than there is.
    #[default]
    Ahead,
    /// It shows an earlier time than there is.
    Behind,
}

impl Way {
    fn sign(self, amount: u64) -> i64 {
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        if self == Way::Ahead { amount } else { -amount }
    }
}

fault! {
    /// The wall clock is wrong while the fault lasts. Lock expiry, time to live and tokens feel it.
    Skew {
        /// By how much. Default: 5m.
        offset: Span = Span::mins(5),
        /// Which way. Default: ahead.
        way: Way = Way::Ahead,
    }
}
impl Strikes for Skew {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        aim.each(|id| Action::Skew(id, self.way.sign(self.offset.0)))
    }
}

fault! {
    /// The wall clock is set to another time and stays so.
    Jump {
        /// By how much. Default: 5m.
        offset: Span = Span::mins(5),
        /// Which way. Default: ahead.
        way: Way = Way::Ahead,
    }
}
impl Strikes for Jump {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        aim.each(|id| Action::Jump(id, self.way.sign(self.offset.0)))
    }
}

fault! {
    /// The clock runs fast or slow. Timeouts and renewals feel it.
    Drift {
        /// By how many parts in a million. Default: 500.
        ppm: u32 = 500,
        /// Which way. Default: ahead (fast).
        way: Way = Way::Ahead,
    }
}
impl Strikes for Drift {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        // A clock that stands still or runs backwards is not a drift.
        aim.each(|id| Action::Drift(id, self.way.sign(u64::from(self.ppm.min(900_000)))))
    }
}
