//! How the world carries a fault out and takes it back. Beginning and end are exhaustive over the
//! actions: nothing is healed anywhere else.

use crate::faults::registry::Move;
use crate::faults::{Action, Hook};
use crate::ids::{FaultId, FaultMask, Item, ProcessId};
use crate::kernel::world::World;
use crate::network::Disturbance;
use crate::node::{CloseReason, Point};
use crate::observe::{FaultPhase, Life, Sink, What};
use crate::time::Time;

impl World {
    /// Carries out everything that the registry has due.
    pub(super) fn advance_faults(&mut self, sink: &mut dyn Sink) {
        if self.fault_wake <= self.now {
            self.fault_wake = Time::NEVER;
        }
        while let Some(next) = self.registry.advance(self.now) {
            match next {
                Move::Arm(fault) => self.phase(fault, FaultPhase::Armed, sink),
                Move::Begin(fault, only) => self.begin(fault, only, sink),
                Move::End(fault, only, over) => self.end(fault, only, over, sink),
                Move::Strength(fault, thousandths) => self.set_strength(fault, thousandths),
                Move::Watch(fault) => self.watch(fault),
                Move::Unwatch(fault) => self.unwatch(fault),
                Move::BlipOver(_, process) => self.resume(process, sink),
            }
        }
        self.schedule_faults();
    }

    fn phase(&mut self, fault: FaultId, phase: FaultPhase, sink: &mut dyn Sink) {
        self.digest.fold(self.now.0, u64::from(fault.0) << 8 | phase as u64);
        self.note_by(
            sink,
            ProcessId(0),
            self.events,
            FaultMask::of(fault),
            Item::default(),
            What::Fault { fault, phase },
        );
    }

    fn begin(&mut self, fault: FaultId, only: Option<ProcessId>, sink: &mut dyn Sink) {
        self.phase(fault, FaultPhase::Started, sink);
        let strength = self.registry.first_strength(fault);
        for action in self.meant(fault, only) {
            self.start_action(fault, &action.at_strength(strength), sink);
        }
    }

    fn end(&mut self, fault: FaultId, only: Option<ProcessId>, over: bool, sink: &mut dyn Sink) {
        let strength = self.registry.strength(fault);
        for action in self.meant(fault, only) {
            self.stop_action(fault, &action.at_strength(strength), sink);
        }
        if over {
            self.phase(fault, FaultPhase::Healed, sink);
        }
    }

    /// The actions of a fault: all, or those on this process and those that are on none.
    fn meant(&self, fault: FaultId, only: Option<ProcessId>) -> Vec<Action> {
        let actions = self.registry.actions(fault);
        let meant = |action: &&Action| only.is_none_or(|id| action.process().is_none_or(|on| on == id));
        actions.iter().filter(meant).cloned().collect()
    }

    /// A growing fault takes its next step.
    fn set_strength(&mut self, fault: FaultId, thousandths: u64) {
        let before = self.registry.set_strength(fault, thousandths);
        for action in self.meant(fault, None).iter().filter(|action| action.can_ramp()) {
            match (action.at_strength(thousandths), action.at_strength(before)) {
                (Action::Network(disturbance), _) => {
                    self.network.calm(&disturbance);
                    self.network.disturb(disturbance, self.now);
                }
                (Action::Local(process, active), _) => {
                    let faults = &mut self.shells[process.index()].faults;
                    faults.end(fault);
                    faults.begin(active);
                }
                (Action::Slow(process, factor), _) => {
                    self.shells[process.index()].unslow(fault);
                    self.shells[process.index()].slow(fault, factor);
                }
                (Action::Skew(process, by), Action::Skew(_, was)) => {
                    self.shells[process.index()].clock.jump(by - was);
                }
                (Action::Drift(process, ppm), Action::Drift(_, was)) => self.drift(process, ppm - was),
                _ => {}
            }
        }
    }

    fn drift(&mut self, id: ProcessId, ppm: i64) {
        self.shells[id.index()].clock.drift(self.now, ppm);
        self.shells[id.index()].wake = Time::NEVER;
        self.schedule_wake(id);
    }

