//! The items of a report, in their order; each answers a question that its reader has.

mod appendix;
mod availability;
mod backlog;
pub(super) mod banner;
mod blast;
mod budget;
mod contracts;
mod delivery;
mod distances;
mod explore;
mod latency;
mod limits;
mod objectives;
mod ordering;
mod recovery;
mod replication;
mod runs;
mod seeds;
mod story;
mod success;
mod throughput;
mod timeline;
mod tracks;

use maud::Markup;

use super::Error;
use super::build::Build;
use super::doc::Doc;

/// What became of an item.
pub(super) enum Panel {
    /// It is shown.
    Shown(Markup),
    /// It cannot be shown, and why.
    Absent(String),
    /// There is nothing of that kind.
    Silent,
}

/// Draws an item.
type Draw = fn(&mut Build, &Doc<'_>) -> Result<Panel, Error>;

/// An item of a report.
pub(super) struct Item {
    /// Its address in the page.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// The question that it answers.
    pub question: &'static str,
    /// Draws it.
    pub draw: Draw,
}

const fn item(id: &'static str, title: &'static str, question: &'static str, draw: Draw) -> Item {
    Item { id, title, question, draw }
}

/// All items, in the order of the page.
pub(super) const ALL: &[Item] = &[
    item(
        "objectives",
        "Objectives",
        "Was every goal reached, and with how much to spare?",
        objectives::panel,
    ),
    item("contracts", "Contracts", "Did every promise hold, for every item?", contracts::panel),
    item(
        "recovery",
        "Recovery",
        "How long until somebody noticed, acted, and all was well again?",
        recovery::panel,
    ),
    item(
        "availability",
        "Availability",
        "What does that rate come to in a year, and what would one have expected?",
        availability::panel,
    ),
    item(
        "topology",
        "Topology",
        "Who calls, feeds and triggers whom, and who was not well?",
        explore::topology,
    ),
    item("timeline", "Faults and health", "What happened when?", timeline::panel),
    item(
        "success",
        "Success over time",
        "When did callers get no success, and for how long?",
        success::panel,
    ),
    item("budget", "Error budget", "Was it used up slowly, or at once?", budget::panel),
    item("latency", "Latency", "How long did callers wait, and what did the faults change?", latency::panel),
    item("throughput", "Throughput and retries", "Did retries make it worse?", throughput::panel),
    item(
        "backlog",
        "Backlogs",
        "What waited where, for how long, and how fast did it drain?",
        backlog::panel,
    ),
    item("delivery", "Deliveries", "What became of every item?", delivery::panel),
    item("order", "Order and repetition", "What came twice, and what overtook what?", ordering::panel),
    item(
        "replication",
        "Replication",
        "What would a failover at this instant have lost?",
        replication::panel,
    ),
    item("runs", "Runs", "Which runs were done, and which were not?", runs::panel),
    item(
        "limits",
        "Limits and signs of trouble",
        "Which limit was reached first, and who had trouble of which kind?",
        limits::panel,
    ),
    item("blast", "Blast radius", "Which fault reached which door?", blast::panel),
    item("seeds", "Seeds", "How much is chance, and which seeds are worth a look?", seeds::panel),
    item("story", "The story of an item that failed", "What exactly happened to it?", story::panel),
    item("steps", "Step through the run", "What happened next, and where?", explore::steps),
    item("appendix", "Appendix", "What exactly was run?", appendix::panel),
];
