//! The documented times of push delivery (facts 2.1): the retry schedule, the least delay for each
//! answer, which answers are not retried, and how long each failure puts a subscription on probation.

use crate::time::Span;

/// How long an answer is waited for.
pub(super) const RESPONSE_WAIT: Span = Span::secs(30);
/// An answer that comes later than that, but within this, still takes the event off the queue.
pub(super) const LATE_ANSWER: Span = Span::mins(3);
/// Between the last attempt and the dead letter; and between two attempts to write it \[K\].
pub(super) const DEAD_LETTER_DELAY: Span = Span::mins(5);
/// So long a container may be unavailable before an event is dropped.
pub(super) const DEAD_LETTER_PATIENCE: Span = Span::hours(4);
/// The pause before a failed validation handshake is tried again (facts 2.5).
pub(super) const HANDSHAKE_PAUSE: Span = Span::secs(5);

const STEPS: [Span; 10] = [
    Span::secs(10),
    Span::secs(30),
    Span::mins(1),
    Span::mins(5),
    Span::mins(10),
    Span::mins(30),
    Span::hours(1),
    Span::hours(3),
    Span::hours(6),
    Span::hours(12),
];

/// How an attempt failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The endpoint answered with this status.
    Status(u16),
    /// No answer in time.
    TimedOut,
    /// The connection was refused or broke.
    Socket,
}

impl Failure {
    /// Whether it is not tried again. `azure_resource`: a function app; else a webhook.
    pub(super) fn is_final(self, azure_resource: bool) -> bool {
        match self {
            Failure::Status(400 | 403 | 413) => true,
            Failure::Status(401) => !azure_resource,
            _ => false,
        }
    }

    /// The least delay before the next attempt.
    fn least(self, azure_resource: bool) -> Span {
        match self {
            Failure::Status(401 | 404) if azure_resource => Span::mins(5),
            Failure::Status(408) => Span::mins(2),
            Failure::Status(503) => Span::secs(30),
            _ => Span::secs(10),
        }
    }

    /// The delay after `attempts` failed attempts (from 1). The service adds "a small randomisation":
    /// up to a twentieth more \[K\], at this uniform draw.
    pub(super) fn delay(self, attempts: u32, azure_resource: bool, draw: u64) -> Span {
        let step = STEPS[(attempts.max(1) as usize - 1).min(STEPS.len() - 1)];
        let spread = Span(((u128::from(step.0 / 20) * u128::from(draw)) >> 64) as u64);
        (step + spread).max(self.least(azure_resource))
    }

    /// How long the subscription is on probation after it.
    pub(super) fn probation(self) -> Span {
        match self {
            Failure::Status(401 | 403 | 404) => Span::mins(5),
            Failure::Socket => Span::secs(30),
            Failure::Status(_) | Failure::TimedOut => Span::secs(10),
        }
    }
}

/// Whether this status takes the event off the queue.
pub(super) const fn is_success(status: u16) -> bool {
    matches!(status, 200..=204)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_and_the_least_delays_are_the_documented_ones() {
        let delays: Vec<Span> = (1..=12).map(|n| Failure::TimedOut.delay(n, false, 0)).collect();
        assert_eq!(delays[..4], [Span::secs(10), Span::secs(30), Span::mins(1), Span::mins(5)]);
        assert_eq!(delays[9..], [Span::hours(12); 3]);
        assert_eq!(Failure::Status(503).delay(1, false, 0), Span::secs(30));
        assert_eq!(Failure::Status(408).delay(1, false, 0), Span::mins(2));
        assert_eq!(Failure::Status(404).delay(1, true, 0), Span::mins(5));
        assert_eq!(Failure::Status(404).delay(1, false, 0), Span::secs(10));
        assert!(Failure::TimedOut.delay(1, false, u64::MAX) < Span::millis(10_500));
    }

    #[test]
    fn some_answers_are_final() {
        assert!(Failure::Status(400).is_final(true) && Failure::Status(401).is_final(false));
        assert!(!Failure::Status(401).is_final(true) && !Failure::Status(500).is_final(false));
        assert!(is_success(204) && !is_success(205) && !is_success(302));
    }
}
