//! Same seed, same digest: on one thread and on several, in a debug build and in a release. (Two processes
//! are compared in `harness/tests/processes.rs`, which knows the binary.)

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use beaufort_harness::run::{Options, run};
use beaufort_harness::scenario::resolve::Resolved;
use beaufort_harness::sweep::{Plural, Subject, document, sweep};
use beaufort_reports::Results;
use beaufort_sim::services::NodeKind;
use beaufort_tests::{EVERYTHING, resolve};

fn everything() -> Resolved {
    resolve(EVERYTHING, None, &[]).expect("resolves")
}

#[test]
fn everything_has_a_node_of_every_kind() {
    let scenario = everything().scenario;
    let used: Vec<&str> = scenario.nodes.values().map(NodeKind::word).collect();
    // A guest has code of its own: the native engine, which this is about, does not run it.
    for (kind, _) in NodeKind::catalogue().iter().filter(|(kind, _)| *kind != "guest") {
        assert!(used.contains(kind), "add a node of the kind `{kind}` to tests/scenarios/everything.yaml");
    }
}

#[test]
fn a_sweep_is_the_same_on_one_thread_and_on_several() {
    let resolved = everything();
    let results = |jobs: usize| -> Results {
        let cancel = AtomicBool::new(false);
        let how = Plural { seeds: 1..6, jobs, stories: 1, ..Plural::new(&cancel) };
        let seeds = sweep(&resolved.plan, &resolved.rules, &how).expect("runs");
        document(&Subject { seeds: 5, ..Subject::default() }, seeds).comparable()
    };
    let one = results(1);
    assert_eq!(one.seeds.len(), 5);
    assert_eq!(results(2), one);
    assert_eq!(results(4), one);
    let mut digests: Vec<&str> = one.seeds.iter().map(|seed| seed.digest.as_str()).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), 5, "every seed is another run");
}

/// If a digest changes, know why: every recorded failure, every `replay:` line and every comparison of two
/// designs is of another run from then on. A change of the model (a delay, a draw, one more message)
/// changes digests and is fine; a change that should not have touched the model and does, is a defect.
///
/// The file is the same for debug and release builds and on all platforms. To accept a change, and say in
/// its commit what it was:
///
/// ```text
/// BEAUFORT_ACCEPT=digests cargo test -p beaufort-tests --test determinism
/// ```
#[test]
fn the_digests_are_the_recorded_ones_in_every_profile() {
    let resolved = everything();
    let mut now = String::from("# scenario seed digest events\n");
    for seed in 1..=3 {
        let options = Options { stories: 0, ..Options::default() };
        let result = run(&resolved.plan, &resolved.rules, seed, &options).expect("runs");
        assert_eq!(result.errors, [], "the books of seed {seed} balance");
        let _ = writeln!(now, "everything {seed} {} {}", result.digest, result.events);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/digests.txt");
    if std::env::var("BEAUFORT_ACCEPT").is_ok_and(|what| what == "digests") {
        std::fs::write(&path, &now).expect("the file is written");
    }
    let recorded = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(now, recorded, "left: this build, right: tests/golden/digests.txt; see above this test");
}
