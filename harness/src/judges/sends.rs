//! The sends book: what callers believe against what callees did, call by call. A window over the dense
//! call ids, and a sparse list of the calls that stayed open below it.

use std::collections::VecDeque;

use beaufort_reports::{BookError, SendRow};
use beaufort_sim::ids::{Address, CallId, ProcessId};
use beaufort_sim::observe::{Handling, Outcome};
use beaufort_sim::plan::Plan;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// The window never gets longer than this; what is still open then moves to the sparse list.
const WINDOW: usize = 8192;
/// At most so many errors are kept in words; all are counted.
const KEPT: usize = 20;

const NO_BELIEF: u8 = 4;
const NO_HANDLING: u8 = 3;

/// One call under way. Packed: the window is walked often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Call {
    target: u32,
    belief: u8,
    handling: u8,
    /// Nothing more is to come about it: it is in the matrix.
    closed: bool,
}

/// The book.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sends {
    /// By process, its parts with their numbers.
    targets: Vec<SmallVec<[(u16, u32); 4]>>,
    names: Vec<Address>,
    matrix: Vec<[[u64; 4]; 5]>,
    /// Ids below it are not in the window.
    from: u64,
    window: VecDeque<Option<Call>>,
    sparse: FxHashMap<u64, Call>,
    errors: Vec<(String, Address)>,
    wrong: u64,
}

impl Sends {
    /// An attempt was put on the wire.
    pub(crate) fn sent(&mut self, call: CallId, to: Address) {
        let target = self.target(to);
        let fresh = Call { target, belief: NO_BELIEF, handling: NO_HANDLING, closed: false };
        if self.window.is_empty() && self.sparse.is_empty() && self.from == 0 {
            self.from = call.0;
        }
        let Some(offset) = call.0.checked_sub(self.from) else {
            self.error(format!("call {} was sent after later ones were done", call.0), to);
            return;
        };
        let offset = offset as usize;
        while self.window.len() <= offset {
            self.window.push_back(None);
        }
        if self.window[offset].is_some() {
            self.error(format!("call {} was sent twice", call.0), to);
            return;
        }
        self.window[offset] = Some(fresh);
        if self.window.len() > WINDOW {
            self.shift();
        }
    }

    /// To whom an attempt under way goes.
    pub(crate) fn callee(&self, call: CallId) -> Option<ProcessId> {
        let known = match call.0.checked_sub(self.from) {
            Some(offset) => self.window.get(offset as usize)?.as_ref(),
            None => self.sparse.get(&call.0),
        };
        known.map(|known| self.names[known.target as usize].process)
    }

    /// The caller is done with an attempt.
    pub(crate) fn answered(&mut self, call: CallId, outcome: Outcome, by: ProcessId) {
        self.change(call, by, |known| {
            if known.belief != NO_BELIEF {
                return Err("was answered twice");
            }
            known.belief = outcome as u8;
            match (outcome, known.handling) {
                (Outcome::Ok, NO_HANDLING) => Err("was answered `ok`, but never arrived at its callee"),
                (Outcome::Ok, h) if h == Handling::Rejected as u8 => {
                    Err("was answered `ok`, but was rejected")
                }
                (Outcome::Refused | Outcome::Failed, h)
                    if h == Handling::Stored as u8 || h == Handling::Suppressed as u8 =>
                {
                    Err("was answered with a definite error, but took effect")
                }
                _ => Ok(()),
            }
        });
    }

    /// The callee did something about an attempt.
    pub(crate) fn handled(&mut self, call: CallId, how: Handling, by: ProcessId) {
        self.change(call, by, |known| {
            if known.handling != NO_HANDLING {
                return Err("was handled twice");
            }
            known.handling = how as u8;
            if known.belief != NO_BELIEF
                && known.belief != Outcome::Unknown as u8
                && how != Handling::Rejected
            {
                return Err("took effect after the caller had got a definite error");
            }
            Ok(())
        });
    }

    fn change(
        &mut self,
        call: CallId,
        by: ProcessId,
        change: impl FnOnce(&mut Call) -> Result<(), &'static str>,
    ) {
        let slot = match call.0.checked_sub(self.from) {
            Some(offset) => self.window.get_mut(offset as usize).and_then(Option::as_mut),
            None => self.sparse.get_mut(&call.0),
        };
        let Some(known) = slot.filter(|known| !known.closed) else {
            let why = format!("it answers or handles call {}, which was never sent or is over", call.0);
            self.error(why, Address { process: by, part: 0 });
            return;
        };
        let problem = change(known).err();
        // A definite error without handling may still be followed by a (rejected) handling in theory; it
        // is closed once both sides spoke, or when the caller is sure.
        let done = known.belief != NO_BELIEF
            && (known.handling != NO_HANDLING || known.belief != Outcome::Unknown as u8);
        let copy = *known;
        known.closed = done;
        if done {
            self.enter(copy);
            if call.0 < self.from {
                self.sparse.remove(&call.0);
            } else if call.0 == self.from {
                self.shift();
            }
        }
        if let Some(problem) = problem {
            let to = self.names[copy.target as usize];
            self.error(format!("call {} {problem}", call.0), to);
        }
    }

    /// Drops what is done from the front of the window; the oldest open ones go to the sparse list where
    /// the window is too long.
    fn shift(&mut self) {
        while let Some(front) = self.window.front() {
            match front {
                Some(call) if !call.closed => {
                    if self.window.len() <= WINDOW {
                        break;
                    }
                    self.sparse.insert(self.from, *call);
                }
                _ => {}
            }
            self.window.pop_front();
            self.from += 1;
        }
    }

