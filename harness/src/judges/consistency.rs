//! What readers saw of a store, against what its consistency level promises (facts data 1.4). A row is a
//! register that is written once: it is not there, is written, and is there until it is deleted. For such a
//! register the levels need no search: a read that misses the row is stale if somebody who counts had been
//! told, or had seen, that it is there before the read was asked.

use std::collections::BTreeMap;

use beaufort_sim::ids::{Item, PlaceId, ProcessId, StreamId};
use beaufort_sim::observe::{End, Observation, Outcome, What};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::Time;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::acknowledged::{Acknowledgements, Now};
use super::rules::{Check, Promise, Rules};

/// At most so many stale reads are kept one by one.
const KEPT: usize = 1_000;

/// A read that did not show what it had to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StaleRead {
    /// Whose row.
    pub(crate) item: Item,
    /// When it was answered.
    pub(crate) at: Time,
    /// Who read.
    pub(crate) reader: ProcessId,
    /// Since when it was known to be there.
    pub(crate) since: Time,
}

/// What is known of a row.
#[derive(Clone, Debug)]
struct Register {
    /// When it was written.
    written: Time,
    /// From when on everybody has to see it: a write was acknowledged, or a read that saw it was over.
    known: Option<Time>,
    /// The same for single readers and writers.
    known_to: SmallVec<[(ProcessId, Time); 2]>,
    deleted: bool,
}

/// What one contract has seen.
#[derive(Clone, Debug)]
pub(crate) struct Readings {
    places: Vec<PlaceId>,
    /// The streams of the flow.
    streams: Vec<StreamId>,
    promise: Promise,
    told: Acknowledgements,
    /// By identity of the item; never iterated.
    rows: FxHashMap<u64, Register>,
    /// By reader and key: when the latest row was written that it has seen. Never iterated.
    latest: FxHashMap<(ProcessId, u32), Time>,
    pub(crate) reads: u64,
    pub(crate) broken: u64,
    pub(crate) stale: Vec<StaleRead>,
}

impl Readings {
    fn new(places: &[PlaceId], streams: Vec<StreamId>, promise: Promise) -> Readings {
        Readings {
            places: places.to_vec(),
            streams,
            promise,
            told: Acknowledgements::default(),
            rows: FxHashMap::default(),
            latest: FxHashMap::default(),
            reads: 0,
            broken: 0,
            stale: Vec::new(),
        }
    }

    /// Whether a row of this item there is one that is asked about.
    fn concerns(&self, place: PlaceId, item: Item) -> bool {
        self.places.contains(&place) && self.streams.contains(&item.stream)
    }

    fn observe(&mut self, seen: &Observation) {
        let identity = seen.item.identity();
        match seen.what {
            What::Born { place, .. } if self.concerns(place, seen.item) => {
                let row = self.rows.entry(identity).or_insert_with(|| Register {
                    written: seen.at,
                    known: None,
                    known_to: SmallVec::new(),
                    deleted: false,
                });
                row.deleted = false;
                let now = self.told.born(identity, seen.event, seen.at);
                self.acknowledge(&now, seen.process);
            }
            // What a failover took away had been there.
            What::Ended { place, cause: End::Completed | End::Expired }
                if self.concerns(place, seen.item) =>
            {
                if let Some(row) = self.rows.get_mut(&identity) {
                    row.deleted = true;
                }
            }
            What::Handled { call, .. } => {
                let now = self.told.handled(call, identity, seen.event, seen.at);
                self.acknowledge(&now, seen.process);
            }
            What::Answered { call, outcome } => {
                let now = self.told.answered(call, outcome == Outcome::Ok, seen.event, seen.at);
                self.acknowledge(&now, seen.process);
            }
            What::Read { place, found, asked } if self.concerns(place, seen.item) => {
                self.reads += 1;
                if found { self.saw(seen) } else { self.missed(seen, asked) }
            }
            _ => {}
        }
    }

    fn acknowledge(&mut self, now: &Now, by: ProcessId) {
        for one in now {
            let Some(row) = self.rows.get_mut(&one.identity) else { continue };
            row.known.get_or_insert(one.at);
            if one.told {
                row.know(by, one.at);
            }
        }
    }

    fn saw(&mut self, seen: &Observation) {
        let Some(row) = self.rows.get_mut(&seen.item.identity()) else { return };
        row.known = Some(row.known.map_or(seen.at, |known| known.min(seen.at)));
        row.know(seen.process, seen.at);
        let latest = self.latest.entry((seen.process, seen.item.key)).or_insert(row.written);
        *latest = row.written.max(*latest);
    }

    fn missed(&mut self, seen: &Observation, asked: Time) {
        let Some(row) = self.rows.get(&seen.item.identity()).filter(|row| !row.deleted) else { return };
        let own = row.known_to.iter().find(|(process, _)| *process == seen.process).map(|(_, at)| *at);
        let since = match self.promise {
            Promise::Linearizable => row.known,
            Promise::BoundedStaleness(bound) => row.known.map(|known| known + bound),
            Promise::Session => own,
            Promise::ConsistentPrefix => {
                let latest = self.latest.get(&(seen.process, seen.item.key));
                latest.filter(|latest| row.written < **latest).map(|_| row.written)
            }
        };
        let Some(since) = since.filter(|since| *since < asked) else { return };
        self.broken += 1;
        if self.stale.len() < KEPT {
            self.stale.push(StaleRead { item: seen.item, at: seen.at, reader: seen.process, since });
        }
    }
}

impl Register {
    fn know(&mut self, process: ProcessId, at: Time) {
        if !self.known_to.iter().any(|(known, _)| *known == process) {
            self.known_to.push((process, at));
        }
    }
}

/// All contracts about what is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Consistency(BTreeMap<usize, Readings>);

impl Consistency {
    pub(crate) fn new(plan: &Plan, rules: &Rules) -> Consistency {
        let asked = rules.contracts.iter().enumerate().filter_map(|(index, rule)| {
            let Check::Consistent { places, promise } = &rule.check else { return None };
            let streams = plan.streams.iter().filter(|stream| stream.flow == rule.flow);
            let streams = streams.map(|stream| stream.id).collect();
            Some((index, Readings::new(places, streams, *promise)))
        });
        Consistency(asked.collect())
    }

    /// Takes one observation.
    #[inline]
    pub(crate) fn observe(&mut self, seen: &Observation) {
        self.0.values_mut().for_each(|readings| readings.observe(seen));
    }

    /// What a contract has seen.
    pub(crate) fn of(&self, contract: usize) -> Option<&Readings> {
        self.0.get(&contract)
    }
}

#[cfg(test)]
#[path = "consistency_tests.rs"]
mod tests;
