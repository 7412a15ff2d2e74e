//! The rules of one caller: a named policy, completed by the documented defaults of the client library
//! for the callee; and the pause before each further attempt.

use crate::client::classify::Verdict;
use crate::client::policy::{Backoff, BreakerRule, Jitter, Policy, RetryAfter, WhenOpen};
use crate::plan::{Endpoint, Plan, Protocol};
use crate::random::to_unit;
use crate::services::NodeKind;
use crate::time::Span;
use crate::units::Ratio;

/// How long a Service Bus client as a whole sends nothing after `ServiceBusy` (facts 1.2; not configurable).
pub const BUSY_BACK_OFF: Span = Span::secs(10);

/// The client library whose documented defaults fill the gaps of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk {
    /// A plain HTTP client: 100 s, no retries \[K\].
    Http,
    /// The HTTP action of Logic Apps: 120 s, 4 retries with the documented exponential interval (facts 5).
    LogicApps,
    /// Azure.Core (event publishing): 100 s, 3 retries, 0.8 s doubling to 60 s, each times 0.8 to 1.2 \[K\].
    AzureCore,
    /// Azure.Messaging.ServiceBus: 60 s, 3 retries, its own exponential formula (facts 1.10).
    ServiceBus,
    /// Cosmos DB: 429 alone is retried, up to 9 times within 30 s, after what the service says (facts
    /// 11.2); 6 s for an attempt \[K\].
    Cosmos,
    /// ADO.NET: no retries (facts 11.2), command timeout 30 s \[K\].
    Sql,
    /// Azure Storage: as Azure.Core, with 5 retries \[K\].
    Storage,
}

impl Sdk {
    /// The library with which this endpoint is called.
    #[must_use]
    pub fn of(plan: &Plan, to: &Endpoint) -> Sdk {
        match to.protocol {
            Protocol::Http | Protocol::None => Sdk::Http,
            Protocol::EventTopic => Sdk::AzureCore,
            Protocol::Broker => Sdk::ServiceBus,
            Protocol::Store => {
                let kind = plan.blueprint.nodes.get_index(to.node.index()).map(|(_, kind)| kind);
                match kind.map(NodeKind::word) {
                    Some("cosmos-db") => Sdk::Cosmos,
                    Some("storage-container") => Sdk::Storage,
                    _ => Sdk::Sql,
                }
            }
        }
    }
}

/// The pauses of an API gateway's `retry` (facts 6): fixed; with `delta` linear; with `delta` and `most`
/// exponential with a spread of 20 %.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stepped {
    /// The base.
    pub interval: Span,
    /// What is added for each further attempt.
    pub delta: Option<Span>,
    /// The longest pause; makes it exponential.
    pub most: Option<Span>,
    /// Whether the first further attempt follows at once.
    pub first_fast: bool,
}

/// The formula of the pause before a further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    /// As the policy says.
    Policy(Backoff, Jitter),
    /// `2^n * 0.8s + U[0,1) * 0.08 * 0.8s`, at most 60 s; n counts the failed attempts (facts 1.10).
    ServiceBus,
    /// `U[0.8,1.2) * 0.8s * 2^(n-1)`, at most 60 s \[K\].
    AzureCore,
    /// `U[max(2^(n-2)*7.5s, 5s), min(2^(n-1)*7.5s, 45s)]`; for n = 1 from 5 s to 7.5 s (facts 5).
    LogicApps,
    /// What the service says; 5 s where it says nothing \[K\].
    Cosmos,
    /// `interval`, `interval + (n-1)*delta`, or `interval + (2^n - 1)*U[0.8,1.2)*delta` up to `most`.
    Stepped(Stepped),
}

/// How a caller behaves, every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// How long one attempt may take.
    pub timeout: Span,
    /// How many further attempts follow a failed one.
    pub retries: u32,
    /// At most so long may all pauses of one call be together.
    pub pauses: Span,
    /// Whether only throttling (429) is retried.
    pub throttling_only: bool,
    /// Whether `Retry-After` of the callee counts.
    pub retry_after: RetryAfter,
    /// At most this share of attempts may be further ones.
    pub budget: Option<Ratio>,
    /// The circuit breaker.
    pub breaker: Option<BreakerRule>,
    /// What becomes of a call while the breaker is open.
    pub when_open: WhenOpen,
    /// At most so many calls at once.
    pub in_flight: u32,
    pause: Pause,
}

