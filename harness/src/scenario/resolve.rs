//! From text to a world that could run: tree, typed values, plan, world. Every stage says all that
//! is wrong before the next one is tried.

use std::sync::Arc;

use beaufort_sim::kernel::World;
use beaufort_sim::plan::{Plan, PlanError};

use super::diagnostics::Diagnostic;
use super::load::Loaded;
use super::locate;
use super::model::{Scenario, VariantHeader, read_header};
use super::tree::Tree;

/// A scenario, or one of its variants, that can run.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Its typed values.
    pub scenario: Scenario,
    /// As it was written, with all patches applied.
    pub tree: Tree,
    /// The plan of its world.
    pub plan: Arc<Plan>,
    /// The variant that it is; none for the base.
    pub variant: Option<Chosen>,
}

/// The variant that was chosen.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Its name.
    pub name: String,
    /// What it says about itself.
    pub header: VariantHeader,
}

/// Why something cannot run.
#[derive(Clone, Debug, Default)]
pub struct Refused {
    /// What is wrong, with its places.
    pub diagnostics: Vec<Diagnostic>,
    /// The words by which a variant can expect it (`expect: { refused: transaction }`).
    pub words: Vec<&'static str>,
}

impl From<Vec<Diagnostic>> for Refused {
    fn from(diagnostics: Vec<Diagnostic>) -> Refused {
        Refused { diagnostics, words: Vec::new() }
    }
}

impl Loaded {
    /// The base, or a variant, ready to run.
    ///
    /// # Errors
    /// All that is wrong with it, as far as it can be told at once.
    pub fn resolve(&self, variant: Option<&str>) -> Result<Resolved, Refused> {
        let Some(name) = variant else {
            return resolve(self.base()?, None);
        };
        let found = self.variant(name)?;
        let header = read_header(name, &found.header).map_err(|e| vec![e])?;
        resolve(found.scenario, Some(Chosen { name: name.to_owned(), header }))
    }
}

fn resolve(tree: Tree, variant: Option<Chosen>) -> Result<Resolved, Refused> {
    let scenario = Scenario::read(&tree)?;
    let names = declared(&tree);
    let plan = match Plan::new(scenario.blueprint()) {
        Ok(plan) => Arc::new(plan),
        Err(errors) => return Err(refused(&tree, &errors, &names)),
    };
    // The seed has no influence on whether a world can be built.
    if let Err(errors) = World::new(Arc::clone(&plan), 1) {
        let names: Vec<String> =
            names.into_iter().chain(plan.endpoints().map(|(name, _)| name.to_owned())).collect();
        return Err(refused(&tree, &errors, &names));
    }
    Ok(Resolved { scenario, tree, plan, variant })
}

fn refused(tree: &Tree, errors: &[PlanError], names: &[String]) -> Refused {
    Refused {
        diagnostics: errors.iter().map(|error| locate::diagnostic(tree, error, names)).collect(),
        words: errors.iter().map(|error| error.word).collect(),
    }
}

/// The names in the sections that others refer to.
fn declared(tree: &Tree) -> Vec<String> {
    let sections = ["nodes", "flows", "policies", "sites", "faults"];
    let entries = sections.iter().filter_map(|section| tree.get(section)?.entries()).flatten();
    entries.map(|(key, _)| key.name.clone()).collect()
}

/// What `check` found.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// What is wrong, each once.
    pub diagnostics: Vec<Diagnostic>,
    /// How many variants there are.
    pub variants: usize,
    /// Those that are refused, as they should be.
    pub refused: Vec<String>,
    /// The base, if it can run.
    pub base: Option<Resolved>,
}

/// Checks the base and all variants.
#[must_use]
pub fn check(loaded: &Loaded) -> Checked {
    let mut checked = Checked::default();
    match loaded.resolve(None) {
        Ok(base) => checked.base = Some(base),
        Err(refused) => checked.diagnostics = refused.diagnostics,
    }
    let names: Vec<String> = loaded.variants().into_iter().map(str::to_owned).collect();
    checked.variants = names.len();
    for name in &names {
        check_variant(loaded, name, &mut checked);
    }
    checked
}

fn check_variant(loaded: &Loaded, name: &str, checked: &mut Checked) {
    match loaded.resolve(Some(name)) {
        Ok(_) => {}
        Err(refused) => {
            for diagnostic in refused.diagnostics {
                add(checked, name, diagnostic);
            }
        }
    }
}

/// Adds what is wrong with a variant, unless it was wrong before it.
fn add(checked: &mut Checked, variant: &str, mut diagnostic: Diagnostic) {
    let known = |other: &Diagnostic| {
        other.span == diagnostic.span && other.message.ends_with(diagnostic.message.as_str())
    };
    if !checked.diagnostics.iter().any(known) {
        diagnostic.message = format!("variant `{variant}`: {}", diagnostic.message);
        checked.diagnostics.push(diagnostic);
    }
}
