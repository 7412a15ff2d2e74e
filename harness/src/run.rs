//! One seed: the world is stepped until it comes to rest or the deadline passes, then judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use beaufort_engines::guest::Guests;
use beaufort_engines::{Conditions, Engine, HostError};
use beaufort_reports::{SeedResult, Verdict};
use beaufort_sim::guest;
use beaufort_sim::kernel::World;
use beaufort_sim::observe::Sink;
use beaufort_sim::plan::{Plan, PlanError};
use beaufort_sim::time::Time;

use crate::ending::Ending;
use crate::hosting;
use crate::judges::{End, Judges, Rules};
use crate::recorders::story::{Recorder, tell};
use crate::recorders::{Choice, Close, Recorders, trace};
use crate::stopwatch::Stopwatch;

/// How often a run looks whether it is cancelled, in steps; a power of two.
const LOOK: u64 = 256;
/// Of each fault so many times are listed at which it was active.
const WINDOWS: usize = 20;
/// The same, where the run is looked at closely.
const MANY_WINDOWS: usize = 400;

/// How a seed is run.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// For so many violations the story is told: the seed is run again for it. Default: 3.
    pub stories: usize,
    /// Of each contract so many violations are listed. Default: 20.
    pub listed: usize,
    /// Set from outside to stop early.
    pub cancel: Option<&'a AtomicBool>,
    /// How closely the seed is looked at afterwards. Default: not at all.
    pub detail: Detail<'a>,
    /// On what it runs. Default: the native engine.
    pub engine: Engine,
    /// How an engine that hosts the processes does it.
    pub hosting: Conditions<'a>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            stories: 3,
            listed: 20,
            cancel: None,
            detail: Detail::None,
            engine: Engine::Native,
            hosting: Conditions::default(),
        }
    }
}

/// How closely a seed is looked at after it was judged; it is run again for that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail<'a> {
    /// Only what it came to.
    #[default]
    None,
    /// What it did over time, if it failed and stories are told.
    Failures,
    /// What it did over time and item by item; of these items (see [`named_item`]) in any case.
    Everything(&'a [u64]),
}

impl From<HostError> for RunError {
    fn from(error: HostError) -> RunError {
        match error {
            HostError::Refused(refusal) => RunError::Refused(refusal.to_string()),
            HostError::Cancelled => RunError::Cancelled,
            error @ (HostError::Stuck { .. } | HostError::Failed { .. }) => RunError::Engine(error),
        }
    }
}

impl Options<'_> {
    fn cancelled(&self) -> bool {
        self.cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed))
    }
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The world cannot be built.
    #[error("the scenario cannot be built: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Build(Vec<PlanError>),
    /// It was stopped from outside.
    #[error("interrupted")]
    Cancelled,
    /// The engine cannot run it.
    #[error("{0}")]
    Refused(String),
    /// The engine stood still, or failed.
    #[error(transparent)]
    Engine(HostError),
}

/// Runs one seed and judges it.
///
/// # Errors
/// If the world cannot be built, if the engine cannot run it, or if it was cancelled.
pub fn run(
    plan: &Arc<Plan>,
    rules: &Arc<Rules>,
    seed: u64,
    options: &Options<'_>,
) -> Result<SeedResult, RunError> {
    let watch = Stopwatch::start();
    let world = build(plan, seed, options)?;
    let judges = Judges::new(plan, rules);
    let (mut result, until) = match options.engine {
        Engine::Native => conclude(world, judges, options)?,
        Engine::Turmoil | Engine::Madsim => hosting::conclude(world, judges, seed, options)?,
    };
    result.seed = seed;
    result.wall_seconds = watch.seconds();
    explain(plan, seed, until, options, &mut result)?;
    Ok(result)
}

/// Builds the world. Guests have to be registered, and the native engine refuses them: it cannot run their
/// code.
pub(crate) fn build(plan: &Arc<Plan>, seed: u64, options: &Options<'_>) -> Result<World, RunError> {
    let refused = |refusal: PlanError| {
        let help = refusal.help.unwrap_or_default();
        RunError::Refused(format!("{}\n{help}", refusal.message))
    };
    if options.engine == Engine::Native {
        return match guest::guests(plan).next() {
            Some((node, _)) => Err(refused(guest::not_here(node))),
            None => World::new(Arc::clone(plan), seed).map_err(RunError::Build),
        };
    }
    let none = Guests::new();
    let guests = options.hosting.guests.unwrap_or(&none);
    match guests.check(plan) {
        Err(mut missing) if !missing.is_empty() => Err(refused(missing.remove(0))),
        _ => World::with_guests(Arc::clone(plan), seed).map_err(RunError::Build),
    }
}

