//! An account in several regions: its processes on the bench, and the ways between them in the hand of the test.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::ids::{PlaceId, ProcessId};
use crate::message::control::{Answer as Told, Command as Control, Transition};
use crate::message::{broker, control};
use crate::node::CloseReason;
use crate::observe::Birth;
use crate::plan::PlanError;
use crate::services::bench::{plan_in, sites};

pub(super) const WEST: usize = 0;
pub(super) const NORTH: usize = 1;
const EAST: usize = 2;
const SITES: [&str; 3] = ["west", "north", "east"];
const FAILOVER: Span = Span::mins(2);
const RETURN: Span = Span::mins(30);

pub(super) fn account(regions: usize) -> CosmosDb {
    CosmosDb {
        site: sites(&SITES[..regions]),
        failover_time: Some(Distribution::Constant(FAILOVER)),
        region_return: Some(Distribution::Constant(RETURN)),
        ..config()
    }
}

pub(super) fn plan_of(config: CosmosDb) -> Result<Plan, Vec<PlanError>> {
    plan_in(&SITES.map(|site| (site, None)), vec![("it", NodeKind::CosmosDb(config))])
}

/// The regions, and what is on the way between them.
pub(super) struct Regions<'a> {
    plan: &'a Plan,
    rigs: Vec<Rig<'a>>,
    ids: Vec<ProcessId>,
    /// Cut off: what is sent to it or by it gets lost with its connection.
    pub(super) cut: Vec<bool>,
    /// Crashed, and not back.
    pub(super) down: Vec<bool>,
    balance: BTreeMap<(PlaceId, u64), i64>,
    shadows: BTreeSet<(PlaceId, u64)>,
    /// What clients of each were told.
    told: Vec<Vec<Effect>>,
    reborn: Vec<u32>,
    /// What was acknowledged.
    pub(super) written: BTreeSet<u32>,
    calls: u64,
}

