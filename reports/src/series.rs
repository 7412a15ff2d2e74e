//! What a run did over time: counts in bins of equal width, and the spans in which nodes were not well.
//! Bounded: a few hundred bins, whatever the run.

use serde::{Deserialize, Serialize};

/// Bounds of the buckets of a latency histogram: bucket `b` holds latencies from `LATENCY_FROM *
/// 10^(b / LATENCY_PER_DECADE)` seconds up to the next; the first also all below.
pub const LATENCY_FROM: f64 = 1e-3;
/// Buckets a decade: neighbours differ by 15 %.
pub const LATENCY_PER_DECADE: f64 = 16.0;
/// How many buckets there are: the last holds everything from 12 days on.
pub const LATENCY_BUCKETS: u16 = 146;

/// The series of one seed. Every series has one number for each bin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// When the first bin begins, in seconds of the scenario: minus the warm-up.
    pub start: f64,
    /// How wide a bin is, in seconds.
    pub step: f64,
    /// How many bins there are.
    pub bins: u32,
    /// What the callers of each door got.
    #[serde(default)]
    pub doors: Vec<DoorSeries>,
    /// What came to each place and left it.
    #[serde(default)]
    pub places: Vec<PlaceSeries>,
    /// Attempts of calls, target by target.
    #[serde(default)]
    pub calls: Vec<CallSeries>,
    /// Signs of trouble, node by node; nodes and signs without any are left out.
    #[serde(default)]
    pub signs: Vec<SignSeries>,
    /// Runs of recipes, node by node.
    #[serde(default)]
    pub runs: Vec<RunSeries>,
    /// Spans in which something was not well, lane by lane.
    #[serde(default)]
    pub lanes: Vec<HealthLane>,
    /// How near each node came to its limits; a limit of which no more than 1 % was ever used is left
    /// out. Empty where
    /// nobody could look: on an engine that hosts the processes, in a document of an earlier version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitSeries>,
}

impl Series {
    /// When a bin begins, in seconds of the scenario.
    #[must_use]
    pub fn at(&self, bin: usize) -> f64 {
        self.start + self.step * bin as f64
    }

    /// When the last bin ends, in seconds of the scenario.
    #[must_use]
    pub fn end(&self) -> f64 {
        self.at(self.bins as usize)
    }
}

/// A door: where load enters. Items are counted in the bin in which they were offered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DoorSeries {
    /// The node at which items are offered.
    pub door: String,
    /// Items that were offered.
    pub offered: Vec<u64>,
    /// The caller received success, retries included.
    pub ok: Vec<u64>,
    /// The caller received a definite no.
    pub refused: Vec<u64>,
    /// The caller gave up after definite errors.
    pub failed: Vec<u64>,
    /// The caller does not know.
    pub unknown: Vec<u64>,
    /// Latencies of the successful: for each bin pairs of a bucket (see [`LATENCY_FROM`]) and a count,
    /// ascending.
    #[serde(default)]
    pub latency: Vec<Vec<(u16, u32)>>,
}

/// A place: how many copies came and went in each bin. What it held is the difference of the sums.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlaceSeries {
    /// The place: `payments`, `payments.dead-letter`, `orders-db.order`.
    pub place: String,
    /// What it is for.
    pub role: PlaceKind,
    /// Copies that came to it.
    pub came: Vec<u64>,
    /// Copies that left it.
    pub left: Vec<u64>,
    /// Repetitions that were recognised there and had no effect; empty where there were none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absorbed: Vec<u64>,
    /// For a place of a replicated service: the change, bin by bin, of how many of its copies a secondary
    /// holds as a shadow there. Empty where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadows: Vec<i64>,
}

impl PlaceSeries {
    /// How many copies it held at the end of each bin.
    #[must_use]
    pub fn depth(&self) -> Vec<i64> {
        let mut depth = 0i64;
        let both = self.came.iter().zip(&self.left);
        both.map(|(came, left)| {
            depth += *came as i64 - *left as i64;
            depth
        })
        .collect()
    }
}

/// What a place is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceKind {
    /// Copies wait there for a consumer.
    #[default]
    Queue,
    /// Dead letters.
    DeadLetter,
    /// A copy that comes there is an effect and stays.
    Effect,
}

