//! The scenario as typed values: every section a map by name. Variants stay untyped patches until
//! one of them is chosen (see [`super::variants`]).

use beaufort_sim::blueprint::{Blueprint, Flow, Site, Timetable};
use beaufort_sim::client::Policy;
use beaufort_sim::faults::FaultKind;
use beaufort_sim::network::Link;
use beaufort_sim::services::NodeKind;
use beaufort_sim::units::{OneOrMany, Ratio};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::de::{entries_at, from_tree_at};
use super::diagnostics::{Diagnostic, Span, did_you_mean, listed};
use super::names;
use super::patch::HEADER;
use super::path::Path;
use super::ser::{self, to_tree};
use super::tree::{Key, Kind, Tree};
use crate::judges::comparison::Comparison;
use crate::judges::config::{Contract, Objective};
use crate::judges::expect::{Expect, Expected};

/// A wind tunnel's experiment: a design, the load on it, what goes wrong and what must stay true.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Scenario {
    /// Its name, in kebab case.
    pub scenario: String,
    /// What it shows, in a sentence.
    #[schemars(default)]
    pub why: String,
    /// Where it comes from: a section of a document, an incident.
    #[schemars(default)]
    pub source: String,
    /// Words to find it by.
    #[schemars(default)]
    pub tags: Vec<String>,
    /// How long it runs.
    #[schemars(default)]
    pub time: Timetable,
    /// Where things are, by name; `internet` exists.
    #[schemars(default)]
    pub sites: IndexMap<String, Site>,
    /// What connects the sites, by name; between any two there is a network, also without a link.
    #[schemars(default)]
    pub links: IndexMap<String, Link>,
    /// What travels, by name.
    #[schemars(default)]
    pub flows: IndexMap<String, Flow>,
    /// Client policies by name; `none` and `sdk` exist.
    #[schemars(default)]
    pub policies: IndexMap<String, Policy>,
    /// The topology: services and apps by name.
    pub nodes: IndexMap<String, NodeKind>,
    /// What the providers of nodes promise: the share of the time in which each is available, by node. For the
    /// composition in the report; nothing in the world goes by it. Default: what is published for its kind.
    #[schemars(default)]
    pub sla: IndexMap<String, Ratio>,
    /// What goes wrong, by name.
    #[schemars(default)]
    pub faults: IndexMap<String, FaultKind>,
    /// What must stay true, by name; violated in one run means that the design fails.
    #[schemars(default)]
    pub always: IndexMap<String, Contract>,
    /// How well it must go, by name; missed means that the design fails, or, with `ideally`, is degraded.
    #[schemars(default)]
    pub objectives: IndexMap<String, Objective>,
    /// Which of two designs is better, and by how much, by name; part of neither verdict.
    #[schemars(default)]
    pub compare: IndexMap<String, Comparison>,
    /// Designs derived from this one, by name.
    #[schemars(default)]
    pub variants: IndexMap<String, Variant>,
}

/// What a variant says about itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct VariantHeader {
    /// Why the design differs, and what comes of it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Another variant that this one starts from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<String>,
    /// What it must come out as. Default: nothing is claimed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expect>,
    /// Further lines that may be violated on some seeds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub may_fail: Option<OneOrMany>,
}

impl VariantHeader {
    /// The lines of `always` and `objectives` that it names.
    #[must_use]
    pub fn lines(&self) -> Vec<&str> {
        let mut lines: Vec<&str> = Vec::new();
        if let Some(expect) = &self.expect {
            match &expect.verdict {
                Expected::Fail { lines: named, .. } | Expected::Degraded(named) => {
                    lines.extend(named.iter().map(String::as_str));
                }
                Expected::Pass | Expected::Refused(_) => {}
            }
            lines.extend(expect.may_fail.iter().map(String::as_str));
        }
        lines.extend(self.may_fail.iter().flat_map(OneOrMany::names).map(String::as_str));
        lines
    }

    /// What it must come out as, with all the lines that may fail besides.
    #[must_use]
    pub fn expected(&self) -> Option<Expect> {
        let mut expect = self.expect.clone()?;
        expect.may_fail.extend(self.may_fail.iter().flat_map(OneOrMany::names).cloned());
        Some(expect)
    }
}

