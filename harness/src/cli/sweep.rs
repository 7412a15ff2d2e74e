//! `beaufort sweep`: many seeds of one design or of all its variants.

use beaufort_reports::{ComparisonResult, Expected as Compared, Results, Verdict};
use clap::Args;
use indexmap::IndexMap;

use super::outputs::{Documents, Drawn, annotate};
use super::play::{Seeds, engines, play, report};
use super::prepare::{Prepared, prepare, warn};
use super::terminal::wrapped;
use super::verdict_lines::{Subject, lines};
use super::{Exit, Terminal};
use crate::judges::comparison::{Comparison, judge};
use crate::judges::expect::{Expect, Expected};
use crate::run::Detail;
use crate::scenario::comparisons;
use crate::scenario::load::{Loaded, load};
use crate::scenario::resolve::BASE;
use crate::sweep::{self, document};
use beaufort_engines::Engine;

const EXAMPLES: &str = "\
Examples:
  beaufort sweep order-flow --seeds 100
  beaufort sweep order-flow --variant ack-first --variant short-lock
  beaufort sweep order-flow --expect     is every variant broken as it claims?
  beaufort sweep mine.yaml --seeds 200 --json --output results.json

With --expect the exit code says whether every result is the expected one: 0 if
so, else 1. Several documents are written as JSON Lines, one a line.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Sweep {
    /// A scenario file, or the name of a shipped scenario
    #[arg(value_name = "SCENARIO")]
    scenario: String,
    /// A variant to run, `base` for the scenario as written; may be given
    /// several times [default: base, with --expect everything]
    #[arg(long = "variant", value_name = "NAME")]
    variants: Vec<String>,
    /// How many seeds
    #[arg(long, value_name = "N", default_value_t = 20, allow_negative_numbers = true,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    seeds: u64,
    /// The first seed; the others follow it
    #[arg(long, value_name = "SEED", default_value_t = 1, allow_negative_numbers = true,
          value_parser = clap::value_parser!(u64).range(..=u64::MAX - 1_000_000))]
    from: u64,
    /// How many seeds to run at once [default: one for each processor]
    #[arg(long, value_name = "J", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// Compare with what each variant is expected to be
    #[arg(long)]
    expect: bool,
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
    /// Exit with 5 if the worst verdict is degraded
    #[arg(long)]
    strict: bool,
}

/// What has come of the sweep so far.
#[derive(Debug, Default)]
struct Tally {
    results: Vec<Results>,
    /// The worst of the comparisons.
    compared: Verdict,
    lines: String,
    as_expected: usize,
    others: usize,
}

impl Sweep {
    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Exit {
        terminal.structured = self.documents.is_structured();
        let checked = self.documents.precheck(terminal).and_then(|()| self.drawn.precheck(terminal));
        if let Err(exit) = checked {
            return exit;
        }
        let loaded = match load(&self.scenario, &self.sets) {
            Ok(loaded) => loaded,
            Err(bad) => {
                terminal.refuse(&bad);
                return Exit::BadInput;
            }
        };
        match self.select(&loaded, terminal) {
            Ok(selected) if selected.is_empty() => {
                terminal.say("nothing is selected: no variant that was named says what it expects\n");
                Exit::NothingSelected
            }
            Ok(selected) => {
                warn(&loaded, selected.iter().filter_map(|one| one.resolved.as_ref()), terminal);
                self.sweep(&selected, &loaded, terminal)
            }
            Err(exit) => exit,
        }
    }

    /// What is to be run, all of it checked before anything runs.
    fn select(&self, loaded: &Loaded, terminal: &mut Terminal<'_>) -> Result<Vec<Prepared>, Exit> {
        let names: Vec<String> = match (self.variants.is_empty(), self.expect) {
            (false, _) => self.variants.clone(),
            (true, false) => vec![BASE.to_owned()],
            (true, true) => {
                let all = loaded.variants().into_iter().map(str::to_owned);
                std::iter::once(BASE.to_owned()).chain(all).collect()
            }
        };
        let mut selected = Vec::new();
        for name in names {
            let prepared = prepare(loaded, Some(&name), self.expect, terminal)?;
            if self.expect && prepared.expect.is_none() {
                terminal.say(&format!("{}/{name} is left out: it expects nothing\n", self.scenario));
                continue;
            }
            selected.push(prepared);
        }
        Ok(selected)
    }

