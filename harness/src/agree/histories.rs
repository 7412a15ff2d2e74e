//! Where a contract comes out differently on two engines: the history of the first item about which they
//! differ, on both, from the first step at which the histories part.

use std::fmt::Write as _;
use std::sync::Arc;

use beaufort_reports::{ContractResult, SeedResult, Step, Violation, text::clock};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Time;

use crate::recorders::story::Recorder;
use crate::run::{Options, RunError, replay};
use beaufort_engines::Engine;

/// So many steps are shown before the histories part, and of each after.
const BEFORE: usize = 3;
const AFTER: usize = 40;
/// Columns of the page.
const WIDTH: usize = 80;

/// The history of one item on two engines.
#[derive(Clone, Debug, PartialEq)]
pub struct Histories {
    /// The contract.
    pub contract: String,
    /// The item: `orders 4711`.
    pub item: String,
    /// How it violates the contract, and on which engine.
    pub offence: String,
    /// The other engine.
    pub engine: Engine,
    /// What happened to it on the native engine, and on the other.
    pub sides: [Vec<Step>; 2],
}

/// The first item that violates a contract on one of the engines and not on the other; `true` if on the
/// native one.
#[must_use]
pub fn differing_item(native: &ContractResult, other: &ContractResult) -> Option<(Violation, bool)> {
    let only = |a: &ContractResult, b: &ContractResult| {
        let same = |x: &Violation, y: &Violation| (&x.stream, x.number) == (&y.stream, y.number);
        a.violations.iter().find(|x| !b.violations.iter().any(|y| same(x, y))).cloned()
    };
    let found = [(only(native, other), true), (only(other, native), false)];
    let found = found.into_iter().filter_map(|(violation, native)| Some((violation?, native)));
    // The earliest of the two; where it is not known when, that of the native engine.
    found.min_by(|(a, _), (b, _)| {
        a.at_seconds.unwrap_or(f64::INFINITY).total_cmp(&b.at_seconds.unwrap_or(f64::INFINITY))
    })
}

/// Runs a seed again, natively and as `options` say, and records the first item about which the two differ.
/// Nothing, if the engines name no such item (one of them only doubts).
///
/// # Errors
/// If one of the engines cannot run it.
pub fn histories(
    plan: &Arc<Plan>,
    contract: &str,
    options: &Options<'_>,
    native: &SeedResult,
    other: &SeedResult,
) -> Result<Option<Histories>, RunError> {
    let find = |seed: &SeedResult| seed.contracts.iter().find(|c| c.name == contract).cloned();
    let (Some(here), Some(there)) = (find(native), find(other)) else { return Ok(None) };
    let Some((violation, on_native)) = differing_item(&here, &there) else { return Ok(None) };
    let record = |engine: Engine, seed: &SeedResult| -> Result<Vec<Step>, RunError> {
        let recorder = Recorder::of(plan, &violation.stream, violation.number);
        let until = Time((seed.simulated_seconds * 1e9).round() as u64);
        let options = Options { engine, ..*options };
        let (_, recorder) = replay(plan, seed.seed, until, &options, recorder)?;
        Ok(recorder.history(plan, &violation.stream, violation.number))
    };
    let engine = options.engine;
    let on = if on_native { Engine::Native } else { engine };
    Ok(Some(Histories {
        contract: contract.to_owned(),
        offence: format!("{} at {} on {on} only", violation.reason, violation.place),
        engine,
        sides: [record(Engine::Native, native)?, record(engine, other)?],
        item: violation.item,
    }))
}

impl Histories {
    /// How many steps are the same: who and what; the times differ by lateness.
    #[must_use]
    pub fn common(&self) -> usize {
        let [native, other] = &self.sides;
        native.iter().zip(other).take_while(|(a, b)| (&a.node, &a.what) == (&b.node, &b.what)).count()
    }

    /// Both, one after the other, from the first step at which they part.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        let common = self.common();
        let _ = writeln!(text, "{}: {}, {}", self.contract, self.item, self.offence);
        match common {
            0 => {}
            1 => text.push_str("  the first step is the same:\n"),
            n => {
                let _ = writeln!(text, "  the first {n} steps are the same; the last of them:");
            }
        }
        let [native, other] = &self.sides;
        steps(&mut text, &native[common.saturating_sub(BEFORE)..common]);
        for (engine, side) in [(Engine::Native, native), (self.engine, other)] {
            let _ = writeln!(text, "  then on {engine}:");
            let rest = &side[common..];
            steps(&mut text, &rest[..rest.len().min(AFTER)]);
            match rest.len() {
                0 => text.push_str("    nothing more\n"),
                n if n > AFTER => {
                    let _ = writeln!(text, "    … {} more steps", n - AFTER);
                }
                _ => {}
            }
        }
        text
    }
}

fn steps(text: &mut String, steps: &[Step]) {
    for step in steps {
        let faults = match step.faults.as_slice() {
            [] => String::new(),
            faults => format!(" [{}]", faults.join(", ")),
        };
        let line = format!("    {:>11}  {}: {}{faults}", clock(step.at_seconds), step.node, step.what);
        let short: String = line.chars().take(WIDTH).collect();
        text.push_str(&short);
        text.push('\n');
    }
}
