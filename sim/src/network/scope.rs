//! Between whom something is wrong on the network.

use crate::ids::ProcessId;

/// A set of processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessSet {
    bits: Vec<u64>,
}

impl ProcessSet {
    /// These processes.
    #[must_use]
    pub fn of(ids: &[ProcessId]) -> ProcessSet {
        let mut bits = Vec::new();
        for id in ids {
            let word = id.index() / 64;
            if bits.len() <= word {
                bits.resize(word + 1, 0);
            }
            bits[word] |= 1 << (id.index() % 64);
        }
        ProcessSet { bits }
    }

    /// All the others, of so many in all.
    #[must_use]
    pub fn complement(&self, count: usize) -> ProcessSet {
        let ids: Vec<ProcessId> = (0..count as u32).map(ProcessId).filter(|id| !self.has(*id)).collect();
        ProcessSet::of(&ids)
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn has(&self, id: ProcessId) -> bool {
        self.bits.get(id.index() / 64).is_some_and(|word| word >> (id.index() % 64) & 1 == 1)
    }
}

/// Which pairs of processes are meant, by direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// From these.
    pub from: ProcessSet,
    /// To those.
    pub to: ProcessSet,
    /// And back.
    pub both: bool,
}

impl Scope {
    /// Whether a message in this direction is meant.
    #[must_use]
    pub fn covers(&self, from: ProcessId, to: ProcessId) -> bool {
        self.from.has(from) && self.to.has(to) || self.both && self.from.has(to) && self.to.has(from)
    }

    /// Whether either direction between the two is meant.
    #[must_use]
    pub fn touches(&self, a: ProcessId, b: ProcessId) -> bool {
        self.covers(a, b) || self.covers(b, a)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_one_way_scope_covers_one_direction() {
        let (a, b) = (ProcessId(3), ProcessId(70));
        let mut scope = Scope { from: ProcessSet::of(&[a]), to: ProcessSet::of(&[b]), both: false };
        assert!(scope.covers(a, b) && !scope.covers(b, a) && scope.touches(b, a));
        scope.both = true;
        assert!(scope.covers(b, a));
        assert!(!ProcessSet::of(&[a]).complement(71).has(a) && ProcessSet::of(&[a]).complement(71).has(b));
    }
}