    fn start_action(&mut self, fault: FaultId, action: &Action, sink: &mut dyn Sink) {
        match action {
            Action::Crash(id) => self.crash(*id, fault, sink),
            Action::Stop(id) => {
                self.hold(*id, fault, sink);
                self.take_down(*id, |shell| shell.crash(), CloseReason::Closed, Life::Stopped, sink);
            }
            Action::Pause(id) | Action::Hang(id) | Action::Blip(id, _) => {
                self.hold(*id, fault, sink);
                self.shells[id.index()].pause();
                self.note(sink, *id, self.events, What::Life(Life::Paused));
            }
            Action::PowerOff(id) => {
                self.hold(*id, fault, sink);
                let before = self.shells[id.index()].work();
                let was_alive = self.shells[id.index()].lose_power();
                self.recount(*id, before);
                self.lose_all(*id, sink);
                if was_alive {
                    self.note(sink, *id, self.events, What::Life(Life::PowerLost));
                }
            }
            Action::Slow(id, factor) => {
                self.hold(*id, fault, sink);
                self.shells[id.index()].slow(fault, *factor);
            }
            Action::Skew(id, by) | Action::Jump(id, by) => {
                self.hold(*id, fault, sink);
                self.shells[id.index()].clock.jump(*by);
            }
            Action::Drift(id, ppm) => {
                self.hold(*id, fault, sink);
                self.drift(*id, *ppm);
            }
            Action::Network(disturbance) => self.disturb(disturbance),
            Action::Reset(disturbance) => {
                for id in self.network.within(&disturbance.scope) {
                    self.count_one(fault, 1, sink);
                    self.break_connection(id, FaultMask::of(fault), sink);
                }
            }
            Action::Local(id, active) => self.shells[id.index()].faults.begin(active.clone()),
            Action::Surge => self.count_one(fault, 1, sink),
        }
    }

    fn stop_action(&mut self, fault: FaultId, action: &Action, sink: &mut dyn Sink) {
        match action {
            Action::Crash(id) | Action::Stop(id) => {
                self.release(*id, fault);
                self.shells[id.index()].recover();
                self.schedule_wake(*id);
            }
            Action::Pause(id) => {
                self.release(*id, fault);
                self.resume(*id, sink);
            }
            Action::Hang(id) => {
                self.release(*id, fault);
                self.shells[id.index()].resume();
                self.take_down(*id, |shell| shell.crash(), CloseReason::Reset, Life::Crashed, sink);
                self.shells[id.index()].recover();
                self.schedule_wake(*id);
            }
            Action::PowerOff(id) => {
                self.release(*id, fault);
                self.shells[id.index()].regain_power();
                self.schedule_wake(*id);
            }
            // Its end has been on the agenda since it began.
            Action::Blip(id, _) => self.release(*id, fault),
            Action::Slow(id, _) => {
                self.release(*id, fault);
                self.shells[id.index()].unslow(fault);
            }
            Action::Skew(id, by) => {
                self.release(*id, fault);
                self.shells[id.index()].clock.jump(-*by);
            }
            // The clock was set, and nobody sets it back.
            Action::Jump(id, _) => self.release(*id, fault),
            Action::Drift(id, ppm) => {
                self.release(*id, fault);
                self.drift(*id, -*ppm);
            }
            Action::Network(disturbance) => self.network.calm(disturbance),
            // The run is over, but what is poison stays poison; only an end that the scenario names is a repair.
            Action::Local(_, active) if active.hook == Hook::Poison && self.now >= self.plan.ends() => {}
            Action::Local(id, _) => self.shells[id.index()].faults.end(fault),
            Action::Reset(_) | Action::Surge => {}
        }
    }

    // -- Processes. --

    fn hold(&mut self, id: ProcessId, fault: FaultId, sink: &mut dyn Sink) {
        let hidden = self.registry.is_hidden(fault);
        self.shells[id.index()].hold(fault, hidden);
        self.count_one(fault, 1, sink);
        let what = What::TouchedProcess { subject: id };
        self.note_by(sink, id, self.events, FaultMask::of(fault), Item::default(), what);
    }

