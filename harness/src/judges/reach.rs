//! Whether anybody can still reach what is held in a place when the run ends. What nobody can is stranded.

use beaufort_sim::ids::{NodeId, PlaceId, ProcessId};
use beaufort_sim::observe::Life;
use beaufort_sim::plan::{Consumer, PlaceRole, Plan, Protocol};
use beaufort_sim::services::NodeKind;

use super::copies::Copies;

/// Which processes are down.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    down: Vec<bool>,
}

/// Why nobody can reach a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// Nobody reads it, and nobody ever did.
    Unread,
    /// It is switched off.
    Shut,
    /// Its service is down.
    Down,
    /// All who read it are down.
    ReadersDown,
}

impl Barrier {
    /// What follows the name of the place.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Barrier::Unread => "which nobody reads",
            Barrier::Shut => "which is switched off",
            Barrier::Down => "which was down at the end",
            Barrier::ReadersDown => "whose readers were all down at the end",
        }
    }
}

impl Reach {
    /// At first only the processes that wait to be started are down.
    pub(crate) fn new(plan: &Plan) -> Reach {
        Reach { down: plan.processes.iter().map(|process| process.dormant).collect() }
    }

    /// A process came up or went down.
    pub(crate) fn life(&mut self, process: ProcessId, life: Life) {
        if let Some(down) = self.down.get_mut(process.index()) {
            *down = !matches!(life, Life::Started | Life::Resumed);
        }
    }

    /// Why nobody can reach what is in this place, if so. `shut`: what the inventory says.
    pub(crate) fn barrier(
        &self,
        plan: &Plan,
        copies: &Copies,
        place: PlaceId,
        shut: bool,
    ) -> Option<Barrier> {
        let info = plan.places.get(place.index())?;
        if info.role != PlaceRole::Queue {
            return None;
        }
        let endpoint = plan.endpoint(&info.name).filter(|endpoint| endpoint.protocol == Protocol::Broker)?;
        if shut {
            return Some(Barrier::Shut);
        }
        if self.is_down(endpoint.address.process) {
            return Some(Barrier::Down);
        }
        let mut readers = readers_of(plan, &info.name);
        if readers.is_empty() {
            // Of what has a replica in each of several sites, people name the whole.
            readers = readers_of(plan, &plan.anywhere(&info.name));
        }
        if readers.is_empty() {
            let unread = !forwards(plan, &info.name) && !copies.taken(place);
            return unread.then_some(Barrier::Unread);
        }
        readers.iter().all(|reader| self.all_down(plan, reader.node)).then_some(Barrier::ReadersDown)
    }

    fn is_down(&self, process: ProcessId) -> bool {
        self.down.get(process.index()).copied().unwrap_or(false)
    }

    fn all_down(&self, plan: &Plan, node: NodeId) -> bool {
        let mut processes = plan.processes_of(node).filter(|(_, process)| process.runs_recipe).peekable();
        processes.peek().is_some() && processes.all(|(id, _)| self.is_down(id))
    }
}

/// Who reads this, or one of its consumer groups.
fn readers_of(plan: &Plan, name: &str) -> Vec<Consumer> {
    let mut readers = plan.consumers_of(name).to_vec();
    if let Some(NodeKind::EventHub(hub)) = plan.blueprint.nodes.get(name) {
        for group in hub.groups() {
            readers.extend(plan.consumers_of(&format!("{name}.{group}")));
        }
    }
    readers
}

/// Whether the broker itself takes messages out of this queue or subscription, to another one.
fn forwards(plan: &Plan, name: &str) -> bool {
    match plan.blueprint.nodes.get(name) {
        Some(NodeKind::ServiceBusQueue(queue)) => queue.forward_to.is_some(),
        Some(NodeKind::ServiceBusSubscription(subscription)) => subscription.forward_to.is_some(),
        _ => false,
    }
}
