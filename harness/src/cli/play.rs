//! From a resolved design to its results document, with progress on the way.

use std::ops::Range;
use std::sync::Arc;

use beaufort_reports::{Results, ci, text};
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::Exit;
use super::outputs::Messages;
use super::progress::Progress;
use super::terminal::{Terminal, WIDTH};
use super::verdict_lines::Subject;
use crate::run::{Detail, RunError};
use crate::scenario::load::Loaded;
use crate::scenario::portrait::{add_traffic, portrait};
use crate::scenario::resolve::Resolved;
use crate::sweep::{self, Plural, document};
use beaufort_engines::{Conditions, Engine};

/// Which seeds, and how many at once.
#[derive(Clone, Debug)]
pub(super) struct Seeds<'a> {
    /// The seeds.
    pub(super) range: Range<u64>,
    /// How many at once; as many as there are processors without it.
    pub(super) jobs: Option<u16>,
    /// What is said of each seed that finished.
    pub(super) messages: Messages,
    /// For so many violations their story is told.
    pub(super) stories: usize,
    /// How closely the first of the worst seeds is looked at.
    pub(super) detail: Detail<'a>,
    /// On what they run.
    pub(super) engine: Engine,
}

/// The argument of `--engine`.
pub(super) fn engines() -> impl TypedValueParser<Value = Engine> {
    PossibleValuesParser::new(Engine::ALL.map(Engine::name)).try_map(|name| name.parse::<Engine>())
}

/// Draws the report for people.
pub(super) fn report(results: &Results, terminal: &mut Terminal<'_>) {
    let style = text::Style { colour: terminal.colour_err, width: WIDTH, ..text::Style::default() };
    terminal.say(&text::render(results, style));
}

/// Runs the seeds. If the user wants to stop, the document holds those that have finished.
///
/// # Errors
/// The exit code, when the reason has been said: the engine cannot run it, or stood still; or the world
/// cannot be built after all, which is a defect, because it has been tried.
pub(super) fn play(
    (loaded, resolved): (&Loaded, &Resolved),
    subject: &Subject,
    seeds: &Seeds<'_>,
    terminal: &mut Terminal<'_>,
) -> Result<Results, Exit> {
    let cancel = Arc::clone(&terminal.interrupted);
    let asked = seeds.range.end - seeds.range.start;
    let guests = terminal.guests.clone();
    let says = seeds.messages == Messages::Json;
    let names = Results {
        scenario: resolved.scenario.scenario.clone(),
        variant: resolved.variant_name().to_owned(),
        engine: seeds.engine.to_string(),
        ..Results::default()
    };
    let progress = Progress::new(terminal, &subject.name(), asked);
    let how = Plural {
        seeds: seeds.range.clone(),
        jobs: seeds.jobs.map_or(0, usize::from),
        stories: seeds.stories,
        detail: seeds.detail,
        progress: &|seed| progress.tick(says.then(|| ci::event(&names, seed) + "\n")),
        cancel: &cancel,
        engine: seeds.engine,
        hosting: Conditions { guests: Some(&guests), ..Conditions::default() },
    };
    let results = sweep::sweep(&resolved.plan, &resolved.rules, &how);
    progress.finish();
    let results = match results {
        Ok(results) => results,
        Err(RunError::Cancelled) => Vec::new(),
        Err(RunError::Refused(refusal)) => {
            terminal.say(&format!("error: {refusal}\n"));
            return Err(Exit::BadInput);
        }
        Err(error @ RunError::Engine(_)) => {
            terminal.say(&format!("error: {error}\n"));
            return Err(Exit::Internal);
        }
        Err(error) => return Err(terminal.defect(&error.to_string())),
    };
    let mut design = portrait(loaded, resolved);
    add_traffic(&mut design, &results);
    let about = sweep::Subject {
        program: subject.program.clone(),
        scenario: resolved.scenario.scenario.clone(),
        variant: resolved.variant_name().to_owned(),
        hash: resolved.hash(),
        path: subject.named(),
        engine: seeds.engine,
        seeds: asked,
        design: Some(design),
    };
    Ok(document(&about, results))
}
