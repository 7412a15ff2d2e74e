//! Hand-written histories in pairs for what is in several sites: runs of copies, copies of a store, the tail
//! that a failover loses, and what a failover's recipe takes away.

use std::sync::Arc;

use Verdict::{Fail, Inconclusive, Pass};
use beaufort_reports::{SeedResult, Verdict};
use beaufort_sim::ids::{ConnectionId, FaultId, FaultMask, Item, NodeId, PlaceId, ProcessId, StreamId};
use beaufort_sim::observe::{
    Belief, Birth, End as Ending, FaultPhase, Held, Life, Observation, Outcome, Sink, What,
};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::{Span, Time};

use super::{End, Judges, Rules};
use crate::scenario::diagnostics::Sources;
use crate::scenario::model::Scenario;
use crate::scenario::tree::parse;

const TEXT: &str = "\
scenario: sites
time: { run: 1h }
sites: { a: {}, b: {} }
flows: { orders: {} }
nodes:
  shoppers: { kind: load, in: a, flow: orders, to: edge, rate: 1/s }
  edge: { kind: endpoint, in: a, ops: [serve] }
  store: { kind: cosmos-db, in: [a, b], holds: [row] }
  app:
    kind: container-app
    in: [a, b]
    trigger: http
    steps: [reply: 202]
  failover:
    kind: container-app
    in: b
    trigger: http
    steps: [reply: 202]
faults: { lost: { region.down: a, at: 100s, for: 60s } }
";

struct Stage {
    plan: Arc<Plan>,
    rules: Arc<Rules>,
    seen: Vec<Observation>,
    shut: Vec<Held>,
}

impl Stage {
    fn new(lines: &str) -> Stage {
        Stage::of(TEXT, lines)
    }

    /// The store replicates from `a` to `b`.
    fn pair(lines: &str) -> Stage {
        Stage::of(&TEXT.replace("in: [a, b], holds", "in: [a, b], primary: a, holds"), lines)
    }

    fn of(text: &str, lines: &str) -> Stage {
        let mut sources = Sources::new();
        let id = sources.add("t", format!("{text}{lines}\n"));
        let scenario = Scenario::read(&parse(&sources, id).unwrap()).unwrap();
        let plan = Arc::new(Plan::new(scenario.blueprint()).unwrap());
        let rules = Arc::new(Rules::resolve(&plan, &scenario.always, &scenario.objectives).unwrap());
        Stage { plan, rules, seen: Vec::new(), shut: Vec::new() }
    }

