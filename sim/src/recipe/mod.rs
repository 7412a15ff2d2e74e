//! The step language in which the user's own apps are written, its interpreter, and its hosts.

pub mod alarm;
mod ask;
pub mod compile;
pub mod fed;
pub mod feeder;
pub mod hosts;
pub mod intake;
pub mod journal;
pub mod keys;
pub mod poller;
pub mod position;
pub mod program;
pub mod requests;
pub mod run;
pub mod step;
pub mod ticker;
pub mod trigger;
pub mod worker;

pub use step::Step;

#[cfg(test)]
mod tests;
