//! The fault catalogue, end to end: every fault strikes one small system, judged by the real harness. It
//! must be armed, fired, felt and healed, and the books must balance. A new fault needs a row.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use beaufort_harness::judges::Rules;
use beaufort_harness::run::{Options, replay, run};
use beaufort_harness::scenario::diagnostics::{Look, render};
use beaufort_harness::scenario::load::load;
use beaufort_harness::scenario::resolve::check;
use beaufort_reports::{SeedResult, Verdict};
use beaufort_sim::faults::FaultKind;
use beaufort_sim::ids::{FaultId, Item, PlaceId, ProcessId};
use beaufort_sim::observe::{Belief, FaultPhase, Observation, Outcome, Sink, Symptom, What};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::{Span, Time};

#[path = "faults/rows.rs"]
mod rows;

use rows::{HIDDEN, ROWS};

/// One fault in the base scenario: `{ ID: TARGET, at: 15s, for: 15s, PARAMETERS }`.
struct Row {
    id: &'static str,
    target: &'static str,
    /// Its own parameters; `at` and `for` too, where the usual ones do not fit.
    parameters: &'static str,
    /// What else is changed in the base, as with `--set`.
    sets: &'static [&'static str],
}

const fn row(id: &'static str, target: &'static str, parameters: &'static str) -> Row {
    Row { id, target, parameters, sets: &[] }
}

impl Row {
    const fn with(self, sets: &'static [&'static str]) -> Row {
        Row { sets, ..self }
    }

    fn changes(&self, more: &str) -> Vec<String> {
        let mut fields = vec![format!("{}: {}", self.id, self.target)];
        for (field, usual) in [("at:", "at: 15s"), ("for:", "for: 15s")] {
            if !self.parameters.contains(field) {
                fields.push(usual.to_owned());
            }
        }
        fields.extend([self.parameters, more].into_iter().filter(|text| !text.is_empty()).map(str::to_owned));
        let fault = format!("faults.trouble={{ {} }}", fields.join(", "));
        std::iter::once(fault).chain(self.sets.iter().map(|set| (*set).to_owned())).collect()
    }
}

/// From so long after its end on, nothing may remind of a fault.
const MARGIN: Span = Span::secs(25);
/// What was under way when a fault ended may still bear its mark for so long.
const GRACE: Span = Span::secs(3);
const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/base.yaml");

fn scenario(changes: &[String]) -> Result<(Arc<Plan>, Arc<Rules>), String> {
    let loaded =
        load(BASE, changes).map_err(|bad| render(&bad.diagnostics, &bad.sources, Look::default()))?;
    let resolved = loaded.resolve(None);
    let resolved = resolved.map_err(|no| render(&no.diagnostics, &loaded.sources, Look::default()))?;
    Ok((resolved.plan, resolved.rules))
}

/// What became of one item.
#[derive(Default)]
struct Fate {
    offered: Time,
    accepted: bool,
    effects: BTreeSet<PlaceId>,
    symptoms: Vec<Symptom>,
}

/// Looks at what a fault leaves behind.
#[derive(Default)]
struct Watch {
    fault: FaultId,
    /// Whether it is in force, and since when it is not.
    open: bool,
    healed: Option<Time>,
    items: BTreeMap<u64, Fate>,
    /// When it last touched anything.
    touched: Option<Time>,
    /// The last sign of trouble that bears its mark.
    troubled: Option<Time>,
    /// When somebody was believed not to be ready.
    unready: Vec<(Time, ProcessId)>,
    /// When the run begins: before that, apps still start, and whoever calls them is told to come again.
    begins: Time,
    /// How many symptoms have been seen since then.
    symptoms: usize,
}

impl Watch {
    fn fate(&mut self, item: Item) -> &mut Fate {
        self.items.entry(item.identity()).or_default()
    }
}

impl Sink for Watch {
    fn observe(&mut self, seen: &Observation) {
        let mine = seen.by.iter().any(|fault| fault == self.fault);
        match seen.what {
            What::Offered { .. } => self.fate(seen.item).offered = seen.at,
            What::Concluded { outcome, .. } => self.fate(seen.item).accepted = outcome == Outcome::Ok,
            What::Born { place, .. } => {
                self.fate(seen.item).effects.insert(place);
            }
            What::Symptom(symptom) => {
                self.symptoms += usize::from(seen.at >= self.begins);
                self.fate(seen.item).symptoms.push(symptom);
            }
            What::Trouble { .. } if mine => self.troubled = Some(seen.at),
            What::Touched | What::TouchedProcess { .. } if mine => self.touched = Some(seen.at),
            What::Believes { subject, belief: Belief::Ready(false) } => self.unready.push((seen.at, subject)),
            What::Fault { fault, phase: FaultPhase::Started } if fault == self.fault => self.open = true,
            What::Fault { fault, phase: FaultPhase::Healed } if fault == self.fault => {
                self.open = false;
                self.healed = Some(seen.at);
            }
            _ => {}
        }
    }
}