    fn enter(&mut self, call: Call) {
        let cell = &mut self.matrix[call.target as usize];
        cell[usize::from(call.belief)][usize::from(call.handling)] += 1;
    }

    fn target(&mut self, to: Address) -> u32 {
        let process = to.process.index();
        if process >= self.targets.len() {
            self.targets.resize_with(process + 1, SmallVec::new);
        }
        if let Some((_, target)) = self.targets[process].iter().find(|(part, _)| *part == to.part) {
            return *target;
        }
        let target = self.names.len() as u32;
        self.names.push(to);
        self.matrix.push([[0; 4]; 5]);
        self.targets[process].push((to.part, target));
        target
    }

    fn error(&mut self, message: String, to: Address) {
        self.wrong += 1;
        if self.errors.len() < KEPT {
            self.errors.push((message, to));
        }
    }

    /// The matrix of every target, calls that are still open included.
    pub(crate) fn rows(&self, plan: &Plan) -> Vec<SendRow> {
        let mut book = self.clone();
        let open = self.window.iter().flatten().filter(|call| !call.closed).chain(self.sparse.values());
        for call in open {
            book.enter(*call); // sums only, so that the order of the sparse list does not show
        }
        let rows = book.names.iter().zip(&book.matrix).map(|(address, matrix)| SendRow {
            target: name(plan, *address),
            sent: matrix.iter().flatten().sum(),
            matrix: *matrix,
        });
        let mut rows: Vec<SendRow> = rows.collect();
        rows.sort_by(|a, b| a.target.cmp(&b.target));
        rows
    }

    /// What cannot be.
    pub(crate) fn errors(&self, plan: &Plan) -> Vec<BookError> {
        let mut errors: Vec<BookError> = self
            .errors
            .iter()
            .map(|(message, to)| BookError {
                book: "sends".to_owned(),
                subject: name(plan, *to),
                message: message.clone(),
            })
            .collect();
        if self.wrong > errors.len() as u64 {
            let message = format!("and {} more impossible calls", self.wrong - errors.len() as u64);
            errors.push(BookError { book: "sends".to_owned(), subject: String::new(), message });
        }
        errors
    }

    /// How many calls the book remembers one by one.
    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        self.window.len() + self.sparse.len()
    }
}

/// What a person calls a call target.
pub(crate) fn name(plan: &Plan, address: Address) -> String {
    let process = plan.processes.get(address.process.index()).map_or("?", |process| process.name.as_str());
    let mut named = plan.endpoints().filter(|(_, endpoint)| endpoint.address == address);
    match named.next() {
        Some((endpoint, _)) if named.next().is_none() && !process.contains('#') => endpoint.to_owned(),
        _ if address.part == 0 => process.to_owned(),
        _ => format!("{process}/{}", address.part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn book(history: &[(&str, u64)]) -> Sends {
        let mut book = Sends::default();
        for &(what, id) in history {
            let call = CallId(id);
            match what {
                "sent" => book.sent(call, Address::default()),
                "ok" => book.answered(call, Outcome::Ok, ProcessId(0)),
                "refused" => book.answered(call, Outcome::Refused, ProcessId(0)),
                "failed" => book.answered(call, Outcome::Failed, ProcessId(0)),
                "unknown" => book.answered(call, Outcome::Unknown, ProcessId(0)),
                "stored" => book.handled(call, Handling::Stored, ProcessId(0)),
                "suppressed" => book.handled(call, Handling::Suppressed, ProcessId(0)),
                _ => book.handled(call, Handling::Rejected, ProcessId(0)),
            }
        }
        book
    }

    #[test]
    fn possible_calls_are_entered_in_the_matrix() {
        for history in [
            &[("sent", 1), ("stored", 1), ("ok", 1)][..],
            &[("sent", 1), ("suppressed", 1), ("ok", 1)],
            &[("sent", 1), ("rejected", 1), ("refused", 1)],
            &[("sent", 1), ("failed", 1)],
            &[("sent", 1), ("unknown", 1), ("stored", 1)],
            &[("sent", 1), ("stored", 1), ("unknown", 1)],
            &[("sent", 1), ("stored", 1)],
            &[("sent", 1)],
        ] {
            let book = book(history);
            assert_eq!(book.wrong, 0, "{history:?}: {:?}", book.errors);
        }
    }

    #[test]
    fn one_event_more_or_less_makes_a_call_impossible() {
        for history in [
            &[("sent", 1), ("ok", 1)][..],
            &[("sent", 1), ("rejected", 1), ("ok", 1)],
            &[("sent", 1), ("stored", 1), ("refused", 1)],
            &[("sent", 1), ("suppressed", 1), ("failed", 1)],
            &[("sent", 1), ("failed", 1), ("stored", 1)],
            &[("sent", 1), ("stored", 1), ("stored", 1)],
            &[("sent", 1), ("unknown", 1), ("unknown", 1)],
            &[("stored", 1)],
            &[("sent", 1), ("sent", 1)],
        ] {
            assert_eq!(book(history).wrong, 1, "{history:?}");
        }
    }

    #[test]
    fn the_book_forgets_what_is_done_and_remembers_what_is_open() {
        let mut book = Sends::default();
        for id in 1..=100_000u64 {
            book.sent(CallId(id), Address::default());
            if id % 1000 != 0 {
                book.handled(CallId(id), Handling::Stored, ProcessId(0));
                book.answered(CallId(id), Outcome::Ok, ProcessId(0));
            }
        }
        assert!(book.remembered() <= WINDOW + 101, "{}", book.remembered());
        book.handled(CallId(1000), Handling::Rejected, ProcessId(0));
        book.answered(CallId(1000), Outcome::Ok, ProcessId(0));
        assert_eq!(book.wrong, 1);
    }
}
