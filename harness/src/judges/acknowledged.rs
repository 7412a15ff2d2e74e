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

/// The copies that came to be in one kernel event since a call was last dealt with.
#[derive(Clone, Debug, Default)]
struct Births {
    event: u64,
    at: Time,
    identities: SmallVec<[u64; 4]>,
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

    /// In this kernel event the callee dealt with a call about this item; what it wrote for it came to be just
    /// before. A service may deal with several calls in one event (those that one sync has made durable).
    pub(crate) fn handled(&mut self, call: CallId, identity: u64, event: u64, now: Time) -> Now {
        let before = self.turn(event, now);
        if self.births.identities.contains(&identity) {
            self.unanswered.insert(call, std::mem::take(&mut self.births.identities));
        }
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
        let Births { at, identities, .. } = std::mem::replace(&mut self.births, next);
        identities.into_iter().map(|identity| Acknowledged { identity, at, told: false }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(now: &Now) -> Vec<u64> {
        now.iter().map(|one| one.identity).collect()
    }

    #[test]
    fn each_call_of_one_event_acknowledges_its_own() {
        let mut all = Acknowledgements::default();
        // One sync makes three calls durable; the second brought two, the third nothing new.
        for (identities, call) in [(&[1][..], 1), (&[2, 3], 2), (&[], 3)] {
            for identity in identities {
                assert!(all.born(*identity, 7, Time(7)).is_empty());
            }
            let first = identities.first().copied().unwrap_or(9);
            assert!(all.handled(CallId(call), first, 7, Time(7)).is_empty());
        }
        assert_eq!(told(&all.answered(CallId(3), true, 8, Time(8))), [0_u64; 0]);
        assert_eq!(told(&all.answered(CallId(1), true, 9, Time(9))), [1]);
        assert_eq!(told(&all.answered(CallId(2), false, 10, Time(10))), [0_u64; 0], "nobody was told");
    }

    #[test]
    fn what_no_call_brought_is_acknowledged_by_being_there() {
        let mut all = Acknowledgements::default();
        assert!(all.born(1, 7, Time(7)).is_empty());
        assert!(all.born(2, 7, Time(7)).is_empty());
        let now = all.handled(CallId(1), 5, 8, Time(8));
        assert_eq!(told(&now), [1, 2]);
        assert!(now.iter().all(|one| one.at == Time(7) && !one.told));
    }
}
