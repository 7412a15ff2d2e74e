//! What one run did, item by item, for somebody who steps through it. Levels of detail: how many events each
//! node and each connection had in each bin counts all of them, by flow and by fault; the way of single items is
//! kept for as many as there is room for, those that violate something first.

use serde::{Deserialize, Serialize};

/// A run to step through.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    /// When the first bin begins, in seconds of the scenario.
    pub start: f64,
    /// How wide a bin is, in seconds.
    pub step: f64,
    /// How many bins there are.
    pub bins: u32,
    /// The nodes; positions in it are meant wherever a node is a number.
    pub nodes: Vec<String>,
    /// The processes, with the node of each; positions in it are meant wherever a process is a number.
    pub processes: Vec<(String, u16)>,
    /// The flows; positions in it are meant wherever a flow is a number.
    pub flows: Vec<String>,
    /// The faults; positions in it are meant wherever a fault is a number.
    pub faults: Vec<String>,
    /// What can happen, in words; positions in it are meant wherever an event names what happened.
    pub words: Vec<String>,
    /// Whether `activity` and `traffic` tell flows and faults apart. In a document that does not, each row counts
    /// the items of all flows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub apart: bool,
    /// All events about items, in numbers: those of each node and flow in each bin.
    pub activity: Vec<Activity>,
    /// All messages about items that went from a node to another, in numbers, by flow.
    pub traffic: Vec<Traffic>,
    /// How many items there were.
    pub items_all: u64,
    /// How many events about items there were.
    pub events_all: u64,
    /// The items whose way is kept, ascending by when they were offered.
    pub items: Vec<TracedItem>,
}

/// The events of a node about items of a flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// Which node.
    pub node: u16,
    /// Which flow.
    #[serde(default)]
    pub flow: u16,
    /// How many events in each bin.
    pub count: Vec<u32>,
    /// Of those, how many that any fault touched, each counted once; empty if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub touched: Vec<u32>,
    /// Of those, how many each fault touched, ascending by fault; one that several touched counts for each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<Touches>,
}

/// The messages from one node to another about items of a flow.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// From which node.
    pub from: u16,
    /// To which node.
    pub to: u16,
    /// Which flow.
    #[serde(default)]
    pub flow: u16,
    /// How many in each bin.
    pub count: Vec<u32>,
    /// Of those, how many each fault touched, as for [`Activity`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<Touches>,
}

/// What one fault touched, from the first bin in which it touched anything to the last.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Touches {
    /// Which fault.
    pub fault: u16,
    /// The bin of the first number.
    pub first: u32,
    /// How many in that bin and in those after it.
    pub count: Vec<u32>,
}

/// The way of one item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TracedItem {
    /// What it is called: `orders 4711`.
    pub name: String,
    /// Its flow.
    pub flow: u16,
    /// Its key.
    pub key: u32,
    /// Why it is kept: the contract or objective that it violates, else empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub violates: String,
    /// What happened to it, in order.
    pub events: Vec<TracedEvent>,
}

/// One thing that happened to an item: `[at, process, word, to, faults]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TracedEvent(
    /// When, in seconds of the scenario, to the microsecond.
    pub f64,
    /// At which process.
    pub u32,
    /// What, in words.
    pub u32,
    /// Where a message went to: a node; `null` where nothing was sent.
    pub Option<u16>,
    /// The faults that touched it.
    pub Vec<u16>,
);
