//! The shipped scenarios keep their word: the base passes, and every variant comes out as it says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::fmt::Write as _;
use std::num::NonZero;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use beaufort_harness::judges::expect::{Expect, Expected};
use beaufort_harness::run::{Options, run};
use beaufort_harness::scenario::load::{Loaded, load, shipped};
use beaufort_harness::scenario::resolve::{BASE, Resolved};
use beaufort_harness::sweep::{Plural, Subject, document, sweep};
use beaufort_reports::Verdict;

fn loaded(name: &str) -> Loaded {
    load(name, &[]).unwrap_or_else(|bad| panic!("{name}: {:?}", bad.diagnostics))
}

/// The base and all variants, by name.
fn designs(loaded: &Loaded) -> Vec<String> {
    std::iter::once(BASE).chain(loaded.variants()).map(str::to_owned).collect()
}

/// A design that can run and what it must come out as; or, if it is to be refused, whether it was.
fn prepare(loaded: &Loaded, name: &str) -> Result<Option<(Resolved, Expect)>, String> {
    let wanted = if name == BASE { Some(Expect::default()) } else { loaded.expected(name) };
    let wanted = wanted.ok_or("it says nothing about what it must come out as")?;
    match (loaded.resolve(Some(name)), &wanted.verdict) {
        (Ok(_), Expected::Refused(word)) => Err(format!("it is not refused ({word})")),
        (Ok(resolved), _) => {
            let expect = resolved.expected().ok_or("it expects nothing")?;
            Ok(Some((resolved, expect)))
        }
        (Err(refused), Expected::Refused(word)) if refused.words.contains(&word.as_str()) => Ok(None),
        (Err(refused), _) => Err(format!("it is refused: {:?}", refused.diagnostics)),
    }
}

/// What of one design on one seed is not as it should be.
fn differences(loaded: &Loaded, name: &str, seed: u64) -> Vec<String> {
    let (resolved, expect) = match prepare(loaded, name) {
        Ok(Some(ready)) => ready,
        Ok(None) => return Vec::new(),
        Err(wrong) => return vec![wrong],
    };
    let options = Options { stories: 0, listed: 1, ..Options::default() };
    match run(&resolved.plan, &resolved.rules, seed, &options) {
        Ok(result) => {
            let books = result.errors.iter().map(|e| format!("{} of {}: {}", e.book, e.subject, e.message));
            books.chain(expect.differences(&result)).collect()
        }
        Err(error) => vec![error.to_string()],
    }
}

