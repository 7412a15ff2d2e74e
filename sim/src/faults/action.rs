//! What a fault does to the world, in terms that the engine understands. Every action has an end.

use crate::faults::local::Active;
use crate::ids::ProcessId;
use crate::network::Disturbance;

/// One thing that a fault does while it lasts.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// The process dies; its host resets its connections. At the end it starts again.
    Crash(ProcessId),
    /// The process stops in good order; at the end it starts again.
    Stop(ProcessId),
    /// The process stands still; at the end everything that came meanwhile is handled, late and in order.
    Pause(ProcessId),
    /// The process stands still; at the end it is killed and started.
    Hang(ProcessId),
    /// The host loses its power or its network for good: silence. At the end the process starts again.
    PowerOff(ProcessId),
    /// The process does not answer for this long from the beginning, whatever the fault's length: a
    /// zone-redundant service moves away from a lost zone.
    Blip(ProcessId, crate::time::Span),
    /// Work takes this many thousandths of its time.
    Slow(ProcessId, u64),
    /// The wall clock is ahead (or behind) by so many nanoseconds.
    Skew(ProcessId, i64),
    /// The wall clock jumps and stays there after the fault's end.
    Jump(ProcessId, i64),
    /// The monotonic clock runs fast by so many parts per million.
    Drift(ProcessId, i64),
    /// Something is wrong on the network.
    Network(Disturbance),
    /// Connections of these pairs are reset once.
    Reset(Disturbance),
    /// A hook of a service is struck.
    Local(ProcessId, Active),
    /// More or other load; the generator knows when by itself.
    Surge,
}

impl Action {
    /// The process that it strikes, if it strikes one.
    #[must_use]
    pub const fn process(&self) -> Option<ProcessId> {
        match self {
            Action::Crash(id)
            | Action::Stop(id)
            | Action::Pause(id)
            | Action::Hang(id)
            | Action::PowerOff(id)
            | Action::Blip(id, _)
            | Action::Slow(id, _)
            | Action::Skew(id, _)
            | Action::Jump(id, _)
            | Action::Drift(id, _)
            | Action::Local(id, _) => Some(*id),
            Action::Network(_) | Action::Reset(_) | Action::Surge => None,
        }
    }

    /// Whether it can grow to full strength bit by bit (`ramp`).
    #[must_use]
    pub fn can_ramp(&self) -> bool {
        match self {
            Action::Slow(..) | Action::Skew(..) | Action::Drift(..) | Action::Surge => true,
            Action::Network(disturbance) => disturbance.what.can_ramp(),
            Action::Local(_, active) => active.can_ramp(),
            Action::Crash(_)
            | Action::Stop(_)
            | Action::Pause(_)
            | Action::Hang(_)
            | Action::PowerOff(_)
            | Action::Blip(..)
            | Action::Jump(..)
            | Action::Reset(_) => false,
        }
    }

    /// The same at part of its strength, in thousandths.
    #[must_use]
    pub fn at_strength(&self, thousandths: u64) -> Action {
        let part = |n: i64| (i128::from(n) * i128::from(thousandths) / 1000) as i64;
        match self {
            Action::Slow(id, factor) => {
                Action::Slow(*id, 1000 + factor.saturating_sub(1000).saturating_mul(thousandths) / 1000)
            }
            Action::Skew(id, by) => Action::Skew(*id, part(*by)),
            Action::Drift(id, ppm) => Action::Drift(*id, part(*ppm)),
            Action::Network(disturbance) => Action::Network(disturbance.at_strength(thousandths)),
            Action::Local(id, active) => Action::Local(*id, active.at_strength(thousandths)),
            other => other.clone(),
        }
    }
}
