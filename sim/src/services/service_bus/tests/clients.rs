//! The receiver and the broker together: settling, renewing, coming back, prefetching.

use std::collections::BTreeMap;

use super::*;
use crate::faults::Hook;
use crate::faults::local::{Active, Frequency, Value};
use crate::ids::{Address, FaultId, ProcessId};
use crate::node::{CloseReason, Context, Input, Process};
use crate::observe::{Held, Outcome, Symptom, What};
use crate::services::service_bus::{Received, Receiver, ReceiverRules, ServiceBus, ServiceBusQueue, Tier};

const SPACE: u8 = 20;

/// A host that works on each message for a while and completes it.
#[derive(Clone, Debug)]
struct Host {
    receiver: Receiver,
    work: Span,
    count: u64,
    at_work: BTreeMap<u64, u64>,
    done: u32,
    lost: u32,
    log: Vec<u32>,
    paused: bool,
}

impl Host {
    fn take(&mut self, cx: &mut Context<'_>) {
        while let Some(event) = self.receiver.next() {
            match event {
                Received::Message(delivery) => {
                    self.count += 1;
                    self.at_work.insert(self.count, delivery.handle);
                    self.log.push(delivery.item.number);
                    cx.timer(self.work, self.count, true);
                }
                Received::Settled { handle, outcome, .. } => {
                    match outcome {
                        Outcome::Ok => self.done += 1,
                        _ => self.lost += 1,
                    }
                    self.receiver.finish(handle, cx);
                }
                Received::LockLost { .. } | Received::Renewed { .. } => {}
            }
        }
    }
}

impl Process for Host {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => self.receiver.on_start(cx),
            Input::Message { from, message, .. } => drop(self.receiver.on_message(cx, from, &message)),
            Input::Timer(token) => {
                if !self.receiver.on_timer(cx, token)
                    && let Some(handle) = self.at_work.remove(&token)
                {
                    self.receiver.settle(handle, Settlement::Complete, true, cx);
                }
            }
            Input::Closed { peer, .. } => self.receiver.on_closed(cx, peer),
            // Once to pause, once to go on.
            Input::Poke => {
                self.paused = !self.paused;
                if self.paused { self.receiver.pause(cx) } else { self.receiver.on_start(cx) }
            }
            Input::Disk(..) => {}
        }
        self.take(cx);
    }
    fn crash(&mut self) {
        self.receiver.crash();
    }
    fn inventory(&self, _: &mut dyn FnMut(Held)) {}
    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

/// A host and a namespace, with no latency between them.
struct Pair<'a> {
    bus: Rig<'a>,
    host: Rig<'a>,
    seen: Vec<What>,
}

const HOST: u32 = 1;

impl<'a> Pair<'a> {
    fn new(plan: &'a Plan, rules: ReceiverRules, work: Span, numbers: std::ops::Range<u32>) -> Self {
        let mut bus = rig(plan);
        for number in numbers {
            let session = if rules.sessions { Once::KEY } else { Once::NONE };
            bus.message(9, Send { session, ..send(0, &[number]) }.message(0));
        }
        bus.advance(Span::millis(10));
        let from = Address { process: ProcessId(0), part: 0 };
        let receiver = Receiver::new(from, rules, 77, SPACE);
        let (count, done, lost) = (0, 0, 0);
        let (at_work, log, paused) = (BTreeMap::new(), Vec::new(), false);
        let host = Host { receiver, work, count, at_work, done, lost, log, paused };
        let (host, effects) = Rig::new(plan, ProcessId(HOST), Box::new(host));
        let mut pair = Pair { bus, host, seen: Vec::new() };
        pair.host.now = pair.bus.now;
        pair.carry(effects, true);
        pair
    }

    /// Carries what one side does to the other until nothing is left.
    fn carry(&mut self, effects: Vec<Effect>, from_host: bool) {
        let mut todo: std::collections::VecDeque<(Effect, bool)> =
            effects.into_iter().map(|effect| (effect, from_host)).collect();
        while let Some((effect, from_host)) = todo.pop_front() {
            let connection = ConnectionId { slot: HOST, generation: 1 };
            let more = match effect {
                Effect::Call { message, .. } if from_host => self.bus.message(HOST, message),
                Effect::Answer { connection: to, message } if !from_host && to == connection => {
                    self.host.input(Input::Message { from: ProcessId(0), connection, message })
                }
                Effect::Observe { what, .. } => {
                    self.seen.push(what);
                    continue;
                }
                _ => continue,
            };
            todo.extend(more.into_iter().map(|effect| (effect, !from_host)));
        }
    }

