//! What both processes of a profile know: its endpoints, and by which rule one is chosen for a client.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blueprint::Blueprint;
use crate::ids::{Address, ProcessId};
use crate::message::control::Listing;
use crate::network::links::{Route, routes};
use crate::plan::Plan;
use crate::time::Span;
use crate::units::{Distribution, Sampler};

/// By which rule an endpoint is chosen among those that are healthy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The first in the list. When it is well again it is chosen again.
    #[default]
    Priority,
    /// By chance, in proportion to the weights; drawn for each lookup.
    Weighted,
    /// The nearest to the client: in its own site, else that with the shortest round trip; the first in the list
    /// where all are as far.
    Performance,
    /// That which is named for the client's site, healthy or not.
    Geographic,
}

/// An endpoint of the profile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) address: Address,
    pub(super) weight: u32,
}

/// A profile as configured.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) method: Method,
    pub(super) targets: Vec<Target>,
    pub(super) geography: Vec<(Option<u8>, u8)>,
    pub(super) distances: Distances,
    pub(super) interval: Span,
    pub(super) tolerated: u8,
    pub(super) timeout: Span,
    pub(super) ttl: Span,
    pub(super) lookup: Sampler,
    pub(super) regions: u8,
    pub(super) servers: ProcessId,
    pub(super) monitor: ProcessId,
}

/// What the name servers answer from: the endpoints that are enabled, and those of them that are degraded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Records {
    pub(super) listed: Listing,
    pub(super) degraded: u16,
}

impl Records {
    /// All endpoints of the profile, none of them probed yet.
    pub(super) fn first(profile: &Profile) -> Records {
        Records { listed: Listing::all(profile.targets.len()), degraded: 0 }
    }

    /// The endpoints among which one is chosen: the healthy ones, or all where none is healthy (fail open).
    fn candidates(self) -> impl Iterator<Item = u8> + Clone {
        let healthy = move |index: &u8| self.degraded >> index & 1 == 0;
        let open = !self.listed.iter().any(|index| healthy(&index));
        self.listed.iter().filter(move |index| open || healthy(index))
    }
}

impl Profile {
    /// The endpoint for this client; `draw` is its own.
    pub(super) fn choose(
        &self,
        records: Records,
        client: ProcessId,
        draw: u64,
        plan: &Plan,
    ) -> Option<Address> {
        let mut candidates = records.candidates();
        let index = match self.method {
            Method::Priority => candidates.next(),
            Method::Weighted => {
                let weight =
                    |index: &u8| u64::from(self.targets.get(usize::from(*index)).map_or(0, |t| t.weight));
                let sum: u64 = candidates.clone().map(|index| weight(&index)).sum();
                let mut at = ((u128::from(draw) * u128::from(sum)) >> 64) as u64;
                candidates.find(|index| {
                    let here = at < weight(index);
                    at = at.saturating_sub(weight(index));
                    here
                })
            }
            Method::Performance => candidates.min_by_key(|index| {
                let target = self.targets.get(usize::from(*index));
                target.map_or(Span::FOREVER, |t| self.distances.between(client, t.address.process, plan))
            }),
            Method::Geographic => {
                let site = plan.process(client).location.site();
                let of = |wanted: Option<u8>| self.geography.iter().find(|(site, _)| *site == wanted);
                let found =
                    site.and_then(|site| of(Some(site))).or_else(|| of(None)).map(|(_, index)| *index);
                found.filter(|index| records.listed.iter().any(|listed| listed == *index))
            }
        };
        self.targets.get(usize::from(index?)).map(|target| target.address)
    }
}

/// How far the sites are from one another: the median of the round trip, between any two.
#[derive(Debug)]
pub(super) struct Distances(Vec<((u8, u8), Span)>);

impl Distances {
    pub(super) fn new(blueprint: &Blueprint) -> Distances {
        let median = |route: &Route| match route.round_trip {
            Distribution::Constant(span) => span,
            Distribution::Uniform(low, high) => (low + high).scaled(1, 2),
            Distribution::Lognormal { median, .. } => median,
        };
        Distances(routes(blueprint).iter().map(|route| (route.sites, median(route))).collect())
    }

    /// Of somebody on the internet all endpoints are as far.
    fn between(&self, client: ProcessId, endpoint: ProcessId, plan: &Plan) -> Span {
        let (from, to) = (plan.process(client).location.site(), plan.process(endpoint).location.site());
        let (Some(from), Some(to)) = (from, to) else { return Span::FOREVER };
        let pair = (from.min(to), from.max(to));
        let found = self.0.iter().find(|(sites, _)| *sites == pair).map(|(_, span)| *span);
        if from == to { Span::ZERO } else { found.unwrap_or(Span::FOREVER) }
    }
}
