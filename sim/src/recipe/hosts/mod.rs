//! The hosts of recipes: what runs the user's code, and what happens to it in a crash.

pub mod app;
pub mod container_app;
pub mod control_plane;
pub mod front;
pub mod function_app;
mod ingress;
pub mod logic_app;
pub mod operator;

pub use container_app::ContainerApp;
pub use function_app::FunctionApp;
pub use logic_app::LogicApp;
pub use operator::Operator;
