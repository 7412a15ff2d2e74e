//! The end of a run: every item is given its fate, every contract and objective its verdict, and the
//! books are compared with what the processes hold.

use std::collections::BTreeMap;

use beaufort_reports::{
    BookError, ContractResult, Fates, FaultResult, FlowRow, Ledger, SeedResult, Verdict, Violation,
    text::grouped,
};
use beaufort_sim::ids::{Item, PlaceId, StreamId};
use beaufort_sim::observe::{Held, LinkBook};
use beaufort_sim::plan::Plan;
use beaufort_sim::time::{Span, Time};

use super::Judges;
use super::config::Reason;
use super::copies::{Copies, Found, tells};
use super::goals::Facts;
use super::items::Incident;
use super::reach::Barrier;
use super::rules::{CONCLUSION, Check, ENDS, Hook, Lane, Rule, all, conclusion, ends, lane};
use super::table::Group;
use super::weather::PHASES;

/// Of each contract at most so many violations are listed; all are counted.
const LISTED: usize = 20;

/// How the run ended.
#[derive(Clone, Debug, Default)]
pub struct End {
    /// When.
    pub at: Time,
    /// Whether it came to rest, as opposed to running into the deadline.
    pub quiescent: bool,
    /// How much work was pending.
    pub pending: usize,
    /// What that is, in words, where known.
    pub next: Option<String>,
    /// The links book, where the engine keeps one.
    pub links: Option<LinkBook>,
    /// By fault: how often the engine armed it, and how many events it altered.
    pub faults: Vec<[u64; 2]>,
}

/// Where the copies of one item are.
#[derive(Clone, Debug, Default)]
struct Whereabouts {
    /// Copies that do not rest.
    live: u32,
    /// Of those, copies that nobody can reach any more, and why.
    stranded: u32,
    barrier: Option<Barrier>,
    /// Copies among the dead letters.
    dead: u32,
    /// Where copies are.
    places: Vec<PlaceId>,
}

type Inventory = BTreeMap<u64, Whereabouts>;

/// What one contract comes to, item by item.
struct Tally {
    checked: u64,
    violated: u64,
    late: u64,
    reasons: BTreeMap<String, u64>,
    fates: Fates,
    found: Vec<Offence>,
}

/// One violation, before it is put in words.
struct Offence {
    stream: StreamId,
    number: u32,
    reason: Reason,
    place: String,
    at: Option<Time>,
    detail: String,
    key: Option<u32>,
}

/// How an item waits that will not move on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// A copy is in a place from which it could be taken.
    Held,
    /// All its copies are where nobody can reach them.
    Stranded,
    /// All its copies are dead letters.
    Dead,
}

/// What missing an effect amounts to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
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

impl Judges {
    /// Gives the verdict. `inventory` walks over everything that the processes hold. Seed, digest,
    /// events and times of the result are left to the caller.
    pub fn finish(&mut self, end: &End, inventory: impl FnOnce(&mut dyn FnMut(Held))) -> SeedResult {
        let mut found = Vec::new();
        let mut places = Inventory::new();
        let parked = self.parked();
        let plan = std::sync::Arc::clone(&self.plan);
        inventory(&mut |held| {
            Copies::find(&mut found, held);
            if tells(&plan, &held) || parked.contains(&held.place) {
                let entry = places.entry(held.item.identity()).or_default();
                let waits = if held.rest { &mut entry.dead } else { &mut entry.live };
                *waits += held.copies;
                if let Some(barrier) = self.reach.barrier(&plan, &self.copies, held.place, held.shut)
                    && !held.rest
                {
                    entry.stranded += held.copies;
                    entry.barrier = Some(barrier);
                }
                entry.places.push(held.place);
            }
        });
        let mut end = end.clone();
        if !end.quiescent && end.next.is_none() {
            end.next = self.busiest(&places);
        }
        let end = &end;
        self.sample(end.at);
        self.endless(&places);
        let contracts = self.contracts(end, &places);
        let facts = Facts {
            faults: &self.faults,
            written: &self.rules.faults,
            copies: &self.copies,
            weather: &self.weather,
            end: end.at,
            begins: self.plan.begins(),
        };
        let objectives = self.meters.results(&self.rules.objectives, &facts);
        let mut result = SeedResult {
            simulated_seconds: end.at.as_secs_f64(),
            errors: self.book_errors(end, &found),
            ledger: self.ledger(&found),
            contracts,
            objectives,
            faults: self.fault_results(end),
            ..SeedResult::default()
        };
        result.doubts = self.doubts(end, &result);
        (result.verdict, result.cause) = conclude(&result);
        result
    }

