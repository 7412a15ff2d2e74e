//! What faults do at the ingress of an app: a request is refused, held up or answered in the place of an
//! instance; an answer is held up or breaks off.

use crate::faults::Hook;
use crate::faults::local::Value;
use crate::ids::{ConnectionId, Item};
use crate::message::{Message, http};
use crate::node::Context;
use crate::random::Purpose;
use crate::time::Span;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Struck {
    /// Nothing happens to it.
    No,
    /// It is answered with this status, and no instance sees it.
    Refused(u16),
    /// It is answered with success, and no instance sees it.
    Pretended,
    /// It is taken up only after this time.
    Late(Span),
}

/// A message that is held up: on which connection it came, or is to go.
#[derive(Clone, Debug)]
pub(super) enum HeldUp {
    /// A request.
    Request(ConnectionId, Message),
    /// An answer.
    Answer(ConnectionId, Message),
}

/// What faults do to a request that arrives.
pub(super) fn request(message: &Message, cx: &mut Context<'_>) -> Struck {
    let item = message.cargo.first().unwrap_or_default();
    let occurrence = u64::from(message.attempt);
    if cx.strike(Hook::HttpAbort, 0, item, occurrence).is_some() {
        return Struck::Refused(http::Response::RESET.status);
    }
    if let Some(strike) = cx.strike(Hook::HttpStatus, 0, item, occurrence) {
        let status = if let Value::Number(status) = strike.value { status as u16 } else { 503 };
        return Struck::Refused(status.clamp(400, 599));
    }
    let down =
        [(Hook::DependencyDown, 0), (Hook::DependencyPartial, 0), (Hook::DependencyIntermittent, occurrence)];
    if down.into_iter().any(|(hook, occurrence)| cx.strike(hook, 0, item, occurrence).is_some()) {
        return Struck::Refused(503);
    }
    if cx.strike(Hook::DependencyWrongAnswer, 0, item, occurrence).is_some() {
        return Struck::Pretended;
    }
    let mut delay = Span::ZERO;
    for hook in [Hook::HttpDelay, Hook::DependencySlow] {
        if let Some(strike) = cx.strike(hook, 0, item, occurrence) {
            delay = delay + lasting(strike.value, item, occurrence, cx);
        }
    }
    if delay.is_zero() { Struck::No } else { Struck::Late(delay) }
}

/// Whether the answer breaks off on its way.
pub(super) fn cuts(item: Item, attempt: u16, cx: &mut Context<'_>) -> bool {
    cx.strike(Hook::HttpCutResponse, 0, item, u64::from(attempt)).is_some()
}

/// How long the answer is held up.
pub(super) fn slows(item: Item, attempt: u16, cx: &mut Context<'_>) -> Option<Span> {
    let occurrence = u64::from(attempt);
    let strike = cx.strike(Hook::HttpSlowBody, 0, item, occurrence)?;
    Some(lasting(strike.value, item, occurrence, cx))
}

/// Whether probes find the ingress itself well.
pub(super) fn is_well(cx: &Context<'_>) -> bool {
    [Hook::HttpAbort, Hook::HttpStatus, Hook::DependencyDown]
        .into_iter()
        .all(|hook| cx.visible(hook, 0).is_none())
}

fn lasting(value: Value, item: Item, occurrence: u64, cx: &Context<'_>) -> Span {
    match value {
        Value::Span(span) => span,
        Value::Latency(latency) => {
            latency.sampler().at(cx.draw(Purpose::Latency, [item.identity(), occurrence]))
        }
        Value::None | Value::Rate(_) | Value::Number(_) => Span::secs(1),
    }
}
