//! The process of an alert: it asks, evaluates, and tells.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::client::{Caller, Progress};
use crate::ids::{Address, ConnectionId, Item, ProcessId};
use crate::message::{Body, Message, control};
use crate::node::{Context, Input, Process};
use crate::observe::{Belief, Handling, Held, Outcome, What};
use crate::services::front::{answer_control, turned_away};
use crate::time::{Span, Time};

/// The space of the caller that tells.
pub(super) const SPACE: u8 = 1;
const ASK: u64 = 250 << 56 | 1;
const EVALUATE: u64 = 250 << 56 | 2;
const TELL_AGAIN: u64 = 249 << 56;
/// So long after a call that failed somebody is told again: an action group does not give up at once.
const AGAIN: Span = Span::mins(1);
/// After so many good evaluations it is resolved (facts 9, "Metric alert").
const RESOLVED: u32 = 3;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    /// The share of probes that are answered well.
    Availability(ProcessId),
    /// How many messages wait.
    Depth(Address),
}

/// What the alert is told to do.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) metric: Metric,
    pub(super) below: Option<f64>,
    pub(super) above: Option<f64>,
    pub(super) lasts: Span,
    pub(super) every: Span,
    pub(super) evaluate: Span,
    /// So many probes count.
    pub(super) window: usize,
    /// It watches only after another alert.
    pub(super) waits: bool,
    /// Who is told.
    pub(super) told: Vec<Address>,
}

/// An alert at work.
#[derive(Clone, Debug)]
pub(super) struct Watcher {
    rules: Arc<Rules>,
    caller: Caller<u32>,
    /// The last probes: answered well or not.
    probes: VecDeque<bool>,
    /// Whether the last probe is still without an answer.
    open: bool,
    depth: Option<u64>,
    bad_since: Option<Time>,
    good: u32,
    raised: bool,
    /// Whether it watches at all.
    armed: bool,
    /// Whether somebody has switched it off, as one does for a planned failover; written down.
    muted: bool,
    /// The last alarm by which it was armed.
    armed_by: Option<u32>,
    /// Counts its own alarms; written down, so that a restart does not raise an old number again.
    number: u32,
}

impl Watcher {
    pub(super) fn new(rules: Rules, caller: Caller<u32>) -> Watcher {
        let armed = !rules.waits;
        Watcher {
            rules: Arc::new(rules),
            caller,
            probes: VecDeque::new(),
            open: false,
            depth: None,
            bad_since: None,
            good: 0,
            raised: false,
            armed,
            muted: false,
            armed_by: None,
            number: 0,
        }
    }

    fn ask(&mut self, cx: &mut Context<'_>) {
        cx.timer(self.rules.every, ASK, false);
        match self.rules.metric {
            Metric::Availability(process) => {
                if self.open {
                    self.probed(false);
                }
                self.open = true;
                cx.datagram(process, Message::new(Body::Probe));
            }
            Metric::Depth(Address { process, part }) => {
                cx.tell(process, Message::new(Body::Control(control::Command::Depth { part })));
            }
        }
    }

    fn probed(&mut self, well: bool) {
        self.open = false;
        self.probes.push_back(well);
        if self.probes.len() > self.rules.window {
            self.probes.pop_front();
        }
    }

    /// The value of the metric; none as long as there are no data for a whole window.
    fn value(&self) -> Option<f64> {
        match self.rules.metric {
            Metric::Availability(_) => {
                let well = self.probes.iter().filter(|well| **well).count();
                (self.probes.len() >= self.rules.window).then(|| well as f64 / self.probes.len() as f64)
            }
            Metric::Depth(_) => self.depth.map(|depth| depth as f64),
        }
    }

    fn evaluate(&mut self, cx: &mut Context<'_>) {
        cx.timer(self.rules.evaluate, EVALUATE, false);
        let watches = !self.muted && (self.armed || self.raised);
        let Some(value) = self.value().filter(|_| watches) else { return };
        let bad = self.rules.below.is_some_and(|bound| value < bound)
            || self.rules.above.is_some_and(|bound| value > bound);
        if !bad {
            self.bad_since = None;
            self.good = self.good.saturating_add(1);
            if self.good >= RESOLVED && self.raised {
                self.raised = false;
                self.belief(Belief::Ready(true), cx);
            }
            return;
        }
        self.good = 0;
        let since = *self.bad_since.get_or_insert(cx.now());
        // The evaluation that finds it first has seen a whole window of it.
        if cx.now().since(since) + self.rules.evaluate >= self.rules.lasts && self.armed && !self.raised {
            self.raise(cx);
        }
    }

