//! How a service in several sites is declared: what its replicas are called, and what stands before them.

use crate::ids::{Address, ProcessId};
use crate::node::Process;
use crate::plan::{Location, Plan};
use crate::services::replicas::NameServer;
use crate::time::Span;
use crate::units::Distribution;

/// The part under which a control plane is addressed: the whole.
const WHOLE: u16 = u16::MAX;

/// What is called `name` in this site: `raw/westeurope`, `raw/westeurope.dead-letter`.
#[must_use]
pub fn at(name: &str, site: &str) -> String {
    let (node, part) = name.split_at(name.find('.').unwrap_or(name.len()));
    format!("{node}/{site}{part}")
}

/// Declares the control plane of a service in several sites.
pub fn add_control_plane(name: &str, plan: &mut Plan) -> ProcessId {
    let control = plan.add_process(name, ".control", Location::Internet);
    let node = plan.node(name).unwrap_or_default();
    plan.add_control(node, Address { process: control, part: WHOLE });
    control
}

/// Declares the name that leads to the replica that leads.
pub fn add_name(name: &str, plan: &mut Plan) -> ProcessId {
    let server = plan.add_process(name, ".name", Location::Internet);
    plan.names.add(server);
    server
}

/// Each replica of a service with its site, by file order. `sites`: those of the node.
#[must_use]
pub fn replicas_of(name: &str, sites: &[String], plan: &Plan) -> Vec<(u8, ProcessId)> {
    let replica = |site: &String| {
        let index = plan.blueprint.sites.get_index_of(site)? as u8;
        Some((index, plan.endpoint(&at(name, site))?.address.process))
    };
    sites.iter().filter_map(replica).collect()
}

/// The name servers of a service. `ttl`: how long an answer may be remembered. A lookup takes 25 ms, in one
/// of a hundred cases 100 ms \[K\].
#[must_use]
pub fn name_server(leader: ProcessId, ttl: Span) -> Box<dyn Process> {
    let lookup = Distribution::Lognormal { median: Span::millis(25), p99: Span::millis(100) };
    Box::new(NameServer::new(leader, ttl, lookup.sampler()))
}
