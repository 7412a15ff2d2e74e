//! Layer 3: processes and their hosts.

use crate::faults::aim::kinds;
use crate::faults::local::Value;
use crate::faults::placement::{fault, hook_fault};
use crate::faults::{Action, Aim, Hook, Strikes};
use crate::plan::PlanError;
use crate::time::Span;
use crate::units::{Distribution, Ratio};

/// Declares a fault that does the same to every process of its target.
macro_rules! each {
    ($name:ty, |$it:ident, $id:ident| $action:expr) => {
        impl Strikes for $name {
            fn actions(&self, aim: &Aim<'_>) -> Result<Vec<Action>, PlanError> {
                let $it = self;
                aim.each(|$id| $action)
            }
        }
    };
}

fault! {
    /// The process dies without warning, its connections are reset, and it starts again after `for`.
    Crash {}
}
each!(Crash, |_it, id| Action::Crash(id));

fault! {
    /// The process is stopped in good order and starts again after `for`.
    Restart {}
}
each!(Restart, |_it, id| Action::Stop(id));

fault! {
    /// The process stands still (a long garbage collection, a frozen host) and then handles what came
    /// meanwhile, late and in order.
    Pause {}
}
each!(Pause, |_it, id| Action::Pause(id));

fault! {
    /// The process stands still until it is killed and started after `for`.
    Hang {}
}
each!(Hang, |_it, id| Action::Hang(id));

fault! {
    /// Something else takes this share of the processor.
    CpuPressure {
        /// The share that is taken. Default: 80%.
        load: Ratio = Ratio(0.8),
    }
}
each!(CpuPressure, |it, id| Action::Slow(id, slowness(it.load)));

/// How many thousandths of its time work takes if others use this share of the processor; a process
/// always keeps a hundredth.
fn slowness(load: Ratio) -> u64 {
    let left = (1.0 - load.0).max(0.01);
    (1000.0 / left) as u64
}

fault! {
    /// The machine is switched off: silence, so that peers learn by time-out. It starts after `for`.
    VmStop {}
}
each!(VmStop, |_it, id| Action::PowerOff(id));

fault! {
    /// The machine is moved to another host: stopped in good order and started after `for`.
    VmRedeploy {}
}
each!(VmRedeploy, |_it, id| Action::Stop(id));

fault! {
    /// The platform takes the machine back; without a reaction to the notice that is a power loss.
    SpotEviction {}
}
each!(SpotEviction, |_it, id| Action::PowerOff(id));

hook_fault! {
    /// A start takes longer than usual.
    ColdStart {
        /// How much longer. Default: 1s p99 10s.
        delay: Distribution = Distribution::Lognormal { median: Span::secs(1), p99: Span::secs(10) },
    } on kinds::HOST, at Hook::ColdStart, |it| Value::Latency(it.delay)
}
hook_fault! {
    /// An instance serves slowly at first.
    SlowStart {
        /// How long it takes to be at full speed. Default: 30s.
        delay: Distribution = Distribution::Constant(Span::secs(30)),
    } on kinds::HOST, at Hook::SlowStart, |it| Value::Latency(it.delay)
}
hook_fault! {
    /// A step of a recipe fails with an exception.
    Exception {} on kinds::HOST, at Hook::StepException
}
