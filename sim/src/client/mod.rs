//! What every caller embeds: timeout, retry, circuit breaker, retry budget, concurrency limit, and the
//! one table that says what an answer means.

pub mod breaker;
pub mod budget;
pub mod caller;
pub mod classify;
pub mod feed;
pub mod keyring;
pub mod names;
pub mod policy;
pub mod retry;

pub use caller::{CallHandle, Caller, Finished, Progress};
pub use classify::{Verdict, classify};
pub use feed::FeedProcessor;
pub use names::Dns;
pub use policy::Policy;
pub use retry::{Rules, Sdk};
