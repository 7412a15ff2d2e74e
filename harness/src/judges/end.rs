//! What the engine says about the end of a run.

use beaufort_sim::observe::LinkBook;
use beaufort_sim::time::Time;

/// How the run ended.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// When.
    pub at: Time,
    /// Whether it came to rest, as opposed to running into the deadline.
    pub quiescent: bool,
    /// How much work was pending.
    pub pending: usize,
    /// What that is, in words, where known.
    pub next: Option<String>,
    /// The links book, where the engine keeps one.
    pub links: Option<LinkBook>,
    /// By fault: how often the engine armed it, and how many events it altered.
    pub faults: Vec<[u64; 2]>,
}
