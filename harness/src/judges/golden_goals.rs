//! Hand-written histories in pairs for the objectives: the smallest one that meets the goal, and the same
//! with a little more or less that misses it; and those by which nothing can be said.

use std::sync::Arc;

use beaufort_reports::{ObjectiveResult, Recovery, Verdict};
use beaufort_sim::ids::{FaultId, FaultMask, ProcessId, StreamId};
use beaufort_sim::observe::{
    Belief, Birth, DeadLetterReason, End as Ending, FaultPhase, Observation, Outcome, Sink, What,
};
use beaufort_sim::plan::{Location, Plan};
use beaufort_sim::time::{Span, Time};
use indexmap::IndexMap;

use super::golden::{self, DB, DEAD, LEDGER, QUEUE, holdings, item, observation};
use super::{End, Judges, Rules};
use Verdict::{Degraded, Fail, Inconclusive, Pass};

const DOOR: beaufort_sim::ids::NodeId = beaufort_sim::ids::NodeId(0);
const OUTAGE: FaultId = FaultId(0);
const APP: ProcessId = ProcessId(0);

/// One flow, one door, one app `edge`, and the fault `outage`.
fn plan() -> Arc<Plan> {
    let mut plan = (*golden::plan()).clone();
    let fault = r#"{"entity.disable":{"target":"payments","at":"1m","for":"40s"}}"#;
    plan.blueprint.faults.insert("outage".to_owned(), serde_json::from_str(fault).expect("a fault"));
    plan.add_process("edge", "0", Location::Internet);
    Arc::new(plan)
}

/// What happened, by second.
#[derive(Clone, Debug, Default)]
struct History(Vec<Observation>);

impl History {
    fn push(mut self, second: u64, number: u32, what: What) -> History {
        self.0.push(observation(second, item(number), what));
        self
    }
    /// An item comes to the door at `from`, and its caller is done with it so many seconds later.
    fn request(self, number: u32, from: u64, seconds: u64, outcome: Outcome) -> History {
        let offered = Time::ZERO + Span::secs(from);
        self.push(from, number, What::Offered { door: DOOR }).push(
            from + seconds,
            number,
            What::Concluded { door: DOOR, outcome, offered },
        )
    }
    fn good(self, number: u32, from: u64) -> History {
        self.request(number, from, 0, Outcome::Ok)
    }
    fn bad(self, number: u32, from: u64) -> History {
        self.request(number, from, 0, Outcome::Failed)
    }
    fn born(self, second: u64, number: u32, place: beaufort_sim::ids::PlaceId) -> History {
        self.push(second, number, What::Born { place, cause: Birth::Stored })
    }
    fn ended(self, second: u64, number: u32, place: beaufort_sim::ids::PlaceId) -> History {
        self.push(second, number, What::Ended { place, cause: Ending::Completed })
    }
    fn begins(self, second: u64) -> History {
        self.push(second, 0, What::Fault { fault: OUTAGE, phase: FaultPhase::Started })
    }
    fn healed(self, second: u64) -> History {
        self.push(second, 0, What::Fault { fault: OUTAGE, phase: FaultPhase::Healed })
    }
    /// Somebody notices: the fault is felt, and detected.
    fn noticed(mut self, second: u64) -> History {
        let what = What::Believes { subject: APP, belief: Belief::Ready(false) };
        let by = FaultMask::of(OUTAGE);
        self.0.push(Observation { by, ..observation(second, item(0), what) });
        self
    }
    fn run(self, run: u64, from: u64, to: Option<u64>) -> History {
        let begun = self.push(from, 0, What::RunStarted { run });
        match to {
            Some(to) => begun.push(to, 0, What::RunEnded { run, done: true }),
            None => begun,
        }
    }
    /// So many copies come to the queue at once, and leave it one a second.
    fn wave(mut self, first: u32, copies: u32, from: u64) -> History {
        for number in first..first + copies {
            self = self.born(from, number, QUEUE);
        }
        for number in first..first + copies {
            self = self.ended(from + 1 + u64::from(number - first), number, QUEUE);
        }
        self
    }
}

