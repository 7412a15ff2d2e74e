//! The interpreter: runs of a compiled recipe, from point to point.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::client::caller::{Caller, Progress};
use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{Execution, Item, PlaceId, ProcessId};
use crate::kernel::slab::Slab;
use crate::message::broker;
use crate::message::{Cargo, Message};
use crate::node::{Context, Gauge, Point, TimerId};
use crate::observe::{Outcome, Symptom, What};
use crate::random::Purpose;
use crate::recipe::ask::{Asker, confirmed, request};
use crate::recipe::journal::{Journal, Record};
use crate::recipe::position::{
    Ending, Phase, Position, RunId, enter_handler, next_undo, note, undo_or_self, worse,
};
use crate::recipe::program::{Op, Program, Verb};
use crate::recipe::trigger::{Acknowledged, Door, Ticket};
use crate::time::{Span, Time};

/// What starts a run.
#[derive(Clone, Debug)]
pub struct Start {
    /// What the trigger knows it by.
    pub ticket: Ticket,
    /// Its items.
    pub cargo: Cargo,
    /// Its identities.
    pub execution: Execution,
    /// Which delivery or attempt this is, from 0; tells the draws of two runs for one item apart.
    pub attempt: u64,
}

#[derive(Clone, Debug, PartialEq)]
struct Run {
    generation: u32,
    ticket: Ticket,
    cargo: Cargo,
    execution: Execution,
    attempt: u64,
    position: Position,
    /// Whether the position is written down, where runs are durable.
    saved: bool,
    /// How many answers the operation waits for.
    pending: u16,
    /// The worst of the answers so far.
    worst: Outcome,
    /// Whether it hangs for ever.
    hung: bool,
    /// When it must be over.
    timer: Option<TimerId>,
}

/// Whose call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    run: RunId,
    op: u16,
    /// Which item of the cargo, where they are called one by one.
    item: u32,
    /// Since when.
    since: Time,
}

/// Everything that runs in one instance.
#[derive(Clone, Debug)]
pub struct Interpreter {
    program: Arc<Program>,
    runs: Slab<Run>,
    generations: Vec<u32>,
    callers: Vec<Caller<Waiting>>,
    ready: VecDeque<RunId>,
    journal: Option<Journal>,
    /// How long a run may take.
    timeout: Option<Span>,
    /// Whether one took longer.
    overdue: bool,
    /// After so long a run is given up by the platform, wherever it is.
    duration: Option<Span>,
}

const SLOT_BITS: u32 = 24;
const KIND_SHIFT: u32 = 48;
const STEP_OVER: u64 = 1;
const HANG_OVER: u64 = 2;
const TOO_LONG: u64 = 3;
/// The number space of the interpreter's own timers.
const SPACE: u64 = 255;

impl Interpreter {
    /// An interpreter of this program; with a journal its runs are durable. `timeout` is how long a run
    /// may take.
    #[must_use]
    pub fn new(program: Arc<Program>, journal: Option<Journal>, timeout: Option<Span>) -> Interpreter {
        let callers = program.routes.iter().enumerate();
        let callers = callers.map(|(index, route)| {
            let caller = Caller::new(&route.policy, route.sdk, route.hash, index as u8 + 1);
            caller.needing(route.need)
        });
        Interpreter {
            runs: Slab::default(),
            generations: Vec::new(),
            callers: callers.collect(),
            ready: VecDeque::new(),
            journal,
            timeout,
            overdue: false,
            duration: None,
            program,
        }
    }

    /// The same; a run that is not over after so long is given up between two steps, or in a wait.
    #[must_use]
    pub fn given_up_after(self, duration: Option<Span>) -> Interpreter {
        Interpreter { duration, ..self }
    }

    /// When a run that began then is given up.
    fn deadline(&self, began: Time) -> Time {
        self.duration.map_or(Time::NEVER, |duration| began + duration)
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The journal of its runs, where they are durable.
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// How many runs are under way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// How near its clients are to their limits. Only a look.
    pub fn gauges(&self, out: &mut dyn FnMut(Gauge)) {
        self.callers.iter().filter_map(Caller::gauge).for_each(out);
    }

    /// Whether a run took longer than it may.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.overdue
    }

    /// Whether nothing runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Forgets every run that is not written down: the process died.
    pub fn crash(&mut self) {
        self.runs = Slab::default();
        self.generations.clear();
        self.ready.clear();
        self.overdue = false;
        for caller in &mut self.callers {
            caller.crash();
        }
        if let Some(journal) = &mut self.journal {
            journal.crash();
        }
    }

