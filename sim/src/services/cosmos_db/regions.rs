//! An account in several regions as a scenario writes it: what it may be, what it consists of.

use super::config::{CHANGE_FEED, Consistency, CosmosDb, Writes};
use super::geo::Group;
use crate::ids::{Address, NodeId, ProcessId};
use crate::network::round_trips::published;
use crate::node::Process;
use crate::plan::{Endpoint, Location, PlaceRole, Plan, PlanError, Protocol};
use crate::services::replicas::declare::{add_control_plane, add_name, at, name_server};
use crate::services::replicas::{ControlPlane, Watch};
use crate::services::store::declare_parts_at;
use crate::time::Span;
use crate::units::{Distribution, OneOrMany};

/// The part of its name that stands for the conflict feed.
const CONFLICTS: &str = "conflicts";
/// How long a client keeps the list of regions (facts 1.1).
const LIST_TTL: Span = Span::mins(5);
/// A failover in an account of one write region, from the request on; the facts give no number \[K\].
const FAILOVER: Distribution = Distribution::Uniform(Span::mins(1), Span::mins(3));
/// Three business days or more (facts 1.8).
const REGION_RETURN: Distribution = Distribution::Constant(Span::days(3));
/// "Up to one hour or more" (facts 1.2).
const SERVICE_MANAGED: Distribution = Distribution::Uniform(Span::mins(60), Span::mins(90));
/// Regions that are further apart than 5,000 miles have a usual round trip of more than this \[K\].
const STRONG_LIMIT: Span = Span::millis(140);
/// The least bound of staleness in several regions (facts 1.1): so many writes, or so long.
pub(super) const LEAST_STALENESS: (u64, Span) = (100_000, Span::secs(300));

impl CosmosDb {
    /// Whether it is in several regions.
    pub(super) fn is_global(&self) -> bool {
        self.site.names().len() > 1
    }

    /// The write region: the first where it is not said.
    fn primary(&self) -> &str {
        let first = self.site.names().first().map_or("", String::as_str);
        self.primary.as_deref().unwrap_or(first)
    }

    /// The sites in order of priority: the primary, then the others as they are written.
    fn ranked(&self) -> Vec<&str> {
        let others = self.site.names().iter().map(String::as_str).filter(|site| *site != self.primary());
        std::iter::once(self.primary()).chain(others).collect()
    }

    /// Declares a process for each region, the name by which clients find the write region, and the control
    /// plane.
    pub(super) fn declare_regions(&self, name: &str, plan: &mut Plan) -> Result<(), PlanError> {
        let node = plan.node(name).unwrap_or_default();
        let mut replicas = Vec::new();
        for site in self.ranked() {
            let index = plan.site(name, &OneOrMany::One(site.to_owned()))?;
            let location = if self.zone_redundant {
                Location::Redundant { site: index, blip: Span::ZERO }
            } else {
                Location::AnyZone { site: index }
            };
            let whole = at(name, site);
            let process = plan.add_process(name, &format!("/{site}"), location);
            declare_parts_at(name, &whole, &self.holds, process, Some(PlaceRole::Effect), plan)?;
            replicas.push((index, process));
            add_feed(plan, &whole, process, node);
        }
        let server = add_name(name, plan);
        let control = add_control_plane(name, plan);
        plan.names.add_account(server, replicas, self.writes == Writes::Multi);
        declare_parts_at(name, name, &self.holds, server, None, plan)?;
        add_feed(plan, name, server, node);
        let conflicts = format!("{name}.{CONFLICTS}");
        let place = Some(plan.add_place(name, &conflicts, PlaceRole::DeadLetter));
        let address = Address { process: control, part: u16::MAX };
        plan.add_endpoint(&conflicts, Endpoint { address, protocol: Protocol::None, node, place });
        Ok(())
    }

    /// Builds what was declared.
    pub(super) fn build_regions(
        &self,
        name: &str,
        plan: &Plan,
    ) -> Result<Vec<(ProcessId, Box<dyn Process>)>, PlanError> {
        let process = |name: &str| plan.resolve(name, "kind", name).map(|endpoint| endpoint.address.process);
        let mut built: Vec<(ProcessId, Box<dyn Process>)> = Vec::new();
        for site in self.site.names() {
            let whole = at(name, site);
            let group = self.group(name, site, plan)?;
            built.push((process(&whole)?, Box::new(self.process_in(name, &whole, group, plan)?)));
        }
        let ranked = self.ranked().into_iter().map(|site| {
            let index = plan.site_named(name, "in", site)?;
            Ok((index, process(&at(name, site))?))
        });
        let ranked: Vec<(u8, ProcessId)> = ranked.collect::<Result<_, PlanError>>()?;
        let leader = ranked[0].1;
        built.push((process(name)?, name_server(leader, LIST_TTL)));
        let after = self.service_managed_after.unwrap_or(SERVICE_MANAGED);
        let mut plane = ControlPlane::new(leader, ranked);
        if self.service_managed_failover {
            plane = plane.watching(Watch::new(Span::ZERO, after.sampler()));
        }
        let control = plan.resolve(name, "kind", &format!("{name}.{CONFLICTS}"))?.address.process;
        built.push((control, Box::new(plane)));
        Ok(built)
    }

