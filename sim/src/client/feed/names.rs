//! Where the requests of a processor go: a namespace in two regions is known by its name only.

use super::{CHECKPOINT, FeedProcessor, LOOKUP, NAME, READ};
use crate::client::names::{ASK_AGAIN, Resolved};
use crate::ids::{Address, Item, ProcessId};
use crate::message::{Body, Message, name};
use crate::node::Context;
use crate::observe::Symptom;

impl FeedProcessor {
    /// Sends a request, now or when it is known where its name leads.
    pub(super) fn tell(&mut self, to: Address, message: Message, cx: &mut Context<'_>) {
        let near = cx.nearest_region(to.process, false);
        let resolved = match near {
            Some(process) => Resolved::At(Address { process, ..to }),
            None => cx.resolve(to, Item::NONE),
        };
        match resolved {
            Resolved::At(at) => {
                let (kind, range) = (message.tag >> 16 & 0xff, message.tag as u16);
                if matches!(kind, READ | CHECKPOINT)
                    && let Some(owned) = self.owned(range)
                {
                    owned.at = at.process;
                }
                cx.tell(at.process, message);
            }
            Resolved::Ask(name) => {
                self.unsent.push((to, message));
                if self.asking.is_none() {
                    self.ask_name(name, cx);
                }
            }
        }
    }

    fn ask_name(&mut self, name: ProcessId, cx: &mut Context<'_>) {
        self.asking = Some(name);
        let tag = u32::from(self.space) << 24 | NAME << 16;
        cx.datagram(name, Message { tag, ..Message::new(Body::Lookup) });
        cx.timer(ASK_AGAIN, self.token(LOOKUP, 0), false);
    }

    /// No answer yet: a question or its answer was lost, or the name service is away.
    pub(super) fn ask_again(&mut self, cx: &mut Context<'_>) {
        let Some(name) = self.asking else { return };
        cx.trouble(name, Symptom::Timeout);
        self.ask_name(name, cx);
    }

    /// The name service has answered.
    pub(super) fn looked_up(&mut self, answer: name::Answer, cx: &mut Context<'_>) {
        let Some(name) = self.asking else { return };
        let name::Answer::Record { address, ttl } = answer else {
            return cx.trouble(name, Symptom::Error); // asked again after a while
        };
        self.asking = None;
        cx.learn(name, address, ttl);
        for (to, message) in std::mem::take(&mut self.unsent) {
            self.tell(to, message, cx);
        }
    }
}
