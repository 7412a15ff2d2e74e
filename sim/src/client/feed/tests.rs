use super::*;
use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{ConnectionId, FaultId, Item, Once};
use crate::message::control;
use crate::message::store::WriteVerb;
use crate::node::rig::Rig;
use crate::node::{CloseReason, Effect, Input, Process};
use crate::observe::{Held, What};
use crate::plan::{Plan, PlanError};
use crate::recipe::hosts::ContainerApp;
use crate::services::bench::{fault, item, operation, write};
use crate::services::cosmos_db::CosmosDb;
use crate::services::{NodeKind, Service};
use crate::units::{Distribution, RequestUnits};

/// A host that works on pages as it is told: its runs succeed or fail.
#[derive(Clone, Debug)]
struct Host {
    processor: FeedProcessor,
    fails: bool,
    checkpoints: bool,
}

impl Host {
    fn take(&mut self, event: Option<Event>, cx: &mut Context<'_>) {
        match event {
            Some(Event::Page(page)) => {
                let run = u64::from(page.range);
                cx.observe_each(page.cargo.items(), What::RunStarted { run });
                if self.fails {
                    self.processor.retry(page.range, cx);
                } else if self.checkpoints {
                    let event = self.processor.checkpoint(page.range, page.upto, cx);
                    self.take(event, cx);
                }
            }
            Some(Event::Checkpointed { range }) => self.processor.done(range, cx),
            Some(Event::CheckpointFailed { range }) => self.processor.retry(range, cx),
            Some(Event::Lost { .. }) | None => {}
        }
    }
}

impl Process for Host {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => self.processor.on_start(cx),
            Input::Timer(token) => {
                let event = self.processor.on_timer(token, cx);
                self.take(event, cx);
            }
            Input::Message { message, .. } => match message.body {
                Body::Control(control::Command::Enable { part, on }) if part == FAILS => self.fails = on,
                Body::Control(control::Command::Enable { on, .. }) => self.checkpoints = on,
                _ => {
                    let event = self.processor.on_message(&message, cx);
                    self.take(event, cx);
                }
            },
            Input::Closed { peer, .. } => {
                for event in self.processor.on_closed(peer, cx) {
                    self.take(Some(event), cx);
                }
            }
            Input::Disk(..) | Input::Poke => {}
        }
    }
    fn crash(&mut self) {
        self.processor.crash();
    }
    fn inventory(&self, _: &mut dyn FnMut(Held)) {}
    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

const FAILS: u16 = 0;
const CHECKPOINTS: u16 = 1;

fn set(what: u16, on: bool) -> Message {
    Message::new(Body::Control(control::Command::Enable { part: what, on }))
}

/// A plan with an account, a node that reads it, and one process for each instance of that node.
fn reading_plan(partitions: u32, instances: u64) -> Plan {
    let account = CosmosDb {
        physical_partitions: Some(partitions),
        throughput: RequestUnits(400 * partitions),
        write_latency: Distribution::Constant(Span::millis(5)),
        ..CosmosDb::default()
    };
    let mut plan = crate::services::bench::plan(NodeKind::CosmosDb(account)).expect("the plan is right");
    let reader = ContainerApp { trigger: "it.change-feed".to_owned(), ..ContainerApp::default() };
    plan.blueprint.nodes.insert("reader".to_owned(), NodeKind::ContainerApp(reader));
    for index in 0..instances {
        plan.add_process("it", &format!("#{index}"), crate::plan::Location::Internet);
    }
    plan
}

/// An account whose feed is read by instances of an app.
struct Bench<'a> {
    account: Rig<'a>,
    hosts: Vec<Rig<'a>>,
    alive: Vec<bool>,
    /// Which item came to which instance, in order.
    seen: Vec<(usize, u32)>,
    written: u64,
}

