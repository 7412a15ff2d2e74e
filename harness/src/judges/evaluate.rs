//! The end of a run: every item is given its fate, every contract and objective its verdict, and the
//! books are compared with what the processes hold.

use std::collections::{BTreeMap, BTreeSet};

use beaufort_reports::{
    BookError, ContractResult, Fates, FaultResult, FlowRow, Ledger, SeedResult, Verdict, Violation,
    text::grouped,
};
use beaufort_sim::ids::{NodeId, PlaceId, StreamId};
use beaufort_sim::observe::Held;
use beaufort_sim::time::Time;

use super::Judges;
use super::activity::Stray;
use super::bench::{Bench, Inventory, Offence, Tally};
use super::conclude::conclude;
use super::config::Reason;
use super::consistency::StaleRead;
use super::copies::{Copies, Found, tells};
use super::end::End;
use super::goals::Facts;
use super::items::Incident;
use super::naming::{item_name, scenario_seconds};
use super::replicas::Replicas;
use super::rules::{Check, Hook, Rule};
use super::weather::PHASES;

/// Of each contract at most so many violations are listed; all are counted.
const LISTED: usize = 20;

impl Judges {
    /// Gives the verdict. `inventory` walks over everything that the processes hold. Seed, digest,
    /// events and times of the result are left to the caller.
    pub fn finish(&mut self, end: &End, inventory: impl FnOnce(&mut dyn FnMut(Held))) -> SeedResult {
        let mut found = Vec::new();
        let mut places = Inventory::new();
        let parked = self.parked();
        let plan = std::sync::Arc::clone(&self.plan);
        let mut replicas = Replicas::new(&self.rules, &self.shadows);
        inventory(&mut |held| {
            replicas.find(&self.rules, held);
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
        let contracts = self.contracts(end, &places, &replicas);
        let facts = Facts {
            faults: &self.faults,
            activity: &self.activity,
            written: &self.rules.faults,
            plan: &plan,
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
            shares: self.shares.finish(&plan),
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
                    let table = &self.items.tables[self.plan.stream_index(stream)];
                    let since = table.get(*identity as u32)[*register];
                    if since != 0 {
                        let (goals, since) = (&self.rules.objectives, Time(since));
                        self.meters.late(goals, *objective, stream, since, self.now);
                        self.meters.endless(goals, &self.weather, *objective, since, self.now);
                    }
                }
            }
        }
    }

    fn contracts(&self, end: &End, places: &Inventory, replicas: &Replicas) -> Vec<ContractResult> {
        let rules = self.rules.contracts.iter().enumerate();
        rules
            .map(|(index, rule)| match &rule.check {
                Check::Runs { most, .. } => self.runs(index, rule, *most),
                Check::Consistent { .. } => self.consistent(index, rule),
                Check::Converge { copies } => self.converge(rule, copies, replicas.of(index), end),
                _ => self.contract(index, rule, end, places),
            })
            .collect()
    }

    fn runs(&self, index: usize, rule: &Rule, most: Option<u64>) -> ContractResult {
        let Some(watch) = self.activity.watches.get(&index) else { return ContractResult::default() };
        let reason = if most.is_none() { Reason::Overlapped } else { Reason::Repeated };
        let name = |node: NodeId| self.plan.nodes[node.index()].name.as_str();
        let told = |stray: &Stray| Violation {
            item: if stray.item.is_none() {
                "a run".to_owned()
            } else {
                item_name(&self.plan, stray.item.stream, stray.item.number).0
            },
            reason: reason.word().to_owned(),
            place: name(stray.node).to_owned(),
            at_seconds: Some(scenario_seconds(&self.plan, stray.at)),
            detail: match (most, stray.beside) {
                (None, Some(other)) => format!("{} was at work as well", name(other)),
                _ => "one run too many".to_owned(),
            },
            ..Violation::default()
        };
        let (verdict, doubt) = match (watch.broken, watch.started) {
            (0, 0) if most != Some(0) => (Verdict::Inconclusive, "it never ran".to_owned()),
            (0, _) => (Verdict::Pass, String::new()),
            _ => (Verdict::Fail, String::new()),
        };
        ContractResult {
            name: rule.name.clone(),
            rule: rule.text.clone(),
            verdict,
            checked: watch.started,
            violated: watch.broken,
            reasons: (watch.broken > 0)
                .then(|| (reason.word().to_owned(), watch.broken))
                .into_iter()
                .collect(),
            violations: watch.strays.iter().take(LISTED).map(told).collect(),
            doubt,
            ..ContractResult::default()
        }
    }

