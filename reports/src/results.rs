//! The results document: everything that a report may say about a run or a sweep. Versioned; what the
//! wall clock says stands in fields of its own, which nothing compares.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::design::Design;
use crate::series::{Band, DoorShare, Series};
use crate::trace::Trace;
use crate::verdict::Verdict;

/// The version of the document that this build writes and reads. It changes when a field goes, or means
/// something else; not when one is added that older documents can do without: a document without `engine` and
/// `lateness` is of the native engine, one without `design`, `bands`, `series` and `trace` has fewer plots.
pub const SCHEMA: u32 = 1;

/// The engine of a document that names none.
pub const NATIVE: &str = "native";

fn native() -> String {
    NATIVE.to_owned()
}

/// The program of a document that names none.
pub const PROGRAM: &str = "beaufort";

fn program() -> String {
    PROGRAM.to_owned()
}

fn is_program(name: &str) -> bool {
    name == PROGRAM
}

/// The results of one variant of a scenario, over one or more seeds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Results {
    /// The version of this document.
    pub schema: u32,
    /// The version of Beaufort that wrote it.
    #[serde(default)]
    pub tool: String,
    /// The name of the scenario.
    pub scenario: String,
    /// The variant; `base` for the scenario as written.
    pub variant: String,
    /// The program that runs it again, where that is another than `beaufort`: one with guests of its own.
    #[serde(default = "program", skip_serializing_if = "is_program")]
    pub program: String,
    /// A hash of the resolved scenario: results with different hashes are not comparable.
    #[serde(default)]
    pub scenario_hash: String,
    /// How the scenario is named on a command line; for the replay command.
    #[serde(default)]
    pub path: String,
    /// On which engine it ran: `native`, `turmoil` or `madsim`. Default, and in documents of before there
    /// were others: `native`.
    #[serde(default = "native")]
    pub engine: String,
    /// The worst of all seeds.
    pub verdict: Verdict,
    /// One sentence about why.
    #[serde(default)]
    pub cause: String,
    /// How many seeds were asked for; more than `seeds` where the sweep was interrupted.
    #[serde(default)]
    pub seeds_asked: u64,
    /// What the results were compared with, where they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Expected>,
    /// What became of the comparisons of this design with others (`compare` in the scenario). They are part of
    /// neither design's verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<ComparisonResult>,
    /// What was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design: Option<Design>,
    /// Of a sweep: how the seeds differ over time, door by door.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bands: Vec<Band>,
    /// What each seed gave, ascending by seed.
    pub seeds: Vec<SeedResult>,
}

impl Default for Results {
    fn default() -> Results {
        Results {
            schema: 0,
            tool: String::new(),
            scenario: String::new(),
            variant: String::new(),
            program: program(),
            scenario_hash: String::new(),
            path: String::new(),
            engine: native(),
            verdict: Verdict::default(),
            cause: String::new(),
            seeds_asked: 0,
            expected: None,
            comparisons: Vec::new(),
            design: None,
            bands: Vec::new(),
            seeds: Vec::new(),
        }
    }
}

/// What a variant must come out as, and whether it does: of a sweep that compares (`--expect`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// What it must come out as, in words: `fail: charged-once, because it is lost`.
    #[serde(default)]
    pub wanted: String,
    /// What of the results is not so, one sentence each; none: the results are as expected.
    #[serde(default)]
    pub differences: Vec<String>,
}

/// What became of a claim that this design is better than another: both ran on the same seeds, in the same
/// weather, and every seed is a pair.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComparisonResult {
    /// Its name in the scenario.
    pub name: String,
    /// What was measured, and of what: `recovery-time region-lost`.
    pub measure: String,
    /// The design that is claimed to be better.
    pub of: String,
    /// How: `shorter-than`, `fewer-than` or `higher-than`.
    pub relation: String,
    /// The design that it is compared with.
    pub than: String,
    /// By how much at least, as the scenario writes it: `50%`.
    pub by: String,
    /// Whether it holds; inconclusive if these seeds do not tell.
    pub verdict: Verdict,
    /// It in a sentence, with the numbers.
    #[serde(default)]
    pub said: String,
    /// By how much it is better, the median of the pairs: a share of the other design's number; with
    /// `higher-than` the difference of two shares. None where no pair was measured, or it never came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain: Option<f64>,
    /// The lower end of the 95 % confidence interval of that median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// How many seeds were measured in both designs.
    #[serde(default)]
    pub pairs: u64,
}

