//! Layer 4, in part: control planes. What runs goes on running; what would change it (a failover, a switch, another
//! number of instances) is not carried out (East US 2, 2023-01-31: machines could be neither made, scaled nor
//! started for 18 h, and those that ran were fine; facts data 6).

use crate::faults::local::Value;
use crate::faults::placement::fault;
use crate::faults::{Action, Aim, Hook, Strikes};
use crate::ids::ProcessId;
use crate::plan::{Plan, PlanError};
use crate::services::{NodeKind, Service};
use crate::time::Span;

/// The kinds of node that can be managed: something can be asked of their control plane, or it scales them.
const MANAGED: &[&str] = &[
    "container-app",
    "function-app",
    "logic-app",
    "service-bus",
    "event-hubs",
    "sql-database",
    "cosmos-db",
    "storage-container",
    "traffic-manager",
    "key-vault",
    "alert",
];
/// Every control plane that there is.
const ALL: &str = "all";

fault! {
    /// The control plane answers 503: nothing can be promoted, failed over, switched, set, resubmitted or
    /// scaled, nor does the platform fail over or add instances by itself. What runs goes on, and can be
    /// looked at (`verify`, metrics). Its target: a node, a replica (`raw/westeurope`), a kind (`sql-database`), a kind
    /// in a site (`container-app/westeurope`), a site, or `all`.
    Down {}
}
impl Strikes for Down {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        strike(aim, Hook::ControlPlaneDown, Value::None)
    }
}

fault! {
    /// The limit of management requests is used up, by others: they are answered 429, or with `chance` a part of
    /// them. Its target is that of `control-plane.down`.
    Throttle {
        /// When to come again, as the answer says. Default: 60s [K].
        retry_after: Span = Span::secs(60),
    }
}
impl Strikes for Throttle {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        strike(aim, Hook::ControlPlaneThrottle, Value::Span(self.retry_after))
    }
}

fn strike(aim: &Aim<'_>, hook: Hook, value: Value) -> Result<Vec<Action>, PlanError> {
    let managed = managed(aim)?;
    Ok(aim.hook_at(managed.into_iter().map(|process| (process, None)).collect(), hook, value))
}

/// The processes of the target that manage something or can be managed.
fn managed(aim: &Aim<'_>) -> Result<Vec<ProcessId>, PlanError> {
    let nodes = aim.plan.nodes_of(aim.target);
    if !nodes.is_empty() {
        return of_nodes(aim);
    }
    let (kind, site) = match aim.target.split_once('/') {
        Some((kind, site)) => (Some(kind), Some(site)),
        None if aim.plan.blueprint.sites.contains_key(aim.target) => (None, Some(aim.target)),
        None => (Some(aim.target), None),
    };
    let kind = kind.filter(|kind| *kind != ALL);
    if let Some(unknown) = kind.filter(|kind| !MANAGED.contains(kind)) {
        let is_kind = NodeKind::catalogue().iter().any(|(word, _)| *word == unknown);
        return Err(if is_kind { unmanaged(aim, unknown) } else { dangling(aim) });
    }
    let site = match site.map(|site| aim.plan.blueprint.sites.get_index_of(site)) {
        Some(None) => return Err(dangling(aim)),
        Some(index) => index.map(|index| index as u8),
        None => None,
    };
    let all = (0..aim.plan.processes.len() as u32).map(ProcessId);
    let hit: Vec<ProcessId> = all
        .filter(|id| {
            let of = kind_of(aim.plan, *id).filter(|of| MANAGED.contains(&of.word()));
            of.is_some_and(|of| {
                kind.is_none_or(|kind| of.word() == kind)
                    && site.is_none_or(|site| is_in(aim.plan, *id, of, site))
            })
        })
        .collect();
    if hit.is_empty() { Err(dangling(aim)) } else { Ok(hit) }
}

/// A node, or one of its replicas.
fn of_nodes(aim: &Aim<'_>) -> Result<Vec<ProcessId>, PlanError> {
    let nodes = aim.plan.nodes_of(aim.target);
    for node in &nodes {
        let name = &aim.plan.nodes[node.index()].name;
        let Some(kind) = aim.plan.blueprint.nodes.get(name) else { continue };
        if let Some(whole) = kind.of() {
            let error = aim.error(format!("`{}` has no control plane of its own", aim.target));
            return Err(error.help(format!("aim it at `{whole}`")).word("inapplicable"));
        }
        if !MANAGED.contains(&kind.word()) {
            return Err(unmanaged(aim, kind.word()));
        }
    }
    let is_node = |name: &String| aim.plan.node(name).is_some();
    if aim.plan.node(aim.target).is_none() && !aim.plan.copies.of(aim.target).iter().all(is_node) {
        return aim.processes();
    }
    Ok(nodes.iter().flat_map(|node| aim.plan.processes_of(*node).map(|(id, _)| id)).collect())
}

fn kind_of(plan: &Plan, process: ProcessId) -> Option<&NodeKind> {
    plan.blueprint.nodes.get(&plan.nodes[plan.process(process).node.index()].name)
}

/// A node in one site is managed there, wherever its control plane runs; of one in several, each replica is.
fn is_in(plan: &Plan, process: ProcessId, kind: &NodeKind, site: u8) -> bool {
    match kind.sites().map_or(&[][..], |sites| sites.names()) {
        [only] => plan.blueprint.sites.get_index_of(only) == Some(usize::from(site)),
        _ => plan.process(process).location.site() == Some(site),
    }
}

fn unmanaged(aim: &Aim<'_>, kind: &str) -> PlanError {
    aim.error(format!("nothing of the kind `{kind}` is managed by a control plane here"))
        .help(format!("it applies to: {}", MANAGED.join(", ")))
        .word("inapplicable")
}

fn dangling(aim: &Aim<'_>) -> PlanError {
    aim.error(format!("`{}` names no control plane", aim.target))
        .help(format!(
            "name a node, a site, `all`, or a kind (in a site: `KIND/SITE`): {}",
            MANAGED.join(", ")
        ))
        .word("dangling")
}

#[cfg(test)]
#[path = "control_plane_tests.rs"]
mod tests;
