//! A clone runs on to the same digest; what does not concern a process changes nothing for it.

use proptest::prelude::*;

use super::Bench;
use crate::faults::{At, FaultKind, network, process};
use crate::ids::Item;
use crate::kernel::World;
use crate::observe::{Nobody, Observation, What};
use crate::time::{Span, Time};
use crate::units::Ratio;

fn some_faults() -> Vec<(String, FaultKind)> {
    let at = |secs| Some(At::Instant(Span::secs(secs)));
    vec![
        (
            "crashes".to_owned(),
            FaultKind::ProcCrash(process::Crash {
                target: "server".to_owned(),
                after: Some("take".to_owned()),
                chance: Some(Ratio(0.02)),
                lasts: Some(Span::secs(1)),
                ..process::Crash::default()
            }),
        ),
        (
            "losses".to_owned(),
            FaultKind::NetLoss(network::Loss {
                target: "client".to_owned(),
                rate: Ratio(0.1),
                ..network::Loss::default()
            }),
        ),
        (
            "cut".to_owned(),
            FaultKind::NetPartition(network::Partition {
                target: "client <-> server".to_owned(),
                at: at(30),
                lasts: Some(Span::secs(20)),
                ..network::Partition::default()
            }),
        ),
        (
            "pause".to_owned(),
            FaultKind::ProcPause(process::Pause {
                target: "server".to_owned(),
                at: at(70),
                lasts: Some(Span::secs(5)),
                ..process::Pause::default()
            }),
        ),
    ]
}

fn finish(mut world: World) -> (String, u64) {
    while world.next_at().is_some_and(|at| at < Time::ZERO + Span::mins(3)) {
        world.step(&mut Nobody);
    }
    (world.digest().to_string(), world.events())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_clone_at_any_moment_runs_on_to_the_same_digest(seed in 0u64..1000, steps in 0usize..8000) {
        let mut world = Bench { faults: some_faults(), seed, ..Bench::default() }.world();
        for _ in 0..steps {
            world.step(&mut Nobody);
        }
        let copy = world.clone();
        prop_assert_eq!(finish(world), finish(copy));
    }
}

/// What happened to one pair, told by names.
fn story(world: &World, seen: &[Observation], names: [&str; 2]) -> Vec<(Time, String, Item, String)> {
    let told = |o: &Observation| {
        let what = match o.what {
            What::Sent { .. } => "sent".to_owned(),
            What::Answered { outcome, .. } => format!("answered {outcome:?}"),
            What::Believes { belief, .. } => format!("believes {belief:?}"),
            What::Trouble { symptom, .. } => format!("trouble {symptom:?}"),
            What::TouchedProcess { .. } => "touched".to_owned(),
            What::Fault { .. } => return None,
            other => format!("{other:?}"),
        };
        let name = world.plan().process(o.process).name.clone();
        names.contains(&name.as_str()).then_some((o.at, name, o.item, what))
    };
    seen.iter().filter_map(told).collect()
}

#[test]
fn strangers_and_a_fault_that_never_fires_change_nothing_for_the_others() {
    let plain = Bench { faults: some_faults(), ..Bench::default() };
    let a = plain.run();
    let mut crowded = plain.clone();
    crowded.strangers = true;
    let never = process::Crash {
        target: "server".to_owned(),
        after: Some("reply".to_owned()),
        ..process::Crash::default()
    };
    crowded.faults.insert(0, ("never".to_owned(), FaultKind::ProcCrash(never)));
    let b = crowded.run();
    let names = ["client", "server"];
    let (a, b) = (story(&a.world, &a.seen, names), story(&b.world, &b.seen, names));
    assert!(a.len() > 2000, "{}", a.len());
    let first = a.iter().zip(&b).position(|(x, y)| x != y);
    assert_eq!((a.len(), first.map(|i| (&a[i], &b[i]))), (b.len(), None));
}
