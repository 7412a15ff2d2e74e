//! The validation handshake (facts 2.5): before the first push the endpoint must say that it wants the
//! events: 200 within 30 s, and no other status.

use crate::client::classify::classify;
use crate::faults::Hook;
use crate::ids::{CallId, Execution, Item};
use crate::message::{Body, Message, http};
use crate::node::Context;
use crate::observe::{Outcome, Symptom, What};
use crate::services::event_grid::schedule::{HANDSHAKE_PAUSE, RESPONSE_WAIT};
use crate::services::event_grid::topic::{HANDSHAKE, Topic, timer, token};

impl Topic {
    /// Asks the endpoint of a subscription.
    pub(super) fn shake_hands(&mut self, cx: &mut Context<'_>, index: usize) {
        let Some(subscription) = self.subscriptions.get_mut(index) else { return };
        if subscription.kept.validated || subscription.busy.handshake.is_some() {
            return;
        }
        let to = subscription.setup.to;
        let verb = http::Verb::Validate;
        let request =
            http::Request { part: to.part, verb, key: None, secret: 0, execution: Execution::default() };
        let message = Message::new(Body::Request(request));
        let call = cx.call(to, Message { tag: HANDSHAKE << 24 | index as u32, attempt: 1, ..message });
        let timeout = cx.timeout(RESPONSE_WAIT, token(timer::HANDSHAKE_TIMEOUT, index, 0, 0), false);
        subscription.busy.handshake = Some((call, timeout));
    }

    pub(super) fn handshake_answered(
        &mut self,
        cx: &mut Context<'_>,
        index: usize,
        call: CallId,
        response: http::Response,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(index) else { return };
        if subscription.busy.handshake.is_none_or(|(open, _)| open != call) {
            return; // it comes too late
        }
        let struck = cx.impaired(Hook::HandshakeFails, subscription.setup.part).is_some();
        let outcome = classify(&Body::Response(response)).outcome;
        if response.status != 200 || struck {
            return self.handshake_failed(cx, index, outcome);
        }
        self.handshake_over(cx, index, outcome);
        if let Some(subscription) = self.subscriptions.get_mut(index) {
            subscription.kept.validated = true;
            subscription.kept.rejected = false;
        }
        self.pump(cx, index);
    }

    fn handshake_over(&mut self, cx: &mut Context<'_>, index: usize, outcome: Outcome) -> Option<()> {
        let (call, timeout) = self.subscriptions.get_mut(index)?.busy.handshake.take()?;
        cx.cancel(timeout);
        cx.observe(Item::default(), What::Answered { call, outcome });
        Some(())
    }

    /// A handshake failed, or was not answered; it is tried again.
    pub(super) fn handshake_failed(&mut self, cx: &mut Context<'_>, index: usize, outcome: Outcome) {
        if self.handshake_over(cx, index, outcome).is_some() {
            cx.trouble(self.subscriptions[index].setup.to.process, Symptom::Error);
            cx.timer(HANDSHAKE_PAUSE, token(timer::HANDSHAKE, index, 0, 0), false);
        }
    }

    /// A fault: the subscription is deployed anew and its handshake fails. Until one succeeds it gets
    /// no copies, and what it has is not pushed.
    pub(super) fn redeploy(&mut self, cx: &mut Context<'_>, index: usize, item: Item) {
        let Some(subscription) = self.subscriptions.get_mut(index) else { return };
        let Some(strike) = cx.impaired(Hook::HandshakeFails, subscription.setup.part) else { return };
        if !subscription.kept.rejected {
            subscription.kept.rejected = true;
            subscription.kept.validated = false;
            self.shake_hands(cx, index);
        }
        cx.touched(item, strike);
    }
}
