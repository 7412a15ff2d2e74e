//! The kernel: one queue, one run loop, one digest. Single-threaded; jumps to the next event.

mod carry;
pub mod digest;
pub mod hosted;
mod poke;
pub mod queue;
pub mod slab;
mod strike;
#[cfg(test)]
mod tests;
pub mod world;

pub use digest::Digest;
pub use hosted::{Due, Freight};
pub use queue::Queue;
pub use world::{BuildError, World};
