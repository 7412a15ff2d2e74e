//! What the documents say of each promise over all their seeds, put together once for all formats: does it
//! hold, on which seeds does it not, why, and which seed and which item to look at first.

use std::collections::BTreeMap;

use crate::plain::{clipped, plain};
use crate::results::{
    ComparisonResult, ContractResult, ObjectiveResult, Recovery, Results, SeedResult, Violation,
};
use crate::text::words::{fates, reasons, recovery};
use crate::text::{compare_command, engine, grouped, replay_command};
use crate::verdict::Verdict;
use crate::words::counted;

/// So many characters of a name are shown.
const NAME: usize = 120;
/// So many seeds are listed.
const LISTED: usize = 12;
/// So many sentences are told below a check.
const TOLD: usize = 10;

/// What a check is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    Contract,
    Objective,
    /// The design is better than another.
    Comparison,
    /// A fault must be felt, or nothing is shown.
    Fault,
    /// The books of Beaufort itself balance.
    Books,
    /// The variant comes out as it must.
    Expectation,
    /// The verdict, where no other check explains it.
    Verdict,
}

/// One check of a document.
#[derive(Clone, Debug)]
pub(super) struct Check<'a> {
    pub(super) subject: Subject,
    /// The name in the scenario; empty for what has none there.
    pub(super) name: &'a str,
    /// What it promises: `exactly-once orders`, `availability edge at least 99.9%`.
    pub(super) about: String,
    /// The worst of all seeds.
    pub(super) verdict: Verdict,
    /// The seeds with that verdict, unless it holds.
    pub(super) seeds: Vec<u64>,
    /// One sentence about how it came out.
    pub(super) said: String,
    /// More about it.
    pub(super) notes: Vec<String>,
    /// The seed to look at first.
    pub(super) look: Option<u64>,
    /// The first item that violates it on that seed.
    pub(super) item: Option<&'a Violation>,
    /// The worst margin of an objective.
    pub(super) margin: Option<f64>,
}

