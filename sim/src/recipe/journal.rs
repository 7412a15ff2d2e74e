//! The durable runs of a logic app: each step is written down before it begins, so that a crash resumes
//! at the step that was under way (facts 5).

use std::collections::BTreeMap;

use crate::ids::{Execution, Item, PlaceId};
use crate::message::Cargo;
use crate::node::{Apply, Context, Durable, ItemBag};
use crate::observe::{Birth, Discard, End, Held, What};
use crate::recipe::position::{Position, RunId};

/// A run as it is written down.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its items.
    pub cargo: Cargo,
    /// Its identities.
    pub execution: Execution,
    /// Which delivery or attempt started it.
    pub attempt: u64,
    /// Where it is.
    pub position: Position,
}

#[derive(Clone, Debug, PartialEq)]
enum Change {
    Put(Box<Record>),
    Erase { run: u64, well: bool },
}

/// The runs under way, and which items have had one.
#[derive(Clone, Debug, Default, PartialEq)]
struct Saved {
    runs: BTreeMap<u64, Record>,
    seen: ItemBag,
    /// What the last sync began and ended; taken at once.
    begun: Vec<Cargo>,
    ended: Vec<(Cargo, bool)>,
}

impl Apply<Change> for Saved {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Put(record) => {
                let cargo = record.cargo.clone();
                if self.runs.insert(record.execution.run, *record).is_none() {
                    for item in cargo.items() {
                        if !self.seen.contains(*item) {
                            self.seen.add(*item);
                        }
                    }
                    self.begun.push(cargo);
                }
            }
            Change::Erase { run, well } => {
                if let Some(record) = self.runs.remove(&run) {
                    self.ended.push((record.cargo, well));
                }
            }
        }
    }
}

/// The journal of one logic app.
#[derive(Clone, Debug)]
pub struct Journal {
    place: PlaceId,
    saved: Durable<Saved, Change>,
    /// Which run waits for which sync; ascending by token.
    waiting: BTreeMap<u64, Option<RunId>>,
    token: u64,
}

impl Journal {
    /// An empty journal; what is in it rests at `place`.
    #[must_use]
    pub fn new(place: PlaceId) -> Journal {
        Journal { place, saved: Durable::new(Saved::default()), waiting: BTreeMap::new(), token: 0 }
    }

    /// Whether this item has had a run that was written down.
    #[must_use]
    pub fn has_seen(&self, item: Item) -> bool {
        self.saved.get().seen.contains(item)
    }

    /// The runs that are written down, by their identity.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.saved.get().runs.values()
    }

    /// Writes down where a run is; it may go on when the sync is over.
    pub fn write(&mut self, run: RunId, record: Record, cx: &mut Context<'_>) {
        let item = record.cargo.first().unwrap_or_default();
        self.stage(Change::Put(Box::new(record)), Some(run), item, cx);
    }

    /// Writes down that a run is over.
    pub fn erase(&mut self, run: u64, well: bool, cargo: &Cargo, cx: &mut Context<'_>) {
        self.stage(Change::Erase { run, well }, None, cargo.first().unwrap_or_default(), cx);
    }

    fn stage(&mut self, change: Change, run: Option<RunId>, item: Item, cx: &mut Context<'_>) {
        self.token += 1;
        self.saved.stage(self.token, change);
        self.waiting.insert(self.token, run);
        cx.sync(self.token, item);
    }

    /// A sync completed. Returns the run that may go on.
    pub fn synced(&mut self, token: u64, cx: &mut Context<'_>) -> Option<RunId> {
        self.saved.synced(token);
        let state = self.saved.get_mut();
        let (begun, ended) = (std::mem::take(&mut state.begun), std::mem::take(&mut state.ended));
        for cargo in begun {
            cx.observe_each(cargo.items(), What::Born { place: self.place, cause: Birth::Stored });
        }
        for (cargo, well) in ended {
            let cause = if well { End::Completed } else { End::Discarded(Discard::Undeliverable) };
            cx.observe_each(cargo.items(), What::Ended { place: self.place, cause });
        }
        self.waiting.remove(&token).flatten()
    }

    /// A sync failed. Returns the run that must try again.
    pub fn failed(&mut self, token: u64) -> Option<RunId> {
        self.saved.failed(token);
        self.waiting.remove(&token).flatten()
    }

    /// Loses what is not synced.
    pub fn crash(&mut self) {
        self.saved.crash();
        self.waiting.clear();
        self.token = 0;
    }

    /// What is written down.
    pub fn inventory(&self, out: &mut dyn FnMut(Held)) {
        for record in self.records() {
            for item in record.cargo.items() {
                out(Held { place: self.place, item: *item, copies: 1, rest: false, shut: false });
            }
        }
    }
}
