//! A design in less time: the same nodes, load, faults and promises in a fraction of the run, for engines
//! on which a simulated minute is dear.
//!
//! With `k` the new length of the run divided by the old one: instants and periods of faults (`at`, `every`,
//! `ramp`) and how long they last (`for`) become `k` times as long, at least [`LEAST`]; every `nth` item
//! becomes every `k * nth`-th; a `chance` becomes `1/k` times as great, at most [`Length::chance`] times, for where
//! it strikes in a long run a few times it would not strike in a short one at all. A person (`operator`)
//! notices and works `1/k` times as fast. The warm-up goes. All else stays: the design, its own times, the
//! rates, the bounds. What the short run is too short for comes out as not shown, on every engine.

use beaufort_harness::scenario::model::Scenario;
use beaufort_sim::faults::At;
use beaufort_sim::recipe::Step;
use beaufort_sim::services::NodeKind;
use beaufort_sim::time::Span;
use beaufort_sim::units::Distribution;

/// A fault lasts at least so long.
const LEAST: Span = Span::secs(1);

/// The length that a design is cut to.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Load and faults.
    pub run: Span,
    /// The deadline after them.
    pub drain: Span,
    /// A chance grows at most by this factor.
    pub chance: f64,
}

/// The changes, as `--set` takes them, that cut a design to this length; none if it is no longer.
#[must_use]
pub fn shortened(scenario: &Scenario, to: Length) -> Vec<String> {
    let time = scenario.time;
    if time.run <= to.run || time.run.is_zero() {
        return Vec::new();
    }
    let mut sets = vec![
        format!("time.run={}", to.run),
        format!("time.drain={}", time.drain.min(to.drain)),
        "time.warmup=0s".to_owned(),
    ];
    let scaled = |span: Span| span.scaled(to.run.0, time.run.0);
    let least = |span: Span| span.min(scaled(span).max(LEAST));
    for (name, fault) in &scenario.faults {
        let placement = fault.placement();
        let mut set = |field: &str, value: String| sets.push(format!("faults.{name}.{field}={value}"));
        if let Some(At::Instant(at)) = placement.at {
            set("at", scaled(at).to_string());
        }
        let spans = [("for", placement.lasts), ("every", placement.every), ("ramp", placement.ramp)];
        for (field, span) in spans.into_iter().filter_map(|(field, span)| Some((field, span?))) {
            set(field, least(span).to_string());
        }
        if let Some(nth) = placement.nth {
            let fewer = u128::from(nth) * u128::from(to.run.0) / u128::from(time.run.0);
            set("nth", fewer.max(1).to_string());
        }
        if let Some(chance) = placement.chance {
            let factor = (time.run.0 as f64 / to.run.0 as f64).min(to.chance);
            set("chance", format!("{:.6}", (chance.0 * factor).min(1.0)));
        }
    }
    for (name, node) in &scenario.nodes {
        let NodeKind::Operator(person) = node else { continue };
        sets.push(format!("nodes.{name}.notices={}", drawn(person.notices, &scaled)));
        let works: Vec<_> = person
            .steps
            .iter()
            .filter_map(|step| if let Step::Work(work) = step { Some(work) } else { None })
            .collect();
        for work in &works {
            let step = work.name.as_deref().or((works.len() == 1).then_some("work"));
            if let Some(step) = step {
                let time = drawn(work.target.0, &scaled);
                sets.push(format!("nodes.{name}.steps.{step}.work={time}"));
            }
        }
    }
    sets
}

fn drawn(time: Distribution, scaled: &impl Fn(Span) -> Span) -> Distribution {
    match time {
        Distribution::Constant(span) => Distribution::Constant(scaled(span)),
        Distribution::Uniform(low, high) => Distribution::Uniform(scaled(low), scaled(high)),
        Distribution::Lognormal { median, p99 } => {
            Distribution::Lognormal { median: scaled(median), p99: scaled(p99) }
        }
    }
}
