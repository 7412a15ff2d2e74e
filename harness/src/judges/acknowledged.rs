//! When somebody was told that a copy is there: the call that brought it was answered. What no call brought is
//! acknowledged by being there.

use beaufort_sim::ids::CallId;
use beaufort_sim::time::Time;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// A copy that is acknowledged now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    /// The item's identity.
    pub(crate) identity: u64,
    /// Since when.
    pub(crate) at: Time,
    /// Whether a caller was told so, just now.
    pub(crate) told: bool,
}

/// Those of one kernel event.
pub(crate) type Now = SmallVec<[Acknowledged; 4]>;

/// The copies that came to be in one kernel event, and the call that brought them.
#[derive(Clone, Debug, Default)]
struct Births {
    event: u64,
    at: Time,
    identities: SmallVec<[u64; 4]>,
    call: Option<CallId>,
}

/// The copies of which nobody has been told yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acknowledgements {
    births: Births,
    /// What was brought by calls that are not answered yet: a store that waits for its other regions has a
    /// copy, and nobody was told. Never iterated.
    unanswered: FxHashMap<CallId, SmallVec<[u64; 4]>>,
}

impl Acknowledgements {
    /// A copy came to be in this kernel event.
    pub(crate) fn born(&mut self, identity: u64, event: u64, now: Time) -> Now {
        let before = self.turn(event, now);
        self.births.identities.push(identity);
        before
    }

    /// In this kernel event the callee dealt with a call.
    pub(crate) fn handled(&mut self, call: CallId, event: u64, now: Time) -> Now {
        let before = self.turn(event, now);
        self.births.call = Some(call);
        before
    }

    /// The caller knows how its call ended.
    pub(crate) fn answered(&mut self, call: CallId, ok: bool, event: u64, now: Time) -> Now {
        let mut all = self.turn(event, now);
        let identities = self.unanswered.remove(&call).filter(|_| ok).unwrap_or_default();
        let told = |identity| Acknowledged { identity, at: now, told: true };
        all.extend(identities.into_iter().map(told));
        all
    }

    /// Another kernel event: puts the copies of the one before where they belong.
    pub(crate) fn turn(&mut self, event: u64, now: Time) -> Now {
        if self.births.event == event {
            return Now::new();
        }
        let next = Births { event, at: now, ..Births::default() };
        let Births { at, identities, call, .. } = std::mem::replace(&mut self.births, next);
        match call {
            Some(call) if !identities.is_empty() => {
                self.unanswered.insert(call, identities);
                Now::new()
            }
            _ => identities.into_iter().map(|identity| Acknowledged { identity, at, told: false }).collect(),
        }
    }
}
