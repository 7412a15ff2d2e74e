//! What a link between two sites does to every message, fault or not: it loses a share, and it carries only so
//! much at a time.

use crate::network::links::Route;
use crate::network::transport::losses;
use crate::random::{Purpose, Random};
use crate::time::{Span, Time};

/// A link with a limit or with losses.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) sites: (u8, u8),
    loss: f64,
    bandwidth: Option<u64>,
    /// When it is free again, forth and back.
    free_at: [Time; 2],
}

impl Line {
    /// The link of this route, if it does anything but take time.
    pub(crate) fn of(route: &Route) -> Option<Line> {
        let Route { sites, loss, bandwidth, .. } = *route;
        (loss > 0.0 || bandwidth.is_some()).then_some(Line {
            sites,
            loss,
            bandwidth,
            free_at: [Time::ZERO; 2],
        })
    }

    /// Takes up so many bytes in one direction; how long the message waits and is being sent.
    pub(crate) fn carry(&mut self, direction: usize, bytes: u64, now: Time) -> Span {
        let Some(rate) = self.bandwidth else { return Span::ZERO };
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
        let free = self.free_at[direction].max(now);
        self.free_at[direction] = free + Span(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.free_at[direction].since(now)
    }

    /// How often in a row this message is lost.
    pub(crate) fn losses(&self, random: &Random, names: u64, identity: [u64; 2]) -> u32 {
        if self.loss <= 0.0 {
            return 0;
        }
        losses(self.loss, random.unit(Purpose::Loss, names, identity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::links::{Source, UNKNOWN};

    fn line(loss: f64, bandwidth: Option<u64>) -> Line {
        let route = Route { sites: (0, 1), round_trip: UNKNOWN, source: Source::Unknown, loss, bandwidth };
        Line::of(&route).expect("a line")
    }

    #[test]
    fn a_full_line_makes_wait_and_each_direction_has_its_own() {
        let mut line = line(0.0, Some(1000));
        let now = Time::ZERO + Span::secs(1);
        assert_eq!(line.carry(0, 500, now), Span::millis(500));
        assert_eq!(line.carry(0, 500, now), Span::secs(1));
        assert_eq!(line.carry(1, 500, now), Span::millis(500));
        assert_eq!(line.carry(0, 500, now + Span::secs(5)), Span::millis(500));
    }

    #[test]
    fn the_stated_share_is_lost_in_every_try() {
        let (line, random) = (line(0.25, None), Random::new(5));
        let counts: Vec<u32> = (0..40_000).map(|n| line.losses(&random, 3, [n, 0])).collect();
        let share = |least: u32| counts.iter().filter(|count| **count >= least).count() as f64 / 40_000.0;
        assert!((share(1) - 0.25).abs() < 0.01 && (share(2) - 0.0625).abs() < 0.005);
    }
}
