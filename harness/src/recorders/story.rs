//! The story of a violation: the way of one item through the nodes, in short lines. Nothing is kept while
//! a run is judged; the seed is run again with a [`Recorder`] for the few items that are wanted.

use std::collections::BTreeMap;
use std::sync::Arc;

use beaufort_reports::{SeedResult, Step, Verdict};
use beaufort_sim::ids::{Address, CallId, Item, PlaceId, ProcessId};
use beaufort_sim::observe::{Birth, Discard, End, Life, Observation, Outcome, Sink, Symptom, What};
use beaufort_sim::plan::{PlaceRole, Plan};
use beaufort_sim::time::Time;
use rustc_hash::FxHashMap;

use crate::judges::naming::scenario_seconds;
use crate::judges::sends;

/// Of one item at most so many observations are kept.
const KEPT: usize = 2_000;
/// A story has at most so many lines from its beginning, and as many from its end.
const HALF: usize = 24;

/// Keeps what happens to a few items.
#[derive(Clone, Debug)]
pub struct Recorder {
    wanted: BTreeMap<u64, Vec<Observation>>,
    /// Whose run with a wanted item is under way.
    running: FxHashMap<ProcessId, Vec<Item>>,
}

impl Recorder {
    /// For the first violations of the failed contracts and the first items of missed goals, at most
    /// `stories`, spread over them.
    #[must_use]
    pub fn new(plan: &Arc<Plan>, result: &SeedResult, stories: usize) -> Recorder {
        let mut wanted = BTreeMap::new();
        let contracts = result.contracts.iter().filter(|c| c.verdict == Verdict::Fail);
        let goals = result.objectives.iter().map(|goal| &goal.examples);
        let failed: Vec<_> = contracts.map(|contract| &contract.violations).chain(goals).collect();
        let most = failed.iter().map(|violations| violations.len()).max().unwrap_or(0);
        'all: for round in 0..most {
            for violations in &failed {
                let Some(violation) = violations.get(round) else { continue };
                if wanted.len() >= stories {
                    break 'all;
                }
                if let Some(item) = find(plan, &violation.stream, violation.number) {
                    wanted.entry(item).or_insert_with(Vec::new);
                }
            }
        }
        Recorder { wanted, running: FxHashMap::default() }
    }

    /// For these items.
    pub(super) fn keeping(items: impl Iterator<Item = u64>) -> Recorder {
        Recorder { wanted: items.map(|item| (item, Vec::new())).collect(), running: FxHashMap::default() }
    }

    /// What happened to an item.
    pub(super) fn kept(&self, item: u64) -> &[Observation] {
        self.wanted.get(&item).map_or(&[], Vec::as_slice)
    }

    /// For one item: the number in its stream.
    #[must_use]
    pub fn of(plan: &Plan, stream: &str, number: u32) -> Recorder {
        let wanted = find(plan, stream, number).map(|item| (item, Vec::new()));
        Recorder { wanted: wanted.into_iter().collect(), running: FxHashMap::default() }
    }

    /// The whole way of an item, if it was recorded.
    #[must_use]
    pub fn history(&self, plan: &Plan, stream: &str, number: u32) -> Vec<Step> {
        let kept = find(plan, stream, number).and_then(|item| self.wanted.get(&item));
        kept.map_or_else(Vec::new, |kept| Teller::new(plan).steps(kept))
    }
}

pub(super) fn find(plan: &Plan, stream: &str, number: u32) -> Option<u64> {
    let stream = plan.stream_named(stream)?;
    Some(Item { number, stream, ..Item::default() }.identity())
}

impl Sink for Recorder {
    fn observe(&mut self, seen: &Observation) {
        if let What::Life(Life::Crashed | Life::PowerLost | Life::Stopped) = seen.what {
            for item in self.running.remove(&seen.process).unwrap_or_default() {
                keep(&mut self.wanted, item, seen);
            }
            return;
        }
        if !seen.what.has_item() || !self.wanted.contains_key(&seen.item.identity()) {
            return;
        }
        match seen.what {
            What::RunStarted { .. } => self.running.entry(seen.process).or_default().push(seen.item),
            What::RunEnded { .. } => {
                if let Some(items) = self.running.get_mut(&seen.process) {
                    items.retain(|item| !item.same(seen.item));
                }
            }
            _ => {}
        }
        keep(&mut self.wanted, seen.item, seen);
    }
}