    /// Compares the copies book with an inventory walk; right at any moment of a run.
    #[must_use]
    pub fn audit(&self, inventory: impl FnOnce(&mut dyn FnMut(Held))) -> Vec<BookError> {
        let mut found = Vec::new();
        inventory(&mut |held| Copies::find(&mut found, held));
        self.copies.errors(&self.plan, &found)
    }

    fn parked(&self) -> Vec<PlaceId> {
        let mut all = Vec::new();
        for rule in &self.rules.contracts {
            if let Check::Delivery { parked, .. } = &rule.check {
                all.extend(parked.iter().copied());
            }
        }
        all
    }

    /// Where most of the copies wait that do not rest.
    fn busiest(&self, places: &Inventory) -> Option<String> {
        let mut waiting: BTreeMap<PlaceId, u64> = BTreeMap::new();
        for whereabouts in places.values().filter(|w| w.live > 0) {
            whereabouts.places.iter().for_each(|place| *waiting.entry(*place).or_default() += 1);
        }
        let (place, count) =
            waiting.into_iter().max_by_key(|(place, count)| (*count, std::cmp::Reverse(*place)))?;
        Some(format!("{count} copies wait in {}", self.plan.place(place).name))
    }

    /// Items whose delay was still growing when the run ended.
    fn endless(&mut self, places: &Inventory) {
        for (index, laws) in self.rules.flows.iter().enumerate() {
            for hook in &laws.hooks {
                let Hook::Delay { objective, register, .. } = hook else { continue };
                for (identity, whereabouts) in places {
                    let stream = StreamId((identity >> 32) as u16);
                    if whereabouts.live == 0 || self.items.flow_of(stream) != Some(index) {
                        continue;
                    }
                    let since = self.items.tables[stream.index()].get(*identity as u32)[*register];
                    if since != 0 {
                        let (goals, since) = (&self.rules.objectives, Time(since));
                        self.meters.late(goals, *objective, stream, since, self.now);
                        self.meters.endless(goals, &self.weather, *objective, since, self.now);
                    }
                }
            }
        }
    }

    fn contracts(&self, end: &End, places: &Inventory) -> Vec<ContractResult> {
        let rules = self.rules.contracts.iter().enumerate();
        rules.map(|(index, rule)| self.contract(index, rule, end, places)).collect()
    }

    fn contract(&self, index: usize, rule: &Rule, end: &End, places: &Inventory) -> ContractResult {
        let mut tally = Tally {
            checked: 0,
            violated: 0,
            late: 0,
            reasons: BTreeMap::new(),
            fates: Fates::default(),
            found: Vec::new(),
        };
        if rule.check == Check::Order {
            self.order(index, rule, &mut tally);
        } else {
            let doubled = self.items.doubled_at(rule.flow.index());
            for (stream, table) in self.items.tables.iter().enumerate() {
                let stream = StreamId(stream as u16);
                if self.items.flow_of(stream) != Some(rule.flow.index()) {
                    continue;
                }
                let bench = Bench { judges: self, rule, end, places, doubled: &doubled, stream };
                table.groups(&mut |words, group| bench.judge(words, group, &mut tally));
            }
        }
        self.sentence(rule, end, tally)
    }

    fn order(&self, index: usize, rule: &Rule, tally: &mut Tally) {
        let book = &self.items.orders[index];
        tally.checked = book.checked;
        tally.violated = book.overtaken;
        if book.overtaken > 0 {
            tally.reasons.insert(Reason::Reordered.word().to_owned(), book.overtaken);
        }
        for Incident { item, at, lane } in &book.incidents {
            tally.found.push(Offence {
                stream: item.stream,
                number: item.number,
                reason: Reason::Reordered,
                place: self.rules.flows[rule.flow.index()].names[usize::from(*lane)].clone(),
                at: Some(*at),
                detail: "a later one of its key came first".to_owned(),
                key: Some(item.key),
            });
        }
    }

    fn sentence(&self, rule: &Rule, end: &End, mut tally: Tally) -> ContractResult {
        // In the order in which they happened; those without a time come last.
        tally
            .found
            .sort_by_key(|offence| (offence.at.unwrap_or(Time::NEVER), offence.stream, offence.number));
        let violations = tally.found.iter().take(LISTED).map(|offence| self.violation(offence)).collect();
        let mut doubt = String::new();
        let verdict = if tally.violated > 0 {
            Verdict::Fail
        } else if tally.late > 0 {
            let next = end.next.as_ref().map_or(String::new(), |next| format!("; next: {next}"));
            doubt = format!("{} items were still on the way at the deadline{next}", tally.late);
            Verdict::Inconclusive
        } else if tally.checked == 0 {
            doubt = "no item reached it: there was nothing to check".to_owned();
            Verdict::Inconclusive
        } else if let Some(phase) = self.unexercised(rule, end) {
            doubt = format!("it was not exercised {phase} the faults");
            Verdict::Inconclusive
        } else {
            Verdict::Pass
        };
        ContractResult {
            name: rule.name.clone(),
            rule: rule.text.clone(),
            verdict,
            checked: tally.checked,
            violated: tally.violated,
            reasons: tally.reasons,
            fates: tally.fates,
            violations,
            doubt,
        }
    }

