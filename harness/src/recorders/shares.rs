//! How many of the items of each door succeeded, bin by bin, on every seed: small enough to be kept for
//! thousands of them, and what the bands of a sweep are drawn from.

use beaufort_reports::SeedResult;
use beaufort_reports::series::{Band, DoorShare};
use beaufort_sim::ids::NodeId;
use beaufort_sim::observe::{Observation, Outcome, What};
use beaufort_sim::plan::Plan;

use super::Bins;

/// Counts items by when they were offered.
#[derive(Clone, Debug)]
pub(crate) struct Shares {
    bins: Bins,
    /// By node; empty for one that is no door.
    doors: Vec<Vec<(u32, u32)>>,
}

impl Shares {
    /// For a plan; nothing was offered yet.
    pub(crate) fn new(plan: &Plan) -> Shares {
        Shares { bins: Bins::of_load(plan), doors: vec![Vec::new(); plan.nodes.len()] }
    }

    /// Takes note of an item that was offered or that its caller is done with.
    #[inline]
    pub(crate) fn observe(&mut self, seen: &Observation) {
        match seen.what {
            What::Offered { door } => {
                let bin = self.bins.of(seen.at);
                self.door(door, bin).0 += 1;
            }
            What::Concluded { door, outcome: Outcome::Ok, offered } => {
                let bin = self.bins.of(offered);
                self.door(door, bin).1 += 1;
            }
            _ => {}
        }
    }

    fn door(&mut self, door: NodeId, bin: usize) -> &mut (u32, u32) {
        let counts = &mut self.doors[door.index()];
        if counts.is_empty() {
            *counts = self.bins.zeros();
        }
        &mut counts[bin]
    }

    /// What came of it, door by door.
    pub(crate) fn finish(&self, plan: &Plan) -> Vec<DoorShare> {
        let doors = self.doors.iter().zip(&plan.nodes).filter(|(counts, _)| !counts.is_empty());
        doors
            .map(|(counts, node)| DoorShare {
                door: node.name.clone(),
                start: self.bins.start,
                step: self.bins.step(),
                counts: counts.clone(),
            })
            .collect()
    }
}

/// How the seeds differ, door by door.
pub(crate) fn bands(seeds: &[SeedResult]) -> Vec<Band> {
    let Some(first) = seeds.first().filter(|_| seeds.len() > 1) else { return Vec::new() };
    first.shares.iter().map(|door| band(seeds, door)).collect()
}

fn band(seeds: &[SeedResult], door: &DoorShare) -> Band {
    let of = |seed: &'_ SeedResult| seed.shares.iter().position(|share| share.door == door.door);
    let same: Vec<&DoorShare> = seeds.iter().filter_map(|seed| Some(&seed.shares[of(seed)?])).collect();
    let mut band = Band { door: door.door.clone(), start: door.start, step: door.step, ..Band::default() };
    for bin in 0..door.counts.len() {
        let counts = same.iter().filter_map(|share| share.counts.get(bin));
        let offered = counts.filter(|(offered, _)| *offered > 0);
        let mut shares: Vec<f64> =
            offered.map(|(offered, ok)| f64::from(*ok) / f64::from(*offered)).collect();
        shares.sort_by(f64::total_cmp);
        band.p10.push(quantile(&shares, 0.1));
        band.p50.push(quantile(&shares, 0.5));
        band.p90.push(quantile(&shares, 0.9));
    }
    band
}

/// The value below which this share of the sorted ones lies: the nearest rank.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_is_of_those_seeds_that_offered_something() {
        let seed = |ok: u32| SeedResult {
            shares: vec![DoorShare {
                door: "api".into(),
                start: -60.0,
                step: 10.0,
                counts: vec![(10, ok), (0, 0)],
            }],
            ..SeedResult::default()
        };
        let seeds: Vec<SeedResult> = (1..=10).map(seed).collect();
        let bands = bands(&seeds);
        assert_eq!(bands.len(), 1);
        assert_eq!((bands[0].p10[0], bands[0].p50[0], bands[0].p90[0]), (Some(0.1), Some(0.5), Some(0.9)));
        assert_eq!(bands[0].p50[1], None);
        assert!(super::bands(&seeds[..1]).is_empty(), "one seed has no band");
    }
}
