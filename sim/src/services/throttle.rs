//! Credits by period (facts 1.2): so many are granted at the start of each, what is left does not carry over.

use crate::node::Gauge;
use crate::time::{Span, Time};
use crate::units::Rate;

/// A limit: so much in each period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) count: u64,
    pub(crate) per: Span,
}

impl Limit {
    /// A rate as a limit of at least one in its period.
    pub(crate) fn of(rate: Rate) -> Limit {
        if rate.count >= 1.0 {
            return Limit { count: rate.count as u64, per: rate.per };
        }
        Limit { count: u64::from(rate.count > 0.0), per: rate.interval().unwrap_or(rate.per) }
    }
}

/// What is used up in the current period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meter {
    period: u64,
    used: u64,
    /// Whether something was refused: what is left is too little.
    refused: bool,
}

impl Meter {
    /// Takes so many credits, if there are enough. A request that costs more than a whole period's grant
    /// is let through at the start of one.
    pub(crate) fn take(&mut self, cost: u64, limit: Limit, now: Time) -> bool {
        let fits = self.has(cost, limit, now);
        if fits {
            self.used += cost;
        }
        fits
    }

    /// Whether [`take`](Meter::take) would take so many, without taking them.
    pub(crate) fn has(&mut self, cost: u64, limit: Limit, now: Time) -> bool {
        let period = now.0 / limit.per.0.max(1);
        if period != self.period {
            *self = Meter { period, ..Meter::default() };
        }
        let fits = self.used + cost <= limit.count || (self.used == 0 && limit.count > 0);
        self.refused |= !fits;
        fits
    }

    /// How much of the current period's grant is used: all of it, once something was refused. Only a look.
    pub(crate) fn gauge(self, name: &'static str, unit: &'static str, limit: Limit, now: Time) -> Gauge {
        let current = now.0 / limit.per.0.max(1) == self.period;
        let used = match (current, self.refused) {
            (false, _) => 0,
            (true, false) => self.used,
            (true, true) => self.used.max(limit.count),
        };
        Gauge::rate(name, unit, used as f64, limit.count as f64, limit.per)
    }

    /// How long until the next grant.
    pub(crate) fn wait(limit: Limit, now: Time) -> Span {
        let per = limit.per.0.max(1);
        Span(per - now.0 % per)
    }
}

/// The limit that a fault puts on something, and what is used of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pinch {
    limit: Option<Limit>,
    meter: Meter,
}

impl Pinch {
    /// Takes so many credits of the limit that the fault sets now; see [`Meter::take`].
    pub(crate) fn take(&mut self, cost: u64, limit: Limit, now: Time) -> bool {
        self.limit = Some(limit);
        self.meter.take(cost, limit, now)
    }

    /// How much of it is used, in a period in which something was asked of it.
    pub(crate) fn gauge(&self, unit: &'static str, now: Time) -> Option<Gauge> {
        let gauge = self.meter.gauge(PINCHED, unit, self.limit?, now);
        (gauge.used > 0.0).then_some(gauge)
    }
}

/// The name of a limit that a fault sets.
pub(crate) const PINCHED: &str = "limit of a fault";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credits_are_granted_at_the_start_of_a_period_and_do_not_carry_over() {
        let limit = Limit { count: 3, per: Span::secs(1) };
        let mut meter = Meter::default();
        let at = |ms: u64| Time(ms * 1_000_000);
        assert!((0..3).all(|_| meter.take(1, limit, at(10))));
        assert!(!meter.take(1, limit, at(999)));
        assert_eq!(Meter::wait(limit, at(999)), Span::millis(1));
        assert!(meter.take(2, limit, at(5000)) && !meter.take(2, limit, at(5001)));
        assert_eq!(
            meter.gauge("credits", "credits", limit, at(5001)).used,
            3.0,
            "what is left is too little"
        );
        assert_eq!(meter.gauge("credits", "credits", limit, at(6000)).used, 0.0);
        assert!(!meter.take(2, limit, at(5999)), "a look at the next period does not begin it");
        assert_eq!(Limit::of(Rate { count: 0.5, per: Span::secs(1) }).per, Span::secs(2));
    }
}
