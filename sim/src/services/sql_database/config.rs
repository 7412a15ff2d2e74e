//! An Azure SQL database as a scenario writes it (facts 3).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Setup, SqlDatabaseProcess};
use crate::ids::ProcessId;
use crate::node::Process;
use crate::plan::{Location, PlaceRole, Plan, PlanError};
use crate::services::Service;
use crate::services::store::{build_tables, declare_parts};
use crate::time::Span;
use crate::units::{Distribution, OneOrMany, Rate};

/// A database of Azure SQL.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SqlDatabase {
    /// The region. Default: the only site.
    #[serde(rename = "in", skip_serializing_if = "OneOrMany::is_empty")]
    pub site: OneOrMany,
    /// Its tables (`orders-db.order`). Default: one, named by the node alone.
    pub holds: Vec<String>,
    /// Whether it survives the loss of a zone with a short failover and no loss of data (facts 3:
    /// typically below 30 s, RPO 0). Default: false; it is lost together with the zone it is in.
    pub zone_redundant: bool,
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
            holds: Vec::new(),
            zone_redundant: false,
            failover: Span::secs(20),
            latency: Distribution::Lognormal { median: Span::millis(2), p99: Span::millis(20) },
            workers: 200,
            capacity: None,
        }
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
        let site = plan.site(name, &self.site)?;
        let location = if self.zone_redundant {
            Location::Redundant { site, blip: self.failover }
        } else {
            Location::AnyZone { site }
        };
        let process = plan.add_process(name, "", location);
        declare_parts(name, &self.holds, process, PlaceRole::Effect, plan)
    }

    fn build(&self, name: &str, plan: &Plan) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        let process = plan.resolve(name, "kind", name)?.address.process;
        let tables = build_tables(name, &self.holds, plan)?;
        let setup = Setup { latency: self.latency.sampler(), workers: self.workers, capacity: self.capacity };
        Ok(vec![(process, Box::new(SqlDatabaseProcess::new(setup, tables)))])
    }
}