struct Played {
    result: SeedResult,
    watch: Watch,
    plan: Arc<Plan>,
}

/// The seed of every run here; another one with the environment variable SEED.
fn seed() -> u64 {
    std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

fn play(changes: &[String]) -> Result<Played, String> {
    let (plan, rules) = scenario(changes)?;
    let options = Options { stories: 0, ..Options::default() };
    let result = run(&plan, &rules, seed(), &options).map_err(|error| error.to_string())?;
    let until = Time((result.simulated_seconds * 1e9) as u64);
    let named = plan.blueprint.faults.get_index_of("trouble").unwrap_or_default();
    let watch = Watch { fault: FaultId(named as u16), begins: plan.begins(), ..Watch::default() };
    let (_, watch) = replay(&plan, seed(), until, &options, watch).map_err(|error| error.to_string())?;
    Ok(Played { result, watch, plan })
}

impl Played {
    /// The places at which every item has its effect.
    fn effects(&self) -> Vec<PlaceId> {
        let names = [
            "db.order",
            "docs.order",
            "db.closed",
            "db.slept",
            "db.pushed",
            "db.followed",
            "partner.charge",
            "partner.tell",
            "partner.book",
        ];
        names.iter().filter_map(|name| self.plan.place_named(name)).collect()
    }

    /// What is wrong with the items that were offered from this instant on.
    fn unwell(&self, from: Time) -> Vec<String> {
        let effects = self.effects();
        let mut wrong = Vec::new();
        let mut seen = 0;
        for (identity, fate) in self.watch.items.iter().filter(|(_, fate)| fate.offered >= from) {
            seen += 1;
            if !fate.accepted {
                wrong.push(format!("item {identity:x} was not accepted"));
            }
            for place in effects.iter().filter(|place| !fate.effects.contains(place)) {
                wrong.push(format!("item {identity:x} has no effect at {}", self.plan.place(*place).name));
            }
            if !fate.symptoms.is_empty() {
                wrong.push(format!("item {identity:x} shows {:?}", fate.symptoms));
            }
        }
        if seen < 20 {
            wrong.push(format!("only {seen} items were offered"));
        }
        wrong
    }

    /// What speaks against the fault having healed.
    fn unhealed(&self) -> Vec<String> {
        let Some(healed) = self.watch.healed.filter(|_| !self.watch.open) else {
            return vec!["it never ended".to_owned()];
        };
        let mut wrong = self.unwell(healed + MARGIN);
        wrong.truncate(4);
        if let Some(at) = self.watch.touched.filter(|at| *at > healed + GRACE) {
            wrong.push(format!("it touched something at {at}, and healed at {healed}"));
        }
        if let Some(at) = self.watch.troubled.filter(|at| *at > healed + MARGIN) {
            wrong.push(format!("trouble bears its mark at {at}, and it healed at {healed}"));
        }
        wrong
    }
}

/// What is wrong with a row; empty if it is as it should be.
fn judge(row: &Row) -> Vec<String> {
    let played = match play(&row.changes("")) {
        Ok(played) => played,
        Err(refused) => return vec![refused],
    };
    let Some(fault) = played.result.faults.iter().find(|fault| fault.name == "trouble") else {
        return vec!["it is not among the results".to_owned()];
    };
    let mut wrong = Vec::new();
    for (word, count) in [("armed", fault.armed), ("fired", fault.fired), ("felt", fault.felt)] {
        if count == 0 {
            wrong.push(format!("not {word}"));
        }
    }
    if played.result.verdict == Verdict::Error {
        wrong.push(played.result.cause.clone());
    }
    wrong.extend(played.unhealed());
    if std::env::var_os("SHOW").is_some() {
        let (armed, fired, felt) = (fault.armed, fault.fired, fault.felt);
        let healed = if wrong.is_empty() { "healed" } else { "WRONG" };
        eprintln!("{:<24} {armed:>5} {fired:>6} {felt:>6}  {healed}  {:.0?}", row.id, played.result.events);
    }
    wrong
}

fn layer(name: &str) {
    let ids: Vec<&str> =
        FaultKind::catalogue().iter().filter(|(_, layer, _)| *layer == name).map(|(id, ..)| *id).collect();
    assert!(!ids.is_empty(), "there is no layer `{name}`");
    let only = std::env::var("ONLY").ok();
    let mut report = String::new();
    for row in ROWS.iter().filter(|row| ids.contains(&row.id)) {
        if only.as_deref().is_some_and(|only| only != row.id) {
            continue;
        }
        for wrong in judge(row) {
            report.push_str(&format!("{} on {}: {wrong}\n", row.id, row.target));
        }
    }
    assert!(report.is_empty(), "\n{report}");
}

macro_rules! layers {
    ($($test:ident: $name:literal,)+) => {
        $(#[test] fn $test() { layer($name); })+

        #[test]
        fn every_layer_and_every_fault_of_the_catalogue_is_covered() {
            for (id, layer, _) in FaultKind::catalogue() {
                assert!([$($name),+].contains(&layer), "no test plays the layer `{layer}`");
                assert!(ROWS.iter().any(|row| row.id == id), "`{id}` has no row in faults/rows.rs");
            }
        }
    };
}

layers! {
    network: "network",
    names: "names",
    process: "process",
    zone: "zone",
    queue_broker: "queue broker",
    event_router: "event router",
    http: "http",
    data: "data",
    time: "time",
    gray: "gray",
    load_faults: "load",
}

#[test]
fn without_a_fault_nothing_is_unwell() {
    let played = play(&[]).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(played.result.verdict, Verdict::Pass, "{}", played.result.cause);
    assert_eq!(played.unwell(played.plan.begins()), Vec::<String>::new());
    assert_eq!((played.watch.symptoms, played.watch.unready.len()), (0, 0));
}

/// Why the rows that overload the broker have patient callers. Its clients are silent for 10 s at a time; who
/// gives up after 2 s comes again meanwhile, so every round brings more copies of the same orders than it
/// serves, for as long as there is load. Nothing but the patience differs.
#[test]
fn impatient_callers_keep_up_a_retry_storm_that_patient_ones_do_not() {
    const SMALL: &str = "nodes.bus.credits=300";
    const SMALL_AND_PATIENT: &[&str] = &[SMALL, rows::PATIENT[0]];
    let impatient = row("broker.server-busy", "bus", "").with(&[SMALL]);
    let played = play(&impatient.changes("")).unwrap_or_else(|refused| panic!("{refused}"));
    let ends = played.plan.begins() + Span::secs(120);
    let last = played.watch.items.values().filter(|fate| fate.offered + Span::secs(20) > ends);
    let (all, troubled) = last.fold((0, 0), |(all, troubled), fate| {
        (all + 1, troubled + usize::from(fate.symptoms.contains(&Symptom::Throttled)))
    });
    assert!(all >= 70 && troubled * 10 > all * 9, "{troubled} of {all}");
    let patient = row("broker.server-busy", "bus", "").with(SMALL_AND_PATIENT);
    let played = play(&patient.changes("")).unwrap_or_else(|refused| panic!("{refused}"));
    assert_eq!(played.unhealed(), Vec::<String>::new());
}

/// Neither is felt on a stream: the run says so, and `check` warns beforehand.
#[test]
fn duplication_and_reordering_are_not_felt_on_streams() {
    for id in ["net.duplicate", "net.reorder"] {
        let changes = row(id, "worker <-> partner", "rate: 100%").changes("");
        let played = play(&changes).unwrap_or_else(|refused| panic!("{refused}"));
        assert_eq!(played.result.faults[0].felt, 0, "{id}");
        assert_eq!(played.result.verdict, Verdict::Inconclusive, "{}", played.result.cause);
        assert_eq!(played.unwell(played.plan.begins()), Vec::<String>::new(), "{id}");
        let loaded = load(BASE, &changes).unwrap_or_else(|bad| panic!("{bad:?}"));
        let checked = check(&loaded);
        let warned = checked.diagnostics.iter().any(|one| one.message.contains("on a stream"));
        assert!(warned, "{id}: {:?}", checked.diagnostics);
    }
}

/// Gray failure: traffic suffers, and the probes go on saying that all is well.
#[test]
fn a_hidden_fault_is_felt_and_never_seen_by_probes() {
    let mut report = String::new();
    for row in HIDDEN {
        let open = play(&row.changes("")).unwrap_or_else(|refused| panic!("{}: {refused}", row.id));
        let hidden =
            play(&row.changes("hidden: true")).unwrap_or_else(|refused| panic!("{}: {refused}", row.id));
        if open.watch.unready.is_empty() {
            report.push_str(&format!("{} on {}: probes do not see it at all\n", row.id, row.target));
        }
        if let Some((at, subject)) = hidden.watch.unready.first() {
            let name = &hidden.plan.process(*subject).name;
            report.push_str(&format!("{} on {}: {name} is not ready at {at}\n", row.id, row.target));
        }
        if hidden.result.faults[0].felt == 0 || hidden.watch.symptoms == 0 {
            report.push_str(&format!("{} on {}: hidden, and nobody suffers\n", row.id, row.target));
        }
    }
    assert!(report.is_empty(), "\n{report}");
}
