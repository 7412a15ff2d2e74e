//! What a seed is run again for agrees with what was judged: the series, the numbers of the trace and the
//! orders of arrival add up to the ledger, and whoever looks closely changes nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

use beaufort_harness::run::{Detail, Options, run};
use beaufort_harness::scenario::resolve::Resolved;
use beaufort_harness::sweep::{Plural, Subject, document, sweep};
use beaufort_reports::{Ledger, Results, SeedResult, Series};
use beaufort_sim::time::Span;
use beaufort_tests::shorten::{Length, shortened};
use beaufort_tests::{EVERYTHING, resolve};

/// So many times at which a fault was active does a result list that is not looked at closely.
const WINDOWS: usize = 20;

/// A shipped design in four minutes; what takes longer than that is cut, not left out.
fn short(scenario: &str, variant: Option<&str>) -> Resolved {
    let whole = resolve(scenario, variant, &[]).expect("resolves");
    let length = Length { run: Span::mins(4), drain: Span::mins(40), chance: 10.0 };
    let sets = shortened(&whole.scenario, length);
    resolve(scenario, variant, &sets.iter().map(String::as_str).collect::<Vec<_>>()).expect("resolves")
}

/// A result, and the same seed looked at closely.
struct Looked {
    name: &'static str,
    far: SeedResult,
    close: SeedResult,
}

fn look(name: &'static str, design: &Resolved, seed: u64) -> Looked {
    let of = |detail| {
        let options = Options { stories: 0, detail, ..Options::default() };
        run(&design.plan, &design.rules, seed, &options).expect("runs")
    };
    Looked { name, far: of(Detail::None), close: of(Detail::Everything(&[])) }
}

/// Every service; a queue with duplicate detection and a broken app; and two regions with shadows.
fn all() -> &'static [Looked] {
    static ALL: OnceLock<Vec<Looked>> = OnceLock::new();
    ALL.get_or_init(|| {
        vec![
            look("everything", &resolve(EVERYTHING, None, &[]).expect("resolves"), 1),
            look("order-flow", &short("order-flow", Some("ack-first")), 2),
            look("stamps", &short("mission-critical-stamps", None), 3),
        ]
    })
}

fn series(looked: &Looked) -> &Series {
    looked.close.series.as_ref().expect("it was looked at closely")
}

fn sum(counts: &[u64]) -> u64 {
    counts.iter().sum()
}

#[test]
fn looking_closely_changes_nothing_else() {
    for Looked { name, far, close } in all() {
        let mut bare = SeedResult { series: None, trace: None, ..close.clone() };
        for fault in &mut bare.faults {
            fault.more_windows += fault.windows.len().saturating_sub(WINDOWS) as u64;
            fault.windows.truncate(WINDOWS);
        }
        let alone =
            |seed: &SeedResult| Results { seeds: vec![seed.clone()], ..Results::default() }.comparable();
        assert_eq!(alone(&bare), alone(far), "{name}");
        assert!(far.series.is_none() && far.trace.is_none(), "{name}");
    }
}

#[test]
fn the_series_of_doors_add_up_to_the_flows() {
    for looked in all() {
        let of = |all: fn(&beaufort_reports::FlowRow) -> u64| -> u64 {
            looked.close.ledger.flows.iter().map(all).sum()
        };
        let doors = &series(looked).doors;
        let told = [
            doors.iter().map(|door| sum(&door.offered)).sum::<u64>(),
            doors.iter().map(|door| sum(&door.ok)).sum(),
            doors.iter().map(|door| sum(&door.refused)).sum(),
            doors.iter().map(|door| sum(&door.failed)).sum(),
            doors.iter().map(|door| sum(&door.unknown)).sum(),
        ];
        let booked =
            [of(|f| f.offered), of(|f| f.accepted), of(|f| f.refused), of(|f| f.failed), of(|f| f.unknown)];
        assert_eq!(told, booked, "{}", looked.name);
        assert!(told[0] > 500, "{}: too little to show anything: {told:?}", looked.name);
        let latencies = doors.iter().flat_map(|door| door.latency.iter().flatten());
        let successes: u64 = latencies.map(|(_, count)| u64::from(*count)).sum();
        assert_eq!(successes, told[1], "{}: a latency for each success", looked.name);
    }
}

/// What came, left and was absorbed, by place, as the ledger has it.
fn booked(ledger: &Ledger) -> BTreeMap<&str, [u64; 3]> {
    let rows = ledger.places.iter();
    rows.map(|row| (row.place.as_str(), [row.born + row.moved_in, row.ended + row.moved_out, row.absorbed]))
        .filter(|(_, counts)| counts.iter().any(|count| *count > 0))
        .collect()
}