fn keep(wanted: &mut BTreeMap<u64, Vec<Observation>>, item: Item, seen: &Observation) {
    if let Some(kept) = wanted.get_mut(&item.identity())
        && kept.len() < KEPT
    {
        kept.push(*seen);
    }
}

/// Puts the stories into the violations that they are about, and their keys.
pub fn tell(plan: &Arc<Plan>, recorder: &Recorder, result: &mut SeedResult) {
    let contracts = result.contracts.iter_mut().map(|contract| &mut contract.violations);
    let goals = result.objectives.iter_mut().map(|goal| &mut goal.examples);
    for violations in contracts.chain(goals) {
        for violation in violations {
            let item = find(plan, &violation.stream, violation.number);
            let Some(kept) = item.and_then(|item| recorder.wanted.get(&item)) else { continue };
            let key = kept.iter().find(|seen| seen.what.has_item()).map(|seen| seen.item.key);
            violation.key = violation.key.or(key);
            violation.story = Teller::new(plan).story(kept);
        }
    }
}

/// Tells what happens to one item.
pub(super) struct Teller<'a> {
    plan: &'a Plan,
    calls: FxHashMap<CallId, Address>,
    effects: BTreeMap<PlaceId, u32>,
    /// When and by whom a call was last found to be in vain.
    in_vain: Option<(Time, ProcessId)>,
}

impl<'a> Teller<'a> {
    pub(super) fn new(plan: &'a Plan) -> Teller<'a> {
        Teller { plan, calls: FxHashMap::default(), effects: BTreeMap::new(), in_vain: None }
    }

    /// Its beginning and its end, where it is long.
    fn story(self, kept: &[Observation]) -> Vec<Step> {
        let mut steps = self.steps(kept);
        if steps.len() > 2 * HALF {
            let cut = steps.len() - 2 * HALF;
            let at_seconds = steps[HALF].at_seconds;
            let gap = Step { at_seconds, what: format!("… {cut} more steps …"), ..Step::default() };
            steps.splice(HALF..HALF + cut, [gap]);
        }
        steps
    }

    fn steps(mut self, kept: &[Observation]) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for seen in kept {
            if self.echoes(seen) {
                continue;
            }
            let Some(what) = self.line(seen) else { continue };
            let faults = seen.by.iter().filter_map(|fault| {
                self.plan.blueprint.faults.get_index(fault.index()).map(|(name, _)| name.clone())
            });
            let step = Step {
                at_seconds: scenario_seconds(self.plan, seen.at),
                node: self.plan.process(seen.process).name.clone(),
                what,
                faults: faults.collect(),
            };
            if steps.last() != Some(&step) {
                steps.push(step);
            }
        }
        steps
    }

    /// Whether it only says again that the call was in vain whose line is the last one.
    pub(super) fn echoes(&mut self, seen: &Observation) -> bool {
        let here = (seen.at, seen.process);
        match seen.what {
            What::Answered { outcome, .. } if outcome != Outcome::Ok => {
                self.in_vain = Some(here);
                false
            }
            What::Symptom(Symptom::Error | Symptom::Timeout) => self.in_vain == Some(here),
            _ => false,
        }
    }

    fn place(&self, place: PlaceId) -> &str {
        &self.plan.place(place).name
    }

    fn node(&self, node: beaufort_sim::ids::NodeId) -> &str {
        self.plan.nodes.get(node.index()).map_or("?", |node| node.name.as_str())
    }

