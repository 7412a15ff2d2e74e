//! `key-vault`: secrets that hosts fetch when they start, and present when they call.
//!
//! A vault answers reads wherever it is; what is written (a rotation) goes to the partition of the secret,
//! which is in one zone of the region, and has to be accepted by everybody whose key it is before it becomes the
//! current version. A region that has a pair is copied there; while it is away the platform lets the vault's
//! name lead to the copy, which only answers reads (facts data 7).

mod door;
mod process;
#[cfg(test)]
mod tests;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{Address, ProcessId};
use crate::node::Process;
use crate::plan::{Endpoint, Location, Plan, PlanError, Protocol};
use crate::random::name_hash;
use crate::services::{NodeKind, Service};
use crate::time::Span;
use crate::units::{Distribution, OneOrMany, Rate};

use door::Door;
use process::{Partition, Setup, Vault};

/// Regions that have no copy in their pair (facts data 7).
const NOT_COPIED: [&str; 3] = ["brazilsouth", "brazilsoutheast", "westus3"];
/// How long a client may remember where the vault is \[K\].
const TTL: Span = Span::secs(60);

/// A vault of secrets: Key Vault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct KeyVault {
    /// The site; several: a vault of its own in each. Default: the only one. Its copy is in the `pair` of
    /// the site, where it has one.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// The names of its secrets: `[psp-key]` is `vault.psp-key`.
    pub holds: Vec<String>,
    /// So many transactions; further ones are answered 429, and do not count. Default: 4000/10s (facts data 7).
    pub transactions: Rate,
    /// How long the region is away before the name leads to the copy: "a few minutes" (facts data 7). Default:
    /// 2m..5m \[K\].
    pub failover: Distribution,
    /// How long the region is back before the name leads there again. Default: 1m..3m \[K\].
    pub failback: Distribution,
    /// How long a request takes. Default: 10ms p99 100ms \[K\].
    pub latency: Distribution,
}

impl Default for KeyVault {
    fn default() -> Self {
        Self {
            site: OneOrMany::default(),
            holds: Vec::new(),
            transactions: Rate { count: 4000.0, per: Span::secs(10) },
            failover: Distribution::Uniform(Span::mins(2), Span::mins(5)),
            failback: Distribution::Uniform(Span::mins(1), Span::mins(3)),
            latency: Distribution::Lognormal { median: Span::millis(10), p99: Span::millis(100) },
        }
    }
}

fn copy(name: &str) -> String {
    format!("{name}.copy")
}

impl KeyVault {
    /// The site of its copy, if it has one.
    fn pair(&self, site: u8, plan: &Plan) -> Option<u8> {
        let (name, site) = plan.blueprint.sites.get_index(usize::from(site))?;
        let pair = site.pair.as_deref().filter(|_| !NOT_COPIED.contains(&name.as_str()))?;
        plan.blueprint.sites.get_index_of(pair).map(|index| index as u8)
    }

    fn check(&self, name: &str) -> Result<(), PlanError> {
        let at = |field: &str, message: String| PlanError::at(&["nodes", name, field], message);
        if self.holds.is_empty() {
            let error = at("holds", "it keeps no secret".to_owned());
            return Err(error.help("name them: `holds: [psp-key]`").word("holds"));
        }
        let twice = self.holds.iter().enumerate().find(|(index, one)| self.holds[..*index].contains(one));
        if let Some((_, twice)) = twice {
            return Err(at("holds", format!("the secret `{twice}` is there twice")).word("holds"));
        }
        if self.transactions.interval().is_none() {
            let error = at("transactions", "a vault without transactions answers nobody".to_owned());
            return Err(error.help("use the fault `service.down`").word("value"));
        }
        Ok(())
    }

    /// Those whose key the secret is: they have to accept a new version.
    fn keyed(&self, name: &str, secret: &str, plan: &Plan) -> Vec<ProcessId> {
        let full = format!("{name}.{secret}");
        let nodes = plan.blueprint.nodes.iter();
        let keyed = nodes.filter(|(_, kind)| match kind {
            NodeKind::Endpoint(endpoint) => endpoint.api_key.as_deref() == Some(full.as_str()),
            _ => false,
        });
        keyed.filter_map(|(name, _)| Some(plan.endpoint(name)?.address.process)).collect()
    }
}

impl Service for KeyVault {
    fn about(&self) -> &'static str {
        "a vault of secrets: throttled reads, rotation, a read-only copy in the paired region"
    }

    fn sites(&self) -> Option<&OneOrMany> {
        Some(&self.site)
    }

    fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
        Some(&mut self.site)
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        self.check(name)?;
        let site = plan.site(name, &self.site)?;
        let zones =
            plan.blueprint.sites.get_index(usize::from(site)).map_or(1, |(_, site)| site.zones.max(1));
        // Synchronous over the zones: a lost zone is not felt by a read.
        let vault = plan.add_process(name, "", Location::Redundant { site, blip: Span::ZERO });
        for zone in 1..=zones {
            plan.add_process(name, &format!(".partition{zone}"), Location::Zone { site, zone });
        }
        let node = plan.node(name).unwrap_or_default();
        let mut process = vault;
        if let Some(pair) = self.pair(site, plan) {
            let copied =
                plan.add_process(name, ".copy", Location::Redundant { site: pair, blip: Span::ZERO });
            let at = |process| Address { process, part: 0 };
            let whole =
                |process| Endpoint { address: at(process), protocol: Protocol::None, node, place: None };
            plan.add_endpoint(&copy(name), whole(copied));
            process = plan.add_process(name, ".name", Location::Internet);
            plan.names.add(process);
        }
        let endpoint = |part| Endpoint {
            address: Address { process, part },
            protocol: Protocol::None,
            node,
            place: None,
        };
        for (part, secret) in self.holds.iter().enumerate() {
            plan.add_endpoint(&format!("{name}.{secret}"), endpoint(part as u16));
        }
        plan.add_endpoint(name, endpoint(u16::MAX));
        Ok(())
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        let node = plan.node(name).unwrap_or_default();
        let copied = plan.endpoint(&copy(name)).map(|endpoint| endpoint.address.process);
        let door = plan.resolve(name, "kind", name)?.address.process;
        let own: Vec<ProcessId> = plan.processes_of(node).map(|(id, _)| id).collect();
        let vault = own.first().copied().unwrap_or_default();
        let partitions: Vec<ProcessId> =
            own.into_iter().filter(|id| ![Some(vault), copied, Some(door)].contains(&Some(*id))).collect();
        let setup = |copy: Option<ProcessId>, read_only| Setup {
            secrets: self.holds.iter().map(|secret| name_hash(secret)).collect(),
            keyed: self.holds.iter().map(|secret| self.keyed(name, secret, plan)).collect(),
            partitions: partitions.clone(),
            copy,
            read_only,
            transactions: self.transactions,
            latency: self.latency.sampler(),
        };
        let mut built: Vec<(ProcessId, Box<dyn Process>)> = Vec::new();
        built.push((vault, Box::new(Vault::new(setup(copied, false)))));
        built.extend(partitions.iter().map(|id| (*id, Box::new(Partition) as Box<dyn Process>)));
        if let Some(copied) = copied {
            built.push((copied, Box::new(Vault::new(setup(None, true)))));
            let moves = (self.failover.sampler(), self.failback.sampler());
            built.push((door, Box::new(Door::new(vault, copied, TTL, moves))));
        }
        Ok(built)
    }
}
