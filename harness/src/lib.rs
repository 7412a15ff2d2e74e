//! The referee: reads a scenario, runs it, judges it.

pub mod cli;
pub mod judges;
pub mod scenario;
pub mod verdict;