/// A design derived from the base: what it says about itself, and its patches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variant {
    /// What it says about itself.
    pub header: VariantHeader,
    /// Path and value, in the order of the file.
    pub patches: Vec<(Key, Tree)>,
}

impl JsonSchema for Variant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Variant".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let header = VariantHeader::json_schema(generator);
        let properties = header.get("properties").cloned().unwrap_or_default();
        json_schema!({
            "type": "object",
            "description": "A design derived from the base: patches `section.entry.field: value`; `null` removes.",
            "properties": properties,
            "patternProperties": { "^[a-z-]+\\..+$": {} },
            "additionalProperties": false
        })
    }
}

/// The sections of a scenario, in the order in which they are written.
pub const SECTIONS: &[&str] = &[
    "scenario",
    "why",
    "source",
    "tags",
    "time",
    "sites",
    "links",
    "flows",
    "policies",
    "nodes",
    "sla",
    "faults",
    "always",
    "objectives",
    "compare",
    "variants",
];

impl Scenario {
    /// Reads a scenario from its tree.
    ///
    /// # Errors
    /// For each entry of each section the first thing in it that does not fit.
    pub fn read(tree: &Tree) -> Result<Scenario, Vec<Diagnostic>> {
        let mut reader = Reader { tree, errors: Vec::new() };
        reader.unknown_sections();
        let scenario = Scenario {
            scenario: reader.required("scenario"),
            why: reader.value("why"),
            source: reader.value("source"),
            tags: reader.value("tags"),
            time: reader.value("time"),
            sites: reader.section("sites"),
            links: reader.section("links"),
            flows: reader.section("flows"),
            policies: reader.section("policies"),
            nodes: reader.section("nodes"),
            sla: reader.section("sla"),
            faults: reader.section("faults"),
            always: reader.section("always"),
            objectives: reader.section("objectives"),
            compare: reader.section("compare"),
            variants: reader.variants(),
        };
        if tree.get("nodes").is_none() {
            reader.missing("nodes", "it holds what the scenario is about: `nodes: { NAME: { kind: … } }`");
        }
        reader.errors.extend(names::check(tree));
        if reader.errors.is_empty() { Ok(scenario) } else { Err(reader.errors) }
    }

    /// What the world is built from.
    #[must_use]
    pub fn blueprint(&self) -> Blueprint {
        Blueprint {
            time: self.time,
            sites: self.sites.clone(),
            links: self.links.clone(),
            flows: self.flows.clone(),
            policies: self.policies.clone(),
            nodes: self.nodes.clone(),
            faults: self.faults.clone(),
        }
    }

    /// The scenario as a tree, with every default written out. It reads back as the same scenario.
    ///
    /// # Errors
    /// A value has something that the language has no way to say; a defect of its type.
    pub fn to_tree(&self) -> Result<Tree, ser::Error> {
        let mut writer = Writer(Vec::new());
        writer.put("scenario", &self.scenario)?;
        writer.put_unless(self.why.is_empty(), "why", &self.why)?;
        writer.put_unless(self.source.is_empty(), "source", &self.source)?;
        writer.put_unless(self.tags.is_empty(), "tags", &self.tags)?;
        writer.put("time", &self.time)?;
        writer.section("sites", &self.sites)?;
        writer.section("links", &self.links)?;
        writer.section("flows", &self.flows)?;
        writer.section("policies", &self.policies)?;
        writer.put("nodes", &self.nodes)?;
        writer.section("sla", &self.sla)?;
        writer.section("faults", &self.faults)?;
        writer.section("always", &self.always)?;
        writer.section("objectives", &self.objectives)?;
        writer.section("compare", &self.compare)?;
        writer.variants(&self.variants)?;
        Ok(Kind::Map(writer.0).into())
    }
}

/// Takes the sections out of a tree and collects what is wrong.
struct Reader<'t> {
    tree: &'t Tree,
    errors: Vec<Diagnostic>,
}

impl<'t> Reader<'t> {
    fn unknown_sections(&mut self) {
        for (key, _) in self.tree.entries().unwrap_or_default() {
            if !SECTIONS.contains(&key.name.as_str()) {
                let help = did_you_mean(&key.name, SECTIONS.iter().copied())
                    .unwrap_or_else(|| format!("there are {}", listed(SECTIONS).replace(" or ", " and ")));
                let error = Diagnostic::error(format!("there is no section `{}`", key.name), key.span);
                self.errors.push(error.help(help));
            }
        }
    }