#[test]
fn the_series_of_places_and_calls_add_up_to_the_ledger() {
    for looked in all() {
        let places = series(looked)
            .places
            .iter()
            .map(|place| (place.place.as_str(), [sum(&place.came), sum(&place.left), sum(&place.absorbed)]));
        let told: BTreeMap<&str, [u64; 3]> =
            places.filter(|(_, counts)| counts.iter().any(|count| *count > 0)).collect();
        assert_eq!(told, booked(&looked.close.ledger), "{}", looked.name);
        let mut sent: BTreeMap<&str, i128> = BTreeMap::new();
        for calls in &series(looked).calls {
            *sent.entry(&calls.target).or_default() += i128::from(sum(&calls.sent));
        }
        for row in &looked.close.ledger.sends {
            *sent.entry(&row.target).or_default() -= i128::from(row.sent);
        }
        sent.retain(|_, rest| *rest != 0);
        assert_eq!(sent, BTreeMap::new(), "{}: calls in one and not in the other", looked.name);
    }
}

#[test]
fn what_came_first_and_what_came_again_add_up_to_the_ledger() {
    let (mut again, mut recognised) = (0, 0);
    for looked in all() {
        let booked = booked(&looked.close.ledger);
        for place in &series(looked).order {
            let of = |ages: &[(u16, u64)]| ages.iter().map(|(_, count)| count).sum::<u64>();
            let told = [place.came, of(&place.again), of(&place.recognised), place.unwatched];
            let [came, _, absorbed] = booked.get(place.place.as_str()).copied().unwrap_or_default();
            let name = format!("{}: {}", looked.name, place.place);
            assert_eq!(told.iter().sum::<u64>(), came + absorbed, "{name}: {told:?}");
            let overtaken: u64 = place.overtaken.iter().map(|(_, count)| count).sum();
            assert!(overtaken <= place.came, "{name}");
            assert_eq!(overtaken == 0, place.furthest == 0, "{name}");
            again += told[1];
            recognised += told[2];
        }
    }
    assert!(again > 0 && recognised > 0, "nothing was repeated: {again}, {recognised}");
}

#[test]
fn the_numbers_of_the_trace_count_all_items_and_events() {
    for looked in all() {
        let trace = looked.close.trace.as_ref().expect("it was looked at closely");
        assert_eq!(trace.items_all, looked.close.offered(), "{}", looked.name);
        let counted: u64 = trace.activity.iter().flat_map(|row| &row.count).map(|n| u64::from(*n)).sum();
        assert_eq!(counted, trace.events_all, "{}", looked.name);
        assert!(!trace.items.is_empty(), "{}", looked.name);
    }
}

/// A band is worked out from counts that each seed keeps; the series of a seed that is looked at closely are
/// counted by somebody else.
#[test]
fn a_band_of_equal_seeds_is_what_the_series_of_one_says() {
    let design = short("order-flow", None);
    let cancel = AtomicBool::new(false);
    let how = Plural { seeds: 1..3, detail: Detail::Everything(&[]), ..Plural::new(&cancel) };
    let results = document(
        &Subject { seeds: 2, ..Subject::default() },
        sweep(&design.plan, &design.rules, &how).expect("runs"),
    );
    let looked = results.seeds.iter().find(|seed| seed.series.is_some()).expect("one is looked at");
    let series = looked.series.as_ref().expect("it has series");
    for band in &results.bands {
        let door = series.doors.iter().find(|door| door.door == band.door).expect("the door");
        let share = looked.shares.iter().find(|share| share.door == band.door).expect("its share");
        let offered: u64 = share.counts.iter().map(|(offered, _)| u64::from(*offered)).sum();
        let ok: u64 = share.counts.iter().map(|(_, ok)| u64::from(*ok)).sum();
        assert_eq!((offered, ok), (sum(&door.offered), sum(&door.ok)), "{}", band.door);
        let ordered = band.p10.iter().zip(&band.p50).zip(&band.p90);
        let ordered = ordered.filter_map(|((low, middle), high)| Some(((*low)?, (*middle)?, (*high)?)));
        assert!(ordered.clone().count() > 3, "{}", band.door);
        assert!(ordered.into_iter().all(|(low, middle, high)| low <= middle && middle <= high));
    }
    assert!(!results.bands.is_empty());
}