    /// Takes up the runs that are written down, each at the step that was under way.
    pub fn resume<D: Door>(&mut self, door: &mut D, cx: &mut Context<'_>) {
        let records: Vec<Record> = self.journal.iter().flat_map(Journal::records).cloned().collect();
        for record in records {
            let start = Start {
                ticket: Ticket::NONE,
                cargo: record.cargo,
                execution: record.execution,
                attempt: record.attempt,
            };
            let id = self.insert(start, record.position, true);
            self.ready.push_back(id);
        }
        self.work(door, cx);
    }

    /// Starts a run.
    pub fn start<D: Door>(&mut self, start: Start, door: &mut D, cx: &mut Context<'_>) -> RunId {
        let position = Position {
            at: self.program.main.from,
            phase: Phase::Main,
            done: 0,
            unknown: 0,
            outcome: Outcome::Ok,
            acknowledged: false,
            until: Time::ZERO,
            began: cx.now(),
        };
        let id = self.insert(start, position, false);
        if let Some(timeout) = self.timeout {
            let timer = cx.timeout(timeout, token(id, TOO_LONG), true);
            if let Some(run) = self.get_mut(id) {
                run.timer = Some(timer);
            }
        }
        if let Some(run) = self.get(id) {
            let (item, run) = (run.cargo.first().unwrap_or_default(), run.execution.run);
            cx.observe(item, What::RunStarted { run });
        }
        self.ready.push_back(id);
        self.work(door, cx);
        id
    }

    fn insert(&mut self, start: Start, position: Position, saved: bool) -> RunId {
        let run = Run {
            generation: 0,
            ticket: start.ticket,
            cargo: start.cargo,
            execution: start.execution,
            attempt: start.attempt,
            position,
            saved,
            pending: 0,
            worst: Outcome::Ok,
            hung: false,
            timer: None,
        };
        let slot = self.runs.insert(run);
        if self.generations.len() <= slot as usize {
            self.generations.resize(slot as usize + 1, 0);
        }
        let generation = &mut self.generations[slot as usize];
        *generation = (*generation + 1) & 0x00ff_ffff;
        let generation = *generation;
        if let Some(run) = self.runs.get_mut(slot) {
            run.generation = generation;
        }
        RunId { slot, generation }
    }

    /// The run for this item, if one is under way. Looks at every run: for hosts that join requests.
    #[must_use]
    pub fn find_item(&self, item: Item) -> Option<RunId> {
        let found = self.runs.iter().find(|(_, known)| known.cargo.first().is_some_and(|i| i.same(item)));
        found.map(|(slot, known)| RunId { slot, generation: known.generation })
    }

    /// Lets another request wait for the reply of a run; false if the run has replied already.
    pub fn join(&mut self, id: RunId, ticket: Ticket) -> bool {
        match self.get_mut(id) {
            Some(run) if !run.position.acknowledged => {
                run.ticket = ticket;
                true
            }
            _ => false,
        }
    }

    /// Whether this run is under way.
    #[must_use]
    pub fn has(&self, id: RunId) -> bool {
        self.get(id).is_some()
    }

    fn get(&self, id: RunId) -> Option<&Run> {
        self.runs.get(id.slot).filter(|run| run.generation == id.generation)
    }

    fn get_mut(&mut self, id: RunId) -> Option<&mut Run> {
        self.runs.get_mut(id.slot).filter(|run| run.generation == id.generation)
    }

    // -- Inputs. --

    /// Takes the answer to a call of one of the runs. False if it is not one.
    pub fn on_message<D: Door>(&mut self, message: &Message, door: &mut D, cx: &mut Context<'_>) -> bool {
        let Some(route) = (message.tag >> SLOT_BITS).checked_sub(1).map(|route| route as usize) else {
            return false;
        };
        let Some(caller) = self.callers.get_mut(route) else { return false };
        if !caller.on_message(cx, message) {
            return false;
        }
        self.share_back_off(route, door, cx);
        self.take_progress(route, cx);
        self.work(door, cx);
        true
    }

    /// One client serves all callers of a broker: what one is told, all heed (facts 1.2).
    fn share_back_off<D: Door>(&mut self, route: usize, door: &mut D, cx: &Context<'_>) {
        let until = self.callers[route].busy_until();
        if until > cx.now() {
            let broker = self.program.routes[route].to.process;
            self.back_off(broker, until);
            door.back_off(broker, until);
        }
    }

