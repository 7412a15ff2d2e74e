//! The validation handshake (facts 2.5): before the first push the endpoint must say that it wants the
//! events: 200 within 30 s, and no other status. It is no call of the sends book: it has no effect.

use crate::faults::Hook;
use crate::ids::{Execution, Item};
use crate::message::{Body, Message, http};
use crate::node::Context;
use crate::observe::Symptom;
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
        let request = http::Request { part: to.part, verb, key: None, execution: Execution::default() };
        subscription.busy.handshakes = subscription.busy.handshakes.wrapping_add(1);
        let attempt = subscription.busy.handshakes;
        let message = Message::new(Body::Request(request));
        cx.tell(to.process, Message { tag: HANDSHAKE << 24 | index as u32, attempt, ..message });
        let timeout = cx.timeout(RESPONSE_WAIT, token(timer::HANDSHAKE_TIMEOUT, index, 0, 0), false);
        subscription.busy.handshake = Some(timeout);
    }

    pub(super) fn handshake_answered(
        &mut self,
        cx: &mut Context<'_>,
        index: usize,
        attempt: u16,
        response: http::Response,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(index) else { return };
        if subscription.busy.handshakes != attempt || subscription.busy.handshake.is_none() {
            return;
        }
        let struck = cx.impaired(Hook::HandshakeFails, subscription.setup.part).is_some();
        if response.status != 200 || struck {
            return self.handshake_failed(cx, index);
        }
        if let Some(timeout) = subscription.busy.handshake.take() {
            cx.cancel(timeout);
        }
        subscription.kept.validated = true;
        subscription.kept.rejected = false;
        self.pump(cx, index);
    }

    /// A handshake failed, or was not answered; it is tried again.
    pub(super) fn handshake_failed(&mut self, cx: &mut Context<'_>, index: usize) {
        let Some(subscription) = self.subscriptions.get_mut(index) else { return };
        let Some(timeout) = subscription.busy.handshake.take() else { return };
        cx.cancel(timeout);
        cx.trouble(subscription.setup.to.process, Symptom::Error);
        cx.timer(HANDSHAKE_PAUSE, token(timer::HANDSHAKE, index, 0, 0), false);
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
