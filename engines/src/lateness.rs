//! How much later than it should an engine let something happen. A host takes an input at the instant at
//! which it was due, unless the host has been further already: then the input is late, and by how much is
//! the tolerance with which two engines can be compared.

use beaufort_sim::time::Span;
use hdrhistogram::Histogram;

/// The lateness of every input of a run.
#[derive(Clone, Debug)]
pub struct Lateness {
    inputs: u64,
    late: Histogram<u64>,
}

impl Default for Lateness {
    fn default() -> Self {
        // The least bounds that are allowed, with three digits: never refused, and it grows by itself.
        let mut late = Histogram::new_with_bounds(1, 2, 3).unwrap_or_else(|_| unreachable!("legal bounds"));
        late.auto(true);
        Lateness { inputs: 0, late }
    }
}

impl Lateness {
    /// An input was taken, this much after it was due.
    pub(crate) fn record(&mut self, by: Span) {
        self.inputs += 1;
        if !by.is_zero() {
            // It grows by itself; `record` fails only where that is switched off.
            let _ = self.late.record(by.0);
        }
    }

    /// How many inputs there were: messages, timers, faults.
    #[must_use]
    pub fn inputs(&self) -> u64 {
        self.inputs
    }

    /// How many of them were late.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late.len()
    }

    /// So late was at most this share of all inputs, from 0 to 1.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Span {
        let punctual = self.inputs - self.late();
        let rank = (share * self.inputs as f64).ceil() as u64;
        if rank <= punctual || self.late.is_empty() {
            return Span::ZERO;
        }
        Span(self.late.value_at_quantile((rank - punctual) as f64 / self.late() as f64))
    }

    /// The latest of all.
    #[must_use]
    pub fn max(&self) -> Span {
        Span(self.late.max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_count_the_punctual_ones() {
        let mut lateness = Lateness::default();
        (0..90).for_each(|_| lateness.record(Span::ZERO));
        (1..=10).for_each(|ms| lateness.record(Span::millis(ms)));
        assert_eq!((lateness.inputs(), lateness.late()), (100, 10));
        assert_eq!(lateness.quantile(0.9), Span::ZERO);
        let p95 = lateness.quantile(0.95).0 as f64;
        assert!((p95 - 5e6).abs() < 1e4, "{p95}");
        assert!(lateness.max() >= Span::millis(10));
        assert_eq!(Lateness::default().quantile(1.0), Span::ZERO);
    }
}
