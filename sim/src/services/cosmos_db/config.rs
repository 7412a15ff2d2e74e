//! A Cosmos DB account as a scenario writes it (facts 1).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::budget::{Budgets, RU};
use super::feed::{Consumer, Feed};
use super::geo::Group;
use super::{CosmosDbProcess, Setup};
use crate::ids::{Address, Once, ProcessId};
use crate::node::Process;
use crate::plan::{Endpoint, Location, PlaceRole, Plan, PlanError, Protocol};
use crate::services::Service;
use crate::services::store::{build_tables, declare_parts};
use crate::services::tables::Table;
use crate::time::Span;
use crate::units::{Distribution, OneOrMany, RequestUnits};

/// Cosmos DB, API for NoSQL. With `in: [a, b]` one account in several regions, which replicate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CosmosDb {
    /// The region, or the regions, in order of priority. Default: the only site.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// The kinds of document that its container holds (`orders.event`). Default: one, named by the node
    /// alone.
    pub holds: Vec<String>,
    /// Provisioned throughput, shared evenly by the physical partitions. Default: 400RU/s, the least
    /// that there is (facts 1.1).
    pub throughput: RequestUnits,
    /// By what the logical partition is chosen: `key`, `item`, or either with `+type` (each part is a
    /// type). Only documents of one logical partition can be written in one transaction. Default: key.
    #[serde(with = "crate::units::identity_text")]
    #[schemars(with = "Once")]
    pub partition_by: Once,
    /// How many physical partitions, which are also the ranges of the change feed. Default: as few as the
    /// throughput allows, at 10,000 RU/s each (facts 1.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub physical_partitions: Option<u32>,
    /// The consistency level. In one region it only decides what a read costs: strong and bounded
    /// staleness read from two replicas, at twice the price (facts 1.1). In several, strong writes wait for
    /// the other regions, and bounded staleness throttles writes when a region is too far behind (facts
    /// 1.4). Default: session.
    pub consistency: Consistency,
    /// The write region of an account in several regions. Default: the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// Whether one region takes writes, or all do (facts 1.5). Default: single.
    pub writes: Writes,
    /// The bound of bounded staleness in writes, at least 100000 in several regions (facts 1.1). Default: the
    /// least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staleness_writes: Option<u64>,
    /// The bound of bounded staleness in time, at least 300s in several regions (facts 1.1). Default: the
    /// least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub staleness: Option<Span>,
    /// Whether the service fails over by itself when the write region is lost (facts 1.2, 1.8). Default:
    /// false; writes are down until somebody does.
    pub service_managed_failover: bool,
    /// How long the service waits with that. Default: 60m..90m ("up to one hour or more", facts 1.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_managed_after: Option<Distribution>,
    /// How long a failover takes, from the request until the new region takes writes. Default: 1m..3m (not
    /// confirmed in the facts).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover_time: Option<Distribution>,
    /// How long it takes the service to bring a region back that was taken offline, from the moment at which
    /// it answers again. Default: 3d ("three or more business days", facts 1.8).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region_return: Option<Distribution>,
    /// Whether the replicas are spread over zones: then the loss of a zone is not noticed (facts 1.2: RTO
    /// 0, RPO 0). Default: false; the account is lost together with its zone.
    pub zone_redundant: bool,
    /// The time of a write, until the local quorum of 3 in 4 replicas has it. Default: 5ms p99 10ms
    /// (facts 1.1).
    pub write_latency: Distribution,
    /// The time of a read. Default: 4ms p99 10ms (facts 1.1).
    pub read_latency: Distribution,
    /// What a write costs for each KB, in request units. Default: 5 (not confirmed in the facts).
    pub write_charge: u32,
    /// What a read costs for each KB, in request units; an empty page of the feed costs the same once.
    /// Default: 1 (not confirmed in the facts).
    pub read_charge: u32,
    /// After which time the service gives up a request (408); a transaction is rolled back then, another
    /// write may still happen. Default: 5s (facts 1.1).
    pub request_timeout: Span,
    /// How long a lease of the change feed lasts that is not renewed. Default: 60s (facts 1.7).
    pub lease_expiration: Span,
}

/// The consistency levels of an account (facts 1.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the documented ones")]
pub enum Consistency {
    Strong,
    BoundedStaleness,
    #[default]
    Session,
    ConsistentPrefix,
    Eventual,
}