/// Attempts of calls to one target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CallSeries {
    /// Whom they went to: a node, or a part of one.
    pub target: String,
    /// Attempts that were put on the wire.
    pub sent: Vec<u64>,
    /// Attempts whose answer was success, by when it came.
    pub ok: Vec<u64>,
    /// Attempts that repeat an earlier one of the same caller about the same item.
    pub retries: Vec<u64>,
}

/// Signs of trouble of one kind that one node showed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SignSeries {
    /// Which node.
    pub node: String,
    /// Which sign: `error`, `timeout`, `retry`, `redelivery`, `lock-lost`, `lease-lost`, `reset`, `delayed`,
    /// `datagram`, `run-failed`, `throttled`, `misrouted`, `misled`.
    pub sign: String,
    /// How often.
    pub count: Vec<u64>,
}

/// Runs of one node's recipe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunSeries {
    /// Which node.
    pub node: String,
    /// Runs that began.
    pub started: Vec<u64>,
    /// Runs all of whose steps were done.
    pub done: Vec<u64>,
    /// Runs that ended in failure.
    pub failed: Vec<u64>,
}

/// A limit that a node enforces, and how much of it was used. It was looked at about once a second; of several
/// instances, each with that limit, the one counts that used most of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitSeries {
    /// Whose limit it is: a node, or a part of one (`payments`, a topic of a namespace).
    pub node: String,
    /// Which limit: `rate limit`, `request units`, `connections`, `concurrent runs`.
    pub limit: String,
    /// What is counted: `calls in 1m`, `runs`.
    pub unit: String,
    /// The limit, in that unit; when most of it was used, where it changes.
    pub most: f64,
    /// The most that was used, in that unit.
    pub used: f64,
    /// The same as a share of the limit: 1 is all of it. More where what is let in last may overdraw it.
    pub peak: f64,
    /// When that was, in seconds of the scenario.
    pub peak_at: f64,
    /// The mean share while load came, from the warm-up on.
    pub mean: f64,
    /// When it was reached first, in seconds of the scenario; never: `null`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_reached: Option<f64>,
    /// For how many seconds in all it was reached.
    #[serde(default)]
    pub seconds_at_limit: f64,
    /// The highest share in each bin, to a hundredth of a per cent.
    pub share: Vec<f64>,
}

/// One lane of a picture of health.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HealthLane {
    /// Who: a process, or `a about b` where `a` believes something of `b`.
    pub name: String,
    /// The node that it is about.
    pub node: String,
    /// What the lane shows.
    pub kind: LaneKind,
    /// Its spans, ascending, not overlapping.
    pub spans: Vec<HealthSpan>,
    /// Spans beyond the bound that were left out, 0 if none.
    #[serde(default)]
    pub more: u64,
}

/// What a lane shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LaneKind {
    /// The life of a process: down, paused.
    #[default]
    Process,
    /// A probe or a registration takes it for unready.
    Readiness,
    /// A circuit breaker about it.
    Breaker,
    /// A person or an automation acts.
    Action,
}

/// A span of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HealthSpan {
    /// When it begins, in seconds of the scenario.
    pub from: f64,
    /// When it ends; the end of the run where it did not end before.
    pub to: f64,
    /// What: `stopped`, `crashed`, `power-lost`, `paused`, `unready`, `open`, `half-open`, `acting`.
    pub state: String,
}

/// How the seeds of a sweep differ over time, for one door.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// The door.
    pub door: String,
    /// When the first bin begins, in seconds of the scenario.
    pub start: f64,
    /// How wide a bin is, in seconds.
    pub step: f64,
    /// The 10th percentile over the seeds of the share of the items offered in the bin that succeeded; `null`
    /// where nothing was offered.
    pub p10: Vec<Option<f64>>,
    /// The median.
    pub p50: Vec<Option<f64>>,
    /// The 90th percentile.
    pub p90: Vec<Option<f64>>,
}

/// What one seed adds to the [`Band`] of a door; not part of the document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DoorShare {
    /// The door.
    pub door: String,
    /// When the first bin begins, in seconds of the scenario.
    pub start: f64,
    /// How wide a bin is, in seconds.
    pub step: f64,
    /// For each bin how many items were offered, and how many of them succeeded.
    pub counts: Vec<(u32, u32)>,
}
