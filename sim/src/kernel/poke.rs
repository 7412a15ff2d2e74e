//! Worlds with guests: built for those who let the guests' code run, and poked when it left something at
//! a door.

use std::sync::Arc;

use crate::ids::ProcessId;
use crate::kernel::world::{BuildError, World, build};
use crate::node::Input;
use crate::observe::Sink;
use crate::plan::Plan;
use crate::time::Time;

impl World {
    /// Builds the world of this plan for somebody who lets the code of its guests run: gets a mailbox from
    /// [`process`](Self::process), starts the guest when it asks for one, and [pokes](Self::poke).
    /// Without that a guest only waits, so that [`new`](Self::new) refuses a plan with guests.
    ///
    /// # Errors
    /// All that is wrong with the plan, each with its place.
    pub fn with_guests(plan: Arc<Plan>, seed: u64) -> Result<World, BuildError> {
        let processes = build(&plan)?;
        World::with_processes(plan, seed, processes)
    }

    /// Tells a process that somebody outside the world left something at its door. One that is paused
    /// notices when it goes on; one that is down never does. `at`: now.
    pub fn poke(&mut self, process: ProcessId, at: Time, sink: &mut dyn Sink) {
        self.now = at;
        if self.shells[process.index()].is_alive() {
            self.give(process, Input::Poke, self.events, sink);
        }
    }
}