    /// The client of this broker sends nothing more until then.
    pub fn back_off(&mut self, broker: ProcessId, until: Time) {
        for (route, caller) in self.program.routes.iter().zip(&mut self.callers) {
            if route.to.process == broker {
                caller.back_off(until);
            }
        }
    }

    /// Takes a timer of a run or of a call. False if it is neither.
    pub fn on_timer<D: Door>(&mut self, token: u64, door: &mut D, cx: &mut Context<'_>) -> bool {
        let space = token >> 56;
        if space == SPACE {
            let slot = token as u32 & ((1 << SLOT_BITS) - 1);
            let id = RunId { slot, generation: (token >> SLOT_BITS) as u32 & 0x00ff_ffff };
            match token >> KIND_SHIFT & 0xff {
                STEP_OVER => self.over(id, Outcome::Ok, cx),
                TOO_LONG => self.overdue |= self.get(id).is_some(),
                _ => {
                    if self.get(id).is_some() {
                        self.ready.push_back(id);
                    }
                }
            }
        } else {
            let Some(route) = (space as usize).checked_sub(1) else { return false };
            let Some(caller) = self.callers.get_mut(route) else { return false };
            if !caller.on_timer(cx, token) {
                return false;
            }
            self.take_progress(route, cx);
        }
        self.work(door, cx);
        true
    }

    /// A connection is gone: its answers will not come.
    pub fn on_closed<D: Door>(&mut self, peer: ProcessId, door: &mut D, cx: &mut Context<'_>) {
        for route in 0..self.callers.len() {
            let to = self.program.routes[route].to.process;
            if to == peer || cx.plan().names.is_alias(to) {
                self.callers[route].on_closed(cx, peer);
                self.take_progress(route, cx);
            }
        }
        self.work(door, cx);
    }

    /// A sync completed.
    pub fn on_disk<D: Door>(&mut self, token: u64, done: bool, door: &mut D, cx: &mut Context<'_>) {
        let Some(journal) = &mut self.journal else { return };
        let written = if done { journal.synced(token, cx) } else { journal.failed(token) };
        if let Some(id) = written {
            if let Some(run) = self.get_mut(id) {
                run.saved = done;
            }
            self.ready.push_back(id);
        }
        self.work(door, cx);
    }

    /// The acknowledgement of a run is over.
    pub fn acknowledged<D: Door>(&mut self, id: RunId, outcome: Outcome, door: &mut D, cx: &mut Context<'_>) {
        self.over(id, outcome, cx);
        self.work(door, cx);
    }

    // -- Running. --

    fn work<D: Door>(&mut self, door: &mut D, cx: &mut Context<'_>) {
        while let Some(id) = self.ready.pop_front() {
            self.advance(id, door, cx);
        }
    }

    /// Begins the operation at which the run is. What is over at once comes back by `ready`.
    fn advance<D: Door>(&mut self, id: RunId, door: &mut D, cx: &mut Context<'_>) {
        let program = Arc::clone(&self.program);
        let Some(began) = self.get(id).map(|run| run.position.began) else { return };
        let given_up = self.deadline(began) <= cx.now();
        let Some(run) = self.get_mut(id) else { return };
        if given_up {
            run.position.outcome = Outcome::Failed;
            cx.observe(run.cargo.first().unwrap_or_default(), What::Symptom(Symptom::Timeout));
            return self.end(id, door, cx);
        }
        if run.position.phase == Phase::Undo && !next_undo(&mut run.position, &program) {
            enter_handler(&mut run.position, &program);
        }
        let end = match run.position.phase {
            Phase::Main => program.main.to,
            Phase::Handler(block) => block.to,
            Phase::Undo | Phase::Undoing => u16::MAX,
        };
        let at = undo_or_self(&run.position, &program, run.position.at);
        match program.op(at) {
            Some(op) if run.position.at < end => {
                if self.is_saved(id, op, cx) {
                    self.begin(id, op, &program, door, cx);
                }
            }
            _ => self.end(id, door, cx),
        }
    }

    /// Whether the position of the run is written down; if not, writes it.
    fn is_saved(&mut self, id: RunId, op: &Op, cx: &mut Context<'_>) -> bool {
        let Some(journal) = &mut self.journal else { return true };
        let Some(run) = self.runs.get_mut(id.slot) else { return false };
        if run.saved {
            return true;
        }
        if let Verb::Wait(span) = op.verb {
            run.position.until = cx.now() + span;
        }
        journal.write(
            id,
            Record {
                cargo: run.cargo.clone(),
                execution: run.execution,
                attempt: run.attempt,
                position: run.position,
            },
            cx,
        );
        false
    }

