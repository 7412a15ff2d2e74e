//! What stores have in common: their parts, what they observe and how they answer.

use crate::ids::{Address, ConnectionId, Item, ProcessId};
use crate::message::store::{Answer, Command, Error, Operation};
use crate::message::{Body, Cargo, Message};
use crate::node::Context;
use crate::observe::{Birth, End, Handling, What};
use crate::plan::{Endpoint, PlaceRole, Plan, PlanError, Protocol};
use crate::services::NodeKind;
use crate::services::tables::{Change, Table};
use crate::time::Span;

/// Declares the parts of a store (`holds`), or the store itself as its only part.
pub(super) fn declare_parts(
    name: &str,
    holds: &[String],
    process: ProcessId,
    role: PlaceRole,
    plan: &mut Plan,
) -> Result<(), PlanError> {
    declare_parts_at(name, name, holds, process, Some(role), plan)
}

/// The same for one replica of a store, which is called `label`: `orders-db/westeurope`. Without a role these are
/// names only, and nothing rests there.
pub(super) fn declare_parts_at(
    name: &str,
    label: &str,
    holds: &[String],
    process: ProcessId,
    role: Option<PlaceRole>,
    plan: &mut Plan,
) -> Result<(), PlanError> {
    let node = plan.node(name).unwrap_or_default();
    for (part, table) in holds.iter().enumerate() {
        if holds[..part].contains(table) {
            let message = format!("the part `{table}` is there twice");
            return Err(
                PlanError::at(&["nodes", name, "holds"], message).help("each part has a name of its own")
            );
        }
        let full = format!("{label}.{table}");
        let place = role.map(|role| plan.add_place(name, &full, role));
        let address = Address { process, part: part as u16 };
        plan.add_endpoint(&full, Endpoint { address, protocol: Protocol::Store, node, place });
    }
    let whole = role.filter(|_| holds.is_empty());
    let place = whole.map(|role| plan.add_place(name, label, role));
    let address = Address { process, part: 0 };
    plan.add_endpoint(label, Endpoint { address, protocol: Protocol::Store, node, place });
    Ok(())
}

/// The empty tables of a store. One that a recipe reads as its trigger is a queue.
pub(super) fn build_tables(name: &str, holds: &[String], plan: &Plan) -> Result<Vec<Table>, PlanError> {
    let parts = holds.iter().map(|table| format!("{name}.{table}"));
    let names = if holds.is_empty() { vec![name.to_owned()] } else { parts.collect() };
    names
        .iter()
        .map(|part| {
            let place = plan.resolve(name, "holds", part)?.place.unwrap_or_default();
            Ok(Table::new(place, plan.place(place).role == PlaceRole::Queue))
        })
        .collect()
}

/// Whether a row's own time to live means anything in this store.
///
/// # Errors
/// If the store does not let rows expire.
pub fn check_ttl(plan: &Plan, path: &[&str], target: &str) -> Result<(), PlanError> {
    let node =
        plan.endpoint(target).and_then(|endpoint| plan.blueprint.nodes.get_index(endpoint.node.index()));
    match node {
        Some((name, NodeKind::SqlDatabase(_) | NodeKind::StorageContainer(_))) => {
            let message = format!("rows of `{name}` have no time to live");
            Err(PlanError::at(path, message).help("only `cosmos-db` lets rows expire; leave `ttl` out"))
        }
        _ => Ok(()),
    }
}

/// Observes what a committed transaction did.
pub(super) fn book(tables: &[Table], connection: ConnectionId, journal: &[Change], cx: &mut Context<'_>) {
    let place = |part: u16| tables[usize::from(part)].place;
    for change in journal {
        let (item, what) = match *change {
            Change::Born { part, item, .. } => {
                (item, What::Born { place: place(part), cause: Birth::Stored })
            }
            Change::Ended { part, item, .. } => {
                (item, What::Ended { place: place(part), cause: End::Completed })
            }
            Change::Absorbed { part, item } | Change::Rewritten { part, item, .. } => {
                (item, What::Absorbed { place: place(part) })
            }
            Change::Noted { .. } => continue,
        };
        cx.observe_on(connection, item, what);
    }
}

/// Answers a write with success.
pub(super) fn done(connection: ConnectionId, message: &Message, absorbed: bool, cx: &mut Context<'_>) {
    cx.handled(connection, message, if absorbed { Handling::Suppressed } else { Handling::Stored });
    let answer = message.answer(Body::StoreAnswer(Answer::Done { absorbed }));
    cx.answer(connection, answer.carrying(message.cargo.clone()));
}

/// Answers with a definite error: nothing happened.
pub(super) fn refuse(
    connection: ConnectionId,
    message: &Message,
    error: Error,
    retry_after: Option<Span>,
    cx: &mut Context<'_>,
) {
    cx.handled(connection, message, Handling::Rejected);
    let answer = message.answer(Body::StoreAnswer(Answer::Refused { error, retry_after }));
    cx.answer(connection, answer.carrying(message.cargo.clone()));
}

/// Answers a read of the rows of the items with those that are there. That there is none is an answer too,
/// no refusal: what reads a row to see whether it is there goes on without it.
pub(super) fn read(
    tables: &[Table],
    connection: ConnectionId,
    message: &Message,
    part: u16,
    cx: &mut Context<'_>,
) {
    let Some(table) = tables.get(usize::from(part)) else {
        return refuse(connection, message, Error::BadRequest, None, cx);
    };
    let items = message.cargo.items().iter().copied();
    let rows: Vec<Item> = items.filter(|item| table.contains(*item)).collect();
    cx.handled(connection, message, Handling::Stored);
    let answer = message.answer(Body::StoreAnswer(Answer::Rows { range: 0, upto: 0 }));
    cx.answer(connection, answer.carrying(Cargo::of(rows)));
}

/// Answers a health probe as it came: by datagram, or on its connection.
pub(super) fn answer_probe(
    from: ProcessId,
    connection: ConnectionId,
    message: &Message,
    ready: bool,
    cx: &mut Context<'_>,
) {
    let answer = message.answer(Body::ProbeAnswer { ready });
    if connection == ConnectionId::NONE {
        cx.datagram(from, answer);
    } else {
        cx.answer(connection, answer);
    }
}

/// The part that a command is about, and the run in which it is given.
pub(super) fn about(command: &Command) -> (u16, u64) {
    match command {
        Command::Write { operations, execution } => {
            (operations.first().map_or(0, |operation: &Operation| operation.part), execution.run)
        }
        Command::Poll { part, .. } | Command::Read { part } | Command::ReadFeed { part, .. } => (*part, 0),
        // A lease is of a range of the whole store.
        Command::Lease { range, .. } => (u16::MAX, u64::from(*range)),
        Command::Owners { .. } => (u16::MAX, 0),
    }
}

/// Whether a command leaves the time to live alone: most stores do not let rows expire.
pub(super) fn keeps_rows(command: &Command) -> bool {
    match command {
        Command::Write { operations, .. } => operations.iter().all(|one| one.ttl == Span::FOREVER),
        _ => true,
    }
}