    /// The phase of the timed faults in which nothing happened that the contract is about. A fault that
    /// begins with the run or ends with it has nothing before or after it.
    fn unexercised(&self, rule: &Rule, end: &End) -> Option<&'static str> {
        let (begun, healed) = self.weather.span(end.at)?;
        let flow = &self.items.flows[rule.flow.index()];
        let hits =
            |phase: usize| rule.lanes.iter().map(|lane| flow.phases[usize::from(*lane)][phase]).sum::<u64>();
        let wanted = [begun > self.plan.begins(), true, healed < self.plan.ends()];
        let missing = (0..3).find(|&phase| {
            let offered = if phase == 1 { flow.offers[1] } else { 0 };
            wanted[phase] && hits(phase) + offered == 0
        });
        missing.map(|phase| PHASES[phase])
    }

    fn violation(&self, offence: &Offence) -> Violation {
        let info = &self.plan.streams[offence.stream.index()];
        let flow =
            self.plan.blueprint.flows.get_index(info.flow.index()).map_or("", |(name, _)| name.as_str());
        Violation {
            item: format!("{flow} {}", offence.number),
            number: offence.number,
            stream: info.name.clone(),
            key: offence.key,
            reason: offence.reason.word().to_owned(),
            place: offence.place.clone(),
            at_seconds: offence.at.map(|at| scenario_seconds(&self.plan, at)),
            detail: offence.detail.clone(),
            story: Vec::new(),
        }
    }

    fn fault_results(&self, end: &End) -> Vec<FaultResult> {
        let records = self.rules.faults.iter().zip(&self.faults.records).enumerate();
        let counted = |index: usize| end.faults.get(index).copied().unwrap_or_default();
        records
            .map(|(index, (facts, record))| FaultResult {
                name: facts.name.clone(),
                fault: facts.fault.clone(),
                target: facts.target.clone(),
                armed: record.armed.max(counted(index)[0]),
                fired: record.fired().max(counted(index)[1]),
                felt: record.felt,
                random: facts.random,
                windows: record
                    .windows
                    .iter()
                    .take(LISTED)
                    .map(|(start, healed)| {
                        let to = scenario_seconds(&self.plan, healed.unwrap_or(end.at));
                        [scenario_seconds(&self.plan, *start), to]
                    })
                    .collect(),
                detected_after: record.detected.and_then(|at| {
                    let window = record.windows.iter().rev().find(|window| window.0 <= at)?;
                    Some(at.since(window.0).as_secs_f64())
                }),
            })
            .collect()
    }

    fn ledger(&self, found: &[Found]) -> Ledger {
        let names = self.plan.blueprint.flows.keys();
        let flow = |(name, state): (&String, &super::items::FlowState)| {
            let [ok, refused, failed, unknown] = state.door.by_outcome;
            FlowRow {
                flow: name.clone(),
                offered: state.door.offered,
                accepted: ok,
                refused,
                failed,
                unknown,
                open: state.door.offered.saturating_sub(ok + refused + failed + unknown),
            }
        };
        Ledger {
            flows: names.zip(&self.items.flows).map(flow).collect(),
            places: self.copies.rows(&self.plan, found),
            sends: self.sends.rows(&self.plan),
        }
    }

    fn book_errors(&self, end: &End, found: &[Found]) -> Vec<BookError> {
        let mut errors = self.copies.errors(&self.plan, found);
        errors.extend(self.sends.errors(&self.plan));
        if let Some(links) = end.links.filter(|links| !links.balances()) {
            let message =
                format!("sent + duplicated is not delivered + lost + dropped + in flight: {links:?}");
            errors.push(BookError { book: "links".to_owned(), subject: "all".to_owned(), message });
        }
        if self.items.strangers > 0 {
            let message = format!("{} observations are about items of no generator", self.items.strangers);
            errors.push(BookError { book: "items".to_owned(), subject: "?".to_owned(), message });
        }
        for (flow, state) in self.plan.blueprint.flows.keys().zip(&self.items.flows) {
            let concluded: u64 = state.door.by_outcome.iter().sum();
            if concluded > state.door.offered {
                let message = format!("{} offered, but {concluded} concluded", state.door.offered);
                errors.push(BookError { book: "items".to_owned(), subject: flow.clone(), message });
            }
        }
        errors
    }

    fn doubts(&self, end: &End, result: &SeedResult) -> Vec<String> {
        let mut doubts = Vec::new();
        for flow in &result.ledger.flows {
            if flow.offered == 0 {
                doubts.push(format!("flow `{}` had no traffic", flow.flow));
            }
        }
        for fault in result.faults.iter().filter(|fault| !fault.random && fault.felt == 0) {
            let how = if fault.fired == 0 { "never struck anything" } else { "struck, but nobody noticed" };
            doubts.push(format!("fault `{}` {how}", fault.name));
        }
        for contract in result.contracts.iter().filter(|contract| !contract.doubt.is_empty()) {
            doubts.push(format!("`{}`: {}", contract.name, contract.doubt));
        }
        for objective in result.objectives.iter().filter(|o| o.verdict == Verdict::Inconclusive) {
            doubts.push(format!("`{}`: {}", objective.name, objective.achieved));
        }
        if !end.quiescent {
            let next = end.next.as_ref().map_or(String::new(), |next| format!("; next: {next}"));
            doubts.push(format!("{} pieces of work were pending at the deadline{next}", end.pending));
        }
        doubts
    }
}

