//! A database in two sites as a scenario writes it (facts 3): a failover group, or active geo-replication
//! without one; what it may be, and what stands before it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SqlDatabase;
use crate::ids::{Address, ProcessId};
use crate::node::Process;
use crate::plan::{Endpoint, Plan, PlanError};
use crate::services::replicas::declare::{self, at};
use crate::services::replicas::{ControlPlane, Mode, Pair, Watch};
use crate::time::Span;
use crate::units::Distribution;

/// The time to live of the listener's record (facts 3).
const LISTENER_TTL: Span = Span::secs(30);
/// The shortest grace period, and the default (facts 3: `GracePeriodWithDataLossHours`).
const GRACE: Span = Span::hours(1);

/// How a database in two sites is reached (facts 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Replication {
    /// By a listener, a name that leads to the primary wherever it is.
    FailoverGroup,
    /// Active geo-replication: each server by its own name; after a failover the callers' connection
    /// strings still lead to the old primary.
    GeoReplication,
}

/// Who decides that it fails over (facts 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailoverPolicy {
    /// People or automation of yours, by a step `failover`. Recommended.
    CustomerManaged,
    /// The platform, when the primary has been away for the grace period; best effort.
    MicrosoftManaged,
}

impl SqlDatabase {
    pub(super) fn is_replicated(&self) -> bool {
        self.primary.is_some() || self.replication.is_some()
    }

    pub(super) fn has_listener(&self) -> bool {
        self.replication != Some(Replication::GeoReplication)
    }

    /// The site of the primary at first.
    fn first(&self) -> Option<&str> {
        self.primary.as_deref().or_else(|| self.site.names().first().map(String::as_str))
    }

    /// Declares the names of what was declared in each site: the listener, or the server that is primary at
    /// first; and the control plane.
    pub(super) fn stand_before(&self, name: &str, plan: &mut Plan) {
        declare::add_control_plane(name, plan);
        let listener = self.has_listener().then(|| declare::add_name(name, plan));
        let Some(first) = self.first().map(|site| at(name, site)) else { return };
        let parts = self.holds.iter().map(|table| format!(".{table}")).chain([String::new()]);
        for part in parts {
            let Some(endpoint) = plan.endpoint(&format!("{first}{part}")).cloned() else { continue };
            let process = listener.unwrap_or(endpoint.address.process);
            let address = Address { process, ..endpoint.address };
            plan.add_endpoint(&format!("{name}{part}"), Endpoint { address, ..endpoint });
        }
    }

    /// What stands before the replicas.
    pub(super) fn before(&self, name: &str, plan: &Plan) -> Vec<(ProcessId, Box<dyn Process>)> {
        let replicas = declare::replicas_of(name, self.site.names(), plan);
        let leader = self.first().and_then(|site| plan.endpoint(&at(name, site)));
        let (Some(leader), Some(control)) = (leader, plan.node(name).and_then(|node| plan.control_of(node)))
        else {
            return Vec::new();
        };
        let leader = leader.address.process;
        let mut plane = ControlPlane::new(leader, replicas);
        if self.failover_policy == Some(FailoverPolicy::MicrosoftManaged) {
            let activation = self.activation.unwrap_or(Distribution::Uniform(Span::ZERO, Span::mins(10)));
            plane = plane.watching(Watch::new(self.grace_period.unwrap_or(GRACE), activation.sampler()));
        }
        let mut before: Vec<(ProcessId, Box<dyn Process>)> = vec![(control.process, Box::new(plane))];
        if self.has_listener()
            && let Some(listener) = plan.endpoint(name)
        {
            before.push((listener.address.process, declare::name_server(leader, LISTENER_TTL)));
        }
        before
    }

    /// What the replica in this site needs to know of the other.
    pub(super) fn pair(&self, name: &str, site: &str, plan: &Plan) -> Option<Pair> {
        let index = |site: &str| plan.blueprint.sites.get_index_of(site).map(|index| index as u8);
        let other = self.site.names().iter().find(|other| *other != site)?;
        let control = plan.control_of(plan.node(name)?)?.process;
        let listener = plan.endpoint(name).filter(|_| self.has_listener());
        let promotion = self.promotion.unwrap_or(Distribution::Uniform(Span::secs(20), Span::secs(60)));
        Some(Pair {
            mode: Mode::Async,
            peer: plan.endpoint(&at(name, other))?.address.process,
            before: listener.map(|listener| listener.address.process).into_iter().chain([control]).collect(),
            site: index(site)?,
            peer_site: index(other)?,
            leads: self.first() == Some(site),
            max_lag: Span::FOREVER,
            promotion: promotion.sampler(),
            delay: Span::ZERO,
            once: false,
        })
    }

    /// Whether it can be replicated as it is written.
    pub(super) fn check_replication(&self, name: &str) -> Result<(), PlanError> {
        if self.is_replicated() { self.check_pair(name) } else { self.check_lone(name) }
    }

    fn check_lone(&self, name: &str) -> Result<(), PlanError> {
        let given = [
            ("failover-policy", self.failover_policy.is_some()),
            ("grace-period", self.grace_period.is_some()),
            ("activation", self.activation.is_some()),
            ("promotion", self.promotion.is_some()),
        ];
        let Some((field, _)) = given.into_iter().find(|(_, given)| *given) else { return Ok(()) };
        let message = format!("without `primary` or `replication` a `{field}` means nothing");
        wrong(name, field, "replication", message, "write `in: [a, b]` and `primary: a` for a failover group")
    }

    fn check_pair(&self, name: &str) -> Result<(), PlanError> {
        let sites = self.site.names();
        let asked = if self.primary.is_some() { "primary" } else { "replication" };
        if sites.len() != 2 {
            let message = format!("a primary and one secondary: two sites, not {}", sites.len());
            return wrong(name, asked, "replication", message, "write `in: [a, b]`");
        }
        if let Some(primary) = &self.primary
            && !sites.contains(primary)
        {
            let message = format!("`{primary}` is not one of its sites");
            let help = format!("write one of: {}", sites.join(", "));
            return wrong(name, "primary", "primary", message, &help);
        }
        let managed = self.failover_policy == Some(FailoverPolicy::MicrosoftManaged);
        if self.failover_policy.is_some() && !self.has_listener() {
            let message = "only a failover group has a failover policy".to_owned();
            let help = "leave it out, or say `replication: failover-group`";
            return wrong(name, "failover-policy", "failover-policy", message, help);
        }
        let delays =
            [("grace-period", self.grace_period.is_some()), ("activation", self.activation.is_some())];
        if let Some((field, _)) = delays.into_iter().find(|(_, given)| *given && !managed) {
            let message = format!("a `{field}` means nothing where people decide");
            let help = "leave it out, or say `failover-policy: microsoft-managed`";
            return wrong(name, field, "failover-policy", message, help);
        }
        match self.grace_period {
            Some(grace) if grace < GRACE => {
                let message = format!("a grace period of {grace} is not possible");
                let help =
                    "write at least 1h; who wants to fail over sooner decides himself: `customer-managed`";
                wrong(name, "grace-period", "grace-period", message, help)
            }
            _ => Ok(()),
        }
    }
}

fn wrong(name: &str, field: &str, word: &'static str, message: String, help: &str) -> Result<(), PlanError> {
    Err(PlanError::at(&["nodes", name, field], message).help(help).word(word))
}
