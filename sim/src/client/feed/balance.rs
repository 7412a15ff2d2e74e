//! How event processors share the partitions of a hub (facts 3.3): in every interval each of them reads who
//! owns what, renews what is its own, and claims what is free, or takes a partition from one who has more
//! than his share. All by writes that are refused if somebody else has written in between.

use std::collections::BTreeMap;

use super::{ANY, CLAIM, Event, FeedProcessor, OWNERS, Phase, RENEWAL, Strategy, Wire};
use crate::message::store::{Answer, Command, LeaseAction, Ownership};
use crate::message::{Body, Message, broker};
use crate::node::Context;
use crate::observe::Symptom;
use crate::random::mix;
use crate::time::{Span, Time};

impl FeedProcessor {
    /// Asks who owns what.
    pub(super) fn list_owners(&mut self, cx: &mut Context<'_>) {
        self.claims = 0;
        let command = Command::Owners { processor: self.processor };
        self.send(OWNERS, ANY, self.wire.store(), Body::Store(command), cx);
    }

    /// Keeps its share: renews, claims, steals. `Some`: a partition turns out to be somebody else's.
    pub(super) fn balance(&mut self, known: &[Ownership], cx: &mut Context<'_>) -> Option<Event> {
        let Wire::Hub { partitions, .. } = self.wire else { return None };
        if self.looking == Time::NEVER {
            return None; // it has stopped
        }
        let mut lost = None;
        for range in 0..partitions {
            if self.owned(range).is_none() {
                continue;
            }
            let written = known.get(usize::from(range)).copied().unwrap_or_default();
            if written.owner == self.owner {
                self.ask(RENEWAL, range, LeaseAction::Claim(written.etag), cx);
            } else if lost.is_none() {
                // Of several, the next one in the next interval, unless the hub says so before.
                lost = self.lose(range, cx);
            }
        }
        let mine: Vec<u16> = self.ranges().collect();
        let view = View { known, partitions, me: self.owner, mine: &mine };
        let claims = view.claims(cx.wall(), self.rules.expiration, self.rules.strategy);
        self.claims = claims.len() as u16;
        for (range, etag) in claims {
            self.ask(CLAIM, range, LeaseAction::Claim(etag), cx);
        }
        lost
    }

    /// A claim was carried out, or somebody else was faster.
    pub(super) fn claimed(&mut self, range: u16, answer: Answer, cx: &mut Context<'_>) {
        self.claims = self.claims.saturating_sub(1);
        if let Answer::Leased { position, .. } = answer
            && self.owned(range).is_none()
            && self.looking != Time::NEVER
        {
            self.own(range, position, cx);
            self.request_page(range, cx);
        }
        // A greedy one looks again until it has its share; what it did not get, another has now.
        let settled = matches!(answer, Answer::Leased { .. } | Answer::NotLeased { .. });
        if settled && self.claims == 0 && self.rules.strategy == Strategy::Greedy {
            self.list_owners(cx);
        }
    }

    /// The hub did not give what was asked for.
    pub(super) fn not_read(
        &mut self,
        range: u16,
        message: &Message,
        why: broker::Error,
        cx: &mut Context<'_>,
    ) -> Option<Event> {
        let (attempt, poll) = (message.attempt, self.rules.poll);
        self.owned(range).filter(|owned| owned.phase == Phase::Reading && owned.attempt == attempt)?;
        if why == broker::Error::ConsumerDisconnected {
            return self.lose(range, cx);
        }
        cx.trouble(self.wire.source().process, Symptom::Error);
        self.enter(range, Phase::Pausing, poll, cx);
        None
    }
}

/// What a processor sees when it looks.
struct View<'a> {
    /// By partition, as far as any was written.
    known: &'a [Ownership],
    partitions: u16,
    me: u64,
    /// What it reads already.
    mine: &'a [u16],
}

