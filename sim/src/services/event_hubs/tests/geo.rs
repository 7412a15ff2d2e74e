//! A namespace in two regions: two processes on the bench, and the way between them in the hand of the test.

use super::*;
use crate::message::control::Transition;
use crate::message::store::{self, LeaseAction};
use crate::services::replicas::bench::Two;
use crate::services::replicas::modes::Replication;
use crate::units::{Distribution, OneOrMany};

const PROMOTION: Span = Span::mins(6);
const NORTH: u8 = 1;
const WEST: u8 = 0;

fn pair_of(replication: Replication) -> Plan {
    let namespace = EventHubs {
        site: OneOrMany::Many(vec!["west".to_owned(), "north".to_owned()]),
        tier: Tier::Premium,
        replication: Some(replication),
        promotion: (replication != Replication::MetadataOnly).then_some(Distribution::Constant(PROMOTION)),
        ..EventHubs::default()
    };
    let mut blueprint = blueprint(namespace, EventHub { partitions: 1, ..hub() });
    blueprint.sites.clear();
    for site in ["west", "north"] {
        blueprint.sites.insert(site.to_owned(), Site::default());
    }
    let app = ContainerApp {
        trigger: "telemetry".to_owned(),
        site: OneOrMany::One("west".to_owned()),
        ..ContainerApp::default()
    };
    blueprint.nodes.insert("reader".to_owned(), NodeKind::ContainerApp(app));
    let mut plan = Plan::new(blueprint).expect("right");
    plan.add_stream("devices", FlowId(0));
    plan
}

fn two(plan: &Plan) -> Two<'_> {
    Two::new(plan, "ingest", |message| matches!(message.body, Body::BrokerEvent(Event::Accepted { .. })))
}

fn publish(two: &mut Two<'_>, of: usize, numbers: &[u32]) {
    for number in numbers {
        two.client(of, send(u64::from(*number) + 1, &[item(*number, 0)], Once::KEY));
    }
    two.advance(Span::millis(20));
}

/// What a reader gets that is at this position; and where it is then.
fn read(two: &mut Two<'_>, of: usize, after: u64, done: u64) -> Option<(Vec<u32>, u64)> {
    two.told[of].clear();
    two.client(of, Ask { after, done, ..ask(DEFAULT, 0, 7) }.message());
    received(&std::mem::take(&mut two.told[of])).into_iter().next()
}

fn refusals(two: &mut Two<'_>, of: usize) -> Vec<Error> {
    refused(&std::mem::take(&mut two.told[of]))
}

#[test]
fn under_sync_nothing_is_acknowledged_or_read_that_the_secondary_does_not_have() {
    let plan = pair_of(Replication::Sync);
    let mut two = two(&plan);
    publish(&mut two, 0, &[1, 2]);
    assert_eq!(two.accepted.len(), 2);
    assert_eq!((two.held(0), two.held(1)), (vec![1, 2], vec![]), "shadows are in no book");
    two.cut = true;
    publish(&mut two, 0, &[3]);
    assert_eq!(two.accepted.len(), 2, "nobody has it but the primary");
    assert_eq!(read(&mut two, 0, 0, 0), Some((vec![1, 2], 2)));
    assert_eq!(read(&mut two, 0, 2, 2), None, "it waits");
    two.advance(Span::secs(20));
    two.told[0].clear();
    publish(&mut two, 0, &[4]);
    assert_eq!(refusals(&mut two, 0), [Error::ServiceBusy], "throttled");
    two.cut = false;
    two.advance(Span::secs(10));
    assert_eq!(received(&two.told[0]), [(vec![3], 3)], "the reader still waited");
    assert_eq!(two.accepted.len(), 3);
    two.check();
}

#[test]
fn a_planned_promotion_waits_for_the_rest_and_readers_go_on_where_they_were() {
    let plan = pair_of(Replication::Async);
    let mut two = two(&plan);
    publish(&mut two, 0, &[1, 2, 3]);
    assert_eq!(read(&mut two, 0, 0, 0), Some((vec![1, 2, 3], 3)));
    read(&mut two, 0, 3, 2);
    let claim =
        |how| Message::new(Body::Store(store::Command::Lease { processor: 0, range: 0, owner: 7, how }));
    two.client(0, claim(LeaseAction::Claim(0)));
    two.client(0, claim(LeaseAction::Checkpoint(2)));
    two.told[0].clear();
    two.promote(0, NORTH, Transition::Planned);
    publish(&mut two, 0, &[4]);
    assert!(!refusals(&mut two, 0).is_empty(), "nobody serves meanwhile");
    two.advance(Span::mins(7));
    assert_eq!((two.held(0), two.held(1)), (vec![], vec![3]), "1 and 2 had been done");
    assert_eq!((two.reborn.clone(), two.destroyed.clone()), (vec![3], vec![3]));
    assert_eq!(read(&mut two, 1, 2, 2), Some((vec![3], 3)));
    // What was written down in the namespace came along.
    two.told[1].clear();
    two.client(1, Message::new(Body::Store(store::Command::Owners { processor: 0 })));
    let told = std::mem::take(&mut two.told[1]);
    let owners = bodies(&told)
        .find_map(|body| if let Body::Owners(known) = body { Some(known.clone()) } else { None });
    assert_eq!(owners.map(|known| (known[0].owner, known[0].checkpoint)), Some((7, 2)));
    publish(&mut two, 1, &[5]);
    assert_eq!(two.held(1), [3, 5]);
    two.check();
    two.promote(1, WEST, Transition::Planned);
    two.advance(Span::mins(7));
    assert_eq!((two.held(0), two.held(1)), (vec![3, 5], vec![]));
    two.check();
}

