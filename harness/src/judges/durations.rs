//! Durations: their quantiles, and how many never came to an end.

use beaufort_sim::time::Span;
use hdrhistogram::Histogram;

/// Durations, and how many never came to an end.
#[derive(Clone, Debug)]
pub(crate) struct Durations {
    /// In microseconds.
    histogram: Option<Histogram<u32>>,
    longest: Span,
    /// Longer than any bound: not over when the run ended.
    pub(crate) endless: u64,
}

impl Durations {
    pub(super) fn new() -> Durations {
        // One microsecond to ten days, three digits.
        let histogram = Histogram::new_with_bounds(1, 864_000_000_000, 3).ok();
        Durations { histogram, longest: Span::ZERO, endless: 0 }
    }

    pub(crate) fn record(&mut self, span: Span) {
        self.longest = self.longest.max(span);
        if let Some(histogram) = &mut self.histogram {
            histogram.saturating_record((span.0 / 1000).max(1));
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.histogram.as_ref().map_or(0, Histogram::len) + self.endless
    }

    /// The quantile in per mille; `None` where it never ended.
    pub(super) fn quantile(&self, per_mille: u64) -> Option<Span> {
        let histogram = self.histogram.as_ref()?;
        let rank = (self.len() * per_mille).div_ceil(1000).max(1);
        if rank > histogram.len() {
            return None;
        }
        if rank == self.len() {
            return Some(self.longest);
        }
        let mut below = 0;
        for step in histogram.iter_recorded() {
            below += step.count_since_last_iteration();
            if below >= rank {
                return Some(Span::micros(histogram.lowest_equivalent(step.value_iterated_to())));
            }
        }
        Some(self.longest)
    }

    pub(super) fn longest(&self) -> Option<Span> {
        (self.endless == 0).then_some(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_counts_what_never_ended() {
        let mut durations = Durations::new();
        (1..=99).for_each(|ms| durations.record(Span::millis(ms)));
        let near = |span: Option<Span>, ms: u64| {
            span.is_some_and(|span| span <= Span::millis(ms) && span + Span::micros(100) > Span::millis(ms))
        };
        assert!(near(durations.quantile(500), 50), "{:?}", durations.quantile(500));
        durations.endless = 1;
        assert!(near(durations.quantile(990), 99), "{:?}", durations.quantile(990));
        durations.endless = 2;
        assert_eq!(durations.quantile(990), None);
    }
}
