//! `beaufort run`: one seed of one design.

use std::sync::Arc;

use clap::Args;

use super::outputs::{Documents, Drawn, Recorded, annotate};
use super::play::{Seeds, engines, play, report};
use super::prepare::{prepare, warn};
use super::verdict_lines::{Subject, lines};
use super::{Exit, Terminal};
use crate::run::{Detail, Options};
use crate::scenario::load::{Loaded, load};
use crate::scenario::resolve::Resolved;
use beaufort_engines::{Conditions, Engine};
use beaufort_reports::Results;

const EXAMPLES: &str = "\
Examples:
  beaufort run order-flow
  beaufort run order-flow --variant ack-first --seed 7
  beaufort run mine.yaml --set nodes.payments.lock=5s --json > result.json
  beaufort run order-flow --engine turmoil    a second opinion, much slower

The report goes to standard error, the verdict (with --json: the results
document) to standard output. The same seed gives the same run, everywhere.";

/// For so many violations the way of the item is told.
const STORIES: usize = 3;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    /// A scenario file, or the name of a shipped scenario
    #[arg(value_name = "SCENARIO")]
    scenario: String,
    /// The variant to run; without it, the scenario as written
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
    /// The seed from which all chance is drawn
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true,
          value_parser = clap::value_parser!(u64).range(..u64::MAX))]
    seed: u64,
    /// Change a value, as a variant does; may be given several times
    #[arg(long = "set", value_name = "PATH=VALUE")]
    sets: Vec<String>,
    /// On what it runs: the native kernel, or a second opinion
    #[arg(long, value_name = "ENGINE", default_value_t, value_parser = engines())]
    engine: Engine,
    #[command(flatten)]
    documents: Documents,
    #[command(flatten)]
    drawn: Drawn,
    #[command(flatten)]
    recorded: Recorded,
    /// Exit with 5 if the verdict is degraded
    #[arg(long)]
    strict: bool,
}

impl Run {
    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Exit {
        terminal.structured = self.documents.is_structured();
        match self.prepare(terminal) {
            Ok((loaded, resolved)) => self.play(&loaded, &resolved, terminal),
            Err(exit) => exit,
        }
    }

    /// Runs it once more, for every single observation.
    fn record(
        &self,
        resolved: &Resolved,
        results: &Results,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Exit> {
        let (cancel, guests) = (Arc::clone(&terminal.interrupted), terminal.guests.clone());
        let hosting = Conditions { guests: Some(&guests), cancel: Some(&cancel), ..Conditions::default() };
        let options = Options { engine: self.engine, cancel: Some(&cancel), hosting, ..Options::default() };
        results
            .seeds
            .iter()
            .try_for_each(|seed| self.recorded.write(&resolved.plan, seed, &options, terminal))
    }

    fn prepare(&self, terminal: &mut Terminal<'_>) -> Result<(Loaded, Resolved), Exit> {
        self.documents.precheck(terminal)?;
        self.drawn.precheck(terminal)?;
        self.recorded.precheck(terminal)?;
        let loaded = load(&self.scenario, &self.sets).map_err(|bad| {
            terminal.refuse(&bad);
            Exit::BadInput
        })?;
        let prepared = prepare(&loaded, self.variant.as_deref(), false, terminal)?;
        warn(&loaded, &prepared.resolved, terminal);
        let resolved = prepared.resolved.ok_or(Exit::NothingSelected)?;
        Ok((loaded, resolved))
    }

    fn play(&self, loaded: &Loaded, resolved: &Resolved, terminal: &mut Terminal<'_>) -> Exit {
        let subject = Subject {
            program: terminal.program.clone(),
            scenario: self.scenario.clone(),
            variant: resolved.variant.as_ref().map(|chosen| chosen.name.clone()),
            sets: self.sets.clone(),
            engine: self.engine,
        };
        let asked = match self.recorded.items(&resolved.plan, terminal) {
            Ok(asked) => asked,
            Err(exit) => return exit,
        };
        let wanted = self.documents.any() || self.drawn.any();
        let seeds = Seeds {
            range: self.seed..self.seed + 1,
            jobs: Some(1),
            messages: self.documents.messages,
            stories: STORIES,
            detail: if wanted { Detail::Everything(&asked) } else { Detail::Failures },
            engine: self.engine,
        };
        let results = match play((loaded, resolved), &subject, &seeds, terminal) {
            Ok(results) => results,
            Err(exit) => return exit,
        };
        if results.seeds.is_empty() {
            terminal.say("interrupted\n");
            return Exit::Interrupted;
        }
        report(&results, terminal);
        self.documents.complete(&results, terminal);
        let all = std::slice::from_ref(&results);
        let written = self.documents.write(all, terminal).and_then(|()| self.drawn.write(all, terminal));
        if let Err(exit) = written.and_then(|()| self.record(resolved, &results, terminal)) {
            return exit;
        }
        annotate(all, terminal);
        if !terminal.structured {
            terminal.result(&lines(&results, &subject));
        }
        Exit::of(results.verdict, self.strict)
    }
}
