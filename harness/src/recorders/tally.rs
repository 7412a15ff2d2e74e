//! How many there were in each bin, and how many of those each fault touched: a series for all, one for what was
//! touched at all, and one for each fault that touched any.

use std::collections::BTreeMap;

use beaufort_reports::trace::Touches;
use beaufort_sim::ids::{FaultId, FaultMask};

use super::Bins;

/// Counts by bin and fault.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    bins: Bins,
    count: Vec<u32>,
    /// Empty until something is touched.
    touched: Vec<u32>,
    by: BTreeMap<FaultId, Vec<u32>>,
}

impl Tally {
    pub(super) fn new(bins: Bins) -> Tally {
        Tally { bins, count: bins.zeros(), touched: Vec::new(), by: BTreeMap::new() }
    }

    /// One more in this bin, touched by these faults.
    pub(super) fn add(&mut self, bin: usize, by: FaultMask) {
        self.count[bin] += 1;
        if by.is_empty() {
            return;
        }
        self.touched.resize(self.bins.count, 0);
        self.touched[bin] += 1;
        for fault in by.iter() {
            self.by.entry(fault).or_insert_with(|| self.bins.zeros())[bin] += 1;
        }
    }

    /// All, by bin.
    pub(super) fn count(&self) -> Vec<u32> {
        self.count.clone()
    }

    /// Those that any fault touched, by bin; empty if there is none.
    pub(super) fn touched(&self) -> Vec<u32> {
        self.touched.clone()
    }

    /// Those that each fault touched.
    pub(super) fn by(&self) -> Vec<Touches> {
        self.by.iter().map(|(fault, count)| touches(*fault, count)).collect()
    }
}

/// Without the bins before the first touch and after the last.
fn touches(fault: FaultId, count: &[u32]) -> Touches {
    let first = count.iter().position(|count| *count > 0).unwrap_or(0);
    let end = count.iter().rposition(|count| *count > 0).map_or(first, |last| last + 1);
    Touches { fault: fault.0, first: first as u32, count: count[first..end].to_vec() }
}

#[cfg(test)]
mod tests {
    use beaufort_sim::time::{Span, Time};

    use super::*;
    use crate::judges::golden::plan;

    #[test]
    fn what_two_faults_touch_counts_for_each_of_them_and_once_in_all() {
        let bins = Bins::until(&plan(), Time::ZERO + Span::millis(60));
        assert_eq!(bins.count, 6);
        let (crash, slow) = (FaultId(1), FaultId(4));
        let (one, other) = (FaultMask::of(crash), FaultMask::of(slow));
        let mut tally = Tally::new(bins);
        for (bin, by) in [
            (0, FaultMask::NONE),
            (1, other),
            (3, one.and(other)),
            (3, FaultMask::NONE),
            (4, one),
            (5, FaultMask::NONE),
        ] {
            tally.add(bin, by);
        }
        assert_eq!(tally.count(), [1, 1, 0, 2, 1, 1]);
        assert_eq!(tally.touched(), [0, 1, 0, 1, 1, 0]);
        let touches =
            |fault: FaultId, first, count: &[u32]| Touches { fault: fault.0, first, count: count.to_vec() };
        assert_eq!(tally.by(), [touches(crash, 3, &[1, 1]), touches(slow, 1, &[1, 0, 1])]);
    }

    #[test]
    fn what_no_fault_touches_takes_no_room() {
        let mut tally = Tally::new(Bins::until(&plan(), Time::ZERO + Span::secs(1)));
        tally.add(0, FaultMask::NONE);
        assert!(tally.touched().is_empty() && tally.by().is_empty());
    }
}
