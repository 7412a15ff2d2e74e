//! Layer 4, in part: one service of a region, or one kind of service everywhere. Other than a lost zone it keeps what
//! it has; it only answers nobody.

use crate::faults::placement::fault;
use crate::faults::{Action, Aim, Strikes};
use crate::ids::ProcessId;
use crate::network::{Disturbance, ProcessSet, Scope, Wrong};
use crate::plan::PlanError;
use crate::services::NodeKind;

fault! {
    /// One service of a region answers nobody, established connections included; what it has stored stays.
    ServiceDown {}
}
impl Strikes for ServiceDown {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        // A part cannot be away without its whole.
        aim.processes()?;
        Ok(vec![Action::Network(Disturbance::new(aim, aim.alone()?, Wrong::cut()))])
    }
}

fault! {
    /// A change of configuration that passed its tests reaches every node of one kind in all regions at once, and
    /// none of them answers until it is taken back (the outage of Front Door of 2025-10-29; facts data 6). Its
    /// target is the kind: `config.push: traffic-manager`.
    ConfigPush {}
}
impl Strikes for ConfigPush {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        let of_kind = |id: &ProcessId| {
            let process = aim.plan.process(*id);
            let node = &aim.plan.nodes[process.node.index()].name;
            !process.apart && aim.plan.blueprint.nodes.get(node).is_some_and(|kind| kind.word() == aim.target)
        };
        let all = (0..aim.plan.processes.len() as u32).map(ProcessId);
        let hit: Vec<ProcessId> = all.filter(of_kind).collect();
        if hit.is_empty() {
            let mut kinds: Vec<&str> = aim.plan.blueprint.nodes.values().map(NodeKind::word).collect();
            kinds.sort_unstable();
            kinds.dedup();
            let error = aim.error(format!("no node here is of the kind `{}`", aim.target));
            return Err(error.help(format!("the kinds are: {}", kinds.join(", "))).word("dangling"));
        }
        let from = ProcessSet::of(&hit);
        let scope = Scope { to: from.complement(aim.plan.processes.len()), from, both: true };
        Ok(vec![Action::Network(Disturbance::new(aim, scope, Wrong::cut()))])
    }
}
