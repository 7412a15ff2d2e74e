//! The running digest of a run: two runs with one digest saw the same events in the same order.

use std::fmt;

use crate::random::mix;

/// A 128-bit digest of everything folded into it, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Digest {
    low: u64,
    high: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Digest { low: 0x243f_6a88_85a3_08d3, high: 0x1319_8a2e_0370_7344 }
    }
}

impl Digest {
    /// Folds in the declared fields of one event.
    pub fn fold(&mut self, a: u64, b: u64) {
        self.low = mix(self.low ^ a, b ^ 0xa409_3822_299f_31d0);
        self.high = mix(self.high.rotate_left(23) ^ b, a ^ self.low ^ 0x082e_fa98_ec4e_6c89);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.high, self.low)
    }
}