    fn sweep(&self, selected: &[Prepared], loaded: &Loaded, terminal: &mut Terminal<'_>) -> Exit {
        let comparisons = match comparisons(loaded, terminal) {
            Ok(comparisons) => comparisons,
            Err(exit) => return exit,
        };
        let mut tally = Tally::default();
        for prepared in selected {
            if terminal.is_interrupted() {
                break;
            }
            if let Err(exit) = self.one(prepared, loaded, &mut tally, terminal) {
                return exit;
            }
        }
        if !terminal.is_interrupted() {
            tally.compare(&comparisons, selected);
        }
        let all = &tally.results;
        let written = self.documents.write(all, terminal).and_then(|()| self.drawn.write(all, terminal));
        if let Err(exit) = written {
            return exit;
        }
        if self.expect {
            let all = tally.as_expected + tally.others;
            tally.lines.push_str(&format!("{} of {all} as expected\n", tally.as_expected));
        }
        annotate(all, terminal);
        match terminal.structured {
            true => terminal.say(&tally.lines),
            false => terminal.result(&tally.lines),
        }
        self.exit(&tally, terminal)
    }

    fn exit(&self, tally: &Tally, terminal: &mut Terminal<'_>) -> Exit {
        let worst = tally.results.iter().map(|results| results.verdict).max().unwrap_or_default();
        if terminal.is_interrupted() {
            terminal.say("interrupted: this is what was finished\n");
            return Exit::Interrupted;
        }
        match (worst, self.expect) {
            (Verdict::Error, _) => Exit::Internal,
            (_, true) if tally.others > 0 => Exit::Violated,
            (_, true) => Exit::of(tally.compared, self.strict),
            (worst, false) => Exit::of(worst.max(tally.compared), self.strict),
        }
    }

    fn one(
        &self,
        prepared: &Prepared,
        loaded: &Loaded,
        tally: &mut Tally,
        terminal: &mut Terminal<'_>,
    ) -> Result<(), Exit> {
        let subject = Subject {
            program: terminal.program.clone(),
            scenario: self.scenario.clone(),
            variant: prepared.variant.clone(),
            sets: self.sets.clone(),
            engine: self.engine,
        };
        let Some(resolved) = &prepared.resolved else {
            let results = refused(prepared, loaded, &subject);
            tally.as_expected += 1;
            tally.lines.push_str(&format!("as expected: {}, refused\n", subject.name()));
            self.documents.complete(&results, terminal);
            tally.results.push(results);
            return Ok(());
        };
        let end = self.from.saturating_add(self.seeds);
        let wanted = self.documents.any() || self.drawn.any();
        // What is as expected is told in a line, unless somebody reads more than lines.
        let stories = usize::from(wanted || !self.expect);
        let detail = if wanted { Detail::Everything(&[]) } else { Detail::Failures };
        let seeds = Seeds {
            range: self.from..end,
            jobs: self.jobs,
            messages: self.documents.messages,
            stories,
            detail,
            engine: self.engine,
        };
        let mut results = play((loaded, resolved), &subject, &seeds, terminal)?;
        match &prepared.expect {
            _ if results.seeds.is_empty() => {}
            Some(expect) if self.expect => {
                results.expected = Some(compare(expect, &results, &subject, tally));
            }
            _ => {
                report(&results, terminal);
                tally.lines.push_str(&lines(&results, &subject));
            }
        }
        self.documents.complete(&results, terminal);
        tally.results.push(results);
        Ok(())
    }
}

/// What the scenario compares, if all of it can be.
fn comparisons(loaded: &Loaded, terminal: &mut Terminal<'_>) -> Result<IndexMap<String, Comparison>, Exit> {
    // A base that is refused compares nothing; whoever sweeps a variant of it is not to be kept from it.
    let Ok(base) = loaded.resolve(None) else { return Ok(IndexMap::new()) };
    let wrong = comparisons::check(loaded, &base);
    if wrong.is_empty() {
        return Ok(base.scenario.compare);
    }
    terminal.refuse(&loaded.refuse(wrong));
    Err(Exit::BadInput)
}

