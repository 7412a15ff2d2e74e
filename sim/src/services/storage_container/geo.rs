//! A container in two regions (facts 2.1, 2.3): written in the primary, copied to the paired region after a
//! while. A customer-managed failover that is not planned gives up what was written after the last sync
//! time; the old copy is deleted, and the account is locally redundant until people switch the replication
//! on again.

use super::{Redundancy, StorageContainer, StorageContainerProcess};
use crate::ids::ProcessId;
use crate::message::replication::Change;
use crate::message::store::{Command, Error};
use crate::node::{Context, Process};
use crate::plan::{Plan, PlanError};
use crate::services::replicas::declare::{self, at};
use crate::services::replicas::{Channel, ControlPlane, Leads, Mode, Pair, Paired, Replica, Tenure, rows};
use crate::time::Span;
use crate::units::Distribution;

/// The time to live of the record of an account's endpoint \[K\].
const ENDPOINT_TTL: Span = Span::secs(60);
/// How long a blob waits to be copied to the other region \[K\]; facts 2.1: typically below 15 min, no SLA.
const LAG: Span = Span::mins(5);

/// Timers of the pair, as opposed to those of requests.
pub(super) const PAIR: u64 = 1 << 62;

impl Redundancy {
    /// Whether it is copied to another region.
    pub(crate) const fn is_geo(self) -> bool {
        matches!(self, Redundancy::Grs | Redundancy::RaGrs | Redundancy::Gzrs | Redundancy::RaGzrs)
    }

    /// Whether the copy in the other region can be read.
    pub(super) const fn is_read(self) -> bool {
        matches!(self, Redundancy::RaGrs | Redundancy::RaGzrs)
    }

    /// Whether it is in several zones of its (primary) region.
    pub(super) const fn is_zonal(self) -> bool {
        matches!(self, Redundancy::Zrs | Redundancy::Gzrs | Redundancy::RaGzrs)
    }
}

impl StorageContainer {
    /// The site of the primary at first.
    pub(super) fn first(&self) -> Option<&str> {
        self.primary.as_deref().or_else(|| self.site.names().first().map(String::as_str))
    }

    /// Declares what stands before the two: the endpoint's name, which stays, and the control plane.
    pub(super) fn stand_before(&self, name: &str, plan: &mut Plan) {
        declare::add_control_plane(name, plan);
        let server = declare::add_name(name, plan);
        let Some(first) = self.first().map(|site| at(name, site)) else { return };
        let parts = self.holds.iter().map(|folder| format!(".{folder}")).chain([String::new()]);
        for part in parts {
            let Some(mut endpoint) = plan.endpoint(&format!("{first}{part}")).cloned() else { continue };
            endpoint.address.process = server;
            plan.add_endpoint(&format!("{name}{part}"), endpoint);
        }
    }

    /// What stands before the two.
    pub(super) fn before(&self, name: &str, plan: &Plan) -> Vec<(ProcessId, Box<dyn Process>)> {
        let replicas = declare::replicas_of(name, self.site.names(), plan);
        let leader = self.first().and_then(|site| plan.endpoint(&at(name, site)));
        let control = plan.node(name).and_then(|node| plan.control_of(node));
        let (Some(leader), Some(control), Some(server)) = (leader, control, plan.endpoint(name)) else {
            return Vec::new();
        };
        let leader = leader.address.process;
        vec![
            (control.process, Box::new(ControlPlane::new(leader, replicas))),
            (server.address.process, declare::name_server(leader, ENDPOINT_TTL)),
        ]
    }

    /// What the container in this site needs to know of the other.
    pub(super) fn pair(&self, name: &str, site: &str, plan: &Plan) -> Option<Pair> {
        let index = |site: &str| plan.blueprint.sites.get_index_of(site).map(|index| index as u8);
        let other = self.site.names().iter().find(|other| *other != site)?;
        let control = plan.control_of(plan.node(name)?)?.process;
        let promotion = self.promotion.unwrap_or(Distribution::Uniform(Span::mins(30), Span::mins(60)));
        Some(Pair {
            mode: Mode::Async,
            peer: plan.endpoint(&at(name, other))?.address.process,
            before: vec![plan.endpoint(name)?.address.process, control],
            site: index(site)?,
            peer_site: index(other)?,
            leads: self.first() == Some(site),
            max_lag: Span::FOREVER,
            promotion: promotion.sampler(),
            delay: self.lag.unwrap_or(LAG),
            once: true,
        })
    }

