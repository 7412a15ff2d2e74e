//! The scenario language: from text to typed values and back, losing no position on the way.
//!
//! ```text
//! text ──parse──> Tree ──variants──> Tree ──de──> typed values ──ser──> Tree ──print──> text
//! ```
//!
//! The typed values are plain serde types that know nothing of YAML. Everything that makes the
//! language flat (`verb: object`, then adverbs) happens in [`de`] and [`ser`], so that every
//! error can point at the exact key or value that is wrong.

pub mod comparisons;
pub mod de;
pub mod diagnostics;
pub mod load;
pub mod locate;
pub mod model;
#[cfg(test)]
mod model_tests;
pub mod names;
mod parse;
mod patch;
pub mod path;
pub mod portrait;
pub mod print;
pub mod resolve;
#[cfg(test)]
mod sample;
pub mod schema;
pub mod ser;
mod steps;
pub mod tree;
pub mod variants;
pub mod written_out;

/// The fields that a flat line has under another name: the object of `verb: object` is read into
/// (and written from) the field of this name.
pub const TARGET: &str = "target";

/// The key that names the variant of a kind-tagged enum (`{ kind: sql-database, … }`).
pub const KIND: &str = "kind";

/// The serde names of the enums that are written with `kind: variant` instead of `variant: …`.
///
/// A map with `kind` says so itself when it is read; for these enums one without is an error.
pub const KIND_TAGGED: &[&str] = &["NodeKind"];

#[cfg(test)]
mod tests {
    use super::diagnostics::{Diagnostic, Look, Sources, render};
    use super::{print, tree, variants};

    fn must<T>(result: Result<T, Vec<Diagnostic>>, sources: &Sources) -> T {
        result.unwrap_or_else(|errors| panic!("{}", render(&errors, sources, Look::default())))
    }

    #[test]
    fn every_shipped_scenario_reads_prints_and_takes_its_variants() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
        let mut variants_seen = 0;
        for file in std::fs::read_dir(folder).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|e| e != "yaml") {
                continue;
            }
            let mut sources = Sources::new();
            let id = tree::read(&mut sources, &path).unwrap();
            let scenario = must(tree::parse(&sources, id), &sources);
            let again = sources.add("printed", print::print(&scenario));
            assert_eq!(must(tree::parse(&sources, again), &sources), scenario);
            for name in variants::names(&scenario) {
                let variant = must(variants::variant(&scenario, name), &sources);
                assert!(variant.header.get("expect").is_some(), "{name}");
                variants_seen += 1;
            }
        }
        assert!(variants_seen > 10, "{variants_seen}");
    }
}
