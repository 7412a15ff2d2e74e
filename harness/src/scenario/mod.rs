//! The scenario language: from text to typed values and back, losing no position on the way.
//!
//! ```text
//! text ──parse──> Tree ──variants──> Tree ──de──> typed values ──ser──> Tree ──print──> text
//! ```
//!
//! The typed values are plain serde types that know nothing of YAML. Everything that makes the
//! language flat (`verb: object`, then adverbs) happens in [`de`] and [`ser`], so that every
//! error can point at the exact key or value that is wrong.

pub mod de;
pub mod diagnostics;
pub mod path;
pub mod print;
#[cfg(test)]
mod sample;
pub mod schema;
pub mod ser;
pub mod tree;
pub mod variants;

/// The fields that a flat line has under another name: the object of `verb: object` is read into
/// (and written from) the field of this name.
pub const TARGET: &str = "target";

/// The key that names the variant of a kind-tagged enum (`{ kind: sql-database, … }`).
pub const KIND: &str = "kind";

/// The serde names of the enums that are written with `kind: variant` instead of `variant: …`.
///
/// Reading needs no such list (a map with `kind` says so itself); writing and the schema do.
pub const KIND_TAGGED: &[&str] = &["NodeKind"];
