//! What pipelines read: JUnit for their test tabs, SARIF for the lines of a scenario, Markdown for a pull
//! request, annotations for a log, and one line of JSON for each seed that finished. All of it is drawn from
//! the documents alone and says nothing of the wall clock: the same documents give the same bytes.
//!
//! [`checks`] puts together what a document says of each promise, over all its seeds; one file for each
//! format draws that.

mod annotations;
mod checks;
mod events;
mod junit;
mod markdown;
mod sarif;
mod story;
mod summary;

pub use annotations::{Host, annotations, host, upload_summary};
pub use events::{EVENT_VERSION, Event, SeedEvent, VerdictEvent, event, verdict_event};
pub use junit::junit;
pub use sarif::sarif;
pub use summary::{SUMMARY_BYTES, summary};

/// Why a format could not be written: a defect of its serializer, never of the documents.
#[derive(Debug, thiserror::Error)]
#[error("the {format} report cannot be written: {why}")]
pub struct Unwritten {
    /// Which format.
    pub format: &'static str,
    /// What the serializer said.
    pub why: String,
}