impl Rules {
    /// The rules of this policy for a callee that is called with this library.
    #[must_use]
    pub fn new(policy: &Policy, sdk: Sdk) -> Rules {
        let (timeout, retries, pause) = match sdk {
            Sdk::Http => (Span::secs(100), 0, Pause::AzureCore),
            Sdk::LogicApps => (Span::secs(120), 4, Pause::LogicApps),
            Sdk::AzureCore => (Span::secs(100), 3, Pause::AzureCore),
            Sdk::ServiceBus => (Span::secs(60), 3, Pause::ServiceBus),
            Sdk::Cosmos => (Span::secs(6), 9, Pause::Cosmos),
            Sdk::Sql => (Span::secs(30), 0, Pause::AzureCore),
            Sdk::Storage => (Span::secs(100), 5, Pause::AzureCore),
        };
        // A policy that says how often to try replaces the library's own loop, with its limits.
        let own_loop = policy.retries.is_none();
        let jitter = policy.jitter.unwrap_or_default();
        Rules {
            timeout: policy.timeout.unwrap_or(timeout),
            retries: policy.retries.unwrap_or(retries),
            pauses: if own_loop && sdk == Sdk::Cosmos { Span::secs(30) } else { Span::FOREVER },
            throttling_only: own_loop && sdk == Sdk::Cosmos,
            retry_after: policy.retry_after.unwrap_or_default(),
            budget: policy.budget,
            breaker: policy.breaker,
            when_open: policy.when_open.unwrap_or_default(),
            in_flight: policy.in_flight.unwrap_or(u32::MAX),
            pause: policy.backoff.map_or(pause, |backoff| Pause::Policy(backoff, jitter)),
        }
    }

    /// The rules of a gateway that forwards a request: one attempt, or as many more as its `retry` says.
    /// It takes no notice of `Retry-After` (facts 6 name no such thing).
    #[must_use]
    pub fn forwarding(timeout: Span, retry: Option<(u32, Stepped)>) -> Rules {
        let mut rules = Rules::new(&Policy::default(), Sdk::Http);
        rules.timeout = timeout;
        rules.retry_after = RetryAfter::Ignore;
        if let Some((count, pauses)) = retry {
            rules.retries = count;
            rules.pause = Pause::Stepped(pauses);
        }
        rules
    }

    /// Whether an attempt that ended so may be followed by another, after `failed` failed ones.
    #[must_use]
    pub fn allows(&self, verdict: &Verdict, failed: u32) -> bool {
        let kind = verdict.transient && (verdict.throttled || !self.throttling_only);
        kind && failed <= self.retries
    }

    /// The pause after `failed` failed attempts (from 1), at this uniform draw.
    #[must_use]
    pub fn pause(&self, failed: u32, verdict: &Verdict, draw: u64) -> Span {
        let hint = match self.retry_after {
            RetryAfter::Honour => verdict.retry_after,
            RetryAfter::Ignore => None,
        };
        let own = self.pause.after(failed.max(1), hint, draw);
        own.max(hint.unwrap_or(Span::ZERO))
    }
}

impl Pause {
    fn after(self, failed: u32, hint: Option<Span>, draw: u64) -> Span {
        match self {
            Pause::Policy(backoff, jitter) => {
                let pause = match backoff {
                    Backoff::Fixed(pause) => pause,
                    Backoff::Exponential(first, most) => doubled(first, failed - 1).min(most),
                };
                match jitter {
                    Jitter::None => pause,
                    Jitter::Full => uniform(Span::ZERO, pause, draw),
                }
            }
            Pause::ServiceBus => {
                let base = Span::millis(800);
                let spread = Span((to_unit(draw) * 0.08 * base.0 as f64) as u64);
                (doubled(base, failed) + spread).min(Span::secs(60))
            }
            Pause::AzureCore => {
                let pause = doubled(Span::millis(800), failed - 1);
                uniform(pause.scaled(4, 5), pause.scaled(6, 5), draw).min(Span::secs(60))
            }
            Pause::LogicApps => {
                let interval = Span::millis(7500);
                let low = if failed == 1 { Span::ZERO } else { doubled(interval, failed - 2) };
                let (least, most) = (Span::secs(5), Span::secs(45));
                let high = doubled(interval, failed - 1).min(most);
                uniform(low.max(least).min(high), high, draw)
            }
            Pause::Cosmos => hint.unwrap_or(Span::secs(5)),
            Pause::Stepped(stepped) => stepped.after(failed, draw),
        }
    }
}

impl Stepped {
    fn after(self, failed: u32, draw: u64) -> Span {
        if self.first_fast && failed == 1 {
            return Span::ZERO;
        }
        let delta = self.delta.unwrap_or(Span::ZERO);
        match self.most {
            None => self.interval + delta.times(u64::from(failed - 1)),
            Some(most) => {
                let factor = 1u64.checked_shl(failed).unwrap_or(u64::MAX) - 1;
                let grown = delta.times(factor);
                (self.interval + uniform(grown.scaled(4, 5), grown.scaled(6, 5), draw)).min(most)
            }
        }
    }
}

