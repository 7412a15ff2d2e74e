//! From text to a world that could run: tree, typed values, plan, world. Every stage says all that
//! is wrong before the next one is tried.

use std::sync::Arc;

use beaufort_sim::faults;
use beaufort_sim::kernel::World;
use beaufort_sim::plan::{Plan, PlanError};
use beaufort_sim::random::name_hash;
use beaufort_sim::services::NodeKind;
use beaufort_sim::services::load::anchor;

use super::comparisons;
use super::de::from_tree;
use super::diagnostics::{Diagnostic, Severity, Span, did_you_mean, listed, sort};
use super::load::Loaded;
use super::locate;
use super::model::{Scenario, VariantHeader, read_header};
use super::print::print;
use super::tree::Tree;
use crate::judges::Rules;
use crate::judges::expect::{Expect, Expected};

/// A scenario, or one of its variants, that can run.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// Its typed values.
    pub scenario: Scenario,
    /// As it was written, with all patches applied.
    pub tree: Tree,
    /// The plan of its world.
    pub plan: Arc<Plan>,
    /// What is judged.
    pub rules: Arc<Rules>,
    /// The variant that it is; none for the base.
    pub variant: Option<Chosen>,
}

impl Resolved {
    /// The name of the variant; `base` for the scenario as written.
    #[must_use]
    pub fn variant_name(&self) -> &str {
        self.variant.as_ref().map_or(BASE, |chosen| chosen.name.as_str())
    }

    /// What it must come out as; the base must pass. Nothing if a variant makes no claim.
    #[must_use]
    pub fn expected(&self) -> Option<Expect> {
        match &self.variant {
            None => Some(Expect::default()),
            Some(chosen) => chosen.header.expected(),
        }
    }

    /// A hash of what it says, defaults included: results with different hashes are not comparable.
    #[must_use]
    pub fn hash(&self) -> String {
        let mut bare = self.scenario.clone();
        bare.variants.clear();
        let text = bare.to_tree().map(|tree| print(&tree)).unwrap_or_default();
        format!("{:016x}", name_hash(&text))
    }
}

impl Resolved {
    /// What is no error, and yet hardly what was meant.
    #[must_use]
    pub fn warnings(&self) -> Vec<Diagnostic> {
        let unread = unread_subscriptions(self);
        nothing_judged(self).into_iter().chain(pointless_faults(self)).chain(unread).collect()
    }
}

/// The name of the scenario as written, among its variants.
pub const BASE: &str = "base";

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
        let Some(name) = variant.filter(|name| *name != BASE) else {
            return self.resolve_tree(self.base()?, None);
        };
        let found = self.variant(name)?;
        let header = read_header(name, &found.header).map_err(|e| vec![e])?;
        self.resolve_tree(found.scenario, Some(Chosen { name: name.to_owned(), header }))
    }

    fn resolve_tree(&self, tree: Tree, variant: Option<Chosen>) -> Result<Resolved, Refused> {
        let scenario = Scenario::read(&tree)?;
        let mut blueprint = scenario.blueprint();
        if let Some(folder) = &self.folder {
            anchor(&mut blueprint, folder);
        }
        let names = declared(&tree);
        let plan = match Plan::new(blueprint) {
            Ok(plan) => Arc::new(plan),
            Err(errors) => return Err(refused(&tree, &errors, &names)),
        };
        // The seed has no influence on whether a world can be built.
        let world = World::with_guests(Arc::clone(&plan), 1).map(drop);
        let rules = Rules::resolve(&plan, &scenario.always, &scenario.objectives);
        let (rules, mut errors) = match rules {
            Ok(rules) => (rules, Vec::new()),
            Err(errors) => (Rules::default(), errors),
        };
        errors.extend(world.err().unwrap_or_default());
        errors.extend(scenario.sla.iter().filter_map(|(node, share)| promise(&plan, node, share.0)));
        if errors.is_empty() {
            return Ok(Resolved { scenario, tree, plan, rules: Arc::new(rules), variant });
        }
        let names: Vec<String> = names.into_iter().chain(resolvable(&plan)).collect();
        Err(refused(&tree, &errors, &names))
    }
}

fn refused(tree: &Tree, errors: &[PlanError], names: &[String]) -> Refused {
    Refused {
        diagnostics: errors.iter().map(|error| locate::diagnostic(tree, error, names)).collect(),
        words: errors.iter().map(|error| error.word).collect(),
    }
}

/// What is wrong with what is promised for a node.
fn promise(plan: &Plan, node: &str, share: f64) -> Option<PlanError> {
    if plan.nodes_of(node).is_empty() {
        let error = PlanError::at(&["sla"], format!("there is no node `{node}`"));
        let known = plan.blueprint.nodes.keys().map(|name| plan.copies.written(name));
        return Some(match did_you_mean(node, known) {
            Some(help) => error.help(help),
            None => error,
        });
    }
    let never = || PlanError::at(&["sla", node], "nothing is promised that is never available");
    (share <= 0.0).then(|| never().help("write for example `99.95%`"))
}

/// The names in the sections that others refer to.
fn declared(tree: &Tree) -> Vec<String> {
    let sections = ["nodes", "flows", "policies", "sites", "links", "faults"];
    let entries = sections.iter().filter_map(|section| tree.get(section)?.entries()).flatten();
    entries.map(|(key, _)| key.name.clone()).collect()
}

