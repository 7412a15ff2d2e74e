//! Where scenarios come from: a file, or one of those that are shipped inside the binary; and what
//! the command line changes in them.

use std::path::{Path as FilePath, PathBuf};

use include_dir::{Dir, include_dir};

use super::diagnostics::{Diagnostic, SourceId, Sources, Span, did_you_mean, listed, short};
use super::tree::{self, Key, Tree};
use super::variants;

static SCENARIOS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../scenarios");

/// A scenario that is shipped.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// The name by which it is asked for.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// The shipped scenarios, by name.
#[must_use]
pub fn shipped() -> Vec<Shipped> {
    let mut all: Vec<Shipped> = SCENARIOS
        .files()
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "yaml"))
        .filter_map(|file| {
            Some(Shipped { name: file.path().file_stem()?.to_str()?, text: file.contents_utf8()? })
        })
        .collect();
    all.sort_by_key(|shipped| shipped.name);
    all
}

/// The shipped scenario of this name.
///
/// # Errors
/// There is none: a message with the nearest name.
pub fn shipped_named(name: &str) -> Result<Shipped, Diagnostic> {
    let all = shipped();
    if let Some(found) = all.iter().find(|shipped| shipped.name == name) {
        return Ok(*found);
    }
    let names: Vec<&str> = all.iter().map(|shipped| shipped.name).collect();
    let stem = FilePath::new(name).file_stem().and_then(|stem| stem.to_str()).unwrap_or(name);
    let help = match did_you_mean(stem, names.iter().copied()) {
        _ if names.contains(&stem) => format!("did you mean the shipped scenario `{stem}`?"),
        Some(guess) => guess,
        None => format!("shipped are {}", listed(&names).replace(" or ", " and ")),
    };
    let message = format!("there is no file and no shipped scenario `{}`", short(name));
    Err(Diagnostic::error(message, Span::NONE).help(help))
}

/// A scenario file that has been read as YAML, and the changes asked for on the command line.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The texts that messages point into.
    pub sources: Sources,
    /// The scenario's own text.
    pub source: SourceId,
    /// What it says, without the changes.
    pub tree: Tree,
    /// The folder that file names in it are relative to; none for a shipped scenario.
    pub folder: Option<PathBuf>,
    /// How it was asked for.
    pub asked: String,
    sets: Vec<(Key, Tree)>,
}

/// Input that cannot be used: what is wrong with it, and the texts it points into.
#[derive(Clone, Debug)]
pub struct BadInput {
    /// The texts.
    pub sources: Sources,
    /// What is wrong.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the scenario of this path or shipped name (a path wins if it exists); `sets` are
/// `PATH=VALUE` changes, applied after the patches of a variant.
///
/// # Errors
/// It cannot be found or read, or is not YAML; or a change is malformed.
pub fn load(asked: &str, sets: &[String]) -> Result<Loaded, BadInput> {
    let mut sources = Sources::new();
    match read(&mut sources, asked, sets) {
        Ok((source, folder, tree, sets)) => {
            Ok(Loaded { sources, source, tree, folder, asked: asked.to_owned(), sets })
        }
        Err(diagnostics) => Err(BadInput { sources, diagnostics }),
    }
}

type Read = (SourceId, Option<PathBuf>, Tree, Vec<(Key, Tree)>);

fn read(sources: &mut Sources, asked: &str, sets: &[String]) -> Result<Read, Vec<Diagnostic>> {
    let path = FilePath::new(asked);
    let (source, folder) = if path.exists() {
        let folder = path.parent().unwrap_or(FilePath::new("")).to_path_buf();
        (tree::read(sources, path).map_err(|e| vec![e])?, Some(folder))
    } else {
        let shipped = shipped_named(asked).map_err(|e| vec![e])?;
        (sources.add(format!("shipped/{}.yaml", shipped.name), shipped.text), None)
    };
    let tree = tree::parse(sources, source)?;
    let mut patches = Vec::new();
    let mut errors = Vec::new();
    for set in sets {
        match variants::parse_set(sources, set) {
            Ok(patch) => patches.push(patch),
            Err(wrong) => errors.extend(wrong),
        }
    }
    if errors.is_empty() { Ok((source, folder, tree, patches)) } else { Err(errors) }
}

impl Loaded {
    /// The names of the variants, in the order of the file.
    #[must_use]
    pub fn variants(&self) -> Vec<&str> {
        variants::names(&self.tree)
    }

    /// The scenario with the changes of the command line; the variants are as they were.
    ///
    /// # Errors
    /// For each change that cannot be applied, why.
    pub fn base(&self) -> Result<Tree, Vec<Diagnostic>> {
        variants::apply(&self.tree, &self.sets)
    }

    /// The scenario of a variant, with the changes of the command line, without the other variants.
    ///
    /// # Errors
    /// There is no such variant, or a patch cannot be applied.
    pub fn variant(&self, name: &str) -> Result<variants::Variant, Vec<Diagnostic>> {
        let mut variant = variants::variant(&self.tree, name)?;
        variant.scenario = variants::apply(&variant.scenario, &self.sets)?;
        Ok(variant)
    }

    /// These messages with the texts they point into.
    #[must_use]
    pub fn refuse(&self, diagnostics: Vec<Diagnostic>) -> BadInput {
        BadInput { sources: self.sources.clone(), diagnostics }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_scenarios_are_found_by_name() {
        let names: Vec<&str> = shipped().iter().map(|s| s.name).collect();
        assert!(names.contains(&"order-flow") && names.contains(&"transactional-outbox"), "{names:?}");
        let loaded = load("order-flow", &[]).unwrap();
        assert_eq!(loaded.tree.get("scenario").and_then(Tree::as_text), Some("order-flow"));
        assert!(loaded.folder.is_none());
    }

    #[test]
    fn an_unknown_name_gets_a_suggestion() {
        let told = |asked: &str| {
            let bad = load(asked, &[]).unwrap_err();
            bad.diagnostics[0].help.clone().unwrap_or_default()
        };
        assert_eq!(told("order-flo"), "did you mean `order-flow`?");
        assert_eq!(told("some/where/order-flow.yaml"), "did you mean the shipped scenario `order-flow`?");
        assert!(told("zzz").starts_with("shipped are "));
    }

    #[test]
    fn changes_come_after_the_patches_of_a_variant() {
        let sets = ["nodes.payment-commands.lock=7s".to_owned()];
        let loaded = load("order-flow", &sets).unwrap();
        let variant = loaded.variant("short-lock").unwrap().scenario;
        let lock = variant.get("nodes").and_then(|n| n.get("payment-commands")).and_then(|q| q.get("lock"));
        assert_eq!(lock.and_then(Tree::as_text), Some("7s"));
        let bad = load("order-flow", &["nodes".to_owned()]).unwrap_err();
        assert_eq!(bad.diagnostics.len(), 1);
    }
}