#[test]
fn a_forced_promotion_loses_the_tail_and_a_reader_who_had_it_misses_nothing_new() {
    let plan = pair_of(Replication::Async);
    let mut two = two(&plan);
    publish(&mut two, 0, &[1, 2]);
    two.cut = true;
    publish(&mut two, 0, &[3, 4]);
    assert_eq!(two.accepted.len(), 4, "asynchronous: the primary alone is enough");
    let (got, position) = read(&mut two, 0, 0, 0).expect("everything");
    assert_eq!(got, [1, 2, 3, 4]);
    two.promote(1, NORTH, Transition::Forced);
    two.advance(Span::mins(7));
    assert_eq!((two.held(0), two.held(1)), (vec![1, 2, 3, 4], vec![1, 2]));
    publish(&mut two, 1, &[5, 6]);
    // The old numbers 3 and 4 were given again.
    let (got, further) = read(&mut two, 1, position, 0).expect("what is new");
    assert_eq!(got, [5, 6]);
    assert!(further > position);
    two.cut = false;
    two.advance(Span::secs(20));
    assert_eq!(two.destroyed, [1, 2, 3, 4]);
    assert_eq!((two.held(0), two.held(1)), (vec![], vec![1, 2, 5, 6]));
    two.check();
    two.promote(1, WEST, Transition::Planned);
    two.advance(Span::mins(7));
    assert_eq!(two.held(0), [1, 2, 5, 6]);
    assert_eq!(read(&mut two, 0, further, 0), None, "nothing new");
    two.check();
}

#[test]
fn under_geo_dr_the_events_stay_where_they_are_and_old_positions_mean_nothing() {
    let plan = pair_of(Replication::MetadataOnly);
    let mut two = two(&plan);
    publish(&mut two, 0, &[1, 2, 3]);
    two.promote(1, NORTH, Transition::Forced);
    two.advance(Span::secs(20));
    publish(&mut two, 1, &[4]);
    assert_eq!((two.held(0), two.held(1)), (vec![1, 2, 3], vec![4]));
    assert_eq!(read(&mut two, 1, 3, 3), None);
    two.client(1, Ask { after: 3, ..ask(DEFAULT, 0, 7) }.message());
    assert_eq!(refusals(&mut two, 1), [Error::InvalidOperation], "a checkpoint of the other namespace");
    assert_eq!(read(&mut two, 1, 0, 0), Some((vec![4], 1)));
    two.check();
}

#[test]
fn what_cannot_be_replicated_is_refused() {
    let site = || OneOrMany::Many(vec!["west".to_owned(), "north".to_owned()]);
    let fails = |namespace: EventHubs, what: &str| {
        let mut blueprint = blueprint(namespace, hub());
        blueprint.sites.clear();
        for site in ["west", "north"] {
            blueprint.sites.insert(site.to_owned(), Site::default());
        }
        let errors = Plan::new(blueprint).expect_err(what);
        let text = format!("{} {}", errors[0], errors[0].help.clone().unwrap_or_default());
        assert!(text.contains(what), "{text}");
    };
    let premium = |replication| EventHubs {
        tier: Tier::Premium,
        site: site(),
        replication: Some(replication),
        ..EventHubs::default()
    };
    let standard = EventHubs { tier: Tier::Standard, ..premium(Replication::Async) };
    fails(standard, "metadata-only");
    fails(
        EventHubs { primary: Some("south".to_owned()), ..premium(Replication::Sync) },
        "not one of its sites",
    );
    fails(EventHubs { max_lag: Some(Span::mins(1)), ..premium(Replication::Sync) }, "may lag");
    let one = OneOrMany::One("west".to_owned());
    fails(EventHubs { site: one, ..premium(Replication::Sync) }, "two sites");
}