impl<'a> Regions<'a> {
    pub(super) fn new(plan: &'a Plan) -> Regions<'a> {
        let built = plan.blueprint.nodes["it"].build("it", plan).expect("it builds");
        let count = built.len() - 2; // the name and the control plane
        let ids: Vec<ProcessId> = built.iter().take(count).map(|(id, _)| *id).collect();
        let rigs = built.into_iter().take(count).map(|(id, process)| Rig::new(plan, id, process).0);
        Regions {
            plan,
            rigs: rigs.collect(),
            ids,
            cut: vec![false; count],
            down: vec![false; count],
            balance: BTreeMap::new(),
            shadows: BTreeSet::new(),
            told: vec![Vec::new(); count],
            reborn: Vec::new(),
            written: BTreeSet::new(),
            calls: 0,
        }
    }

    /// Books what one did, and carries what it says to the others.
    fn carry(&mut self, of: usize, effects: Vec<Effect>) {
        let mut lost = vec![false; self.rigs.len()];
        for effect in effects {
            match effect {
                Effect::Observe { item, what, .. } => self.book(item, what),
                Effect::Call { to, message } if self.ids.contains(&to) => {
                    let to = self.ids.iter().position(|id| *id == to).expect("one of them");
                    lost[to] |= !self.pass(of, to, message);
                }
                Effect::Answer { connection, message } if self.ids.contains(&ProcessId(connection.slot)) => {
                    let to = self.ids.iter().position(|id| id.0 == connection.slot).expect("one of them");
                    lost[to] |= !self.pass(of, to, message);
                }
                other => {
                    if let Effect::Answer { message, .. } = &other
                        && matches!(message.body, Body::StoreAnswer(Answer::Done { .. }))
                    {
                        self.written.extend(message.cargo.items().iter().map(|item| item.number));
                    }
                    self.told[of].push(other);
                }
            }
        }
        for to in (0..lost.len()).filter(|to| lost[*to]) {
            self.close(of, to);
            if !self.down[to] {
                self.close(to, of);
            }
        }
    }

    fn close(&mut self, of: usize, to: usize) {
        let effects = self.rigs[of].closed(self.ids[to].0, CloseReason::TimedOut);
        self.carry(of, effects);
    }

    fn pass(&mut self, of: usize, to: usize, message: Message) -> bool {
        if self.cut[of] || self.cut[to] || self.down[to] {
            return false;
        }
        let effects = self.rigs[to].message(self.ids[of].0, message);
        self.carry(to, effects);
        true
    }

    fn book(&mut self, item: Item, what: What) {
        let mut enter = |place, by| *self.balance.entry((place, item.identity())).or_insert(0) += by;
        match what {
            What::Born { place, cause } => {
                enter(place, 1);
                if cause == Birth::Reborn {
                    self.reborn.push(item.number);
                }
            }
            What::Ended { place, .. } => enter(place, -1),
            What::Moved { from, to, .. } => {
                enter(from, -1);
                enter(to, 1);
            }
            What::Shadow { place, held: true } => drop(self.shadows.insert((place, item.identity()))),
            What::Shadow { place, held: false } => drop(self.shadows.remove(&(place, item.identity()))),
            _ => {}
        }
    }

    fn client(&mut self, of: usize, message: Message) {
        let effects = self.rigs[of].message(900, message);
        self.carry(of, effects);
    }

    /// Lets time pass, in steps.
    pub(super) fn advance(&mut self, span: Span) {
        let steps = (span.0 / Span::millis(2).0).clamp(1, 300);
        for _ in 0..steps {
            for of in 0..self.rigs.len() {
                let step = Span(span.0 / steps);
                if self.down[of] {
                    self.rigs[of].now += step;
                    continue;
                }
                let effects = self.rigs[of].advance(step);
                self.carry(of, effects);
            }
        }
    }

    pub(super) fn crash(&mut self, of: usize) {
        self.rigs[of].process.crash();
        self.down[of] = true;
        for to in (0..self.rigs.len()).filter(|to| *to != of) {
            if !self.down[to] {
                self.close(to, of);
            }
        }
    }

    pub(super) fn back(&mut self, of: usize) {
        self.down[of] = false;
        let effects = self.rigs[of].crash();
        self.carry(of, effects);
    }

    /// Cuts a region off, or lets it come back.
    pub(super) fn isolate(&mut self, of: usize, cut: bool) {
        self.cut[of] = cut;
    }

    pub(super) fn write_as(&mut self, of: usize, verb: WriteVerb, number: u32) {
        self.calls += 1;
        let once = if verb == WriteVerb::Delete { Once::NONE } else { Once::ITEM };
        let message = write(self.calls, &[item(number)], &[operation(verb, ORDER, once)]);
        self.client(of, message);
    }

    pub(super) fn insert(&mut self, of: usize, numbers: &[u32]) {
        numbers.iter().for_each(|number| self.write_as(of, WriteVerb::Insert, *number));
        self.advance(Span::millis(20));
    }

    pub(super) fn errors(&mut self, of: usize) -> Vec<Error> {
        let told = std::mem::take(&mut self.told[of]);
        let refused = |answer: &Answer| match answer {
            Answer::Refused { error, .. } => Some(*error),
            _ => None,
        };
        answers(&told).iter().filter_map(refused).collect()
    }

    /// What a read finds, if it is answered.
    pub(super) fn read(&mut self, of: usize, number: u32) -> Option<bool> {
        self.told[of].clear();
        self.calls += 1;
        let body = Body::Store(Command::Read { part: ORDER });
        self.client(of, message(self.calls, Cargo::One(item(number)), body));
        self.advance(Span::millis(20));
        let told = std::mem::take(&mut self.told[of]);
        sent(&told).find_map(|message| match message.body {
            Body::StoreAnswer(Answer::Rows { .. }) => Some(!message.cargo.is_empty()),
            _ => None,
        })
    }

    pub(super) fn fail_over(&mut self, to: usize, mode: Transition) {
        self.calls += 1;
        let command = Control::Promote { to: to as u8, mode };
        self.client(to, message(self.calls, Cargo::None, Body::Control(command)));
    }

    fn control(&mut self, of: usize) -> Vec<Told> {
        let told = std::mem::take(&mut self.told[of]);
        let answers = bodies(&told).filter_map(|body| match body {
            Body::ControlAnswer(answer) => Some(*answer),
            _ => None,
        });
        answers.collect()
    }

    pub(super) fn verify(&mut self, of: usize) -> Option<Told> {
        self.told[of].clear();
        self.client(of, Message::new(Body::Control(Control::Verify { part: 0 })));
        self.control(of).pop()
    }

    pub(super) fn leads(&mut self, of: usize) -> bool {
        matches!(self.verify(of), Some(Told::State { up: true, .. }))
    }

    /// The items in its book.
    pub(super) fn held(&self, of: usize) -> Vec<u32> {
        let mine = self.plan.place_named(&format!("it/{}.order", SITES[of]));
        let held = self.rigs[of].held();
        let mut numbers: Vec<u32> =
            held.iter().filter(|held| Some(held.place) == mine).map(|held| held.item.number).collect();
        numbers.sort_unstable();
        numbers
    }

    pub(super) fn shadowed(&self, of: usize) -> usize {
        let mine = self.plan.place_named(&format!("it/{}.order", SITES[of]));
        self.shadows.iter().filter(|(place, _)| Some(*place) == mine).count()
    }

    /// What can be read there.
    pub(super) fn found(&self, of: usize) -> BTreeSet<u32> {
        let mine = self.plan.place_named(&format!("it/{}.order", SITES[of]));
        let shadows = self.shadows.iter().filter(|(place, _)| Some(*place) == mine);
        let shadows = shadows.map(|(_, identity)| *identity).collect::<BTreeSet<_>>();
        let here = (0..100).filter(|number| shadows.contains(&item(*number).identity()));
        here.chain(self.held(of)).collect()
    }

    pub(super) fn conflicts(&self) -> Vec<u32> {
        let place = self.plan.place_named("it.conflicts");
        let held = self.rigs.iter().flat_map(Rig::held).filter(|held| Some(held.place) == place);
        held.map(|held| held.item.number).collect()
    }

    /// All books close: what was born and has not ended is held, place by place, item by item.
    pub(super) fn check(&self) {
        let mut held = BTreeMap::new();
        for one in self.rigs.iter().flat_map(Rig::held) {
            *held.entry((one.place, one.item.identity())).or_insert(0) += i64::from(one.copies);
        }
        let open = self.balance.iter().filter(|(_, count)| **count != 0);
        let open: BTreeMap<_, _> = open.map(|(key, count)| (*key, *count)).collect();
        assert_eq!(open, held);
    }

    /// Ends every trouble, and waits until all regions are back.
    pub(super) fn heal(&mut self) {
        self.cut.fill(false);
        for of in 0..self.rigs.len() {
            if self.down[of] {
                self.back(of);
            }
        }
        for _ in 0..4 {
            self.advance(Span::mins(9));
            self.advance(RETURN);
        }
    }
}

#[test]
fn what_is_written_is_in_all_regions_and_in_one_book() {
    let plan = plan_of(account(3)).expect("a plan");
    let mut all = Regions::new(&plan);
    all.insert(WEST, &[1, 2]);
    assert_eq!((all.held(WEST), all.held(NORTH), all.held(EAST)), (vec![1, 2], vec![], vec![]));
    assert_eq!((all.shadowed(NORTH), all.shadowed(EAST)), (2, 2));
    assert_eq!((all.read(NORTH, 1), all.read(EAST, 3)), (Some(true), Some(false)));
    all.insert(NORTH, &[3]);
    assert_eq!(all.errors(NORTH), [Error::ReadOnly], "403.3");
    all.write_as(WEST, WriteVerb::Delete, 1);
    all.advance(Span::millis(20));
    assert_eq!((all.held(WEST), all.shadowed(EAST), all.read(EAST, 1)), (vec![2], 1, Some(false)));
    assert_eq!(all.verify(WEST), Some(Told::State { up: true, in_sync: true }));
    all.check();
}

#[test]
fn a_planned_failover_loses_nothing_and_needs_both_regions() {
    let plan = plan_of(account(2)).expect("a plan");
    let mut all = Regions::new(&plan);
    all.insert(WEST, &[1, 2, 3]);
    all.fail_over(NORTH, Transition::Planned);
    all.insert(WEST, &[4]);
    assert_eq!(all.errors(WEST), [Error::ReadOnly], "nobody takes writes meanwhile");
    all.advance(FAILOVER);
    assert_eq!(all.control(NORTH), [Told::Done]);
    assert_eq!((all.held(WEST), all.held(NORTH)), (vec![], vec![1, 2, 3]));
    all.insert(NORTH, &[4]);
    assert_eq!((all.shadowed(WEST), all.read(WEST, 4)), (4, Some(true)));
    all.check();
    all.isolate(NORTH, true);
    all.fail_over(WEST, Transition::Planned);
    assert_eq!(all.control(WEST), [Told::Refused], "facts 1.8: it fails during an outage");
    all.isolate(NORTH, false);
    all.advance(Span::secs(20));
    all.insert(NORTH, &[5]);
    assert_eq!((all.errors(NORTH), all.held(NORTH)), (vec![], vec![1, 2, 3, 4, 5]));
    all.check();
}

#[test]
fn what_a_lost_write_region_had_not_replicated_comes_back_in_the_conflict_feed() {
    let plan = plan_of(account(2)).expect("a plan");
    let mut all = Regions::new(&plan);
    all.insert(WEST, &[1, 2]);
    all.isolate(WEST, true);
    all.insert(WEST, &[3, 4, 5]);
    all.write_as(WEST, WriteVerb::Delete, 5);
    all.advance(Span::millis(20));
    assert_eq!(all.written.len(), 5, "it knows nothing of it");
    all.fail_over(NORTH, Transition::Forced);
    all.advance(FAILOVER);
    assert_eq!((all.held(NORTH), all.control(NORTH)), (vec![1, 2], vec![Told::Done]));
    all.insert(NORTH, &[4, 6]);
    all.check();
    all.isolate(WEST, false);
    all.advance(Span::secs(20));
    all.insert(WEST, &[7]);
    assert_eq!(all.errors(WEST), [Error::Unavailable], "offline");
    assert_eq!((all.held(WEST), all.conflicts()), (vec![1, 2, 3, 4], vec![]));
    assert_eq!(all.verify(NORTH), Some(Told::State { up: true, in_sync: false }));
    all.fail_over(WEST, Transition::Forced);
    assert_eq!(all.control(WEST), [Told::Refused]);
    all.advance(RETURN);
    assert_eq!((all.held(WEST), all.conflicts()), (vec![], vec![3]), "4 was written again: the later wins");
    assert_eq!((all.held(NORTH), all.shadowed(WEST)), (vec![1, 2, 4, 6], 4));
    assert_eq!(all.verify(NORTH), Some(Told::State { up: true, in_sync: true }));
    all.check();
}

#[test]
fn the_conflict_feed_is_sent_again_and_emptied() {
    let plan = plan_of(account(2)).expect("a plan");
    let mut all = Regions::new(&plan);
    all.isolate(WEST, true);
    all.insert(WEST, &[3]);
    all.fail_over(NORTH, Transition::Forced);
    all.advance(FAILOVER);
    all.isolate(WEST, false);
    all.advance(Span::secs(20));
    all.advance(RETURN);
    assert_eq!(all.conflicts(), [3]);
    let to = crate::ids::Address { process: ProcessId(77), part: 4 };
    all.told[WEST].clear();
    all.client(WEST, message(900, Cargo::None, Body::Control(control::Command::Replay { to })));
    let told = std::mem::take(&mut all.told[WEST]);
    let sends: Vec<Message> = sent(&told).cloned().collect();
    let [send] = sends.as_slice() else { panic!("{sends:?}") };
    assert!(matches!(send.body, Body::Broker(broker::Command::Send { part: 4, .. })), "{send:?}");
    let effects =
        all.rigs[WEST].message(77, send.answer(Body::BrokerEvent(broker::Event::Accepted { sequence: 1 })));
    all.carry(WEST, effects);
    assert_eq!((all.control(WEST), all.conflicts()), (vec![Told::Done], vec![]));
    all.check();
}

#[test]
fn a_write_under_strong_consistency_waits_for_the_other_regions() {
    let strong = |regions| CosmosDb { consistency: Consistency::Strong, ..account(regions) };
    let plan = plan_of(strong(2)).expect("a plan");
    let mut all = Regions::new(&plan);
    all.insert(WEST, &[1]);
    assert!(all.written.contains(&1));
    all.isolate(NORTH, true);
    all.insert(WEST, &[2]);
    assert!(!all.written.contains(&2), "the other region does not have it");
    assert_eq!(all.read(WEST, 2), None, "nor is it shown");
    all.told[WEST].clear();
    all.insert(WEST, &[3]);
    assert_eq!(all.errors(WEST), [Error::Unavailable], "with two regions there is no smaller quorum");
    assert_eq!(all.read(NORTH, 1), None, "it may be behind");
    all.isolate(NORTH, false);
    all.advance(Span::secs(10));
    assert!(all.written.contains(&2));
    all.isolate(NORTH, true);
    all.insert(WEST, &[4]);
    all.fail_over(WEST, Transition::Forced);
    all.advance(Span::secs(1));
    assert!(all.written.contains(&4), "facts 1.8: the read region was taken offline");
    all.check();

    let plan = plan_of(strong(3)).expect("a plan");
    let mut all = Regions::new(&plan);
    all.isolate(EAST, true);
    all.insert(WEST, &[1]);
    all.insert(WEST, &[2]);
    assert_eq!(all.written.len(), 2, "two of three are a majority");
    assert_eq!(all.read(EAST, 1), None, "who is not in the quorum answers no reads");
    all.check();
}

#[test]
fn bounded_staleness_throttles_writes_when_a_region_is_too_far_behind() {
    let config = CosmosDb { consistency: Consistency::BoundedStaleness, ..account(2) };
    let plan = plan_of(config).expect("a plan");
    let mut all = Regions::new(&plan);
    all.isolate(NORTH, true);
    all.insert(WEST, &[1]);
    all.advance(Span::secs(299));
    all.insert(WEST, &[2]);
    assert_eq!(all.written.len(), 2);
    all.advance(Span::secs(2));
    all.insert(WEST, &[3]);
    assert_eq!(all.errors(WEST), [Error::TooManyRequests]);
    all.isolate(NORTH, false);
    all.advance(Span::secs(10));
    all.insert(WEST, &[3]);
    assert_eq!((all.written.len(), all.shadowed(NORTH)), (3, 3));
}

#[test]
fn a_region_that_crashes_and_starts_goes_on_where_it_was() {
    let plan = plan_of(account(3)).expect("a plan");
    let mut all = Regions::new(&plan);
    all.insert(WEST, &[1]);
    all.crash(NORTH);
    all.insert(WEST, &[2]);
    all.crash(WEST);
    all.back(NORTH);
    all.back(WEST);
    all.advance(Span::secs(20));
    assert!(all.leads(WEST));
    assert_eq!((all.shadowed(NORTH), all.shadowed(EAST), all.held(WEST)), (2, 2, vec![1, 2]));
    let rig = &mut all.rigs[NORTH];
    rig.process.crash();
    all.down[NORTH] = true;
    all.check();
}

#[test]
fn with_three_regions_the_second_failover_knows_of_the_first() {
    let plan = plan_of(account(3)).expect("a plan");
    let mut all = Regions::new(&plan);
    all.insert(WEST, &[1]);
    all.isolate(WEST, true);
    all.insert(WEST, &[2]);
    all.isolate(EAST, true);
    all.fail_over(NORTH, Transition::Forced);
    all.advance(FAILOVER);
    all.insert(NORTH, &[3]);
    // Nobody has told the third of the second.
    all.isolate(NORTH, true);
    all.isolate(EAST, false);
    all.fail_over(EAST, Transition::Forced);
    all.advance(FAILOVER);
    all.insert(EAST, &[4]);
    assert_eq!((all.held(NORTH), all.held(EAST)), (vec![1, 3], vec![1, 4]));
    all.heal();
    let leading: Vec<usize> = (0..3).filter(|of| all.leads(*of)).collect();
    assert_eq!(leading, [EAST], "the later term is the higher one");
    let mut conflicts = all.conflicts();
    conflicts.sort_unstable();
    assert_eq!((conflicts, all.held(EAST)), (vec![2, 3], vec![1, 4]));
    all.check();
}
