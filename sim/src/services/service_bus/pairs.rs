//! A namespace in two sites as a scenario writes it: what it may be, what its parts are called in each.

use crate::ids::ProcessId;
use crate::node::Process;
use crate::plan::{Plan, PlanError};
pub(super) use crate::services::replicas::declare::at;
use crate::services::replicas::{ControlPlane, Mode, Pair, declare};
use crate::services::service_bus::config::{Replication, ServiceBus, Tier};
use crate::time::Span;
use crate::units::Distribution;

/// The time to live of the record that leads to the primary \[K\]; facts 1.9 say only that it has to spread.
const NAME_TTL: Span = Span::secs(60);

/// The site of the primary.
pub(super) fn primary(bus: &ServiceBus) -> Option<&str> {
    bus.primary.as_deref().or_else(|| bus.site.names().first().map(String::as_str))
}

/// The processes of a namespace, with the site of each where it is in several.
pub(super) fn namespaces(bus: &ServiceBus, name: &str, plan: &Plan) -> Vec<(ProcessId, Option<String>)> {
    let process = |name: &str| plan.endpoint(name).map(|endpoint| endpoint.address.process);
    if bus.replication.is_none() {
        return process(name).map(|process| (process, None)).into_iter().collect();
    }
    let sites = bus.site.names().iter();
    sites.filter_map(|site| Some((process(&at(name, site))?, Some(site.clone())))).collect()
}

/// Declares what stands before a pair: its name, to which the whole is addressed from now on, and its
/// control plane. Returns the process of the name.
pub(super) fn stand_before(name: &str, plan: &mut Plan) -> ProcessId {
    let server = declare::add_name(name, plan);
    declare::add_control_plane(name, plan);
    server
}

/// What stands before a pair.
pub(super) fn before(bus: &ServiceBus, name: &str, plan: &Plan) -> Vec<(ProcessId, Box<dyn Process>)> {
    if bus.replication.is_none() {
        return Vec::new();
    }
    let process = |name: &str| plan.endpoint(name).map(|endpoint| endpoint.address.process);
    let Some(leader) = primary(bus).and_then(|site| process(&at(name, site))) else { return Vec::new() };
    let control = plan.node(name).and_then(|node| plan.control_of(node)).unwrap_or_default().process;
    let replicas = declare::replicas_of(name, bus.site.names(), plan);
    vec![
        (process(name).unwrap_or_default(), declare::name_server(leader, NAME_TTL)),
        (control, Box::new(ControlPlane::new(leader, replicas))),
    ]
}

/// What this namespace of a pair needs to know of the other.
pub(super) fn pair(bus: &ServiceBus, name: &str, site: Option<&str>, plan: &Plan) -> Option<Pair> {
    let (mode, site) = (bus.replication?, site?);
    let index = |site: &str| plan.blueprint.sites.get_index_of(site).map(|index| index as u8);
    let other = bus.site.names().iter().find(|other| *other != site)?;
    let promotion = bus.promotion.unwrap_or(Distribution::Uniform(Span::mins(5), Span::mins(10)));
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
        leads: primary(bus) == Some(site),
        max_lag: bus.max_lag.unwrap_or(Span::mins(5)),
        promotion: promotion.sampler(),
        delay: Span::ZERO,
        once: false,
    })
}

/// Whether it can be replicated as it is written.
pub(super) fn check(bus: &ServiceBus, name: &str) -> Result<(), PlanError> {
    let wrong = |field: &str, word: &'static str, message: String, help: &str| {
        Err(PlanError::at(&["nodes", name, field], message).help(help).word(word))
    };
    let Some(mode) = bus.replication else {
        let lone = [("primary", bus.primary.is_some()), ("max-lag", bus.max_lag.is_some())];
        let lone = lone.into_iter().chain([("promotion", bus.promotion.is_some())]).find(|(_, given)| *given);
        return match lone {
            Some((field, _)) => {
                let message = format!("without `replication` a `{field}` means nothing");
                wrong(field, "replication", message, "say `replication: sync`, `async` or `metadata-only`")
            }
            None => Ok(()),
        };
    };
    let sites = bus.site.names();
    if bus.tier != Tier::Premium {
        let message = "only a premium namespace can be replicated to another region".to_owned();
        return wrong("replication", "tier", message, "set `tier: premium`");
    }
    if sites.len() != 2 {
        let message = format!("a primary and one secondary: two sites, not {}", sites.len());
        return wrong("replication", "replication", message, "write `in: [a, b]`");
    }
    if let Some(primary) = &bus.primary
        && !sites.contains(primary)
    {
        let message = format!("`{primary}` is not one of its sites");
        let help = format!("write one of: {}", sites.join(", "));
        return wrong("primary", "primary", message, &help);
    }
    if bus.max_lag.is_some() && mode != Replication::Async {
        let message = "only asynchronous replication may lag".to_owned();
        return wrong("max-lag", "replication", message, "leave it out, or say `replication: async`");
    }
    if bus.promotion.is_some() && mode == Replication::MetadataOnly {
        let message =
            "under Geo-DR nothing is promoted: the name is pointed to the other namespace".to_owned();
        return wrong("promotion", "replication", message, "leave it out");
    }
    Ok(())
}
