//! The hosts of recipes: what runs the user's code, and what happens to it in a crash.

pub mod app;
pub mod container_app;
pub mod front;

pub use container_app::ContainerApp;