/// Which regions of an account take writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Writes {
    /// One of them.
    #[default]
    Single,
    /// All of them; of two that collide the later one wins.
    Multi,
}

impl Default for CosmosDb {
    fn default() -> Self {
        let lognormal =
            |median| Distribution::Lognormal { median: Span::millis(median), p99: Span::millis(10) };
        Self {
            site: OneOrMany::default(),
            holds: Vec::new(),
            throughput: RequestUnits(400),
            partition_by: Once::KEY,
            physical_partitions: None,
            consistency: Consistency::Session,
            primary: None,
            writes: Writes::Single,
            staleness_writes: None,
            staleness: None,
            service_managed_failover: false,
            service_managed_after: None,
            failover_time: None,
            region_return: None,
            zone_redundant: false,
            write_latency: lognormal(5),
            read_latency: lognormal(4),
            write_charge: 5,
            read_charge: 1,
            request_timeout: Span::secs(5),
            lease_expiration: Span::secs(60),
        }
    }
}

/// The most that one physical partition serves (facts 1.1).
const PARTITION_LIMIT: u32 = 10_000;
/// The least that can be provisioned (facts 1.1).
const LEAST: u32 = 400;
/// The most that a container can have without asking (facts 1.1).
const MOST: u32 = 1_000_000;
/// The part of its name that stands for the feed.
pub(super) const CHANGE_FEED: &str = "change-feed";

impl CosmosDb {
    /// How many physical partitions there are.
    #[must_use]
    pub fn ranges(&self) -> u32 {
        self.physical_partitions.unwrap_or(0).max(self.throughput.0.div_ceil(PARTITION_LIMIT)).max(1)
    }

    fn check(&self, name: &str) -> Result<(), PlanError> {
        let error = |field, message: String, help: &str| {
            Err(PlanError::at(&["nodes", name, field], message).help(help))
        };
        let by = self.partition_by;
        if by.has(Once::RUN) || by.has(Once::MESSAGE) || !(by.has(Once::KEY) || by.has(Once::ITEM)) {
            let message =
                "documents are partitioned by `key` or `item`, where wanted with `+type`".to_owned();
            return error("partition-by", message, "the default is `key`");
        }
        if !(LEAST..=MOST).contains(&self.throughput.0) {
            let message = format!("{} is not between 400RU/s and 1000000RU/s", self.throughput);
            return error("throughput", message, "the least throughput is the default");
        }
        let least = self.throughput.0.div_ceil(PARTITION_LIMIT);
        if let Some(partitions) = self.physical_partitions
            && !(least..=u32::from(u16::MAX) - 1).contains(&partitions)
        {
            let message = format!("{} takes at least {least} physical partitions", self.throughput);
            return error(
                "physical-partitions",
                message,
                "a partition serves at most 10000RU/s; leave the field out",
            );
        }
        if self.holds.iter().any(|part| part == CHANGE_FEED) {
            let message = format!("`{name}.{CHANGE_FEED}` names the feed of all parts");
            return error("holds", message, "give the part another name");
        }
        Ok(())
    }

    /// The apps that read the feed of the account, and which parts each of them reads.
    fn consumers(&self, name: &str, plan: &Plan) -> Vec<Consumer> {
        let count = self.holds.len().max(1) as u16;
        let mut consumers = Vec::new();
        for (index, kind) in plan.blueprint.nodes.values().enumerate() {
            let mut parts: Vec<u16> = Vec::new();
            for consumed in kind.consumes() {
                if consumed == format!("{name}.{CHANGE_FEED}") || (consumed == name && self.holds.is_empty())
                {
                    parts.extend(0..count);
                } else if let Some(part) = consumed.strip_prefix(name).and_then(|rest| rest.strip_prefix('.'))
                {
                    parts.extend(self.holds.iter().position(|held| held == part).map(|index| index as u16));
                }
            }
            if !parts.is_empty() {
                consumers.push(Consumer { processor: index as u16, parts });
            }
        }
        consumers
    }

