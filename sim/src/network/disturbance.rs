//! What can be wrong on a path while a fault is active. Nothing here draws by position: a burst is a
//! function of (label, time), a loss of (label, message).

use crate::faults::Aim;
use crate::ids::{FaultId, ProcessId};
use crate::network::scope::Scope;
use crate::random::{Purpose, Random};
use crate::time::{Span, Time};
use crate::units::{Distribution, Sampler, exponential};

/// How a cut shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// Packets vanish.
    Silent,
    /// The sender is told with a reset.
    Reset,
}

/// Losses that come in bursts (Gilbert and Elliott's two states).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// How long a burst is on average.
    pub length: Span,
    /// The share that is lost in it.
    pub rate: f64,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Wrong {
    /// A message takes this much longer.
    Latency(Sampler),
    /// Packets are lost.
    Loss {
        /// The share over all time.
        rate: f64,
        /// In bursts.
        burst: Option<Burst>,
    },
    /// This share of the datagrams arrives twice.
    Duplicate(f64),
    /// Datagrams are held back.
    Reorder {
        /// This share.
        rate: f64,
        /// For so long.
        gap: Sampler,
    },
    /// No more than so many bytes a second.
    Bandwidth(u64),
    /// Nothing gets through.
    Cut {
        /// How it shows itself.
        how: Silence,
        /// Only connections that are not established.
        only_new: bool,
        /// Period and the part of it in which nothing gets through, in nanoseconds.
        flap: Option<(u64, u64)>,
    },
    /// The connection is reset with this probability at each message.
    Reset(f64),
    /// A connection is reset when it has carried so many bytes.
    LimitData(u64),
    /// No more than so many connections.
    ConnectionLimit(u32),
}

impl Wrong {
    /// Nothing gets through, silently.
    #[must_use]
    pub const fn cut() -> Wrong {
        Wrong::Cut { how: Silence::Silent, only_new: false, flap: None }
    }

    /// Whether it can grow bit by bit.
    #[must_use]
    pub const fn can_ramp(&self) -> bool {
        match self {
            Wrong::Latency(_)
            | Wrong::Loss { .. }
            | Wrong::Duplicate(_)
            | Wrong::Reorder { .. }
            | Wrong::Reset(_) => true,
            Wrong::Bandwidth(_) | Wrong::Cut { .. } | Wrong::LimitData(_) | Wrong::ConnectionLimit(_) => {
                false
            }
        }
    }
}

/// Something wrong between some processes.
#[derive(Clone, Debug, PartialEq)]
pub struct Disturbance {
    /// By which fault.
    pub fault: FaultId,
    /// The hash of its name; enters every draw.
    pub label: u64,
    /// Whether probes are spared.
    pub hidden: bool,
    /// Between whom.
    pub scope: Scope,
    /// What.
    pub what: Wrong,
    /// Since when.
    pub since: Time,
    /// When the path is free again, forth and back (limited bandwidth only).
    pub(crate) free_at: [Time; 2],
}

impl Disturbance {
    /// By this fault, in this scope.
    #[must_use]
    pub fn new(aim: &Aim<'_>, scope: Scope, what: Wrong) -> Disturbance {
        Disturbance {
            fault: aim.fault,
            label: aim.label,
            hidden: aim.placement.hidden,
            scope,
            what,
            since: Time::ZERO,
            free_at: [Time::ZERO; 2],
        }
    }

    /// The same at part of its strength, in thousandths.
    #[must_use]
    pub fn at_strength(&self, thousandths: u64) -> Disturbance {
        let part = |p: f64| p * thousandths as f64 / 1000.0;
        let mut weaker = self.clone();
        weaker.what = match &self.what {
            Wrong::Latency(sampler) => Wrong::Latency(scaled(sampler, thousandths)),
            Wrong::Loss { rate, burst } => {
                // A burst's inner rate stays; there are fewer of them.
                Wrong::Loss { rate: part(*rate), burst: *burst }
            }
            Wrong::Duplicate(rate) => Wrong::Duplicate(part(*rate)),
            Wrong::Reorder { rate, gap } => Wrong::Reorder { rate: part(*rate), gap: gap.clone() },
            Wrong::Reset(rate) => Wrong::Reset(part(*rate)),
            other => other.clone(),
        };
        weaker
    }

    /// The probability of a loss at this instant.
    #[must_use]
    pub fn loss_at(&self, random: &Random, now: Time) -> f64 {
        match &self.what {
            Wrong::Loss { rate, burst: None } => *rate,
            Wrong::Loss { rate, burst: Some(burst) } if in_burst(random, self.label, *rate, *burst, now) => {
                burst.rate
            }
            _ => 0.0,
        }
    }

    /// Whether it cuts a message in this direction at this instant, and how.
    #[must_use]
    pub fn cuts(&self, from: ProcessId, to: ProcessId, established: bool, now: Time) -> Option<Silence> {
        let Wrong::Cut { how, only_new, flap } = &self.what else { return None };
        if established && *only_new {
            return None;
        }
        // A handshake needs both directions.
        let covered = if established { self.scope.covers(from, to) } else { self.scope.touches(from, to) };
        let closed = flap.is_none_or(|(period, shut)| now.since(self.since).0 % period < shut);
        (covered && closed).then_some(*how)
    }
}

fn scaled(sampler: &Sampler, thousandths: u64) -> Sampler {
    let part = |span: Span| span.scaled(thousandths, 1000);
    match sampler {
        Sampler::Constant(span) => Sampler::Constant(part(*span)),
        Sampler::Uniform(low, high) => Sampler::Uniform(part(*low), part(*high)),
        Sampler::Table(steps) => Sampler::Table(steps.iter().map(|step| part(Span(*step)).0).collect()),
    }
}

/// Whether there is a burst at this instant: a function of label and time, so that every message and
/// every engine meets the same weather. Time is cut into cycles; each has one burst, at a drawn offset
/// and of exponential length, that may reach into the next two cycles.
fn in_burst(random: &Random, label: u64, rate: f64, burst: Burst, now: Time) -> bool {
    if rate <= 0.0 || burst.rate <= 0.0 {
        return false;
    }
    let cycle = ((burst.length.0 as f64 * burst.rate / rate) as u64).max(1);
    let current = now.0 / cycle;
    (current.saturating_sub(2)..=current).any(|number| {
        let offset = random.below(cycle, Purpose::Burst, label, [number, 0]);
        let length = burst.length.0 as f64 * exponential(random.draw(Purpose::Burst, label, [number, 1]));
        let start = number * cycle + offset;
        (start..start.saturating_add(length as u64)).contains(&now.0)
    })
}

/// The sampler of a latency that is given by its median and 99th percentile.
pub(crate) fn lognormal(median: Span, p99: Span) -> Sampler {
    Distribution::Lognormal { median, p99 }.sampler()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_have_about_the_stated_share_and_length() {
        let random = Random::new(3);
        let burst = Burst { length: Span::secs(2), rate: 0.5 };
        let samples = 200_000u64;
        let hits: Vec<bool> =
            (0..samples).map(|n| in_burst(&random, 9, 0.05, burst, Time(n * 100_000_000))).collect();
        let share = hits.iter().filter(|hit| **hit).count() as f64 / samples as f64;
        assert!((share - 0.1).abs() < 0.02, "share {share}");
        let starts = hits.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
        let length = share * samples as f64 * 0.1 / starts;
        assert!((1.6..2.8).contains(&length), "mean length {length}");
    }
}
