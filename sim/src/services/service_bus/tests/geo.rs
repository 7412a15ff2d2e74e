//! A namespace in two regions: two processes on the bench, and the way between them in the hand of the test.

use super::*;
use crate::message::broker::Error;
use crate::message::control::{Answer, Transition};
use crate::plan::PlanError;
use crate::services::bench::{plan_in, sites};
use crate::services::replicas::bench::Two;
use crate::services::service_bus::{Replication, ServiceBus, ServiceBusQueue, Tier};
use crate::units::Distribution;

const PROMOTION: Span = Span::mins(6);
pub(super) const WEST: u8 = 0;
pub(super) const NORTH: u8 = 1;

pub(super) fn bus(replication: Replication) -> ServiceBus {
    ServiceBus {
        site: sites(&["west", "north"]),
        tier: Tier::Premium,
        replication: Some(replication),
        promotion: (replication != Replication::MetadataOnly).then_some(Distribution::Constant(PROMOTION)),
        ..ServiceBus::default()
    }
}

pub(super) fn plan_of(bus: ServiceBus) -> Result<Plan, Vec<PlanError>> {
    let queue = ServiceBusQueue {
        of: "bus".to_owned(),
        dedup_window: Some(Span::mins(30)),
        ..ServiceBusQueue::default()
    };
    let nodes = vec![("bus", NodeKind::ServiceBus(bus)), ("raw", NodeKind::ServiceBusQueue(queue))];
    plan_in(&[("west", None), ("north", None)], nodes)
}

/// The two namespaces, and what is on the way between them.
pub(super) struct Pair<'a> {
    two: Two<'a>,
    /// What somebody has begun to complete.
    pub(super) begun: std::collections::BTreeSet<u32>,
}

impl<'a> std::ops::Deref for Pair<'a> {
    type Target = Two<'a>;

    fn deref(&self) -> &Two<'a> {
        &self.two
    }
}

impl std::ops::DerefMut for Pair<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.two
    }
}

impl<'a> Pair<'a> {
    pub(super) fn new(plan: &'a Plan) -> Pair<'a> {
        let accepts = |message: &Message| matches!(message.body, Body::BrokerEvent(Event::Accepted { .. }));
        Pair { two: Two::new(plan, "bus", accepts), begun: std::collections::BTreeSet::new() }
    }

    pub(super) fn send(&mut self, of: usize, numbers: &[u32]) {
        for number in numbers {
            self.client(of, send(0, &[*number]).message(u64::from(*number) + 1));
        }
    }

    /// Takes all messages that can be got.
    pub(super) fn receive(&mut self, of: usize) -> Vec<(u32, u64, u32)> {
        self.told[of].clear();
        self.client(of, attach(0, 9, 100));
        delivered(&std::mem::take(&mut self.told[of]))
    }

    fn complete(&mut self, of: usize, lock: u64) {
        self.client(of, settle(9, lock, Settlement::Complete));
    }

    pub(super) fn complete_as(&mut self, of: usize, number: u32, lock: u64) {
        self.begun.insert(number);
        self.complete(of, lock);
    }

    fn events(&mut self, of: usize) -> Vec<Event> {
        events(&std::mem::take(&mut self.told[of]))
    }

    pub(super) fn serves(&mut self, of: usize) -> bool {
        matches!(self.verify(of), Some(Answer::State { up: true, .. }))
    }
}

fn accepted(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Accepted { .. })).count()
}

#[test]
fn what_is_acknowledged_under_sync_is_on_the_secondary_and_no_book_knows() {
    let plan = plan_of(bus(Replication::Sync)).expect("a plan");
    let mut pair = Pair::new(&plan);
    pair.send(0, &[1, 2]);
    pair.advance(Span::millis(20));
    assert_eq!(accepted(&pair.events(0)), 2);
    assert_eq!((pair.held(0), pair.held(1)), (vec![1, 2], vec![]));
    assert_eq!(pair.verify(0), Some(Answer::State { up: true, in_sync: true }));
    pair.cut = true;
    pair.send(0, &[3]);
    pair.advance(Span::secs(2));
    assert!(pair.events(0).is_empty(), "nobody has it but the primary");
    assert_eq!(pair.receive(0).len(), 2, "what the secondary does not have is not delivered");
    pair.advance(Span::secs(20));
    pair.told[0].clear();
    pair.send(0, &[4]);
    assert_eq!(pair.events(0), [Event::Refused(Error::ServiceBusy)], "facts 1.9: throttled");
    pair.cut = false;
    pair.advance(Span::secs(10));
    assert_eq!(accepted(&pair.events(0)), 1);
    pair.check();
}

