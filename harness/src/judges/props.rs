//! The fast checkers against slow and obvious ones, on short random histories; and laws that every
//! history obeys.

use std::collections::BTreeMap;

use beaufort_reports::SeedResult;
use beaufort_sim::ids::{Item, PlaceId};
use beaufort_sim::observe::{Observation, Outcome, What};
use proptest::prelude::*;

use super::golden::E::{self, Born, Done, Ended, Offer};
use super::golden::{DB, LEDGER, QUEUE, history, item, judge, plan, rules};

const CONTRACTS: [(&str, &str); 6] = [
    ("least", r#"{"at-least-once":{"target":"orders","accepted-at":"db.order","effect-at":"ledger"}}"#),
    ("most", r#"{"at-most-once":{"target":"orders","effect-at":"ledger"}}"#),
    ("exactly", r#"{"exactly-once":{"target":"orders","accepted-at":"edge","effect-at":"ledger"}}"#),
    ("phantom", r#"{"no-phantom":{"target":"orders","accepted-at":"db.order","effect-at":"ledger"}}"#),
    ("door", r#"{"ordered":{"target":"orders","per":"customer","effect-at":"ledger"}}"#),
    (
        "place",
        r#"{"ordered":{"target":"orders","per":"customer","effect-at":"ledger","accepted-at":"db.order"}}"#,
    ),
];

/// Any events about a few items; offers come first and conclusions once, as they must.
fn histories() -> impl Strategy<Value = Vec<E>> {
    let event = (0u32..6, 0u8..5, 0u8..3);
    prop::collection::vec(event, 0..40).prop_map(|raw| {
        let mut events = Vec::new();
        let mut offered = [false; 6];
        let mut done = [false; 6];
        let mut queued = [0u32; 6];
        for (number, what, outcome) in raw {
            let n = number as usize;
            if !offered[n] {
                offered[n] = true;
                events.push(Offer(number));
                continue;
            }
            match what {
                0 if !done[n] => {
                    done[n] = true;
                    let outcome = [Outcome::Ok, Outcome::Unknown, Outcome::Refused][usize::from(outcome)];
                    events.push(Done(number, outcome));
                }
                1 => events.push(Born(number, DB)),
                2 => {
                    queued[n] += 1;
                    events.push(Born(number, QUEUE));
                }
                3 if queued[n] > 0 => {
                    queued[n] -= 1;
                    events.push(Ended(number, QUEUE));
                }
                _ => events.push(Born(number, LEDGER)),
            }
        }
        events
    })
}

/// All there is to know about an item, by walking the history again and again.
#[derive(Clone, Copy, Debug, Default)]
struct Slow {
    offered: Option<usize>,
    acknowledged: Option<usize>,
    stored: Option<usize>,
    effect: Option<usize>,
    effects: usize,
    queued: i32,
}

fn slow(events: &[E], number: u32) -> Slow {
    let mut known = Slow::default();
    for (at, event) in events.iter().enumerate() {
        match *event {
            Offer(n) if n == number => known.offered = Some(at),
            Done(n, Outcome::Ok) if n == number => known.acknowledged = Some(at),
            Born(n, DB) if n == number => known.stored = known.stored.or(Some(at)),
            Born(n, QUEUE) if n == number => known.queued += 1,
            Ended(n, QUEUE) if n == number => known.queued -= 1,
            Born(n, LEDGER) if n == number => {
                known.effect = known.effect.or(Some(at));
                known.effects += 1;
            }
            _ => {}
        }
    }
    known
}

/// What each contract must say: its reasons with their counts.
fn brute_force(events: &[E]) -> BTreeMap<&'static str, BTreeMap<String, u64>> {
    let items: Vec<(u32, Slow)> = (0..6).map(|number| (number, slow(events, number))).collect();
    let mut said: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
    let mut say = |contract: &'static str, reason: &str| {
        *said.entry(contract).or_default().entry(reason.to_owned()).or_default() += 1;
    };
    for (number, item) in &items {
        let missing = if item.queued > 0 { "stuck" } else { "lost" };
        if item.stored.is_some() && item.effects == 0 {
            say("least", missing);
        }
        if item.acknowledged.is_some() && item.effects == 0 {
            say("exactly", missing);
        }
        if item.effects > 1 {
            say("most", "doubled");
            say("exactly", "doubled");
        }
        if item.effects > 0 && item.stored.is_none() {
            say("phantom", "phantom");
        }
        let later = |other: &Slow| other.effect.is_some() && other.effect < item.effect;
        let others = || items.iter().filter(|(n, other)| n % 2 == number % 2 && n != number && later(other));
        let stored_first = |other: &Slow| matches!((item.stored, other.stored), (Some(a), Some(b)) if a < b);
        if others().any(|(_, other)| stored_first(other)) {
            say("place", "reordered");
        }
        // Only an acknowledgement that had come before the effect can be overtaken by it.
        let acknowledged_first =
            |other: &Slow| matches!((item.acknowledged, other.offered), (Some(a), Some(b)) if a < b);
        if others().any(|(_, other)| acknowledged_first(other)) {
            say("door", "reordered");
        }
    }
    said
}

fn reasons(result: &SeedResult) -> BTreeMap<String, BTreeMap<String, u64>> {
    let contracts = result.contracts.iter().filter(|contract| contract.violated > 0);
    contracts.map(|contract| (contract.name.clone(), contract.reasons.clone())).collect()
}

fn judged(history: &[Observation]) -> SeedResult {
    judge(rules(&plan(), &CONTRACTS, &[]), history, true)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_fast_checkers_say_what_the_slow_ones_say(events in histories()) {
        let result = judged(&history(&events));
        prop_assert!(result.errors.is_empty(), "{:?}", result.errors);
        let fast = reasons(&result);
        let slow: BTreeMap<String, _> =
            brute_force(&events).into_iter().map(|(name, reasons)| (name.to_owned(), reasons)).collect();
        prop_assert_eq!(fast, slow);
    }

    #[test]
    fn a_duplicate_effect_flips_the_rules_against_doubling_and_no_other(events in histories(), pick in 0usize..6) {
        let single: Vec<u32> = (0..6).filter(|number| slow(&events, *number).effects == 1).collect();
        let Some(number) = single.get(pick % single.len().max(1)).copied() else { return Ok(()) };
        let before = reasons(&judged(&history(&events)));
        let mut doubled = events.clone();
        doubled.push(Born(number, LEDGER));
        let mut after = reasons(&judged(&history(&doubled)));
        for contract in ["most", "exactly"] {
            let count = after.get_mut(contract).and_then(|reasons| reasons.get_mut("doubled"));
            prop_assert!(count.is_some());
            if let Some(count) = count {
                *count -= 1;
            }
            if let Some(reasons) = after.get_mut(contract) {
                reasons.retain(|_, count| *count > 0);
            }
        }
        after.retain(|_, reasons| !reasons.is_empty());
        prop_assert_eq!(before, after);
    }

    #[test]
    fn other_names_for_the_items_change_nothing(events in histories(), shift in 1u32..100_000) {
        // Even shifts keep the customers apart as they were.
        let shift = shift * 2;
        let renamed: Vec<Observation> = history(&events)
            .into_iter()
            .map(|seen| Observation { item: Item { number: seen.item.number + shift, ..seen.item }, ..seen })
            .collect();
        prop_assert_eq!(reasons(&judged(&history(&events))), reasons(&judged(&renamed)));
    }

    #[test]
    fn an_item_of_another_customer_changes_nothing(events in histories()) {
        let before = reasons(&judged(&history(&events)));
        let mut more = history(&events);
        let end = more.last().map_or(0, |last| last.event);
        let other = Item { number: 1000, key: 77, ..item(0) };
        let born = |place: PlaceId| What::Born { place, cause: beaufort_sim::observe::Birth::Stored };
        for (step, what) in [What::Offered { door: Default::default() }, born(DB), born(LEDGER)].into_iter().enumerate() {
            more.push(super::golden::observation(end + 1 + step as u64, other, what));
        }
        prop_assert_eq!(before, reasons(&judged(&more)));
    }
}

/// One order through door, database, queue and ledger, as the world would report it.
fn order(number: u32, call: &mut u64, sink: &mut impl beaufort_sim::observe::Sink) {
    use super::golden::observation;
    use beaufort_sim::ids::{Address, CallId, Item as Thing};
    use beaufort_sim::observe::{Birth, End, Handling};
    *call += 1;
    let call = CallId(*call);
    let item = Thing { number, key: number % 1000, ..Thing::default() };
    let door = Default::default();
    let at = u64::from(number);
    let stored = |place| What::Born { place, cause: Birth::Stored };
    let offered = beaufort_sim::time::Time::ZERO + beaufort_sim::time::Span::secs(at);
    for what in [
        What::Offered { door },
        What::Sent { call, to: Address::default() },
        stored(DB),
        What::Handled { call, how: Handling::Stored },
        What::Answered { call, outcome: Outcome::Ok },
        What::Concluded { door, outcome: Outcome::Ok, offered },
        stored(QUEUE),
        What::Ended { place: QUEUE, cause: End::Completed },
    ] {
        sink.observe(&observation(at, item, what));
    }
    // The effect comes 300 orders later.
    if let Some(number) = number.checked_sub(300) {
        let item = Thing { number, key: number % 1000, ..Thing::default() };
        sink.observe(&observation(at, item, stored(LEDGER)));
    }
}

#[test]
fn a_million_orders_under_six_contracts_are_remembered_in_a_few_megabytes() {
    let plan = plan();
    let delay = r#"{"delay":{"target":"orders","accepted-at":"db.order","effect-at":"ledger","p99":"30s"}}"#;
    let rules = std::sync::Arc::new(rules(&plan, &CONTRACTS, &[("soon", delay)]));
    let mut judges = super::Judges::new(&plan, &rules);
    let mut call = 0;
    let watch = crate::stopwatch::Stopwatch::start();
    for number in 0..1_000_000 {
        order(number, &mut call, &mut judges);
    }
    let seconds = watch.seconds();
    assert!(judges.bytes() < 4_000_000, "{} bytes", judges.bytes());
    if std::env::var_os("SHOW").is_some() {
        panic!("{:.0} ns an observation, {} bytes", seconds * 1e9 / 9e6, judges.bytes());
    }
}
