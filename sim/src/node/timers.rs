//! The timers of one process. The kernel keeps one entry for the earliest; the rest waits here, so that
//! a cancelled timer costs nothing and a crash forgets all of them at once.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use crate::time::{Span, Time};

/// Names a timer that can be cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId {
    lane: u32,
    position: u64,
}

/// What fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fired {
    /// A timer, with its token.
    Timer(u64),
    /// A sync, with its token.
    Disk(u64),
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    due: Time,
    order: u64,
    token: u64,
    work: bool,
    live: bool,
}

/// Timeouts of one constant duration: due in the order in which they were armed.
#[derive(Clone, Debug, Default)]
struct Lane {
    duration: Span,
    first: u64,
    waiting: VecDeque<Waiting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Single {
    due: Time,
    order: u64,
    token: u64,
    work: bool,
    disk: bool,
}

impl Single {
    /// Due time and arming order in one number; no two timers of a process have the same.
    fn key(&self) -> u128 {
        u128::from(self.due.0) << 64 | u128::from(self.order)
    }
}

impl PartialOrd for Single {
    fn partial_cmp(&self, other: &Single) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Single {
    fn cmp(&self, other: &Single) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// All timers of one process, earliest first; ties in the order in which they were armed.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    lanes: Vec<Lane>,
    singles: BinaryHeap<Reverse<Single>>,
    /// The earliest of all; asked for several times in every turn.
    head: Option<Head>,
    order: u64,
    work: usize,
}

/// The earliest timer, and in which lane it is; none for those that cannot be cancelled.
#[derive(Clone, Copy, Debug)]
struct Head {
    due: Time,
    order: u64,
    lane: Option<u32>,
}

impl Timers {
    /// Arms a timer that cannot be cancelled.
    pub fn at(&mut self, due: Time, token: u64, work: bool) {
        self.push(due, token, work, false);
    }

    /// Arms the completion of a sync.
    pub fn disk(&mut self, due: Time, token: u64) {
        self.push(due, token, true, true);
    }

    fn push(&mut self, due: Time, token: u64, work: bool, disk: bool) {
        self.order += 1;
        self.work += usize::from(work);
        self.singles.push(Reverse(Single { due, order: self.order, token, work, disk }));
        self.came(due, None);
    }

    /// Arms a timeout of a duration that recurs; it can be cancelled. `now` must not go backwards.
    pub fn timeout(&mut self, now: Time, duration: Span, token: u64, work: bool) -> TimerId {
        self.order += 1;
        self.work += usize::from(work);
        let index = match self.lanes.iter().position(|lane| lane.duration == duration) {
            Some(index) => index,
            None => self.new_lane(duration),
        };
        let lane = &mut self.lanes[index];
        lane.waiting.push_back(Waiting { due: now + duration, order: self.order, token, work, live: true });
        let position = lane.first + lane.waiting.len() as u64 - 1;
        self.came(now + duration, Some(index as u32));
        TimerId { lane: index as u32, position }
    }

    /// The timer that was armed last may be the earliest.
    fn came(&mut self, due: Time, lane: Option<u32>) {
        if self.head.is_none_or(|head| due < head.due) {
            self.head = Some(Head { due, order: self.order, lane });
        }
    }

    fn new_lane(&mut self, duration: Span) -> usize {
        self.lanes.push(Lane { duration, ..Lane::default() });
        self.lanes.len() - 1
    }

    /// Cancels a timeout; nothing happens if it has fired.
    pub fn cancel(&mut self, id: TimerId) {
        let Some(lane) = self.lanes.get_mut(id.lane as usize) else { return };
        let Some(index) = id.position.checked_sub(lane.first) else { return };
        if let Some(waiting) = lane.waiting.get_mut(index as usize)
            && waiting.live
        {
            waiting.live = false;
            self.work -= usize::from(waiting.work);
        }
        let mut passed = false;
        while lane.waiting.front().is_some_and(|head| !head.live) {
            lane.waiting.pop_front();
            lane.first += 1;
            passed = true;
        }
        if passed && self.head.is_some_and(|head| head.lane == Some(id.lane)) {
            self.head = self.earliest();
        }
    }