    fn missing(&mut self, name: &str, help: &str) {
        let message = format!("the section `{name}` is missing");
        self.errors.push(Diagnostic::error(message, self.tree.head()).help(help));
    }

    fn required(&mut self, name: &str) -> String {
        if self.tree.get(name).is_none() {
            self.missing(name, "a scenario begins with its name: `scenario: order-flow`");
        }
        self.value(name)
    }

    fn value<T: Deserialize<'t> + Default>(&mut self, name: &str) -> T {
        let Some(value) = self.tree.get(name) else { return T::default() };
        match from_tree_at(value, &Path::of_keys([name])) {
            Ok(value) => value,
            Err(error) => {
                self.errors.push(error);
                T::default()
            }
        }
    }

    /// A map by name. A section without a value (`faults:`) is empty.
    fn section<T: Deserialize<'t>>(&mut self, name: &str) -> IndexMap<String, T> {
        let Some(section) = self.tree.get(name).filter(|section| !section.is_null()) else {
            return IndexMap::new();
        };
        match entries_at(section, &Path::of_keys([name])) {
            Ok(entries) => entries,
            Err(errors) => {
                self.errors.extend(errors);
                IndexMap::new()
            }
        }
    }

    fn variants(&mut self) -> IndexMap<String, Variant> {
        let mut variants = IndexMap::new();
        let section = self.tree.get("variants").filter(|section| !section.is_null());
        let Some(section) = section else { return variants };
        let Some(entries) = section.entries() else {
            let message = format!("variants: expected a map by name, found {}", section.described());
            self.errors.push(Diagnostic::error(message, section.head()));
            return variants;
        };
        for (key, body) in entries {
            match read_variant(key, body) {
                Ok(variant) => drop(variants.insert(key.name.clone(), variant)),
                Err(error) => self.errors.push(error),
            }
        }
        variants
    }
}

fn read_variant(key: &Key, body: &Tree) -> Result<Variant, Diagnostic> {
    let Some(entries) = body.entries() else {
        let message = format!("variants.{}: expected a map, found {}", key.name, body.described());
        let span = if body.span.is_some() { body.head() } else { key.span };
        return Err(Diagnostic::error(message, span).help("write `why`, `expect` and the patches into it"));
    };
    let (about, patches): (Vec<_>, Vec<_>) =
        entries.iter().cloned().partition(|(key, _)| HEADER.contains(&key.name.as_str()));
    let about = Tree { kind: Kind::Map(about), span: body.span };
    Ok(Variant { header: read_header(&key.name, &about)?, patches })
}

/// What a variant says about itself, from a map of the keys that are no paths.
///
/// # Errors
/// The first thing in it that does not fit.
pub fn read_header(variant: &str, about: &Tree) -> Result<VariantHeader, Diagnostic> {
    from_tree_at(about, &Path::of_keys(["variants", variant]))
}

/// Puts the sections together again.
struct Writer(Vec<(Key, Tree)>);

impl Writer {
    fn put<T: Serialize>(&mut self, name: &str, value: &T) -> Result<(), ser::Error> {
        self.0.push((Key::new(name), to_tree(value)?));
        Ok(())
    }

    fn put_unless<T: Serialize>(&mut self, leave_out: bool, name: &str, value: &T) -> Result<(), ser::Error> {
        if leave_out { Ok(()) } else { self.put(name, value) }
    }

    fn section<T: Serialize>(&mut self, name: &str, of: &IndexMap<String, T>) -> Result<(), ser::Error> {
        self.put_unless(of.is_empty(), name, of)
    }

    fn variants(&mut self, variants: &IndexMap<String, Variant>) -> Result<(), ser::Error> {
        let mut section = Vec::new();
        for (name, variant) in variants {
            let mut entries = match to_tree(&variant.header)?.kind {
                Kind::Map(entries) => entries,
                _ => Vec::new(),
            };
            entries.extend(variant.patches.iter().cloned());
            section.push((Key::new(name.clone()), Kind::Map(entries).into()));
        }
        if !section.is_empty() {
            self.0.push((Key::new("variants"), Tree { kind: Kind::Map(section), span: Span::NONE }));
        }
        Ok(())
    }
}
