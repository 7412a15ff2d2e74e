//! State that survives a crash. Changes are staged, and only a completed sync makes them so.

use std::collections::VecDeque;

/// How a change alters the state.
pub trait Apply<Change> {
    /// Carries the change out.
    fn apply(&mut self, change: Change);
}

/// A state whose changes take effect when their sync completes; the unsynced suffix is lost in a crash.
#[derive(Clone, Debug, PartialEq)]
pub struct Durable<T, Change> {
    state: T,
    staged: VecDeque<(u64, Change)>,
}

impl<T: Apply<Change>, Change> Durable<T, Change> {
    /// Durable from the start.
    pub fn new(state: T) -> Self {
        Self { state, staged: VecDeque::new() }
    }

    /// Stages a change under the token of the sync that will make it durable. Syncs complete in the
    /// order in which they were asked for.
    pub fn stage(&mut self, token: u64, change: Change) {
        self.staged.push_back((token, change));
    }

    /// The sync with this token completed: everything staged up to and under it is durable.
    pub fn synced(&mut self, token: u64) {
        while self.staged.front().is_some_and(|(staged, _)| *staged <= token) {
            if let Some((_, change)) = self.staged.pop_front() {
                self.state.apply(change);
            }
        }
    }

    /// The sync failed: what was staged under this token is void.
    pub fn failed(&mut self, token: u64) {
        self.staged.retain(|(staged, _)| *staged != token);
    }

    /// A crash: the unsynced suffix is lost.
    pub fn crash(&mut self) {
        self.staged.clear();
    }

    /// What is durable now.
    pub fn get(&self) -> &T {
        &self.state
    }

    /// Changes the durable state at once, where the model takes the sync for granted.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.state
    }

    /// What waits for its sync, oldest first.
    pub fn staged(&self) -> impl Iterator<Item = &Change> {
        self.staged.iter().map(|(_, change)| change)
    }
}