    fn group(&self, name: &str, site: &str, plan: &Plan) -> Result<Group, PlanError> {
        let ranked = self.ranked();
        let process = |name: &str| plan.resolve(name, "kind", name).map(|endpoint| endpoint.address.process);
        let others = ranked.iter().filter(|other| **other != site);
        let peers = others.map(|other| process(&at(name, other))).collect::<Result<_, _>>()?;
        let conflicts = plan.resolve(name, "kind", &format!("{name}.{CONFLICTS}"))?;
        Ok(Group {
            site: plan.site_named(name, "in", site)?,
            rank: ranked.iter().position(|other| *other == site).unwrap_or(0) as u32,
            peers,
            before: [process(name)?, conflicts.address.process],
            leads: self.primary() == site || self.writes == Writes::Multi,
            multi: self.writes == Writes::Multi,
            level: self.consistency,
            bound: (
                self.staleness_writes.unwrap_or(LEAST_STALENESS.0),
                self.staleness.unwrap_or(LEAST_STALENESS.1),
            ),
            failover: self.failover_time.unwrap_or(FAILOVER).sampler(),
            region_return: self.region_return.unwrap_or(REGION_RETURN).sampler(),
            conflicts: conflicts.place.unwrap_or_default(),
        })
    }

    /// Whether it can be in these regions as it is written.
    pub(super) fn check_regions(&self, name: &str) -> Result<(), PlanError> {
        let wrong = |field: &str, word: &'static str, message: String, help: &str| {
            Err(PlanError::at(&["nodes", name, field], message).help(help).word(word))
        };
        if self.holds.iter().any(|part| part == CONFLICTS) {
            let message = format!("`{name}.{CONFLICTS}` names the conflict feed");
            return wrong("holds", "conflicts", message, "give the part another name");
        }
        if !self.is_global() {
            let fields = [
                ("writes", self.writes == Writes::Multi),
                ("primary", self.primary.is_some()),
                ("service-managed-failover", self.service_managed_failover),
                ("service-managed-after", self.service_managed_after.is_some()),
                ("failover-time", self.failover_time.is_some()),
                ("region-return", self.region_return.is_some()),
            ];
            return match fields.iter().find(|(_, given)| *given) {
                Some((field, _)) => {
                    let message = format!("in one region `{field}` means nothing");
                    wrong(field, "regions", message, "write `in: [a, b]`, or leave it out")
                }
                None => Ok(()),
            };
        }
        if let Some(primary) = &self.primary
            && !self.site.names().contains(primary)
        {
            let message = format!("`{primary}` is not one of its sites");
            let help = format!("write one of: {}", self.site.names().join(", "));
            return wrong("primary", "primary", message, &help);
        }
        if self.writes == Writes::Multi && self.consistency == Consistency::Strong {
            let message = "strong consistency is not possible where every region takes writes".to_owned();
            return wrong("consistency", "consistency", message, "choose another level, or `writes: single`");
        }
        self.check_staleness(name)?;
        self.check_distance(name)
    }

    fn check_staleness(&self, name: &str) -> Result<(), PlanError> {
        let wrong = |field: &str, message: String, help: &str| {
            Err(PlanError::at(&["nodes", name, field], message).help(help).word("staleness"))
        };
        let (least_writes, least) = LEAST_STALENESS;
        let given =
            [("staleness-writes", self.staleness_writes.is_some()), ("staleness", self.staleness.is_some())];
        if let Some((field, _)) = given.iter().find(|(_, given)| *given)
            && self.consistency != Consistency::BoundedStaleness
        {
            let message = format!("`{field}` is the bound of `consistency: bounded-staleness`");
            return wrong(field, message, "choose that level, or leave it out");
        }
        if self.staleness_writes.is_some_and(|writes| writes < least_writes) {
            let message = format!("in several regions the bound is at least {least_writes} writes");
            return wrong("staleness-writes", message, "leave it out for the least");
        }
        if self.staleness.is_some_and(|span| span < least) {
            let message = format!("in several regions the bound is at least {least}");
            return wrong("staleness", message, "leave it out for the least");
        }
        Ok(())
    }

    /// Strong consistency over more than 5,000 miles is blocked (facts 1.1).
    fn check_distance(&self, name: &str) -> Result<(), PlanError> {
        if self.consistency != Consistency::Strong {
            return Ok(());
        }
        let sites = self.site.names();
        for (index, one) in sites.iter().enumerate() {
            for other in &sites[..index] {
                if published(one, other).is_some_and(|trip| trip.median > STRONG_LIMIT) {
                    let message = format!("`{one}` and `{other}` are too far apart for strong consistency");
                    return Err(PlanError::at(&["nodes", name, "consistency"], message)
                        .help("over 5,000 miles it is blocked; choose another level or a nearer region")
                        .word("distance"));
                }
            }
        }
        Ok(())
    }
}

fn add_feed(plan: &mut Plan, whole: &str, process: ProcessId, node: NodeId) {
    let address = Address { process, part: u16::MAX };
    let feed = Endpoint { address, protocol: Protocol::Store, node, place: None };
    plan.add_endpoint(&format!("{whole}.{CHANGE_FEED}"), feed);
}