    /// Begins an operation.
    fn begin<D: Door>(&mut self, id: RunId, op: &Op, program: &Program, door: &mut D, cx: &mut Context<'_>) {
        let Some(run) = self.get_mut(id) else { return };
        if run.hung {
            return;
        }
        let (item, execution) = (run.cargo.first().unwrap_or_default(), run.execution);
        cx.point(op.step, Point::Before, item, execution.run);
        if let Some(outcome) = self.strikes(id, op, program, cx) {
            match outcome {
                Outcome::Ok => {}
                outcome => self.over(id, outcome, cx),
            }
            return;
        }
        let Some(deadline) = self.get(id).map(|run| self.deadline(run.position.began)) else { return };
        let Some(run) = self.get_mut(id) else { return };
        run.worst = Outcome::Ok;
        run.pending = 1;
        let ticket = run.ticket;
        match &op.verb {
            Verb::Work(sampler) => {
                let draw = cx.draw_for(program.app ^ op.hash, Purpose::Work, [item.identity(), run.attempt]);
                let span = slowed(sampler.at(draw), item, cx);
                let busy = cx.busy(span);
                cx.timer(busy, token(id, STEP_OVER), !run.cargo.is_empty());
                cx.point(op.step, Point::InDoubt, item, execution.run);
            }
            Verb::Wait(span) => {
                let left =
                    if run.position.until > Time::ZERO { run.position.until.since(cx.now()) } else { *span };
                let left = left.min(deadline.since(cx.now()));
                cx.timer(left, token(id, STEP_OVER), !run.cargo.is_empty());
                cx.point(op.step, Point::InDoubt, item, execution.run);
            }
            Verb::Reply(status) => {
                // A second reply goes nowhere.
                run.ticket = Ticket::NONE;
                run.position.acknowledged = true;
                door.reply(ticket, *status, cx);
                self.over(id, Outcome::Ok, cx);
            }
            Verb::Settle(how) => {
                let end = match run.position.phase {
                    Phase::Handler(block) => block.to,
                    _ => program.main.to,
                };
                let last = run.position.at + 1 == end;
                let state = door.settle((id, ticket), *how, last, cx);
                self.acknowledging(id, op, state, cx);
            }
            Verb::Checkpoint => {
                let state = door.checkpoint(id, ticket, cx);
                self.acknowledging(id, op, state, cx);
            }
            Verb::Together(block) => {
                run.pending = block.to - block.from;
                if run.pending == 0 {
                    self.over(id, Outcome::Ok, cx);
                }
                for part in block.from..block.to {
                    self.request(id, part, 0, door, cx);
                }
            }
            _ => {
                let at = self.get(id).map_or(0, |run| undo_or_self(&run.position, program, run.position.at));
                self.request(id, at, 0, door, cx);
            }
        }
    }

    fn acknowledging(&mut self, id: RunId, op: &Op, state: Acknowledged, cx: &mut Context<'_>) {
        match state {
            Acknowledged::Over(outcome) => self.over(id, outcome, cx),
            Acknowledged::Pending => {
                let Some(run) = self.get(id) else { return };
                let item = run.cargo.first().unwrap_or_default();
                cx.point(op.step, Point::InDoubt, item, run.execution.run);
            }
        }
    }

    /// What faults do to an operation before it begins: `Some(Ok)` if the run waits, `Some(Failed)` if
    /// its code throws.
    fn strikes(&mut self, id: RunId, op: &Op, program: &Program, cx: &mut Context<'_>) -> Option<Outcome> {
        let run = self.runs.get_mut(id.slot)?;
        let item = run.cargo.first().unwrap_or_default();
        let first = run.position.phase == Phase::Main && run.position.at == program.main.from;
        if first
            && run.pending == 0
            && let Some(strike) = cx.strike(Hook::Hang, 0, item, run.attempt)
        {
            // The second time round, when the hang is over, the answer must be no.
            run.pending = 1;
            match strike.value {
                Value::Span(span) => cx.timer(span, token(id, HANG_OVER), true),
                _ => run.hung = true,
            }
            return Some(Outcome::Ok);
        }
        if run.position.phase != Phase::Main {
            return None;
        }
        let thrown = if program.first_effect == Some(run.position.at) {
            run.cargo.items().iter().find_map(|item| cx.strike(Hook::Poison, 0, *item, 0).map(|_| *item))
        } else {
            None
        };
        let thrown =
            thrown.or_else(|| cx.strike(Hook::StepException, op.step, item, run.attempt).map(|_| item));
        let item = thrown?;
        cx.observe(item, What::Symptom(Symptom::Error));
        Some(Outcome::Failed)
    }

