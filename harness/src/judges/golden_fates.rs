//! Every fate of an item, each by the smallest history that leads to it.

use std::sync::Arc;

use beaufort_reports::{ContractResult, Fates};
use beaufort_sim::ids::{Address, Item, NodeId, ProcessId};
use beaufort_sim::observe::{Discard, End as Ending, Life, Observation, Outcome, Sink, What};
use beaufort_sim::plan::{Endpoint, Location, Plan, Protocol};
use beaufort_sim::time::{Span, Time};

use super::golden::E::{self, Born, Dead, Done, Ended, Expired, Gone, Offer};
use super::golden::{self, DB, DEAD, LEDGER, QUEUE, holdings, observation};
use super::{End, Judges};

const EACH: &str = r#"{"exactly-once":{"target":"orders","accepted-at":"db.order","effect-at":"ledger"}}"#;
const TOLD: &str = r#"{"exactly-once":{"target":"orders","accepted-at":"edge","effect-at":"ledger"}}"#;
const PARKED: &str = r#"{"exactly-once":{"target":"orders","accepted-at":"db.order","effect-at":"ledger","or-parked-in":"payments.dead-letter"}}"#;
const LATEST: &str = r#"{"exactly-once":{"target":"orders","accepted-at":"db.order","effect-at":"ledger","latest-per":"customer"}}"#;

const BROKER: ProcessId = ProcessId(0);
const READER: ProcessId = ProcessId(1);
const ACCEPTED: [E; 3] = [Offer(0), Born(0, DB), Born(0, QUEUE)];

/// The queue `payments` of a broker, read by the app `psp` or by nobody.
fn plan(read: bool) -> Arc<Plan> {
    let mut plan = (*golden::plan()).clone();
    let broker = plan.add_process("payments", "", Location::Internet);
    let reader = plan.add_process("psp", "#0", Location::Internet);
    plan.processes[reader.index()].runs_recipe = true;
    let address = Address { process: broker, ..Address::default() };
    let queue = Endpoint { address, protocol: Protocol::Broker, node: NodeId(2), place: Some(QUEUE) };
    plan.add_endpoint("payments", queue);
    if read {
        plan.add_consumer("payments", NodeId(4), Address::default());
    }
    Arc::new(plan)
}

/// How a run ends, beside what happened to the items.
#[derive(Clone, Copy)]
struct Last {
    read: bool,
    shut: bool,
    down: Option<ProcessId>,
    quiescent: bool,
}

const WELL: Last = Last { read: true, shut: false, down: None, quiescent: true };

fn judged(contract: &str, events: &[E], last: Last) -> ContractResult {
    let plan = plan(last.read);
    let rules = golden::rules(&plan, &[("c", contract)], &[]);
    let mut judges = Judges::new(&plan, &Arc::new(rules));
    let mut seen = golden::history(events);
    let second = seen.len() as u64;
    if let Some(process) = last.down {
        let down = observation(second, Item::NONE, What::Life(Life::Stopped));
        seen.push(Observation { process, ..down });
    }
    seen.iter().for_each(|seen| judges.observe(seen));
    let held = holdings(&seen);
    let at = Time::ZERO + Span::secs(second + 1);
    let end = End { at, quiescent: last.quiescent, ..End::default() };
    let mut result = judges.finish(&end, |out| {
        held.iter().for_each(|one| out(beaufort_sim::observe::Held { shut: last.shut, ..*one }));
    });
    assert!(result.errors.is_empty(), "{:?}", result.errors);
    result.contracts.remove(0)
}

#[track_caller]
fn fate(contract: &str, events: &[E], last: Last, fates: Fates) {
    assert_eq!(judged(contract, events, last).fates, fates, "{events:?}");
}

fn then<const N: usize>(more: [E; N]) -> Vec<E> {
    ACCEPTED.into_iter().chain(more).collect()
}

#[test]
fn an_item_has_one_fate() {
    let none = Fates::default();
    let consumed = Ended(0, QUEUE);
    fate(EACH, &then([consumed, Born(0, LEDGER)]), WELL, Fates { effected: 1, ..none.clone() });
    let twice = then([consumed, Born(0, LEDGER), Born(0, LEDGER)]);
    fate(EACH, &twice, WELL, Fates { doubled: 1, ..none.clone() });
    fate(EACH, &then([]), WELL, Fates { held: 1, ..none.clone() });
    fate(EACH, &then([Dead(0, QUEUE, DEAD)]), WELL, Fates { dead_lettered: 1, ..none.clone() });
    fate(PARKED, &then([Dead(0, QUEUE, DEAD)]), WELL, Fates { parked: 1, ..none.clone() });
    fate(EACH, &then([Expired(0, QUEUE)]), WELL, Fates { expired: 1, ..none.clone() });
    let discarded = then([Gone(0, QUEUE, Ending::Discarded(Discard::Undeliverable))]);
    fate(EACH, &discarded, WELL, Fates { discarded: 1, ..none.clone() });
    let destroyed = then([Gone(0, QUEUE, Ending::Destroyed)]);
    fate(EACH, &destroyed, WELL, Fates { lost: 1, ..none.clone() });
    assert!(judged(EACH, &destroyed, WELL).violations[0].detail.contains("was destroyed"));
    fate(EACH, &then([consumed]), WELL, Fates { lost: 1, ..none.clone() });
    let newer = then([consumed, Offer(2), Born(2, DB), Born(2, LEDGER)]);
    fate(LATEST, &newer, WELL, Fates { effected: 1, superseded: 1, ..none.clone() });
    fate(EACH, &then([]), Last { quiescent: false, ..WELL }, Fates { late: 1, ..none.clone() });
    let unknown = [Offer(0), Done(0, Outcome::Unknown)];
    fate(TOLD, &unknown, WELL, Fates { unknown_absent: 1, ..none.clone() });
    let done = [Offer(0), Born(0, LEDGER), Done(0, Outcome::Unknown)];
    fate(TOLD, &done, WELL, Fates { unknown_effected: 1, ..none });
}

#[test]
fn what_nobody_can_reach_is_stranded_and_not_late() {
    let stranded = Fates { stranded: 1, ..Fates::default() };
    for (last, why) in [
        (Last { read: false, ..WELL }, "payments, which nobody reads"),
        (Last { shut: true, ..WELL }, "payments, which is switched off"),
        (Last { down: Some(BROKER), ..WELL }, "payments, which was down at the end"),
        (Last { down: Some(READER), ..WELL }, "payments, whose readers were all down at the end"),
    ] {
        for quiescent in [true, false] {
            let result = judged(EACH, &ACCEPTED, Last { quiescent, ..last });
            assert_eq!(result.fates, stranded, "{why}");
            assert_eq!(result.violations[0].reason, "stuck");
            assert!(result.violations[0].detail.ends_with(why), "{result:?}");
        }
    }
    // Nobody has it as a trigger, but somebody took from it all the same.
    let taken = then([Offer(1), Born(1, QUEUE), Ended(1, QUEUE)]);
    let held = Fates { held: 1, ..Fates::default() };
    fate(EACH, &taken, Last { read: false, ..WELL }, held.clone());
    // That it is a dead letter as well changes nothing: it comes first.
    fate(
        EACH,
        &then([Born(0, DEAD)]),
        Last { shut: true, ..WELL },
        Fates { stranded: 1, ..Fates::default() },
    );
    // A dead letter of a queue that is switched off is a dead letter.
    let dead = Fates { dead_lettered: 1, ..Fates::default() };
    fate(EACH, &then([Dead(0, QUEUE, DEAD)]), Last { shut: true, ..WELL }, dead);
}