    fn advance(&mut self, span: Span, step: Span) {
        let until = self.host.now + span;
        while self.host.now < until {
            let effects = self.bus.advance(step);
            self.carry(effects, false);
            let effects = self.host.advance(step);
            self.carry(effects, true);
        }
    }

    /// The connection breaks, as both sides learn.
    fn cut(&mut self) {
        let effects = self.bus.closed(HOST, CloseReason::Reset);
        self.carry(effects, false);
        let connection = ConnectionId { slot: HOST, generation: 1 };
        let (peer, reason) = (ProcessId(0), CloseReason::Reset);
        let effects = self.host.input(Input::Closed { connection, peer, reason });
        self.carry(effects, true);
    }

    fn symptoms(&self, symptom: Symptom) -> usize {
        self.seen.iter().filter(|what| **what == What::Symptom(symptom)).count()
    }

    /// A number of the host, from its printed state: (done, lost).
    fn tally(&self) -> (u32, u32) {
        let text = format!("{:?}", self.host.process);
        let field = |name: &str| -> u32 {
            let start = text.rfind(name).expect("a field") + name.len();
            text[start..].split([',', ' ']).next().expect("a value").parse().expect("a number")
        };
        (field(" done: "), field(" lost: "))
    }
}

fn premium(queue: ServiceBusQueue) -> Plan {
    let queue = ServiceBusQueue { of: "bus".to_owned(), ..queue };
    plan(vec![
        ("bus", NodeKind::ServiceBus(ServiceBus { tier: Tier::Premium, ..Default::default() })),
        ("q", NodeKind::ServiceBusQueue(queue)),
        ("host", NodeKind::ServiceBus(ServiceBus::default())),
    ])
    .expect("a plan")
}

#[test]
fn everything_is_settled_once_with_as_many_at_work_as_allowed() {
    let plan = premium(ServiceBusQueue::default());
    let rules = ReceiverRules { concurrency: 4, prefetch: 2, ..Default::default() };
    let mut pair = Pair::new(&plan, rules, Span::millis(100), 0..40);
    pair.advance(Span::millis(500), Span::millis(1));
    let done = pair.tally().0;
    assert!((12..=20).contains(&done), "four at a time for half a second: {done}");
    pair.advance(Span::secs(2), Span::millis(1));
    assert_eq!(pair.tally(), (40, 0));
    assert!(pair.bus.held().is_empty() && pair.symptoms(Symptom::Redelivery) == 0);
}

#[test]
fn while_it_pauses_it_finishes_what_it_has_and_takes_nothing_and_then_as_many_as_before() {
    let plan = premium(ServiceBusQueue { lock: Span::secs(30), ..Default::default() });
    for (waiting, work) in [(2, 10), (40, 10), (40, 100)] {
        let rules = ReceiverRules { concurrency: 4, ..Default::default() };
        let mut pair = Pair::new(&plan, rules, Span::secs(work), 0..waiting);
        pair.advance(Span::secs(1), Span::millis(10));
        let taken = waiting.min(4);
        let poke = |pair: &mut Pair<'_>| {
            let effects = pair.host.input(Input::Poke);
            pair.carry(effects, true);
        };
        poke(&mut pair);
        for number in 100..120 {
            pair.bus.message(9, send(0, &[number]).message(0));
        }
        pair.advance(Span::secs(work + 60), Span::millis(20));
        assert_eq!(pair.tally(), (taken, 0), "what was begun is done, and nothing else");
        assert_eq!(pair.symptoms(Symptom::Redelivery), 0);
        poke(&mut pair);
        pair.advance(Span::secs(2 * work + 1), Span::millis(20));
        assert_eq!(pair.tally(), (taken + 8, 0), "two rounds of four");
        // Told to go on while it is still at work on what it had: not more than four at a time.
        poke(&mut pair);
        poke(&mut pair);
        pair.advance(Span::secs(2 * work), Span::millis(20));
        assert_eq!(pair.tally(), (taken + 16, 0));
    }
}

