//! What must stay true (`always`) and how well (`objectives`), as a scenario writes it.

use std::fmt;

use beaufort_sim::time::Span;
use beaufort_sim::units::{OneOrMany, Ratio};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A hard promise about a flow. Violated in one run means: the design fails.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Contract {
    /// Every accepted item has its effect at each place, or is parked.
    AtLeastOnce(AtLeastOnce),
    /// No item has its effect twice at any of the places.
    AtMostOnce(AtMostOnce),
    /// Both: every accepted item has its effect exactly once at each place, or is parked.
    ExactlyOnce(AtLeastOnce),
    /// No effect of an item that was never accepted.
    NoPhantom(NoPhantom),
    /// Effects come in the order of the reference, key by key.
    Ordered(Ordered),
    /// At the end an item has its effects, net of what was undone, at all of the nodes or at none.
    AllOrNothing(AllOrNothing),
    /// An item with the one effect has the others too.
    Implies(Implies),
    /// At the end all copies of a store hold the same items.
    Converge(Converge),
    /// Nobody reads less than the consistency level promises.
    Consistent(Consistent),
    /// Never are runs of two copies of an app in progress at a time.
    SingleActive(SingleActive),
    /// An app runs no more often than this.
    Runs(Runs),
}

/// Parameters of `at-least-once` and `exactly-once`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AtLeastOnce {
    /// The flow.
    pub target: String,
    /// From where on the promise holds: a door (the caller received success) or a place (the commit there).
    pub accepted_at: String,
    /// Where the effect must be; each of them.
    pub effect_at: OneOrMany,
    /// Where an item may be kept instead, for people to look at. Default: nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub or_parked_in: Option<OneOrMany>,
    /// The flow's key, where a newer item of the same key covers an older one. Default: every item counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_per: Option<String>,
}

/// Parameters of `at-most-once`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AtMostOnce {
    /// The flow.
    pub target: String,
    /// Where the effect may be no more than once; each of them.
    pub effect_at: OneOrMany,
}

/// Parameters of `no-phantom`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NoPhantom {
    /// The flow.
    pub target: String,
    /// Where an item must have been accepted by the end of the run: a door or a place.
    pub accepted_at: String,
    /// Where its effects are.
    pub effect_at: OneOrMany,
}

/// Parameters of `ordered`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Ordered {
    /// The flow.
    pub target: String,
    /// The flow's key, within which the order must hold.
    pub per: String,
    /// Where the effects must come in order; the first effect of an item counts.
    pub effect_at: OneOrMany,
    /// What the order is relative to: a place (the sequence in which it stored) or a door (real time;
    /// overlapping requests are unordered). Default: real time at the door.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<String>,
}

/// Parameters of `all-or-nothing`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AllOrNothing {
    /// The flow.
    pub target: String,
    /// The nodes or places that belong together.
    pub of: Vec<String>,
}

/// Parameters of `implies`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Implies {
    /// The flow.
    pub target: String,
    /// The effect that makes the claim.
    #[serde(rename = "if")]
    pub claim: String,
    /// The effects that it claims.
    pub then: OneOrMany,
}

/// Parameters of `converge`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Converge {
    /// The flow.
    pub target: String,
    /// The copies, two or more: `[store/westeurope, store/northeurope]`.
    pub at: Vec<String>,
}

/// Parameters of `consistent`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Consistent {
    /// The flow.
    pub target: String,
    /// What a `read` of a row may miss.
    pub level: Level,
    /// The store, or the part of it, that is read.
    pub at: String,
    /// With `level: bounded-staleness`: so long after its acknowledgement a write may be missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
}

/// What readers may rely on (facts data 1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Whoever reads after a write was acknowledged, or after somebody has read it, sees it.
    Linearizable,
    /// The same, so long after (`within`).
    BoundedStaleness,
    /// Whoever wrote or read it himself sees it. A session is one instance of an app.
    Session,
    /// Whoever sees a write sees those of the same key that were written before it.
    ConsistentPrefix,
}

