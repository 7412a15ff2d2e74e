//! The timers of one node for engines that have none that can be cancelled cheaply: all attempts of a node
//! wait equally long, so they expire in the order in which they were made.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// A tick.
    Tick,
    /// The attempt of this key.
    Expired(u32),
}

/// The timers of one node.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Lanes {
    tick: Option<u64>,
    first: u32,
    attempts: VecDeque<(u64, Option<u32>)>,
}

impl Lanes {
    /// Arms the tick.
    pub fn tick(&mut self, at: u64) {
        self.tick = Some(at);
    }

    /// Arms the end of an attempt and returns its handle. `at` must not go back.
    pub fn attempt(&mut self, at: u64, key: u32) -> u32 {
        self.attempts.push_back((at, Some(key)));
        self.first.wrapping_add(self.attempts.len() as u32 - 1)
    }

    /// Forgets an attempt.
    pub fn cancel(&mut self, handle: u32) {
        if let Some((_, key)) = self.attempts.get_mut(handle.wrapping_sub(self.first) as usize) {
            *key = None;
        }
        self.clean();
    }

    fn clean(&mut self) {
        while let Some((_, None)) = self.attempts.front() {
            self.attempts.pop_front();
            self.first = self.first.wrapping_add(1);
        }
    }

    /// When the next is due; `u64::MAX` for never.
    #[must_use]
    pub fn next_due(&self) -> u64 {
        let tick = self.tick.unwrap_or(u64::MAX);
        self.attempts.front().map_or(tick, |(at, _)| tick.min(*at))
    }

    /// Takes one that is due.
    pub fn pop(&mut self, now: u64) -> Option<Due> {
        if self.next_due() > now {
            return None;
        }
        if self.tick.is_some_and(|at| at <= now) {
            self.tick = None;
            return Some(Due::Tick);
        }
        let (_, key) = self.attempts.pop_front()?;
        self.first = self.first.wrapping_add(1);
        self.clean();
        key.map(Due::Expired)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cancelled_does_not_come_due_and_the_rest_does_in_order() {
        let mut lanes = Lanes::default();
        let first = lanes.attempt(10, 1);
        let second = lanes.attempt(20, 2);
        lanes.attempt(30, 3);
        lanes.tick(25);
        lanes.cancel(second);
        assert_eq!(lanes.next_due(), 10);
        lanes.cancel(first);
        lanes.cancel(first);
        assert_eq!((lanes.next_due(), lanes.pop(24)), (25, None));
        assert_eq!(lanes.pop(30), Some(Due::Tick));
        assert_eq!(lanes.pop(30), Some(Due::Expired(3)));
        assert_eq!((lanes.pop(u64::MAX), lanes.next_due()), (None, u64::MAX));
    }
}
