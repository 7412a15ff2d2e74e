//! What a guest receives: receivers, the buffers behind them, the messages that it holds.

use std::collections::VecDeque;

use crate::guest::port::{Port, RENEWAL, RENEWAL_TIMEOUT, token};
use crate::guest::request::{Delivered, From, Reply};
use crate::ids::Item;
use crate::message::broker::{ReceiveMode, Settlement};
use crate::node::Context;
use crate::observe::{Birth, End, Outcome, What};
use crate::plan::Protocol;
use crate::random::mix;
use crate::recipe::fed::execution;
use crate::recipe::hosts::app::defaults;
use crate::services::NodeKind;
use crate::services::service_bus::receiver::{Delivery, Received, Receiver, ReceiverRules};
use crate::time::Time;

/// The first number space of the receivers; each takes two. Below are the callers, above the port itself.
const FIRST_SPACE: u8 = 100;
const MOST_INTAKES: usize = 50;

/// A receiver of the guest, and what waits on both sides of it.
#[derive(Clone, Debug)]
pub(super) struct Intake {
    from: From,
    pub(super) receiver: Receiver,
    /// The requests that wait for a message.
    waiting: VecDeque<u64>,
    /// The messages that wait for a request: fetched ahead, or given back by a receive that was dropped.
    ready: VecDeque<Delivery>,
}

/// A message that the guest holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    intake: usize,
    delivery: Delivery,
    taken_for_good: bool,
    /// The request that waits for its settlement.
    settling: Option<u64>,
    /// The request that waits for its renewal.
    pub(super) renewing: Option<u64>,
    /// Whether the guest has dropped it while it was being settled.
    forgotten: bool,
}

impl Port {
    /// What the guest took for good and has not finished.
    pub(super) fn held(&self, out: &mut dyn FnMut(Item)) {
        self.open.values().filter(|open| open.taken_for_good).for_each(|open| out(open.delivery.item));
        for intake in self.intakes.iter().filter(|intake| intake.takes_for_good()) {
            intake.ready.iter().for_each(|delivery| out(delivery.item));
        }
    }

    /// A request for the next message.
    pub(super) fn receive(&mut self, id: u64, from: &From, cx: &mut Context<'_>) -> Result<(), String> {
        let known = self
            .intakes
            .iter()
            .position(|intake| (&intake.from.name, intake.from.mode) == (&from.name, from.mode));
        let index = match known {
            Some(index) => index,
            None => self.open_intake(from, cx)?,
        };
        self.intakes[index].waiting.push_back(id);
        self.pump(index, cx);
        Ok(())
    }

    fn open_intake(&mut self, from: &From, cx: &mut Context<'_>) -> Result<usize, String> {
        let plan = cx.plan();
        let endpoint = plan.endpoint(&from.name).ok_or_else(|| super::calls::unknown(&from.name, plan))?;
        let topic = matches!(plan.blueprint.nodes.get(&from.name), Some(NodeKind::ServiceBusTopic(_)));
        if endpoint.protocol != Protocol::Broker || topic {
            return Err(format!(
                "`{}` cannot be received from; name a queue, a subscription or a dead-letter queue",
                from.name
            ));
        }
        if self.intakes.len() >= MOST_INTAKES {
            return Err(format!("a guest receives from at most {MOST_INTAKES} sources"));
        }
        let sessions = defaults(&from.name, plan).sessions;
        if sessions && from.mode == ReceiveMode::ReceiveAndDelete {
            return Err(format!("`{}` has sessions: they are received with peek-lock", from.name));
        }
        let rules = ReceiverRules {
            sessions,
            concurrency: from.sessions.max(1),
            prefetch: from.prefetch,
            mode: from.mode,
            renew_lock: from.renew_lock,
            on_demand: true,
            ..ReceiverRules::default()
        };
        let space = FIRST_SPACE + 2 * self.intakes.len() as u8;
        let mut receiver = Receiver::new(endpoint.address, rules, self.settings.app, space);
        receiver.want(1 + from.prefetch, cx);
        receiver.on_start(cx);
        let (waiting, ready) = (VecDeque::new(), VecDeque::new());
        self.intakes.push(Intake { from: from.clone(), receiver, waiting, ready });
        Ok(self.intakes.len() - 1)
    }

