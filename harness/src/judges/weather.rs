//! Which part of a run is calm: windows from the start of a timed fault until it is healed, the backlog
//! is back at its level before, and a minute over. Backlogs are sampled once a simulated second.

use std::collections::VecDeque;

use beaufort_sim::time::{Span, Time};

/// How long after healing a window stays open at least.
pub(crate) const MARGIN: Span = Span::secs(60);
/// Distance of the samples of a backlog.
const EVERY: Span = Span::secs(1);
/// How many samples make the level before.
const SAMPLES: usize = 60;

/// The recent history of a backlog.
#[derive(Clone, Debug, Default)]
pub(crate) struct Level {
    samples: VecDeque<i64>,
}

impl Level {
    /// Adds a sample.
    pub(crate) fn sample(&mut self, depth: i64) {
        if self.samples.len() == SAMPLES {
            self.samples.pop_front();
        }
        self.samples.push_back(depth);
    }

    /// What counts as back to normal: twice the highest of the last minute, and at least ten more than it,
    /// so that the ordinary ups and downs of a queue are no backlog.
    pub(crate) fn normal(&self) -> i64 {
        let peak = self.samples.iter().copied().max().unwrap_or(0);
        (peak * 2).max(peak + 10)
    }
}

/// The windows of trouble.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    next: Time,
    level: Level,
    active: u32,
    open: Option<Time>,
    healed: Time,
    normal: i64,
    /// Windows that are over.
    past: Vec<(Time, Time)>,
    /// Whether any timed fault began.
    begun: Option<Time>,
}

/// Before, during, after the timed faults.
pub(crate) const PHASES: [&str; 3] = ["before", "during", "after"];

impl Weather {
    /// Whether it is time for a sample.
    pub(crate) fn due(&self, now: Time) -> bool {
        now >= self.next
    }

    /// Takes a sample of the whole backlog.
    pub(crate) fn sample(&mut self, now: Time, backlog: i64) {
        // The backlog is as it has been since the last thing that happened, at most a sample after `next`.
        let since_then = self.next.min(now);
        self.next = now + EVERY;
        self.level.sample(backlog);
        if let Some(since) = self.open
            && self.active == 0
            && now >= self.healed + MARGIN
            && backlog <= self.normal
        {
            self.past.push((since, since_then.max(self.healed + MARGIN)));
            self.open = None;
        }
    }

    /// A timed fault begins.
    pub(crate) fn begin(&mut self, now: Time) {
        self.active += 1;
        self.begun.get_or_insert(now);
        if self.open.is_none() {
            self.open = Some(now);
            self.normal = self.level.normal();
        }
    }

    /// A timed fault is healed.
    pub(crate) fn heal(&mut self, now: Time) {
        self.active = self.active.saturating_sub(1);
        self.healed = now;
    }

    /// Whether any part of this time is in a window.
    pub(crate) fn troubled(&self, from: Time, to: Time) -> bool {
        self.open.is_some_and(|since| to >= since)
            || self.past.iter().rev().any(|&(start, end)| from <= end && to >= start)
    }

    /// Whether there was any window.
    pub(crate) fn ever(&self) -> bool {
        self.begun.is_some()
    }

    /// Which phase it is: an index into [`PHASES`].
    pub(crate) fn phase(&self) -> usize {
        match (self.begun, self.active) {
            (None, _) => 0,
            (_, 0) => 2,
            _ => 1,
        }
    }

    /// When the first timed fault began and the last one ended, if any did.
    pub(crate) fn span(&self, end: Time) -> Option<(Time, Time)> {
        self.begun.map(|begun| (begun, if self.active > 0 { end } else { self.healed }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::secs(seconds)
    }

    #[test]
    fn a_window_stays_open_until_the_backlog_is_back() {
        let mut weather = Weather::default();
        (0..60).for_each(|s| weather.sample(at(s), 5));
        weather.begin(at(60));
        weather.sample(at(61), 500);
        weather.heal(at(70));
        weather.sample(at(131), 400);
        assert!(weather.troubled(at(150), at(151)));
        weather.sample(at(199), 400);
        weather.sample(at(200), 12);
        assert!(!weather.troubled(at(201), at(202)));
        assert!(weather.troubled(at(199), at(202)));
        assert!(weather.troubled(at(50), at(62)));
        assert!(!weather.troubled(at(50), at(59)));
    }

    #[test]
    fn a_window_does_not_last_until_the_next_thing_happens() {
        let mut weather = Weather::default();
        weather.begin(at(10));
        weather.sample(at(12), 0);
        weather.heal(at(12));
        weather.sample(at(500), 0);
        assert!(weather.troubled(at(72), at(73)));
        assert!(!weather.troubled(at(73), at(500)));
    }
}