/// Checks every design of a scenario on one seed, as many at once as there are cores.
fn keeps_its_word(scenario: &str, seed: u64) {
    let loaded = loaded(scenario);
    let designs = designs(&loaded);
    let next = AtomicUsize::new(0);
    let found = Mutex::new(String::new());
    let work = || {
        while let Some(name) = designs.get(next.fetch_add(1, Ordering::Relaxed)) {
            for difference in differences(&loaded, name, seed) {
                let mut found = found.lock().expect("no other thread panicked");
                let replay = format!("beaufort run {scenario} --variant {name} --seed {seed}");
                let _ = writeln!(found, "{name}: {difference}\n    {replay}");
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    let found = found.into_inner().expect("no thread panicked");
    assert!(found.is_empty(), "{scenario}, seed {seed}, is not as it says:\n{found}");
}

#[test]
fn these_are_all_shipped_scenarios() {
    let names: Vec<&str> = shipped().iter().map(|scenario| scenario.name).collect();
    let known = [
        "cross-region-replication",
        "incident-sql-failover-group",
        "logic-apps-bcdr",
        "mission-critical-stamps",
        "order-flow",
        "transactional-outbox",
    ];
    assert_eq!(names, known, "give each its tests below");
}

#[test]
fn order_flow_and_its_variants_come_out_as_they_say() {
    keeps_its_word("order-flow", 1);
}

#[test]
fn the_transactional_outbox_and_its_variants_come_out_as_they_say() {
    keeps_its_word("transactional-outbox", 1);
}

#[test]
fn cross_region_replication_and_its_variants_come_out_as_they_say() {
    keeps_its_word("cross-region-replication", 1);
}

#[test]
fn the_incident_of_the_failover_group_and_its_variants_come_out_as_they_say() {
    keeps_its_word("incident-sql-failover-group", 1);
}

#[test]
fn the_mission_critical_stamps_and_their_variants_come_out_as_they_say() {
    keeps_its_word("mission-critical-stamps", 1);
}

#[test]
fn readers_see_what_the_consistency_level_promises() {
    keeps_its_word(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/consistency.yaml"), 1);
}

#[test]
fn the_locations_of_workflows_and_their_variants_come_out_as_they_say() {
    keeps_its_word("logic-apps-bcdr", 1);
}

// -- The long soak: `cargo test --release -p beaufort-tests --test scenarios -- --ignored`. --

/// Runs one design on many seeds and says on which it is not as it should be.
fn soak(loaded: &Loaded, name: &str, seeds: Range<u64>) -> Vec<String> {
    let (resolved, expect) = match prepare(loaded, name) {
        Ok(Some(ready)) => ready,
        Ok(None) => return Vec::new(),
        Err(wrong) => return vec![format!("{name}: {wrong}")],
    };
    let cancel = AtomicBool::new(false);
    let count = seeds.end - seeds.start;
    let how = Plural { seeds, ..Plural::new(&cancel) };
    let results = sweep(&resolved.plan, &resolved.rules, &how).expect("a world that can be built");
    let mut found: Vec<String> = Vec::new();
    for result in &results {
        let differences = expect.differences(result).join("; ");
        if !differences.is_empty() {
            found.push(format!("{name}, seed {}: {differences}", result.seed));
        }
    }
    let whole = document(&Subject { seeds: count, ..Subject::default() }, results);
    if found.is_empty() && expect.verdict == Expected::Pass && whole.verdict != Verdict::Pass {
        found.push(format!("{name}: {}: {}", whole.verdict, whole.cause));
    }
    found
}

fn soaks(scenario: &str) {
    let loaded = loaded(scenario);
    let variants = designs(&loaded).into_iter().filter(|name| name != BASE);
    let mut found = soak(&loaded, BASE, 1..201);
    found.extend(variants.flat_map(|name| soak(&loaded, &name, 1..51)));
    assert!(found.is_empty(), "{scenario} is not as it says:\n{}", found.join("\n"));
}

#[test]
#[ignore = "takes an hour: 200 seeds of the base and 50 of every variant"]
fn a_long_soak_of_order_flow() {
    soaks("order-flow");
}

#[test]
#[ignore = "takes an hour: 200 seeds of the base and 50 of every variant"]
fn a_long_soak_of_the_transactional_outbox() {
    soaks("transactional-outbox");
}

#[test]
#[ignore = "takes hours: 200 seeds of the base and 50 of every variant"]
fn a_long_soak_of_cross_region_replication() {
    soaks("cross-region-replication");
}

#[test]
#[ignore = "takes an hour: 200 seeds of the base and 50 of every variant"]
fn a_long_soak_of_the_mission_critical_stamps() {
    soaks("mission-critical-stamps");
}

#[test]
#[ignore = "takes minutes: 200 seeds of the base and 50 of every variant"]
fn a_long_soak_of_the_locations_of_workflows() {
    soaks("logic-apps-bcdr");
}

#[test]
#[ignore = "takes minutes: 200 seeds of the base and 50 of every variant"]
fn a_long_soak_of_the_incident_of_the_failover_group() {
    soaks("incident-sql-failover-group");
}

#[test]
fn a_gateway_in_two_regions_goes_on_when_one_is_lost() {
    for seed in 1..4 {
        keeps_its_word(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/gateway-regions.yaml"), seed);
    }
}

#[test]
fn copies_in_two_regions_are_judged_together_or_one_by_one() {
    for seed in 1..4 {
        keeps_its_word(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/two-sites.yaml"), seed);
    }
}

#[test]
fn an_alert_and_a_runbook_move_the_work_to_the_other_region_unless_they_were_lost_with_the_first() {
    for seed in 1..4 {
        keeps_its_word(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/failover-runbook.yaml"), seed);
    }
}