impl<'a> Bench<'a> {
    fn new(plan: &'a Plan, instances: usize) -> Result<Bench<'a>, PlanError> {
        let account = plan.resolve("it", "kind", "it")?.address;
        let (id, process) = plan.blueprint.nodes["it"].build("it", plan)?.remove(0);
        let hosts = (0..instances).map(|index| {
            let rules = FeedRules { max: 3, poll: Span::secs(2), ..FeedRules::default() };
            let processor = FeedProcessor::new(
                Wire::ChangeFeed { store: account, part: u16::MAX },
                READER,
                index as u64 + 1,
                9,
                rules,
            );
            let host = Host { processor, fails: false, checkpoints: true };
            Rig::new(plan, ProcessId(1 + index as u32), Box::new(host))
        });
        let mut bench = Bench {
            account: Rig::new(plan, id, process).0,
            hosts: Vec::new(),
            alive: vec![true; instances],
            seen: Vec::new(),
            written: 0,
        };
        let started: Vec<_> = hosts.collect();
        for (index, (rig, effects)) in started.into_iter().enumerate() {
            bench.hosts.push(rig);
            bench.carry(index, effects);
        }
        Ok(bench)
    }

    /// Carries out what an instance does.
    fn carry(&mut self, index: usize, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Call { message, .. } => {
                    self.account.message(index as u32, message);
                }
                Effect::Observe { item, what: What::RunStarted { .. }, .. } => {
                    self.seen.push((index, item.number));
                }
                _ => {}
            }
        }
    }

    fn run(&mut self, secs: u64) {
        for _ in 0..secs * 1000 {
            for effect in self.account.advance(Span::millis(1)) {
                let Effect::Answer { connection: ConnectionId { slot, .. }, message } = effect else {
                    continue;
                };
                if self.alive.get(slot as usize) == Some(&true) {
                    let effects = self.hosts[slot as usize].message(0, message);
                    self.carry(slot as usize, effects);
                }
            }
            for index in 0..self.hosts.len() {
                if self.alive[index] {
                    let effects = self.hosts[index].advance(Span::millis(1));
                    self.carry(index, effects);
                } else {
                    self.hosts[index].now += Span::millis(1);
                }
            }
        }
    }

    fn write(&mut self, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.written += 1;
            let one: [Item; 1] = [item(number)];
            self.account
                .message(99, write(self.written, &one, &[operation(WriteVerb::Append, 0, Once::NONE)]));
        }
    }

    fn times(&self, number: u32) -> usize {
        self.seen.iter().filter(|(_, seen)| *seen == number).count()
    }

    fn ranges(&self, index: usize) -> usize {
        let text = format!("{:?}", self.hosts[index].process);
        text.matches("Owned {").count()
    }
}

/// The node of the app.
const READER: u16 = 1;

fn bench(plan: &Plan, instances: usize) -> Bench<'_> {
    Bench::new(plan, instances).expect("it builds")
}

#[test]
fn every_change_comes_once_and_in_order_and_idle_time_is_cheap() {
    let plan = reading_plan(1, 1);
    let mut bench = bench(&plan, 1);
    bench.run(1);
    bench.write(0..10);
    bench.run(20);
    bench.write(10..12);
    bench.run(20);
    assert_eq!(bench.seen, (0..12).map(|n| (0, n)).collect::<Vec<_>>());
    assert!(!bench.hosts[0].busy() && !bench.account.busy(), "nothing of it is work");
}

#[test]
fn a_page_that_fails_comes_again_and_blocks_what_is_behind_it() {
    let plan = reading_plan(1, 1);
    let mut bench = bench(&plan, 1);
    bench.hosts[0].message(0, set(FAILS, true));
    bench.run(1);
    bench.write(0..6);
    bench.run(20);
    assert!(bench.times(0) > 4 && bench.times(2) > 4, "{:?}", bench.seen);
    assert_eq!(bench.times(3), 0, "the second page waits for the first");
    bench.hosts[0].message(0, set(FAILS, false));
    bench.run(20);
    assert!((3..6).all(|number| bench.times(number) == 1));
}

