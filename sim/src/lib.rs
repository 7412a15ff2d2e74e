//! The world: regions, brokers, gateways, stores and the user's own apps, simulated deterministically
//! for one seed. The world does not know that it is judged.
//!
//! A [`Blueprint`](blueprint::Blueprint) is resolved into a [`Plan`](plan::Plan); a
//! [`World`](kernel::World) is built from the plan and a seed, and stepped until it is quiescent.

pub mod blueprint;
pub mod client;
pub mod faults;
pub mod guest;
pub mod ids;
pub mod kernel;
pub mod message;
pub mod network;
pub mod node;
pub mod observe;
pub mod plan;
pub mod random;
pub mod recipe;
pub mod services;
pub mod time;
pub mod units;