/// Seconds since the end of the warm-up, as a scenario counts.
pub(crate) fn scenario_seconds(plan: &Plan, at: Time) -> f64 {
    (at.0 as f64 - plan.begins().0 as f64) / 1e9
}

/// The verdict of a run, and one sentence about it.
fn conclude(result: &SeedResult) -> (Verdict, String) {
    if let Some(error) = result.errors.first() {
        let cause = format!(
            "internal error: the {} book does not balance at {}: {}",
            error.book, error.subject, error.message
        );
        return (Verdict::Error, cause);
    }
    let contract = result.contracts.iter().find(|contract| contract.verdict == Verdict::Fail);
    if let Some(contract) = contract {
        let reasons: Vec<String> =
            contract.reasons.iter().map(|(reason, n)| format!("{} {reason}", grouped(*n))).collect();
        let (reasons, checked) = (reasons.join(", "), grouped(contract.checked));
        let more = and_more(result.failed().count());
        let cause = format!("{} is violated: {reasons} of {checked} items{more}", contract.name);
        return (Verdict::Fail, cause);
    }
    let missed = |verdict: Verdict| result.objectives.iter().find(|o| o.verdict == verdict);
    if let Some(objective) = missed(Verdict::Fail) {
        let more = and_more(result.failed().count());
        let (name, achieved, target) = (&objective.name, &objective.achieved, &objective.target);
        return (Verdict::Fail, format!("{name} is missed: {achieved} instead of {target}{more}"));
    }
    if let Some(doubt) = result.doubts.first() {
        return (Verdict::Inconclusive, format!("{doubt}{}", and_more(result.doubts.len())));
    }
    if let Some(objective) = missed(Verdict::Degraded) {
        let cause = format!(
            "{} is not ideal: {} instead of {}",
            objective.name, objective.achieved, objective.target
        );
        return (Verdict::Degraded, cause);
    }
    let felt = result.faults.iter().filter(|fault| fault.felt > 0).count();
    let cause = match felt {
        0 => "every contract and objective holds".to_owned(),
        1 => "every contract and objective holds, and the fault was felt".to_owned(),
        n => format!("every contract and objective holds, and {n} faults were felt"),
    };
    (Verdict::Pass, cause)
}

/// How many there are beside the one that is told.
fn and_more(all: usize) -> String {
    if all > 1 { format!(" (and {} more)", all - 1) } else { String::new() }
}

/// One contract before the items of one stream.
struct Bench<'a> {
    judges: &'a Judges,
    rule: &'a Rule,
    end: &'a End,
    places: &'a Inventory,
    doubled: &'a rustc_hash::FxHashMap<(u64, Lane), Incident>,
    stream: StreamId,
}

impl Bench<'_> {
    fn judge(&self, words: &[u64], group: Group<'_>, tally: &mut Tally) {
        match &self.rule.check {
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
    fn whole(
        &self,
        words: &[u64],
        group: Group<'_>,
        groups: &[(String, super::rules::Lanes)],
        tally: &mut Tally,
    ) {
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

fn times(count: u64) -> String {
    if count >= 15 { "15 or more".to_owned() } else { count.to_string() }
}
