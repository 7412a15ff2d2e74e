//! When a run is over: at rest, stuck, or past the deadline. The native loop asks after every step, an
//! engine that hosts the processes whenever it has let time pass.

use beaufort_sim::kernel::World;
use beaufort_sim::observe::Held;
use beaufort_sim::plan::Plan;
use beaufort_sim::time::{Span, Time};

use crate::judges::{End, Judges};

/// So long nothing must be booked before a world without pending work is taken to rest: longer than the
/// polls of tables and feeds.
const QUIET: Span = Span::mins(2);
/// So long copies that do not rest may lie without any booking before they are stuck: longer than every
/// period of upkeep (locks, leases, polls, probes).
const UPKEEP: Span = Span::mins(15);

/// Decides when a run is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// When load and faults end.
    ends: Time,
    /// When it is over in any case.
    deadline: Time,
    /// The last booking before the last walk over the inventory. A walk is dear: once for each standstill.
    walked: Option<Time>,
}

impl Ending {
    /// For a run of this plan.
    pub(crate) fn new(plan: &Plan) -> Ending {
        Ending { ends: plan.ends(), deadline: plan.deadline(), walked: None }
    }

    /// Whether the run is over now, when everything that was due by `now` has happened.
    #[inline]
    pub(crate) fn look(&mut self, world: &World, judges: &Judges, now: Time) -> Option<End> {
        if now > self.deadline {
            return Some(self.at_deadline(world));
        }
        let standstill = now >= self.ends
            && now >= judges.last_booking() + QUIET
            && world.active_faults().is_empty()
            && world.pending_work() == 0;
        if standstill { self.look_closer(world, judges, now) } else { None }
    }

    /// Nothing is booked, nothing is pending: at rest, or stuck after a while.
    #[cold]
    fn look_closer(&mut self, world: &World, judges: &Judges, now: Time) -> Option<End> {
        let last = judges.last_booking();
        let rests = self.walked != Some(last) && at_rest(world);
        self.walked = Some(last);
        (rests || now >= last + UPKEEP).then(|| end(world, true, now))
    }

    /// Nothing will ever happen again.
    pub(crate) fn nothing_left(&self, world: &World) -> End {
        end(world, true, world.now().max(self.ends))
    }

    /// The deadline has come.
    pub(crate) fn at_deadline(&self, world: &World) -> End {
        end(world, world.pending_work() == 0, self.deadline)
    }

    /// Whether this instant is past the deadline.
    #[inline]
    pub(crate) fn is_past(&self, instant: Time) -> bool {
        instant > self.deadline
    }
}

fn at_rest(world: &World) -> bool {
    let mut rest = true;
    world.inventory(&mut |held: Held| rest &= held.rest);
    rest
}

fn end(world: &World, quiescent: bool, at: Time) -> End {
    End {
        at,
        quiescent,
        pending: world.pending_work(),
        next: None,
        links: Some(world.links()),
        faults: world.fault_counts().map(|count| [count.armed, count.fired]).collect(),
    }
}