    fn belief(&self, belief: Belief, cx: &mut Context<'_>) {
        let subject = match self.rules.metric {
            Metric::Availability(process) => process,
            Metric::Depth(address) => address.process,
        };
        cx.believe(subject, belief);
    }

    fn raise(&mut self, cx: &mut Context<'_>) {
        self.raised = true;
        self.armed = !self.rules.waits;
        self.number += 1;
        self.belief(Belief::Ready(false), cx);
        for index in 0..self.rules.told.len() {
            self.tell(index as u32, cx);
        }
    }

    fn tell(&mut self, index: u32, cx: &mut Context<'_>) {
        let Some(to) = self.rules.told.get(index as usize).copied() else { return };
        let raise = control::Command::Raise { number: self.number };
        self.caller.call(cx, to, Message::new(Body::Control(raise)), index);
    }

    /// Whoever could not be told is told again, as long as it is bad.
    fn flow(&mut self, cx: &mut Context<'_>) {
        while let Some(progress) = self.caller.next() {
            if let Progress::Finished(finished) = progress
                && finished.outcome != Outcome::Ok
            {
                cx.timer(AGAIN, TELL_AGAIN | u64::from(finished.owner), false);
            }
        }
    }

    /// It is switched on or off: what it has seen so far counts no more.
    fn switch(&mut self, connection: ConnectionId, message: &Message, on: bool, cx: &mut Context<'_>) {
        let command = control::Command::Enable { part: 0, on };
        if turned_away(connection, message, command, cx) {
            return;
        }
        if self.muted == on {
            (self.muted, self.raised, self.bad_since, self.good) = (!on, false, None, 0);
        }
        answer_control(connection, message, control::Answer::Done, cx);
    }

    /// The alert after which this one watches was raised.
    fn arm(&mut self, connection: ConnectionId, message: &Message, number: u32, cx: &mut Context<'_>) {
        let new = self.armed_by != Some(number);
        self.armed_by = Some(number);
        if new {
            (self.armed, self.raised, self.bad_since) = (true, false, None);
        }
        let how = if new { Handling::Stored } else { Handling::Suppressed };
        cx.observe_on(connection, Item::default(), What::Handled { call: message.call, how });
        cx.answer(connection, message.answer(Body::ControlAnswer(control::Answer::Done)));
    }
}

impl Process for Watcher {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => {
                cx.timer(self.rules.every, ASK, false);
                cx.timer(self.rules.evaluate, EVALUATE, false);
            }
            Input::Timer(ASK) => self.ask(cx),
            Input::Timer(EVALUATE) => self.evaluate(cx),
            Input::Timer(token) if self.caller.on_timer(cx, token) => {}
            Input::Timer(token) if token >> 56 == TELL_AGAIN >> 56 => {
                if self.raised {
                    self.tell(token as u32, cx);
                }
            }
            Input::Message { from, connection, message } => match message.body {
                Body::ProbeAnswer { ready } => self.probed(ready),
                Body::Probe => cx.datagram(from, message.answer(Body::ProbeAnswer { ready: true })),
                Body::Control(control::Command::Raise { number }) => {
                    self.arm(connection, &message, number, cx);
                }
                Body::Control(control::Command::Enable { on, .. }) => {
                    self.switch(connection, &message, on, cx);
                }
                Body::Control(control::Command::Verify { .. }) => {
                    let state = control::Answer::State { up: true, in_sync: true };
                    answer_control(connection, &message, state, cx);
                }
                Body::Control(_) => answer_control(connection, &message, control::Answer::Refused, cx),
                Body::ControlAnswer(control::Answer::Depth { waiting, .. }) => self.depth = Some(waiting),
                _ => {
                    self.caller.on_message(cx, &message);
                }
            },
            Input::Closed { peer, .. } => self.caller.on_closed(cx, peer),
            Input::Timer(_) | Input::Disk(..) | Input::Poke => {}
        }
        self.flow(cx);
    }

    fn crash(&mut self) {
        self.caller.crash();
        self.probes.clear();
        (self.open, self.depth, self.bad_since, self.good) = (false, None, None, 0);
    }

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
