//! The engines agree: every shipped scenario and variant on every engine, contract by contract, objective by
//! objective, seed by seed. A contract that differs fails with both histories of the first item about which
//! the engines differ; an objective that differs fails with both values. Designs are shortened
//! (`beaufort_tests::shorten`), for a simulated minute of turmoil takes seconds.
//!
//! `SHOW=1 cargo test -p beaufort-tests --test engines -- --nocapture` prints every line of the comparison.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test")]

use std::num::NonZero;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use beaufort_engines::{Conditions, Engine};
use beaufort_harness::agree::tolerance::disturbances;
use beaufort_harness::agree::{Agreement, Kind, Row, compare, histories, render, summary, weigh};
use beaufort_harness::judges::expect::Expected;
use beaufort_harness::run::{Options, RunError, run};
use beaufort_harness::scenario::load::{Loaded, load, shipped};
use beaufort_harness::scenario::resolve::{BASE, Resolved};
use beaufort_reports::{SeedResult, Verdict};
use beaufort_sim::services::NodeKind;
use beaufort_sim::time::Span;
use beaufort_tests::resolve;
use beaufort_tests::shorten::{Length, shortened};

const SHORT: Length = Length { run: Span::secs(60), drain: Span::secs(60), chance: 10.0 };
const LONG: Length = Length { run: Span::secs(240), drain: Span::secs(240), chance: 5.0 };

const HOURS: Length = Length { run: Span::hours(4), drain: Span::hours(2), chance: 1.0 };

/// Turmoil's tick: half the work of its usual one, and lateness (so the tolerance) of up to twice as much.
const TICK: Duration = Duration::from_millis(2);

/// Whether alerts and people act in it, who take minutes to hours: in a minute they would do nothing.
fn takes_hours(loaded: &Loaded) -> bool {
    let base = loaded.resolve(None).expect("the base resolves");
    base.scenario.nodes.values().any(|kind| matches!(kind, NodeKind::Alert(_)))
}

/// Every design that is shipped and of this kind, in this length; those that must be refused (by `check`) are
/// left out.
fn designs(length: Length, hours: bool) -> Vec<Resolved> {
    let of = |name: &str| {
        let loaded = load(name, &[]).expect("a shipped scenario is read");
        if takes_hours(&loaded) != hours {
            return Vec::new();
        }
        let variants = std::iter::once(BASE).chain(loaded.variants());
        variants.filter_map(|variant| short(name, variant, length, &[])).collect::<Vec<Resolved>>()
    };
    shipped().iter().flat_map(|scenario| of(scenario.name)).collect()
}

/// A design in this length, with these changes too; none if it must be refused.
fn short(scenario: &str, variant: &str, length: Length, also: &[String]) -> Option<Resolved> {
    let full = resolve(scenario, Some(variant), &[]).ok()?;
    let mut sets = shortened(&full.scenario, length);
    sets.extend_from_slice(also);
    let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
    let short = resolve(scenario, Some(variant), &sets);
    Some(short.unwrap_or_else(|refused| panic!("{variant} in short: {refused}")))
}

fn options(engine: Engine) -> Options<'static> {
    let hosting = Conditions { tick: TICK, ..Conditions::default() };
    Options { stories: 0, engine, hosting, ..Options::default() }
}

fn play(design: &Resolved, seed: u64, engine: Engine) -> Result<SeedResult, RunError> {
    let options = options(engine);
    run(&design.plan, &design.rules, seed, &options)
}

/// What a design comes out as natively when every message is delayed by up to so many seconds more.
fn disturbed(design: &Resolved, length: Length, seed: u64, delay: f64) -> SeedResult {
    let spread = (delay * 1e9).ceil();
    let jitter = |site: &String| format!("faults.jitter-{site}={{ net.jitter: {site}, spread: {spread}ns }}");
    let sets: Vec<String> = design.scenario.sites.keys().map(jitter).collect();
    let design = short(&design.scenario.scenario, design.variant_name(), length, &sets);
    play(&design.expect("it still resolves"), seed, Engine::Native).expect("it runs again")
}

/// On which seeds a design is compared.
enum Seeds {
    /// One on which its mistake is made.
    Telling,
    /// All of these.
    These(Range<u64>),
}

