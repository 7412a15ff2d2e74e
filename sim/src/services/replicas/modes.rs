//! A namespace in two sites as a scenario writes it: what it may be, what its parts are called in each. The
//! same for all that is geo-replicated in the way of Service Bus and Event Hubs (facts 1.9, 3.6).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::ProcessId;
use crate::node::Process;
use crate::plan::{Plan, PlanError};
use crate::services::replicas::declare::at;
use crate::services::replicas::{ControlPlane, Mode, Pair, declare};
use crate::time::Span;
use crate::units::Distribution;

/// What one namespace of a pair gives to the other (facts 1.9, 3.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Replication {
    /// Geo-Replication: what is done is acknowledged once the secondary has it too.
    Sync,
    /// Geo-Replication: acknowledged once the primary has it; the secondary follows.
    Async,
    /// Geo-DR: the entities and no messages; a failover leaves the messages where they are.
    MetadataOnly,
}

/// What a namespace says about that.
#[derive(Clone, Copy, Debug)]
pub struct Modes<'a> {
    /// Its sites.
    pub sites: &'a [String],
    /// What its primary gives to its secondary.
    pub replication: Option<Replication>,
    /// The site of the primary at first.
    pub primary: Option<&'a str>,
    /// How far the secondary may lag.
    pub max_lag: Option<Span>,
    /// How long a promotion takes.
    pub promotion: Option<Distribution>,
    /// Whether its tier can be replicated, and if not, which could be.
    pub tier: Result<(), &'static str>,
}

/// The time to live of the record that leads to the primary \[K\]; facts 1.9 say only that it has to spread.
const NAME_TTL: Span = Span::secs(60);

/// The site of the primary.
#[must_use]
pub fn primary<'a>(modes: &Modes<'a>) -> Option<&'a str> {
    modes.primary.or_else(|| modes.sites.first().map(String::as_str))
}

/// The processes of a namespace, with the site of each where it is in several.
pub fn namespaces(modes: &Modes<'_>, name: &str, plan: &Plan) -> Vec<(ProcessId, Option<String>)> {
    let process = |name: &str| plan.endpoint(name).map(|endpoint| endpoint.address.process);
    if modes.replication.is_none() {
        return process(name).map(|process| (process, None)).into_iter().collect();
    }
    let sites = modes.sites.iter();
    sites.filter_map(|site| Some((process(&at(name, site))?, Some(site.clone())))).collect()
}

/// Declares what stands before a pair: its name, to which the whole is addressed from now on, and its
/// control plane. Returns the process of the name.
pub fn stand_before(name: &str, plan: &mut Plan) -> ProcessId {
    let server = declare::add_name(name, plan);
    declare::add_control_plane(name, plan);
    server
}

/// What stands before a pair.
pub fn before(modes: &Modes<'_>, name: &str, plan: &Plan) -> Vec<(ProcessId, Box<dyn Process>)> {
    if modes.replication.is_none() {
        return Vec::new();
    }
    let process = |name: &str| plan.endpoint(name).map(|endpoint| endpoint.address.process);
    let Some(leader) = primary(modes).and_then(|site| process(&at(name, site))) else { return Vec::new() };
    let control = plan.node(name).and_then(|node| plan.control_of(node)).unwrap_or_default().process;
    let replicas = declare::replicas_of(name, modes.sites, plan);
    vec![
        (process(name).unwrap_or_default(), declare::name_server(leader, NAME_TTL)),
        (control, Box::new(ControlPlane::new(leader, replicas))),
    ]
}

/// What this namespace of a pair needs to know of the other.
pub fn pair(modes: &Modes<'_>, name: &str, site: Option<&str>, plan: &Plan) -> Option<Pair> {
    let (mode, site) = (modes.replication?, site?);
    let index = |site: &str| plan.blueprint.sites.get_index_of(site).map(|index| index as u8);
    let other = modes.sites.iter().find(|other| *other != site)?;
    let promotion = modes.promotion.unwrap_or(Distribution::Uniform(Span::mins(5), Span::mins(10)));
    Some(Pair {
        mode: match mode {
            Replication::Sync => Mode::Sync,
            Replication::Async => Mode::Async,
            Replication::MetadataOnly => Mode::NameOnly,
        },
        peer: plan.endpoint(&at(name, other))?.address.process,
        before: vec![plan.endpoint(name)?.address.process, plan.control_of(plan.node(name)?)?.process],
        site: index(site)?,
        peer_site: index(other)?,
        leads: primary(modes) == Some(site),
        max_lag: modes.max_lag.unwrap_or(Span::mins(5)),
        promotion: promotion.sampler(),
        delay: Span::ZERO,
        once: false,
    })
}

/// Whether it can be replicated as it is written.
pub fn check(modes: &Modes<'_>, name: &str) -> Result<(), PlanError> {
    let wrong = |field: &str, word: &'static str, message: String, help: &str| {
        Err(PlanError::at(&["nodes", name, field], message).help(help).word(word))
    };
    let Some(mode) = modes.replication else {
        let lone = [("primary", modes.primary.is_some()), ("max-lag", modes.max_lag.is_some())];
        let lone =
            lone.into_iter().chain([("promotion", modes.promotion.is_some())]).find(|(_, given)| *given);
        return match lone {
            Some((field, _)) => {
                let message = format!("without `replication` a `{field}` means nothing");
                wrong(field, "replication", message, "say `replication: sync`, `async` or `metadata-only`")
            }
            None => Ok(()),
        };
    };
    let sites = modes.sites;
    if let Err(help) = modes.tier {
        let message = "a namespace of this tier cannot be replicated to another region".to_owned();
        return wrong("replication", "tier", message, help);
    }
    if sites.len() != 2 {
        let message = format!("a primary and one secondary: two sites, not {}", sites.len());
        return wrong("replication", "replication", message, "write `in: [a, b]`");
    }
    if let Some(primary) = modes.primary
        && !sites.iter().any(|site| site == primary)
    {
        let message = format!("`{primary}` is not one of its sites");
        let help = format!("write one of: {}", sites.join(", "));
        return wrong("primary", "primary", message, &help);
    }
    if modes.max_lag.is_some() && mode != Replication::Async {
        let message = "only asynchronous replication may lag".to_owned();
        return wrong("max-lag", "replication", message, "leave it out, or say `replication: async`");
    }
    if modes.promotion.is_some() && mode == Replication::MetadataOnly {
        let message =
            "under Geo-DR nothing is promoted: the name is pointed to the other namespace".to_owned();
        return wrong("promotion", "replication", message, "leave it out");
    }
    Ok(())
}