    fn release(&mut self, id: ProcessId, fault: FaultId) {
        let hidden = self.registry.is_hidden(fault);
        self.shells[id.index()].release(fault, hidden);
    }

    fn crash(&mut self, id: ProcessId, fault: FaultId, sink: &mut dyn Sink) {
        self.hold(id, fault, sink);
        self.take_down(id, |shell| shell.crash(), CloseReason::Reset, Life::Crashed, sink);
    }

    fn take_down(
        &mut self,
        id: ProcessId,
        how: impl Fn(&mut crate::node::Shell) -> bool,
        reason: CloseReason,
        life: Life,
        sink: &mut dyn Sink,
    ) {
        let before = self.shells[id.index()].work();
        let was_alive = how(&mut self.shells[id.index()]);
        self.recount(id, before);
        if was_alive {
            self.close_all(id, reason);
            self.note(sink, id, self.events, What::Life(life));
        }
    }

    fn resume(&mut self, id: ProcessId, sink: &mut dyn Sink) {
        self.shells[id.index()].resume();
        self.note(sink, id, self.events, What::Life(Life::Resumed));
        self.schedule_wake(id);
    }

    // -- Networks. --

    fn disturb(&mut self, disturbance: &Disturbance) {
        self.network.disturb(disturbance.clone(), self.now);
        if matches!(disturbance.what, crate::network::Wrong::Cut { .. }) {
            let ids = self.network.within(&disturbance.scope);
            self.listen_all(&ids);
        }
    }

    // -- Points. --

    fn watch(&mut self, fault: FaultId) {
        let Some(watched) = self.registry.watched(fault) else { return };
        for id in &watched.processes {
            self.shells[id.index()].faults.watch(watched.step, watched.point, fault);
        }
    }

    fn unwatch(&mut self, fault: FaultId) {
        let Some(watched) = self.registry.watched(fault) else { return };
        for id in &watched.processes {
            self.shells[id.index()].faults.unwatch(fault);
        }
    }

    /// A process passes a point. True if a fault struck that keeps it from going on.
    pub(super) fn pass_point(
        &mut self,
        id: ProcessId,
        step: u16,
        point: Point,
        item: Item,
        run: u64,
        sink: &mut dyn Sink,
    ) -> bool {
        let watchers: smallvec::SmallVec<[FaultId; 4]> =
            self.shells[id.index()].faults.watchers(step, point).collect();
        for fault in watchers {
            let Some(only) = self.registry.pass(fault, id, item, run, self.now) else { continue };
            self.note_by(sink, id, self.events, FaultMask::of(fault), item, What::Touched);
            self.begin(fault, only, sink);
            self.schedule_faults();
            if !self.shells[id.index()].runs() {
                return true;
            }
        }
        false
    }

    // -- Counting. --

    /// Counts copies for the conditions of faults.
    pub(super) fn count_copies(&mut self, what: &What) {
        let came_true = match what {
            What::Born { place, .. } => self.registry.count_copy(*place, true, self.now),
            What::Ended { place, .. } => self.registry.count_copy(*place, false, self.now),
            What::Moved { from, to, .. } => {
                self.registry.count_copy(*from, false, self.now);
                self.registry.count_copy(*to, true, self.now)
            }
            _ => false,
        };
        if came_true {
            self.schedule_faults();
        }
    }

    /// Takes over what the hooks of a process have counted.
    pub(super) fn count_fired(&mut self, id: ProcessId, sink: &mut dyn Sink) {
        let fired: smallvec::SmallVec<[(FaultId, u64); 4]> =
            self.shells[id.index()].faults.take_fired().collect();
        for (fault, times) in fired {
            self.count_one(fault, times, sink);
        }
    }

    pub(super) fn count_one(&mut self, fault: FaultId, times: u64, sink: &mut dyn Sink) {
        if self.registry.fired(fault, times) {
            self.phase(fault, FaultPhase::Fired, sink);
        }
    }
}
