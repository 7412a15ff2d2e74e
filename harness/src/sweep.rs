//! Many seeds at once. One seed never uses two threads; results come in the order of the seeds, whatever
//! finished first.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use beaufort_reports::{Design, PROGRAM, Results, SCHEMA, SeedResult, Verdict};
use beaufort_sim::plan::Plan;
use rayon::prelude::*;

use crate::judges::Rules;
use crate::recorders::bands;
use crate::run::{Detail, Options, RunError, run};
use beaufort_engines::{Conditions, Engine};

/// In a sweep so many violations of each contract are listed for a seed.
const LISTED: usize = 5;

/// How a sweep is run.
pub struct Plural<'a> {
    /// The seeds.
    pub seeds: Range<u64>,
    /// How many at once; 0: as many as there are cores.
    pub jobs: usize,
    /// For so many violations of the first failing seed the story is told.
    pub stories: usize,
    /// How closely the first of the worst seeds is looked at.
    pub detail: Detail<'a>,
    /// Called for every seed that finished, from any thread.
    pub progress: &'a (dyn Fn(&SeedResult) + Sync),
    /// Set from outside to stop early: seeds under way are given up, finished ones are reported.
    pub cancel: &'a AtomicBool,
    /// On what the seeds run.
    pub engine: Engine,
    /// How an engine that hosts the processes does it.
    pub hosting: Conditions<'a>,
}

