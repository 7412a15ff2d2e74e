//! What starts a run, and how a run is acknowledged.

use crate::ids::{Address, ProcessId};
use crate::message::broker::Settlement;
use crate::node::Context;
use crate::observe::Outcome;
use crate::plan::{Plan, PlanError, Protocol};
use crate::recipe::position::{Ending, RunId};
use crate::time::{Span, Time};

/// A trigger, resolved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Source {
    /// Requests.
    Http,
    /// Events that an event router pushes.
    Push,
    /// Every so often.
    Timer(Span),
    /// A table that is polled, oldest row first.
    Table(Address),
    /// The change feed of a store.
    Feed(Address),
    /// A queue, subscription or dead-letter queue.
    Queue(Address),
    /// A consumer group of an event hub.
    Hub(Address),
    /// An alert.
    Alert,
}

impl Source {
    /// What kind of trigger these words mean; names of other nodes are not resolved, so that it can be
    /// asked while the plan is made. `None`: a source that is read, not one that calls.
    #[must_use]
    pub fn calls(trigger: &str, plan: &Plan) -> Option<Source> {
        let word = plan.blueprint.nodes.get(trigger).map(crate::services::NodeKind::word);
        match (trigger, word) {
            ("http", _) => Some(Source::Http),
            (_, Some("event-grid-subscription")) => Some(Source::Push),
            _ => None,
        }
    }

    /// Resolves a trigger.
    ///
    /// # Errors
    /// If it names nothing, or nothing that could start a run.
    pub fn resolve(node: &str, trigger: &str, plan: &Plan) -> Result<Source, PlanError> {
        let wrong = |message: String| PlanError::at(&["nodes", node, "trigger"], message).word("dangling");
        if let Some(source) = Source::calls(trigger, plan) {
            return Ok(source);
        }
        if let Some(every) = trigger.strip_prefix("every ") {
            let span: Span = every.trim().parse().map_err(|e: crate::units::UnitError| wrong(e.0))?;
            if span.is_zero() {
                return Err(wrong("a timer needs a period above zero".to_owned()));
            }
            return Ok(Source::Timer(span));
        }
        if trigger.is_empty() {
            return Err(wrong("it is not said what starts the recipe".to_owned()).help(
                "write for example `trigger: http`, or the name of a queue, table or event subscription",
            ));
        }
        if let Some(store) = trigger.strip_suffix(".change-feed") {
            return Source::feed(store, plan).ok_or_else(|| {
                wrong(format!("`{store}` has no change feed"))
                    .help("a Cosmos database has one: `orders.change-feed`")
            });
        }
        let endpoint = plan.resolve(node, "trigger", trigger)?;
        if plan.blueprint.nodes.get(trigger).is_some_and(|kind| kind.word() == "alert") {
            return Ok(Source::Alert);
        }
        if let Some(group) = crate::services::event_hubs::group_of(endpoint, trigger, plan) {
            return Ok(Source::Hub(group));
        }
        match endpoint.protocol {
            Protocol::Broker => Ok(Source::Queue(endpoint.address)),
            Protocol::Store => Ok(Source::Table(endpoint.address)),
            _ => Err(wrong(format!("`{trigger}` cannot start a recipe")).help(
                "a trigger is http, a queue or subscription, a dead-letter queue, a table, a change feed, an event hub, an event subscription, an alert or `every 15m`",
            )),
        }
    }

    /// The feed of a store; which of its parts are read is said apart.
    fn feed(store: &str, plan: &Plan) -> Option<Source> {
        if plan.blueprint.nodes.get(&plan.anywhere(store))?.word() != "cosmos-db" {
            return None;
        }
        let endpoint = plan.endpoint(&format!("{store}.change-feed"))?;
        Some(Source::Feed(Address { part: 0, ..endpoint.address }))
    }

    /// How a run is acknowledged, for people.
    #[must_use]
    pub const fn acknowledgement(&self) -> &'static str {
        match self {
            Source::Http | Source::Push => "it is acknowledged by a step such as `reply: 202`",
            Source::Queue(_) => "it is acknowledged by `complete` (or abandon, dead-letter, defer)",
            Source::Feed(_) | Source::Hub(_) => "it is acknowledged by `checkpoint`",
            Source::Table(_) => "it is acknowledged by a step that deletes the rows: `delete: TABLE`",
            Source::Timer(_) | Source::Alert => "it needs no acknowledgement",
        }
    }
}

/// What the trigger knows a run by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticket(pub u32);

impl Ticket {
    /// No trigger waits for this run (any more).
    pub const NONE: Ticket = Ticket(u32::MAX);
}

/// What became of an acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledged {
    /// It is over.
    Over(Outcome),
    /// An answer will come; the trigger tells the interpreter then.
    Pending,
}

/// The side of a trigger that the interpreter talks to.
pub trait Door {
    /// Answers the request of this run.
    fn reply(&mut self, ticket: Ticket, status: u16, cx: &mut Context<'_>);

    /// Settles the message of this run; `last`: nothing follows in the recipe.
    fn settle(
        &mut self,
        who: (RunId, Ticket),
        how: Settlement,
        last: bool,
        cx: &mut Context<'_>,
    ) -> Acknowledged;

    /// Moves the position in the feed behind the batch of this run.
    fn checkpoint(&mut self, run: RunId, ticket: Ticket, cx: &mut Context<'_>) -> Acknowledged;

    /// The link and the lock of the message of this run, for a transaction that settles it.
    fn lock(&self, ticket: Ticket) -> Option<(u32, u64)>;

    /// The client of this broker sends nothing more until then; a trigger that uses the same one heeds it.
    fn back_off(&mut self, _broker: ProcessId, _until: Time) {}

    /// The run is over; what is not acknowledged yet gets the default answer.
    fn ended(&mut self, ticket: Ticket, ending: Ending, cx: &mut Context<'_>);
}
