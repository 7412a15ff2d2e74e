//! `beaufort list`: what there is, from the registries themselves.

use beaufort_sim::faults::FaultKind;
use beaufort_sim::services::NodeKind;
use clap::{Args, ValueEnum};
use schemars::JsonSchema;
use serde_json::Value;

use super::terminal::{bold, wrapped};
use super::{Exit, Terminal};
use crate::judges::config::{Contract, Objective};
use crate::scenario::diagnostics::Sources;
use crate::scenario::load::shipped;
use crate::scenario::tree::{Tree, parse};

const EXAMPLES: &str = "\
Examples:
  beaufort list
  beaufort list faults";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct List {
    /// Only this
    #[arg(value_enum, value_name = "WHAT")]
    what: Option<What>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The scenarios that are shipped
    Scenarios,
    /// The kinds of node: `kind: …`
    Services,
    /// What can go wrong
    Faults,
    /// What can be promised: lines of `always`
    Contracts,
    /// What can be measured: lines of `objectives`
    Objectives,
}

impl What {
    fn title(self) -> &'static str {
        match self {
            What::Scenarios => "Scenarios",
            What::Services => "Services (nodes: NAME: { kind: … })",
            What::Faults => "Faults (faults: NAME: { FAULT: target, … })",
            What::Contracts => "Contracts (always: NAME: { CONTRACT: flow, … })",
            What::Objectives => "Objectives (objectives: NAME: { MEASURE: subject, … })",
        }
    }

    fn lines(self) -> Vec<(String, String)> {
        let owned = |list: Vec<(&'static str, &'static str)>| {
            list.into_iter().map(|(name, about)| (name.to_owned(), about.to_owned())).collect()
        };
        match self {
            What::Scenarios => shipped().into_iter().map(|s| (s.name.to_owned(), why(s.text))).collect(),
            What::Services => owned(NodeKind::catalogue()),
            What::Faults => faults(),
            What::Contracts => catalogue::<Contract>(),
            What::Objectives => catalogue::<Objective>(),
        }
    }
}

/// The faults, by layer.
fn faults() -> Vec<(String, String)> {
    let line = |(id, layer, about): (&str, &str, &str)| {
        (id.to_owned(), format!("{layer}: {}", about.trim_end_matches('.')))
    };
    FaultKind::catalogue().into_iter().map(line).collect()
}

/// The variants of an enum, each with its description: the schema knows both.
fn catalogue<T: JsonSchema>() -> Vec<(String, String)> {
    let schema = schemars::schema_for!(T).to_value();
    let variants = schema.get("oneOf").and_then(Value::as_array);
    let line = |variant: &Value| {
        let (name, _) = variant.get("properties")?.as_object()?.iter().next()?;
        let about = variant.get("description").and_then(Value::as_str).unwrap_or_default();
        Some((name.clone(), about.trim_end_matches('.').to_owned()))
    };
    variants.into_iter().flatten().filter_map(line).collect()
}

/// What a scenario says about itself.
fn why(text: &str) -> String {
    let mut sources = Sources::new();
    let id = sources.add("", text);
    let tree = parse(&sources, id).ok();
    let why = tree.as_ref().and_then(|tree| tree.get("why")).and_then(Tree::as_text);
    why.unwrap_or_default().to_owned()
}

impl List {
    pub(super) fn run(&self, terminal: &mut Terminal<'_>) -> Exit {
        let all = What::value_variants().iter().copied();
        let wanted: Vec<What> = all.filter(|what| self.what.is_none_or(|only| only == *what)).collect();
        let colour = terminal.colour_out;
        let sections: Vec<String> = wanted.iter().map(|what| section(*what, colour)).collect();
        terminal.result(&sections.join("\n"));
        Exit::Pass
    }
}

fn section(what: What, colour: bool) -> String {
    let lines = what.lines();
    let widest = lines.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let indent = 2 + widest + 2;
    let mut text = bold(what.title(), colour) + "\n";
    for (name, about) in &lines {
        let line = format!("  {name:widest$}  {}", wrapped(about, indent, indent));
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
