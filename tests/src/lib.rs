//! What the tests of the whole house share: a scenario with everything in it, and observations told in
//! names, so that two worlds whose plans number things differently can be compared.

pub mod shorten;

use beaufort_harness::scenario::diagnostics::{Look, render};
use beaufort_harness::scenario::load::load;
use beaufort_harness::scenario::resolve::Resolved;
use beaufort_sim::ids::{Item, NodeId, PlaceId, ProcessId};
use beaufort_sim::observe::{Observation, What};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Time;

/// The scenario with a node of every kind and faults at every layer.
pub const EVERYTHING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/everything.yaml");

/// A scenario of this path or shipped name, or a variant of it, with these changes.
///
/// # Errors
/// In the words that a user would read.
pub fn resolve(asked: &str, variant: Option<&str>, sets: &[&str]) -> Result<Resolved, String> {
    let sets: Vec<String> = sets.iter().map(|&set| set.to_owned()).collect();
    let loaded = load(asked, &sets).map_err(|bad| render(&bad.diagnostics, &bad.sources, Look::default()))?;
    loaded.resolve(variant).map_err(|refused| render(&refused.diagnostics, &loaded.sources, Look::default()))
}

/// An observation in names, without what is numbered: events, calls, connections.
#[derive(Clone, Debug, PartialEq)]
pub struct Told<'a> {
    /// When.
    pub at: Time,
    /// Who reports it.
    pub process: &'a str,
    /// Which life of that process.
    pub incarnation: u32,
    /// Stream, number, key and type of the item, where there is one.
    pub item: Option<(&'a str, u32, u32, &'a str)>,
    /// The labels of the faults that touched it.
    pub by: Vec<&'a str>,
    /// What happened.
    pub what: String,
}

/// Tells an observation in the names of its plan.
#[must_use]
pub fn told<'a>(plan: &'a Plan, seen: &Observation) -> Told<'a> {
    let mut by: Vec<&str> = seen.by.iter().map(|fault| fault_name(plan, fault.index())).collect();
    by.sort_unstable();
    // The phases of a fault are nobody's; the world reports them in the name of its first process.
    let reported = !matches!(seen.what, What::Fault { .. });
    Told {
        at: seen.at,
        process: if reported { process_name(plan, seen.process) } else { "" },
        incarnation: if reported { seen.incarnation } else { 0 },
        item: seen.what.has_item().then(|| item_name(plan, seen.item)),
        by,
        what: in_names(plan, &seen.what),
    }
}

fn fault_name(plan: &Plan, index: usize) -> &str {
    plan.blueprint.faults.get_index(index).map_or("", |(name, _)| name.as_str())
}

fn process_name(plan: &Plan, id: ProcessId) -> &str {
    plan.processes.get(id.index()).map_or("", |process| process.name.as_str())
}

fn place_name(plan: &Plan, id: PlaceId) -> &str {
    plan.places.get(id.index()).map_or("", |place| place.name.as_str())
}

fn node_name(plan: &Plan, id: NodeId) -> &str {
    plan.nodes.get(id.index()).map_or("", |node| node.name.as_str())
}

fn item_name(plan: &Plan, item: Item) -> (&str, u32, u32, &str) {
    let stream = plan.streams.get(plan.stream_index(item.stream)).map_or("", |stream| stream.name.as_str());
    let kind = plan.type_name(item.kind);
    (stream, item.number, item.key, kind)
}

/// Every variant is named, so that a new one with a number in it is not forgotten here.
fn in_names(plan: &Plan, what: &What) -> String {
    let place = |id| place_name(plan, id);
    let process = |id| process_name(plan, id);
    match *what {
        What::Offered { door } => format!("offered to {}", node_name(plan, door)),
        What::Concluded { door, outcome, offered } => {
            format!("concluded {outcome:?} at {}, offered {offered:?}", node_name(plan, door))
        }
        What::Sent { to, .. } => format!("sent to {}", process(to.process)),
        What::Answered { outcome, .. } => format!("answered {outcome:?}"),
        What::Handled { how, .. } => format!("handled {how:?}"),
        What::Born { place: at, cause } => format!("born {cause:?} at {}", place(at)),
        What::Ended { place: at, cause } => format!("ended {cause:?} at {}", place(at)),
        What::Moved { from, to, reason } => format!("moved {} to {} {reason:?}", place(from), place(to)),
        What::Shadow { place: at, held } => format!("shadow at {}: {held}", place(at)),
        What::Read { place: at, found, asked } => format!("read {}: {found}, asked {asked:?}", place(at)),
        What::Absorbed { place: at } => format!("absorbed at {}", place(at)),
        What::Undone { undone, by } => format!("undone {} by {}", place(undone), place(by)),
        What::Trouble { subject, symptom } => format!("trouble {symptom:?} about {}", process(subject)),
        What::Believes { subject, belief } => format!("believes {belief:?} about {}", process(subject)),
        What::TouchedProcess { subject } => format!("touched {}", process(subject)),
        What::Fault { fault, phase } => format!("fault {} {phase:?}", fault_name(plan, fault.index())),
        What::RunStarted { .. }
        | What::RunEnded { .. }
        | What::StepDone { .. }
        | What::Symptom(_)
        | What::Touched
        | What::Life(_) => format!("{what:?}"),
    }
}
