//! The vault itself, its copy, and the partitions to which it writes.

use std::sync::Arc;

use crate::ids::{CallId, ConnectionId, Item, ProcessId};
use crate::message::control::{self, Command};
use crate::message::credential::{Answer, Question};
use crate::message::{Body, Message};
use crate::node::{Context, Gauge, Input, Process};
use crate::observe::{Handling, Held, What};
use crate::random::mix;
use crate::services::front::{Front, Pending, answer_control, turned_away};
use crate::services::store::answer_probe;
use crate::services::window::Window;
use crate::time::{Span, Time};
use crate::units::{Rate, Sampler};

/// So long a confirmation is waited for before it is asked for again \[K\].
const PATIENCE: Span = Span::secs(5);
/// So often before a write has failed \[K\].
const TRIES: u8 = 4;
/// Marks the timer of a rotation; that of the copying.
const ROTATION: u64 = 1 << 40;
const COPYING: u64 = 1 << 41;
/// Marks what is asked of the copy.
const COPY_TAG: u32 = 1 << 24;

/// What never changes about a vault.
#[derive(Debug)]
pub(super) struct Setup {
    /// The hash of the name of each secret.
    pub(super) secrets: Vec<u64>,
    /// Whose keys they are.
    pub(super) keyed: Vec<Vec<ProcessId>>,
    pub(super) partitions: Vec<ProcessId>,
    /// Its copy in the paired region.
    pub(super) copy: Option<ProcessId>,
    pub(super) read_only: bool,
    pub(super) transactions: Rate,
    pub(super) latency: Sampler,
}

/// A new version of a secret on its way.
#[derive(Clone, Debug)]
struct Rotation {
    part: u16,
    overlap: Span,
    connection: ConnectionId,
    message: Message,
    /// Who has not confirmed yet: first the partition, then those whose key it is.
    open: Vec<ProcessId>,
    /// Whether the partition has.
    written: bool,
    tries: u8,
}

/// A vault, or its copy.
#[derive(Clone, Debug)]
pub(super) struct Vault {
    setup: Arc<Setup>,
    /// Durable: the current version of each secret.
    versions: Vec<u16>,
    /// Durable: what the copy is known to have.
    copied: Vec<u16>,
    /// How often a partition has been given up: its secrets are another's from then on.
    moved: Vec<u8>,
    front: Front,
    window: Window,
    rotations: Vec<Rotation>,
}

impl Vault {
    pub(super) fn new(setup: Setup) -> Vault {
        let count = setup.secrets.len();
        Vault {
            versions: vec![1; count],
            copied: vec![1; count],
            moved: vec![0; count],
            front: Front::default(),
            window: Window::new(setup.transactions.per),
            rotations: Vec::new(),
            setup: Arc::new(setup),
        }
    }

    // -- Reads. --

    fn ask(&mut self, from: ProcessId, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        let Body::Credential(Question::Secret { part, serial }) = message.body else { return };
        let Some(version) = self.versions.get(usize::from(part)).copied() else { return };
        let who = mix(cx.plan().process(from).hash, self.setup.secrets[usize::from(part)]);
        let occurrence = mix(who, mix(u64::from(serial), u64::from(message.attempt)));
        if self.front.is_down(cx, part, Item::default(), occurrence) {
            return answer(connection, &message, Answer::Unavailable, cx);
        }
        if self.window.count(cx.now()) >= self.setup.transactions.count as u64 {
            return answer(connection, &message, Answer::Throttled, cx);
        }
        self.window.add(cx.now());
        let takes = self.front.service_time(cx, &self.setup.latency, part, Item::default(), occurrence);
        let granted = message.answer(Body::Granted(Answer::Secret { version }));
        let token = self.front.keep(Pending { connection, message: granted });
        cx.timer(takes, token, false);
    }

    fn finish(&mut self, pending: Pending, cx: &mut Context<'_>) {
        if self.front.went_down(cx, 0, Item::default()) {
            return;
        }
        if let Body::Granted(granted) = pending.message.body {
            answer(pending.connection, &pending.message, granted, cx);
        }
    }

    // -- Rotation. --

    fn control(
        &mut self,
        connection: ConnectionId,
        message: Message,
        command: Command,
        cx: &mut Context<'_>,
    ) {
        if turned_away(connection, &message, command, cx) {
            return;
        }
        let answer = match command {
            Command::Rotate { part, overlap } if self.may_rotate(part, cx) => {
                return self.rotate(
                    Rotation {
                        part,
                        overlap,
                        connection,
                        message: message.answer(Body::Probe),
                        open: vec![self.partition(part)],
                        written: false,
                        tries: 0,
                    },
                    cx,
                );
            }
            Command::Copy { part, version } => {
                if let Some(known) = self.versions.get_mut(usize::from(part)) {
                    *known = version.max(*known);
                }
                control::Answer::Done
            }
            Command::Verify { .. } => {
                control::Answer::State { up: self.front.is_ready(cx), in_sync: self.in_sync() }
            }
            _ => control::Answer::Refused,
        };
        answer_control(connection, &message, answer, cx);
    }

    /// One at a time, and never in the copy (facts data 7: read-only).
    fn may_rotate(&self, part: u16, cx: &Context<'_>) -> bool {
        let known = usize::from(part) < self.versions.len();
        let busy = self.rotations.iter().any(|rotation| rotation.part == part);
        known && !busy && !self.setup.read_only && self.front.is_ready(cx)
    }

    /// The partition of a secret.
    fn partition(&self, part: u16) -> ProcessId {
        let (hash, moved) = (self.setup.secrets[usize::from(part)], self.moved[usize::from(part)]);
        let count = self.setup.partitions.len().max(1) as u64;
        let index = (hash % count + u64::from(moved)) % count;
        self.setup.partitions.get(index as usize).copied().unwrap_or_default()
    }