    /// Whether it can be replicated as it is written.
    pub(super) fn check_replication(&self, name: &str, plan: &Plan) -> Result<(), PlanError> {
        let wrong = |field: &str, word: &'static str, message: String, help: &str| {
            Err(PlanError::at(&["nodes", name, field], message).help(help).word(word))
        };
        let sites = self.site.names();
        if !self.redundancy.is_geo() {
            let given = [
                ("primary", self.primary.is_some()),
                ("lag", self.lag.is_some()),
                ("promotion", self.promotion.is_some()),
            ];
            let Some((field, _)) = given.into_iter().find(|(_, given)| *given) else { return Ok(()) };
            let message = format!("without a copy in another region a `{field}` means nothing");
            return wrong(field, "replication", message, "say `redundancy: grs` or another of that kind");
        }
        if sites.len() != 2 {
            let message = format!("a region and its pair: two sites, not {}", sites.len());
            return wrong("redundancy", "replication", message, "write `in: [a, b]`");
        }
        let Some(first) = self.first().filter(|first| sites.iter().any(|site| site == first)) else {
            let message = format!("`{}` is not one of its sites", self.first().unwrap_or_default());
            let help = format!("write one of: {}", sites.join(", "));
            return wrong("primary", "primary", message, &help);
        };
        let pair = plan.blueprint.sites.get(first).and_then(|site| site.pair.as_deref());
        if !pair.is_some_and(|pair| pair != first && sites.iter().any(|site| site == pair)) {
            let message = match pair {
                Some(pair) => format!("the pair of `{first}` is `{pair}`: it can be copied nowhere else"),
                None => format!("`{first}` has no pair to which it could be copied"),
            };
            let help = "say `pair` at the site, or `redundancy: zrs` where the region has none";
            return wrong("redundancy", "pair", message, help);
        }
        Ok(())
    }
}

impl StorageContainerProcess {
    /// Why this request is not served here: the secondary answers reads, if it may be read at all, and
    /// during a failover nothing is answered (facts 2.3).
    pub(super) fn turned_away(&self, command: &Command) -> Option<Error> {
        let reads = matches!(command, Command::Read { .. }) && self.can_be_read();
        (!self.serves() && !reads).then_some(Error::Unavailable)
    }

    /// Whether it answers reads.
    pub(super) fn can_be_read(&self) -> bool {
        let follows = self.tenure().is_some_and(|tenure| !tenure.leads());
        self.serves() || self.setup.reads && follows && self.in_sync()
    }

    /// Whether what it has is in the books: shadows are not.
    pub(super) fn is_booked(&self) -> bool {
        self.tenure.as_ref().is_none_or(|tenure| tenure.leads())
    }
}

impl Replica for StorageContainerProcess {
    fn pair(&self) -> Option<&Pair> {
        self.setup.pair.as_ref()
    }

    fn tenure(&self) -> Option<&Tenure> {
        self.tenure.as_deref()
    }

    fn tenure_mut(&mut self) -> Option<&mut Tenure> {
        self.tenure.as_deref_mut()
    }

    fn channel(&self) -> &Channel {
        &self.volatile.channel
    }

    fn channel_mut(&mut self) -> &mut Channel {
        &mut self.volatile.channel
    }

    fn token(what: u32) -> u64 {
        PAIR | u64::from(what)
    }

    /// What is under way is cut off, and nothing of it has happened.
    fn quiet(&mut self, cx: &mut Context<'_>) {
        let mut cut = self.volatile.front.deafen_all();
        cut.sort_unstable();
        cut.dedup();
        cut.into_iter().for_each(|connection| cx.close(connection));
    }

    fn reopen(&mut self, _: &mut Context<'_>) {}

    fn log_everything(&mut self) {
        self.log(rows::seed(&self.tables));
    }

    fn apply(&mut self, change: &Change, cx: &mut Context<'_>) {
        rows::apply(&mut self.tables, change, cx);
    }

    fn take_over(&mut self, cx: &mut Context<'_>) {
        rows::take_over(&self.tables, cx);
    }

    fn give_up(&mut self, keeps: bool, cx: &mut Context<'_>) {
        rows::give_up(&mut self.tables, keeps, cx);
    }
}
