//! Runs on an engine that hosts the processes: who watches them, and what they come to.

use std::sync::Arc;

use beaufort_engines::{Conditions, HostError, Hosted, Referee, host};
use beaufort_reports::{Lateness, SeedResult};
use beaufort_sim::kernel::World;
use beaufort_sim::observe::{Observation, Sink};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Time;

use crate::ending::Ending;
use crate::judges::{End, Judges};
use crate::run::{Options, RunError, build, judged};

/// The judges of a hosted run, and whether it is over.
struct Bench {
    judges: Judges,
    ending: Ending,
    end: Option<End>,
}

impl Sink for Bench {
    fn observe(&mut self, observation: &Observation) {
        self.judges.observe(observation);
    }
}

impl Referee for Bench {
    fn look(&mut self, world: &World, now: Time) -> bool {
        self.end = self.ending.look(world, &self.judges, now);
        self.end.is_some()
    }
}

/// Runs a world with its judges to its end and judges it; also returns when it ended.
pub(crate) fn conclude(
    world: World,
    judges: Judges,
    seed: u64,
    options: &Options<'_>,
) -> Result<(SeedResult, Time), RunError> {
    let bench = Bench { judges, ending: Ending::new(world.plan()), end: None };
    let Hosted { world, referee, lateness } = play(world, bench, seed, options)?;
    let Bench { mut judges, ending, end } = referee;
    let end = end.unwrap_or_else(|| ending.at_deadline(&world));
    let mut result = judged(&world, &mut judges, &end, options);
    result.lateness = Some(Lateness {
        inputs: lateness.inputs(),
        late: lateness.late(),
        p50: lateness.quantile(0.5).as_secs_f64(),
        p99: lateness.quantile(0.99).as_secs_f64(),
        max: lateness.max().as_secs_f64(),
    });
    Ok((result, end.at))
}

/// Somebody who listens up to an instant.
struct Listener<S> {
    sink: S,
    until: Time,
}

impl<S: Sink> Sink for Listener<S> {
    fn observe(&mut self, observation: &Observation) {
        if observation.at <= self.until {
            self.sink.observe(observation);
        }
    }
}

impl<S: Sink + Send + 'static> Referee for Listener<S> {
    fn look(&mut self, _: &World, now: Time) -> bool {
        now > self.until
    }
}

/// Runs a seed again up to an instant, for another sink.
pub(crate) fn replay<S: Sink + Send + 'static>(
    plan: &Arc<Plan>,
    seed: u64,
    until: Time,
    options: &Options<'_>,
    sink: S,
) -> Result<(World, S), RunError> {
    let world = build(plan, seed, options)?;
    let Hosted { world, referee, .. } = play(world, Listener { sink, until }, seed, options)?;
    Ok((world, referee.sink))
}

fn play<R: Referee>(
    world: World,
    referee: R,
    seed: u64,
    options: &Options<'_>,
) -> Result<Hosted<R>, RunError> {
    let conditions = Conditions { cancel: options.cancel.map(Arc::as_ref), ..options.hosting };
    host(options.engine, world, referee, seed, conditions).map_err(|error| match error {
        HostError::Cancelled => RunError::Cancelled,
        error => RunError::Refused(error.to_string()),
    })
}
