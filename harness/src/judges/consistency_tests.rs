//! Hand-written histories in pairs, and random ones against the linearizability checker of stateright.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test")]

use beaufort_sim::ids::{CallId, ConnectionId, FaultMask};
use beaufort_sim::observe::{Birth, Handling};
use beaufort_sim::time::Span;
use proptest::prelude::*;
use stateright::semantics::register::{Register as Model, RegisterOp, RegisterRet};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};

use super::*;

const PLACE: PlaceId = PlaceId(3);

struct History {
    readings: Readings,
    event: u64,
}

impl History {
    fn new(promise: Promise) -> History {
        History { readings: Readings::new(&[PLACE], vec![StreamId(0)], promise), event: 0 }
    }

    fn see(&mut self, second: u64, process: u32, number: u32, what: What) {
        self.readings.observe(&Observation {
            at: Time::ZERO + Span::secs(second),
            event: self.event,
            parent: 0,
            process: ProcessId(process),
            incarnation: 0,
            connection: ConnectionId::NONE,
            item: Item { number, ..Item::default() },
            by: FaultMask::default(),
            what,
        });
    }

    /// The store writes a row for a call; nobody is told yet.
    fn written(&mut self, second: u64, number: u32, call: u64) {
        self.event += 1;
        self.see(second, 99, number, What::Born { place: PLACE, cause: Birth::Stored });
        self.see(second, 99, number, What::Handled { call: CallId(call), how: Handling::Stored });
    }

    fn answered(&mut self, second: u64, process: u32, number: u32, call: u64) {
        self.event += 1;
        self.see(second, process, number, What::Answered { call: CallId(call), outcome: Outcome::Ok });
    }

    fn read(&mut self, asked: u64, second: u64, process: u32, number: u32, found: bool) {
        self.event += 1;
        let asked = Time::ZERO + Span::secs(asked);
        self.see(second, process, number, What::Read { place: PLACE, found, asked });
    }
}

#[test]
fn who_asks_after_the_acknowledgement_has_to_see_it() {
    for (asked, stale) in [(4, 0), (6, 1)] {
        let mut history = History::new(Promise::Linearizable);
        history.written(3, 1, 1);
        history.answered(5, 1, 1, 1);
        history.read(asked, 7, 2, 1, false);
        assert_eq!((history.readings.reads, history.readings.broken), (1, stale), "asked at {asked}");
    }
}

#[test]
fn rows_of_another_flow_are_not_asked_about() {
    let mut history = History::new(Promise::Linearizable);
    history.readings.streams = vec![StreamId(7)];
    history.written(3, 1, 1);
    history.answered(5, 1, 1, 1);
    history.read(6, 7, 2, 1, false);
    assert_eq!((history.readings.reads, history.readings.broken), (0, 0));
}

#[test]
fn what_somebody_has_seen_is_there_for_everybody() {
    for (first, stale) in [(true, 1), (false, 0)] {
        let mut history = History::new(Promise::Linearizable);
        history.written(3, 1, 1); // and never answered
        history.read(3, 4, 1, 1, first);
        history.read(5, 6, 2, 1, false);
        assert_eq!(history.readings.broken, stale);
    }
}

#[test]
fn what_is_deleted_need_not_be_seen_and_what_a_failover_took_has_to() {
    for (cause, stale) in [(End::Completed, 0), (End::FailoverTail, 1)] {
        let mut history = History::new(Promise::Linearizable);
        history.written(3, 1, 1);
        history.answered(4, 1, 1, 1);
        history.event += 1;
        history.see(5, 99, 1, What::Ended { place: PLACE, cause });
        history.read(6, 7, 2, 1, false);
        assert_eq!(history.readings.broken, stale);
    }
}

#[test]
fn bounded_staleness_gives_time() {
    for (asked, stale) in [(14, 0), (16, 1)] {
        let mut history = History::new(Promise::BoundedStaleness(Span::secs(10)));
        history.written(3, 1, 1);
        history.answered(5, 1, 1, 1);
        history.read(asked, 17, 2, 1, false);
        assert_eq!(history.readings.broken, stale, "asked at {asked}");
    }
}

#[test]
fn a_session_sees_what_it_wrote_itself() {
    for (reader, stale) in [(1, 1), (2, 0)] {
        let mut history = History::new(Promise::Session);
        history.written(3, 1, 1);
        history.answered(5, 1, 1, 1);
        history.read(6, 7, reader, 1, false);
        assert_eq!(history.readings.broken, stale, "read by {reader}");
    }
}

#[test]
fn a_prefix_has_no_holes() {
    for (seen, missed, stale) in [(2, 1, 1), (1, 2, 0)] {
        let mut history = History::new(Promise::ConsistentPrefix);
        for number in [1, 2] {
            history.written(u64::from(number), number, u64::from(number));
            history.answered(u64::from(number), 1, number, u64::from(number));
        }
        history.read(3, 4, 2, seen, true);
        history.read(5, 6, 2, missed, false);
        assert_eq!(history.readings.broken, stale, "{seen} was seen, {missed} was not");
    }
}

/// What one thread does: writes, or reads and sees the row or not; between two of the moments.
#[derive(Clone, Copy, Debug)]
struct Act {
    read: Option<bool>,
    from: usize,
    to: usize,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    (1_usize..6).prop_flat_map(|count| {
        let moments: Vec<usize> = (0..count * 2).collect();
        let kinds = prop::collection::vec(prop::option::of(any::<bool>()), count);
        (Just(moments).prop_shuffle(), kinds).prop_map(|(moments, kinds)| {
            let pairs = moments.chunks(2).zip(kinds);
            pairs
                .map(|(pair, read)| Act { read, from: pair[0].min(pair[1]), to: pair[0].max(pair[1]) })
                .collect()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn linearizable_is_what_the_checker_of_stateright_says(acts in acts()) {
        // That a row is seen before anybody writes it cannot be: it is the store that answers.
        let written = |moment: usize| acts.iter().any(|act| act.read.is_none() && act.from < moment);
        prop_assume!(acts.iter().all(|act| act.read != Some(true) || written(act.to)));
        let mut tester = LinearizabilityTester::new(Model(false));
        let mut history = History::new(Promise::Linearizable);
        for moment in 0..acts.len() * 2 {
            let Some((thread, act)) =
                acts.iter().enumerate().find(|(_, act)| act.from == moment || act.to == moment)
            else {
                continue;
            };
            let (process, second) = (thread as u32, moment as u64);
            let begins = act.from == moment;
            match (act.read, begins) {
                (None, true) => {
                    tester.on_invoke(thread, RegisterOp::Write(true)).expect("a thread does one thing");
                    history.written(second, 1, thread as u64);
                }
                (None, false) => {
                    tester.on_return(thread, RegisterRet::WriteOk).expect("it had begun");
                    history.answered(second, process, 1, thread as u64);
                }
                (Some(_), true) => {
                    tester.on_invoke(thread, RegisterOp::Read).expect("a thread does one thing");
                }
                (Some(found), false) => {
                    tester.on_return(thread, RegisterRet::ReadOk(found)).expect("it had begun");
                    history.read(act.from as u64, second, process, 1, found);
                }
            }
        }
        prop_assert_eq!(history.readings.broken == 0, tester.is_consistent(), "{:?}", acts);
    }
}
