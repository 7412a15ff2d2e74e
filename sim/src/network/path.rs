//! Segments and paths. A segment is shared by all pairs whose path leads over it.

use smallvec::SmallVec;

use crate::ids::ProcessId;
use crate::network::disturbance::lognormal;
use crate::network::links::Route;
use crate::plan::{Location, Plan};
use crate::random::{Purpose, Random, mix};
use crate::time::Span;
use crate::units::Sampler;

/// The segments of one direction of a path, by index.
pub(crate) type Path = SmallVec<[u16; 3]>;

/// A stretch of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stretch {
    /// Inside one zone.
    Fabric(u8, u8),
    /// Between two zones of a site, the smaller first.
    Zones(u8, u8, u8),
    /// To and from what is spread over the zones of a site.
    Site(u8),
    /// Between a site and the internet.
    Internet(u8),
    /// Outside all sites.
    Outside,
    /// Between two sites, the smaller first.
    Backbone(u8, u8),
}

/// A segment: a stretch with the hash of its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment {
    pub(crate) stretch: Stretch,
    pub(crate) hash: u64,
}

/// The one-way latencies by kind of stretch.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    fabric: Sampler,
    zones: Sampler,
    internet: Sampler,
    /// Between sites, by the smaller and the larger of them: row by row of a square.
    backbones: Vec<Sampler>,
    sites: usize,
}

impl Latencies {
    /// Round trips of 0.1 to 0.5 ms within a zone and below 2 ms between zones (facts data 5.6). To the
    /// internet: a parameter of ours. Between sites: what the links or the published table say.
    pub(crate) fn of_sites(sites: usize, routes: &[Route]) -> Self {
        let mut latencies = Self {
            fabric: lognormal(Span::micros(100), Span::micros(250)),
            zones: lognormal(Span::micros(450), Span::millis(1)),
            internet: lognormal(Span::millis(12), Span::millis(40)),
            backbones: vec![Sampler::Constant(Span::ZERO); sites * sites],
            sites,
        };
        for route in routes {
            let index = latencies.index(route.sites.0, route.sites.1);
            latencies.backbones[index] = route.one_way();
        }
        latencies
    }

    /// The same on every stretch.
    pub(crate) fn all(sampler: &Sampler, sites: usize) -> Latencies {
        Latencies {
            fabric: sampler.clone(),
            zones: sampler.clone(),
            internet: sampler.clone(),
            backbones: vec![sampler.clone(); sites * sites],
            sites,
        }
    }

    pub(crate) const fn sites(&self) -> usize {
        self.sites
    }

    const fn index(&self, from: u8, to: u8) -> usize {
        from as usize * self.sites + to as usize
    }

    #[inline]
    pub(crate) fn of(&self, stretch: Stretch) -> &Sampler {
        match stretch {
            Stretch::Fabric(..) => &self.fabric,
            Stretch::Zones(..) | Stretch::Site(_) => &self.zones,
            Stretch::Internet(_) | Stretch::Outside => &self.internet,
            Stretch::Backbone(from, to) => &self.backbones[self.index(from, to)],
        }
    }
}

/// The site that something is in, if it is in one.
pub(crate) fn site_of(location: Location) -> Option<u8> {
    match location {
        Location::Internet => None,
        Location::Zone { site, .. } | Location::Redundant { site, .. } | Location::AnyZone { site } => {
            Some(site)
        }
    }
}

/// The stretches between two locations.
pub(crate) fn stretches(a: Location, b: Location) -> SmallVec<[Stretch; 3]> {
    let mut path = SmallVec::new();
    match (site_of(a), site_of(b)) {
        (None, None) => path.push(Stretch::Outside),
        (Some(site), None) | (None, Some(site)) => path.push(Stretch::Internet(site)),
        (Some(s), Some(t)) if s != t => path.push(Stretch::Backbone(s.min(t), s.max(t))),
        (Some(site), Some(_)) => path.push(match (a, b) {
            (Location::Zone { zone: x, .. }, Location::Zone { zone: y, .. }) if x == y => {
                Stretch::Fabric(site, x)
            }
            (Location::Zone { zone: x, .. }, Location::Zone { zone: y, .. }) => {
                Stretch::Zones(site, x.min(y), x.max(y))
            }
            _ => Stretch::Site(site),
        }),
    }
    path
}

/// The hash of a stretch, by the names of its sites.
pub(crate) fn stretch_hash(plan: &Plan, stretch: Stretch) -> u64 {
    let site = |index: u8| {
        let name = plan.blueprint.sites.get_index(usize::from(index)).map_or("", |(name, _)| name.as_str());
        crate::random::name_hash(name)
    };
    match stretch {
        Stretch::Fabric(s, zone) => mix(site(s), u64::from(zone)),
        Stretch::Zones(s, a, b) => mix(site(s), u64::from(a) << 8 | u64::from(b)),
        Stretch::Site(s) => mix(site(s), 1 << 16),
        Stretch::Internet(s) => mix(site(s), 1 << 17),
        Stretch::Outside => 1 << 18,
        Stretch::Backbone(s, t) => mix(site(s), site(t)),
    }
}

/// Where every process runs: what may be in any zone is put into one by a draw on its name.
#[must_use]
pub fn place(plan: &Plan, random: &Random) -> Vec<Location> {
    let all = (0..plan.processes.len() as u32).map(ProcessId);
    all.map(|id| {
        let info = plan.process(id);
        let Location::AnyZone { site } = info.location else { return info.location };
        let zones =
            plan.blueprint.sites.get_index(usize::from(site)).map_or(1, |(_, site)| site.zones.max(1));
        let zone = random.below(u64::from(zones), Purpose::Placement, info.hash, [0, 0]) as u8 + 1;
        Location::Zone { site, zone }
    })
    .collect()
}