impl<'a> Check<'a> {
    fn new(subject: Subject, name: &'a str, said: String) -> Check<'a> {
        Check {
            subject,
            name,
            about: String::new(),
            verdict: Verdict::Pass,
            seeds: Vec::new(),
            said,
            notes: Vec::new(),
            look: None,
            item: None,
            margin: None,
        }
    }

    /// What identifies it within a scenario: `contract/charged-once`, `books`.
    pub(super) fn id(&self) -> String {
        let kind = match self.subject {
            Subject::Contract => "contract",
            Subject::Objective => "objective",
            Subject::Comparison => "comparison",
            Subject::Fault => "fault",
            Subject::Books => return "books".to_owned(),
            Subject::Expectation => return "expectation".to_owned(),
            Subject::Verdict => return "verdict".to_owned(),
        };
        format!("{kind}/{}", clipped(self.name, NAME))
    }

    /// Whether somebody has to look at it.
    pub(super) fn is_bad(&self) -> bool {
        self.verdict > Verdict::Pass
    }

    /// On which seeds it does not hold, in words; none of a single run.
    pub(super) fn listed(&self, results: &Results) -> Option<String> {
        if self.seeds.is_empty() || results.seeds.len() < 2 {
            return None;
        }
        let first: Vec<String> = self.seeds.iter().take(LISTED).map(u64::to_string).collect();
        let more = match self.seeds.len().saturating_sub(LISTED) {
            0 => String::new(),
            more => format!(" and {} more", grouped(more as u64)),
        };
        let word = if self.seeds.len() == 1 { "seed" } else { "seeds" };
        Some(format!("{word} {}{more}", first.join(", ")))
    }

    /// The command that shows it again.
    pub(super) fn command(&self, results: &Results) -> Option<String> {
        let compared = results.comparisons.iter().find(|one| one.name == self.name);
        if let Some(one) = compared.filter(|_| self.subject == Subject::Comparison) {
            return Some(plain(&compare_command(results, one)).into_owned());
        }
        let seed = self.look.or_else(|| first_of(results).map(|seed| seed.seed))?;
        Some(plain(&replay_command(results, seed)).into_owned())
    }
}

/// The scenario with its variant, and the engine where that is another than the native one:
/// `order-flow/ack-first on turmoil`.
pub(super) fn title(results: &Results) -> String {
    let variant = match results.variant.as_str() {
        "" | "base" => String::new(),
        variant => format!("/{}", clipped(variant, NAME)),
    };
    let engine = engine(results).map_or(String::new(), |engine| format!(" on {}", clipped(engine, NAME)));
    format!("{}{variant}{engine}", clipped(&results.scenario, NAME))
}

/// The verdict that counts: a variant that must fail, and does so for the right reason, passes; a design that
/// is not better than another, and must be, does not.
pub(super) fn verdict(results: &Results) -> Verdict {
    let compared = results.comparisons.iter().map(|one| one.verdict).max().unwrap_or_default();
    let alone = match &results.expected {
        Some(_) if results.verdict == Verdict::Error => Verdict::Error,
        Some(expected) if expected.differences.is_empty() => Verdict::Pass,
        Some(_) => Verdict::Fail,
        None => results.verdict,
    };
    alone.max(compared)
}

/// The verdict in words: `fail, as expected`; `pass, but a comparison does not hold`.
pub(super) fn verdict_told(results: &Results) -> String {
    let told = match &results.expected {
        Some(expected) if expected.differences.is_empty() && results.verdict != Verdict::Error => {
            format!("{}, as expected", results.verdict)
        }
        Some(_) if results.verdict != Verdict::Error => format!("{}, not as expected", results.verdict),
        _ => results.verdict.word().to_owned(),
    };
    match results.comparisons.iter().map(|one| one.verdict).max().unwrap_or_default() {
        Verdict::Pass => told,
        Verdict::Inconclusive => format!("{told}, but a comparison is not clear"),
        _ => format!("{told}, but a comparison does not hold"),
    }
}

/// One sentence about why the verdict that counts is what it is.
pub(super) fn cause(results: &Results) -> String {
    let worst = results.comparisons.iter().rev().max_by_key(|one| one.verdict);
    match worst.filter(|one| one.verdict > Verdict::Pass && results.verdict < one.verdict) {
        Some(one) => comparison(one).said,
        None => results.cause.clone(),
    }
}

/// The earliest of the worst seeds.
pub(super) fn first_of(results: &Results) -> Option<&SeedResult> {
    results.seeds.iter().rev().max_by_key(|seed| seed.verdict)
}

/// Where in which file a check stands. None: the document does not say which file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Relative to where it was run.
    pub(super) file: String,
    /// From 1; 1 for what stands in no line.
    pub(super) line: u32,
}

/// Where in the scenario something of a section is said.
pub(super) fn place(results: &Results, section: &str, name: &str) -> Option<Place> {
    if let Some(source) = results.design.as_ref().and_then(|design| design.source.as_ref()) {
        let line = source.line(section, name).unwrap_or(1).max(1);
        return Some(Place { file: source.file.clone(), line });
    }
    // A document without a design: the path of a command line, unless it is the name of a shipped scenario
    // or quoted.
    let file = results.path.split_whitespace().next()?;
    let is_file = (file.ends_with(".yaml") || file.ends_with(".yml")) && !file.starts_with('\'');
    is_file.then(|| Place { file: file.to_owned(), line: 1 })
}

impl Check<'_> {
    /// Where in the scenario it stands.
    pub(super) fn place(&self, results: &Results) -> Option<Place> {
        let section = match self.subject {
            Subject::Contract => "always",
            Subject::Objective => "objectives",
            Subject::Comparison => "compare",
            Subject::Fault => "faults",
            Subject::Books | Subject::Expectation | Subject::Verdict => "",
        };
        place(results, section, self.name)
    }
}

/// All checks of a document: contracts, objectives and faults in file order, the books, what the verdict says
/// beyond them, whether it is as expected, and how it compares.
pub(super) fn checks(results: &Results) -> Vec<Check<'_>> {
    let mut checks = of_seeds(results);
    expected(results, &mut checks);
    checks.extend(results.comparisons.iter().map(comparison));
    checks
}

