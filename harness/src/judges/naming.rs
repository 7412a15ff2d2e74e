//! How items and instants are told to people.

use beaufort_sim::ids::StreamId;
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Time;

/// What an item is called (`orders 4711`), and its generator.
pub(crate) fn item_name(plan: &Plan, stream: StreamId, number: u32) -> (String, String) {
    let info = &plan.streams[plan.stream_index(stream)];
    let flow = plan.blueprint.flows.get_index(info.flow.index()).map_or("", |(name, _)| name.as_str());
    (format!("{flow} {number}"), info.name.clone())
}

/// Seconds since the end of the warm-up, as a scenario counts.
pub(crate) fn scenario_seconds(plan: &Plan, at: Time) -> f64 {
    (at.0 as f64 - plan.begins().0 as f64) / 1e9
}