/// What one seed gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeedResult {
    /// The seed.
    pub seed: u64,
    /// The digest of all its events; the same seed gives the same digest everywhere, on the same engine.
    pub digest: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// One sentence about why.
    #[serde(default)]
    pub cause: String,
    /// Why it is inconclusive, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// Defects of Beaufort itself that the books laid open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<BookError>,
    /// Kernel events.
    pub events: u64,
    /// Kernel events for each offered item.
    #[serde(default)]
    pub events_per_item: f64,
    /// How long the world ran, in its own time.
    pub simulated_seconds: f64,
    /// How long that took. Not compared: it differs from run to run.
    pub wall_seconds: f64,
    /// How late inputs were, on an engine that hosts the processes. None: on the native engine nothing is
    /// ever late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lateness: Option<Lateness>,
    /// The books.
    pub ledger: Ledger,
    /// The contracts, in file order.
    pub contracts: Vec<ContractResult>,
    /// The objectives, in file order.
    pub objectives: Vec<ObjectiveResult>,
    /// The faults, in file order.
    pub faults: Vec<FaultResult>,
    /// How many items of each door succeeded over time, until the bands of the document are made of it.
    #[serde(skip)]
    pub shares: Vec<DoorShare>,
    /// What it did over time: of the seed that is looked at closely, the first of the worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub series: Option<Series>,
    /// What it did, item by item: of that seed too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
}

/// How late inputs were handled on an engine that hosts the processes: after the instant at which they were
/// due. By this much the run may differ from a native one. Times are seconds, quantiles over all inputs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lateness {
    /// Inputs that were handled.
    pub inputs: u64,
    /// How many of them late.
    pub late: u64,
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The latest.
    pub max: f64,
}

impl Lateness {
    /// The share of the inputs that were late.
    #[must_use]
    pub fn share(&self) -> f64 {
        if self.inputs > 0 { self.late as f64 / self.inputs as f64 } else { 0.0 }
    }
}

/// An imbalance or an impossible combination in the books.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BookError {
    /// Which book: `copies`, `sends`, `links`.
    pub book: String,
    /// Which place, call target or link.
    pub subject: String,
    /// What does not add up.
    pub message: String,
}

/// The books of one seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// What became of the items of each flow at its door.
    pub flows: Vec<FlowRow>,
    /// Copies: born + moved in = ended + moved out + held, place by place.
    pub places: Vec<PlaceRow>,
    /// Calls: what the caller believes against what the callee did, target by target.
    pub sends: Vec<SendRow>,
}

/// A flow at its door: offered = accepted + refused + failed + unknown + open.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FlowRow {
    /// The flow.
    pub flow: String,
    /// Items that the generators made.
    pub offered: u64,
    /// The caller received success.
    pub accepted: u64,
    /// The caller received a definite no.
    pub refused: u64,
    /// The caller gave up after definite errors.
    pub failed: u64,
    /// The caller does not know.
    pub unknown: u64,
    /// The caller was not done when the run ended.
    pub open: u64,
}

/// A place: born + moved in = ended + moved out + held.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlaceRow {
    /// The place.
    pub place: String,
    /// Copies that came to be here.
    pub born: u64,
    /// Copies that came from another place of the same service.
    pub moved_in: u64,
    /// Copies that went to another place of the same service.
    pub moved_out: u64,
    /// Copies that ended here.
    pub ended: u64,
    /// Of those, how many expired.
    pub expired: u64,
    /// Of those, how many were dropped for a documented reason.
    pub discarded: u64,
    /// Of those, how many were destroyed by a crash, a lost sync or a failover.
    pub destroyed: u64,
    /// Copies that the inventory walk found at the end.
    pub held: u64,
    /// Repetitions that were recognised and had no effect.
    pub absorbed: u64,
    /// Effects that were taken back.
    pub undone: u64,
}

/// A call target: rows are the caller's belief (ok, refused, failed, unknown, never answered), columns
/// what the callee did (stored, suppressed, rejected, never arrived).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SendRow {
    /// Whom the calls went to.
    pub target: String,
    /// How many calls.
    pub sent: u64,
    /// The matrix.
    pub matrix: [[u64; 4]; 5],
}

/// How a contract came out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ContractResult {
    /// Its name in the scenario.
    pub name: String,
    /// What it promises: `exactly-once orders`.
    #[serde(default)]
    pub rule: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// How many items it was checked on.
    pub checked: u64,
    /// How many items violate it.
    #[serde(default)]
    pub violated: u64,
    /// How many items violate it, by reason.
    #[serde(default)]
    pub reasons: BTreeMap<String, u64>,
    /// What became of the items that it is about.
    #[serde(default)]
    pub fates: Fates,
    /// The first violations, with their stories.
    pub violations: Vec<Violation>,
    /// Why it is inconclusive, if it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doubt: String,
}