/// What came of the comparisons.
#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    /// Both histories, where a contract differs.
    told: String,
    /// What an engine does not run, and why.
    refused: Vec<String>,
}

fn one(design: &Resolved, length: Length, seed: u64, engine: Engine) -> Found {
    let name = format!("{}/{}", design.scenario.scenario, design.variant_name());
    let native = play(design, seed, Engine::Native).expect("the native engine runs everything");
    let other = match play(design, seed, engine) {
        Ok(other) => other,
        Err(RunError::Refused(why)) => {
            return Found { refused: vec![format!("{name} on {engine}: {why}")], ..Found::default() };
        }
        Err(error) => panic!("{name}, seed {seed}, on {engine}: {error}"),
    };
    let mut found = Found { rows: compare(design, engine, &native, &other), ..Found::default() };
    for delay in disturbances(&other) {
        if found.rows.iter().all(|row| row.agreement != Agreement::Differ) {
            break;
        }
        weigh(&mut found.rows, design, &disturbed(design, length, seed, delay), &other);
    }
    let differ = |row: &&Row| row.kind == Kind::Contract && row.agreement == Agreement::Differ;
    for row in found.rows.iter().filter(differ) {
        let told =
            histories(&design.plan, &row.name, &options(engine), &native, &other).expect("it runs again");
        found.told.push_str(&format!("\n{name}, seed {seed}\n"));
        found.told.push_str(&told.map_or_else(|| "no item differs\n".to_owned(), |told| told.render()));
    }
    found
}

/// By how many items a design violates, natively, the contracts that it is there to violate; none if it is
/// there for something else.
fn violations(design: &Resolved, seed: u64) -> Option<u64> {
    let Expected::Fail { lines, .. } = design.expected()?.verdict else { return None };
    let result = play(design, seed, Engine::Native).expect("the native engine runs everything");
    let named = result.contracts.iter().filter(|contract| lines.contains(&contract.name));
    named.map(|contract| contract.violated).min()
}

/// The first seed on which a broken design is broken by more than a hair, natively. In a minute some mistakes
/// are made once or not at all, and whether that one item was just then under way turns on a microsecond: it
/// would say nothing about the engines.
fn telling_seed(design: &Resolved) -> u64 {
    const CLEAR: u64 = 4;
    let clear = |seed: &u64| violations(design, *seed).map_or(CLEAR, |violated| violated.min(CLEAR));
    // The first of the greatest.
    (1..=5).rev().max_by_key(clear).unwrap_or(1)
}

/// Compares these designs on these seeds, as many at once as there are cores; in the order of the designs.
fn all(designs: &[Resolved], length: Length, seeds: Seeds, engine: Engine) -> Found {
    let of = |design: &Resolved| match &seeds {
        Seeds::Telling => vec![telling_seed(design)],
        Seeds::These(range) => range.clone().collect(),
    };
    let work: Vec<(&Resolved, u64)> =
        designs.iter().flat_map(|design| of(design).into_iter().map(move |seed| (design, seed))).collect();
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Found>> = work.iter().map(|_| Mutex::default()).collect();
    let worker = || {
        while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|n| *n < work.len()) {
            let (design, seed) = work[index];
            *done[index].lock().expect("nobody else holds it") = one(design, length, seed, engine);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(worker)));
        worker();
    });
    let mut all = Found::default();
    for found in done {
        let found = found.into_inner().expect("no thread panicked");
        all.rows.extend(found.rows);
        all.told.push_str(&found.told);
        all.refused.extend(found.refused);
    }
    all
}

/// Every design on an engine and on the native one; fails with what differs.
fn agrees(engine: Engine, length: Length, seeds: Seeds) {
    agree(&designs(length, false), length, seeds, engine);
}