/// The names that the plan resolves: nodes, their parts, places.
fn resolvable(plan: &Plan) -> impl Iterator<Item = String> {
    let places = plan.places.iter().map(|place| place.name.clone());
    plan.endpoints().map(|(name, _)| name.to_owned()).chain(places)
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
    if let Some(base) = &checked.base {
        checked.diagnostics.extend(base.warnings());
        checked.diagnostics.extend(comparisons::check(loaded, base));
    }
    let names: Vec<String> = loaded.variants().into_iter().map(str::to_owned).collect();
    checked.variants = names.len();
    for name in &names {
        check_variant(loaded, name, &mut checked);
    }
    sort(&mut checked.diagnostics);
    checked
}

fn check_variant(loaded: &Loaded, name: &str, checked: &mut Checked) {
    let expected = loaded.expected(name).map(|expect| expect.verdict);
    match (loaded.resolve(Some(name)), expected) {
        (Ok(resolved), expected) => {
            if let Some(Expected::Refused(word)) = &expected {
                let message = format!("it should be refused ({word}), but nothing is wrong with it");
                add(checked, name, Diagnostic::error(message, place(loaded, name, Some(word))));
            }
            for diagnostic in expect_lines(loaded, name, &resolved) {
                add(checked, name, diagnostic);
            }
        }
        (Err(refused), Some(Expected::Refused(word))) => {
            if refused.words.contains(&word.as_str()) {
                checked.refused.push(name.to_owned());
                return;
            }
            for diagnostic in refused.diagnostics {
                add(checked, name, other_reason(diagnostic, &word, &refused.words));
            }
        }
        (Err(refused), _) => {
            for diagnostic in refused.diagnostics {
                add(checked, name, diagnostic);
            }
        }
    }
}

impl Loaded {
    /// What a variant says that it must come out as, whether or not the rest of it can be read.
    #[must_use]
    pub fn expected(&self, name: &str) -> Option<Expect> {
        from_tree(self.tree.get("variants")?.get(name)?.get("expect")?).ok()
    }
}

/// Where the variant says what it must come out as.
fn place(loaded: &Loaded, name: &str, quoted: Option<&str>) -> Span {
    locate::locate(&loaded.tree, &["variants", name, "expect"], quoted)
}

fn other_reason(diagnostic: Diagnostic, word: &str, words: &[&str]) -> Diagnostic {
    let words: Vec<&str> = words.iter().copied().filter(|word| !word.is_empty()).collect();
    let found = match words.is_empty() {
        true => "an error without a word".to_owned(),
        false => format!("the word of this is {}", listed(&words)),
    };
    let help = format!("it should be refused because of `{word}`; {found}");
    match &diagnostic.help {
        Some(before) => diagnostic.clone().help(format!("{before}; {help}")),
        None => diagnostic.help(help),
    }
}

/// Lines that a variant expects to fail and that do not exist.
pub fn expect_lines(loaded: &Loaded, name: &str, resolved: &Resolved) -> Vec<Diagnostic> {
    let Some(header) = resolved.variant.as_ref().map(|chosen| &chosen.header) else { return Vec::new() };
    let scenario = &resolved.scenario;
    let known: Vec<&str> =
        scenario.always.keys().chain(scenario.objectives.keys()).map(String::as_str).collect();
    let mut errors = Vec::new();
    for line in header.lines().into_iter().filter(|line| !known.contains(line)) {
        let message = format!("there is no line `{line}` in `always` or `objectives`");
        let help = did_you_mean(line, known.iter().copied())
            .unwrap_or_else(|| format!("there are {}", listed(&known).replace(" or ", " and ")));
        errors.push(Diagnostic::error(message, place(loaded, name, Some(line))).help(help));
    }
    errors
}

fn nothing_judged(base: &Resolved) -> Option<Diagnostic> {
    let empty = base.scenario.always.is_empty() && base.scenario.objectives.is_empty();
    let warning =
        Diagnostic::warning("nothing is judged: there is no `always` and no `objectives`", Span::NONE);
    empty.then(|| warning.help("`beaufort list contracts` and `beaufort list objectives` show what there is"))
}

/// Subscriptions that fill up: a copy of every message comes to them, and nobody takes it out or looks at it.
fn unread_subscriptions(base: &Resolved) -> Vec<Diagnostic> {
    let judged = |name: &str| base.rules.flows.iter().any(|flow| flow.names.iter().any(|n| n == name));
    let unread = |(name, kind): (&String, &NodeKind)| {
        let NodeKind::ServiceBusSubscription(subscription) = kind else { return None };
        let used = subscription.forward_to.is_some() || !base.plan.consumers_of(name).is_empty();
        (!used && !judged(name)).then(|| {
            let span = locate::locate(&base.tree, &["nodes", name], None);
            let message = format!("nodes.{name}: nobody reads this subscription; its messages pile up");
            let help = format!("an app reads it with `trigger: {name}`; leave it out if nobody is to");
            Diagnostic::warning(message, span).help(help)
        })
    };
    base.scenario.nodes.iter().filter_map(unread).collect()
}

/// Faults that can be armed and never felt.
fn pointless_faults(base: &Resolved) -> Vec<Diagnostic> {
    let warnings = faults::warnings(&base.plan);
    let warn =
        |warning| Diagnostic { severity: Severity::Warning, ..locate::diagnostic(&base.tree, warning, &[]) };
    warnings.iter().map(warn).collect()
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
