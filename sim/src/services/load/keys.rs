//! Which key an item has: uniform, or by a Zipf law (a few customers place most of the orders).

/// A distribution over the keys `0..n`, drawn in constant time (Walker's alias method).
#[derive(Clone, Debug, PartialEq)]
pub struct Keys {
    count: u32,
    /// Empty where all keys are equally likely.
    table: Vec<Alias>,
}

/// One column: below the threshold the column's own key, above it the other.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Alias {
    threshold: u64,
    other: u32,
}

impl Keys {
    /// `count` keys; the k-th (from 1) has a share in proportion to `k^-skew`. Zero is uniform. No keys
    /// at all are one key.
    #[must_use]
    pub fn new(count: u32, skew: f64) -> Keys {
        let count = count.max(1);
        let table = if skew > 0.0 && count > 1 { alias_table(count, skew) } else { Vec::new() };
        Keys { count, table }
    }

    /// The key at this uniform 64-bit draw.
    #[must_use]
    pub fn at(&self, draw: u64) -> u32 {
        let product = u128::from(draw) * u128::from(self.count);
        let column = (product >> 64) as u32;
        match self.table.get(column as usize) {
            Some(alias) if (product as u64) >= alias.threshold => alias.other,
            _ => column,
        }
    }
}

const TWO_TO_64: f64 = 18_446_744_073_709_551_616.0;

fn alias_table(count: u32, skew: f64) -> Vec<Alias> {
    let weights: Vec<f64> = (1..=count).map(|k| libm::pow(f64::from(k), -skew)).collect();
    let total: f64 = weights.iter().sum();
    let mut share: Vec<f64> = weights.iter().map(|w| w / total * f64::from(count)).collect();
    let mut table = vec![Alias { threshold: u64::MAX, other: 0 }; count as usize];
    let (mut small, mut large): (Vec<u32>, Vec<u32>) = (0..count).partition(|k| share[*k as usize] < 1.0);
    while let (Some(less), Some(&more)) = (small.pop(), large.last()) {
        let missing = share[less as usize];
        table[less as usize] = Alias { threshold: (missing * TWO_TO_64) as u64, other: more };
        share[more as usize] -= 1.0 - missing;
        if share[more as usize] < 1.0 {
            large.pop();
            small.push(more);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};

    fn shares(keys: &Keys, count: usize) -> Vec<f64> {
        const DRAWS: u64 = 400_000;
        let random = Random::new(1);
        let mut seen = vec![0u32; count];
        for number in 0..DRAWS {
            seen[keys.at(random.draw(Purpose::Key, 1, [number, 0])) as usize] += 1;
        }
        seen.into_iter().map(|n| f64::from(n) / DRAWS as f64).collect()
    }

    #[test]
    fn shares_follow_the_zipf_law() {
        let total: f64 = (1..=50).map(|k| libm::pow(f64::from(k), -1.1)).sum();
        for (k, share) in shares(&Keys::new(50, 1.1), 50).into_iter().enumerate() {
            let wanted = libm::pow(k as f64 + 1.0, -1.1) / total;
            assert!((share - wanted).abs() < 0.002, "key {k}: {share} instead of {wanted}");
        }
    }

    #[test]
    fn without_skew_all_keys_are_equally_likely() {
        for share in shares(&Keys::new(10, 0.0), 10) {
            assert!((share - 0.1).abs() < 0.002, "{share}");
        }
        assert_eq!(Keys::new(0, 1.0).at(u64::MAX), 0);
    }
}