    /// An operation is over.
    fn over(&mut self, id: RunId, outcome: Outcome, cx: &mut Context<'_>) {
        let program = Arc::clone(&self.program);
        let Some(run) = self.get_mut(id) else { return };
        let at = run.position.at;
        let Some(op) = program.op(undo_or_self(&run.position, &program, at)) else { return };
        let item = run.cargo.first().unwrap_or_default();
        cx.point(op.step, Point::After, item, run.execution.run);
        if outcome != Outcome::Ok {
            cx.observe(item, What::StepDone { step: op.step, outcome });
        }
        run.pending = 0;
        run.saved = false;
        run.position.until = Time::ZERO;
        let acknowledges =
            matches!(op.verb, Verb::Settle(_) | Verb::Checkpoint | Verb::Transact { settle: Some(_), .. });
        if acknowledges && outcome == Outcome::Ok {
            run.position.acknowledged = true;
        }
        let next = if let Verb::Together(block) = op.verb { block.to } else { at + 1 };
        if run.position.phase == Phase::Undoing {
            run.position.phase = Phase::Undo;
            self.ready.push_back(id);
            return;
        }
        note(&mut run.position, at, outcome);
        let acknowledgement = matches!(op.verb, Verb::Settle(_) | Verb::Checkpoint);
        match (run.position.phase, outcome) {
            (Phase::Undo | Phase::Undoing, _) => {}
            (_, Outcome::Ok) => run.position.at = next,
            // What the recipe had to do is done, only its trigger does not know: nothing is taken back, and
            // the trigger delivers again.
            (Phase::Main, _) if acknowledgement => {
                run.position.outcome = Outcome::Failed;
                run.position.at = program.main.to;
            }
            (Phase::Main, _) => {
                let refused = outcome == Outcome::Refused;
                run.position.outcome = if refused { Outcome::Refused } else { Outcome::Failed };
                run.position.phase = Phase::Undo;
            }
            // A handler that fails is not handled again.
            (Phase::Handler(block), _) => run.position.at = block.to,
        }
        self.ready.push_back(id);
    }

    fn end<D: Door>(&mut self, id: RunId, door: &mut D, cx: &mut Context<'_>) {
        if self.get(id).is_none() {
            return;
        }
        let Some(run) = self.runs.take(id.slot) else { return };
        if let Some(timer) = run.timer {
            cx.cancel(timer);
        }
        let outcome = run.position.outcome;
        let first = run.cargo.first().unwrap_or_default();
        cx.observe(first, What::RunEnded { run: run.execution.run, done: outcome == Outcome::Ok });
        if outcome != Outcome::Ok {
            cx.observe_each(run.cargo.items(), What::Symptom(Symptom::RunFailed));
        }
        if let Some(journal) = &mut self.journal {
            journal.erase(run.execution.run, outcome == Outcome::Ok, &run.cargo, cx);
        }
        door.ended(run.ticket, Ending { outcome, acknowledged: run.position.acknowledged }, cx);
    }

    // -- Calls. --

    /// A credential for which calls may wait has been fetched.
    pub fn credential_came<D: Door>(&mut self, need: u16, door: &mut D, cx: &mut Context<'_>) {
        for route in 0..self.callers.len() {
            self.callers[route].credential_came(need, cx);
            self.take_progress(route, cx);
        }
        self.work(door, cx);
    }

    /// Puts the request of an operation on the wire, for the item at this index where it is called one by one.
    fn request<D: Door>(&mut self, id: RunId, at: u16, index: u32, door: &mut D, cx: &mut Context<'_>) {
        let program = Arc::clone(&self.program);
        let (Some(run), Some(op)) = (self.get(id), program.op(at)) else { return };
        let waiting = Waiting { run: id, op: at, item: index, since: cx.now() };
        let asker = Asker { cargo: &run.cargo, execution: run.execution };
        let Some((route, part, message)) = request(&asker, op, index, || door.lock(run.ticket)) else {
            self.answered(waiting, Outcome::Failed, None, cx);
            return;
        };
        let to = crate::ids::Address { part, ..program.routes[usize::from(route)].to };
        self.callers[usize::from(route)].call(cx, to, message, waiting);
        self.take_progress(usize::from(route), cx);
    }

