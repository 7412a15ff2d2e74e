//! Do two engines agree about a seed? They run the same processes, transport and faults; what differs is the
//! run loop, the wire form, tasks and restarts. So every contract must come out the same, seed by seed, and
//! every objective too, unless both engines are so near its bound that lateness explains the difference
//! ([`tolerance`]). Also the same items must have been offered, and all books must balance.

mod histories;
mod table;
pub mod tolerance;

use beaufort_reports::{ContractResult, ObjectiveResult, SeedResult, Verdict, text::grouped};

use crate::scenario::resolve::Resolved;
use beaufort_engines::Engine;

pub use histories::{Histories, differing_item, histories};
pub use table::{render, summary};
pub use tolerance::Tolerance;

/// What two engines are compared in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The books of a run: they balance, or Beaufort is wrong.
    Books,
    /// A flow: the same items are offered on every engine.
    Flow,
    /// A line of `always`.
    Contract,
    /// A line of `objectives`.
    Objective,
}

impl Kind {
    /// The word in a table.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Books => "books",
            Kind::Flow => "flow",
            Kind::Contract => "contract",
            Kind::Objective => "objective",
        }
    }
}

/// Whether two engines say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Agreement {
    /// The same verdict.
    Agree,
    /// Different verdicts about an objective, and both values within the tolerance of its bound; or one of the
    /// engines had nothing to measure and says nothing, where the other one says that it is met. Or the
    /// native engine itself comes to the other's verdict when its messages are disturbed a little
    /// ([`weigh`]).
    TooClose,
    /// Different verdicts, and no excuse.
    Differ,
}

impl Agreement {
    /// The words in a table.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Agreement::Agree => "agree",
            Agreement::TooClose => "too close",
            Agreement::Differ => "DIFFER",
        }
    }
}

/// What one engine says about one line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    /// The verdict.
    pub verdict: Verdict,
    /// The value, in words: `12 lost of 900`, `p99 412ms`.
    pub value: String,
}

/// One line of the comparison of a seed on two engines.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The scenario.
    pub scenario: String,
    /// The variant; `base` for the scenario as written.
    pub variant: String,
    /// The seed.
    pub seed: u64,
    /// The other engine.
    pub engine: Engine,
    /// What kind of line it is.
    pub kind: Kind,
    /// Its name in the scenario.
    pub name: String,
    /// What the native engine says; without a verdict of its own for books and flows.
    pub native: Said,
    /// What the other one says.
    pub other: Said,
    /// Whether that is the same.
    pub agreement: Agreement,
}

/// Compares what two engines say about one seed of a design: the native one first.
#[must_use]
pub fn compare(resolved: &Resolved, engine: Engine, native: &SeedResult, other: &SeedResult) -> Vec<Row> {
    let tolerance = Tolerance::measured(resolved, native, other);
    let row = |kind, name: &str, sides: [Said; 2], agreement| {
        let [native_said, other_said] = sides;
        Row {
            scenario: resolved.scenario.scenario.clone(),
            variant: resolved.variant_name().to_owned(),
            seed: native.seed,
            engine,
            kind,
            name: name.to_owned(),
            native: native_said,
            other: other_said,
            agreement,
        }
    };
    let mut rows = Vec::new();
    let sides = [books(native), books(other)];
    let sound = sides.iter().all(|side| side.verdict != Verdict::Error);
    rows.push(row(Kind::Books, "all", sides, same(sound)));
    for name in names(native, other, |seed| seed.ledger.flows.iter().map(|flow| flow.flow.as_str())) {
        let sides = [offered(native, name), offered(other, name)];
        let agreement = same(sides[0] == sides[1]);
        rows.push(row(Kind::Flow, name, sides, agreement));
    }
    for name in names(native, other, |seed| seed.contracts.iter().map(|c| c.name.as_str())) {
        let found = [native, other].map(|seed| seed.contracts.iter().find(|c| c.name == name));
        let sides = found.map(|found| said(found, contract));
        let agreement = same(sides[0].verdict == sides[1].verdict && for_the_same_reason(found));
        rows.push(row(Kind::Contract, name, sides, agreement));
    }
    for name in names(native, other, |seed| seed.objectives.iter().map(|o| o.name.as_str())) {
        let find = |seed: &SeedResult| said(seed.objectives.iter().find(|o| o.name == name), objective);
        let sides = [find(native), find(other)];
        let agreement = match same(sides[0].verdict == sides[1].verdict && !is_missing(&sides)) {
            Agreement::Differ if too_close(resolved, name, native, other, &tolerance) => Agreement::TooClose,
            agreement => agreement,
        };
        rows.push(row(Kind::Objective, name, sides, agreement));
    }
    rows
}

