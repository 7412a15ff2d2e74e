//! A container in two regions: two accounts' ends on the bench, and the way between them in the hand of the
//! test.

use super::*;
use crate::message::Cargo;
use crate::message::control::{Answer as Told, Transition};
use crate::services::bench::{plan_in, sites};
use crate::services::replicas::bench::Two;

const NORTH: u8 = 1;
const WEST: u8 = 0;

fn lake(redundancy: Redundancy) -> StorageContainer {
    StorageContainer {
        site: sites(&["west", "north"]),
        redundancy,
        holds: vec!["row".to_owned()],
        lag: Some(Span::mins(2)),
        promotion: Some(Distribution::Constant(Span::mins(40))),
        ..config()
    }
}

fn plan_in_two(lake: StorageContainer) -> Result<Plan, Vec<PlanError>> {
    let sites = [("west", Some("north")), ("north", Some("west")), ("alone", None)];
    plan_in(&sites, vec![("lake", NodeKind::StorageContainer(lake))])
}

fn two(plan: &Plan) -> Two<'_> {
    Two::new(plan, "lake", |message| matches!(message.body, Body::StoreAnswer(Answer::Done { .. })))
}

fn store(two: &mut Two<'_>, of: usize, numbers: &[u32]) {
    for number in numbers {
        two.client(of, put(u64::from(*number) + 1, *number, Once::ITEM));
    }
    two.advance(Span::millis(20));
}

/// What it answers to a read of this blob.
fn reads(two: &mut Two<'_>, of: usize, number: u32) -> Vec<Answer> {
    two.told[of].clear();
    let body = Body::Store(Command::Read { part: 0 });
    two.client(of, crate::services::bench::message(9, Cargo::One(item(number)), body));
    two.advance(Span::millis(20));
    answers(&std::mem::take(&mut two.told[of]))
}

fn refused(two: &mut Two<'_>, of: usize) -> Option<Error> {
    error(&std::mem::take(&mut two.told[of]))
}

fn copied(two: &Two<'_>) -> Vec<u32> {
    two.shadows.iter().map(|(_, number)| *number).collect()
}

fn enable(two: &mut Two<'_>, of: usize) -> Vec<Told> {
    two.told[of].clear();
    let command = control::Command::Enable { part: 0, on: true };
    two.client(of, Message::new(Body::Control(command)));
    two.answers(of)
}

#[test]
fn a_blob_is_copied_later_and_only_a_readable_copy_is_read() {
    for (redundancy, readable) in [(Redundancy::Grs, false), (Redundancy::RaGzrs, true)] {
        let plan = plan_in_two(lake(redundancy)).expect("a plan");
        let mut two = two(&plan);
        store(&mut two, 0, &[1]);
        assert!(copied(&two).is_empty() && two.accepted.contains(&1), "acknowledged by the primary alone");
        two.advance(Span::secs(60));
        store(&mut two, 0, &[2]);
        two.advance(Span::secs(65));
        assert_eq!(copied(&two), [1], "2 is younger than the lag");
        assert_eq!(two.verify(0), Some(Told::State { up: true, in_sync: true }));
        let answer = reads(&mut two, 1, 1);
        assert_eq!(matches!(answer[..], [Answer::Rows { .. }]), readable, "{answer:?}");
        store(&mut two, 1, &[3]);
        assert_eq!(refused(&mut two, 1), Some(Error::Unavailable));
        two.check();
    }
}

#[test]
fn an_unplanned_failover_loses_what_came_after_the_last_sync_time_and_leaves_one_copy() {
    let plan = plan_in_two(lake(Redundancy::Grs)).expect("a plan");
    let mut two = two(&plan);
    store(&mut two, 0, &[1]);
    two.advance(Span::mins(3));
    store(&mut two, 0, &[2]);
    two.crash(0);
    two.promote(1, NORTH, Transition::Forced);
    two.advance(Span::mins(39));
    store(&mut two, 1, &[3]);
    assert_eq!(refused(&mut two, 1), Some(Error::Unavailable), "nothing is answered meanwhile");
    two.advance(Span::mins(2));
    assert_eq!(two.held(1), [1]);
    store(&mut two, 1, &[4]);
    two.back(0);
    two.advance(Span::mins(5));
    assert_eq!((two.held(0), two.held(1)), (vec![], vec![1, 4]), "the old copy is deleted");
    assert_eq!(two.destroyed, [1, 2]);
    assert!(copied(&two).is_empty(), "the account is locally redundant");
    assert_eq!(two.verify(1), Some(Told::State { up: true, in_sync: false }));
    two.promote(1, WEST, Transition::Planned);
    two.advance(Span::secs(1));
    assert_eq!(two.answers(1), [Told::Refused]);
    // Switched on again, it is copied from nothing, and the way back is open.
    assert_eq!(enable(&mut two, 1), [Told::Done]);
    two.advance(Span::mins(3));
    assert_eq!(copied(&two), [1, 4]);
    two.promote(1, WEST, Transition::Planned);
    two.advance(Span::mins(41));
    assert_eq!((two.held(0), two.held(1)), (vec![1, 4], vec![]));
    two.check();
}

#[test]
fn a_planned_failover_waits_for_no_lag_and_loses_nothing() {
    let plan = plan_in_two(lake(Redundancy::RaGrs)).expect("a plan");
    let mut two = two(&plan);
    store(&mut two, 0, &[1, 2]);
    two.promote(0, NORTH, Transition::Planned);
    two.advance(Span::mins(41));
    assert_eq!((two.held(0), two.held(1)), (vec![], vec![1, 2]));
    store(&mut two, 1, &[3]);
    two.advance(Span::mins(3));
    assert_eq!(copied(&two), [1, 2, 3], "it stays geo-redundant, the other way round");
    two.check();
}

#[test]
fn a_crash_leaves_what_is_durable_and_nothing_else() {
    let plan = plan_in_two(lake(Redundancy::Grs)).expect("a plan");
    let mut two = two(&plan);
    store(&mut two, 0, &[1, 2]);
    for rig in &mut two.rigs {
        rig.process.crash();
        let once = format!("{:?}", rig.process);
        rig.process.crash();
        assert_eq!(once, format!("{:?}", rig.process));
    }
}

#[test]
fn what_cannot_be_copied_to_another_region_is_refused_with_a_reason() {
    let path = |lake: StorageContainer| plan_in_two(lake).expect_err("a mistake")[0].path.join(".");
    let good = lake(Redundancy::Grs);
    assert_eq!(path(StorageContainer { site: sites(&["west"]), ..good.clone() }), "nodes.lake.redundancy");
    let unpaired = StorageContainer { site: sites(&["alone", "west"]), ..good.clone() };
    assert_eq!(path(unpaired), "nodes.lake.redundancy");
    let elsewhere = StorageContainer { site: sites(&["west", "alone"]), ..good.clone() };
    assert_eq!(path(elsewhere), "nodes.lake.redundancy");
    let stranger = StorageContainer { primary: Some("alone".to_owned()), ..good.clone() };
    assert_eq!(path(stranger), "nodes.lake.primary");
    let local = StorageContainer { redundancy: Redundancy::Zrs, promotion: None, ..good };
    assert_eq!(path(local), "nodes.lake.lag");
}
