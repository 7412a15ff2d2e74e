//! A database in two regions: two servers on the bench, and the way between them in the hand of the test.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::message::control::{Answer as Told, Transition};
use crate::plan::PlanError;
use crate::services::bench::{plan_in, sites};
use crate::services::replicas::bench::Two;

const PROMOTION: Span = Span::secs(40);
const WEST: u8 = 0;
const NORTH: u8 = 1;

fn group() -> SqlDatabase {
    SqlDatabase {
        site: sites(&["west", "north"]),
        primary: Some("west".to_owned()),
        promotion: Some(Distribution::Constant(PROMOTION)),
        ..config()
    }
}

fn plan_in_two(database: SqlDatabase) -> Result<Plan, Vec<PlanError>> {
    plan_in(&[("west", None), ("north", None)], vec![("db", NodeKind::SqlDatabase(database))])
}

/// Two servers of this plan.
fn two(plan: &Plan) -> Two<'_> {
    Two::new(plan, "db", |message| matches!(message.body, Body::StoreAnswer(Answer::Done { .. })))
}

fn insert(two: &mut Two<'_>, of: usize, number: u32) {
    let once = [operation(WriteVerb::Insert, ORDER, Once::ITEM)];
    two.client(of, write(u64::from(number) + 1, &[item(number)], &once));
}

fn store(two: &mut Two<'_>, of: usize, numbers: &[u32]) {
    numbers.iter().for_each(|number| insert(two, of, *number));
    two.advance(Span::millis(20));
}

fn said(two: &mut Two<'_>, of: usize) -> Vec<Answer> {
    answers(&std::mem::take(&mut two.told[of]))
}

fn refused(two: &mut Two<'_>, of: usize) -> Option<Error> {
    error(&std::mem::take(&mut two.told[of]))
}

fn state(up: bool, in_sync: bool) -> Option<Told> {
    Some(Told::State { up, in_sync })
}