/// Runs a world with its judges on to its end on the native engine, from wherever it is, and judges it;
/// also returns when it ended. The result names no seed, tells no stories and took no time.
///
/// # Errors
/// If it was cancelled.
pub fn conclude(
    mut world: World,
    mut judges: Judges,
    options: &Options<'_>,
) -> Result<(SeedResult, Time), RunError> {
    let end = drive(&mut world, &mut judges, options)?;
    Ok((judged(&world, &mut judges, &end, options), end.at))
}

/// What a run comes to that ended so.
pub(crate) fn judged(world: &World, judges: &mut Judges, end: &End, options: &Options<'_>) -> SeedResult {
    let mut result = judges.finish(end, |out| world.inventory(out));
    result.digest = world.digest().to_string();
    result.events = world.events();
    let offered = result.offered();
    result.events_per_item = if offered > 0 { world.events() as f64 / offered as f64 } else { 0.0 };
    for contract in &mut result.contracts {
        contract.violations.truncate(options.listed);
    }
    for fault in &mut result.faults {
        let listed = if matches!(options.detail, Detail::Everything(_)) { MANY_WINDOWS } else { WINDOWS };
        fault.more_windows = fault.windows.len().saturating_sub(listed) as u64;
        fault.windows.truncate(listed);
    }
    result
}

/// Steps the world to its end.
fn drive(world: &mut World, judges: &mut Judges, options: &Options<'_>) -> Result<End, RunError> {
    let mut ending = Ending::new(world.plan());
    let mut steps = 0u64;
    loop {
        match world.next_at() {
            None => return Ok(ending.nothing_left(world)),
            Some(next) if ending.is_past(next) => return Ok(ending.at_deadline(world)),
            Some(_) => world.step(judges),
        };
        steps += 1;
        if steps.is_multiple_of(LOOK) && options.cancelled() {
            return Err(RunError::Cancelled);
        }
        if let Some(end) = ending.look(world, judges, world.now()) {
            return Ok(end);
        }
    }
}

/// Runs the seed again, to the same instant, for whatever is wanted: the ways of the first violating items,
/// what it did over time and item by item.
fn explain(
    plan: &Arc<Plan>,
    seed: u64,
    until: Time,
    options: &Options<'_>,
    result: &mut SeedResult,
) -> Result<(), RunError> {
    let told = options.stories > 0 && result.verdict == Verdict::Fail;
    let close = match options.detail {
        Detail::None => false,
        Detail::Failures => told,
        Detail::Everything(_) => true,
    };
    if !told && !close {
        return Ok(());
    }
    let recorders = Recorders {
        story: told.then(|| Recorder::new(plan, result, options.stories)),
        close: close.then(|| Close::new(plan, until)),
    };
    let (_, recorders) = watch(plan, seed, until, options, recorders)?;
    if let Some(story) = &recorders.story {
        tell(plan, story, result);
    }
    let Some(close) = recorders.close else { return Ok(()) };
    if let Detail::Everything(asked) = options.detail {
        let choice = Choice::new(plan, result, asked, &close);
        let (_, recorder) = replay(plan, seed, until, options, choice.recorder())?;
        result.trace = Some(trace(plan, &close, &choice, &recorder));
    }
    result.series = Some(close.finish(plan, until));
    Ok(())
}

/// Runs a seed again up to an instant, on the same engine, for another sink: to record, to export, to look
/// closer. Returns the world as it is then, and the sink.
///
/// # Errors
/// If the world cannot be built, if the engine cannot run it, or if it was cancelled.
pub fn replay<S: Sink + Send + 'static>(
    plan: &Arc<Plan>,
    seed: u64,
    until: Time,
    options: &Options<'_>,
    sink: S,
) -> Result<(World, S), RunError> {
    match options.engine {
        Engine::Native => step_through(plan, seed, until, options, sink, |_, _, _| ()),
        Engine::Turmoil | Engine::Madsim => hosting::replay(plan, seed, until, options, sink),
    }
}

/// The same for recorders, which on the native engine look at the world between its steps too.
fn watch(
    plan: &Arc<Plan>,
    seed: u64,
    until: Time,
    options: &Options<'_>,
    recorders: Recorders,
) -> Result<(World, Recorders), RunError> {
    match options.engine {
        Engine::Native => step_through(plan, seed, until, options, recorders, Recorders::look),
        Engine::Turmoil | Engine::Madsim => hosting::replay(plan, seed, until, options, recorders),
    }
}

/// Runs a seed again on the native engine up to an instant. Before each step, and at the end, `look` is shown the
/// world and the instant until which nothing happens in it.
fn step_through<S: Sink>(
    plan: &Arc<Plan>,
    seed: u64,
    until: Time,
    options: &Options<'_>,
    mut sink: S,
    look: impl Fn(&mut S, &World, Time),
) -> Result<(World, S), RunError> {
    let mut world = build(plan, seed, options)?;
    let mut steps = 0u64;
    while let Some(next) = world.next_at().filter(|next| *next <= until) {
        look(&mut sink, &world, next);
        world.step(&mut sink);
        steps += 1;
        if steps.is_multiple_of(LOOK) && options.cancelled() {
            return Err(RunError::Cancelled);
        }
    }
    look(&mut sink, &world, until);
    Ok((world, sink))
}

