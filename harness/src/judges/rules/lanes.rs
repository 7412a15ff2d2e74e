//! The lanes of an item's state: counters of four bits, and what the bits of the first two mean.

use smallvec::SmallVec;

/// A counter of four bits in the words of an item; it stays at 15.
pub(crate) type Lane = u8;
/// Several of them.
pub(crate) type Lanes = SmallVec<[Lane; 4]>;

/// What is counted of a place: births; births less what was undone; births less what a failover took away,
/// where the place is one of a replicated store.
pub(crate) const COLUMNS: usize = 3;
/// The column of births.
pub(crate) const GROSS: usize = 0;
/// The column of births less what was undone.
pub(crate) const NET: usize = 1;
/// The column of births less what a failover took away.
pub(crate) const STANDING: usize = 2;

/// No lane.
pub(crate) const NOWHERE: Lane = Lane::MAX;
/// Lane 0: what became of copies (bits below).
pub(crate) const ENDS: Lane = 0;
/// Lane 1: how its caller was answered (bits below).
pub(crate) const CONCLUSION: Lane = 1;
/// The first lane that counts something.
pub(super) const FIRST: Lane = 2;

/// Bits of [`ENDS`].
pub(crate) mod ends {
    /// A copy was dead-lettered.
    pub(crate) const DEAD_LETTERED: u64 = 1;
    /// A copy expired.
    pub(crate) const EXPIRED: u64 = 2;
    /// A copy was discarded for a documented reason.
    pub(crate) const DISCARDED: u64 = 4;
    /// A copy was destroyed.
    pub(crate) const DESTROYED: u64 = 8;
}

/// Bits of [`CONCLUSION`].
pub(crate) mod conclusion {
    /// Success.
    pub(crate) const OK: u64 = 1;
    /// Not known.
    pub(crate) const UNKNOWN: u64 = 2;
    /// A definite no.
    pub(crate) const REFUSED: u64 = 4;
    /// Given up after definite errors.
    pub(crate) const FAILED: u64 = 8;
}

/// The value of a lane.
pub(crate) fn lane(words: &[u64], lane: Lane) -> u64 {
    words[usize::from(lane) / 16] >> (u32::from(lane) % 16 * 4) & 15
}

/// Counts one more on a lane, to at most 15, and returns what it was before.
pub(crate) fn count(words: &mut [u64], which: Lane) -> u64 {
    let before = lane(words, which);
    if before < 15 {
        words[usize::from(which) / 16] += 1 << (u32::from(which) % 16 * 4);
    }
    before
}

/// Counts one less on a lane, to no less than 0.
pub(crate) fn uncount(words: &mut [u64], which: Lane) {
    if lane(words, which) > 0 {
        words[usize::from(which) / 16] -= 1 << (u32::from(which) % 16 * 4);
    }
}

/// Sets bits of a lane.
pub(crate) fn mark(words: &mut [u64], which: Lane, bits: u64) {
    words[usize::from(which) / 16] |= bits << (u32::from(which) % 16 * 4);
}

/// Whether every one of these lanes has counted.
pub(crate) fn all(words: &[u64], lanes: &[Lane]) -> bool {
    lanes.iter().all(|which| lane(words, *which) > 0)
}
