//! The commands of a broker whose effect waits for the disk. Syncs are batched: what comes while one is under
//! way goes with the next.

use crate::ids::ConnectionId;
use crate::message::Message;
use crate::node::Context;

/// A command whose effect waits for its sync.
#[derive(Clone, Debug)]
pub(super) struct Op {
    pub(super) connection: ConnectionId,
    pub(super) message: Message,
}

/// What waits for the disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Commits {
    staged: Vec<Op>,
    syncing: Vec<Op>,
    sync: u64,
    busy: bool,
}

impl Commits {
    /// Lets a command wait for a sync.
    pub(super) fn stage(&mut self, connection: ConnectionId, message: Message, cx: &mut Context<'_>) {
        self.staged.push(Op { connection, message });
        if !self.busy {
            self.begin(cx);
        }
    }

    fn begin(&mut self, cx: &mut Context<'_>) {
        std::mem::swap(&mut self.staged, &mut self.syncing);
        let Some(first) = self.syncing.first() else { return };
        self.sync += 1;
        self.busy = true;
        cx.sync(self.sync, first.message.cargo.first().unwrap_or_default());
    }

    /// The sync under way is over: what it held. Once that is dealt with, [`Commits::next`].
    pub(super) fn finished(&mut self) -> Vec<Op> {
        std::mem::take(&mut self.syncing)
    }

    /// Begins the next sync. `emptied`: the list of the one before, to be used again.
    pub(super) fn next(&mut self, emptied: Vec<Op>, cx: &mut Context<'_>) {
        self.syncing = emptied;
        self.busy = false;
        self.begin(cx);
    }

    /// Gives up everything that waits; a sync that is under way will hold nothing.
    pub(super) fn give_up(&mut self) -> impl Iterator<Item = Op> + use<> {
        std::mem::take(&mut self.syncing).into_iter().chain(std::mem::take(&mut self.staged))
    }
}