/// Parameters of `single-active`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SingleActive {
    /// The app, which has copies in several sites.
    pub target: String,
}

/// Parameters of `runs`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Runs {
    /// The app; with copies, all of them together.
    pub target: String,
    /// So often, and no more.
    pub at_most: u64,
}

/// A measured goal. Missed means: the design fails, or, with `ideally`, is degraded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// The share of offered items that a door answered with success.
    Availability(Availability),
    /// From offering an item at a door to the success, retries included.
    Latency(Latency),
    /// From acceptance to the last of the effects.
    Delay(Delay),
    /// From the start of a fault to the last item that suffered from it.
    RecoveryTime(RecoveryTime),
    /// From the end of a fault until the backlog is back at its level before.
    DrainTime(DrainTime),
    /// How many items came to a dead-letter place.
    DeadLetters(DeadLetters),
    /// How long the longest run of an app took.
    Duration(LongestRun),
    /// What had been acknowledged before a fault and is not there any more after the failover.
    RecoveryPoint(RecoveryPoint),
    /// For how long a door had no success while an app ran: a failover, a failback.
    Interruption(Interruption),
}

/// Which part of a run a goal is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum While {
    /// All of it.
    #[default]
    All,
    /// Without the time from the start of a timed fault until it is healed, its backlog drained and one
    /// minute over. Faults without an instant of their own (`chance`, `nth`, at a step) are part of the calm.
    Calm,
    /// Only that time.
    Faults,
}

/// Parameters of `availability`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Availability {
    /// The door.
    pub target: String,
    /// The least share of items with success.
    pub at_least: Ratio,
    /// Which part of the run. Default: all.
    #[serde(default, rename = "while")]
    pub during: While,
    /// Whether a miss only degrades. Default: no.
    #[serde(default)]
    pub ideally: bool,
}

/// Parameters of `latency`; at least one bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Latency {
    /// The door.
    pub target: String,
    /// Bound of the median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<Span>,
    /// Bound of the 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<Span>,
    /// Bound of the 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<Span>,
    /// Bound of the slowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Span>,
    /// Which part of the run. Default: all.
    #[serde(default, rename = "while")]
    pub during: While,
    /// Whether a miss only degrades. Default: no.
    #[serde(default)]
    pub ideally: bool,
}

/// Parameters of `delay`; at least one bound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Delay {
    /// The flow.
    pub target: String,
    /// From where on it counts: a door or a place.
    pub accepted_at: String,
    /// Until the effect at each of these.
    pub effect_at: OneOrMany,
    /// Bound of the median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50: Option<Span>,
    /// Bound of the 95th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95: Option<Span>,
    /// Bound of the 99th percentile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99: Option<Span>,
    /// Bound of the slowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Span>,
    /// Which part of the run. Default: all.
    #[serde(default, rename = "while")]
    pub during: While,
    /// Whether a miss only degrades. Default: no.
    #[serde(default)]
    pub ideally: bool,
}

/// Parameters of `recovery-time`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RecoveryTime {
    /// The fault.
    pub target: String,
    /// The door at which items suffer.
    pub of: String,
    /// Only items of this load, or of the loads in this site. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The bound.
    pub below: Span,
    /// Whether a miss only degrades. Default: no.
    #[serde(default)]
    pub ideally: bool,
}

/// Parameters of `drain-time`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DrainTime {
    /// The queue, topic, subscription or table whose backlog it is; or, with `accepted-at` and
    /// `effect-at`, the flow: then the backlog is what was accepted and has not had its effect.
    pub target: String,
    /// Where an item of the flow joins the backlog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<String>,
    /// Where it leaves the backlog: when it has had the last of these effects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect_at: Option<OneOrMany>,
    /// The fault.
    pub after: String,
    /// The bound.
    pub below: Span,
    /// Whether a miss only degrades. Default: no.
    #[serde(default)]
    pub ideally: bool,
}

