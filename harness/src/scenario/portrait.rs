//! A design as a report shows it: its text, its nodes, and who is connected with whom.

use std::collections::BTreeMap;

use beaufort_reports::design::{Design, DesignEdge, DesignNode, Promise, PromiseSource, Role, Source};
use beaufort_reports::{SeedResult, Trace};
use beaufort_sim::plan::{Location, Plan};
use beaufort_sim::services::{NodeKind, Service, sla};
use beaufort_sim::units::Ratio;

use super::load::Loaded;
use super::resolve::Resolved;
use super::tree::{Kind, Tree};

/// The sections of which a report names lines.
const SECTIONS: [&str; 5] = ["always", "objectives", "compare", "faults", "nodes"];

/// What is known about a design before it runs: no edges beyond what the load and the triggers say.
#[must_use]
pub fn portrait(loaded: &Loaded, resolved: &Resolved) -> Design {
    let plan = &resolved.plan;
    let time = &plan.blueprint.time;
    let nodes = plan.blueprint.nodes.iter();
    // What is said of a node with copies holds for each of them.
    let said = &resolved.scenario.sla;
    let declared = |name: &str| said.get(name).or_else(|| said.get(plan.copies.written(name))).copied();
    Design {
        why: resolved.scenario.why.clone(),
        warmup: time.warmup.as_secs_f64(),
        run: time.run.as_secs_f64(),
        drain: time.drain.as_secs_f64(),
        sites: plan.blueprint.sites.keys().cloned().collect(),
        nodes: nodes.map(|(name, kind)| node(plan, declared(name), name, kind)).collect(),
        edges: triggers(plan),
        source: source(loaded, resolved),
    }
}

/// Adds what the seed that was looked at closely showed: who called whom, and how often.
pub fn add_traffic(design: &mut Design, seeds: &[SeedResult]) {
    for trace in seeds.iter().filter_map(|seed| seed.trace.as_ref()) {
        for (from, to, used) in used(trace) {
            match design.edges.iter_mut().find(|edge| edge.from == from && edge.to == to) {
                Some(edge) => edge.used += used,
                None => design.edges.push(DesignEdge { from: from.to_owned(), to: to.to_owned(), used }),
            }
        }
    }
}

fn used(trace: &Trace) -> impl Iterator<Item = (&str, &str, u64)> {
    trace.traffic.iter().filter_map(|row| {
        let name = |node: u16| trace.nodes.get(usize::from(node)).map(String::as_str);
        let sum = row.count.iter().map(|count| u64::from(*count)).sum();
        Some((name(row.from)?, name(row.to)?, sum))
    })
}

fn node(plan: &Plan, declared: Option<Ratio>, name: &str, kind: &NodeKind) -> DesignNode {
    let id = plan.node(name);
    let processes: Vec<_> = id.map(|id| plan.processes_of(id).collect()).unwrap_or_default();
    let site = |location: Location| plan.blueprint.sites.get_index(usize::from(location.site()?));
    let mut sites: Vec<String> = Vec::new();
    for (_, process) in &processes {
        if let Some((site, _)) = site(process.location)
            && !sites.contains(site)
        {
            sites.push(site.clone());
        }
    }
    // A queue has no process of its own: it is where the whole is.
    if processes.is_empty()
        && let Some((whole, kind)) = kind.of().and_then(|of| plan.blueprint.nodes.get_key_value(of))
    {
        sites = self::node(plan, None, whole, kind).sites;
    }
    DesignNode {
        name: name.to_owned(),
        kind: kind.word().to_owned(),
        role: role(kind),
        of: kind.of().map(str::to_owned),
        sites,
        processes: processes.len() as u32,
        sla: declared
            .map(|share| Promise { share: share.0, source: PromiseSource::Scenario })
            .or(published(kind)),
    }
}

/// What is published for a kind of node.
fn published(kind: &NodeKind) -> Option<Promise> {
    let promised = sla::published(kind)?;
    let source = if promised.confirmed { PromiseSource::Published } else { PromiseSource::Quoted };
    Some(Promise { share: promised.share, source })
}

/// What a kind of node is in a picture.
fn role(kind: &NodeKind) -> Role {
    match kind {
        NodeKind::Load(_) => Role::Load,
        NodeKind::Guest(_)
        | NodeKind::ContainerApp(_)
        | NodeKind::FunctionApp(_)
        | NodeKind::LogicApp(_)
        | NodeKind::Endpoint(_) => Role::App,
        NodeKind::ApiManagement(_) | NodeKind::FrontDoor(_) | NodeKind::TrafficManager(_) => Role::Gateway,
        NodeKind::EventGridTopic(_)
        | NodeKind::EventGridSubscription(_)
        | NodeKind::EventHubs(_)
        | NodeKind::EventHub(_)
        | NodeKind::ServiceBus(_)
        | NodeKind::ServiceBusQueue(_)
        | NodeKind::ServiceBusTopic(_)
        | NodeKind::ServiceBusSubscription(_) => Role::Broker,
        NodeKind::CosmosDb(_) | NodeKind::StorageContainer(_) | NodeKind::SqlDatabase(_) => Role::Store,
        NodeKind::Alert(_) | NodeKind::Operator(_) | NodeKind::EntraId(_) | NodeKind::KeyVault(_) => {
            Role::Control
        }
    }
}

/// From each source to the nodes that it triggers.
fn triggers(plan: &Plan) -> Vec<DesignEdge> {
    let mut edges: Vec<DesignEdge> = Vec::new();
    for (name, kind) in &plan.blueprint.nodes {
        for trigger in kind.consumes() {
            let source = trigger.strip_suffix(".change-feed").unwrap_or(&trigger);
            let whole = plan.anywhere(source);
            let endpoint = plan.endpoint(source).or_else(|| plan.endpoint(&whole));
            let Some(from) = endpoint.map(|endpoint| endpoint.node).or_else(|| plan.node(&whole)) else {
                continue;
            };
            let edge = DesignEdge { from: plan.nodes[from.index()].name.clone(), to: name.clone(), used: 0 };
            if !edges.contains(&edge) {
                edges.push(edge);
            }
        }
    }
    edges
}

fn source(loaded: &Loaded, resolved: &Resolved) -> Option<Source> {
    let text = loaded.sources.get(loaded.source)?.text.to_string();
    let file = match loaded.folder {
        Some(_) => loaded.asked.replace('\\', "/"),
        None => format!("scenarios/{}.yaml", loaded.asked),
    };
    let mut lines = BTreeMap::new();
    for section in SECTIONS {
        let entries = resolved.tree.get(section).map(|tree: &Tree| &tree.kind);
        let Some(Kind::Map(entries)) = entries else { continue };
        for (key, _) in entries {
            // What the command line adds has another text.
            if key.span.source == loaded.source
                && let Some(position) = loaded.sources.position(key.span)
            {
                lines.insert(format!("{section}.{}", key.name), position.line as u32);
            }
        }
    }
    Some(Source { file, text, lines })
}
