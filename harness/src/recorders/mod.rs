//! What a seed is run again for: nothing of it is kept while a run is judged. A recorder sees the same
//! observations as the judges, and judges nothing.

mod bins;
mod health;
mod picker;
mod series;
mod shares;
pub mod story;
mod trace;

pub(crate) use shares::{Shares, bands};

use beaufort_sim::observe::{Observation, Sink};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Time;

pub(crate) use bins::Bins;
pub(crate) use picker::Picker;
pub(crate) use series::SeriesRecorder;
pub(crate) use trace::{Choice, trace};

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
}

impl Close {
    /// For a run that ended then.
    pub(crate) fn new(plan: &Plan, until: Time) -> Close {
        let bins = Bins::until(plan, until);
        Close { bins, series: SeriesRecorder::new(plan, bins), picker: Picker::new(plan, bins) }
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
