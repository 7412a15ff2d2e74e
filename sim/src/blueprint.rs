//! The part of a scenario that the world is built from: time, sites, flows, policies, nodes, faults.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::client::Policy;
use crate::faults::FaultKind;
use crate::network::{Link, links};
use crate::plan::PlanError;
use crate::services::NodeKind;
use crate::time::Span;
use crate::units::Bytes;

/// A world to be.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Blueprint {
    /// How long it runs.
    pub time: Timetable,
    /// Where things are.
    pub sites: IndexMap<String, Site>,
    /// What connects the sites.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub links: IndexMap<String, Link>,
    /// What travels.
    pub flows: IndexMap<String, Flow>,
    /// Named client policies.
    #[serde(default)]
    pub policies: IndexMap<String, Policy>,
    /// The topology.
    pub nodes: IndexMap<String, NodeKind>,
    /// What goes wrong.
    #[serde(default)]
    pub faults: IndexMap<String, FaultKind>,
}

/// A share is worked out for every key of a flow.
const MOST_KEYS: u32 = 10_000_000;

impl Blueprint {
    /// What is outside its bounds in the sections that have no code of their own.
    pub(crate) fn odd_numbers(&self) -> Vec<PlanError> {
        let zoneless = self.sites.iter().filter(|(_, site)| site.zones == 0).map(|(name, _)| {
            PlanError::at(&["sites", name, "zones"], "without a zone nothing can run there")
                .help("a site without availability zones has one: `zones: 1`")
        });
        let keys = self.flows.iter().filter(|(_, flow)| !(1..=MOST_KEYS).contains(&flow.keys));
        let keys = keys.map(|(name, flow)| {
            let message = format!("{} is no number of keys: from 1 to {MOST_KEYS}", flow.keys);
            PlanError::at(&["flows", name, "keys"], message)
        });
        let skew = self.flows.iter().filter(|(_, flow)| !(0.0..=10.0).contains(&flow.skew));
        let skew = skew.map(|(name, flow)| {
            let message = format!("{} is no exponent of a Zipf law: from 0 (uniform) to 10", flow.skew);
            PlanError::at(&["flows", name, "skew"], message)
        });
        zoneless.chain(keys).chain(skew).chain(links::check(self)).collect()
    }
}

/// The length of a run. Instants in a scenario count from the end of the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Timetable {
    /// Load runs, nothing is judged. Default: none.
    pub warmup: Span,
    /// Load and faults run. Default: 10m.
    pub run: Span,
    /// The deadline for what is still under way when load and faults have ended. Default: 60m.
    pub drain: Span,
}

impl Default for Timetable {
    fn default() -> Self {
        Self { warmup: Span::ZERO, run: Span::mins(10), drain: Span::mins(60) }
    }
}

/// Somewhere things are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Site {
    /// What kind of site. Default: a region.
    pub kind: SiteKind,
    /// How many availability zones it has, at least 1. Default: 3 for a region.
    pub zones: u8,
    /// Its paired region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair: Option<String>,
}

impl Default for Site {
    fn default() -> Self {
        Self { kind: SiteKind::Region, zones: 3, pair: None }
    }
}

/// The kinds of site.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SiteKind {
    /// A cloud region.
    #[default]
    Region,
    /// A data centre of one's own.
    OnPremises,
    /// A place at the edge.
    Edge,
}

/// What travels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Flow {
    /// What the key is called (`customer`), for contracts and people. Default: `key`.
    pub key: String,
    /// How many different keys there are, from 1 to 10,000,000. Default: 1000.
    pub keys: u32,
    /// How unevenly they are used: the exponent of a Zipf law, from 0 to 10; 0 is uniform (the default).
    pub skew: f64,
    /// The size of one item on the wire and at rest. Default: 1KB.
    pub size: Bytes,
}

impl Default for Flow {
    fn default() -> Self {
        Self { key: "key".to_owned(), keys: 1000, skew: 0.0, size: Bytes(1024) }
    }
}
