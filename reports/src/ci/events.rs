//! One line of JSON for each thing that finished, for programs that follow a sweep (`--message-format json`).
//! The lines are versioned like the document: fields may be added, and a reader ignores those that it does
//! not know; [`EVENT_VERSION`] changes when one goes or means something else.

use serde::{Deserialize, Serialize};

use super::checks::{first_of, verdict};
use crate::plain::is_hidden;
use crate::results::{Results, SeedResult};
use crate::text::replay_command;
use crate::verdict::Verdict;

/// The version of the lines.
pub const EVENT_VERSION: u32 = 1;

/// A line; `type` says which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// A seed has finished.
    Seed(SeedEvent),
    /// A document is complete: a variant, over all its seeds.
    Verdict(VerdictEvent),
}

/// A seed has finished. Seeds finish in any order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SeedEvent {
    /// [`EVENT_VERSION`].
    pub version: u32,
    /// The scenario.
    pub scenario: String,
    /// The variant, or `base`.
    pub variant: String,
    /// On which engine it ran.
    pub engine: String,
    /// The seed.
    pub seed: u64,
    /// Its verdict.
    pub verdict: Verdict,
    /// One sentence about why.
    pub cause: String,
    /// The digest of all its events.
    pub digest: String,
    /// The contracts and objectives that failed.
    pub failed: Vec<String>,
    /// Items that were offered.
    pub offered: u64,
    /// Kernel events.
    pub events: u64,
    /// How long the world ran, in its own time.
    pub simulated_seconds: f64,
}

/// A document is complete.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VerdictEvent {
    /// [`EVENT_VERSION`].
    pub version: u32,
    /// The scenario.
    pub scenario: String,
    /// The variant, or `base`.
    pub variant: String,
    /// On which engine it ran.
    pub engine: String,
    /// The worst of all seeds.
    pub verdict: Verdict,
    /// One sentence about why.
    pub cause: String,
    /// How many seeds finished.
    pub seeds: u64,
    /// How many seeds were asked for.
    pub seeds_asked: u64,
    /// Of the finished ones, how many had which verdict.
    pub counts: Counts,
    /// Whether it came out as expected, where it was compared with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_expected: Option<bool>,
    /// The seed to look at first, if not all is well: the earliest of the worst.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_at: Option<u64>,
    /// The command that runs that seed again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<String>,
}

/// How many seeds had which verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Everything held.
    pub pass: u64,
    /// An objective marked `ideally` was missed.
    pub degraded: u64,
    /// Something was not shown.
    pub inconclusive: u64,
    /// A contract was violated or an objective missed.
    pub fail: u64,
    /// A defect of Beaufort.
    pub error: u64,
}

/// The line about a seed that has finished. Of `results` only the names are used, so that a sweep can say it
/// while it goes on: its seeds may be missing.
#[must_use]
pub fn event(results: &Results, seed: &SeedResult) -> String {
    line(&Event::Seed(SeedEvent {
        version: EVENT_VERSION,
        scenario: results.scenario.clone(),
        variant: results.variant.clone(),
        engine: results.engine.clone(),
        seed: seed.seed,
        verdict: seed.verdict,
        cause: seed.cause.clone(),
        digest: seed.digest.clone(),
        failed: seed.failed().map(str::to_owned).collect(),
        offered: seed.offered(),
        events: seed.events,
        simulated_seconds: seed.simulated_seconds,
    }))
}

/// The line about a document that is complete.
#[must_use]
pub fn verdict_event(results: &Results) -> String {
    let worst = first_of(results).filter(|seed| seed.verdict > Verdict::Pass).map(|seed| seed.seed);
    let seeds = results.seeds.len() as u64;
    line(&Event::Verdict(VerdictEvent {
        version: EVENT_VERSION,
        scenario: results.scenario.clone(),
        variant: results.variant.clone(),
        engine: results.engine.clone(),
        verdict: results.verdict,
        cause: results.cause.clone(),
        seeds,
        seeds_asked: results.seeds_asked.max(seeds),
        counts: counts(results),
        as_expected: results.expected.as_ref().map(|_| verdict(results) == Verdict::Pass),
        look_at: worst,
        replay: worst.map(|seed| replay_command(results, seed)),
    }))
}

fn counts(results: &Results) -> Counts {
    let mut counts = Counts::default();
    for seed in &results.seeds {
        *match seed.verdict {
            Verdict::Pass => &mut counts.pass,
            Verdict::Degraded => &mut counts.degraded,
            Verdict::Inconclusive => &mut counts.inconclusive,
            Verdict::Fail => &mut counts.fail,
            Verdict::Error => &mut counts.error,
        } += 1;
    }
    counts
}

/// The event in one line. What it says is exact, and yet does nothing to a terminal or to the log of a
/// pipeline: characters that are not seen are escaped, and a `##`, which would begin a command.
fn line(event: &Event) -> String {
    // Strings and numbers: there is nothing that could fail.
    let json = serde_json::to_string(event).unwrap_or_default();
    let mut out = String::with_capacity(json.len());
    for (at, c) in json.char_indices() {
        if is_hidden(c) || (c == '#' && json[at + 1..].starts_with('#')) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}
