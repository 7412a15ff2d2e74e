//! The judges: they see observations, and nothing else of the world.

pub mod config;
pub mod expect;
