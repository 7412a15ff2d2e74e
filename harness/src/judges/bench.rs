//! One contract before the items of one stream: what each item comes to, and who offends.

use std::collections::BTreeMap;

use beaufort_reports::Fates;
use beaufort_sim::ids::{Item, PlaceId, StreamId};
use beaufort_sim::time::{Span, Time};

use super::Judges;
use super::config::Reason;
use super::end::End;
use super::items::Incident;
use super::reach::Barrier;
use super::rules::{CONCLUSION, Check, ENDS, Hook, Lane, Lanes, Rule, all, conclusion, ends, lane};
use super::table::Group;

/// Where the copies of one item are.
#[derive(Clone, Debug, Default)]
pub(super) struct Whereabouts {
    /// Copies that do not rest.
    pub(super) live: u32,
    /// Of those, copies that nobody can reach any more, and why.
    pub(super) stranded: u32,
    pub(super) barrier: Option<Barrier>,
    /// Copies among the dead letters.
    pub(super) dead: u32,
    /// Where copies are.
    pub(super) places: Vec<PlaceId>,
}

pub(super) type Inventory = BTreeMap<u64, Whereabouts>;

/// What one contract comes to, item by item.
pub(super) struct Tally {
    pub(super) checked: u64,
    pub(super) violated: u64,
    pub(super) late: u64,
    pub(super) reasons: BTreeMap<String, u64>,
    pub(super) fates: Fates,
    pub(super) found: Vec<Offence>,
}

/// One violation, before it is put in words.
pub(super) struct Offence {
    pub(super) stream: StreamId,
    pub(super) number: u32,
    pub(super) reason: Reason,
    pub(super) place: String,
    pub(super) at: Option<Time>,
    pub(super) detail: String,
    pub(super) key: Option<u32>,
}

/// How an item waits that will not move on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// A copy is in a place from which it could be taken.
    Held,
    /// All its copies are where nobody can reach them.
    Stranded,
    /// All its copies are dead letters.
    Dead,
}

/// What missing an effect amounts to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    Parked,
    Superseded,
    Late,
    Stuck(Waits),
    Lost,
}

impl Waits {
    fn fate(self, fates: &mut Fates) -> &mut u64 {
        match self {
            Waits::Held => &mut fates.held,
            Waits::Stranded => &mut fates.stranded,
            Waits::Dead => &mut fates.dead_lettered,
        }
    }
}

/// One contract before the items of one stream.
pub(super) struct Bench<'a> {
    pub(super) judges: &'a Judges,
    pub(super) rule: &'a Rule,
    pub(super) end: &'a End,
    pub(super) places: &'a Inventory,
    pub(super) doubled: &'a rustc_hash::FxHashMap<(u64, Lane), Incident>,
    pub(super) stream: StreamId,
}