fn agree(designs: &[Resolved], length: Length, seeds: Seeds, engine: Engine) {
    let found = all(designs, length, seeds, engine);
    eprint!("{}", render(&found.rows, std::env::var_os("SHOW").is_some()));
    found.refused.iter().for_each(|refused| eprintln!("refused: {refused}"));
    eprintln!("{engine}: {}", summary(&found.rows));
    let differ: Vec<Row> =
        found.rows.iter().filter(|row| row.agreement == Agreement::Differ).cloned().collect();
    assert!(differ.is_empty(), "the engines differ:\n{}{}", render(&differ, false), found.told);
    if found.refused.len() == designs.len() {
        return; // the engine is not in this build, and says so
    }
    assert_eq!(found.refused, [""; 0], "shipped designs fit every engine");
    for (kind, share) in [(Kind::Contract, 50), (Kind::Objective, 10)] {
        let rows = found.rows.iter().filter(|row| row.kind == kind);
        let close = rows.clone().filter(|row| row.agreement == Agreement::TooClose).count();
        assert!(
            close * share <= rows.count(),
            "more than 1 in {share} is too close to call: it shows little"
        );
    }
    for kind in [Kind::Contract, Kind::Objective] {
        for verdict in [Verdict::Pass, Verdict::Fail] {
            let seen = found.rows.iter().any(|row| row.kind == kind && row.native.verdict == verdict);
            assert!(seen, "no {} comes out as {verdict}: agreement about it shows nothing", kind.word());
        }
    }
}

#[test]
fn the_native_engine_agrees_with_itself_without_any_tolerance() {
    agrees(Engine::Native, SHORT, Seeds::Telling);
}

#[test]
fn turmoil_agrees_with_the_native_engine() {
    agrees(Engine::Turmoil, SHORT, Seeds::Telling);
}

#[test]
fn madsim_agrees_with_the_native_engine() {
    agrees(Engine::Madsim, SHORT, Seeds::Telling);
}

#[test]
#[ignore = "takes half an hour: 3 seeds of every design, five times as long"]
fn turmoil_agrees_with_the_native_engine_for_long() {
    agrees(Engine::Turmoil, LONG, Seeds::These(1..4));
}

#[test]
#[ignore = "takes minutes: 3 seeds of every design, five times as long"]
fn madsim_agrees_with_the_native_engine_for_long() {
    agrees(Engine::Madsim, LONG, Seeds::These(1..4));
}

/// Where alerts and people act: not shortened, on the engine that is fast enough for it.
#[test]
#[ignore = "takes an hour: designs of several hours, in full length"]
fn madsim_agrees_with_the_native_engine_where_people_act() {
    agree(&designs(HOURS, true), HOURS, Seeds::These(1..2), Engine::Madsim);
}

/// The comparison itself is put to the test: a broken design in the place of another engine.
#[test]
fn a_broken_design_in_the_place_of_an_engine_is_found_out() {
    let named = |name: &str| short("order-flow", name, SHORT, &[]).expect("a design that is not refused");
    let (sound, broken) = (&named(BASE), &named("ack-first"));
    let native = play(sound, 1, Engine::Native).expect("runs");
    let other = play(broken, 1, Engine::Native).expect("runs");
    let rows = compare(sound, Engine::Turmoil, &native, &other);
    let differ: Vec<&str> =
        rows.iter().filter(|row| row.agreement == Agreement::Differ).map(|row| row.name.as_str()).collect();
    assert_eq!(differ, ["charged-once"], "{}", render(&rows, true));
    let told =
        histories(&broken.plan, "charged-once", &options(Engine::Native), &native, &other).expect("runs");
    let text = told.expect("an item is lost").render();
    assert!(text.contains("lost at ") && text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn in_short_faults_and_people_keep_their_part_of_the_run() {
    let full = resolve("order-flow", None, &[]).expect("resolves").scenario;
    let length = Length { run: Span::secs(30), drain: Span::secs(20), chance: 10.0 };
    let sets = shortened(&full, length);
    for set in [
        "time.run=30s",
        "time.drain=20s",
        "time.warmup=0s",
        "faults.zone-lost.at=5s",
        "faults.zone-lost.for=5s",
        "faults.api-crashes.for=1s",
        "faults.api-crashes.chance=0.005000",
        "faults.poison.nth=333",
        "nodes.reviewer.notices=5s..15s",
        "nodes.reviewer.steps.work.work=500ms..2s",
    ] {
        assert!(sets.iter().any(|made| made == set), "{set} is not among {sets:?}");
    }
    let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
    let short = resolve("order-flow", None, &sets).expect("it still resolves").scenario;
    assert_eq!(short.faults.len(), full.faults.len());
    assert_eq!(shortened(&short, length), [""; 0]);
}
