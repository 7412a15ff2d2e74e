//! Chance: one seed, and every draw is a hash of what it is for. There is no position in a stream, so
//! one more retry, fault or node shifts nothing else.

use serde::{Deserialize, Serialize};

/// What a draw decides. Part of the hash, so that two decisions about one item are independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
#[expect(missing_docs, reason = "each name says what is drawn")]
pub enum Purpose {
    Latency = 1,
    Loss,
    Burst,
    Retransmission,
    Work,
    Jitter,
    Arrival,
    Key,
    FaultChance,
    FaultTime,
    Disk,
    Placement,
    Balance,
    Refusal,
    Identity,
    ColdStart,
    Human,
    Phase,
}

/// The source of every random decision of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    seed: u64,
}

impl Random {
    /// All the randomness of the run with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed: mix(seed ^ 0x9e37_79b9_7f4a_7c15, 0xd1b5_4a32_d192_ed03) }
    }

    /// A uniform 64-bit draw for this purpose, by or between these names (hashes of names, never
    /// indices), about this identity.
    #[must_use]
    pub fn draw(&self, purpose: Purpose, names: u64, identity: [u64; 2]) -> u64 {
        let a = mix(self.seed ^ identity[0], 0xa076_1d64_78bd_642f ^ names);
        mix(a ^ identity[1], 0xe703_7ed1_a0b4_28db ^ (purpose as u64).wrapping_mul(0x8ebc_6af0_9c88_c6e3))
    }

    /// A draw in `[0, 1)` with 53 bits.
    #[must_use]
    pub fn unit(&self, purpose: Purpose, names: u64, identity: [u64; 2]) -> f64 {
        to_unit(self.draw(purpose, names, identity))
    }

    /// Whether something of this probability happens.
    #[must_use]
    pub fn chance(&self, probability: f64, purpose: Purpose, names: u64, identity: [u64; 2]) -> bool {
        probability > 0.0 && self.unit(purpose, names, identity) < probability
    }

    /// A uniform draw in `0..n` (0 if `n` is 0).
    #[must_use]
    pub fn below(&self, n: u64, purpose: Purpose, names: u64, identity: [u64; 2]) -> u64 {
        ((u128::from(self.draw(purpose, names, identity)) * u128::from(n)) >> 64) as u64
    }
}

/// Maps a 64-bit draw to `[0, 1)`.
#[must_use]
pub fn to_unit(draw: u64) -> f64 {
    (draw >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// A 64-bit hash of a name; stable across builds and platforms (FNV-1a, then mixed).
#[must_use]
pub const fn name_hash(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0100_0000_01b3);
        i += 1;
    }
    mix(hash, 0x9fb2_1c65_1e98_df25)
}

/// Folds two 64-bit values into one: the high and the low half of their product.
#[must_use]
pub const fn mix(a: u64, b: u64) -> u64 {
    let product = (a ^ 0x2d35_8dcc_aa6c_78a5) as u128 * (b ^ 0x8bb8_4b93_962e_acc9) as u128;
    (product as u64) ^ ((product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_uniform_and_independent_of_each_other() {
        let random = Random::new(1);
        let n = 100_000;
        let mean: f64 = (0..n).map(|i| random.unit(Purpose::Work, 7, [i, 0])).sum::<f64>() / n as f64;
        assert!((mean - 0.5).abs() < 0.005, "mean {mean}");
        let both = (0..n).filter(|&i| {
            random.chance(0.5, Purpose::Work, 7, [i, 0]) && random.chance(0.5, Purpose::Loss, 7, [i, 0])
        });
        let share = both.count() as f64 / n as f64;
        assert!((share - 0.25).abs() < 0.01, "share {share}");
    }

    #[test]
    fn every_part_of_the_identity_matters() {
        let r = Random::new(1);
        let base = r.draw(Purpose::Work, 1, [2, 3]);
        assert_ne!(base, Random::new(2).draw(Purpose::Work, 1, [2, 3]));
        assert_ne!(base, r.draw(Purpose::Loss, 1, [2, 3]));
        assert_ne!(base, r.draw(Purpose::Work, 9, [2, 3]));
        assert_ne!(base, r.draw(Purpose::Work, 1, [9, 3]));
        assert_ne!(base, r.draw(Purpose::Work, 1, [2, 9]));
    }

    #[test]
    fn below_stays_below() {
        let r = Random::new(3);
        assert!((0..1000).all(|i| r.below(7, Purpose::Key, 0, [i, 0]) < 7));
        assert_eq!(r.below(0, Purpose::Key, 0, [0, 0]), 0);
    }
}
