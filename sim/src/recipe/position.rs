//! Where a run is in its recipe: what was done, what is to be taken back, how it went.

use crate::observe::Outcome;
use crate::recipe::program::{Block, Program};
use crate::time::Time;

/// Names a run as long as it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// How the recipe went: ok, refused (a definite no) or failed.
    pub outcome: Outcome,
    /// Whether it acknowledged its trigger.
    pub acknowledged: bool,
}

/// Where a run is in its recipe; all that has to survive where runs are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The operation that is next or under way.
    pub at: u16,
    /// In which list.
    pub phase: Phase,
    /// The operations that were done, bit by bit.
    pub done: u64,
    /// Those of which it is not known.
    pub unknown: u64,
    /// How the recipe itself went.
    pub outcome: Outcome,
    /// Whether the trigger is acknowledged.
    pub acknowledged: bool,
    /// Until when it waits, where the operation is a wait.
    pub until: Time,
    /// When the run began.
    pub began: Time,
}

/// In which list a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The recipe itself.
    Main,
    /// Looking for what is to be taken back next.
    Undo,
    /// Taking back the operation at this position.
    Undoing,
    /// `on-refusal` or `on-failure`.
    Handler(Block),
}

/// The undo that the operation stands for while the run takes back what was done.
pub(super) fn undo_or_self(position: &Position, program: &Program, at: u16) -> u16 {
    match position.phase {
        Phase::Undoing => program.op(at).and_then(|op| op.undo).unwrap_or(at),
        _ => at,
    }
}

/// Moves on to the next operation that is to be taken back, in reverse order. False if there is none.
pub(super) fn next_undo(position: &mut Position, program: &Program) -> bool {
    let passed = |op: u16| position.done >> op & 1 == 1;
    let main = program.main;
    if (main.from..main.to).any(|op| passed(op) && program.ops[usize::from(op)].pivot) {
        return false;
    }
    let unknown = if program.undo_unknown { position.unknown } else { 0 };
    let open = position.done | unknown;
    let found = (main.from..main.to)
        .rev()
        .find(|op| open >> op & 1 == 1 && program.ops[usize::from(*op)].undo.is_some());
    let Some(op) = found else { return false };
    // Whatever comes of the undo, it is tried once in a run.
    position.done &= !(1 << op);
    position.unknown &= !(1 << op);
    position.at = op;
    position.phase = Phase::Undoing;
    true
}

/// What comes after everything was taken back.
pub(super) fn enter_handler(position: &mut Position, program: &Program) {
    let (first, second) = match position.outcome {
        Outcome::Refused => (program.on_refusal, program.on_failure),
        _ => (program.on_failure, program.on_refusal),
    };
    let block = first.or(second).unwrap_or(Block { from: program.main.to, to: program.main.to });
    position.phase = Phase::Handler(block);
    position.at = block.from;
}

/// Writes down what became of an operation.
pub(super) fn note(position: &mut Position, op: u16, outcome: Outcome) {
    match outcome {
        Outcome::Ok => position.done |= 1 << op,
        Outcome::Unknown => position.unknown |= 1 << op,
        Outcome::Refused | Outcome::Failed => {}
    }
}

/// Unknown counts as failed, and any failure outweighs a refusal: the run tried and gave up.
pub(super) fn worse(a: Outcome, b: Outcome) -> Outcome {
    let rank = |outcome| match outcome {
        Outcome::Ok => 0,
        Outcome::Refused => 1,
        Outcome::Failed => 2,
        Outcome::Unknown => 3,
    };
    if rank(b) > rank(a) { b } else { a }
}