fn doubled(span: Span, times: u32) -> Span {
    span.times(1u64.checked_shl(times).unwrap_or(u64::MAX))
}

/// Uniform between the two, both included.
fn uniform(low: Span, high: Span, draw: u64) -> Span {
    let width = u128::from(high.0.saturating_sub(low.0)) + 1;
    low + Span(((u128::from(draw) * width) >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(policy: Policy, sdk: Sdk, draw: u64) -> Vec<u64> {
        let rules = Rules::new(&policy, sdk);
        (1..=5).map(|n| rules.pause(n, &Verdict::NO_ANSWER, draw).0 / 1_000_000).collect()
    }

    #[test]
    fn the_documented_formulas_give_the_documented_pauses() {
        assert_eq!(pauses(Policy::default(), Sdk::ServiceBus, 0), [1600, 3200, 6400, 12800, 25600]);
        assert_eq!(pauses(Policy::default(), Sdk::ServiceBus, u64::MAX)[0], 1663);
        assert_eq!(pauses(Policy::default(), Sdk::LogicApps, 0), [5000, 7500, 15000, 30000, 45000]);
        assert_eq!(pauses(Policy::default(), Sdk::LogicApps, u64::MAX), [7500, 15000, 30000, 45000, 45000]);
    }

    #[test]
    fn a_policy_doubles_up_to_its_most_and_full_jitter_spreads_down_to_zero() {
        let policy = |jitter| Policy {
            backoff: Some(Backoff::Exponential(Span::millis(500), Span::secs(3))),
            jitter: Some(jitter),
            ..Policy::default()
        };
        assert_eq!(pauses(policy(Jitter::None), Sdk::Http, 7), [500, 1000, 2000, 3000, 3000]);
        assert_eq!(pauses(policy(Jitter::Full), Sdk::Http, 0), [0; 5]);
        assert_eq!(pauses(policy(Jitter::Full), Sdk::Http, 1 << 63)[3], 1500);
    }

    #[test]
    fn a_gateway_pauses_by_its_own_formulas() {
        let pauses = |delta, most, first_fast, draw| {
            let stepped = Stepped { interval: Span::secs(1), delta, most, first_fast };
            let rules = Rules::forwarding(Span::secs(5), Some((5, stepped)));
            (1..=4).map(|n| rules.pause(n, &Verdict::NO_ANSWER, draw).0 / 1_000_000).collect::<Vec<_>>()
        };
        let two = Some(Span::secs(2));
        assert_eq!(pauses(None, None, false, 9), [1000; 4]);
        assert_eq!(pauses(two, None, true, 9), [0, 3000, 5000, 7000]);
        assert_eq!(pauses(two, Some(Span::secs(20)), false, 1 << 63), [3000, 7000, 15000, 20000]);
        assert_eq!(pauses(two, Some(Span::secs(20)), false, 0)[0], 2600);
    }

    #[test]
    fn retry_after_is_a_lower_bound_unless_ignored() {
        let said = Verdict { retry_after: Some(Span::secs(7)), ..Verdict::NO_ANSWER };
        let mut policy = Policy { backoff: Some(Backoff::Fixed(Span::secs(1))), ..Policy::default() };
        assert_eq!(Rules::new(&policy, Sdk::Http).pause(1, &said, 0), Span::secs(7));
        policy.retry_after = Some(RetryAfter::Ignore);
        assert_eq!(Rules::new(&policy, Sdk::Http).pause(1, &said, 0), Span::secs(1));
    }

    #[test]
    fn the_cosmos_library_retries_throttling_alone_and_an_explicit_policy_replaces_that() {
        let throttled = Verdict { throttled: true, ..Verdict::NO_ANSWER };
        let own = Rules::new(&Policy::default(), Sdk::Cosmos);
        assert!(
            own.allows(&throttled, 9) && !own.allows(&throttled, 10) && !own.allows(&Verdict::NO_ANSWER, 1)
        );
        let policy = Policy { retries: Some(2), ..Policy::default() };
        assert!(Rules::new(&policy, Sdk::Cosmos).allows(&Verdict::NO_ANSWER, 2));
        let none = Policy { retries: Some(0), ..Policy::default() };
        assert!(!Rules::new(&none, Sdk::ServiceBus).allows(&Verdict::NO_ANSWER, 1));
    }
}