    fn rotate(&mut self, rotation: Rotation, cx: &mut Context<'_>) {
        let part = rotation.part;
        self.rotations.push(rotation);
        self.urge(part, cx);
    }

    /// Asks everybody who has not confirmed.
    fn urge(&mut self, part: u16, cx: &mut Context<'_>) {
        let version = self.versions[usize::from(part)] + 1;
        let Some(rotation) = self.rotations.iter_mut().find(|rotation| rotation.part == part) else { return };
        rotation.tries += 1;
        let command = if rotation.written {
            Command::Accept { version, overlap: rotation.overlap }
        } else {
            Command::Copy { part, version }
        };
        for to in &rotation.open {
            cx.tell(*to, Message { tag: u32::from(part), ..Message::new(Body::Control(command)) });
        }
        cx.timer(PATIENCE, ROTATION | u64::from(part), false);
    }

    fn confirmed(&mut self, from: ProcessId, part: u16, cx: &mut Context<'_>) {
        let Some(index) = self.rotations.iter().position(|rotation| rotation.part == part) else { return };
        let rotation = &mut self.rotations[index];
        rotation.open.retain(|open| *open != from);
        if !rotation.open.is_empty() {
            return;
        }
        if !rotation.written {
            (rotation.written, rotation.tries) = (true, 0);
            rotation.open.clone_from(&self.setup.keyed[usize::from(part)]);
            if !rotation.open.is_empty() {
                return self.urge(part, cx);
            }
        }
        let Rotation { connection, message, .. } = self.rotations.remove(index);
        self.versions[usize::from(part)] += 1;
        answer_control(connection, &message, control::Answer::Done, cx);
        self.copy_on(cx);
    }

    /// A confirmation is late.
    fn late(&mut self, part: u16, cx: &mut Context<'_>) {
        let Some(index) = self.rotations.iter().position(|rotation| rotation.part == part) else { return };
        if self.rotations[index].tries < TRIES {
            return self.urge(part, cx);
        }
        let Rotation { connection, message, written, .. } = self.rotations.remove(index);
        if !written {
            // Its zone is away: the next write goes to another one.
            self.moved[usize::from(part)] = self.moved[usize::from(part)].wrapping_add(1);
        }
        cx.answer(connection, message.answer(Body::ControlAnswer(control::Answer::Unavailable)));
    }

    // -- The copy. --

    fn in_sync(&self) -> bool {
        self.setup.copy.is_none() || self.copied == self.versions
    }

    /// Tells the copy what it does not have yet, until it confirms.
    fn copy_on(&mut self, cx: &mut Context<'_>) {
        let Some(copy) = self.setup.copy.filter(|_| !self.in_sync()) else { return };
        for (part, (version, copied)) in self.versions.iter().zip(&self.copied).enumerate() {
            if version != copied {
                let command = Command::Copy { part: part as u16, version: *version };
                let tag = COPY_TAG | part as u32;
                let message = Message::new(Body::Control(command));
                cx.tell(copy, Message { tag, attempt: *version, ..message });
            }
        }
        cx.timer(PATIENCE, COPYING, false);
    }

    fn answered(&mut self, from: ProcessId, message: &Message, cx: &mut Context<'_>) {
        let part = message.tag as u16;
        if message.tag & COPY_TAG == 0 {
            return self.confirmed(from, part, cx);
        }
        if let Some(copied) = self.copied.get_mut(usize::from(part)) {
            *copied = message.attempt.max(*copied);
        }
    }
}

/// Answers, and books the call: nothing is stored, whatever the answer.
fn answer(connection: ConnectionId, message: &Message, granted: Answer, cx: &mut Context<'_>) {
    let how = match granted {
        Answer::Unavailable | Answer::Throttled => Handling::Rejected,
        _ => Handling::Suppressed,
    };
    if message.call != CallId(0) {
        cx.observe_on(connection, Item::default(), What::Handled { call: message.call, how });
    }
    cx.answer(connection, message.answer(Body::Granted(granted)));
}

impl Process for Vault {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Message { from, connection, message } => match message.body {
                Body::Credential(_) => self.ask(from, connection, message, cx),
                Body::Probe => answer_probe(from, connection, &message, self.front.is_ready(cx), cx),
                Body::Control(command) => self.control(connection, message, command, cx),
                Body::ControlAnswer(control::Answer::Done) => self.answered(from, &message, cx),
                _ => {}
            },
            Input::Timer(COPYING) | Input::Start => self.copy_on(cx),
            Input::Timer(token) if token & ROTATION != 0 => self.late(token as u16, cx),
            Input::Timer(token) => {
                if let Some(pending) = self.front.take(token) {
                    self.finish(pending, cx);
                }
            }
            Input::Disk(..) | Input::Closed { .. } | Input::Poke => {}
        }
    }

    fn crash(&mut self) {
        self.front = Front::default();
        self.window = Window::new(self.setup.transactions.per);
        self.rotations.clear();
        self.moved.fill(0);
    }

    fn gauges(&self, now: Time, out: &mut dyn FnMut(Gauge)) {
        out(self.window.gauge("transactions", "transactions", self.setup.transactions, now));
    }

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}

/// The part of the store that is in one zone: it confirms what is written to it.
#[derive(Clone, Debug)]
pub(super) struct Partition;

impl Process for Partition {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        if let Input::Message { from, connection, message } = input {
            match message.body {
                Body::Control(Command::Copy { .. }) => {
                    cx.answer(connection, message.answer(Body::ControlAnswer(control::Answer::Done)));
                }
                Body::Probe => answer_probe(from, connection, &message, true, cx),
                _ => {}
            }
        }
    }

    fn crash(&mut self) {}

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
