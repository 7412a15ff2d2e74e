//! Times to live of rows. Rows of one time to live expire in the order in which they were written, so
//! that one queue for each is enough; what outlives the run is not kept in mind.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::ids::Item;
use crate::time::{Span, Time};

/// A row that will expire.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Expiry {
    pub(super) due: Time,
    pub(super) item: Item,
    pub(super) part: u16,
    pub(super) typed: bool,
    pub(super) range: u16,
    /// The position of its change in the feed.
    pub(super) position: u64,
}

/// The rows that will expire. Durable: the times are those of the wall clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Expiries {
    by_ttl: Vec<(Span, VecDeque<Expiry>)>,
}

impl Expiries {
    pub(super) fn add(&mut self, ttl: Span, expiry: Expiry) {
        match self.by_ttl.iter_mut().find(|(of, _)| *of == ttl) {
            Some((_, queue)) => queue.push_back(expiry),
            None => self.by_ttl.push((ttl, VecDeque::from([expiry]))),
        }
    }

    /// The oldest row of this key is gone or was written again. `newest`: its change does not stand
    /// behind this position.
    pub(super) fn cancel(&mut self, part: u16, item: Item, typed: bool, newest: u64) {
        let is = |expiry: &Expiry| {
            let kind = !typed || expiry.item.kind == item.kind;
            expiry.part == part && expiry.typed == typed && expiry.item.same(item) && kind
        };
        let queues = self.by_ttl.iter().enumerate();
        let oldest = queues
            .filter_map(|(queue, (_, rows))| {
                let index = rows.iter().position(is)?;
                Some((rows[index].position, queue, index))
            })
            .min();
        if let Some((position, queue, index)) = oldest
            && position <= newest
        {
            self.by_ttl[queue].1.remove(index);
        }
    }

    /// When the next row expires.
    pub(super) fn next_due(&self) -> Option<Time> {
        self.by_ttl.iter().filter_map(|(_, queue)| queue.front()).map(|expiry| expiry.due).min()
    }

    /// Takes a row whose time is over.
    pub(super) fn pop(&mut self, wall: Time) -> Option<Expiry> {
        let due = self.next_due().filter(|due| *due <= wall)?;
        let mut queues = self.by_ttl.iter_mut().map(|(_, queue)| queue);
        queues.find(|queue| queue.front().is_some_and(|expiry| expiry.due == due))?.pop_front()
    }
}