/// Parameters of `dead-letters`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DeadLetters {
    /// The queue or subscription, or its dead-letter place itself.
    pub target: String,
    /// The bound.
    pub at_most: u64,
    /// Whether a miss only degrades. Default: no.
    #[serde(default)]
    pub ideally: bool,
}

/// Parameters of `duration`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LongestRun {
    /// The app.
    pub target: String,
    /// The bound.
    pub below: Span,
    /// Whether a miss only degrades. Default: no.
    #[serde(default)]
    pub ideally: bool,
}

/// Parameters of `recovery-point`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RecoveryPoint {
    /// The fault.
    pub target: String,
    /// The queue, the store or the part of one where items had been acknowledged; in all its sites.
    pub of: String,
    /// The bound: how many items may be lost, or how old the oldest lost one may be at the moment of the
    /// fault.
    pub below: ItemsOrAge,
    /// Whether a miss only degrades. Default: no.
    #[serde(default)]
    pub ideally: bool,
}

/// A number of items (`10`), or an age (`5m`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ItemsOrAge {
    /// So many items.
    Items(u64),
    /// Items not older than this.
    Age(Span),
}

impl Serialize for ItemsOrAge {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            ItemsOrAge::Items(count) => to.serialize_u64(*count),
            ItemsOrAge::Age(span) => to.collect_str(span),
        }
    }
}

impl<'de> Deserialize<'de> for ItemsOrAge {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl serde::de::Visitor<'_> for Either {
            type Value = ItemsOrAge;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of items or a duration, such as `0` or `5m`")
            }
            fn visit_u64<E: serde::de::Error>(self, count: u64) -> Result<ItemsOrAge, E> {
                Ok(ItemsOrAge::Items(count))
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ItemsOrAge, E> {
                match text.parse::<u64>() {
                    Ok(count) => Ok(ItemsOrAge::Items(count)),
                    Err(_) => text
                        .parse()
                        .map(ItemsOrAge::Age)
                        .map_err(|error| E::custom(format!("{error}; or write a number of items"))),
                }
            }
        }
        from.deserialize_any(Either)
    }
}

impl JsonSchema for ItemsOrAge {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ItemsOrAge".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": ["integer", "string"],
            "description": "A number of items, or an age.",
            "examples": [0, "5m"]
        })
    }
}

/// Parameters of `interruption`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Interruption {
    /// The app, such as a recipe for a failover or a failback.
    pub target: String,
    /// The door.
    pub of: String,
    /// The bound of what the worst run took away: from the first item without success to the last of them,
    /// summed up over the interruptions in the course of the run.
    pub below: Span,
    /// Whether a miss only degrades. Default: no.
    #[serde(default)]
    pub ideally: bool,
}

/// How a contract was violated: the words of `because`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Accepted, without effect, and no copy of it is left.
    Lost,
    /// Accepted, without effect, and a copy of it will not move on.
    Stuck,
    /// More than one effect.
    Doubled,
    /// A later one came first.
    Reordered,
    /// An effect without acceptance.
    Phantom,
    /// Some of the effects that belong together.
    Partial,
    /// Copies of a store do not hold the same.
    Diverged,
    /// A reader was not shown what he had to see.
    Stale,
    /// Two copies of an app were at work at a time.
    Overlapped,
    /// An app ran too often.
    Repeated,
}