    fn refused(line: &str) -> &'static str {
        let mut sources = Sources::new();
        let id = sources.add("t", format!("{TEXT}always: {{ one: {line} }}\n"));
        let scenario = Scenario::read(&parse(&sources, id).unwrap()).unwrap();
        let plan = Plan::new(scenario.blueprint()).unwrap();
        Rules::resolve(&plan, &scenario.always, &scenario.objectives).map(drop).unwrap_err()[0].word
    }

    fn node(&self, name: &str) -> NodeId {
        self.plan.node(name).unwrap()
    }
    fn process(&self, node: &str) -> ProcessId {
        self.plan.processes_of(self.node(node)).next().unwrap().0
    }
    fn place(&self, site: &str) -> PlaceId {
        self.plan.place_named(&format!("store/{site}.row")).unwrap()
    }

    fn see(&mut self, second: u64, process: ProcessId, item: Item, what: What) {
        self.seen.push(Observation {
            at: Time::ZERO + Span::secs(second),
            event: second,
            parent: 0,
            process,
            incarnation: 0,
            connection: ConnectionId::NONE,
            item,
            by: FaultMask::NONE,
            what,
        });
    }

    fn run(mut self, node: &str, run: u64, from: u64, to: u64) -> Stage {
        let process = self.process(node);
        self.see(from, process, Item::default(), What::RunStarted { run });
        self.see(to, process, Item::default(), What::RunEnded { run, done: true });
        self
    }
    fn born(mut self, second: u64, site: &str, number: u32, cause: Birth) -> Stage {
        let place = self.place(site);
        self.see(second, ProcessId(0), item(number), What::Born { place, cause });
        self
    }
    fn stored(self, second: u64, site: &str, number: u32) -> Stage {
        self.born(second, site, number, Birth::Stored)
    }
    fn tail(mut self, second: u64, site: &str, number: u32) -> Stage {
        let place = self.place(site);
        self.see(second, ProcessId(0), item(number), What::Ended { place, cause: Ending::FailoverTail });
        self
    }
    fn served(mut self, second: u64, number: u32) -> Stage {
        let place = self.plan.place_named("edge.serve").unwrap();
        self.see(second, ProcessId(0), item(number), What::Born { place, cause: Birth::Stored });
        self
    }
    /// A region that comes back finds that nobody else has it.
    fn surfaces(mut self, second: u64, site: &str, number: u32) -> Stage {
        let (from, to) = (self.place(site), self.plan.place_named("store.conflicts").unwrap());
        self.see(second, ProcessId(0), item(number), What::Moved { from, to, reason: None });
        self
    }
    fn shadow(mut self, second: u64, site: &str, number: u32, held: bool) -> Stage {
        let place = self.place(site);
        self.see(second, ProcessId(0), item(number), What::Shadow { place, held });
        self
    }
    fn request(mut self, second: u64, number: u32, outcome: Outcome) -> Stage {
        let (door, offered) = (self.node("edge"), Time::ZERO + Span::secs(second));
        self.see(second, ProcessId(0), item(number), What::Offered { door });
        self.see(second, ProcessId(0), item(number), What::Concluded { door, outcome, offered });
        self
    }
    /// The fault from 100 to 160, felt.
    fn outage(mut self) -> Stage {
        let phase = |phase| What::Fault { fault: FaultId(0), phase };
        let none = Item::default();
        let edge = self.process("edge");
        self.see(100, ProcessId(0), none, phase(FaultPhase::Started));
        let belief = Belief::Ready(false);
        self.see(101, ProcessId(0), none, What::Believes { subject: edge, belief });
        self.seen.last_mut().unwrap().by = FaultMask::of(FaultId(0));
        self.see(160, ProcessId(0), none, phase(FaultPhase::Healed));
        self
    }

    fn judged(mut self, quiescent: bool) -> SeedResult {
        self.seen.sort_by_key(|seen| seen.at);
        let mut judges = Judges::new(&self.plan, &self.rules);
        self.seen.iter().for_each(|seen| judges.observe(seen));
        let mut held: Vec<Held> = Vec::new();
        for seen in &self.seen {
            match seen.what {
                What::Born { place, .. } => {
                    held.push(Held { place, item: seen.item, copies: 1, rest: true, shut: false });
                }
                What::Ended { place, .. } => {
                    let found = held.iter().position(|h| (h.place, h.item) == (place, seen.item));
                    held.remove(found.unwrap());
                }
                What::Moved { from, to, .. } => {
                    let found = held.iter_mut().find(|h| (h.place, h.item) == (from, seen.item));
                    found.unwrap().place = to;
                }
                _ => {}
            }
        }
        held.extend(self.shut);
        let at = Time::ZERO + Span::secs(1000);
        let result = judges.finish(&End { at, quiescent, ..End::default() }, |out| {
            held.iter().for_each(|one| out(*one));
        });
        assert!(result.errors.is_empty(), "{:?}", result.errors);
        result
    }

    #[track_caller]
    fn contract(self, verdict: Verdict, broken: u64, reason: &str) {
        let result = self.judged(true).contracts.remove(0);
        let reasons: Vec<&str> = result.reasons.keys().map(String::as_str).collect();
        assert_eq!((result.verdict, result.violated), (verdict, broken), "{result:?}");
        assert_eq!(reasons.concat(), reason, "{result:?}");
        assert_eq!(result.violations.len() as u64, broken, "{result:?}");
    }

    #[track_caller]
    fn goal(self, verdict: Verdict, achieved: &str) {
        let result = self.judged(true).objectives.remove(0);
        assert_eq!((result.verdict, result.achieved.as_str()), (verdict, achieved), "{result:?}");
    }
}

fn item(number: u32) -> Item {
    Item { number, stream: StreamId::named("shoppers"), ..Item::default() }
}

// -- Runs --

const SINGLE: &str = "always: { one: { single-active: app } }";

#[test]
fn two_copies_at_work_at_a_time_are_one_too_many() {
    let turns = || Stage::new(SINGLE).run("app/a", 1, 10, 20).run("app/b", 1, 20, 30).run("app/a", 2, 40, 50);
    turns().contract(Pass, 0, "");
    turns().run("app/b", 2, 45, 60).contract(Fail, 1, "overlapped");
    // Two runs of the same copy may.
    turns().run("app/a", 3, 45, 60).contract(Pass, 0, "");
    // Another app does not matter, and without any run nothing is known.
    Stage::new(SINGLE).run("failover", 1, 10, 20).contract(Inconclusive, 0, "");
}

#[test]
fn a_copy_that_has_crashed_is_no_longer_at_work() {
    let mut crashed = Stage::new(SINGLE).run("app/b", 1, 20, 30);
    let process = crashed.process("app/a");
    crashed.see(10, process, Item::default(), What::RunStarted { run: 7 });
    crashed.see(15, process, Item::default(), What::Life(Life::PowerLost));
    crashed.contract(Pass, 0, "");
    let mut alive = Stage::new(SINGLE).run("app/b", 1, 20, 30);
    alive.see(10, process, Item::default(), What::RunStarted { run: 7 });
    alive.contract(Fail, 1, "overlapped");
}

