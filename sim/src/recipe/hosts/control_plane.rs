//! The control plane of an app that can be switched on and off: it keeps what is wanted, outside the region of
//! the app, and tells the front of the app until that confirms it. What is wanted of an app whose region is
//! away takes effect when the region is back; an app that nobody can reach goes on as it is. Where the app is a
//! managed workflow, it has no front: its one process is told itself.

use std::sync::Arc;

use crate::ids::{ConnectionId, Item, ProcessId};
use crate::message::{Body, Message, control};
use crate::node::{Context, Input, Process};
use crate::observe::{Handling, Held};
use crate::random::Purpose;
use crate::services::front::{control_is_down, turned_away};
use crate::time::Span;
use crate::units::Sampler;

/// So long an answer of the front is waited for before it is told again.
const PATIENCE: Span = Span::secs(5);

/// The control plane of one app.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    front: ProcessId,
    /// How long from a confirmed wish until the app is told; none: at once.
    delay: Option<Arc<Sampler>>,
    /// Written down before it is confirmed to anybody: it survives a crash.
    on: bool,
    scale: Option<u16>,
    /// Counts what was wanted; an answer to an older wish confirms nothing.
    version: u32,
    confirmed: bool,
}

impl ControlPlane {
    /// For the app behind this front, which is switched on or off to begin with.
    #[must_use]
    pub const fn new(front: ProcessId, on: bool) -> ControlPlane {
        ControlPlane { front, delay: None, on, scale: None, version: 0, confirmed: false }
    }

    /// The same; what it confirms takes effect after a while.
    #[must_use]
    pub fn after(self, delay: Sampler) -> ControlPlane {
        ControlPlane { delay: Some(Arc::new(delay)), ..self }
    }

    fn tell(&mut self, cx: &mut Context<'_>) {
        cx.timer(PATIENCE, u64::from(self.version), false);
        if control_is_down(cx) {
            return;
        }
        let tell = |command| Message { tag: self.version, ..Message::new(Body::Control(command)) };
        cx.tell(self.front, tell(control::Command::Enable { part: 0, on: self.on }));
        if let Some(to) = self.scale.filter(|_| self.on) {
            cx.tell(self.front, tell(control::Command::Scale { to }));
        }
    }

    fn wish(
        &mut self,
        connection: ConnectionId,
        message: &Message,
        command: control::Command,
        cx: &mut Context<'_>,
    ) {
        if turned_away(connection, message, command, cx) {
            return;
        }
        let answer = match command {
            control::Command::Enable { on, .. } => {
                self.on = on;
                control::Answer::Done
            }
            control::Command::Scale { to } => {
                self.scale = Some(to);
                control::Answer::Done
            }
            _ => control::Answer::Refused,
        };
        if answer == control::Answer::Done {
            cx.handled_about(connection, Item::default(), message.call, Handling::Stored);
            self.version += 1;
            self.confirmed = false;
            match &self.delay {
                Some(delay) => {
                    let draw = cx.draw(Purpose::Work, [u64::from(self.version), u64::from(self.on)]);
                    cx.timer(delay.at(draw), u64::from(self.version), false);
                }
                None => self.tell(cx),
            }
        }
        cx.answer(connection, message.answer(Body::ControlAnswer(answer)));
    }
}

impl Process for ControlPlane {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start => self.tell(cx),
            Input::Message { from, connection, message } => match message.body {
                // The front has started, and knows nothing.
                Body::Control(control::Command::Ready { .. }) if from == self.front => {
                    self.confirmed = false;
                    self.tell(cx);
                }
                Body::Control(command) => self.wish(connection, &message, command, cx),
                Body::ControlAnswer(control::Answer::Done) if message.tag == self.version => {
                    self.confirmed = true;
                }
                Body::Probe => cx.datagram(from, message.answer(Body::ProbeAnswer { ready: true })),
                _ => {}
            },
            Input::Timer(version) if version == u64::from(self.version) && !self.confirmed => self.tell(cx),
            Input::Timer(_) | Input::Closed { .. } | Input::Disk(..) | Input::Poke => {}
        }
    }

    fn crash(&mut self) {
        self.confirmed = false;
    }

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