/// What the seeds say, or that there are none.
fn of_seeds(results: &Results) -> Vec<Check<'_>> {
    let Some(first) = results.seeds.first() else { return vec![whole(results)] };
    let mut checks: Vec<Check<'_>> = Vec::new();
    checks.extend(first.contracts.iter().enumerate().map(|(index, one)| contract(results, index, one)));
    checks.extend(first.objectives.iter().enumerate().map(|(index, one)| objective(results, index, one)));
    checks.extend((0..first.faults.len()).map(|index| fault(results, index)));
    checks.push(books(results));
    let explained = checks.iter().map(|check| check.verdict).max().unwrap_or_default();
    if explained < results.verdict {
        checks.push(whole(results));
    }
    checks
}

/// One result of each seed: the one at the index if it has the name, as it has in one scenario; else the one
/// that has it.
fn each<'a, T>(
    results: &'a Results,
    index: usize,
    all: impl Fn(&'a SeedResult) -> &'a [T],
    is: impl Fn(&T) -> bool,
) -> Vec<(&'a SeedResult, &'a T)> {
    let of = |seed| {
        let list: &'a [T] = all(seed);
        let one = list.get(index).filter(|one| is(one)).or_else(|| list.iter().find(|one| is(one)));
        one.map(|one| (seed, one))
    };
    results.seeds.iter().filter_map(of).collect()
}

fn contract<'a>(results: &'a Results, index: usize, first: &'a ContractResult) -> Check<'a> {
    let all = each(results, index, |seed| &seed.contracts, |one| one.name == first.name);
    let verdict = all.iter().map(|(_, one)| one.verdict).max().unwrap_or_default();
    let bad: Vec<_> = all.iter().copied().filter(|(_, one)| one.verdict == verdict).collect();
    let on = on(bad.len(), results);
    let looked = bad.iter().find(|(_, one)| one.violations.iter().any(|v| !v.story.is_empty()));
    let looked = looked.or(bad.first()).copied().filter(|_| verdict > Verdict::Pass);
    let noun = noun(&first.rule);
    let checked = |list: &[(&SeedResult, &ContractResult)]| list.iter().map(|(_, one)| one.checked).sum();
    let said = match verdict {
        Verdict::Pass => format!("holds for {}", counted(checked(&all), noun)),
        Verdict::Inconclusive => {
            format!("not shown{on}{}", after(": ", looked.map_or("", |(_, one)| &one.doubt)))
        }
        _ => {
            let (broken, checked) = (broken(&bad, noun), grouped(checked(&bad)));
            format!("violated{on}: {broken} of {checked} {noun}s")
        }
    };
    let fates = looked.and_then(|(seed, one)| fates(&one.fates).map(|text| note(results, seed, &text)));
    Check {
        about: plain(&first.rule).into_owned(),
        verdict,
        seeds: seeds(&bad, verdict),
        notes: fates.into_iter().collect(),
        look: looked.map(|(seed, _)| seed.seed),
        item: looked.and_then(|(_, one)| first_item(&one.violations)),
        ..Check::new(Subject::Contract, &first.name, said)
    }
}

/// How many items violate a contract, by reason, over some seeds.
fn broken(bad: &[(&SeedResult, &ContractResult)], noun: &str) -> String {
    let mut sum: BTreeMap<String, u64> = BTreeMap::new();
    for (reason, count) in bad.iter().flat_map(|(_, one)| &one.reasons) {
        *sum.entry(reason.clone()).or_default() += count;
    }
    if sum.is_empty() {
        return counted(bad.iter().map(|(_, one)| one.violated).sum(), noun);
    }
    plain(&reasons(&ContractResult { reasons: sum, ..ContractResult::default() })).into_owned()
}

/// The first item with a story, or the first.
fn first_item(violations: &[Violation]) -> Option<&Violation> {
    violations.iter().find(|violation| !violation.story.is_empty()).or(violations.first())
}