    /// Takes what the receivers have to say.
    pub(super) fn take_in(&mut self, cx: &mut Context<'_>) {
        for index in 0..self.intakes.len() {
            let mut any = false;
            while let Some(received) = self.intakes[index].receiver.next() {
                any = true;
                self.received(index, received, cx);
            }
            if any {
                self.pump(index, cx);
            }
        }
    }

    fn received(&mut self, index: usize, received: Received, cx: &mut Context<'_>) {
        let intake = &mut self.intakes[index];
        match received {
            Received::Message(delivery) => {
                if intake.takes_for_good() {
                    let place = self.settings.place;
                    cx.observe(delivery.item, What::Born { place, cause: Birth::Stored });
                }
                intake.ready.push_back(delivery);
            }
            Received::Settled { handle, outcome, .. } => self.settled(index, handle, outcome, cx),
            Received::LockLost { handle } => {
                let fetched = intake.ready.iter().position(|delivery| delivery.handle == handle);
                if let Some(position) = fetched {
                    intake.ready.remove(position);
                    intake.receiver.finish(handle, cx);
                } else {
                    self.renewed(index, handle, Reply::Done(Outcome::Refused));
                }
            }
            Received::Renewed { handle, outcome, locked_until } => {
                let reply = match outcome {
                    Outcome::Ok => Reply::Renewed(locked_until),
                    outcome => Reply::Done(outcome),
                };
                self.renewed(index, handle, reply);
            }
        }
    }

    fn by_handle(&self, index: usize, handle: u64) -> Option<u64> {
        let mut open = self.open.iter();
        open.find(|(_, open)| open.intake == index && open.delivery.handle == handle).map(|(id, _)| *id)
    }

    fn renewed(&mut self, index: usize, handle: u64, reply: Reply) {
        let open = self.by_handle(index, handle).and_then(|id| self.open.get_mut(&id));
        if let Some(request) = open.and_then(|open| open.renewing.take()) {
            self.mailbox.reply(request, reply);
        }
    }

    /// Hands over what is there to whoever waits, first come first served, and asks for the rest.
    fn pump(&mut self, index: usize, cx: &mut Context<'_>) {
        let intake = &mut self.intakes[index];
        while !intake.waiting.is_empty()
            && let Some(delivery) = intake.ready.pop_front()
            && let Some(id) = intake.waiting.pop_front()
        {
            let taken_for_good = intake.takes_for_good();
            let open = Open {
                intake: index,
                delivery,
                taken_for_good,
                settling: None,
                renewing: None,
                forgotten: false,
            };
            self.open.insert(id, open);
            let delivered = told(id, &delivery, intake.from.mode, self.settings.app);
            // If nobody waits any more, the request is about to be withdrawn, and the message put back.
            self.mailbox.reply(id, Reply::Delivered(delivered));
        }
        let wanted = intake.waiting.len() + intake.from.prefetch as usize;
        intake.receiver.want(wanted.saturating_sub(intake.ready.len()) as u32, cx);
    }

    /// A receive is withdrawn. What had been handed over for it goes back, before everything else.
    pub(super) fn put_back(&mut self, id: u64, cx: &mut Context<'_>) {
        if let Some(open) = self.open.remove(&id) {
            self.intakes[open.intake].ready.push_front(open.delivery);
            return self.pump(open.intake, cx);
        }
        for index in 0..self.intakes.len() {
            let waiting = &mut self.intakes[index].waiting;
            if let Some(position) = waiting.iter().position(|known| *known == id) {
                waiting.remove(position);
                return self.pump(index, cx);
            }
        }
    }