/// What became of the items that a contract is about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Fates {
    /// Every effect once.
    pub effected: u64,
    /// Some effect more than once.
    pub doubled: u64,
    /// Kept where the contract allows it.
    pub parked: u64,
    /// A copy is held somewhere else and does not move on.
    pub held: u64,
    /// A copy is held where nobody can reach it any more.
    #[serde(default)]
    pub stranded: u64,
    /// On the way when the run ended.
    pub late: u64,
    /// In a dead-letter place.
    pub dead_lettered: u64,
    /// Covered by a newer item of the same key.
    pub superseded: u64,
    /// The time to live passed.
    pub expired: u64,
    /// Dropped for a documented reason.
    pub discarded: u64,
    /// No copy left, and no documented end.
    pub lost: u64,
    /// The caller does not know, and there is an effect.
    pub unknown_effected: u64,
    /// The caller does not know, and there is none.
    pub unknown_absent: u64,
}

/// One item that violates a contract.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Violation {
    /// The item: `orders 4711`.
    pub item: String,
    /// The number of the item in its stream.
    pub number: u32,
    /// Its generator.
    pub stream: String,
    /// Its key, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<u32>,
    /// How: `lost`, `doubled`.
    pub reason: String,
    /// Where: the place without or with the wrong effect.
    pub place: String,
    /// When, in seconds of the scenario (0 is the end of the warm-up), where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_seconds: Option<f64>,
    /// More about it, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The item's way through the nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub story: Vec<Step>,
}

/// One step of an item's way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// When, in seconds of the scenario.
    pub at_seconds: f64,
    /// At which node (or process of it).
    pub node: String,
    /// What happened, in words.
    pub what: String,
    /// The faults that touched it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

/// How an objective came out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ObjectiveResult {
    /// Its name in the scenario.
    pub name: String,
    /// What it measures: `availability edge`.
    #[serde(default)]
    pub measure: String,
    /// Its verdict.
    pub verdict: Verdict,
    /// The bound, as written: `p99 800ms`.
    pub target: String,
    /// What was measured, in words: `p99 412ms`.
    pub achieved: String,
    /// How far from the bound, as a share of it; negative where missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// How many items, runs or occurrences it was measured on.
    #[serde(default)]
    pub samples: u64,
    /// The measured numbers, in seconds, shares or counts.
    #[serde(default)]
    pub numbers: Achieved,
    /// For a recovery time: what each occurrence of the fault did, in the order in which they began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recoveries: Vec<Recovery>,
    /// For an availability that is missed: the first items without success, with their stories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Violation>,
}

/// What one occurrence of a fault did to the items at a door. Times are seconds after its start.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// The fault.
    pub fault: String,
    /// The door.
    pub door: String,
    /// When it began, in seconds of the scenario.
    pub at_seconds: f64,
    /// How many items were refused, failed or later than the declared bound, in the episodes around it.
    pub bad: u64,
    /// When the first bad item was offered. None: the door was not impacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impact: Option<f64>,
    /// When the first probe, registration or circuit breaker noticed. None: nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected: Option<f64>,
    /// When the first run began that an alert set going. None: there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<f64>,
    /// When that run was over. None: there was none, or not by the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acted: Option<f64>,
    /// When the last bad item was offered. None: not impacted, or not recovered by the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered: Option<f64>,
    /// The highest backlog of all queues, where it rose above its level before. None: it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backlog: Option<u64>,
    /// When the backlog of all queues was back at its level before. None: no backlog, or not by the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drained: Option<f64>,
}

impl Recovery {
    /// The worst of these: not recovered, else the longest; the earliest of equals.
    #[must_use]
    pub fn worst(all: &[Recovery]) -> Option<&Recovery> {
        all.iter().rev().max_by(|a, b| a.severity().total_cmp(&b.severity()))
    }

    /// Seconds to recovery; beyond all where it did not come.
    #[must_use]
    pub fn severity(&self) -> f64 {
        match (self.impact, self.recovered) {
            (None, _) => -1.0,
            (Some(_), Some(recovered)) => recovered,
            (Some(_), None) => f64::INFINITY,
        }
    }
}

/// The measured numbers of an objective; those that it has.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Achieved(pub BTreeMap<String, f64>);

/// A fault: armed, fired, felt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FaultResult {
    /// Its name in the scenario.
    pub name: String,
    /// Its id in the catalogue: `zone.down`.
    pub fault: String,
    /// What it strikes.
    pub target: String,
    /// How often it was scheduled or enabled.
    pub armed: u64,
    /// How often it altered something.
    pub fired: u64,
    /// How often somebody noticed.
    pub felt: u64,
    /// Whether the seed decides if it strikes at all; then it must be felt somewhere in a sweep only.
    #[serde(default)]
    pub random: bool,
    /// When it was active, in seconds of the scenario; the first few times.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<[f64; 2]>,
    /// How many times more it was active.
    #[serde(default, skip_serializing_if = "is_none_left_out")]
    pub more_windows: u64,
    /// From its start until somebody's belief about its target changed, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detected_after: Option<f64>,
}