    /// The reads that did not show what they had to.
    fn consistent(&self, index: usize, rule: &Rule) -> ContractResult {
        let Some(readings) = self.consistency.of(index) else { return ContractResult::default() };
        let told = |stale: &StaleRead| {
            let (item, stream) = item_name(&self.plan, stale.item.stream, stale.item.number);
            let since = scenario_seconds(&self.plan, stale.since);
            Violation {
                item,
                stream,
                number: stale.item.number,
                key: Some(stale.item.key),
                reason: Reason::Stale.word().to_owned(),
                place: self.plan.processes[stale.reader.index()].name.clone(),
                at_seconds: Some(scenario_seconds(&self.plan, stale.at)),
                detail: format!(
                    "it read that there is no such row, which had to be seen from {since:.3} s on"
                ),
                ..Violation::default()
            }
        };
        let (verdict, doubt) = match (readings.broken, readings.reads) {
            (0, 0) => (Verdict::Inconclusive, "nobody read".to_owned()),
            (0, _) => (Verdict::Pass, String::new()),
            _ => (Verdict::Fail, String::new()),
        };
        let reasons = (readings.broken > 0).then(|| (Reason::Stale.word().to_owned(), readings.broken));
        ContractResult {
            name: rule.name.clone(),
            rule: rule.text.clone(),
            verdict,
            checked: readings.reads,
            violated: readings.broken,
            reasons: reasons.into_iter().collect(),
            violations: readings.stale.iter().take(LISTED).map(told).collect(),
            doubt,
            ..ContractResult::default()
        }
    }

    /// What some of the copies hold, and not all.
    fn converge(
        &self,
        rule: &Rule,
        copies: &[(String, Vec<PlaceId>)],
        sets: &[BTreeSet<u64>],
        end: &End,
    ) -> ContractResult {
        let ours =
            |identity: &u64| self.items.flow_of(StreamId((identity >> 32) as u16)) == Some(rule.flow.index());
        let all: BTreeSet<u64> = sets.iter().flatten().copied().filter(ours).collect();
        let missing = |identity: &u64| sets.iter().position(|set| !set.contains(identity));
        let apart: Vec<(u64, usize)> = all.iter().filter_map(|id| Some((*id, missing(id)?))).collect();
        let told = |(identity, without): &(u64, usize)| {
            let offence = Offence {
                stream: StreamId((identity >> 32) as u16),
                number: *identity as u32,
                reason: Reason::Diverged,
                place: copies[*without].0.clone(),
                at: None,
                detail: "it is not there, and is in another copy".to_owned(),
                key: None,
            };
            self.violation(&offence)
        };
        let violated = apart.len() as u64;
        let (verdict, doubt) = match (violated, all.is_empty()) {
            (0, true) => (Verdict::Inconclusive, "nothing was ever kept there".to_owned()),
            (0, false) => (Verdict::Pass, String::new()),
            _ if end.quiescent => (Verdict::Fail, String::new()),
            _ => (
                Verdict::Inconclusive,
                format!("{violated} items had not reached all copies at the deadline"),
            ),
        };
        ContractResult {
            name: rule.name.clone(),
            rule: rule.text.clone(),
            verdict,
            checked: all.len() as u64,
            violated: if verdict == Verdict::Fail { violated } else { 0 },
            reasons: (verdict == Verdict::Fail)
                .then(|| (Reason::Diverged.word().to_owned(), violated))
                .into_iter()
                .collect(),
            violations: if verdict == Verdict::Fail {
                apart.iter().take(LISTED).map(told).collect()
            } else {
                Vec::new()
            },
            doubt,
            ..ContractResult::default()
        }
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
            for (info, table) in self.plan.streams.iter().zip(&self.items.tables) {
                let stream = info.id;
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
        let (item, stream) = item_name(&self.plan, offence.stream, offence.number);
        Violation {
            item,
            number: offence.number,
            stream,
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
                    .map(|(start, healed)| {
                        let to = scenario_seconds(&self.plan, healed.unwrap_or(end.at));
                        [scenario_seconds(&self.plan, *start), to]
                    })
                    .collect(),
                more_windows: 0,
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
        for (old, new, count) in self.copies.unheard(&self.plan) {
            let name = |place: PlaceId| self.plan.place(place).name.as_str();
            doubts.push(format!(
                "{} took over {} fewer than {} has, which did not hear of it by the end: they count as there",
                name(new),
                if count == 1 { "one copy".to_owned() } else { format!("{} copies", grouped(count)) },
                name(old),
            ));
        }
        if !end.quiescent {
            let next = end.next.as_ref().map_or(String::new(), |next| format!("; next: {next}"));
            doubts.push(format!("{} pieces of work were pending at the deadline{next}", end.pending));
        }
        doubts
    }
}