/// The results of these objectives; the run is over a second after the last observation, and at rest.
fn results(objectives: &[(&str, &str)], history: &History) -> Vec<ObjectiveResult> {
    let plan = plan();
    let read = |text: &str| serde_json::from_str(text).expect("an objective");
    let objectives: IndexMap<_, _> =
        objectives.iter().map(|(name, text)| ((*name).to_owned(), read(text))).collect();
    let rules = Rules::resolve(&plan, &IndexMap::new(), &objectives).expect("resolves");
    let mut judges = Judges::new(&plan, &Arc::new(rules));
    let mut seen = history.0.clone();
    // Stable: what was written first happens first within a second.
    seen.sort_by_key(|seen| seen.at);
    seen.iter().for_each(|seen| judges.observe(seen));
    let at = seen.last().map_or(Time::ZERO, |last| last.at) + Span::secs(1);
    let held = holdings(&seen);
    let end = End { at, quiescent: true, ..End::default() };
    let result = judges.finish(&end, |out| held.iter().for_each(|one| out(*one)));
    assert!(result.errors.is_empty(), "{:?}", result.errors);
    result.objectives
}

fn result(objective: &str, history: &History) -> ObjectiveResult {
    results(&[("o", objective)], history).remove(0)
}

/// The verdict, and what was achieved in words.
fn verdict(objective: &str, history: &History) -> (Verdict, String) {
    let result = result(objective, history);
    (result.verdict, result.achieved)
}

fn is(objective: &str, history: &History, verdict: Verdict, achieved: &str) {
    let result = result(objective, history);
    assert_eq!((result.verdict, result.achieved.as_str()), (verdict, achieved), "{objective}: {history:?}");
}

// -- Availability --

const AVAILABLE: &str = r#"{"availability":{"target":"edge","at-least":"50%"}}"#;

