//! An Azure SQL database as a scenario writes it (facts 3).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::group::{FailoverPolicy, Replication};
use super::{Setup, SqlDatabaseProcess};
use crate::ids::ProcessId;
use crate::node::Process;
use crate::plan::{Location, PlaceRole, Plan, PlanError};
use crate::services::Service;
use crate::services::replicas::Pair;
use crate::services::replicas::declare::at;
use crate::services::store::{build_tables, declare_parts, declare_parts_at};
use crate::time::Span;
use crate::units::{Distribution, OneOrMany, Rate};

/// A database of Azure SQL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SqlDatabase {
    /// The region; several: a database in each of them, or with `primary` (or `replication`) one with a
    /// secondary. Default: the only site.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// The region of the primary at first; the other one has the secondary, which follows asynchronously
    /// and can be read (`orders-db/northeurope`). Default: with `replication` the first region, else each
    /// has a database of its own (facts 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// How a database with a secondary is reached: `failover-group`, by a listener that follows the primary
    /// (its record lives 30 s), or `geo-replication`, by the name of the server that is primary at first.
    /// Default: with `primary` failover-group (facts 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication: Option<Replication>,
    /// Who decides that a failover group fails over: `customer-managed`, a step `failover`, or
    /// `microsoft-managed`, the platform. Default: customer-managed, which is recommended (facts 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failover_policy: Option<FailoverPolicy>,
    /// With `failover-policy: microsoft-managed`: how long the primary has to be away. Default: 1h, which
    /// is also the least (facts 3: `GracePeriodWithDataLossHours`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_period: Option<Span>,
    /// With `failover-policy: microsoft-managed`: how long the platform takes beyond that until it begins to
    /// fail over; best effort. Default: 0s..10m (facts 3 document an RTO of 1 h; about 7h in the incident
    /// of 2023-09-16, facts 6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Distribution>,
    /// How long a failover to the secondary takes once it is begun; meanwhile nothing is served. Default:
    /// 20s..60s (facts 3: typically up to 60 seconds of downtime; 30 s in 2021).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub promotion: Option<Distribution>,
    /// Its tables (`orders-db.order`). Default: one, named by the node alone.
    pub holds: Vec<String>,
    /// Whether it survives the loss of a zone with a short failover and no loss of data (facts 3:
    /// typically below 30 s, RPO 0). Default: false; it is lost together with the zone it is in.
    pub zone_redundant: bool,
    /// The zone of its region that it happens to be in, where it is not zone-redundant: 1 to the number of
    /// its zones. Default: any, which nobody knows (facts 6: a non-zonal resource may be in any zone).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<u8>,
    /// How long the failover to another zone takes. Requests in flight are terminated. Default: 20s
    /// (facts 3: typically below 30 s).
    pub failover: Span,
    /// The time of one request without its sync to disk. Default: 2ms p99 20ms (not documented).
    pub latency: Distribution,
    /// How many requests may be served at once; one more is refused with error 10928. Default: 200, the
    /// limit of 2 vCores in the general purpose tier (not confirmed in the facts).
    pub workers: u32,
    /// How many requests it can serve in a time; more wait. Default: no limit but the workers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Rate>,
}

impl Default for SqlDatabase {
    fn default() -> Self {
        Self {
            site: OneOrMany::default(),
            primary: None,
            replication: None,
            failover_policy: None,
            grace_period: None,
            activation: None,
            promotion: None,
            holds: Vec::new(),
            zone_redundant: false,
            zone: None,
            failover: Span::secs(20),
            latency: Distribution::Lognormal { median: Span::millis(2), p99: Span::millis(20) },
            workers: 200,
            capacity: None,
        }
    }
}

impl SqlDatabase {
    fn location(&self, name: &str, site: u8, plan: &Plan) -> Result<Location, PlanError> {
        let zones = plan.blueprint.sites.get_index(usize::from(site)).map_or(1, |(_, site)| site.zones);
        let wrong = |message| PlanError::at(&["nodes", name, "zone"], message);
        match self.zone {
            Some(_) if self.zone_redundant => {
                Err(wrong("it is in all zones".to_owned()).help("leave `zone` out, or `zone-redundant`"))
            }
            Some(zone) if !(1..=zones).contains(&zone) => Err(wrong(format!("there is no zone {zone}"))
                .help(format!("its region has the zones 1 to {zones}"))),
            Some(zone) => Ok(Location::Zone { site, zone }),
            None if self.zone_redundant => Ok(Location::Redundant { site, blip: self.failover }),
            None => Ok(Location::AnyZone { site }),
        }
    }

    /// The server that is called `label`.
    fn server(
        &self,
        name: &str,
        label: &str,
        pair: Option<Pair>,
        plan: &Plan,
    ) -> Result<(ProcessId, Box<dyn Process>), PlanError> {
        let process = plan.resolve(name, "kind", label)?.address.process;
        let tables = build_tables(label, &self.holds, plan)?;
        let setup =
            Setup { latency: self.latency.sampler(), workers: self.workers, capacity: self.capacity, pair };
        Ok((process, Box::new(SqlDatabaseProcess::new(setup, tables))))
    }
}

impl Service for SqlDatabase {
    fn about(&self) -> &'static str {
        "a database of Azure SQL: transactions, tables as queues, failover between zones"
    }

    fn sites(&self) -> Option<&OneOrMany> {
        Some(&self.site)
    }

    fn sites_mut(&mut self) -> Option<&mut OneOrMany> {
        Some(&mut self.site)
    }

    fn replicates(&self) -> bool {
        self.is_replicated()
    }

    fn declare(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        if self.workers == 0 {
            let error =
                PlanError::at(&["nodes", name, "workers"], "a database without workers serves nothing");
            return Err(error.help("the default is 200"));
        }
        if self.capacity.is_some_and(|capacity| capacity.interval().is_none()) {
            let error =
                PlanError::at(&["nodes", name, "capacity"], "a database with capacity 0 serves nothing");
            return Err(error.help("leave `capacity` out, or use the fault `dep.down`"));
        }
        self.check_replication(name)?;
        if self.is_replicated() {
            for site in self.site.names() {
                let index = plan.site(name, &OneOrMany::One(site.clone()))?;
                let location = self.location(name, index, plan)?;
                let process = plan.add_process(name, &format!("/{site}"), location);
                declare_parts_at(name, &at(name, site), &self.holds, process, Some(PlaceRole::Effect), plan)?;
            }
            self.stand_before(name, plan);
            return Ok(());
        }
        let site = plan.site(name, &self.site)?;
        let location = self.location(name, site, plan)?;
        let process = plan.add_process(name, "", location);
        declare_parts(name, &self.holds, process, PlaceRole::Effect, plan)
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        if !self.is_replicated() {
            return Ok(vec![self.server(name, name, None, plan)?]);
        }
        let sites = self.site.names().iter();
        let servers = sites.map(|site| self.server(name, &at(name, site), self.pair(name, site, plan), plan));
        servers.chain(self.before(name, plan).into_iter().map(Ok)).collect()
    }
}
