//! The items of a report, in their order; each answers a question that its reader has.

pub(super) mod banner;
mod contracts;
mod objectives;
mod story;
mod success;

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

/// An item of a report.
pub(super) struct Item {
    /// Its address in the page.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// The question that it answers.
    pub question: &'static str,
    /// Draws it.
    pub draw: fn(&mut Build, &Doc<'_>) -> Result<Panel, Error>,
}

/// All items, in the order of the page.
pub(super) const ALL: &[Item] = &[
    Item {
        id: "objectives",
        title: "Objectives",
        question: "Was every goal reached, and with how much to spare?",
        draw: objectives::panel,
    },
    Item {
        id: "contracts",
        title: "Contracts",
        question: "Did every promise hold, for every item?",
        draw: contracts::panel,
    },
    Item {
        id: "success",
        title: "Success over time",
        question: "When did callers get no success, and for how long?",
        draw: success::panel,
    },
    Item {
        id: "story",
        title: "The story of an item that failed",
        question: "What exactly happened to it?",
        draw: story::panel,
    },
];
