//! Faults: armed, fired, felt. The world marks what a fault touched; a fault is felt when the same item,
//! the same connection, or somebody who deals with the same process shows a symptom.

use beaufort_sim::ids::{ConnectionId, FaultId, FaultMask, ProcessId};
use beaufort_sim::observe::{Belief, End, FaultPhase, Observation, Outcome, What};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::{Span, Time};
use rustc_hash::FxHashMap;

/// How long after a touch a process's mark still explains a symptom.
const MEMORY: Span = Span::secs(120);
/// Beyond so many symptoms of one fault, further items are not marked for it: it is felt.
const ENOUGH: u64 = 10_000;
/// At most so many marked items or connections at once.
const MOST_MARKS: usize = 200_000;
/// At most so many windows of one fault are kept.
const MOST_WINDOWS: usize = 1_000;

/// What is known about one fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Record {
    pub(crate) armed: u64,
    pub(crate) started: u64,
    pub(crate) fired: u64,
    touched: u64,
    pub(crate) felt: u64,
    /// Whether it is in force.
    open: bool,
    /// Whether the processes that it strikes go on running, and notice trouble themselves.
    alters_running: bool,
    /// From start to healing; `None` while it lasts.
    pub(crate) windows: Vec<(Time, Option<Time>)>,
    /// The first change of a belief about a process that it touched.
    pub(crate) detected: Option<Time>,
    /// The first such change in each of the windows, or after it; ascending.
    pub(crate) detections: Vec<Time>,
}

impl Record {
    /// How often it altered something.
    pub(crate) fn fired(&self) -> u64 {
        self.fired.max(self.touched)
    }
}

/// All faults of a run.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    pub(crate) records: Vec<Record>,
    items: FxHashMap<u64, FaultMask>,
    connections: FxHashMap<ConnectionId, FaultMask>,
    /// By process: which faults touched it, and when last.
    processes: Vec<Vec<(FaultId, Time)>>,
    active: u32,
}

impl Faults {
    /// For a plan; nothing happened yet.
    pub(crate) fn new(plan: &Plan) -> Faults {
        Faults {
            records: plan
                .blueprint
                .faults
                .values()
                .map(|kind| Record { alters_running: kind.alters_running(), ..Record::default() })
                .collect(),
            items: FxHashMap::default(),
            connections: FxHashMap::default(),
            processes: vec![Vec::new(); plan.processes.len()],
            active: 0,
        }
    }

    /// How many faults are active.
    pub(crate) fn active(&self) -> u32 {
        self.active
    }

    /// A fault changed phase. True if it began while it was not in force, or is in force no longer:
    /// activations may overlap, and `Healed` says that nothing of the fault is left.
    pub(crate) fn phase(&mut self, fault: FaultId, phase: FaultPhase, now: Time) -> bool {
        let Some(record) = self.records.get_mut(fault.index()) else { return false };
        match phase {
            FaultPhase::Armed => record.armed += 1,
            FaultPhase::Fired => record.fired += 1,
            FaultPhase::Started => {
                record.started += 1;
                if record.open {
                    return false;
                }
                record.open = true;
                self.active += 1;
                if record.windows.len() == MOST_WINDOWS {
                    record.windows.pop();
                }
                record.windows.push((now, None));
                return true;
            }
            FaultPhase::Healed if record.open => {
                record.open = false;
                self.active -= 1;
                if let Some(window) = record.windows.last_mut() {
                    window.1 = Some(now);
                }
                return true;
            }
            FaultPhase::Healed => {}
        }
        false
    }