/// The same seed once more on the native engine, its messages disturbed by less than the other engine's
/// lateness: where it then says what the other engine says, the line turns on less than the engines can tell
/// apart, and is too close to call. What is offered, and whether the books balance, turns on nothing.
pub fn weigh(rows: &mut [Row], resolved: &Resolved, disturbed: &SeedResult, other: &SeedResult) {
    let Some(engine) = rows.first().map(|row| row.engine) else { return };
    let again = compare(resolved, engine, disturbed, other);
    for row in rows.iter_mut().filter(|row| row.agreement == Agreement::Differ) {
        let judged = matches!(row.kind, Kind::Contract | Kind::Objective);
        let same_line = |one: &&Row| (one.kind, &one.name) == (row.kind, &row.name);
        let says = again.iter().find(same_line).map(|one| one.agreement);
        if judged && says == Some(Agreement::Agree) {
            row.agreement = Agreement::TooClose;
        }
    }
}

const fn same(same: bool) -> Agreement {
    if same { Agreement::Agree } else { Agreement::Differ }
}

/// The names that either of the two has, each once.
fn names<'a, I: Iterator<Item = &'a str>>(
    native: &'a SeedResult,
    other: &'a SeedResult,
    of: impl Fn(&'a SeedResult) -> I,
) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in of(native).chain(of(other)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Whether both have the contract, and what each finds most often the other one finds too. How often may
/// differ: a crash that comes a microsecond later meets other items.
fn for_the_same_reason(sides: [Option<&ContractResult>; 2]) -> bool {
    let [Some(native), Some(other)] = sides else { return false };
    let main = |of: &ContractResult, in_other: &ContractResult| {
        let main = of.reasons.iter().max_by_key(|(_, count)| **count);
        main.is_none_or(|(reason, _)| in_other.reasons.contains_key(reason))
    };
    main(native, other) && main(other, native)
}

/// What is said of a line that an engine does not have.
const MISSING: &str = "not judged";

fn is_missing(sides: &[Said; 2]) -> bool {
    sides.iter().any(|side| side.value == MISSING)
}

fn said<T>(found: Option<&T>, tell: impl Fn(&T) -> Said) -> Said {
    found.map_or_else(|| Said { verdict: Verdict::Error, value: MISSING.to_owned() }, tell)
}

fn books(seed: &SeedResult) -> Said {
    match seed.errors.first() {
        None => Said { verdict: Verdict::Pass, value: "balance".to_owned() },
        Some(error) => {
            let value = format!("{} of {}: {}", error.book, error.subject, error.message);
            Said { verdict: Verdict::Error, value }
        }
    }
}

fn offered(seed: &SeedResult, name: &str) -> Said {
    let flow = seed.ledger.flows.iter().find(|flow| flow.flow == name);
    let value = flow.map_or_else(|| MISSING.to_owned(), |flow| format!("{} offered", grouped(flow.offered)));
    Said { verdict: Verdict::Pass, value }
}

fn contract(contract: &ContractResult) -> Said {
    let checked = grouped(contract.checked);
    let value = match contract.verdict {
        Verdict::Fail => {
            let reasons = contract.reasons.iter().map(|(reason, n)| format!("{} {reason}", grouped(*n)));
            format!("{} of {checked}", reasons.collect::<Vec<_>>().join(", "))
        }
        Verdict::Inconclusive => format!("not shown: {}", contract.doubt),
        _ => format!("{checked} items"),
    };
    Said { verdict: contract.verdict, value }
}

fn objective(objective: &ObjectiveResult) -> Said {
    Said { verdict: objective.verdict, value: objective.achieved.clone() }
}

/// Whether both values lie within the tolerance of every bound that lies between them. What has no value
/// (never recovered, nothing measured) is far from every bound.
fn too_close(
    resolved: &Resolved,
    name: &str,
    native: &SeedResult,
    other: &SeedResult,
    tolerance: &Tolerance,
) -> bool {
    let find = |seed: &'_ SeedResult| seed.objectives.iter().find(|o| o.name == name).cloned();
    let (Some(a), Some(b)) = (find(native), find(other)) else { return false };
    let Some(written) = resolved.scenario.objectives.get(name) else { return false };
    let both = [a.verdict, b.verdict];
    if both.contains(&Verdict::Inconclusive) {
        // Whether a fault was felt, whether there was a backlog at all: an item more or less decides.
        return both.contains(&Verdict::Pass) && *tolerance != Tolerance::default();
    }
    let judged = |one: &ObjectiveResult| one.verdict != Verdict::Error && one.samples > 0;
    if !judged(&a) || !judged(&b) {
        return false;
    }
    let mut crossed = false;
    for bound in tolerance::bounds(written) {
        let (x, y) = (a.numbers.0.get(bound.label).copied(), b.numbers.0.get(bound.label).copied());
        if x.is_some_and(|x| bound.met(x)) == y.is_some_and(|y| bound.met(y)) {
            continue;
        }
        let within = tolerance.of(written, a.samples.min(b.samples));
        let near = |value: Option<f64>| value.is_some_and(|value| (value - bound.value).abs() <= within);
        if !near(x) || !near(y) {
            return false;
        }
        crossed = true;
    }
    crossed
}

#[cfg(test)]
mod tests;