fn is_none_left_out(number: &u64) -> bool {
    *number == 0
}

/// Why a document cannot be read.
#[derive(Debug)]
pub enum ReadError {
    /// It is not a results document.
    Malformed(String),
    /// It has another version.
    Version {
        /// The version it has.
        found: u64,
    },
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReadError::Malformed(why) => write!(f, "this is not a results document: {why}"),
            ReadError::Version { found } if *found > u64::from(SCHEMA) => write!(
                f,
                "the document has schema {found}, but this build reads schema {SCHEMA}: \
                 it was written by a newer Beaufort; use that one"
            ),
            ReadError::Version { found } => write!(
                f,
                "the document has schema {found}, but this build reads schema {SCHEMA}: \
                 it was written by an older Beaufort; run the scenario again"
            ),
        }
    }
}

impl std::error::Error for ReadError {}

impl Results {
    /// Reads a document.
    ///
    /// # Errors
    /// If it is no results document, or one of another schema.
    pub fn from_json(text: &str) -> Result<Results, ReadError> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| ReadError::Malformed(error.to_string()))?;
        let schema = value.get("schema").and_then(serde_json::Value::as_u64);
        match schema {
            None => Err(ReadError::Malformed("it has no number `schema`".to_owned())),
            Some(found) if found != u64::from(SCHEMA) => Err(ReadError::Version { found }),
            Some(_) => serde_json::from_value(value).map_err(|error| ReadError::Malformed(error.to_string())),
        }
    }

    /// The document as text, in one line.
    ///
    /// # Errors
    /// Only those of the serializer.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    /// The same without what the wall clock said: what two runs of one scenario must agree on.
    #[must_use]
    pub fn comparable(&self) -> Results {
        let mut copy = self.clone();
        for seed in &mut copy.seeds {
            seed.wall_seconds = 0.0;
        }
        copy
    }
}

impl SeedResult {
    /// Items that were offered, over all flows.
    #[must_use]
    pub fn offered(&self) -> u64 {
        self.ledger.flows.iter().map(|flow| flow.offered).sum()
    }

    /// The names of the contracts and objectives that failed.
    pub fn failed(&self) -> impl Iterator<Item = &str> {
        let contracts = self.contracts.iter().map(|c| (c.name.as_str(), c.verdict));
        let objectives = self.objectives.iter().map(|o| (o.name.as_str(), o.verdict));
        contracts.chain(objectives).filter(|(_, verdict)| *verdict == Verdict::Fail).map(|(name, _)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_back_as_it_was_written() {
        let seed = SeedResult { seed: 7, digest: "ab".into(), wall_seconds: 0.5, ..SeedResult::default() };
        let results =
            Results { schema: SCHEMA, scenario: "s".into(), seeds: vec![seed], ..Results::default() };
        let text = results.to_json().expect("prints");
        assert_eq!(Results::from_json(&text).expect("reads"), results);
        assert_ne!(results.comparable(), results);
    }

    #[test]
    fn a_document_that_names_no_engine_is_of_the_native_one() {
        let old = r#"{"schema":1,"scenario":"s","variant":"base","verdict":"pass","seeds":[]}"#;
        assert_eq!(Results::from_json(old).expect("reads").engine, NATIVE);
        assert_eq!(Results::default().engine, NATIVE);
        let lateness = Some(Lateness { inputs: 40, late: 1, p99: 0.001, max: 0.002, ..Lateness::default() });
        let seed = SeedResult { lateness, ..SeedResult::default() };
        let hosted =
            Results { schema: SCHEMA, engine: "turmoil".into(), seeds: vec![seed], ..Results::default() };
        let read = Results::from_json(&hosted.to_json().expect("prints")).expect("reads");
        assert_eq!(read, hosted);
        assert_eq!(read.comparable().seeds[0].lateness, hosted.seeds[0].lateness);
        assert_eq!(read.seeds[0].lateness.as_ref().map(Lateness::share), Some(0.025));
        assert!(!Results::default().to_json().expect("prints").contains("lateness"));
    }

    #[test]
    fn another_schema_is_refused_with_a_way_out() {
        for (text, part) in [
            (r#"{"schema":2}"#, "newer Beaufort"),
            (r#"{"schema":0}"#, "older Beaufort"),
            (r#"{"scenario":"x"}"#, "no number `schema`"),
            ("[", "not a results document"),
        ] {
            let error = Results::from_json(text).expect_err("refused").to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