#[test]
fn a_planned_promotion_waits_for_the_rest_and_loses_nothing() {
    let plan = plan_of(bus(Replication::Async)).expect("a plan");
    let mut pair = Pair::new(&plan);
    pair.send(0, &[1, 2, 3]);
    pair.advance(Span::millis(20));
    let got = pair.receive(0);
    pair.complete(0, got[0].1);
    pair.advance(Span::millis(20));
    pair.events(0);
    pair.promote(0, NORTH, Transition::Planned);
    pair.send(0, &[4]);
    assert!(pair.events(0).contains(&Event::Refused(Error::ServiceBusy)), "nobody serves meanwhile");
    pair.advance(Span::mins(5));
    assert_eq!((pair.held(0), pair.held(1)), (vec![2, 3], vec![]));
    pair.advance(Span::mins(2));
    assert_eq!(pair.answers(0), [Answer::Done]);
    assert_eq!((pair.held(0), pair.held(1)), (vec![], vec![2, 3]));
    assert_eq!(pair.receive(1).iter().map(|got| got.0).collect::<Vec<_>>(), [2, 3]);
    pair.send(1, &[1, 5]);
    pair.advance(Span::millis(20));
    assert_eq!(pair.held(1), [2, 3, 5], "1 was seen before: duplicate detection came along");
    assert_eq!(pair.verify(1), Some(Answer::State { up: true, in_sync: true }));
    pair.check();
    // And back again: the old primary is the secondary now.
    pair.promote(1, WEST, Transition::Planned);
    pair.advance(Span::mins(7));
    assert_eq!((pair.held(0), pair.held(1)), (vec![2, 3, 5], vec![]));
    pair.check();
}

#[test]
fn a_forced_promotion_loses_the_tail_and_delivers_completions_again() {
    let plan = plan_of(bus(Replication::Async)).expect("a plan");
    let mut pair = Pair::new(&plan);
    pair.send(0, &[1, 2, 3]);
    pair.advance(Span::millis(20));
    let got = pair.receive(0);
    pair.cut = true;
    pair.complete(0, got[0].1);
    pair.send(0, &[4]);
    pair.advance(Span::millis(20));
    assert_eq!(accepted(&pair.events(0)), 4 - 3, "asynchronous: the primary alone is enough");
    pair.promote(1, NORTH, Transition::Planned);
    pair.advance(Span::millis(20));
    assert_eq!(pair.answers(1), [Answer::Refused], "the primary is away");
    pair.promote(1, NORTH, Transition::Forced);
    pair.advance(Span::mins(7));
    assert_eq!(pair.answers(1), [Answer::Done]);
    assert_eq!(pair.reborn, [1, 2, 3], "the completion of 1 was not replicated");
    assert_eq!(pair.held(1), [1, 2, 3]);
    assert_eq!(pair.held(0), [2, 3, 4], "it does not know yet");
    pair.cut = false;
    pair.advance(Span::secs(20));
    assert_eq!(pair.destroyed, [2, 3, 4]);
    assert!(pair.held(0).is_empty());
    assert_eq!(pair.verify(0), Some(Answer::State { up: false, in_sync: true }));
    assert_eq!(pair.verify(1), Some(Answer::State { up: true, in_sync: true }), "resynchronised");
    pair.send(0, &[9]);
    assert_eq!(pair.events(0), [Event::Refused(Error::ServiceBusy)]);
    pair.check();
    // What the new primary had is on the old one again, and survives the way back.
    pair.promote(1, WEST, Transition::Planned);
    pair.advance(Span::mins(7));
    assert_eq!(pair.held(0), [1, 2, 3]);
    pair.check();
}

