//! What a seed is run again for: nothing of it is kept while a run is judged. A recorder sees the same
//! observations as the judges, and judges nothing.

mod bins;
mod flows;
mod health;
mod limits;
mod order;
mod picker;
mod routes;
pub mod rows;
mod series;
mod shares;
pub mod story;
mod tally;
mod trace;

pub(crate) use shares::{Shares, bands};

use beaufort_reports::series::Series;
use beaufort_sim::ids::Item;
use beaufort_sim::kernel::World;
use beaufort_sim::observe::{Observation, Sink};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Time;

pub(crate) use bins::Bins;
pub(crate) use limits::Limits;
pub(crate) use picker::Picker;
pub(crate) use series::SeriesRecorder;
pub(crate) use trace::{Choice, trace};

/// The items of this name (`orders 4711`): one for each generator of the flow.
///
/// # Errors
/// There is no such flow, or it is no name of an item: what would be right.
pub(crate) fn named_items(plan: &Plan, name: &str) -> Result<Vec<u64>, String> {
    let flows = || plan.blueprint.flows.keys().map(String::as_str).collect::<Vec<_>>();
    let parts = name.trim().rsplit_once(' ').map(|(flow, number)| (flow.trim(), number.parse::<u32>()));
    let Some((flow, Ok(number))) = parts else {
        let flow = flows().first().copied().unwrap_or("orders").to_owned();
        return Err(format!("`{name}` names no item: write its flow and its number, such as `{flow} 4711`"));
    };
    let Some(id) = plan.blueprint.flows.get_index_of(flow) else {
        return Err(format!("there is no flow `{flow}`; there is {}", flows().join(", ")));
    };
    let streams = plan.streams.iter().filter(|stream| stream.flow.index() == id);
    Ok(streams.map(|stream| Item { number, stream: stream.id, ..Item::default() }.identity()).collect())
}

/// Who listens when a seed is run again: those that are wanted.
#[derive(Debug, Default)]
pub(crate) struct Recorders {
    /// The ways of a few items.
    pub(crate) story: Option<story::Recorder>,
    /// What it did over time.
    pub(crate) close: Option<Close>,
}

/// A run that is looked at closely.
#[derive(Debug)]
pub(crate) struct Close {
    /// By which time is cut up.
    bins: Bins,
    /// What it did over time.
    pub(crate) series: SeriesRecorder,
    /// Which items are worth to be shown one by one, and who talked to whom.
    pub(crate) picker: Picker,
    /// How near each node came to its limits.
    pub(crate) limits: Limits,
}

impl Close {
    /// For a run that ended then.
    pub(crate) fn new(plan: &Plan, until: Time) -> Close {
        let bins = Bins::until(plan, until);
        Close {
            bins,
            series: SeriesRecorder::new(plan, bins),
            picker: Picker::new(plan, bins),
            limits: Limits::new(plan, bins),
        }
    }

    /// What it did over time, at the end of the run.
    pub(crate) fn finish(self, plan: &Plan, end: Time) -> Series {
        Series { limits: self.limits.finish(plan), ..self.series.finish(plan, end) }
    }
}

impl Recorders {
    /// Looks at the world, which goes to no event before this instant.
    #[inline]
    pub(crate) fn look(&mut self, world: &World, until: Time) {
        if let Some(close) = &mut self.close {
            close.limits.look(world, until);
        }
    }
}

impl Sink for Recorders {
    fn observe(&mut self, seen: &Observation) {
        if let Some(story) = &mut self.story {
            story.observe(seen);
        }
        if let Some(close) = &mut self.close {
            close.series.observe(seen);
            close.picker.observe(seen);
        }
    }
}