fn objective<'a>(results: &'a Results, index: usize, first: &'a ObjectiveResult) -> Check<'a> {
    let all = each(results, index, |seed| &seed.objectives, |one| one.name == first.name);
    let verdict = all.iter().map(|(_, one)| one.verdict).max().unwrap_or_default();
    let bad: Vec<_> = all.iter().copied().filter(|(_, one)| one.verdict == verdict).collect();
    let margin = |one: &ObjectiveResult| one.margin.unwrap_or(f64::INFINITY);
    let worst = bad.iter().rev().max_by(|a, b| margin(b.1).total_cmp(&margin(a.1))).copied();
    let on = on(bad.len(), results);
    let (achieved, target) =
        worst.map_or_else(Default::default, |(_, one)| (plain(&one.achieved), plain(&one.target)));
    let said = match verdict {
        Verdict::Pass => format!("{achieved}, wanted {target}"),
        Verdict::Degraded => format!("not ideal{on}: {achieved} instead of {target}"),
        Verdict::Inconclusive => format!("not shown{on}{}", after(": ", &achieved)),
        Verdict::Fail | Verdict::Error => format!("missed{on}: {achieved} instead of {target}"),
    };
    let looked = worst.filter(|_| verdict > Verdict::Pass);
    let worst_recovery = looked.and_then(|(_, one)| Recovery::worst(&one.recoveries));
    let told = worst_recovery.map(|worst| recovery(worst, None)).unwrap_or_default();
    let told = looked.map(|(seed, _)| told.iter().map(|text| note(results, seed, text)).collect());
    Check {
        about: plain(&format!("{} {}", first.measure, first.target)).trim().to_owned(),
        verdict,
        seeds: seeds(&bad, verdict),
        notes: told.unwrap_or_default(),
        look: looked.map(|(seed, _)| seed.seed),
        item: looked.and_then(|(_, one)| first_item(&one.examples)),
        margin: all.iter().filter_map(|(_, one)| one.margin).min_by(f64::total_cmp),
        ..Check::new(Subject::Objective, &first.name, said)
    }
}

fn comparison(one: &ComparisonResult) -> Check<'_> {
    let said = plain(&one.said);
    let said = match one.verdict {
        Verdict::Pass => format!("holds: {said}"),
        Verdict::Inconclusive => format!("not clear: {said}"),
        _ => format!("does not hold: {said}"),
    };
    let about = format!("{} of {} {} {} by {}", one.measure, one.of, one.relation, one.than, one.by);
    let check = Check::new(Subject::Comparison, &one.name, said);
    Check { about: plain(&about).into_owned(), verdict: one.verdict, ..check }
}

fn fault(results: &Results, index: usize) -> Check<'_> {
    let first = &results.seeds[0].faults[index];
    let all = each(results, index, |seed| &seed.faults, |one| one.name == first.name);
    let felt: u64 = all.iter().map(|(_, one)| one.felt).sum();
    let bad: Vec<_> = all.iter().copied().filter(|(_, one)| one.felt == 0).collect();
    let missing = if first.random { felt == 0 } else { !bad.is_empty() };
    let about = plain(&format!("{} {}", first.fault, first.target)).trim().to_owned();
    // The verdict knows what may go unfelt; a document that passes has no unfelt fault.
    if !missing || results.verdict < Verdict::Inconclusive {
        let said = format!("felt {}", counted(felt, "time"));
        return Check { about, ..Check::new(Subject::Fault, &first.name, said) };
    }
    let fired: u64 = bad.iter().map(|(_, one)| one.fired).sum();
    let said = match fired {
        0 => format!("never struck{}", on(bad.len(), results)),
        _ => format!("struck, but was not felt{}", on(bad.len(), results)),
    };
    Check {
        about,
        verdict: Verdict::Inconclusive,
        seeds: bad.iter().map(|(seed, _)| seed.seed).collect(),
        look: bad.first().map(|(seed, _)| seed.seed),
        ..Check::new(Subject::Fault, &first.name, said)
    }
}