    /// Of those the ones that read in this region: they name it, or it is the nearest for them.
    fn consumers_in(&self, name: &str, whole: &str, plan: &Plan) -> Vec<Consumer> {
        let process = |name: &str| plan.endpoint(name).map(|endpoint| endpoint.address.process);
        let (account, here) = (process(name), process(whole));
        let is_near = |consumer: &Consumer| {
            let (node, _) = plan.blueprint.nodes.get_index(usize::from(consumer.processor))?;
            let kind = plan.blueprint.nodes.get(node)?;
            let site = kind.sites().and_then(|sites| plan.site(node, sites).ok());
            plan.names.account(account?).map(|account| Some(account.nearest(site)) == here)
        };
        let mut found = self.consumers(name, plan);
        found.retain(|consumer| is_near(consumer) == Some(true));
        found.extend(self.consumers(whole, plan));
        found
    }

    /// The account in one region.
    pub(super) fn process(&self, name: &str, plan: &Plan) -> Result<CosmosDbProcess, PlanError> {
        let feed = Feed::new(self.ranges() as usize, self.consumers(name, plan));
        self.process_of(name, feed, None, plan)
    }

    /// One region of the account.
    pub(super) fn process_in(
        &self,
        name: &str,
        whole: &str,
        group: Group,
        plan: &Plan,
    ) -> Result<CosmosDbProcess, PlanError> {
        let regions = self.site.names().iter().map(|site| format!("{name}/{site}"));
        let mut names = regions.chain([name.to_owned()]);
        let keeps = names.any(|name| !self.consumers(&name, plan).is_empty());
        let consumers = self.consumers_in(name, whole, plan);
        let feed = Feed::new(self.ranges() as usize, consumers).keeping(keeps);
        self.process_of(whole, feed, Some(group), plan)
    }

    fn process_of(
        &self,
        name: &str,
        feed: Feed,
        group: Option<Group>,
        plan: &Plan,
    ) -> Result<CosmosDbProcess, PlanError> {
        let ranges = self.ranges() as usize;
        // A container is read by its feed, not by its rows' order: no table of it is a queue.
        let tables = build_tables(name, &self.holds, plan)?;
        let waits = tables.iter().map(Table::is_queue).collect();
        let tables = tables.iter().map(|table| Table::new(table.place, false)).collect();
        let quorum = match self.consistency {
            Consistency::Strong | Consistency::BoundedStaleness => 2,
            Consistency::Session | Consistency::ConsistentPrefix | Consistency::Eventual => 1,
        };
        let setup = Setup {
            partition_by: self.partition_by,
            budget: u64::from(self.throughput.0) * RU / ranges as u64,
            ranges,
            write: self.write_latency.sampler(),
            read: self.read_latency.sampler(),
            write_charge: u64::from(self.write_charge) * RU,
            read_charge: u64::from(self.read_charge) * RU * quorum,
            timeout: self.request_timeout,
            expiration: self.lease_expiration,
            waits,
            group,
        };
        Ok(CosmosDbProcess::new(setup, tables, feed, Budgets::new(ranges)))
    }
}

impl Service for CosmosDb {
    fn about(&self) -> &'static str {
        "Cosmos DB: request units, transactional batches, time to live, the change feed, several regions"
    }

    fn sites(&self) -> Option<&OneOrMany> {
        Some(&self.site)
    }

    fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
        Some(&mut self.site)
    }

    fn replicates(&self) -> bool {
        self.is_global()
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        self.check(name)?;
        self.check_regions(name)?;
        if self.is_global() {
            return self.declare_regions(name, plan);
        }
        let site = plan.site(name, &self.site)?;
        let location = if self.zone_redundant {
            Location::Redundant { site, blip: Span::ZERO }
        } else {
            Location::AnyZone { site }
        };
        let process = plan.add_process(name, "", location);
        declare_parts(name, &self.holds, process, PlaceRole::Effect, plan)?;
        let address = Address { process, part: u16::MAX };
        let node = plan.node(name).unwrap_or_default();
        let feed = Endpoint { address, protocol: Protocol::Store, node, place: None };
        plan.add_endpoint(&format!("{name}.{CHANGE_FEED}"), feed);
        Ok(())
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        if self.is_global() {
            return self.build_regions(name, plan);
        }
        let id = plan.resolve(name, "kind", name)?.address.process;
        Ok(vec![(id, Box::new(self.process(name, plan)?))])
    }
}
