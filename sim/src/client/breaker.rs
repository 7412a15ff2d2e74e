//! The circuit breaker as Microsoft documents it (facts 11.2): closed, open, half-open with a limited
//! number of trial calls; any failure of a trial opens it again, enough successes in a row close it.

use crate::client::policy::BreakerRule;
use crate::observe::Belief;
use crate::time::Time;

/// How many trial calls a half-open breaker lets through, and how many successes in a row close it
/// (facts 11.2 name the number N and leave it open \[K\]).
pub const TRIALS: u32 = 3;

/// A breaker about one callee.
#[derive(Clone, Debug, PartialEq)]
pub struct Breaker {
    rule: BreakerRule,
    state: State,
    /// Raised at every change of state: an attempt that was let through before says nothing about now.
    epoch: u32,
    /// The latest outcomes while closed, oldest overwritten; true is a failure.
    window: Vec<bool>,
    next: usize,
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: Time },
    HalfOpen { running: u32, successes: u32 },
}

/// Proof that an attempt was let through; handed back with its outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ticket(u32);

/// What the breaker says to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Go. With it, how the belief about the callee changed, if it did.
    Granted(Ticket, Option<Belief>),
    /// Not now. If open: until then; if half-open with all trials under way: until one is over.
    Denied(Option<Time>),
}

impl Breaker {
    /// A closed breaker.
    #[must_use]
    pub fn new(rule: BreakerRule) -> Breaker {
        Breaker { rule, state: State::Closed, epoch: 0, window: Vec::new(), next: 0, failures: 0 }
    }

    /// Asks whether an attempt may be made now.
    pub fn ask(&mut self, now: Time) -> Permission {
        let mut belief = None;
        if let State::Open { until } = self.state {
            if now < until {
                return Permission::Denied(Some(until));
            }
            self.enter(State::HalfOpen { running: 0, successes: 0 });
            belief = Some(Belief::BreakerHalfOpen);
        }
        if let State::HalfOpen { running, successes } = &mut self.state {
            if *running + *successes >= TRIALS {
                return Permission::Denied(None);
            }
            *running += 1;
        }
        Permission::Granted(Ticket(self.epoch), belief)
    }

    /// An attempt ended. Returns how the belief about the callee changed, if it did.
    pub fn record(&mut self, ticket: Ticket, failed: bool, now: Time) -> Option<Belief> {
        if ticket.0 != self.epoch {
            return None;
        }
        match &mut self.state {
            State::Closed => self.count(failed, now),
            State::Open { .. } => None,
            State::HalfOpen { .. } if failed => Some(self.open(now)),
            State::HalfOpen { running, successes } => {
                *running -= 1;
                *successes += 1;
                if *successes < TRIALS {
                    return None;
                }
                self.enter(State::Closed);
                Some(Belief::BreakerClosed)
            }
        }
    }

    /// An attempt was called off by the caller itself: it says nothing, and its trial is free again.
    pub fn release(&mut self, ticket: Ticket) {
        if let State::HalfOpen { running, .. } = &mut self.state
            && ticket.0 == self.epoch
        {
            *running -= 1;
        }
    }

    fn count(&mut self, failed: bool, now: Time) -> Option<Belief> {
        let size = self.rule.of as usize;
        if self.window.len() < size {
            self.window.push(failed);
        } else {
            self.failures -= u32::from(self.window[self.next]);
            self.window[self.next] = failed;
            self.next = (self.next + 1) % size;
        }
        self.failures += u32::from(failed);
        let enough = f64::from(self.failures) >= self.rule.share.0 * f64::from(self.rule.of);
        (failed && self.window.len() == size && enough).then(|| self.open(now))
    }

    fn open(&mut self, now: Time) -> Belief {
        self.enter(State::Open { until: now + self.rule.open_for });
        Belief::BreakerOpen
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.epoch = self.epoch.wrapping_add(1);
        self.window.clear();
        self.next = 0;
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::time::Span;
    use crate::units::Ratio;

    fn rule(of: u32) -> BreakerRule {
        BreakerRule { share: Ratio(0.5), of, open_for: Span::secs(30) }
    }

    fn grant(breaker: &mut Breaker, now: Time) -> Ticket {
        match breaker.ask(now) {
            Permission::Granted(ticket, _) => ticket,
            Permission::Denied(_) => panic!("denied at {now}"),
        }
    }

    #[test]
    fn it_opens_at_the_share_waits_tries_and_closes() {
        let mut breaker = Breaker::new(rule(4));
        let now = Time::ZERO;
        let mut last = None;
        for failed in [true, false, false, true] {
            let ticket = grant(&mut breaker, now);
            last = breaker.record(ticket, failed, now);
        }
        assert_eq!(last, Some(Belief::BreakerOpen));
        let until = now + Span::secs(30);
        assert_eq!(breaker.ask(now), Permission::Denied(Some(until)));
        let first = match breaker.ask(until) {
            Permission::Granted(ticket, Some(Belief::BreakerHalfOpen)) => ticket,
            other => panic!("{other:?}"),
        };
        let others = [grant(&mut breaker, until), grant(&mut breaker, until)];
        assert_eq!(breaker.ask(until), Permission::Denied(None));
        assert_eq!(breaker.record(first, false, until), None);
        assert_eq!(breaker.record(others[0], false, until), None);
        assert_eq!(breaker.record(others[1], false, until), Some(Belief::BreakerClosed));
    }

    #[test]
    fn a_failed_trial_opens_it_again_and_late_news_from_before_are_ignored() {
        let mut breaker = Breaker::new(rule(1));
        let early = grant(&mut breaker, Time::ZERO);
        let late = grant(&mut breaker, Time::ZERO);
        assert_eq!(breaker.record(early, true, Time::ZERO), Some(Belief::BreakerOpen));
        assert_eq!(breaker.record(late, false, Time::ZERO), None);
        let again = Time::ZERO + Span::secs(30);
        let trial = grant(&mut breaker, again);
        assert_eq!(breaker.record(trial, true, again), Some(Belief::BreakerOpen));
        assert_eq!(breaker.ask(again), Permission::Denied(Some(again + Span::secs(30))));
    }

    proptest! {
        /// Against a plain model: the last `of` outcomes as a list.
        #[test]
        fn it_opens_exactly_when_the_window_says_so(of in 1u32..12, outcomes in prop::collection::vec(any::<bool>(), 1..80)) {
            let mut breaker = Breaker::new(rule(of));
            let mut latest: Vec<bool> = Vec::new();
            for failed in outcomes {
                let ticket = grant(&mut breaker, Time::ZERO);
                let opened = breaker.record(ticket, failed, Time::ZERO) == Some(Belief::BreakerOpen);
                latest.push(failed);
                let window = &latest[latest.len().saturating_sub(of as usize)..];
                let share = window.iter().filter(|failed| **failed).count() * 2 >= of as usize;
                prop_assert_eq!(opened, failed && window.len() == of as usize && share);
                if opened {
                    return Ok(());
                }
            }
        }
    }
}
