//! Recovery from observations. Bad items near each other are an episode; the episodes around an occurrence
//! of a fault tell its impact and when the door was well again, and the backlog tells when it was drained.

use beaufort_reports::Recovery;
use beaufort_sim::ids::ProcessId;
use beaufort_sim::time::{Span, Time};

use super::activity::Activity;
use super::config::RecoveryTime;
use super::weather::{Level, MARGIN};

/// Bad items closer together than this belong to one episode.
const JOIN: Span = Span::secs(10);
/// At most so many occurrences of one fault are told apart.
const MOST: usize = 1_000;

/// Bad items near each other, by when they were offered.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Episode {
    first: Time,
    last: Time,
    count: u64,
}

/// Adds a bad item to the episodes, which stay sorted and further apart than [`JOIN`].
fn suffer(episodes: &mut Vec<Episode>, at: Time) {
    let after = episodes.partition_point(|episode| episode.last + JOIN < at);
    match episodes.get_mut(after) {
        Some(episode) if episode.first <= at + JOIN => {
            episode.first = episode.first.min(at);
            episode.last = episode.last.max(at);
            episode.count += 1;
            if let Some(&next) = episodes.get(after + 1)
                && next.first <= episodes[after].last + JOIN
            {
                let episode = &mut episodes[after];
                episode.last = episode.last.max(next.last);
                episode.count += next.count;
                episodes.remove(after + 1);
            }
        }
        _ => episodes.insert(after, Episode { first: at, last: at, count: 1 }),
    }
}

/// When a backlog was back at its level before the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// It never rose above it.
    NoBacklog,
    /// It was above it up to then.
    At(Time),
    /// It was above it when the run ended.
    Never,
}

/// The backlog after one occurrence of a fault, from samples.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backlog {
    normal: i64,
    peak: i64,
    healed: Option<Time>,
    last_above: Option<Time>,
    above: bool,
    over: bool,
}

impl Backlog {
    /// `normal`: what counts as its level before.
    pub(crate) fn new(normal: i64) -> Backlog {
        Backlog { normal, peak: 0, healed: None, last_above: None, above: false, over: false }
    }

    /// Takes a sample. What comes long after the fault is healed and the backlog gone is not its own.
    pub(crate) fn sample(&mut self, depth: i64, now: Time) {
        if self.over {
            return;
        }
        self.peak = self.peak.max(depth);
        self.above = depth > self.normal;
        if self.above {
            self.last_above = Some(now);
        }
        let quiet_since = self.last_above.max(self.healed);
        self.over = self.healed.is_some() && quiet_since.is_some_and(|since| now > since + MARGIN);
    }

    /// The fault is healed.
    pub(crate) fn heal(&mut self, now: Time) {
        self.healed.get_or_insert(now);
    }

    /// When the fault was healed, if it was.
    pub(crate) fn healed(&self) -> Option<Time> {
        self.healed
    }

    /// What became of it.
    pub(crate) fn drained(&self) -> Drained {
        match (self.above, self.last_above) {
            (true, _) => Drained::Never,
            (false, Some(last)) => Drained::At(last),
            (false, None) => Drained::NoBacklog,
        }
    }
}

/// One occurrence of the fault.
#[derive(Clone, Copy, Debug)]
struct Occurrence {
    start: Time,
    first_bad: Option<Time>,
    backlog: Backlog,
}

/// The items at a door around the occurrences of a fault.
#[derive(Clone, Debug, Default)]
pub(crate) struct Suffering {
    episodes: Vec<Episode>,
    last_good: Option<Time>,
    level: Level,
    occurrences: Vec<Occurrence>,
}

/// How a door came through an occurrence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recovered {
    /// No item suffered.
    NotImpacted,
    /// The last bad item was offered so long after the start.
    After(Span),
    /// So long after the start there were bad items, and no good one after them.
    Still(Span),
}

/// What one occurrence came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Came {
    start: Time,
    /// When the fault struck again.
    next: Time,
    bad: u64,
    impact: Option<Span>,
    detected: Option<Span>,
    pub(crate) recovered: Recovered,
    peak: i64,
    drained: Drained,
}

impl Suffering {
    /// An item that was offered then came to a bad end, or a late one.
    pub(crate) fn bad(&mut self, offered: Time) {
        suffer(&mut self.episodes, offered);
        let after = self.occurrences.partition_point(|one| one.start <= offered);
        if let Some(one) = after.checked_sub(1).and_then(|index| self.occurrences.get_mut(index)) {
            one.first_bad = Some(one.first_bad.map_or(offered, |first| first.min(offered)));
        }
    }

    /// An item that was offered then came to a good end in time.
    pub(crate) fn good(&mut self, offered: Time) {
        self.last_good = self.last_good.max(Some(offered));
    }

    /// A timed sample of the backlog of all queues.
    pub(crate) fn sample(&mut self, depth: i64, now: Time) {
        self.level.sample(depth);
        self.occurrences.iter_mut().for_each(|one| one.backlog.sample(depth, now));
    }

    /// The fault begins.
    pub(crate) fn begin(&mut self, now: Time) {
        if self.occurrences.len() < MOST {
            let backlog = Backlog::new(self.level.normal());
            self.occurrences.push(Occurrence { start: now, first_bad: None, backlog });
        }
    }

    /// The fault is healed.
    pub(crate) fn heal(&mut self, now: Time) {
        if let Some(one) = self.occurrences.last_mut() {
            one.backlog.heal(now);
        }
    }