    /// Takes note of marks and joins symptoms with them. `callee`: whose answer it is about.
    pub(crate) fn observe(&mut self, seen: &Observation, callee: Option<ProcessId>) {
        match seen.what {
            What::Touched => self.touch(seen),
            What::TouchedProcess { subject } => {
                self.count_touch(seen.by);
                for fault in seen.by.iter() {
                    self.mark_process(subject, fault, seen.at);
                }
            }
            What::Ended {
                cause: End::Expired | End::Discarded(_) | End::Destroyed | End::FailoverTail,
                ..
            }
            | What::Moved { reason: Some(_), .. } => self.feel(seen.by.and(self.by_item(seen))),
            What::Symptom(_) => {
                // A run without an item shows it in the process that runs it.
                let alone = seen.item.is_none().then(|| self.by_process(seen.process, seen.at));
                let mask = seen.by.and(self.by_item(seen)).and(self.by_connection(seen));
                self.feel(mask.and(alone.unwrap_or_default()).and(self.by_reporter(seen.process)));
            }
            What::Answered { outcome, .. } if outcome != Outcome::Ok => {
                let subject = callee.map(|callee| self.by_process(callee, seen.at));
                let mask = seen.by.and(self.by_item(seen)).and(self.by_connection(seen));
                self.feel(mask.and(subject.unwrap_or_default()).and(self.by_reporter(seen.process)));
            }
            What::Trouble { subject, .. } => {
                let mask = seen.by.and(self.by_connection(seen)).and(self.by_process(subject, seen.at));
                self.feel(mask);
            }
            What::Believes { subject, belief } => {
                let mask = seen.by.and(self.by_process(subject, seen.at));
                self.feel(mask);
                if matches!(belief, Belief::Ready(false) | Belief::BreakerOpen) {
                    for fault in mask.iter() {
                        if let Some(record) = self.records.get_mut(fault.index()) {
                            record.detected.get_or_insert(seen.at);
                            let start = record.windows.last().map(|window| window.0);
                            if record.detections.last().copied() < start {
                                record.detections.push(seen.at);
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }

    fn touch(&mut self, seen: &Observation) {
        self.count_touch(seen.by);
        let wanted = seen
            .by
            .iter()
            .any(|fault| self.records.get(fault.index()).is_some_and(|record| record.felt < ENOUGH));
        if !wanted {
            return;
        }
        if self.items.len() < MOST_MARKS && !seen.item.is_none() {
            let mask = self.items.entry(seen.item.identity()).or_insert(FaultMask::NONE);
            *mask = mask.and(seen.by);
        }
        if seen.connection != ConnectionId::NONE && self.connections.len() < MOST_MARKS {
            let mask = self.connections.entry(seen.connection).or_insert(FaultMask::NONE);
            *mask = mask.and(seen.by);
        }
    }

    fn count_touch(&mut self, by: FaultMask) {
        for fault in by.iter() {
            if let Some(record) = self.records.get_mut(fault.index()) {
                record.touched += 1;
            }
        }
    }

    fn mark_process(&mut self, subject: ProcessId, fault: FaultId, now: Time) {
        let Some(marks) = self.processes.get_mut(subject.index()) else { return };
        match marks.iter_mut().find(|(known, _)| *known == fault) {
            Some((_, last)) => *last = now,
            None => marks.push((fault, now)),
        }
    }

    fn by_item(&self, seen: &Observation) -> FaultMask {
        if self.items.is_empty() || seen.item.is_none() {
            return FaultMask::NONE;
        }
        self.items.get(&seen.item.identity()).copied().unwrap_or_default()
    }

    fn by_connection(&self, seen: &Observation) -> FaultMask {
        if self.connections.is_empty() || seen.connection == ConnectionId::NONE {
            return FaultMask::NONE;
        }
        self.connections.get(&seen.connection).copied().unwrap_or_default()
    }

    fn by_process(&self, subject: ProcessId, now: Time) -> FaultMask {
        let Some(marks) = self.processes.get(subject.index()) else { return FaultMask::NONE };
        let fresh = marks.iter().filter(|(fault, last)| {
            let window = self.records.get(fault.index()).and_then(|record| record.windows.last());
            let until = match window {
                Some((_, None)) => return true,
                Some((_, Some(healed))) => (*healed).max(*last),
                None => *last,
            };
            now <= until + MEMORY
        });
        fresh.fold(FaultMask::NONE, |mask, (fault, _)| mask.and(FaultMask::of(*fault)))
    }

    /// The faults under which the reporter itself goes on running: slow, or by a wrong clock.
    fn by_reporter(&self, reporter: ProcessId) -> FaultMask {
        let Some(marks) = self.processes.get(reporter.index()) else { return FaultMask::NONE };
        let inside = |fault: &FaultId| {
            self.records.get(fault.index()).is_some_and(|record| record.open && record.alters_running)
        };
        let faults = marks.iter().map(|(fault, _)| fault).filter(|fault| inside(fault));
        faults.fold(FaultMask::NONE, |mask, fault| mask.and(FaultMask::of(*fault)))
    }

    fn feel(&mut self, mask: FaultMask) {
        if mask.is_empty() {
            return;
        }
        for fault in mask.iter() {
            if let Some(record) = self.records.get_mut(fault.index()) {
                record.felt += 1;
            }
        }
    }
}