#[test]
fn a_secondary_follows_can_be_read_and_takes_no_writes() {
    let plan = plan_in_two(group()).expect("a plan");
    let mut two = two(&plan);
    store(&mut two, 0, &[1, 2]);
    assert_eq!((two.held(0), two.held(1)), (vec![1, 2], vec![]), "shadows are in no book");
    assert_eq!(two.shadows.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(two.verify(0), state(true, true));
    insert(&mut two, 1, 3);
    assert_eq!(refused(&mut two, 1), Some(Error::ReadOnly));
    let read = message(9, Cargo::One(item(2)), Body::Store(Command::Read { part: ORDER }));
    two.client(1, read);
    two.advance(Span::millis(20));
    let rows = sent(&two.told[1]).flat_map(|message| message.cargo.items().to_vec());
    assert_eq!(rows.map(|row| row.number).collect::<Vec<_>>(), [2]);
    two.check();
}

#[test]
fn asynchronous_commits_do_not_wait_and_the_lag_is_seen() {
    let plan = plan_in_two(group()).expect("a plan");
    let mut two = two(&plan);
    two.cut = true;
    store(&mut two, 0, &[1]);
    assert_eq!(said(&mut two, 0), [Answer::Done { absorbed: false }]);
    assert_eq!(two.verify(0), state(true, false));
    assert!(two.shadows.is_empty());
    two.cut = false;
    two.advance(Span::secs(6));
    assert_eq!(two.verify(0), state(true, true));
    assert_eq!(two.shadows.len(), 1);
}

#[test]
fn a_planned_failover_loses_nothing_and_swaps_the_roles() {
    let plan = plan_in_two(group()).expect("a plan");
    let mut two = two(&plan);
    store(&mut two, 0, &[1, 2, 3]);
    two.told[0].clear();
    insert(&mut two, 0, 4);
    two.promote(0, NORTH, Transition::Planned);
    let closed = two.told[0].iter().filter(|effect| matches!(effect, Effect::Close { .. })).count();
    assert_eq!(closed, 1, "the session of 4 is terminated");
    two.told[0].clear();
    insert(&mut two, 0, 5);
    assert_eq!(refused(&mut two, 0), Some(Error::Unavailable), "nobody serves meanwhile");
    two.advance(Span::secs(41));
    assert_eq!(two.answers(0), [Told::Done]);
    assert_eq!((two.held(0), two.held(1)), (vec![], vec![1, 2, 3]));
    insert(&mut two, 0, 6);
    assert_eq!(refused(&mut two, 0), Some(Error::ReadOnly), "it is the secondary now");
    // The inbox came along.
    store(&mut two, 1, &[1, 7]);
    assert_eq!(said(&mut two, 1), [Answer::Done { absorbed: true }, Answer::Done { absorbed: false }]);
    assert_eq!(two.verify(1), state(true, true));
    two.promote(1, WEST, Transition::Planned);
    two.advance(Span::secs(41));
    assert_eq!((two.held(0), two.held(1)), (vec![1, 2, 3, 7], vec![]));
    two.check();
}

#[test]
fn a_forced_failover_loses_the_tail_and_the_old_primary_is_seeded_again() {
    let plan = plan_in_two(group()).expect("a plan");
    let mut two = two(&plan);
    store(&mut two, 0, &[1, 2]);
    two.cut = true;
    store(&mut two, 0, &[3]);
    two.promote(1, NORTH, Transition::Planned);
    two.advance(Span::secs(1));
    assert_eq!(two.answers(1), [Told::Refused], "the primary is away");
    two.promote(1, NORTH, Transition::Forced);
    two.advance(Span::secs(41));
    assert_eq!(two.answers(1), [Told::Done]);
    assert_eq!((two.reborn.clone(), two.held(1)), (vec![1, 2], vec![1, 2]));
    assert_eq!(two.held(0), [1, 2, 3], "it does not know yet");
    store(&mut two, 1, &[4]);
    two.cut = false;
    two.advance(Span::secs(20));
    assert_eq!(two.destroyed, [1, 2, 3]);
    assert!(two.held(0).is_empty());
    assert_eq!(two.verify(1), state(true, true));
    let west = plan.place_named("db/west.order").expect("a place");
    let there: Vec<u32> = two.shadows.iter().filter(|(p, _)| *p == west).map(|(_, n)| *n).collect();
    assert_eq!(there, [1, 2, 4], "3 is gone for good");
    // The same write comes again: the new primary has never seen it.
    store(&mut two, 1, &[3]);
    assert_eq!(two.held(1), [1, 2, 3, 4]);
    two.promote(1, WEST, Transition::Planned);
    two.advance(Span::secs(41));
    assert_eq!(two.held(0), [1, 2, 3, 4]);
    two.check();
}

#[test]
fn a_primary_that_was_away_asks_before_it_serves() {
    let plan = plan_in_two(group()).expect("a plan");
    let mut two = two(&plan);
    store(&mut two, 0, &[1]);
    two.crash(0);
    two.promote(1, NORTH, Transition::Forced);
    two.advance(Span::secs(41));
    store(&mut two, 1, &[2]);
    two.back(0);
    two.told[0].clear();
    insert(&mut two, 0, 3);
    assert!(refused(&mut two, 0).is_some());
    two.advance(Span::secs(10));
    assert_eq!((two.held(0), two.held(1)), (vec![], vec![1, 2]));
    // One that finds nobody serves after all.
    two.crash(0);
    two.crash(1);
    two.back(1);
    two.advance(Span::secs(1));
    store(&mut two, 1, &[4]);
    assert_eq!(two.held(1), [1, 2, 4]);
    two.check();
}

#[test]
fn a_crash_leaves_what_is_durable_and_nothing_else() {
    let plan = plan_in_two(group()).expect("a plan");
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
fn what_cannot_be_replicated_is_refused_with_a_reason() {
    let path = |database: SqlDatabase| plan_in_two(database).expect_err("a mistake")[0].path.join(".");
    let good = group();
    let managed = Some(FailoverPolicy::MicrosoftManaged);
    let lone = SqlDatabase { primary: None, promotion: None, ..good.clone() };
    assert_eq!(path(SqlDatabase { site: sites(&["west"]), ..good.clone() }), "nodes.db.primary");
    assert_eq!(path(SqlDatabase { site: sites(&["west", "west"]), ..good.clone() }), "nodes.db.in");
    assert_eq!(path(SqlDatabase { primary: Some("east".to_owned()), ..good.clone() }), "nodes.db.primary");
    assert_eq!(
        path(SqlDatabase { grace_period: Some(Span::hours(2)), ..good.clone() }),
        "nodes.db.grace-period"
    );
    let hasty = SqlDatabase { grace_period: Some(Span::mins(5)), failover_policy: managed, ..good.clone() };
    assert_eq!(path(hasty), "nodes.db.grace-period");
    let replication = Some(Replication::GeoReplication);
    assert_eq!(
        path(SqlDatabase { replication, failover_policy: managed, ..good }),
        "nodes.db.failover-policy"
    );
    assert_eq!(path(SqlDatabase { failover_policy: managed, ..lone.clone() }), "nodes.db.failover-policy");
    let zoned = |zone, zone_redundant| SqlDatabase { zone: Some(zone), zone_redundant, ..group() };
    assert_eq!(path(zoned(4, false)), "nodes.db.zone");
    assert_eq!(path(zoned(1, true)), "nodes.db.zone");
    // Without any of that each site has a database of its own.
    let plan = plan_in_two(lone).expect("two databases");
    assert!(plan.node("db/west").is_some() && plan.node("db").is_none());
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Insert(usize),
    Delete(usize),
    Cut(bool),
    Crash(usize),
    Back(usize),
    Wait(u64),
    Promote { of: usize, to: u8, mode: Transition },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => (0..2usize).prop_map(Act::Insert),
        2 => (0..2usize).prop_map(Act::Delete),
        2 => any::<bool>().prop_map(Act::Cut),
        1 => (0..2usize).prop_map(Act::Crash),
        2 => (0..2usize).prop_map(Act::Back),
        6 => prop_oneof![Just(1), Just(3), Just(30), Just(7_000), Just(45_000)].prop_map(Act::Wait),
        2 => (0..2usize, 0..2u8, any::<bool>()).prop_map(|(of, to, forced)| Act::Promote {
            of,
            to,
            mode: if forced { Transition::Forced } else { Transition::Planned },
        }),
    ]
}

/// What becomes of everything that was written, whatever happens.
fn play(acts: &[Act]) -> Result<(), TestCaseError> {
    let plan = plan_in_two(group()).expect("a plan");
    let mut two = two(&plan);
    let (mut forced, mut next) = (false, 0);
    let mut deleted = BTreeSet::new();
    for act in acts {
        match *act {
            Act::Insert(of) if !two.down[of] => {
                insert(&mut two, of, next);
                next += 1;
            }
            Act::Delete(of) if !two.down[of] && next > 0 => {
                let number = next / 2;
                deleted.insert(number);
                let delete = [operation(WriteVerb::Delete, ORDER, Once::NONE)];
                two.client(of, write(10_000 + u64::from(next), &[item(number)], &delete));
            }
            Act::Cut(cut) => two.cut = cut,
            Act::Crash(of) if !two.down[of] => two.crash(of),
            Act::Back(of) if two.down[of] => two.back(of),
            Act::Wait(ms) => two.advance(Span::millis(ms)),
            Act::Promote { of, to, mode } if !two.down[of] => {
                forced |= mode == Transition::Forced;
                two.promote(of, to, mode);
            }
            _ => {}
        }
        two.check();
    }
    two.cut = false;
    for of in 0..2 {
        if two.down[of] {
            two.back(of);
        }
    }
    two.advance(Span::mins(2));
    two.advance(Span::mins(2));
    two.check();
    let leads: Vec<usize> = (0..2).filter(|of| !two.held(*of).is_empty()).collect();
    prop_assert!(leads.len() < 2, "one leads: {acts:?}");
    let held: BTreeSet<u32> = two.held(0).into_iter().chain(two.held(1)).collect();
    for number in two.accepted.iter().filter(|number| **number < 5000) {
        let gone = deleted.contains(number) || forced && two.destroyed.contains(number);
        prop_assert!(held.contains(number) || gone, "{number} is lost; {acts:?}");
    }
    let shadows: BTreeSet<u32> = two.shadows.iter().map(|(_, number)| *number).collect();
    prop_assert_eq!(shadows, held, "the secondary has the same: {:?}", acts);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn only_the_tail_of_a_forced_failover_is_lost_and_the_replicas_converge(
        acts in prop::collection::vec(act(), 1..40),
    ) {
        play(&acts)?;
    }
}
