//! What every caller embeds: timeout, retry, circuit breaker, concurrency limit.

pub mod policy;

pub use policy::Policy;