#[test]
fn what_was_not_checkpointed_comes_again_after_a_crash_and_the_rest_does_not() {
    let plan = reading_plan(1, 1);
    let mut bench = bench(&plan, 1);
    bench.run(1);
    bench.write(0..3);
    bench.run(10);
    bench.hosts[0].message(0, set(CHECKPOINTS, false));
    bench.write(3..6);
    bench.run(10);
    assert_eq!(bench.seen.len(), 6);
    bench.hosts[0].message(0, set(CHECKPOINTS, true));
    let effects = bench.hosts[0].crash();
    bench.carry(0, effects);
    bench.run(10);
    let times: Vec<usize> = (0..6).map(|number| bench.times(number)).collect();
    assert_eq!(times, [1, 1, 1, 2, 2, 2]);
}

#[test]
fn a_dead_instance_s_ranges_go_to_another_when_their_leases_expire() {
    let plan = reading_plan(4, 2);
    let mut bench = bench(&plan, 2);
    bench.run(60);
    assert_eq!((bench.ranges(0), bench.ranges(1)), (2, 2), "a fair share");
    bench.alive[1] = false;
    bench.run(40);
    assert_eq!(bench.ranges(0), 2, "the leases of the dead are still good");
    bench.run(60);
    assert_eq!(bench.ranges(0), 4);
    bench.write(0..40);
    bench.run(30);
    assert!((0..40).all(|number| bench.times(number) == 1), "{:?}", bench.seen);
    // It comes back with what it believes; its next renewal tells it the truth.
    bench.alive[1] = true;
    bench.run(90);
    assert_eq!((bench.ranges(0), bench.ranges(1)), (2, 2));
    bench.write(40..80);
    bench.run(30);
    assert!((0..80).all(|number| bench.times(number) == 1), "{:?}", bench.seen);
}

#[test]
fn an_outage_of_the_account_is_survived_and_a_lost_checkpoint_means_again() {
    let plan = reading_plan(1, 1);
    let mut bench = bench(&plan, 1);
    bench.run(1);
    bench.write(0..3);
    bench.run(10);
    bench.account.fault(fault(Hook::StoreDown, Value::None));
    bench.run(30);
    bench.account.faults.end(FaultId(0));
    bench.write(3..6);
    bench.run(30);
    let times: Vec<usize> = (0..6).map(|number| bench.times(number)).collect();
    assert_eq!(times, [1; 6]);
    // The connection breaks while the checkpoint is under way: the page comes again.
    bench.write(6..9);
    while bench.times(8) == 0 {
        bench.run(1);
    }
    let before = bench.times(6);
    bench.write(9..12);
    bench.account.fault(fault(Hook::DependencySlow, Value::Span(Span::secs(3))));
    while bench.times(9) == 0 {
        bench.run(1);
    }
    let effects = bench.hosts[0].closed(0, CloseReason::Reset);
    bench.carry(0, effects);
    bench.account.faults.end(FaultId(0));
    bench.run(30);
    assert_eq!((bench.times(6), before), (1, 1));
    assert!(bench.times(9) >= 1 && bench.times(11) >= 1);
}

#[test]
fn a_crash_forgets_everything_but_its_rules() {
    let plan = reading_plan(2, 1);
    let mut bench = bench(&plan, 1);
    let fresh = FeedProcessor::new(
        Wire::ChangeFeed { store: plan.endpoint("it").expect("it").address, part: u16::MAX },
        READER,
        1,
        9,
        FeedRules { max: 3, poll: Span::secs(2), ..FeedRules::default() },
    );
    bench.run(20);
    bench.hosts[0].process.crash();
    let fresh = Host { processor: fresh, fails: false, checkpoints: true };
    assert_eq!(format!("{:?}", bench.hosts[0].process), format!("{fresh:?}"));
}
