//! Layer 13: dependencies that are half broken, and hosts that limp.

use crate::faults::aim::kinds::DEPENDENCY;
use crate::faults::local::{Frequency, Value};
use crate::faults::placement::{fault, hook_fault};
use crate::faults::{Action, Aim, Hook, Strikes};
use crate::plan::PlanError;
use crate::time::Span;
use crate::units::{Distribution, Ratio};

hook_fault! {
    /// The dependency answers late.
    Slow {
        /// How much later than usual. Default: 2s.
        latency: Distribution = Distribution::Constant(Span::secs(2)),
    } on DEPENDENCY, at Hook::DependencySlow, |it| Value::Latency(it.latency)
}
hook_fault! {
    /// The dependency refuses everything (503) and does nothing.
    Down {} on DEPENDENCY, at Hook::DependencyDown
}
hook_fault! {
    /// The dependency fails now and then (use `chance`).
    Intermittent {} on DEPENDENCY, at Hook::DependencyIntermittent
}
fault! {
    /// The dependency fails for a part of the keys (tenants), the same ones for as long as it lasts.
    Partial {
        /// The share of the keys. Default: 10%.
        share: Ratio = Ratio(0.1),
    }
}
impl Strikes for Partial {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        let mut actions = aim.hook(DEPENDENCY, Hook::DependencyPartial, Value::None)?;
        for action in &mut actions {
            if let Action::Local(_, active) = action {
                active.frequency = Frequency::Chance(self.share.0);
            }
        }
        Ok(actions)
    }
}
hook_fault! {
    /// The dependency says yes and does nothing.
    WrongAnswer {} on DEPENDENCY, at Hook::DependencyWrongAnswer
}

/// How many thousandths of its time work takes.
fn thousandths(factor: f64) -> u64 {
    (factor.max(1.0) * 1000.0) as u64
}

fault! {
    /// A host limps: its work takes many times longer, and its probes are as good as ever.
    Limplock {
        /// How many times longer. Default: 10.
        factor: f64 = 10.0,
    }
}
impl Strikes for Limplock {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        aim.each(|id| Action::Slow(id, thousandths(self.factor)))
    }
}

fault! {
    /// A neighbour on the same hardware takes its share.
    NoisyNeighbour {
        /// How many times longer work takes. Default: 2.
        factor: f64 = 2.0,
    }
}
impl Strikes for NoisyNeighbour {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        aim.each(|id| Action::Slow(id, thousandths(self.factor)))
    }
}

fault! {
    /// Everything about the target is slow: its work and every message to and from it.
    Brownout {
        /// How many times longer work takes. Default: 5.
        factor: f64 = 5.0,
        /// How much longer a message takes. Default: 50ms p99 500ms.
        latency: Distribution = Distribution::Lognormal { median: Span::millis(50), p99: Span::millis(500) },
    }
}
impl Strikes for Brownout {
    fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
        let mut actions = aim.each(|id| Action::Slow(id, thousandths(self.factor)))?;
        let wrong = crate::network::Wrong::Latency(self.latency.sampler());
        actions.push(Action::Network(crate::network::Disturbance::new(aim, aim.scope()?, wrong)));
        Ok(actions)
    }
}