#[test]
fn an_app_may_run_so_often() {
    let runs = |most: u64, times: u64| {
        let stage = Stage::new(&format!("always: {{ few: {{ runs: failover, at-most: {most} }} }}"));
        (1..=times).fold(stage, |stage, run| stage.run("failover", run, run * 10, run * 10 + 5))
    };
    runs(2, 2).contract(Pass, 0, "");
    runs(2, 4).contract(Fail, 2, "repeated");
    runs(1, 0).contract(Inconclusive, 0, "");
    runs(0, 0).contract(Pass, 0, "");
    // A batch begins once for each of its items.
    let mut batch = runs(1, 1);
    let process = batch.process("failover");
    batch.see(11, process, item(5), What::RunStarted { run: 1 });
    batch.contract(Pass, 0, "");
}

#[test]
fn what_cannot_be_judged_is_refused() {
    assert_eq!(Stage::refused("{ single-active: failover }"), "single");
    assert_eq!(Stage::refused("{ single-active: edge }"), "not-an-app");
    assert_eq!(Stage::refused("{ runs: ghost, at-most: 1 }"), "dangling");
    assert_eq!(Stage::refused("{ converge: orders, at: [store/a] }"), "single");
    assert_eq!(Stage::refused("{ converge: orders, at: [store/a, store/c] }"), "dangling");
}

// -- Copies of a store --

const CONVERGE: &str = "always: { same: { converge: orders, at: [store/a, store/b] } }";

#[test]
fn copies_that_hold_the_same_have_converged() {
    let same =
        || Stage::new(CONVERGE).stored(1, "a", 1).stored(2, "b", 1).stored(3, "b", 2).stored(4, "a", 2);
    same().contract(Pass, 0, "");
    same().stored(5, "a", 3).contract(Fail, 1, "diverged");
    same().tail(5, "b", 2).contract(Fail, 1, "diverged");
    Stage::new(CONVERGE).contract(Inconclusive, 0, "");
    // At a deadline what is still on its way may yet come.
    assert_eq!(same().stored(5, "a", 3).judged(false).contracts[0].verdict, Inconclusive);
}

#[test]
fn a_shadow_counts_as_a_copy() {
    let shadowed = || Stage::new(CONVERGE).stored(1, "a", 1).shadow(2, "b", 1, true);
    shadowed().contract(Pass, 0, "");
    shadowed().shadow(3, "b", 1, false).contract(Fail, 1, "diverged");
    shadowed().shadow(3, "b", 2, true).contract(Fail, 1, "diverged");
}

// -- Effects at a store that replicates --

#[test]
fn what_a_failover_takes_away_has_no_effect_unless_it_came_back() {
    let rule = "always: { kept: { exactly-once: orders, accepted-at: edge, effect-at: store.row } }";
    let both = || {
        let first = Stage::pair(rule).served(1, 1).stored(1, "a", 1);
        first.served(2, 2).stored(2, "a", 2)
    };
    let failed_over = || both().born(10, "b", 1, Birth::Reborn).tail(20, "a", 1);
    both().contract(Pass, 0, "");
    failed_over().born(10, "b", 2, Birth::Reborn).tail(20, "a", 2).contract(Pass, 0, "");
    failed_over().tail(20, "a", 2).contract(Fail, 1, "lost");
    // Written again before the old primary hears that it is deposed.
    failed_over().stored(15, "b", 2).tail(20, "a", 2).contract(Pass, 0, "");
    let twice = failed_over().born(10, "b", 2, Birth::Reborn).stored(15, "b", 2).tail(20, "a", 2);
    twice.contract(Fail, 1, "doubled");
    // And back again, without the second.
    let back = failed_over().born(10, "b", 2, Birth::Reborn).tail(20, "a", 2);
    back.born(30, "a", 1, Birth::Reborn).tail(40, "b", 1).tail(40, "b", 2).contract(Fail, 1, "lost");
}

// -- Effects over a failover --

#[test]
fn what_a_failover_brings_back_is_no_second_effect() {
    let once =
        || Stage::new("always: { once: { at-most-once: orders, effect-at: store.row } }").stored(1, "a", 1);
    once().born(5, "b", 1, Birth::Reborn).tail(9, "a", 1).contract(Pass, 0, "");
    once().stored(5, "b", 1).contract(Fail, 1, "doubled");
    // It was not there when it was written again, and the older one lost when the region came back.
    once().stored(5, "b", 1).surfaces(9, "a", 1).contract(Pass, 0, "");
}

