//! Whether copies of a store hold the same items at the end: what the processes hold, and the shadows that
//! secondaries reported.

use std::collections::BTreeSet;
use std::sync::Arc;

use beaufort_sim::ids::{Item, PlaceId};
use beaufort_sim::observe::Held;

use super::rules::{Check, Rules};

/// The shadows, place by place; empty if nobody asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shadows(Vec<Arc<BTreeSet<u64>>>);

impl Shadows {
    pub(crate) fn new(places: usize, rules: &Rules) -> Shadows {
        let asked = rules.contracts.iter().any(|rule| matches!(rule.check, Check::Converge { .. }));
        Shadows(if asked { vec![Arc::default(); places] } else { Vec::new() })
    }

    /// A secondary holds a shadow of this item from now on, or no longer.
    pub(crate) fn note(&mut self, place: PlaceId, item: Item, held: bool) {
        let Some(items) = self.0.get_mut(place.index()) else { return };
        let items = Arc::make_mut(items);
        if held {
            items.insert(item.identity());
        } else {
            items.remove(&item.identity());
        }
    }
}

/// What each copy of a store holds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Replicas(Vec<(usize, Vec<BTreeSet<u64>>)>);

impl Replicas {
    /// For all contracts that ask.
    pub(crate) fn new(rules: &Rules, shadows: &Shadows) -> Replicas {
        let mut replicas = Vec::new();
        for (index, rule) in rules.contracts.iter().enumerate() {
            let Check::Converge { copies } = &rule.check else { continue };
            let shadowed = |places: &Vec<PlaceId>| -> BTreeSet<u64> {
                let sets = places.iter().filter_map(|place| shadows.0.get(place.index()));
                sets.flat_map(|set| set.iter().copied()).collect()
            };
            replicas.push((index, copies.iter().map(|(_, places)| shadowed(places)).collect()));
        }
        Replicas(replicas)
    }

    /// A process holds this.
    pub(crate) fn find(&mut self, rules: &Rules, held: Held) {
        for (index, sets) in &mut self.0 {
            let Check::Converge { copies } = &rules.contracts[*index].check else { continue };
            for ((_, places), set) in copies.iter().zip(sets) {
                if places.contains(&held.place) {
                    set.insert(held.item.identity());
                }
            }
        }
    }

    /// What a contract's copies hold.
    pub(crate) fn of(&self, contract: usize) -> &[BTreeSet<u64>] {
        self.0.iter().find(|(index, _)| *index == contract).map_or(&[], |(_, sets)| sets)
    }
}