    fn take_progress(&mut self, route: usize, cx: &mut Context<'_>) {
        while let Some(progress) = self.callers[route].next() {
            match progress {
                Progress::Sent(waiting) => {
                    let (Some(run), Some(op)) = (self.get(waiting.run), self.program.op(waiting.op)) else {
                        continue;
                    };
                    let item = run.cargo.items().get(waiting.item as usize).copied().unwrap_or_default();
                    cx.point(op.step, Point::InDoubt, item, run.execution.run);
                }
                Progress::Finished(finished) => {
                    self.answered(finished.owner, finished.outcome, finished.answer.as_ref(), cx);
                }
            }
        }
    }

    fn answered(
        &mut self,
        waiting: Waiting,
        outcome: Outcome,
        answer: Option<&Message>,
        cx: &mut Context<'_>,
    ) {
        let program = Arc::clone(&self.program);
        let (Some(run), Some(op)) = (self.get_mut(waiting.run), program.op(waiting.op)) else { return };
        let outcome = confirmed(op, outcome, answer);
        if let (Verb::Read { place: Some(place), .. }, Outcome::Ok) = (&op.verb, outcome) {
            read(*place, &run.cargo, answer, waiting.since, cx);
        }
        let one_by_one = matches!(op.verb, Verb::Call { .. });
        let more = waiting.item as usize + 1 < run.cargo.items().len();
        if one_by_one && more && outcome == Outcome::Ok {
            self.request_next(waiting, cx);
            return;
        }
        run.worst = worse(run.worst, outcome);
        run.pending = run.pending.saturating_sub(1);
        let of_together = run.position.at != waiting.op && run.position.phase != Phase::Undoing;
        if of_together {
            note(&mut run.position, waiting.op, outcome);
            let item = run.cargo.first().unwrap_or_default();
            cx.point(op.step, Point::After, item, run.execution.run);
        }
        if run.pending == 0 {
            let worst = run.worst;
            self.over(waiting.run, worst, cx);
        }
    }

    /// The same call for the next item. (A call takes nothing from the door.)
    fn request_next(&mut self, waiting: Waiting, cx: &mut Context<'_>) {
        self.request(waiting.run, waiting.op, waiting.item + 1, &mut NoDoor, cx);
    }
}

/// Observes which rows a read has shown.
fn read(place: PlaceId, cargo: &Cargo, answer: Option<&Message>, asked: Time, cx: &mut Context<'_>) {
    let rows = answer.map_or(&[][..], |answer| answer.cargo.items());
    for item in cargo.items() {
        let found = rows.iter().any(|row| row.same(*item));
        cx.observe(*item, What::Read { place, found, asked });
    }
}

/// How long work takes while a fault slows its consumer down.
fn slowed(span: Span, item: Item, cx: &mut Context<'_>) -> Span {
    let Some(strike) = cx.strike(Hook::SlowConsumer, 0, item, 0) else { return span };
    let slowed = match strike.value {
        Value::Span(more) => span + more,
        Value::Latency(more) => {
            span + more.sampler().at(cx.draw(Purpose::Work, [item.identity(), Hook::SlowConsumer as u64]))
        }
        Value::Number(factor) => span.scaled(factor, 1000),
        Value::Rate(_) | Value::None => span,
    };
    if slowed >= span.times(2) {
        cx.observe(item, What::Symptom(Symptom::Delayed));
    }
    slowed
}

fn token(id: RunId, kind: u64) -> u64 {
    SPACE << 56 | kind << KIND_SHIFT | u64::from(id.generation) << SLOT_BITS | u64::from(id.slot)
}

/// A trigger that nobody talks to.
struct NoDoor;

impl Door for NoDoor {
    fn reply(&mut self, _: Ticket, _: u16, _: &mut Context<'_>) {}
    fn settle(
        &mut self,
        _: (RunId, Ticket),
        _: broker::Settlement,
        _: bool,
        _: &mut Context<'_>,
    ) -> Acknowledged {
        Acknowledged::Over(Outcome::Ok)
    }
    fn checkpoint(&mut self, _: RunId, _: Ticket, _: &mut Context<'_>) -> Acknowledged {
        Acknowledged::Over(Outcome::Ok)
    }
    fn lock(&self, _: Ticket) -> Option<(u32, u64)> {
        None
    }
    fn ended(&mut self, _: Ticket, _: Ending, _: &mut Context<'_>) {}
}
