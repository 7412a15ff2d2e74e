//! What was run, as far as a report shows it: the scenario's text, and its topology.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The design of a results document. None of it is measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Design {
    /// What the scenario is for, in its own words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// How long the warm-up is, in seconds; instants of a scenario count from its end.
    pub warmup: f64,
    /// How long load and faults run after it, in seconds.
    pub run: f64,
    /// The deadline for what is still under way then, in seconds.
    pub drain: f64,
    /// The sites, in file order.
    #[serde(default)]
    pub sites: Vec<String>,
    /// The nodes, in file order.
    #[serde(default)]
    pub nodes: Vec<DesignNode>,
    /// Who calls, feeds or triggers whom.
    #[serde(default)]
    pub edges: Vec<DesignEdge>,
    /// The scenario's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// A node of the topology.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DesignNode {
    /// Its name.
    pub name: String,
    /// Its kind, as the scenario writes it: `service-bus-queue`.
    pub kind: String,
    /// What the kind is, for its shape in a picture.
    pub role: Role,
    /// The node that it is a part of: a queue's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The sites at which it runs; none: on the internet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<String>,
    /// How many processes it has.
    #[serde(default)]
    pub processes: u32,
    /// What its provider promises, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sla: Option<Promise>,
}

/// What a provider promises: for which share of the time a node is available. The world does not go by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Promise {
    /// The share.
    pub share: f64,
    /// Who says so.
    pub source: PromiseSource,
}

/// Who says what is promised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PromiseSource {
    /// The scenario.
    Scenario,
    /// The provider, in a document that was read.
    #[default]
    Published,
    /// The figure that is generally quoted.
    Quoted,
}

/// What a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// It makes items.
    Load,
    /// It runs steps: an app, a function, a workflow, somebody else's service.
    #[default]
    App,
    /// It passes requests on: a gateway, a front door, a name.
    Gateway,
    /// Messages or events wait in it.
    Broker,
    /// Data rests in it.
    Store,
    /// It watches or acts: an alert, a person, an identity or key service.
    Control,
}

/// A connection of two nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DesignEdge {
    /// The node that begins it.
    pub from: String,
    /// The node that it leads to.
    pub to: String,
    /// How often it was used by items in the runs that were looked at closely; 0: never.
    #[serde(default)]
    pub used: u64,
}

/// The text of a scenario.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The file, relative to where it was run, with `/`; of a shipped scenario its path in the project.
    pub file: String,
    /// What is written in it.
    pub text: String,
    /// In which line things are said, from 1: `always.kept`, `objectives.available`, `compare.quicker`,
    /// `faults.zone-lost`, `nodes.bus`. What a variant or the command line adds stands in none.
    #[serde(default)]
    pub lines: BTreeMap<String, u32>,
}

impl Source {
    /// The line of a contract, an objective, a fault or a node: `line("always", "kept")`.
    #[must_use]
    pub fn line(&self, section: &str, name: &str) -> Option<u32> {
        self.lines.get(&format!("{section}.{name}")).copied()
    }
}
