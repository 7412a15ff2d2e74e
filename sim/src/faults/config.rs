//! Faults as a scenario writes them: `{ proc.crash: orders-api, after: transaction, chance: 0.05%, for: 3s }`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Span;
use crate::units::Ratio;

/// When a fault begins: an instant after the warm-up, or drawn from the seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum At {
    /// This long after the end of the warm-up.
    Instant(Span),
    /// Drawn from the seed within the run.
    Random,
}

/// The parameters that every fault has. (Each fault's struct repeats them, so that the file is read strictly.)
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    /// From when, or at which instant.
    pub at: Option<At>,
    /// How long it lasts (a crash: how long the process is down). Default: to the end of the run.
    pub lasts: Option<Span>,
    /// At the start of a step: nothing sent.
    pub before: Option<String>,
    /// Sent, answer not seen.
    pub in_doubt: Option<String>,
    /// Answer consumed, next step not begun.
    pub after: Option<String>,
    /// When a condition holds: `raw.depth > 5000`.
    pub when: Option<String>,
    /// With this probability at each opportunity.
    pub chance: Option<Ratio>,
    /// At every n-th item.
    pub nth: Option<u32>,
    /// At most so often.
    pub times: Option<u32>,
    /// Again after this long.
    pub every: Option<Span>,
    /// In every instance, not only in the one that runs the step.
    pub all: bool,
    /// Grows to full strength over this long.
    pub ramp: Option<Span>,
    /// Health probes do not see it.
    pub hidden: bool,
}

/// One fault. The names are those of the catalogue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub enum FaultKind {
    /// The process dies without warning and starts again after `for`.
    #[serde(rename = "proc.crash")]
    ProcCrash(Crash),
}

/// Parameters of `proc.crash`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Crash {
    /// The app or service.
    pub target: String,
    /// How long it is down.
    #[serde(rename = "for")]
    pub lasts: Option<Span>,
    /// Answer consumed, next step not begun.
    pub after: Option<String>,
    /// With this probability.
    pub chance: Option<Ratio>,
}