impl Reason {
    /// The word that a scenario writes.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Reason::Lost => "lost",
            Reason::Stuck => "stuck",
            Reason::Doubled => "doubled",
            Reason::Reordered => "reordered",
            Reason::Phantom => "phantom",
            Reason::Partial => "partial",
            Reason::Diverged => "diverged",
            Reason::Stale => "stale",
            Reason::Overlapped => "overlapped",
            Reason::Repeated => "repeated",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Contract {
    /// The verb of the line: `exactly-once`.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Contract::AtLeastOnce(_) => "at-least-once",
            Contract::AtMostOnce(_) => "at-most-once",
            Contract::ExactlyOnce(_) => "exactly-once",
            Contract::NoPhantom(_) => "no-phantom",
            Contract::Ordered(_) => "ordered",
            Contract::AllOrNothing(_) => "all-or-nothing",
            Contract::Implies(_) => "implies",
            Contract::Converge(_) => "converge",
            Contract::Consistent(_) => "consistent",
            Contract::SingleActive(_) => "single-active",
            Contract::Runs(_) => "runs",
        }
    }

    /// The flow that it is about; the app, of a contract about runs.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Contract::AtLeastOnce(c) | Contract::ExactlyOnce(c) => &c.target,
            Contract::AtMostOnce(c) => &c.target,
            Contract::NoPhantom(c) => &c.target,
            Contract::Ordered(c) => &c.target,
            Contract::AllOrNothing(c) => &c.target,
            Contract::Implies(c) => &c.target,
            Contract::Converge(c) => &c.target,
            Contract::Consistent(c) => &c.target,
            Contract::SingleActive(c) => &c.target,
            Contract::Runs(c) => &c.target,
        }
    }
}

impl Objective {
    /// The verb of the line: `recovery-time`.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Objective::Availability(_) => "availability",
            Objective::Latency(_) => "latency",
            Objective::Delay(_) => "delay",
            Objective::RecoveryTime(_) => "recovery-time",
            Objective::DrainTime(_) => "drain-time",
            Objective::DeadLetters(_) => "dead-letters",
            Objective::Duration(_) => "duration",
            Objective::RecoveryPoint(_) => "recovery-point",
            Objective::Interruption(_) => "interruption",
        }
    }

    /// What is measured: the door, the flow, the fault, the entity or the app.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Objective::Availability(o) => &o.target,
            Objective::Latency(o) => &o.target,
            Objective::Delay(o) => &o.target,
            Objective::RecoveryTime(o) => &o.target,
            Objective::DrainTime(o) => &o.target,
            Objective::DeadLetters(o) => &o.target,
            Objective::Duration(o) => &o.target,
            Objective::RecoveryPoint(o) => &o.target,
            Objective::Interruption(o) => &o.target,
        }
    }

    /// Whether a miss only degrades.
    #[must_use]
    pub fn ideally(&self) -> bool {
        match self {
            Objective::Availability(o) => o.ideally,
            Objective::Latency(o) => o.ideally,
            Objective::Delay(o) => o.ideally,
            Objective::RecoveryTime(o) => o.ideally,
            Objective::DrainTime(o) => o.ideally,
            Objective::DeadLetters(o) => o.ideally,
            Objective::Duration(o) => o.ideally,
            Objective::RecoveryPoint(o) => o.ideally,
            Objective::Interruption(o) => o.ideally,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_is_read_strictly_in_its_externally_tagged_form() {
        let text = r#"{"exactly-once":{"target":"orders","accepted-at":"edge","effect-at":["ledger","psp.charge"],"or-parked-in":"repair"}}"#;
        let contract: Contract = serde_json::from_str(text).expect("reads");
        assert_eq!(contract.verb(), "exactly-once");
        assert_eq!(serde_json::to_string(&contract).expect("prints"), text);
        let wrong = text.replace("or-parked-in", "or-parked-at");
        let error = serde_json::from_str::<Contract>(&wrong).expect_err("refused").to_string();
        assert!(error.contains("or-parked-at"), "{error}");
    }

    #[test]
    fn an_objective_knows_its_keywords() {
        let text = r#"{"latency":{"target":"edge","p99":"800ms","while":"calm","ideally":true}}"#;
        let objective: Objective = serde_json::from_str(text).expect("reads");
        assert!(objective.ideally());
        assert_eq!(serde_json::to_string(&objective).expect("prints"), text);
        let text = r#"{"implies":{"target":"orders","if":"db.confirmed","then":["stock.reserve"]}}"#;
        assert!(serde_json::from_str::<Contract>(text).is_ok());
    }
}