#[cfg(test)]
mod tests {
    use beaufort_reports::{Results, text};

    use super::*;
    use crate::scenario::load::load;
    use crate::sweep::{Plural, Subject, document, sweep};

    /// The shipped order flow, cut to two minutes and to the faults that fit into them.
    fn short() -> (Arc<Plan>, Arc<Rules>) {
        let sets = [
            "time.warmup=0s",
            "time.run=2m",
            "time.drain=30m",
            "faults.zone-lost=null",
            "faults.bus-throttled=null",
            "faults.psp-slow=null",
            "objectives.zone-recovery=null",
            "objectives.backlog=null",
        ];
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let resolved = load("order-flow", &sets).map(|loaded| loaded.resolve(None).expect("resolves"));
        let resolved = resolved.unwrap_or_else(|refused| panic!("{refused:?}"));
        (resolved.plan, resolved.rules)
    }

    #[test]
    fn a_shipped_scenario_is_judged_the_same_alone_and_in_a_sweep() {
        let (plan, rules) = short();
        let alone =
            run(&plan, &rules, 1, &Options { stories: 0, listed: 5, ..Options::default() }).expect("runs");
        let cancel = AtomicBool::new(false);
        let how = Plural { seeds: 0..3, jobs: 2, ..Plural::new(&cancel) };
        let all = sweep(&plan, &rules, &how).expect("runs");
        assert_eq!(all.iter().map(|result| result.seed).collect::<Vec<_>>(), [0, 1, 2]);
        let bare =
            |result: &SeedResult| Results { seeds: vec![result.clone()], ..Results::default() }.comparable();
        assert_eq!(bare(&all[1]), bare(&alone));
        assert_ne!(all[0].digest, all[1].digest);
        let page = text::render(&document(&Subject::default(), vec![alone.clone()]), text::Style::default());
        assert!(alone.offered() > 1000, "{page}");
        if std::env::var_os("SHOW").is_some() {
            panic!("{page}");
        }
    }

    #[test]
    fn a_run_that_is_looked_at_closely_is_the_same_and_knows_its_limits() {
        let (plan, rules) = short();
        let options = Options { stories: 0, detail: Detail::Everything(&[]), ..Options::default() };
        let result = run(&plan, &rules, 1, &options).expect("runs");
        let until = plan.ends();
        let recorders = Recorders { story: None, close: Some(Close::new(&plan, until)) };
        let (looked_at, _) = watch(&plan, 1, until, &options, recorders).expect("runs");
        let (left_alone, _) = replay(&plan, 1, until, &options, Vec::new()).expect("runs");
        assert_eq!(looked_at.digest(), left_alone.digest());
        assert_eq!(looked_at.events(), left_alone.events());

        let series = result.series.expect("it was looked at");
        let (limits, step) = (series.limits, series.step);
        let of = |node: &str, limit: &str| {
            let found = limits.iter().find(|one| one.node == node && one.limit == limit);
            found.unwrap_or_else(|| panic!("{node} has no {limit}: {limits:?}"))
        };
        // 50 orders a second, of 6000 calls a minute.
        let edge = of("edge", "rate limit");
        assert_eq!((edge.unit.as_str(), edge.most), ("calls in 1m", 6000.0));
        assert!((0.47..0.55).contains(&edge.peak), "{edge:?}");
        assert!((edge.used - edge.peak * edge.most).abs() <= 1.0, "{edge:?}");
        assert_eq!((edge.first_reached, edge.seconds_at_limit), (None, 0.0));
        // The window is empty at first, half full after half a minute, and full after a whole one.
        let after = |seconds: f64| edge.share[(seconds / step) as usize];
        assert!(after(0.0) < 0.1 && (0.2..0.35).contains(&after(30.0)), "{edge:?}");
        assert!((0.48..0.51).contains(&after(100.0)), "{edge:?}");
        let runs = of("payment-worker", "concurrent runs");
        assert!(runs.most == 16.0 && runs.peak <= 1.0 && runs.mean < 0.6, "{runs:?}");
        assert!(limits.iter().all(|one| one.peak > 0.01 && one.mean <= one.peak), "{limits:?}");
    }

    #[test]
    fn a_cancelled_run_says_so() {
        let (plan, rules) = short();
        let cancel = AtomicBool::new(true);
        let options = Options { cancel: Some(&cancel), ..Options::default() };
        assert!(matches!(run(&plan, &rules, 1, &options), Err(RunError::Cancelled)));
    }
}
