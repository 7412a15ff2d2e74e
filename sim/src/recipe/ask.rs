//! Operations as requests: what is asked of whom, and whether the answer confirms it.

use std::sync::Arc;

use crate::ids::Execution;
use crate::message::broker::{self, TransactionStep};
use crate::message::{Body, Cargo, Message, control, http, store};
use crate::observe::Outcome;
use crate::recipe::program::{Op, Verb};
use crate::recipe::step::State;

/// The run that asks.
pub(super) struct Asker<'a> {
    pub(super) cargo: &'a Cargo,
    pub(super) execution: Execution,
}

/// The cargo under the message type of the step.
fn typed(cargo: &Cargo, kind: crate::ids::TypeId) -> Cargo {
    match cargo {
        cargo if kind.0 == 0 => cargo.clone(),
        Cargo::None => Cargo::None,
        Cargo::One(item) => Cargo::One(item.typed(kind)),
        Cargo::Many(items) => Cargo::Many(Arc::new(items.iter().map(|item| item.typed(kind)).collect())),
    }
}

/// The request of an operation: by which route, to which part, what. `None` if it cannot be made: the
/// lock of the message is lost.
pub(super) fn request(
    asker: &Asker<'_>,
    op: &Op,
    index: u32,
    lock: impl FnOnce() -> Option<(u32, u64)>,
) -> Option<(u8, u16, Message)> {
    let Asker { cargo: items, execution } = *asker;
    let ask = |route: u8, part: u16, body: Body, cargo: Cargo| {
        Some((route, part, Message::new(body).carrying(cargo)))
    };
    match &op.verb {
        Verb::Call { route, part, once } => {
            let item = items.items().get(index as usize).copied();
            let key = item.and_then(|item| once.identity(item, execution));
            let request = http::Request { part: *part, verb: http::Verb::Call, key, secret: 0, execution };
            ask(*route, *part, Body::Request(request), item.map_or(Cargo::None, Cargo::One))
        }
        Verb::Publish { route, part, once, kind } => {
            let cargo = typed(items, *kind);
            let key = cargo.first().and_then(|item| once.identity(item, execution));
            let request = http::Request { part: *part, verb: http::Verb::Publish, key, secret: 0, execution };
            ask(*route, *part, Body::Request(request), cargo)
        }
        Verb::Send { route, part, once, session, kind, ttl, delay } => {
            let command = broker::Command::Send {
                part: *part,
                once: *once,
                session: *session,
                execution,
                ttl: *ttl,
                delay: *delay,
            };
            ask(*route, *part, Body::Broker(command), typed(items, *kind))
        }
        Verb::Write { route, operations } => {
            let command = store::Command::Write { operations: Arc::clone(operations), execution };
            let part = operations.first().map_or(0, |operation| operation.part);
            ask(*route, part, Body::Store(command), items.clone())
        }
        Verb::Read { route, part, .. } => {
            ask(*route, *part, Body::Store(store::Command::Read { part: *part }), items.clone())
        }
        Verb::Transact { route, sends, settle } => {
            let mut operations: Vec<TransactionStep> = sends
                .iter()
                .map(|send| TransactionStep::Send {
                    part: send.part,
                    once: send.once,
                    session: send.session,
                    kind: send.kind,
                })
                .collect();
            if let Some(how) = settle {
                let (link, lock) = lock()?;
                operations.push(TransactionStep::Settle { link, lock, how: *how });
            }
            let part = sends.first().map_or(0, |send| send.part);
            let command = broker::Command::Transact { operations: Arc::new(operations), execution };
            ask(*route, part, Body::Broker(command), items.clone())
        }
        Verb::Control { route, command, .. } => ask(*route, 0, Body::Control(*command), Cargo::None),
        Verb::Work(_)
        | Verb::Wait(_)
        | Verb::Together(_)
        | Verb::Reply(_)
        | Verb::Settle(_)
        | Verb::Checkpoint => None,
    }
}

/// A `verify` is done only if the answer is the one that it needs.
pub(super) fn confirmed(op: &Op, outcome: Outcome, answer: Option<&Message>) -> Outcome {
    let Verb::Control { up: Some(wanted), .. } = op.verb else { return outcome };
    let (up, in_sync) = match answer.map(|message| &message.body) {
        Some(Body::ControlAnswer(control::Answer::State { up, in_sync })) => (*up, *in_sync),
        _ => (false, false), // whoever does not answer is not up
    };
    let so = match wanted {
        State::Up => up,
        State::Down => !up,
        State::InSync => up && in_sync,
    };
    if so { Outcome::Ok } else { Outcome::Refused }
}