fn books(results: &Results) -> Check<'_> {
    let bad: Vec<&SeedResult> = results.seeds.iter().filter(|seed| seed.verdict == Verdict::Error).collect();
    let Some(first) = bad.first() else {
        return Check::new(Subject::Books, "", "the books balance".to_owned());
    };
    let told = |error: &crate::results::BookError| {
        plain(&format!("{} book, {}: {}", error.book, error.subject, error.message)).into_owned()
    };
    Check {
        about: "a defect of Beaufort itself, not of the design".to_owned(),
        verdict: Verdict::Error,
        seeds: bad.iter().map(|seed| seed.seed).collect(),
        notes: first.errors.iter().take(TOLD).map(told).collect(),
        look: Some(first.seed),
        ..Check::new(Subject::Books, "", plain(&first.cause).into_owned())
    }
}

/// The verdict as a whole.
fn whole(results: &Results) -> Check<'_> {
    let like: Vec<&SeedResult> =
        results.seeds.iter().filter(|seed| seed.verdict == results.verdict).collect();
    let doubts = like.first().map_or(&[][..], |seed| &seed.doubts);
    Check {
        verdict: results.verdict,
        seeds: like.iter().map(|seed| seed.seed).filter(|_| results.verdict > Verdict::Pass).collect(),
        notes: doubts.iter().take(TOLD).map(|doubt| plain(doubt).into_owned()).collect(),
        look: like.first().map(|seed| seed.seed).filter(|_| results.verdict > Verdict::Pass),
        ..Check::new(Subject::Verdict, "", plain(&results.cause).into_owned())
    }
}

/// Where the results were compared: what does not hold, and must not, passes; what is otherwise is a check of
/// its own.
fn expected(results: &Results, checks: &mut Vec<Check<'_>>) {
    let Some(expected) = &results.expected else { return };
    let wanted = plain(&expected.wanted);
    let differences = expected.differences.iter().map(|text| plain(text).into_owned());
    let differences: Vec<String> = differences.take(TOLD).collect();
    let (verdict, said) = match expected.differences.as_slice() {
        [] => (Verdict::Pass, format!("as expected{}", after(": ", &wanted))),
        [one] => (Verdict::Fail, format!("not as expected: {}", plain(one))),
        [one, more @ ..] => {
            (Verdict::Fail, format!("not as expected: {} (and {} more)", plain(one), more.len()))
        }
    };
    if verdict == Verdict::Pass {
        for check in checks.iter_mut().filter(|check| check.is_bad() && check.verdict != Verdict::Error) {
            check.verdict = Verdict::Pass;
            check.said.push_str(", as expected");
            check.notes.clear();
            check.item = None;
            check.look = None;
        }
    }
    let check = Check::new(Subject::Expectation, "", said);
    checks.push(Check { about: wanted.into_owned(), verdict, notes: differences, ..check });
}

fn seeds<T>(bad: &[(&SeedResult, T)], verdict: Verdict) -> Vec<u64> {
    if verdict == Verdict::Pass { Vec::new() } else { bad.iter().map(|(seed, _)| seed.seed).collect() }
}

/// On how many of the seeds, where there are several.
fn on(bad: usize, results: &Results) -> String {
    match results.seeds.len() {
        0 | 1 => String::new(),
        all => format!(" on {} of {} seeds", grouped(bad as u64), grouped(all as u64)),
    }
}

/// Something that is so on one seed; on which, where there are several.
fn note(results: &Results, seed: &SeedResult, text: &str) -> String {
    let text = plain(text);
    if results.seeds.len() < 2 { text.into_owned() } else { format!("on seed {}: {text}", seed.seed) }
}

/// What a contract counts.
fn noun(rule: &str) -> &'static str {
    match rule.split(' ').next() {
        Some("single-active" | "runs") => "run",
        Some("consistent") => "read",
        _ => "item",
    }
}

/// A text after a separator, if there is one.
fn after(separator: &str, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{separator}{}", plain(text)) }
}
