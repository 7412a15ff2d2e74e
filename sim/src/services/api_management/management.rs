//! The management plane of a gateway in several regions: a part of the primary region. It takes gateways out of
//! the routing and into it again. While it is away nothing can be changed, and everything goes on as it is: it
//! is in no request's way (facts 6, "primary down").

use crate::ids::{ConnectionId, Item, ProcessId};
use crate::message::control::{Answer, Command, Listing};
use crate::message::{Body, Message};
use crate::node::{Context, Input, Process};
use crate::observe::{Handling, Held, What};
use crate::services::front::turned_away;
use crate::time::Span;

/// How long until a change is everywhere: "within ~10 s" (facts 6).
const REPLICATION: Span = Span::secs(10);
/// So long an answer of the routing is waited for before it is told again.
const PATIENCE: Span = Span::secs(5);

/// The management plane.
#[derive(Clone, Debug)]
pub(super) struct Management {
    /// Who monitors the gateways for the name of the service.
    monitor: ProcessId,
    gateways: u16,
    /// The gateways in the routing, bit by bit. Written down before it is confirmed: it survives a crash.
    routed: u16,
    /// Counts the changes; an answer about an older one confirms nothing.
    version: u32,
    /// The last change that the routing has confirmed.
    confirmed: u32,
}

impl Management {
    /// Of so many gateways, all of them in the routing.
    pub(super) fn new(monitor: ProcessId, gateways: usize) -> Management {
        let gateways = gateways.min(Listing::MOST) as u16;
        Management { monitor, gateways, routed: (1 << gateways) - 1, version: 0, confirmed: 0 }
    }

    fn tell(&self, cx: &mut Context<'_>) {
        let listed: Vec<u8> =
            (0..self.gateways as u8).filter(|index| self.routed >> index & 1 == 1).collect();
        let set = Body::Control(Command::Set { listed: Listing::of(&listed) });
        cx.tell(self.monitor, Message { tag: self.version, ..Message::new(set) });
        cx.timer(PATIENCE, u64::from(self.version), false);
    }

    fn asked(&mut self, connection: ConnectionId, message: &Message, command: Command, cx: &mut Context<'_>) {
        if turned_away(connection, message, command, cx) {
            return;
        }
        let answer = match command {
            Command::Enable { part, on } if part < self.gateways => self.switch(1 << part, on, cx),
            Command::Verify { .. } => Answer::State { up: true, in_sync: self.confirmed == self.version },
            _ => Answer::Refused,
        };
        if answer != Answer::Refused {
            let handled = What::Handled { call: message.call, how: Handling::Stored };
            cx.observe_on(connection, Item::default(), handled);
        }
        cx.answer(connection, message.answer(Body::ControlAnswer(answer)));
    }

    fn switch(&mut self, gateway: u16, on: bool, cx: &mut Context<'_>) -> Answer {
        let routed = if on { self.routed | gateway } else { self.routed & !gateway };
        if routed == 0 {
            return Answer::Refused; // a name leads somewhere
        }
        if routed != self.routed {
            self.routed = routed;
            self.version += 1;
            cx.timer(REPLICATION, u64::from(self.version), false);
        }
        Answer::Done
    }
}

impl Process for Management {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            Input::Start if self.confirmed != self.version => self.tell(cx),
            Input::Message { from, connection, message } => match message.body {
                Body::Control(command) => self.asked(connection, &message, command, cx),
                Body::ControlAnswer(Answer::Done) if from == self.monitor && message.tag == self.version => {
                    self.confirmed = self.version;
                }
                Body::Probe => cx.datagram(from, message.answer(Body::ProbeAnswer { ready: true })),
                _ => {}
            },
            Input::Timer(version) if version == u64::from(self.version) && self.confirmed != self.version => {
                self.tell(cx);
            }
            Input::Start | Input::Timer(_) | Input::Closed { .. } | Input::Disk(..) | Input::Poke => {}
        }
    }

    /// All that it knows is written down.
    fn crash(&mut self) {}

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