#[test]
fn a_primary_that_was_away_hears_that_it_was_deposed_before_it_serves() {
    let plan = plan_of(bus(Replication::Sync)).expect("a plan");
    let mut pair = Pair::new(&plan);
    pair.send(0, &[1, 2]);
    pair.advance(Span::millis(20));
    pair.crash(0);
    pair.promote(1, NORTH, Transition::Forced);
    pair.advance(Span::mins(7));
    pair.send(1, &[3]);
    pair.advance(Span::millis(20));
    assert_eq!(pair.held(1), [1, 2, 3], "the new primary does not wait for one that is away");
    assert_eq!(accepted(&pair.events(1)), 1);
    pair.back(0);
    pair.events(0);
    pair.send(0, &[4]);
    assert_eq!(pair.events(0), [Event::Refused(Error::ServiceBusy)]);
    pair.advance(Span::secs(10));
    assert_eq!(pair.destroyed, [1, 2]);
    pair.check();
    // A primary that comes back and finds nobody serves after all.
    pair.crash(0);
    pair.crash(1);
    pair.back(1);
    pair.advance(Span::secs(1));
    assert_eq!(pair.receive(1).len(), 3);
}

#[test]
fn geo_dr_takes_the_name_and_leaves_the_messages() {
    let plan = plan_of(bus(Replication::MetadataOnly)).expect("a plan");
    let mut pair = Pair::new(&plan);
    pair.send(0, &[1, 2]);
    pair.advance(Span::millis(20));
    pair.promote(1, NORTH, Transition::Planned);
    assert_eq!(pair.answers(1), [Answer::Refused]);
    pair.crash(0);
    pair.promote(1, NORTH, Transition::Forced);
    assert_eq!(pair.answers(1), [Answer::Done]);
    pair.send(1, &[3]);
    pair.advance(Span::millis(20));
    pair.back(0);
    assert_eq!((pair.held(0), pair.held(1)), (vec![1, 2], vec![3]), "the messages stay where they were");
    assert_eq!(pair.receive(0).len(), 2, "it is a namespace of its own again");
    pair.advance(Span::secs(10));
    pair.events(0);
    pair.promote(0, WEST, Transition::Forced);
    assert_eq!(pair.answers(0), [Answer::Refused], "the pairing is over");
    pair.check();
}

#[test]
fn an_asynchronous_lag_throttles_sends() {
    let mut bus = bus(Replication::Async);
    bus.max_lag = Some(Span::secs(30));
    let plan = plan_of(bus).expect("a plan");
    let mut pair = Pair::new(&plan);
    pair.cut = true;
    pair.send(0, &[1]);
    pair.advance(Span::secs(29));
    pair.send(0, &[2]);
    pair.advance(Span::secs(2));
    assert_eq!(accepted(&pair.events(0)), 2);
    pair.send(0, &[3]);
    assert_eq!(pair.events(0), [Event::Refused(Error::ServiceBusy)]);
    let (lag, most) = pair.rigs[0].gauge("replication lag").expect("it leads");
    assert!(lag > 30.0 && lag < 32.0 && most == 30.0, "{lag}");
    assert_eq!(pair.rigs[1].gauge("replication lag"), None, "it follows");
    assert_eq!(pair.verify(0), Some(Answer::State { up: true, in_sync: false }));
}

#[test]
fn a_crash_leaves_what_is_durable_and_nothing_else() {
    let plan = plan_of(bus(Replication::Sync)).expect("a plan");
    let mut pair = Pair::new(&plan);
    pair.send(0, &[1, 2]);
    pair.advance(Span::millis(20));
    for rig in &mut pair.rigs {
        rig.process.crash();
        let once = format!("{:?}", rig.process);
        rig.process.crash();
        assert_eq!(once, format!("{:?}", rig.process));
    }
}

#[test]
fn what_cannot_be_replicated_is_refused_with_a_reason() {
    let path = |bus: ServiceBus| plan_of(bus).expect_err("a mistake")[0].path.join(".");
    let good = bus(Replication::Sync);
    assert_eq!(path(ServiceBus { tier: Tier::Standard, ..good.clone() }), "nodes.bus.replication");
    assert_eq!(path(ServiceBus { site: sites(&["west"]), ..good.clone() }), "nodes.bus.replication");
    assert_eq!(path(ServiceBus { site: sites(&["west", "west"]), ..good.clone() }), "nodes.bus.in");
    assert_eq!(path(ServiceBus { primary: Some("east".to_owned()), ..good.clone() }), "nodes.bus.primary");
    assert_eq!(path(ServiceBus { max_lag: Some(Span::secs(5)), ..good.clone() }), "nodes.bus.max-lag");
    let alone = ServiceBus { replication: None, promotion: None, primary: Some("west".to_owned()), ..good };
    assert_eq!(path(alone), "nodes.bus.primary");
}
