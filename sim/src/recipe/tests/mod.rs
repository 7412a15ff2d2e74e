//! Recipes on the bench and in small worlds.

mod bench;
mod brokers;
mod hosts;
mod hubs;
mod interpreter;
mod keys;
mod refusals;
mod workflows;
mod worlds;

use std::sync::Arc;

use crate::blueprint::{Blueprint, Flow, Site, Timetable};
use crate::ids::Once;
use crate::kernel::World;
use crate::observe::{Observation, What};
use crate::plan::{Plan, PlanError};
use crate::recipe::step::{self, Step};
use crate::services::NodeKind;
use crate::services::load::Load;
use crate::services::sql_database::SqlDatabase;
use crate::time::{Span, Time};
use crate::units::{Distribution, Rate};

pub(super) fn work(span: Span) -> Step {
    Step::Work(step::Work { target: step::Duration(Distribution::Constant(span)), name: None })
}

pub(super) fn insert(table: &str, once: Option<Once>) -> Step {
    Step::Insert(step::Insert { target: table.to_owned(), once, ..step::Insert::default() })
}

pub(super) fn transaction(parts: Vec<Step>) -> Step {
    Step::Transaction(step::Transaction { target: parts, ..step::Transaction::default() })
}

pub(super) fn delete(table: &str) -> Step {
    Step::Delete(step::Delete { target: table.to_owned(), ..step::Delete::default() })
}

pub(super) fn reply(status: u16) -> Step {
    Step::Reply(step::Reply { target: status, name: None })
}

pub(super) fn send(target: &str, once: Option<Once>) -> Step {
    Step::Send(step::Send { target: target.to_owned(), once, ..step::Send::default() })
}

pub(super) fn complete() -> Step {
    Step::Complete(step::Complete::default())
}

/// How many copies are at a place.
pub(super) fn held(world: &World, place: &str) -> usize {
    let place = world.plan().place_named(place).expect("a place");
    let mut copies = 0;
    world.inventory(&mut |one| copies += if one.place == place { one.copies as usize } else { 0 });
    copies
}

/// A database with these tables.
pub(super) fn database(tables: &[&str]) -> NodeKind {
    let holds = tables.iter().map(|table| (*table).to_owned()).collect();
    NodeKind::SqlDatabase(SqlDatabase { holds, ..SqlDatabase::default() })
}

/// A load of 20 items a second on this door.
pub(super) fn load(to: &str) -> NodeKind {
    let rate = Some(Rate::per_second(20.0));
    NodeKind::Load(Load { flow: "orders".to_owned(), to: to.to_owned(), rate, ..Load::default() })
}

/// A plan of one region and these nodes.
pub(super) fn plan(nodes: Vec<(&str, NodeKind)>) -> Result<Plan, Vec<PlanError>> {
    let mut blueprint = Blueprint {
        time: Timetable { warmup: Span::secs(20), run: Span::mins(1), drain: Span::mins(10) },
        ..Blueprint::default()
    };
    blueprint.sites.insert("westeurope".to_owned(), Site::default());
    blueprint.flows.insert("orders".to_owned(), Flow::default());
    for (name, kind) in nodes {
        blueprint.nodes.insert(name.to_owned(), kind);
    }
    Plan::new(blueprint)
}

/// Runs the world of this plan to its deadline and returns what could be observed.
pub(super) fn run(plan: Plan) -> (World, Vec<Observation>) {
    let deadline = plan.deadline();
    let mut world = World::new(Arc::new(plan), 7).expect("the plan can be built");
    let mut seen = Vec::new();
    while world.next_at().is_some_and(|at| at <= deadline) && world.step(&mut seen) {}
    (world, seen)
}

pub(super) fn count(seen: &[Observation], what: impl Fn(&What) -> bool) -> usize {
    seen.iter().filter(|observation| what(&observation.what)).count()
}

pub(super) fn after(seen: &[Observation], at: Time) -> impl Iterator<Item = &Observation> {
    seen.iter().filter(move |observation| observation.at >= at)
}
