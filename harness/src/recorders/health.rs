//! Spans in which something was not well: processes that are down, what probes and circuit breakers believe,
//! and what people and automations do about it.

use std::collections::BTreeMap;

use beaufort_reports::series::{HealthLane, HealthSpan, LaneKind};
use beaufort_sim::ids::{NodeId, ProcessId};
use beaufort_sim::observe::{Belief, Life, Observation, What};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Time;

use crate::judges::activity::answers_alert;
use crate::judges::naming::scenario_seconds;

/// At most so many spans a lane; the others are counted.
const MOST: usize = 200;

/// What a lane is about. The order is that of the picture: by process, then by kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    /// The life of a process.
    Process(ProcessId),
    /// What the processes of a node believe of a process.
    Readiness(ProcessId, NodeId),
    Breaker(ProcessId, NodeId),
    /// The runs that an alert set going.
    Action(ProcessId),
}

impl Key {
    fn about(self) -> ProcessId {
        match self {
            Key::Process(about) | Key::Readiness(about, _) | Key::Breaker(about, _) | Key::Action(about) => {
                about
            }
        }
    }
}

/// One lane while the run goes on.
#[derive(Clone, Debug, Default)]
struct Lane {
    spans: Vec<(Time, Time, &'static str)>,
    more: u64,
    /// Who holds it open, and since when it is in which state.
    holders: BTreeMap<(ProcessId, u64), &'static str>,
    open: Option<(Time, &'static str)>,
}

impl Lane {
    fn hold(&mut self, holder: (ProcessId, u64), state: &'static str, now: Time) {
        self.holders.insert(holder, state);
        self.turn(now);
    }

    fn release(&mut self, holder: (ProcessId, u64), now: Time) {
        if self.holders.remove(&holder).is_some() {
            self.turn(now);
        }
    }

    /// The state is that of the first holder whose word weighs most: `open` before `half-open`.
    fn turn(&mut self, now: Time) {
        let state = self.holders.values().copied().max();
        if self.open.map(|(_, state)| state) == state {
            return;
        }
        self.close(now);
        self.open = state.map(|state| (now, state));
    }

    fn close(&mut self, now: Time) {
        let Some((since, state)) = self.open.take() else { return };
        if now <= since {
            return;
        }
        let full = self.spans.len() == MOST;
        match self.spans.last_mut() {
            Some(last) if last.1 == since && last.2 == state => last.1 = now,
            _ if full => self.more += 1,
            _ => self.spans.push((since, now, state)),
        }
    }
}

/// All lanes of a run.
#[derive(Clone, Debug)]
pub(super) struct Health {
    lanes: BTreeMap<(ProcessId, Key), Lane>,
    /// By node: whether an alert sets its runs going.
    alarmed: Vec<bool>,
    nodes: Vec<NodeId>,
}

impl Health {
    pub(super) fn new(plan: &Plan) -> Health {
        let ids = (0..plan.nodes.len() as u16).map(NodeId);
        Health {
            lanes: BTreeMap::new(),
            alarmed: ids.map(|id| answers_alert(plan, id)).collect(),
            nodes: plan.processes.iter().map(|process| process.node).collect(),
        }
    }

    fn lane(&mut self, key: Key) -> &mut Lane {
        self.lanes.entry((key.about(), key)).or_default()
    }

    pub(super) fn observe(&mut self, seen: &Observation) {
        let (who, now) = (seen.process, seen.at);
        match seen.what {
            What::Life(life) => self.life(who, life, now),
            What::Believes { subject, belief } => {
                let node = self.nodes[who.index()];
                let (key, state) = match belief {
                    Belief::Ready(true) => (Key::Readiness(subject, node), None),
                    Belief::Ready(false) => (Key::Readiness(subject, node), Some("unready")),
                    Belief::BreakerOpen => (Key::Breaker(subject, node), Some("open")),
                    Belief::BreakerHalfOpen => (Key::Breaker(subject, node), Some("half-open")),
                    Belief::BreakerClosed => (Key::Breaker(subject, node), None),
                };
                match state {
                    Some(state) => self.lane(key).hold((who, 0), state, now),
                    None => self.lane(key).release((who, 0), now),
                }
            }
            What::RunStarted { run } if self.alarmed[self.nodes[who.index()].index()] => {
                self.lane(Key::Action(who)).hold((who, run), "acting", now);
            }
            What::RunEnded { run, .. } if self.alarmed[self.nodes[who.index()].index()] => {
                self.lane(Key::Action(who)).release((who, run), now);
            }
            _ => {}
        }
    }

    fn life(&mut self, who: ProcessId, life: Life, now: Time) {
        let state = match life {
            Life::Started | Life::Resumed => None,
            Life::Stopped => Some("stopped"),
            Life::Crashed => Some("crashed"),
            Life::PowerLost => Some("power-lost"),
            Life::Paused => Some("paused"),
        };
        match state {
            Some(state) => self.lane(Key::Process(who)).hold((who, 0), state, now),
            None => self.lane(Key::Process(who)).release((who, 0), now),
        }
        // What it believed is forgotten with it, and so is what it did.
        if !matches!(life, Life::Paused | Life::Resumed) {
            for (_, lane) in self.lanes.iter_mut().filter(|((_, key), _)| !matches!(key, Key::Process(_))) {
                lane.holders.retain(|(holder, _), _| *holder != who);
                lane.turn(now);
            }
        }
    }

    /// The lanes, at the end of the run.
    pub(super) fn finish(mut self, plan: &Plan, end: Time) -> Vec<HealthLane> {
        let mut lanes = Vec::new();
        for ((about, key), lane) in &mut self.lanes {
            lane.close(end.max(lane.open.map_or(end, |(since, _)| since)));
            if lane.spans.is_empty() {
                continue;
            }
            let subject = plan.process(*about);
            let by = |node: NodeId| format!("{} about {}", plan.nodes[node.index()].name, subject.name);
            let (name, kind) = match *key {
                Key::Process(_) => (subject.name.clone(), LaneKind::Process),
                Key::Action(_) => (subject.name.clone(), LaneKind::Action),
                Key::Readiness(_, node) => (by(node), LaneKind::Readiness),
                Key::Breaker(_, node) => (by(node), LaneKind::Breaker),
            };
            let spans = lane.spans.iter().map(|(from, to, state)| HealthSpan {
                from: scenario_seconds(plan, *from),
                to: scenario_seconds(plan, *to),
                state: (*state).to_owned(),
            });
            lanes.push(HealthLane {
                name,
                node: plan.nodes[subject.node.index()].name.clone(),
                kind,
                spans: spans.collect(),
                more: lane.more,
            });
        }
        lanes
    }
}

#[cfg(test)]
mod tests {
    use beaufort_sim::time::Span;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::secs(seconds)
    }

    #[test]
    fn a_lane_is_open_while_anybody_holds_it() {
        let (a, b) = ((ProcessId(1), 0), (ProcessId(2), 0));
        let mut lane = Lane::default();
        lane.hold(a, "open", at(1));
        lane.hold(b, "open", at(2));
        lane.hold(a, "half-open", at(3));
        lane.release(a, at(4));
        lane.release(b, at(5));
        lane.hold(a, "half-open", at(7));
        lane.close(at(9));
        assert_eq!(lane.spans, [(at(1), at(5), "open"), (at(7), at(9), "half-open")]);
    }

    #[test]
    fn spans_beyond_the_bound_are_counted() {
        let mut lane = Lane::default();
        for round in 0..MOST as u64 + 3 {
            lane.hold((ProcessId(0), 0), "open", at(10 * round));
            lane.release((ProcessId(0), 0), at(10 * round + 5));
        }
        assert_eq!((lane.spans.len(), lane.more), (MOST, 3));
    }
}