#[test]
fn what_stands_in_the_conflict_feed_has_no_effect_until_it_is_written_again() {
    let text = "always: { all: { at-least-once: orders, accepted-at: edge, effect-at: store.row } }";
    let surfaced = || Stage::new(text).served(1, 1).stored(1, "a", 1).surfaces(9, "a", 1);
    surfaced().contract(Fail, 1, "stuck");
    surfaced().stored(20, "b", 1).contract(Pass, 0, "");
}

// -- Recovery point --

fn point(below: &str) -> Stage {
    let stage = Stage::new(&format!(
        "objectives: {{ rpo: {{ recovery-point: lost, of: store.row, below: {below} }} }}"
    ));
    (90..100).fold(stage, |stage, n| stage.stored(n, "a", n as u32)).outage()
}

#[test]
fn what_was_acknowledged_and_is_gone_is_the_recovery_point() {
    let replicated = |stage: Stage, up_to: u32| {
        let stage = (90..=up_to).fold(stage, |stage, n| stage.born(130, "b", n, Birth::Reborn));
        (90..100).fold(stage, |stage, n| stage.tail(170, "a", n))
    };
    replicated(point("0s"), 99).goal(Pass, "nothing lost");
    replicated(point("3s"), 96).goal(Pass, "3 items, 3.0s old");
    replicated(point("2s"), 96).goal(Fail, "3 items, 3.0s old");
    replicated(point("3"), 96).goal(Pass, "3 items, 3.0s old");
    replicated(point("2"), 96).goal(Fail, "3 items, 3.0s old");
    // What surfaces in the conflict feed is as lost as the rest, until it is written again.
    let surfaced = || (97..100).fold(replicated(point("0"), 99), |stage, n| stage.stored(95, "a", n + 200));
    let surfaced = (97..100).fold(surfaced(), |stage, n| stage.surfaces(180, "a", n + 200));
    surfaced.goal(Fail, "3 items, 5.0s old");
    // Brought back by hand.
    replicated(point("0"), 98).stored(300, "b", 99).goal(Pass, "nothing lost");
}

#[test]
fn a_recovery_point_needs_a_fault_and_something_to_lose() {
    let alone = "objectives: { rpo: { recovery-point: lost, of: store.row, below: 0 } }";
    Stage::new(alone).outage().goal(Inconclusive, "nothing was acknowledged before it");
    Stage::new(alone).stored(1, "a", 1).goal(Inconclusive, "the fault never began");
    // What came after it, and is gone, is another loss.
    point("0").stored(120, "a", 500).tail(170, "a", 500).goal(Pass, "nothing lost");
}

#[test]
fn nothing_is_certain_while_the_old_place_has_not_heard_of_the_new_one() {
    let doubts = |stage: Stage| {
        let doubts = stage.judged(true).doubts;
        doubts.into_iter().filter(|doubt| doubt.contains("did not hear of it")).collect::<Vec<_>>()
    };
    let promoted = || point("0s").born(130, "b", 90, Birth::Reborn);
    let unheard = doubts(promoted());
    assert_eq!(unheard.len(), 1);
    assert!(unheard[0].contains("took over 9 copies fewer than store/a.row has"), "{unheard:?}");
    // Whoever took over all of it has nothing to fear from what it is told later.
    let all = (90..100).fold(point("0s"), |stage, n| stage.born(130, "b", n, Birth::Reborn));
    assert_eq!(doubts(all), [""; 0]);
    let heard = (90..100).fold(promoted(), |stage, n| stage.tail(170, "a", n));
    assert_eq!(doubts(heard), [""; 0]);
    assert_eq!(doubts(point("0s")), [""; 0]);
}

// -- Interruption, decided and acted --

#[test]
fn an_interruption_is_what_a_run_takes_away() {
    let bad = |from: u64, to: u64, mut stage: Stage| {
        for second in 0..300 {
            let outcome = if (from..=to).contains(&second) { Outcome::Failed } else { Outcome::Ok };
            stage = stage.request(second, second as u32, outcome);
        }
        stage
    };
    let line = "objectives: { back: { interruption: failover, of: edge, below: 20s } }";
    let ran = || Stage::new(line).run("failover", 1, 100, 150);
    bad(110, 130, ran()).goal(Pass, "20.0s");
    bad(110, 131, ran()).goal(Fail, "21.0s");
    bad(200, 290, ran()).goal(Pass, "0s");
    bad(110, 130, Stage::new(line)).goal(Inconclusive, "it never ran");
    assert_eq!(ran().judged(true).objectives[0].verdict, Inconclusive);
}