fn during(objective: &str, part: &str) -> String {
    objective.replace("}}", &format!(r#","while":"{part}"}}}}"#))
}

fn ideally(objective: &str) -> String {
    objective.replace("}}", r#","ideally":true}}"#)
}

#[test]
fn availability_is_the_share_of_items_with_success() {
    let half = History::default().good(0, 1).bad(1, 2);
    is(AVAILABLE, &half, Pass, "50.000%");
    is(AVAILABLE, &half.clone().bad(2, 3), Fail, "33.333%");
    is(&ideally(AVAILABLE), &half.clone().bad(2, 3), Degraded, "33.333%");
    // A caller who never learnt, and one who never came to an end, had no success.
    is(AVAILABLE, &half.clone().request(2, 3, 1, Outcome::Unknown), Fail, "33.333%");
    is(AVAILABLE, &half.push(3, 2, What::Offered { door: DOOR }), Fail, "33.333%");
    is(AVAILABLE, &History::default(), Inconclusive, "nothing measured");
}

#[test]
fn availability_in_the_calm_and_under_faults() {
    let history = History::default().good(0, 1).begins(10).bad(1, 11).healed(12).noticed(12).good(2, 100);
    is(&during(AVAILABLE, "calm"), &history, Pass, "100%");
    is(&during(AVAILABLE, "faults"), &history, Fail, "0.000%");
    // A minute after it was healed the calm begins again, and its failures count.
    let after = history.clone().bad(3, 101).bad(4, 102).bad(5, 103);
    is(&during(AVAILABLE, "calm"), &after, Fail, "40.000%");
    is(&during(AVAILABLE, "faults"), &after.good(6, 20), Pass, "50.000%");
    // Where no fault came, nothing is known about faults; where nothing else was, nothing about the calm.
    let calm = History::default().good(0, 1);
    is(&during(AVAILABLE, "faults"), &calm, Inconclusive, "nothing measured");
    let open = calm.push(3, 2, What::Offered { door: DOOR });
    is(&during(AVAILABLE, "faults"), &open, Inconclusive, "nothing measured");
    let stormy = History::default().begins(1).good(0, 2).healed(3);
    is(&during(AVAILABLE, "calm"), &stormy, Inconclusive, "nothing measured");
}

// -- Latency and delay --

#[test]
fn latency_is_that_of_successes_and_only_of_the_part_it_is_about() {
    let worst = r#"{"latency":{"target":"edge","max":"2s"}}"#;
    let quick = History::default().request(0, 1, 2, Outcome::Ok);
    is(worst, &quick, Pass, "max 2.0s");
    is(worst, &quick.clone().request(1, 5, 3, Outcome::Ok), Fail, "max 3.0s");
    is(&ideally(worst), &quick.clone().request(1, 5, 3, Outcome::Ok), Degraded, "max 3.0s");
    // A failure has no latency, however long it took: that is for the availability.
    is(worst, &quick.request(1, 5, 30, Outcome::Failed), Pass, "max 2.0s");
    let slow = History::default().request(0, 1, 1, Outcome::Ok).begins(10).request(1, 11, 5, Outcome::Ok);
    let slow = slow.healed(20);
    is(&during(worst, "calm"), &slow, Pass, "max 1.0s");
    is(&during(worst, "faults"), &slow, Fail, "max 5.0s");
    is(worst, &History::default().bad(0, 1), Inconclusive, "nothing measured");
    // Half of them may be slower than the median.
    let median = r#"{"latency":{"target":"edge","p50":"1s","max":"9s"}}"#;
    let two = History::default().request(0, 1, 1, Outcome::Ok).request(1, 1, 9, Outcome::Ok);
    assert_eq!(verdict(median, &two).0, Pass);
    assert_eq!(verdict(median, &two.request(2, 1, 2, Outcome::Ok)).0, Fail);
}

const DELAY: &str = r#"{"delay":{"target":"orders","accepted-at":"db.order","effect-at":["ledger","psp.charge"],"max":"5s"}}"#;

#[test]
fn a_delay_ends_with_the_last_effect_and_one_that_has_not_ended_never_does() {
    let charge = golden::CHARGE;
    let both = History::default().born(1, 0, DB).born(2, 0, LEDGER).born(6, 0, charge);
    is(DELAY, &both, Pass, "max 5.0s");
    is(DELAY, &both.clone().born(7, 1, DB).born(13, 1, charge).born(13, 1, LEDGER), Fail, "max 6.0s");
    // One effect is missing, and a copy still waits: its delay has no end.
    let waiting = both.clone().born(7, 1, DB).born(8, 1, LEDGER).born(8, 1, QUEUE);
    is(DELAY, &waiting, Fail, "max never");
    // Nothing was accepted.
    is(DELAY, &History::default().born(2, 0, LEDGER), Inconclusive, "nothing measured");
    // An effect may come before the acceptance: no delay at all.
    let early = History::default().born(1, 0, LEDGER).born(2, 0, charge).born(3, 0, DB);
    is(DELAY, &early, Pass, "max 0s");
}

#[test]
fn a_delay_without_an_end_counts_only_where_its_part_of_the_run_does() {
    let calm = during(DELAY, "calm");
    let faults = during(DELAY, "faults");
    let fine = History::default().born(1, 0, DB).born(2, 0, LEDGER).born(3, 0, golden::CHARGE);
    let hit = fine.begins(10).born(11, 1, DB).born(11, 1, QUEUE).healed(12);
    is(&calm, &hit, Pass, "max 2.0s");
    is(&faults, &hit, Fail, "max never");
    // It begins after the trouble: it is the calm's.
    let after = hit.ended(60, 1, QUEUE).born(300, 2, DB).born(301, 2, QUEUE);
    is(&calm, &after, Fail, "max never");
    is(&faults, &after, Inconclusive, "nothing measured");
}

// -- Recovery --

const RECOVERY: &str = r#"{"recovery-time":{"target":"outage","of":"edge","below":"30s"}}"#;

/// Good items, the fault from 100 to 140 noticed at 105, and a good item at the end.
fn outage() -> History {
    History::default().good(0, 50).begins(100).noticed(105).healed(140).good(1, 400)
}

fn recovery(history: &History) -> Recovery {
    let mut result = result(RECOVERY, history);
    assert_eq!(result.recoveries.len(), 1, "{result:?}");
    result.recoveries.remove(0)
}

#[test]
fn recovery_lasts_until_the_last_bad_item() {
    let within = outage().bad(2, 103).bad(3, 110).bad(4, 120).bad(5, 130);
    is(RECOVERY, &within, Pass, "30.0s");
    let told = recovery(&within);
    assert_eq!((told.at_seconds, told.bad), (100.0, 4));
    assert_eq!((told.impact, told.detected, told.recovered), (Some(3.0), Some(5.0), Some(30.0)));
    assert_eq!((told.backlog, told.drained), (None, None));
    is(RECOVERY, &within.clone().bad(6, 131), Fail, "31.0s");
    is(&ideally(RECOVERY), &within.clone().bad(6, 131), Degraded, "31.0s");
    // What is bad long after it was healed has another cause.
    is(RECOVERY, &within.clone().bad(6, 300), Pass, "30.0s");
    // What was bad just before and goes on belongs to it.
    assert_eq!(recovery(&outage().bad(2, 95).bad(3, 104)).recovered, Some(4.0));
}

#[test]
fn an_item_is_bad_if_it_is_later_than_the_declared_slowest() {
    let objectives = |max: &str| {
        [("fast", format!(r#"{{"latency":{{"target":"edge","max":"{max}"}}}}"#)), ("o", RECOVERY.into())]
    };
    let slow = outage().request(2, 110, 8, Outcome::Ok);
    for (max, recovered) in [("8s", None), ("7s", Some(10.0))] {
        let [fast, own] = objectives(max);
        let both = results(&[(fast.0, &fast.1), (own.0, &own.1)], &slow);
        assert_eq!(both[1].recoveries[0].recovered, recovered, "{max}");
    }
}

#[test]
fn nobody_suffered_is_a_result_if_the_fault_was_felt() {
    is(RECOVERY, &outage(), Pass, "not impacted");
    let told = recovery(&outage());
    assert_eq!((told.bad, told.impact, told.recovered, told.detected), (0, None, None, Some(5.0)));
    let unfelt = History::default().good(0, 50).begins(100).healed(140).good(1, 400);
    is(RECOVERY, &unfelt, Inconclusive, "not impacted, but nobody felt the fault");
    is(RECOVERY, &History::default().good(0, 50), Inconclusive, "the fault never began");
}

#[test]
fn never_detected_is_told_as_such() {
    let silent = History::default().good(0, 50).begins(100).bad(2, 101).healed(140).good(1, 400);
    is(RECOVERY, &silent, Pass, "1.0s");
    assert_eq!(recovery(&silent).detected, None);
    // What is noticed before it began, or by a belief that it is well, is no detection.
    assert_eq!(recovery(&silent.noticed(90)).detected, None);
}

#[test]
fn without_a_good_item_after_the_last_bad_one_it_has_not_recovered() {
    let down = |last: u64| History::default().good(0, 50).begins(100).noticed(105).bad(1, 110).bad(2, last);
    // More may come within the bound.
    is(RECOVERY, &down(130), Inconclusive, "not recovered by the end");
    is(RECOVERY, &down(131), Fail, "not recovered by the end");
    assert_eq!(recovery(&down(131)).recovered, None);
    is(RECOVERY, &down(130).good(3, 131), Pass, "30.0s");
}

#[test]
fn a_backlog_is_drained_when_it_is_back_at_its_level_before() {
    let told = recovery(&outage().bad(2, 101).wave(10, 2, 20).wave(100, 50, 110));
    assert_eq!((told.backlog, told.recovered), (Some(50), Some(1.0)));
    // At most twelve (the ordinary two, and ten more) are no backlog: 38 of 50 have to go.
    assert!(told.drained.is_some_and(|at| (46.0..50.0).contains(&at)), "{told:?}");
    let mut stays = outage().bad(2, 101).wave(10, 2, 20);
    for number in 100..150 {
        stays = stays.born(110, number, QUEUE);
    }
    let told = recovery(&stays);
    assert_eq!((told.backlog, told.drained), (Some(50), None));
}

#[test]
fn of_several_occurrences_the_worst_decides() {
    let twice = outage().bad(2, 105).begins(500).noticed(501).bad(3, 520).healed(530).good(4, 700);
    is(RECOVERY, &twice, Pass, "20.0s");
    let worse = twice.bad(5, 531);
    is(RECOVERY, &worse, Fail, "31.0s");
    let recoveries = result(RECOVERY, &worse).recoveries;
    let recovered: Vec<_> = recoveries.iter().map(|one| one.recovered).collect();
    assert_eq!(recovered, [Some(5.0), Some(31.0)]);
    assert_eq!(Recovery::worst(&recoveries).map(|one| one.at_seconds), Some(500.0));
}

#[test]
fn only_items_of_the_named_load_count() {
    let mut plan = (*plan()).clone();
    assert_eq!(plan.add_stream("others", beaufort_sim::ids::FlowId(0)), StreamId(1));
    let from = RECOVERY.replace(r#""below""#, r#""from":"others","below""#);
    let objectives = IndexMap::from([("o".to_owned(), serde_json::from_str(&from).expect("an objective"))]);
    let plan = Arc::new(plan);
    let rules = Arc::new(Rules::resolve(&plan, &IndexMap::new(), &objectives).expect("resolves"));
    let recovered = |stream: u16| {
        let mut judges = Judges::new(&plan, &rules);
        let mut seen = outage().bad(2, 110).0;
        seen.iter_mut().for_each(|seen| seen.item.stream = StreamId(stream));
        seen.sort_by_key(|seen| seen.at);
        seen.iter().for_each(|seen| judges.observe(seen));
        let end = End { at: Time::ZERO + Span::secs(500), quiescent: true, ..End::default() };
        judges.finish(&end, |_| {}).objectives[0].recoveries[0].recovered
    };
    assert_eq!((recovered(0), recovered(1)), (None, Some(10.0)));
}

// -- Drain time --

const DRAIN: &str = r#"{"drain-time":{"target":"payments","after":"outage","below":"25s"}}"#;

/// Two copies wait in the ordinary course; with the fault so many come at once.
fn backlog(copies: u32, from: u64) -> History {
    let before = History::default().wave(0, 2, 20).begins(100).noticed(105).healed(140);
    before.wave(100, copies, from).good(1, 400)
}

#[test]
fn a_backlog_must_be_gone_in_time_after_the_fault() {
    // 12 or fewer (the ordinary two, and ten more) are no backlog: after 140 + 25 s that many are left.
    let (met, achieved) = verdict(DRAIN, &backlog(36, 140));
    assert_eq!(met, Pass, "{achieved}");
    let (missed, achieved) = verdict(DRAIN, &backlog(40, 140));
    assert_eq!(missed, Fail, "{achieved}");
    assert_eq!(verdict(&ideally(DRAIN), &backlog(40, 140)).0, Degraded);
    is(DRAIN, &backlog(3, 120), Pass, "no backlog");
    // What was gone before the fault was healed took no time after it.
    is(DRAIN, &backlog(30, 101), Pass, "0s");
}

#[test]
fn a_backlog_that_stays_fails_and_where_nothing_waits_nothing_is_proved() {
    let mut stays = backlog(3, 120);
    for number in 200..250 {
        stays = stays.born(130, number, QUEUE);
    }
    is(DRAIN, &stays, Fail, "not drained by the end");
    is(DRAIN, &outage(), Inconclusive, "nothing ever waited there");
    let unfelt = History::default().wave(0, 2, 20).begins(100).healed(140).good(1, 400);
    is(DRAIN, &unfelt, Inconclusive, "no backlog, but nobody felt the fault");
    is(DRAIN, &History::default().wave(0, 2, 20), Inconclusive, "the fault never began");
}

// -- Dead letters --

#[test]
fn dead_letters_are_counted_and_where_nothing_passed_none_proves_nothing() {
    let dead = |count: u32| {
        let moved = What::Moved { from: QUEUE, to: DEAD, reason: Some(DeadLetterReason::Application) };
        (0..count).fold(History::default().wave(50, 2, 1), |h, n| h.born(5, n, QUEUE).push(6, n, moved))
    };
    for target in ["payments", "payments.dead-letter"] {
        let one = format!(r#"{{"dead-letters":{{"target":"{target}","at-most":1}}}}"#);
        is(&one, &dead(0), Pass, "0");
        is(&one, &dead(1), Pass, "1");
        is(&one, &dead(2), Fail, "2");
        is(&ideally(&one), &dead(2), Degraded, "2");
        // Those that were taken out again came there all the same.
        is(&one, &dead(2).ended(7, 0, DEAD).ended(7, 1, DEAD), Fail, "2");
        is(&one, &History::default().good(0, 1), Inconclusive, "nothing ever came to payments");
    }
}

// -- Duration --

#[test]
fn the_longest_run_decides_and_one_that_has_not_ended_is_longer_than_any() {
    let duration = r#"{"duration":{"target":"edge","below":"10s"}}"#;
    let runs = History::default().run(1, 1, Some(3)).run(2, 5, Some(15));
    is(duration, &runs, Pass, "10.0s");
    is(duration, &runs.clone().run(3, 20, Some(31)), Fail, "11.0s");
    is(&ideally(duration), &runs.clone().run(3, 20, Some(31)), Degraded, "11.0s");
    is(duration, &runs.run(3, 20, None), Fail, "never");
    is(duration, &History::default().good(0, 1), Inconclusive, "nothing measured");
    // A run that handles a batch begins once for each of its items.
    let batch = History::default().run(1, 1, None).run(1, 2, Some(11));
    is(duration, &batch, Pass, "10.0s");
}
