//! A world that another engine drives: it hands out its agenda instead of keeping it, and is told by the
//! engine's hosts what happens when. Each host runs its own process; the network between them, the faults
//! and the books stay here.

use serde::{Deserialize, Serialize};

use crate::ids::ProcessId;
use crate::kernel::queue::Entry;
use crate::kernel::world::{Alarm, World};
use crate::message::Message;
use crate::node::CloseReason;
use crate::node::shell::Standing;
use crate::observe::Sink;
use crate::time::Time;

/// What is under way between two processes, as it is put on a wire.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Freight {
    /// A message.
    Message(Message),
    /// The news that the connection is gone.
    Close(CloseReason),
}

/// What an engine is to bring about at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// A process has something to do: [`World::wake_process`].
    Wake(ProcessId),
    /// Freight is to be carried: [`World::arrive_at`] there.
    Arrival {
        /// Its number, to be handed back.
        slot: u32,
        /// Who sent it.
        from: ProcessId,
        /// Where it goes.
        to: ProcessId,
    },
    /// A fault begins or ends: [`World::advance_faults_at`].
    Fault,
    /// A connection's retransmission or silence timer: [`World::alarm_at`].
    Alarm {
        /// Its number, to be handed back.
        slot: u32,
        /// Whose side of the connection it is.
        owner: ProcessId,
    },
}

impl World {
    /// Takes the next thing out of the agenda, in the order of time. An engine asks until there is none,
    /// after every call that may have put something in.
    pub fn next_due(&mut self) -> Option<(Time, Due)> {
        loop {
            let (at, entry) = self.queue.pop()?;
            let due = match entry {
                Entry::Wake(process) => Due::Wake(ProcessId(process)),
                Entry::Fault => Due::Fault,
                Entry::Arrival(slot) => match self.flights.get(slot) {
                    Some(flight) => Due::Arrival { slot, from: flight.from, to: flight.to },
                    None => continue, // dropped before it could leave
                },
                Entry::Transport(slot) => match self.alarms.get(slot) {
                    Some(Alarm::Retry(id, side) | Alarm::Silence(id, side)) => {
                        let Some(connection) = self.network.get(*id) else {
                            self.alarms.take(slot);
                            continue;
                        };
                        Due::Alarm { slot, owner: connection.at(*side) }
                    }
                    None => continue,
                },
            };
            return Some((at, due));
        }
    }

    /// When a process is to be woken, as far as it is known by now.
    #[must_use]
    pub fn wakes_at(&self, process: ProcessId) -> Time {
        self.shells[process.index()].wake
    }

    /// How the host of a process is to be kept.
    #[must_use]
    pub fn standing(&self, process: ProcessId) -> Standing {
        self.shells[process.index()].standing()
    }

    /// What the monotonic and the wall clock of a process show at a true instant.
    #[must_use]
    pub fn clocks(&self, process: ProcessId, at: Time) -> (Time, Time) {
        let clock = &self.shells[process.index()].clock;
        (clock.monotonic(at), clock.wall(at))
    }

    /// The engine has taken the host of a process down or stopped it: what it would have woken for is void.
    pub fn forget_wake(&mut self, process: ProcessId) {
        self.shells[process.index()].wake = Time::NEVER;
    }

    /// The freight in this slot, to be put on the wire.
    #[must_use]
    pub fn freight(&self, slot: u32) -> Option<&Freight> {
        self.flights.get(slot).map(|flight| &flight.freight)
    }

    /// Replaces the freight in this slot by what came off the wire.
    pub fn unload(&mut self, slot: u32, freight: Freight) {
        if let Some(flight) = self.flights.get_mut(slot) {
            flight.freight = freight;
        }
    }

    /// A process does what is due.
    pub fn wake_process(&mut self, process: ProcessId, at: Time, sink: &mut dyn Sink) {
        self.now = at;
        self.shells[process.index()].wake = Time::NEVER;
        self.run(process, sink);
    }

    /// Freight arrives.
    pub fn arrive_at(&mut self, slot: u32, at: Time, sink: &mut dyn Sink) {
        self.now = at;
        self.arrive(slot, sink);
    }

    /// A connection has waited for something.
    pub fn alarm_at(&mut self, slot: u32, at: Time, sink: &mut dyn Sink) {
        self.now = at;
        self.alarm(slot, sink);
    }

    /// Faults begin and end.
    pub fn advance_faults_at(&mut self, at: Time, sink: &mut dyn Sink) {
        self.now = at;
        self.advance_faults(sink);
    }
}
