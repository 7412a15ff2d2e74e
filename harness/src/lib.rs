//! The referee: reads a scenario, runs it, judges it.

pub mod agree;
pub mod cli;
mod ending;
mod hosting;
pub mod judges;
pub mod recorders;
pub mod run;
pub mod scenario;
pub mod stopwatch;
pub mod sweep;
pub mod verdict;
