//! Of which flow an item is.

use beaufort_sim::ids::StreamId;
use beaufort_sim::plan::{Plan, StreamSlots};

/// The flow of each stream, as a position among the flows of the scenario.
#[derive(Clone, Debug)]
pub(super) struct Flows {
    slots: StreamSlots,
    of: Vec<u16>,
}

impl Flows {
    pub(super) fn new(plan: &Plan) -> Flows {
        let of = plan.streams.iter().map(|stream| stream.flow.0).collect();
        Flows { slots: plan.stream_slots(), of }
    }

    /// The flow of this stream; the first for a stream that nobody declared.
    pub(super) fn of(&self, stream: StreamId) -> u16 {
        self.of.get(self.slots.index(stream)).copied().unwrap_or(0)
    }
}