    /// A request to settle.
    pub(super) fn settle(&mut self, id: u64, delivery: u64, how: Settlement, cx: &mut Context<'_>) {
        let Some(open) = self.open.get_mut(&delivery) else {
            self.mailbox.reply(id, Reply::Done(Outcome::Refused));
            return;
        };
        if !open.taken_for_good {
            open.settling = Some(id);
            let (intake, handle) = (open.intake, open.delivery.handle);
            self.intakes[intake].receiver.settle(handle, how, false, cx);
            return self.take_in(cx);
        }
        if how != Settlement::Complete {
            let wrong = "there is nothing to settle: receive-and-delete took the message for good; it can only be completed";
            self.mailbox.reply(id, Reply::Wrong(wrong.to_owned()));
            return;
        }
        self.end(delivery, End::Completed, cx);
        self.mailbox.reply(id, Reply::Done(Outcome::Ok));
    }

    fn settled(&mut self, index: usize, handle: u64, outcome: Outcome, cx: &mut Context<'_>) {
        let Some(id) = self.by_handle(index, handle) else { return };
        let Some(open) = self.open.get_mut(&id) else { return };
        if let Some(request) = open.settling.take() {
            self.mailbox.reply(request, Reply::Done(outcome));
        }
        // What failed may be tried again, as long as the guest has the message.
        if open.forgotten || matches!(outcome, Outcome::Ok | Outcome::Refused) {
            self.open.remove(&id);
            self.intakes[index].receiver.finish(handle, cx);
        }
    }

    /// The guest dropped a message. One that is locked comes again when its lock runs out; one that was
    /// taken for good is gone.
    pub(super) fn forget(&mut self, delivery: u64, cx: &mut Context<'_>) {
        match self.open.get_mut(&delivery) {
            Some(open) if open.taken_for_good => self.end(delivery, End::Destroyed, cx),
            Some(open) if open.settling.is_some() => open.forgotten = true,
            Some(_) => {
                if let Some(open) = self.open.remove(&delivery) {
                    self.intakes[open.intake].receiver.finish(open.delivery.handle, cx);
                }
            }
            None => {}
        }
    }

    /// A message that was taken for good ends.
    fn end(&mut self, delivery: u64, cause: End, cx: &mut Context<'_>) {
        let Some(open) = self.open.remove(&delivery) else { return };
        cx.observe(open.delivery.item, What::Ended { place: self.settings.place, cause });
        self.intakes[open.intake].receiver.finish(open.delivery.handle, cx);
    }

    /// A request to extend a lock.
    pub(super) fn renew(&mut self, id: u64, delivery: u64, cx: &mut Context<'_>) {
        let Some(open) = self.open.get_mut(&delivery) else {
            self.mailbox.reply(id, Reply::Done(Outcome::Refused));
            return;
        };
        if open.taken_for_good {
            let wrong = "there is no lock: receive-and-delete took the message for good".to_owned();
            self.mailbox.reply(id, Reply::Wrong(wrong));
            return;
        }
        if let Some(earlier) = open.renewing.replace(id) {
            // It is the same lock; who asked first learns nothing.
            self.mailbox.reply(earlier, Reply::Done(Outcome::Unknown));
        }
        let (intake, handle) = (open.intake, open.delivery.handle);
        cx.timer(RENEWAL_TIMEOUT, token(RENEWAL, id), true);
        self.intakes[intake].receiver.renew_now(handle, cx);
        self.take_in(cx);
    }
}

impl Intake {
    fn takes_for_good(&self) -> bool {
        self.from.mode == ReceiveMode::ReceiveAndDelete
    }
}

/// A delivery as the guest is told of it.
fn told(id: u64, delivery: &Delivery, mode: ReceiveMode, app: u64) -> Delivered {
    // The sequence number tells copies of one message apart, the count its deliveries.
    let attempt = mix(delivery.sequence, u64::from(delivery.delivery_count));
    let locked = mode == ReceiveMode::PeekLock;
    Delivered {
        delivery: id,
        item: delivery.item,
        execution: execution(app, delivery.identity, attempt),
        delivery_count: delivery.delivery_count,
        session: delivery.session,
        locked_until: if locked { delivery.locked_until } else { Time::NEVER },
        mode,
    }
}
