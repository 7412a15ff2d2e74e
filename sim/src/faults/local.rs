//! The faults that are active in one process, as the process meets them at its hooks.

use crate::faults::Hook;
use crate::ids::{FaultId, Item};
use crate::node::context::Point;
use crate::random::{Purpose, Random};
use crate::time::Span;
use crate::units::{Distribution, Rate};

/// A fault that is active at a hook of one process.
#[derive(Clone, Debug, PartialEq)]
pub struct Active {
    /// Which fault of the scenario.
    pub fault: FaultId,
    /// The hash of its label; enters every draw.
    pub label: u64,
    /// Where it strikes.
    pub hook: Hook,
    /// Only at this part of the process; `None`: at every part.
    pub part: Option<u16>,
    /// How often it strikes.
    pub frequency: Frequency,
    /// How many strikes are left; `None`: no limit.
    pub left: Option<u32>,
    /// Its parameter.
    pub value: Value,
    /// Whether it strikes messages without an item too (probes); a hidden fault does not.
    pub hidden: bool,
}

impl Active {
    /// Whether it can grow to full strength bit by bit.
    #[must_use]
    pub const fn can_ramp(&self) -> bool {
        matches!(self.value, Value::Span(_) | Value::Latency(_))
            || matches!(self.frequency, Frequency::Chance(_))
    }

    /// The same at part of its strength, in thousandths: rarer if it has a chance, else smaller.
    #[must_use]
    pub fn at_strength(&self, thousandths: u64) -> Active {
        let part = |span: Span| span.scaled(thousandths, 1000);
        let mut weaker = self.clone();
        if let Frequency::Chance(p) = self.frequency {
            weaker.frequency = Frequency::Chance(p * thousandths as f64 / 1000.0);
            return weaker;
        }
        weaker.value = match self.value {
            Value::Span(span) => Value::Span(part(span)),
            Value::Latency(Distribution::Constant(span)) => {
                Value::Latency(Distribution::Constant(part(span)))
            }
            Value::Latency(Distribution::Uniform(low, high)) => {
                Value::Latency(Distribution::Uniform(part(low), part(high)))
            }
            Value::Latency(Distribution::Lognormal { median, p99 }) => {
                let median = part(median).max(Span::nanos(1));
                Value::Latency(Distribution::Lognormal { median, p99: part(p99).max(median) })
            }
            value @ (Value::None | Value::Rate(_) | Value::Number(_)) => value,
        };
        weaker
    }
}

/// How often a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Frequency {
    /// Every time.
    Always,
    /// With this probability.
    Chance(f64),
    /// Every n-th item: those whose number leaves n-1 when divided by n.
    Nth(u32),
}

/// The parameter of a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// None.
    None,
    /// A duration that is added.
    Span(Span),
    /// A duration that is drawn.
    Latency(Distribution),
    /// A limit.
    Rate(Rate),
    /// A count, a factor in thousandths, or an HTTP status.
    Number(u64),
}

/// What a process learns when a fault strikes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strike {
    /// Which fault.
    pub fault: FaultId,
    /// Its parameter.
    pub value: Value,
}

/// The faults active in one process.
#[derive(Clone, Debug, Default)]
pub struct LocalFaults {
    active: Vec<Active>,
    points: Vec<(u16, Point, FaultId)>,
    fired: Vec<(FaultId, u64)>,
}

impl LocalFaults {
    /// Whether there is none.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.active.is_empty()
    }

    /// Makes a fault active.
    pub fn begin(&mut self, fault: Active) {
        self.active.push(fault);
    }

    /// Ends every activity of this fault.
    pub fn end(&mut self, fault: FaultId) {
        self.active.retain(|active| active.fault != fault);
    }

    /// Lets a fault watch a point of the recipe that this process runs.
    pub fn watch(&mut self, step: u16, point: Point, fault: FaultId) {
        self.points.push((step, point, fault));
    }

    /// The fault no longer watches its point.
    pub fn unwatch(&mut self, fault: FaultId) {
        self.points.retain(|(_, _, watching)| *watching != fault);
    }

    /// Whether any fault watches that point.
    #[must_use]
    pub fn watches(&self, step: u16, point: Point) -> bool {
        !self.points.is_empty() && self.watchers(step, point).next().is_some()
    }

    /// The faults that watch that point.
    pub fn watchers(&self, step: u16, point: Point) -> impl Iterator<Item = FaultId> + '_ {
        self.points.iter().filter(move |(s, p, _)| *s == step && *p == point).map(|(_, _, fault)| *fault)
    }

    /// A lasting fault at this hook.
    #[must_use]
    pub fn active(&self, hook: Hook, part: u16) -> Option<Strike> {
        let active = self.active.iter().find(|a| a.hook == hook && a.part.is_none_or(|p| p == part))?;
        Some(Strike { fault: active.fault, value: active.value })
    }

    /// A lasting fault at this hook that health probes can see.
    #[must_use]
    pub fn visible(&self, hook: Hook, part: u16) -> Option<Strike> {
        let mut here = self.active.iter().filter(|a| a.hook == hook && !a.hidden);
        let active = here.find(|a| a.part.is_none_or(|p| p == part))?;
        Some(Strike { fault: active.fault, value: active.value })
    }

    /// Whether a fault strikes this item here; uses up one of its strikes if so.
    pub fn strike(
        &mut self,
        random: &Random,
        hook: Hook,
        part: u16,
        item: Item,
        occurrence: u64,
    ) -> Option<Strike> {
        for active in &mut self.active {
            if active.hook != hook || active.part.is_some_and(|p| p != part) || active.left == Some(0) {
                continue;
            }
            // A partial outage strikes some keys (tenants) for as long as it lasts, not some requests.
            let identity = match hook {
                Hook::DependencyPartial => [u64::from(item.key) | 1 << 63, 0],
                _ => [item.identity(), occurrence],
            };
            let hit = match active.frequency {
                Frequency::Always => true,
                Frequency::Chance(p) => random.chance(p, Purpose::FaultChance, active.label, identity),
                Frequency::Nth(n) => !item.is_none() && item.number % n.max(1) == n.max(1) - 1,
            };
            if hit {
                if let Some(left) = &mut active.left {
                    *left -= 1;
                }
                return Some(Strike { fault: active.fault, value: active.value });
            }
        }
        None
    }

    /// Counts an alteration by this fault.
    pub fn fired(&mut self, fault: FaultId) {
        match self.fired.iter_mut().find(|(id, _)| *id == fault) {
            Some((_, count)) => *count += 1,
            None => self.fired.push((fault, 1)),
        }
    }

    /// Whether any alteration was counted since the counts were last taken.
    #[must_use]
    pub fn has_fired(&self) -> bool {
        !self.fired.is_empty()
    }

    /// Hands over the counts of alterations since the last time.
    pub fn take_fired(&mut self) -> impl Iterator<Item = (FaultId, u64)> + '_ {
        self.fired.drain(..)
    }
}