impl View<'_> {
    fn written(&self, range: u16) -> Ownership {
        self.known.get(usize::from(range)).copied().unwrap_or_default()
    }

    /// What it is to claim now: the partitions, each with the ETag that it has seen (facts 3.3: the share is
    /// the number of partitions by that of the active owners, one more or less).
    fn claims(&self, now: Time, expiration: Span, strategy: Strategy) -> Vec<(u16, u32)> {
        let mut held: BTreeMap<u64, Vec<u16>> = BTreeMap::from([(self.me, self.mine.to_vec())]);
        let mut free = Vec::new();
        for range in (0..self.partitions).filter(|range| !self.mine.contains(range)) {
            let written = self.written(range);
            // One's own that one does not read (the link was lost) is free as well.
            if written.owner == 0 || written.owner == self.me || now.since(written.since) > expiration {
                free.push(range);
            } else {
                held.entry(written.owner).or_default().push(range);
            }
        }
        let owners = held.len();
        let (least, uneven) =
            (usize::from(self.partitions) / owners, usize::from(self.partitions) % owners > 0);
        let have = self.mine.len();
        let most = least + usize::from(uneven);
        let mut chosen = if free.is_empty() { self.stolen(&held, least, most) } else { free };
        // Every processor prefers others, so that those who look at the same time seldom meet.
        chosen.sort_unstable_by_key(|range| mix(self.me, u64::from(*range)));
        let missing = most.saturating_sub(have);
        chosen.truncate(if strategy == Strategy::Greedy { missing } else { missing.min(1) });
        chosen.into_iter().map(|range| (range, self.written(range).etag)).collect()
    }

    /// Of what it may take from somebody who has more than he should: one.
    fn stolen(&self, held: &BTreeMap<u64, Vec<u16>>, least: usize, most: usize) -> Vec<u16> {
        let have = self.mine.len();
        let others = held.iter().filter(|(owner, _)| **owner != self.me);
        let Some((_, richest)) = others.max_by_key(|(owner, ranges)| (ranges.len(), **owner)) else {
            return Vec::new();
        };
        // Taking it must make things more equal.
        let unfair = richest.len() > most || have < least && richest.len() > least;
        if !unfair || have >= most {
            return Vec::new();
        }
        let one = richest.iter().copied().min_by_key(|range| mix(self.me, u64::from(*range)));
        one.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRATION: Span = Span::mins(2);

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::secs(seconds)
    }

    fn by(owner: u64, seconds: u64) -> Ownership {
        Ownership { owner, since: at(seconds), etag: 5, checkpoint: 0 }
    }

    fn claims(known: &[Ownership], mine: &[u16], strategy: Strategy) -> usize {
        let view = View { known, partitions: 8, me: 1, mine };
        let claims = view.claims(at(100), EXPIRATION, strategy);
        assert!(claims.iter().all(|(range, _)| !mine.contains(range)));
        claims.len()
    }

    #[test]
    fn a_greedy_one_takes_its_share_at_once_and_a_balanced_one_piece_by_piece() {
        assert_eq!(claims(&[], &[], Strategy::Greedy), 8, "alone: everything");
        assert_eq!(claims(&[], &[], Strategy::Balanced), 1);
        let known = [by(2, 90), by(2, 90), by(2, 90)];
        assert_eq!(claims(&known, &[], Strategy::Greedy), 4, "half of eight");
        assert_eq!(claims(&known, &[3, 4, 5, 6], Strategy::Greedy), 0, "the last one is for the other");
    }

    #[test]
    fn what_was_not_renewed_is_free_after_its_expiration_and_its_owner_no_longer_counts() {
        let mut known = vec![by(2, 0); 8];
        let view = |known: &[Ownership], now| {
            View { known, partitions: 8, me: 1, mine: &[] }.claims(at(now), EXPIRATION, Strategy::Greedy)
        };
        assert_eq!(view(&known, 120).len(), 1, "still active: one is stolen");
        assert_eq!(view(&known, 121).len(), 8);
        known[3] = by(2, 121);
        let claimed = view(&known, 121);
        assert_eq!(claimed.len(), 4, "somebody else is there after all");
        assert!(claimed.iter().all(|(range, etag)| *range != 3 && *etag == 5));
    }

    #[test]
    fn a_partition_is_stolen_only_if_that_makes_things_more_equal() {
        let known: Vec<_> = (0..8).map(|range| by(if range < 5 { 2 } else { 3 }, 90)).collect();
        assert_eq!(claims(&known, &[], Strategy::Greedy), 1);
        // 8 over 3: at least two, at most three each.
        let known: Vec<_> = [2, 2, 2, 3, 3, 3, 1, 1].map(|owner| by(owner, 90)).to_vec();
        assert_eq!(claims(&known, &[6, 7], Strategy::Greedy), 0);
        let known: Vec<_> = [2, 2, 2, 2, 3, 3, 1, 1].map(|owner| by(owner, 90)).to_vec();
        assert_eq!(claims(&known, &[6, 7], Strategy::Greedy), 1);
    }
}