impl Bench<'_> {
    pub(super) fn judge(&self, words: &[u64], group: Group<'_>, tally: &mut Tally) {
        match &self.rule.check {
            // Judged as a whole, not item by item.
            Check::Converge { .. } | Check::Consistent { .. } | Check::Runs { .. } => {}
            Check::Delivery { start, effects, single, .. } => {
                let accepted = start.as_ref().map(|start| all(words, &start.lanes));
                if accepted == Some(false) {
                    self.not_accepted(words, effects, group.count(), tally);
                }
                let applies =
                    accepted.unwrap_or_else(|| effects.iter().any(|effect| lane(words, *effect) > 0));
                // A second effect is one too many whether or not the first was accepted.
                let twice = *single && effects.iter().any(|effect| lane(words, *effect) > 1);
                if !applies && !twice {
                    return;
                }
                let complete = accepted.is_none() || !applies || all(words, effects);
                if complete && !twice {
                    tally.checked += group.count();
                    let again = effects.iter().any(|effect| lane(words, *effect) > 1);
                    *(if again { &mut tally.fates.doubled } else { &mut tally.fates.effected }) +=
                        group.count();
                } else {
                    group.each(&mut |number| self.delivery(words, number, complete, tally));
                }
            }
            Check::Phantom { start, effects } => {
                let Some(effect) = effects.iter().find(|effect| lane(words, **effect) > 0) else { return };
                tally.checked += group.count();
                let unknown = start.door.is_some() && lane(words, CONCLUSION) & conclusion::UNKNOWN != 0;
                let open = start.door.is_some() && lane(words, CONCLUSION) == 0;
                if all(words, &start.lanes) {
                    tally.fates.effected += group.count();
                } else if unknown || open {
                    tally.fates.unknown_effected += group.count();
                } else {
                    let detail = "it was never accepted".to_owned();
                    self.each(group, words, Reason::Phantom, *effect, &detail, tally);
                }
            }
            Check::Whole { groups } => self.whole(words, group, groups, tally),
            Check::Implies { claim, then } => {
                if !all(words, claim) {
                    return;
                }
                match then.iter().find(|effect| lane(words, **effect) == 0) {
                    None => {
                        tally.checked += group.count();
                        tally.fates.effected += group.count();
                    }
                    Some(missing) => {
                        let detail =
                            format!("{} has it, {} does not", self.name(claim[0]), self.name(*missing));
                        group.each(&mut |number| self.unfinished(words, number, *missing, &detail, tally));
                    }
                }
            }
            Check::Order => {}
        }
    }

    /// All or none of the groups, by net effects; what only ever takes back does not count by itself.
    fn whole(&self, words: &[u64], group: Group<'_>, groups: &[(String, Lanes)], tally: &mut Tally) {
        let flow = &self.judges.items.flows[self.rule.flow.index()];
        let done = |lanes: &[Lane]| {
            let mut counted = lanes.iter().filter(|l| lanes.len() == 1 || !flow.undoers.contains(l));
            counted.any(|l| lane(words, *l) > 0)
        };
        let present: Vec<bool> = groups.iter().map(|(_, lanes)| done(lanes)).collect();
        let touched = groups.iter().any(|(_, lanes)| lanes.iter().any(|l| lane(words, *l) > 0));
        if present.iter().all(|done| *done) || !present.contains(&true) {
            if touched || lane(words, CONCLUSION) != 0 {
                tally.checked += group.count();
                tally.fates.effected += group.count();
            }
            return;
        }
        let list = |wanted: bool| {
            let names = groups.iter().zip(&present).filter(|(_, done)| **done == wanted);
            names.map(|((name, _), _)| name.as_str()).collect::<Vec<_>>().join(", ")
        };
        let detail = format!("done at {}, but not at {}", list(true), list(false));
        let missing = groups.iter().zip(&present).find(|(_, done)| !**done);
        let missing = missing.and_then(|((_, lanes), _)| lanes.first()).copied().unwrap_or_default();
        group.each(&mut |number| self.unfinished(words, number, missing, &detail, tally));
    }

    /// An item with some of its effects: on its way, or partial for good.
    fn unfinished(&self, words: &[u64], number: u32, missing: Lane, detail: &str, tally: &mut Tally) {
        tally.checked += 1;
        match self.missing(words, number, &[], None) {
            Missing::Late => {
                tally.late += 1;
                tally.fates.late += 1;
            }
            Missing::Stuck(waits) => {
                *waits.fate(&mut tally.fates) += 1;
                self.offend(number, words, Reason::Stuck, missing, detail, tally);
            }
            _ => self.offend(number, words, Reason::Partial, missing, detail, tally),
        }
    }

    fn not_accepted(&self, words: &[u64], effects: &[Lane], count: u64, tally: &mut Tally) {
        if lane(words, CONCLUSION) & conclusion::UNKNOWN != 0 {
            let effected = effects.iter().any(|effect| lane(words, *effect) > 0);
            let fates = &mut tally.fates;
            *(if effected { &mut fates.unknown_effected } else { &mut fates.unknown_absent }) += count;
        }
    }

    /// An item that the contract applies to, and that is not simply complete.
    fn delivery(&self, words: &[u64], number: u32, complete: bool, tally: &mut Tally) {
        let Check::Delivery { effects, single, parked, latest, .. } = &self.rule.check else { return };
        tally.checked += 1;
        if *single && let Some(twice) = effects.iter().find(|effect| lane(words, **effect) > 1) {
            let detail = format!("{} effects", times(lane(words, *twice)));
            tally.fates.doubled += 1;
            self.offend(number, words, Reason::Doubled, *twice, &detail, tally);
            if complete {
                return;
            }
        }
        if complete {
            return;
        }
        let absent = effects.iter().find(|effect| lane(words, **effect) == 0).copied().unwrap_or_default();
        let fates = &mut tally.fates;
        let verdict = match self.missing(words, number, parked, *latest) {
            Missing::Parked => {
                fates.parked += 1;
                None
            }
            Missing::Superseded => {
                fates.superseded += 1;
                None
            }
            Missing::Late => {
                fates.late += 1;
                tally.late += 1;
                None
            }
            Missing::Stuck(waits) => {
                *waits.fate(fates) += 1;
                Some((Reason::Stuck, self.held_where(number)))
            }
            Missing::Lost => {
                let bits = lane(words, ENDS);
                let (fate, detail) = if bits & ends::EXPIRED != 0 {
                    (&mut fates.expired, "a copy of it expired; no copy is left")
                } else if bits & ends::DISCARDED != 0 {
                    (&mut fates.discarded, "a copy of it was discarded; no copy is left")
                } else if bits & ends::DESTROYED != 0 {
                    (&mut fates.lost, "a copy of it was destroyed; no copy is left")
                } else {
                    (&mut fates.lost, "no copy is left")
                };
                *fate += 1;
                Some((Reason::Lost, detail.to_owned()))
            }
        };
        if let Some((reason, detail)) = verdict {
            self.offend(number, words, reason, absent, &detail, tally);
        }
    }

    /// What it amounts to that an item lacks an effect. While work is pending, an item that was booked
    /// within the last half of the drain is late; one that was not only repeats, and is stuck.
    fn missing(&self, words: &[u64], number: u32, parked: &[PlaceId], latest: Option<usize>) -> Missing {
        let identity = Item { number, stream: self.stream, ..Item::default() }.identity();
        let whereabouts = self.places.get(&identity);
        if whereabouts.is_some_and(|w| w.places.iter().any(|place| parked.contains(place))) {
            return Missing::Parked;
        }
        let flow = self.rule.flow.index();
        if let Some(hook) = latest
            && let Some(Hook::Latest { register, .. }) = self.judges.rules.flows[flow].hooks.get(hook)
            && self.judges.items.superseded(flow, hook, words, *register)
        {
            return Missing::Superseded;
        }
        let live = whereabouts.map_or(0, |w| w.live);
        let dead = whereabouts.map_or(0, |w| w.dead);
        let stranded = live > 0 && whereabouts.is_some_and(|w| w.stranded == live);
        if !self.end.quiescent && !stranded {
            let last = Time(words.last().copied().unwrap_or_default());
            let half = Span(self.judges.plan.blueprint.time.drain.0 / 2);
            if last + half > self.end.at {
                return Missing::Late;
            }
        }
        match (live, dead) {
            (0, 0) => Missing::Lost,
            (0, _) => Missing::Stuck(Waits::Dead),
            _ if stranded => Missing::Stuck(Waits::Stranded),
            _ => Missing::Stuck(Waits::Held),
        }
    }

    fn held_where(&self, number: u32) -> String {
        let identity = Item { number, stream: self.stream, ..Item::default() }.identity();
        let whereabouts = self.places.get(&identity);
        let places = whereabouts.map_or(&[][..], |w| &w.places);
        let mut names: Vec<&str> = Vec::new();
        for place in places {
            let name = self.judges.plan.place(*place).name.as_str();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let stranded = whereabouts.filter(|w| w.stranded > 0 && w.stranded == w.live);
        let why = stranded.and_then(|w| w.barrier).map_or(String::new(), |b| format!(", {}", b.words()));
        format!("a copy of it is held in {}{why}", names.join(", "))
    }

    fn each(
        &self,
        group: Group<'_>,
        words: &[u64],
        reason: Reason,
        at: Lane,
        detail: &str,
        tally: &mut Tally,
    ) {
        group.each(&mut |number| self.offend(number, words, reason, at, detail, tally));
    }

    fn name(&self, lane: Lane) -> &str {
        &self.judges.rules.flows[self.rule.flow.index()].names[usize::from(lane)]
    }

    fn offend(&self, number: u32, words: &[u64], reason: Reason, at: Lane, detail: &str, tally: &mut Tally) {
        tally.violated += 1;
        *tally.reasons.entry(reason.word().to_owned()).or_default() += 1;
        if tally.found.len() >= super::items::KEPT {
            return;
        }
        let item = Item { number, stream: self.stream, ..Item::default() };
        let incident = self.doubled.get(&(item.identity(), at)).filter(|_| reason == Reason::Doubled);
        let last = words.last().copied().filter(|last| *last > 0).map(Time);
        tally.found.push(Offence {
            stream: self.stream,
            number,
            reason,
            place: self.name(at).to_owned(),
            at: incident.map(|incident| incident.at).or(last),
            detail: detail.to_owned(),
            key: incident.map(|incident| incident.item.key),
        });
    }
}

pub(super) fn times(count: u64) -> String {
    if count >= 15 { "15 or more".to_owned() } else { count.to_string() }
}