impl<'a> Plural<'a> {
    /// Seed 1 on the native engine, as many at once as there are cores, without stories.
    #[must_use]
    pub fn new(cancel: &'a AtomicBool) -> Plural<'a> {
        Plural {
            seeds: 1..2,
            jobs: 0,
            stories: 0,
            detail: Detail::None,
            progress: &|_| {},
            cancel,
            engine: Engine::Native,
            hosting: Conditions::default(),
        }
    }

    fn options(&self, stories: usize, detail: Detail<'a>) -> Options<'a> {
        Options {
            stories,
            detail,
            listed: LISTED,
            cancel: Some(self.cancel),
            engine: self.engine,
            hosting: self.hosting,
        }
    }
}

/// Runs the seeds and returns the results of those that finished, ascending.
///
/// # Errors
/// If the world cannot be built, or the engine cannot run it.
pub fn sweep(plan: &Arc<Plan>, rules: &Arc<Rules>, how: &Plural<'_>) -> Result<Vec<SeedResult>, RunError> {
    let one = |seed: u64| -> Result<Option<SeedResult>, RunError> {
        if how.cancel.load(Ordering::Relaxed) {
            return Ok(None);
        }
        match run(plan, rules, seed, &how.options(0, Detail::None)) {
            Ok(result) => {
                (how.progress)(&result);
                Ok(Some(result))
            }
            Err(RunError::Cancelled) => Ok(None),
            Err(error) => {
                how.cancel.store(true, Ordering::Relaxed);
                Err(error)
            }
        }
    };
    let all = || -> Result<Vec<Option<SeedResult>>, RunError> {
        how.seeds.clone().collect::<Vec<u64>>().into_par_iter().with_max_len(1).map(one).collect()
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(how.jobs).build();
    let results = match pool {
        Ok(pool) => pool.install(all),
        // Without threads of its own a sweep is slower, not wrong.
        Err(_) => how.seeds.clone().map(one).collect(),
    };
    let mut results: Vec<SeedResult> = results?.into_iter().flatten().collect();
    look_closely(plan, rules, how, &mut results)?;
    Ok(results)
}

/// Runs the first of the worst seeds again, for its stories and for what it did.
fn look_closely(
    plan: &Arc<Plan>,
    rules: &Arc<Rules>,
    how: &Plural<'_>,
    results: &mut [SeedResult],
) -> Result<(), RunError> {
    let worst = results.iter().map(|result| result.verdict).max().unwrap_or_default();
    let told = how.stories > 0 && worst >= Verdict::Fail;
    let wanted = told || matches!(how.detail, Detail::Everything(_));
    if !wanted || how.cancel.load(Ordering::Relaxed) {
        return Ok(());
    }
    // A defect of Beaufort has no story; a violation beside it has.
    let failed = results.iter().position(|result| result.verdict == Verdict::Fail);
    let first = failed.or_else(|| results.iter().position(|result| result.verdict == worst));
    let Some(chosen) = first.and_then(|index| results.get_mut(index)) else { return Ok(()) };
    match run(plan, rules, chosen.seed, &how.options(how.stories, how.detail)) {
        Ok(close) => *chosen = SeedResult { wall_seconds: chosen.wall_seconds, ..close },
        Err(RunError::Cancelled) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Of what the results are: names for the document.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The program that runs it again.
    pub program: String,
    /// The name of the scenario.
    pub scenario: String,
    /// The variant, or `base`.
    pub variant: String,
    /// A hash of the resolved scenario.
    pub hash: String,
    /// How the scenario is named on a command line.
    pub path: String,
    /// On what it ran.
    pub engine: Engine,
    /// How many seeds were asked for.
    pub seeds: u64,
    /// What was run.
    pub design: Option<Design>,
}

impl Default for Subject {
    fn default() -> Subject {
        Subject {
            program: PROGRAM.to_owned(),
            scenario: String::new(),
            variant: String::new(),
            hash: String::new(),
            path: String::new(),
            engine: Engine::default(),
            seeds: 0,
            design: None,
        }
    }
}

/// Puts the results of the seeds together: the worst verdict wins, and a fault that the seed may leave out
/// must have been felt somewhere.
#[must_use]
pub fn document(subject: &Subject, seeds: Vec<SeedResult>) -> Results {
    let (verdict, cause) = conclude(subject.seeds, &seeds);
    Results {
        schema: SCHEMA,
        tool: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: subject.scenario.clone(),
        variant: subject.variant.clone(),
        program: subject.program.clone(),
        scenario_hash: subject.hash.clone(),
        path: subject.path.clone(),
        engine: subject.engine.to_string(),
        verdict,
        cause,
        seeds_asked: subject.seeds,
        expected: None,
        comparisons: Vec::new(),
        design: subject.design.clone(),
        bands: bands(&seeds),
        seeds,
    }
}

fn conclude(asked: u64, seeds: &[SeedResult]) -> (Verdict, String) {
    let worst = seeds.iter().map(|seed| seed.verdict).fold(Verdict::Pass, Verdict::worst);
    if seeds.is_empty() {
        return (Verdict::Inconclusive, "no seed finished".to_owned());
    }
    if worst < Verdict::Inconclusive {
        let unfelt = seeds[0].faults.iter().enumerate().find(|(index, fault)| {
            fault.random && seeds.iter().all(|seed| seed.faults.get(*index).is_none_or(|f| f.felt == 0))
        });
        if let Some((_, fault)) = unfelt {
            let advice = "raise `chance` or run more seeds";
            let cause = format!("fault `{}` was felt in no seed; {advice}", fault.name);
            return (Verdict::Inconclusive, cause);
        }
        if (seeds.len() as u64) < asked {
            let cause = format!("interrupted: {} of {asked} seeds finished, and none failed", seeds.len());
            return (Verdict::Inconclusive, cause);
        }
    }
    let like: Vec<&SeedResult> = seeds.iter().filter(|seed| seed.verdict == worst).collect();
    let first = like.first().map_or("", |seed| seed.cause.as_str());
    let cause = match (worst, seeds.len()) {
        (_, 1) => first.to_owned(),
        (Verdict::Pass, n) => format!("every contract and objective holds on {n} seeds"),
        (_, n) => format!("{} of {n} seeds; seed {}: {first}", like.len(), like[0].seed),
    };
    (worst, cause)
}

#[cfg(test)]
mod tests {
    use beaufort_reports::FaultResult;

    use super::*;

    fn seed(verdict: Verdict, felt: u64) -> SeedResult {
        let fault = FaultResult { name: "f".into(), random: true, felt, ..FaultResult::default() };
        SeedResult { verdict, cause: "why".into(), faults: vec![fault], ..SeedResult::default() }
    }

    #[test]
    fn a_random_fault_must_be_felt_somewhere_and_the_worst_seed_decides() {
        let subject = |seeds| Subject { seeds, ..Subject::default() };
        let pass = Verdict::Pass;
        assert_eq!(document(&subject(2), vec![seed(pass, 0), seed(pass, 1)]).verdict, pass);
        assert_eq!(document(&subject(2), vec![seed(pass, 0), seed(pass, 0)]).verdict, Verdict::Inconclusive);
        let failed = document(&subject(2), vec![seed(pass, 0), seed(Verdict::Fail, 0)]);
        assert_eq!((failed.verdict, failed.cause.as_str()), (Verdict::Fail, "1 of 2 seeds; seed 0: why"));
        assert_eq!(document(&subject(3), vec![seed(pass, 1)]).verdict, Verdict::Inconclusive);
        assert_eq!(document(&subject(3), vec![]).verdict, Verdict::Inconclusive);
    }
}