    pub(super) fn line(&mut self, seen: &Observation) -> Option<String> {
        let line = match seen.what {
            What::Offered { door } => format!("offered to {}", self.node(door)),
            What::Concluded { door, outcome, .. } => {
                let door = self.node(door);
                match outcome {
                    Outcome::Ok => format!("{door} said yes in the end"),
                    Outcome::Refused => format!("{door} refused in the end"),
                    Outcome::Failed => format!("gave up on {door}: nothing happened"),
                    Outcome::Unknown => format!("gave up on {door}: it may have happened or not"),
                }
            }
            What::Sent { call, to } => {
                self.calls.insert(call, to);
                return None;
            }
            What::Answered { outcome: Outcome::Ok, .. } | What::Handled { .. } => return None,
            What::Answered { call, outcome } => {
                let to =
                    self.calls.get(&call).map_or_else(|| "?".to_owned(), |to| sends::name(self.plan, *to));
                format!("call to {to}: {}", outcome_words(outcome))
            }
            What::Born { place, cause } => self.born(place, cause),
            What::Ended { place, cause } => format!("{} {}", self.place(place), end_words(cause)),
            What::Moved { from, to, reason: Some(reason) } => {
                format!("dead-lettered from {} to {}: {reason:?}", self.place(from), self.place(to))
            }
            What::Moved { from, to, reason: None } => {
                format!("moved from {} to {}", self.place(from), self.place(to))
            }
            What::Absorbed { place } => format!("repetition recognised at {}: no effect", self.place(place)),
            What::Undone { undone, by } => format!("{} undone by {}", self.place(undone), self.place(by)),
            What::Shadow { place, held: true } => format!("a shadow of it is at {}", self.place(place)),
            What::Shadow { place, held: false } => {
                format!("no shadow of it at {} any more", self.place(place))
            }
            What::RunStarted { .. } => "a run begins".to_owned(),
            What::RunEnded { done: true, .. } => "the run ends".to_owned(),
            What::RunEnded { done: false, .. } => "the run fails".to_owned(),
            What::StepDone { step, outcome } => {
                let node = self.plan.process(seen.process).node;
                let name = self.plan.step_name(node, step).unwrap_or("?");
                format!("step `{name}`: {}", outcome_words(outcome))
            }
            What::Symptom(symptom) => symptom_words(symptom).to_owned(),
            What::Touched => "struck by a fault".to_owned(),
            What::Life(Life::Stopped) => "stopped in the middle of the run".to_owned(),
            What::Life(_) => "crashed in the middle of the run".to_owned(),
            _ => return None,
        };
        Some(line)
    }

    fn born(&mut self, place: PlaceId, cause: Birth) -> String {
        let count = self.effects.entry(place).or_default();
        *count += 1;
        let count = *count;
        let name = self.place(place);
        match (self.plan.place(place).role, cause) {
            (PlaceRole::Effect, _) if count > 1 => format!("EFFECT at {name}, number {count}"),
            (PlaceRole::Effect, _) => format!("effect at {name}"),
            (_, Birth::Stored) => format!("stored in {name}"),
            (_, Birth::FannedOut) => format!("copy put into {name}"),
            (_, Birth::Derived) => format!("copy derived into {name}"),
            (_, Birth::Reborn) => format!("came back in {name}"),
        }
    }
}

fn outcome_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "success",
        Outcome::Refused => "refused",
        Outcome::Failed => "failed, nothing happened",
        Outcome::Unknown => "no certain answer, it may have happened",
    }
}

fn end_words(cause: End) -> &'static str {
    match cause {
        End::Completed => "completed",
        End::FannedOut => "given to every matching subscription",
        End::Expired => "expired",
        End::Discarded(Discard::Unsubscribed) => "discarded: no subscription matches",
        End::Discarded(Discard::Superseded) => "discarded: a later write in another region won",
        End::Discarded(Discard::Undeliverable) => "discarded: undeliverable, and no dead-letter destination",
        End::Discarded(Discard::DeadLetterUnavailable) => {
            "discarded: the dead-letter destination did not take it"
        }
        End::Discarded(Discard::Fault) => "removed by a fault",
        End::Destroyed => "destroyed by a crash or a lost sync",
        End::FailoverTail => "destroyed: failover tail",
    }
}

fn symptom_words(symptom: Symptom) -> &'static str {
    match symptom {
        Symptom::Error => "got an error",
        Symptom::Timeout => "got no answer in time",
        Symptom::Retry => "tries again",
        Symptom::Redelivery => "delivered again",
        Symptom::LockLost => "the lock was lost",
        Symptom::LeaseLost => "the lease was lost",
        Symptom::Reset => "the connection was reset",
        Symptom::Delayed => "delayed on the way",
        Symptom::Datagram => "a datagram was lost, doubled or overtaken",
        Symptom::RunFailed => "the run failed",
        Symptom::Throttled => "waits: throttled",
        Symptom::Misrouted => "went where it should not, or did not go where it should",
        Symptom::Misled => "its caller was told that it was done, and it was not",
    }
}
