//! Who owns the partitions of an event hub, and how far they are read: what the event processors of the
//! consumer groups write into a checkpoint store (facts 3.3). Whoever keeps it decides nothing. An owner is
//! written over only by one who has seen it (the ETag), so that of two who claim a partition one wins; a
//! checkpoint is written over by anybody.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::message::Body;
use crate::message::store::{Answer, Command, LeaseAction, Ownership};
use crate::time::Time;

/// Every partition: for who is leaving and gives back what is his.
const ANY: u16 = u16::MAX;

/// What the consumer groups have written down, by group and partition. Durable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ownerships(BTreeMap<u16, Vec<Ownership>>);

impl Ownerships {
    /// Does what a processor asks, and says what came of it; `None` for what is none of its business.
    pub fn answer(&mut self, command: &Command, now: Time) -> Option<Body> {
        match *command {
            Command::Owners { processor } => {
                let known = self.0.get(&processor).cloned().unwrap_or_default();
                Some(Body::Owners(Arc::new(known)))
            }
            Command::Lease { processor, range, owner, how } => {
                let answer = match self.write(processor, range, owner, how, now) {
                    Some(position) => Answer::Leased { range, position },
                    None => Answer::NotLeased { range },
                };
                Some(Body::StoreAnswer(answer))
            }
            _ => None,
        }
    }

    /// Writes, and returns the checkpoint; `None` if it was refused.
    fn write(&mut self, group: u16, range: u16, owner: u64, how: LeaseAction, now: Time) -> Option<u64> {
        let partitions = self.0.entry(group).or_default();
        if range == ANY {
            if how == LeaseAction::Release {
                partitions.iter_mut().filter(|one| one.owner == owner).for_each(free);
            }
            return (how == LeaseAction::Release).then_some(0);
        }
        let index = usize::from(range);
        if partitions.len() <= index {
            partitions.resize(index + 1, Ownership::default());
        }
        let one = &mut partitions[index];
        match how {
            LeaseAction::Claim(etag) if one.etag == etag => {
                *one = Ownership { owner, since: now, etag: etag + 1, ..*one };
            }
            LeaseAction::Checkpoint(position) => one.checkpoint = position,
            LeaseAction::Release if one.owner == owner => free(one),
            _ => return None,
        }
        Some(one.checkpoint)
    }
}

fn free(one: &mut Ownership) {
    one.owner = 0;
    one.etag += 1;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    const GROUP: u16 = 3;

    fn lease(store: &mut Ownerships, range: u16, owner: u64, how: LeaseAction, seconds: u64) -> Option<u64> {
        let command = Command::Lease { processor: GROUP, range, owner, how };
        match store.answer(&command, Time::ZERO + Span::secs(seconds)) {
            Some(Body::StoreAnswer(Answer::Leased { position, .. })) => Some(position),
            _ => None,
        }
    }

    fn owners(store: &mut Ownerships) -> Vec<(u64, u32)> {
        match store.answer(&Command::Owners { processor: GROUP }, Time::ZERO) {
            Some(Body::Owners(known)) => known.iter().map(|one| (one.owner, one.etag)).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn of_two_who_claim_a_partition_that_both_have_seen_one_wins() {
        let mut store = Ownerships::default();
        assert_eq!(lease(&mut store, 1, 7, LeaseAction::Claim(0), 1), Some(0));
        assert_eq!(lease(&mut store, 1, 8, LeaseAction::Claim(0), 1), None, "the ETag has changed");
        assert_eq!(owners(&mut store), [(0, 0), (7, 1)]);
        assert_eq!(lease(&mut store, 1, 7, LeaseAction::Claim(1), 2), Some(0), "renewed");
        assert_eq!(lease(&mut store, 1, 8, LeaseAction::Claim(2), 3), Some(0), "stolen");
        assert_eq!(lease(&mut store, 1, 7, LeaseAction::Claim(2), 4), None);
    }

    #[test]
    fn a_checkpoint_is_written_over_by_anybody_and_passed_on_to_the_next_owner() {
        let mut store = Ownerships::default();
        lease(&mut store, 0, 7, LeaseAction::Claim(0), 1);
        assert_eq!(lease(&mut store, 0, 7, LeaseAction::Checkpoint(40), 2), Some(40));
        assert_eq!(lease(&mut store, 0, 8, LeaseAction::Claim(1), 3), Some(40));
        // The old owner has not noticed yet: its late checkpoint takes the new one back.
        lease(&mut store, 0, 8, LeaseAction::Checkpoint(60), 4);
        assert_eq!(lease(&mut store, 0, 7, LeaseAction::Checkpoint(50), 5), Some(50));
    }

    #[test]
    fn who_leaves_gives_back_what_is_his_and_nothing_else() {
        let mut store = Ownerships::default();
        for (range, owner) in [(0, 7), (1, 8), (2, 7)] {
            lease(&mut store, range, owner, LeaseAction::Claim(0), 1);
        }
        assert_eq!(lease(&mut store, ANY, 7, LeaseAction::Release, 2), Some(0));
        assert_eq!(owners(&mut store), [(0, 2), (8, 1), (0, 2)]);
        assert_eq!(lease(&mut store, 1, 7, LeaseAction::Release, 3), None);
        let other = store.answer(&Command::Owners { processor: 9 }, Time::ZERO);
        assert_eq!(other, Some(Body::Owners(Arc::new(Vec::new()))));
    }
}
