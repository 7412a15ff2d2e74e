//! Other engines for the same world: every process is hosted by a task of turmoil or madsim, messages
//! travel in their wire form over the engine's sockets, and the engine crashes and restarts the hosts.

pub mod guest;
