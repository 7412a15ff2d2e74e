//! The name servers of a profile: they answer lookups from the last records that the monitor gave them.

use std::sync::Arc;

use crate::faults::Hook;
use crate::ids::{Item, ProcessId};
use crate::kernel::slab::Slab;
use crate::message::{Body, Message, control, name};
use crate::node::{Context, Durable, Input, Process};
use crate::observe::Held;
use crate::random::{Purpose, mix};
use crate::services::traffic_manager::profile::{Profile, Records};

/// A lookup that is being answered.
#[derive(Clone, Debug)]
struct Question {
    from: ProcessId,
    message: Message,
}

/// The name servers, as one process.
#[derive(Clone, Debug)]
pub(super) struct NameServers {
    profile: Arc<Profile>,
    /// Every server keeps a copy of the zone.
    records: Durable<Records, Records>,
    questions: Slab<Question>,
}

impl crate::node::Apply<Records> for Records {
    fn apply(&mut self, records: Records) {
        *self = records;
    }
}

impl NameServers {
    pub(super) fn new(profile: Arc<Profile>) -> NameServers {
        let records = Durable::new(Records::first(&profile));
        NameServers { profile, records, questions: Slab::default() }
    }

    fn ask(&mut self, cx: &mut Context<'_>, from: ProcessId, message: Message) {
        let serial = u64::from(message.attempt);
        if cx.strike(Hook::NameSilent, 0, Item::default(), serial).is_some() {
            return;
        }
        let identity = [cx.plan().process(from).hash, serial];
        let takes = self.profile.lookup.at(cx.draw(Purpose::Work, identity));
        let slot = self.questions.insert(Question { from, message });
        cx.timer(takes, u64::from(slot), false);
    }

    fn reply(&mut self, cx: &mut Context<'_>, slot: u32) {
        let Some(Question { from, message }) = self.questions.take(slot) else { return };
        let serial = u64::from(message.attempt);
        let answer = if cx.strike(Hook::NameFails, 0, Item::default(), serial).is_some() {
            name::Answer::ServerFailure
        } else if cx.strike(Hook::NameMissing, 0, Item::default(), serial).is_some() {
            name::Answer::NoSuchName
        } else {
            self.record(cx, from, serial)
        };
        cx.datagram(from, message.answer(Body::Record(answer)));
    }

    fn record(&self, cx: &Context<'_>, client: ProcessId, serial: u64) -> name::Answer {
        let hash = cx.plan().process(client).hash;
        let draw = cx.draw(Purpose::Balance, [hash, mix(serial, cx.now().0)]);
        match self.profile.choose(*self.records.get(), client, draw, cx.plan()) {
            Some(address) => name::Answer::Record { address, ttl: self.profile.ttl },
            None => name::Answer::NoSuchName,
        }
    }
}

impl Process for NameServers {
    fn handle(&mut self, input: Input, cx: &mut Context<'_>) {
        match input {
            // What changed while they were away, they do not know.
            Input::Start => {
                let ask = Body::Control(control::Command::Ready { instance: 0 });
                cx.tell(self.profile.monitor, Message::new(ask));
            }
            Input::Message { from, message, .. } => match message.body {
                Body::Lookup => self.ask(cx, from, message),
                Body::Control(control::Command::Publish { listed, degraded }) => {
                    *self.records.get_mut() = Records { listed, degraded };
                }
                // Asked by a profile of which this one is an endpoint.
                Body::Probe => {
                    let Records { listed, degraded } = *self.records.get();
                    let ready = listed.iter().any(|index| degraded >> index & 1 == 0);
                    cx.datagram(from, message.answer(Body::ProbeAnswer { ready }));
                }
                _ => {}
            },
            Input::Timer(slot) => self.reply(cx, slot as u32),
            Input::Closed { .. } | Input::Disk(..) | Input::Poke => {}
        }
    }

    fn crash(&mut self) {
        self.records.crash();
        self.questions = Slab::default();
    }

    fn inventory(&self, _: &mut dyn FnMut(Held)) {}

    fn clone_box(&self) -> Box<dyn Process> {
        Box::new(self.clone())
    }
}
