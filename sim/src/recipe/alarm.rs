//! The trigger that is an alert: a run without items for each time it is raised.

use crate::message::Cargo;
use crate::recipe::fed::execution;
use crate::recipe::run::Start;
use crate::recipe::trigger::Ticket;

/// What one instance knows of its alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Alarm {
    /// The last time it was raised, counted by the alert; it comes again when the answer is lost.
    last: Option<u32>,
}

impl Alarm {
    /// The process has died: an alert that comes again is a new one.
    pub fn crash(&mut self) {
        *self = Alarm::default();
    }

    /// The alert was raised; nothing if that is known already.
    pub fn raised(&mut self, number: u32, app: u64) -> Option<Start> {
        if self.last == Some(number) {
            return None;
        }
        self.last = Some(number);
        let execution = execution(app, u64::from(number), 0);
        Some(Start { ticket: Ticket(0), cargo: Cargo::None, execution, attempt: u64::from(number) })
    }
}
