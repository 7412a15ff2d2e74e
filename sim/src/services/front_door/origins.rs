//! What an edge location thinks of the origins, and which one it takes (facts data 4.2): enabled, healthy,
//! of the lowest priority number, about as fast as the fastest, by weighted round robin.

use std::collections::VecDeque;

use crate::ids::Address;
use crate::time::{Span, Time};

/// An origin as configured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub(super) address: Address,
    pub(super) priority: u8,
    pub(super) weight: u32,
}

/// What all edge locations are told.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) origins: Vec<Origin>,
    pub(super) sensitivity: Span,
    pub(super) interval: Span,
    pub(super) samples: usize,
    pub(super) successes: usize,
}

/// What one edge location knows of one origin.
#[derive(Clone, Debug, Default, PartialEq)]
struct View {
    /// The last samples; one that is missing counts as a success.
    samples: VecDeque<bool>,
    /// When the probe was sent that is not answered yet.
    asked: Option<Time>,
    /// How long the last probe took.
    latency: Span,
    /// Its credit in the round robin.
    credit: i64,
}

/// What one edge location knows of all origins.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Views(Vec<View>);

impl Views {
    pub(super) fn new(rules: &Rules) -> Views {
        Views(vec![View::default(); rules.origins.len()])
    }

    /// A probe is sent. True if the one before it was not answered.
    pub(super) fn ask(&mut self, index: usize, now: Time) -> bool {
        self.0.get_mut(index).is_some_and(|view| view.asked.replace(now).is_some())
    }

    /// A probe was answered. False if none was under way.
    pub(super) fn answered(&mut self, index: usize, now: Time) -> bool {
        let Some(view) = self.0.get_mut(index) else { return false };
        let Some(asked) = view.asked.take() else { return false };
        view.latency = now.since(asked);
        true
    }

    /// Takes a sample. True if the origin was healthy before and is not now, or the other way round.
    pub(super) fn sample(&mut self, rules: &Rules, index: usize, success: bool) -> bool {
        let before = self.is_healthy(rules, index);
        if let Some(view) = self.0.get_mut(index) {
            view.samples.push_back(success);
            if view.samples.len() > rules.samples {
                view.samples.pop_front();
            }
        }
        before != self.is_healthy(rules, index)
    }

    pub(super) fn is_healthy(&self, rules: &Rules, index: usize) -> bool {
        let failed = self.0.get(index).map_or(0, |view| view.samples.iter().filter(|ok| !**ok).count());
        rules.samples - failed.min(rules.samples) >= rules.successes
    }

    /// The origin for the next request. If none is healthy, all of them in turn (fail open).
    pub(super) fn choose(&mut self, rules: &Rules) -> Option<usize> {
        let all = 0..rules.origins.len();
        let healthy: Vec<usize> = all.clone().filter(|index| self.is_healthy(rules, *index)).collect();
        let candidates = if healthy.is_empty() { all.collect() } else { self.best(rules, healthy) };
        let weight = |index: usize| rules.origins.get(index).map_or(0, |origin| i64::from(origin.weight));
        let mut chosen: Option<usize> = None;
        for index in &candidates {
            self.0[*index].credit += weight(*index);
            if chosen.is_none_or(|best| self.0[*index].credit > self.0[best].credit) {
                chosen = Some(*index);
            }
        }
        let sum: i64 = candidates.iter().map(|index| weight(*index)).sum();
        if let Some(index) = chosen {
            self.0[index].credit -= sum;
        }
        chosen
    }

    /// Of these, those of the lowest priority number that are about as fast as the fastest of them.
    fn best(&self, rules: &Rules, mut healthy: Vec<usize>) -> Vec<usize> {
        let priority = |index: &usize| rules.origins[*index].priority;
        let first = healthy.iter().map(priority).min().unwrap_or_default();
        healthy.retain(|index| priority(index) == first);
        let latency = |index: &usize| self.0[*index].latency;
        let most = healthy.iter().map(latency).min().unwrap_or_default() + rules.sensitivity;
        healthy.retain(|index| latency(index) <= most);
        healthy
    }
}