#[test]
fn a_lock_is_renewed_for_as_long_as_asked_and_lost_after() {
    for (renew_lock, redelivered) in [(Span::mins(5), false), (Span::ZERO, true)] {
        let plan = premium(ServiceBusQueue { lock: Span::secs(10), ..Default::default() });
        let rules = ReceiverRules { renew_lock, ..Default::default() };
        let mut pair = Pair::new(&plan, rules, Span::secs(35), 0..1);
        pair.advance(Span::secs(40), Span::millis(20));
        assert_eq!(pair.symptoms(Symptom::Redelivery) > 0, redelivered, "{renew_lock}");
        assert_eq!(pair.tally().1 > 0, redelivered);
    }
}

#[test]
fn after_a_lost_connection_it_comes_back_and_the_message_too_when_its_lock_runs_out() {
    let plan = premium(ServiceBusQueue { lock: Span::secs(10), ..Default::default() });
    let mut pair = Pair::new(&plan, ReceiverRules::default(), Span::secs(3), 0..2);
    pair.advance(Span::secs(1), Span::millis(10));
    pair.cut();
    pair.advance(Span::secs(4), Span::millis(10));
    // The settlement came over a new connection: the lock is another link's.
    assert_eq!(pair.tally().1, 1);
    pair.advance(Span::secs(20), Span::millis(10));
    assert_eq!(pair.tally(), (2, 1));
    assert!(pair.bus.held().is_empty() && pair.symptoms(Symptom::LockLost) >= 1);
}

#[test]
fn sessions_are_worked_on_in_order_and_side_by_side() {
    let plan = premium(ServiceBusQueue { sessions: true, ..Default::default() });
    let rules = ReceiverRules { sessions: true, concurrency: 3, ..Default::default() };
    let mut pair = Pair::new(&plan, rules, Span::millis(100), 0..42);
    pair.advance(Span::secs(12), Span::millis(5));
    assert_eq!(pair.tally(), (42, 0));
    let text = format!("{:?}", pair.host.process);
    let log = &text[text.rfind(" log: ").expect("a log")..];
    let digits = log.split(|c: char| !c.is_ascii_digit());
    let numbers: Vec<u32> = digits.filter_map(|number| number.parse().ok()).collect();
    assert_eq!(numbers.len(), 42);
    for key in 0..7 {
        let of_key: Vec<u32> = numbers.iter().copied().filter(|n| n % 7 == key).collect();
        assert!(of_key.is_sorted(), "session {key}: {of_key:?}");
    }
    assert!(pair.bus.held().is_empty());
}

#[test]
fn a_busy_broker_keeps_the_whole_client_away_for_ten_seconds() {
    let plan = premium(ServiceBusQueue::default());
    let mut pair = Pair::new(&plan, ReceiverRules::default(), Span::millis(500), 0..1);
    let (fault, label, hook) = (FaultId(1), 1, Hook::BrokerBusy);
    let (frequency, value) = (Frequency::Always, Value::None);
    pair.bus.fault(Active { fault, label, hook, part: None, frequency, left: None, value, hidden: false });
    pair.advance(Span::secs(1), Span::millis(10));
    pair.bus.faults.end(fault);
    pair.advance(Span::secs(8), Span::millis(10));
    assert_eq!(pair.tally().0, 0);
    pair.advance(Span::secs(4), Span::millis(10));
    assert_eq!(pair.tally(), (1, 0));
}

/// Facts 12.5, tests 4 and 5: 24 messages a second on one replica of three, 3000 fetched ahead. With a
/// lock of one minute the last wait longer than their locks; with five minutes none does.
#[test]
fn a_large_prefetch_outlives_a_short_lock_and_not_a_long_one() {
    for (lock, fails) in [(Span::secs(60), true), (Span::secs(300), false)] {
        let plan = premium(ServiceBusQueue { lock, ..Default::default() });
        let rules =
            ReceiverRules { concurrency: 20, prefetch: 3000, renew_lock: Span::ZERO, ..Default::default() };
        let mut pair = Pair::new(&plan, rules, Span::micros(833_333), 0..3000);
        pair.advance(Span::secs(130), Span::millis(25));
        let (done, lost) = pair.tally();
        assert_eq!(lost > 500, fails, "lock {lock}: {lost} settlements came too late");
        assert_eq!(done == 3000, !fails, "lock {lock}: {done} done");
        assert_eq!(pair.symptoms(Symptom::Redelivery) > 0, fails);
    }
}
