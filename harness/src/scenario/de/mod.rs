//! From a tree to typed values: the flat grammar on top of externally tagged enums.
//!
//! A map is never copied on its way into a type, it is only looked at in another way (`View`),
//! and so every error points at the key or value that caused it:
//!
//! - `{ kind: sql-database, zones: 3 }` is the variant `sql-database` with the fields `zones`;
//! - `{ insert: orders-db.order, once: item }` is the variant `insert` with the fields `target`
//!   (what stands behind the verb) and `once`;
//! - `complete` is the variant `complete`, without fields;
//! - a tuple struct that is read from a map shares it among its members: each takes the fields
//!   it knows, the last one everything else. So fields that all variants of an enum have in
//!   common are written down once, `struct Step(Common, Verb)`.
//!
//! Reading is strict whether a type asks for it or not: an unknown field of a struct is an error.

mod error;
#[cfg(test)]
mod tests;
mod value;
mod view;

use indexmap::IndexMap;
use serde::Deserialize;

use super::diagnostics::Diagnostic;
use super::path::Path;
use super::tree::Tree;

pub use error::Error;
use value::Value;

type Fields = &'static [&'static str];

/// Reads a typed value.
///
/// # Errors
/// The first thing that does not fit, with its place and the path to it.
pub fn from_tree<'de, T: Deserialize<'de>>(tree: &'de Tree) -> Result<T, Diagnostic> {
    from_tree_at(tree, &Path::root())
}

/// Reads a typed value that stands at `at` in the scenario: messages name the whole path.
///
/// # Errors
/// As [`from_tree`].
pub fn from_tree_at<'de, T: Deserialize<'de>>(tree: &'de Tree, at: &Path) -> Result<T, Diagnostic> {
    T::deserialize(Value(tree)).map_err(|e| e.at(tree.span).into_diagnostic(at))
}

/// Reads a section, a map by name, entry by entry, so that one wrong entry does not hide the
/// errors of the others.
///
/// # Errors
/// For each entry that does not fit, the first thing in it that does not.
pub fn entries_at<'de, T: Deserialize<'de>>(
    section: &'de Tree,
    at: &Path,
) -> Result<IndexMap<String, T>, Vec<Diagnostic>> {
    let Some(entries) = section.entries() else {
        let message = format!("expected a map by name, found {}", section.described());
        return Err(vec![Error::new(message).at(section.span).into_diagnostic(at)]);
    };
    let mut read = IndexMap::with_capacity(entries.len());
    let mut errors = Vec::new();
    for (key, tree) in entries {
        let mut path = at.clone();
        path.push_key(&key.name);
        match from_tree_at(tree, &path) {
            Ok(value) => drop(read.insert(key.name.clone(), value)),
            Err(e) => errors.push(e),
        }
    }
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}