    /// What each occurrence came to. `detections`: when somebody noticed, ascending.
    pub(crate) fn occurrences(&self, detections: &[Time], end: Time) -> Vec<Came> {
        let ends = self.occurrences.iter().skip(1).map(|next| next.start).chain([Time::NEVER]);
        let came = |(one, next): (&Occurrence, Time)| {
            let noticed = detections.iter().find(|at| **at >= one.start && **at < next);
            self.came(one, next, noticed.copied(), end)
        };
        self.occurrences.iter().zip(ends).map(came).collect()
    }

    fn came(&self, one: &Occurrence, next: Time, detected: Option<Time>, end: Time) -> Came {
        let until = one.backlog.healed().unwrap_or(end) + JOIN;
        let own = || self.episodes.iter().filter(|e| e.first <= until && e.last >= one.start);
        let first = own().map(|e| e.first.max(one.start)).min();
        let last = own().map(|e| e.last).max();
        Came {
            start: one.start,
            next,
            bad: own().map(|e| e.count).sum(),
            impact: first.map(|first| one.first_bad.unwrap_or(first).since(one.start)),
            detected: detected.map(|at| at.since(one.start)),
            recovered: match last {
                None => Recovered::NotImpacted,
                Some(last) if self.last_good < Some(last) => Recovered::Still(last.since(one.start)),
                Some(last) => Recovered::After(last.since(one.start)),
            },
            peak: one.backlog.peak,
            drained: one.backlog.drained(),
        }
    }
}

impl Came {
    /// For the results document.
    pub(crate) fn told(&self, objective: &RecoveryTime, begins: Time, activity: &Activity) -> Recovery {
        let (decided, acted) = activity.first_act(self.start, self.next);
        let seconds = |span: Option<Span>| span.map(Span::as_secs_f64);
        let at = match self.drained {
            Drained::At(at) => Some(at.since(self.start)),
            _ => None,
        };
        let recovered = match self.recovered {
            Recovered::After(span) => Some(span),
            _ => None,
        };
        Recovery {
            fault: objective.target.clone(),
            door: objective.of.clone(),
            at_seconds: (self.start.0 as f64 - begins.0 as f64) / 1e9,
            bad: self.bad,
            impact: seconds(self.impact),
            detected: seconds(self.detected),
            decided: seconds(decided),
            acted: seconds(acted),
            recovered: seconds(recovered),
            backlog: (self.drained != Drained::NoBacklog).then_some(self.peak.max(0) as u64),
            drained: seconds(at),
        }
    }
}

/// The items at a door while an app runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interruption {
    episodes: Vec<Episode>,
    served: u64,
    runs: Vec<(ProcessId, u64, Time, Option<Time>)>,
}

impl Interruption {
    /// An item that was offered then had success, or not.
    pub(crate) fn item(&mut self, offered: Time, good: bool) {
        self.served += 1;
        if !good {
            suffer(&mut self.episodes, offered);
        }
    }

    /// How many items came to the door.
    pub(crate) fn served(&self) -> u64 {
        self.served
    }

    /// A run begins (once for each item of a batch) or ends.
    pub(crate) fn run(&mut self, process: ProcessId, run: u64, ends: bool, now: Time) {
        let open =
            |one: &(ProcessId, u64, Time, Option<Time>)| (one.0, one.1) == (process, run) && one.3.is_none();
        match (self.runs.iter().rposition(open), ends) {
            (Some(index), true) => self.runs[index].3 = Some(now),
            (None, false) if self.runs.len() < MOST => self.runs.push((process, run, now, None)),
            _ => {}
        }
    }

    /// For how long there was no success, run by run.
    pub(crate) fn spans(&self, end: Time) -> Vec<Span> {
        let lost = |from: Time, until: Time| {
            let own = self.episodes.iter().filter(|e| e.first <= until + JOIN && e.last >= from);
            own.fold(Span::ZERO, |sum, e| sum + e.last.since(e.first))
        };
        self.runs.iter().map(|(.., from, to)| lost(*from, to.unwrap_or(end))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::ZERO + Span::secs(seconds)
    }

    #[test]
    fn bad_items_join_to_episodes_whatever_their_order() {
        let mut episodes = Vec::new();
        for second in [100, 130, 108, 122, 5, 115] {
            suffer(&mut episodes, at(second));
        }
        assert_eq!(
            episodes,
            [
                Episode { first: at(5), last: at(5), count: 1 },
                Episode { first: at(100), last: at(130), count: 5 }
            ]
        );
    }

    #[test]
    fn each_occurrence_has_its_own_bad_items_and_its_own_detection() {
        let mut door = Suffering::default();
        for (begin, bad, heal) in [(100, 103, 110), (300, 330, 340), (500, 900, 510)] {
            door.begin(at(begin));
            door.bad(at(bad));
            door.heal(at(heal));
        }
        door.good(at(1000));
        let came = door.occurrences(&[at(305), at(505)], at(1000));
        let shape: Vec<_> = came.iter().map(|one| (one.impact, one.detected, one.recovered)).collect();
        let secs = |n| Some(Span::secs(n));
        assert_eq!(
            shape,
            [
                (secs(3), None, Recovered::After(Span::secs(3))),
                (secs(30), secs(5), Recovered::After(Span::secs(30))),
                // Bad items long after it was healed are not its own.
                (None, secs(5), Recovered::NotImpacted),
            ]
        );
    }

    #[test]
    fn what_comes_long_after_a_backlog_is_another() {
        let mut backlog = Backlog::new(10);
        backlog.sample(50, at(5));
        backlog.heal(at(10));
        backlog.sample(60, at(20));
        backlog.sample(3, at(21));
        backlog.sample(3, at(100));
        backlog.sample(500, at(200));
        assert_eq!((backlog.drained(), backlog.peak), (Drained::At(at(20)), 60));
    }
}