    /// When the next one is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Time> {
        self.head.map(|head| head.due)
    }

    fn earliest(&self) -> Option<Head> {
        let single = self.singles.peek();
        let mut best =
            single.map(|Reverse(single)| Head { due: single.due, order: single.order, lane: None });
        for (index, lane) in self.lanes.iter().enumerate() {
            if let Some(head) = lane.waiting.front()
                && best.is_none_or(|best| (head.due, head.order) < (best.due, best.order))
            {
                best = Some(Head { due: head.due, order: head.order, lane: Some(index as u32) });
            }
        }
        best
    }

    /// Takes the next one that is due by then.
    pub fn pop(&mut self, now: Time) -> Option<Fired> {
        let head = self.head.filter(|head| head.due <= now)?;
        let fired = self.take(head.lane);
        self.head = self.earliest();
        fired
    }

    fn take(&mut self, lane: Option<u32>) -> Option<Fired> {
        let Some(index) = lane else {
            let Reverse(single) = self.singles.pop()?;
            self.work -= usize::from(single.work);
            return Some(if single.disk { Fired::Disk(single.token) } else { Fired::Timer(single.token) });
        };
        let lane = self.lanes.get_mut(index as usize)?;
        let head = lane.waiting.pop_front()?;
        lane.first += 1;
        while lane.waiting.front().is_some_and(|head| !head.live) {
            lane.waiting.pop_front();
            lane.first += 1;
        }
        self.work -= usize::from(head.work);
        Some(Fired::Timer(head.token))
    }

    /// How many of them are armed for an item (a sync always is).
    #[must_use]
    pub fn work(&self) -> usize {
        self.work
    }

    /// Forgets all of them: the process died. Ids given out before stay invalid.
    pub fn clear(&mut self) {
        self.singles.clear();
        self.head = None;
        self.work = 0;
        for lane in &mut self.lanes {
            lane.first += lane.waiting.len() as u64;
            lane.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(timers: &mut Timers, now: Time) -> Vec<Fired> {
        std::iter::from_fn(|| timers.pop(now)).collect()
    }

    #[test]
    fn timers_fire_in_the_order_of_their_due_times_and_ties_in_arming_order() {
        let mut timers = Timers::default();
        timers.at(Time(30), 1, false);
        timers.timeout(Time(0), Span(20), 2, true);
        timers.at(Time(20), 3, true);
        timers.disk(Time(5), 4);
        assert_eq!(timers.work(), 3);
        assert_eq!(timers.next_due(), Some(Time(5)));
        assert_eq!(
            drain(&mut timers, Time(30)),
            [Fired::Disk(4), Fired::Timer(2), Fired::Timer(3), Fired::Timer(1)]
        );
        assert_eq!(timers.work(), 0);
    }

    #[test]
    fn a_cancelled_timeout_does_not_fire_and_its_id_does_not_hit_another() {
        let mut timers = Timers::default();
        let first = timers.timeout(Time(0), Span(10), 1, true);
        let second = timers.timeout(Time(1), Span(10), 2, true);
        timers.cancel(first);
        timers.cancel(first);
        assert_eq!(timers.next_due(), Some(Time(11)));
        assert_eq!(drain(&mut timers, Time(100)), [Fired::Timer(2)]);
        timers.cancel(second);
        timers.timeout(Time(100), Span(10), 3, true);
        timers.cancel(second);
        assert_eq!(drain(&mut timers, Time(110)), [Fired::Timer(3)]);
        timers.timeout(Time(110), Span(10), 4, true);
        timers.clear();
        assert_eq!((timers.next_due(), timers.work()), (None, 0));
    }
}
