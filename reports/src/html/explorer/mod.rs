//! The trace explorer of the page, and the pictures that go with it: the topology with the health of its nodes,
//! and the story of a failing item.

mod code;
mod data;
mod escape;
mod fragment;
mod graph;
mod health;
mod layout;
mod paths;
mod picture;
mod shapes;
mod story;
mod svg;
mod topology;

#[cfg(test)]
mod tests;

pub use fragment::fragment;
pub use story::story_diagram;
pub use svg::plain;
pub use topology::topology;