impl Tally {
    /// Adds what became of the comparisons whose designs were both swept.
    fn compare(&mut self, comparisons: &IndexMap<String, Comparison>, selected: &[Prepared]) {
        let objectives = |results: &Results| {
            let ran = selected.iter().filter_map(|one| one.resolved.as_ref());
            ran.into_iter()
                .find(|one| one.variant_name() == results.variant)
                .map(|one| &one.scenario.objectives)
        };
        let ran: Vec<_> = self.results.iter().filter_map(|one| Some((objectives(one)?, one))).collect();
        let judged = comparisons.iter().filter_map(|(name, comparison)| judge(name, comparison, &ran));
        let judged: Vec<ComparisonResult> = judged.collect();
        for one in judged {
            self.compared = self.compared.max(one.verdict);
            let word = match one.verdict {
                Verdict::Pass => "holds",
                Verdict::Inconclusive => "not clear",
                _ => "does not hold",
            };
            let line = wrapped(&format!("{word}: {}: {}", one.name, one.said), 0, 2);
            self.lines.push_str(&format!("{line}\n"));
            if let Some(results) = self.results.iter_mut().find(|results| results.variant == one.of) {
                results.comparisons.push(one);
            }
        }
    }
}

/// The document of a design that is refused, as it must be: no seed of it can run.
fn refused(prepared: &Prepared, loaded: &Loaded, subject: &Subject) -> Results {
    let base = loaded.resolve(None).map(|base| base.scenario.scenario);
    let about = sweep::Subject {
        program: subject.program.clone(),
        scenario: base.unwrap_or_else(|_| subject.scenario.clone()),
        variant: prepared.variant.clone().unwrap_or_else(|| BASE.to_owned()),
        path: subject.named(),
        engine: subject.engine,
        ..sweep::Subject::default()
    };
    let wanted = prepared.expect.as_ref().map(words).unwrap_or_default();
    Results {
        verdict: Verdict::Fail,
        cause: format!("refused: {}", prepared.refused),
        expected: Some(Compared { wanted, differences: Vec::new() }),
        ..document(&about, Vec::new())
    }
}

/// One paragraph about whether a design came out as it should.
fn compare(expect: &Expect, results: &Results, subject: &Subject, tally: &mut Tally) -> Compared {
    let count = results.seeds.len();
    let wanted = words(expect);
    let mut different: Vec<(u64, Vec<String>)> = Vec::new();
    for seed in &results.seeds {
        let differences = expect.differences(seed);
        if !differences.is_empty() {
            different.push((seed.seed, differences));
        }
    }
    // A sweep may leave open what no seed of it does: a fault that was felt nowhere.
    let open = expect.verdict == Expected::Pass && results.verdict != Verdict::Pass;
    if different.is_empty() && !open {
        tally.as_expected += 1;
        tally.lines.push_str(&format!("as expected: {}, {}: {wanted}\n", subject.name(), seeds(count)));
        return Compared { wanted, differences: Vec::new() };
    }
    tally.others += 1;
    let Some((seed, differences)) = different.first() else {
        let line = format!("not as expected: {}: {}\n  {}\n", subject.name(), results.verdict, results.cause);
        tally.lines.push_str(&line);
        return Compared { wanted, differences: vec![results.cause.clone()] };
    };
    let how_many = different.len();
    tally.lines.push_str(&format!("not as expected: {}, {how_many} of {}\n", subject.name(), seeds(count)));
    for difference in differences {
        let text = wrapped(&format!("seed {seed}: {difference}"), 2, 4);
        tally.lines.push_str(&format!("  {text}\n"));
    }
    tally.lines.push_str(&format!("  replay: {}\n", subject.replay(*seed)));
    let differences = differences.iter().map(|difference| format!("seed {seed}: {difference}"));
    Compared { wanted, differences: differences.collect() }
}

fn seeds(count: usize) -> String {
    format!("{count} seed{}", if count == 1 { "" } else { "s" })
}

/// What is expected, in a few words.
fn words(expect: &Expect) -> String {
    match &expect.verdict {
        Expected::Pass => "pass".to_owned(),
        Expected::Fail { lines, because: None } => format!("fail ({})", lines.join(", ")),
        Expected::Fail { lines, because: Some(reason) } => format!("fail ({}: {reason})", lines.join(", ")),
        Expected::Degraded(lines) => format!("degraded ({})", lines.join(", ")),
        Expected::Refused(word) => format!("refused ({word})"),
    }
}
