//! The figures of `docs/failover.md` are those that come out: how long each failover takes against what its
//! documentation says, and composite availability against the product formula.
//!
//! To accept other figures, and say in the commit where they come from:
//!
//! ```text
//! BEAUFORT_ACCEPT=figures cargo test -p beaufort-tests --test figures
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use beaufort_harness::sweep::{Plural, sweep};
use beaufort_reports::{SeedResult, Verdict};
use beaufort_tests::resolve;

/// The document is rewritten by one test at a time.
static DOCUMENT: Mutex<()> = Mutex::new(());

/// The results of so many seeds of one of the scenarios of these tests.
fn results(folder: &str, name: &str, seeds: u64) -> Vec<SeedResult> {
    let path = format!("{}/scenarios/{folder}/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
    let resolved = resolve(&path, None, &[]).unwrap_or_else(|wrong| panic!("{wrong}"));
    let cancel = AtomicBool::new(false);
    let how = Plural { seeds: 1..seeds + 1, ..Plural::new(&cancel) };
    let results = sweep(&resolved.plan, &resolved.rules, &how).expect("a world that can be built");
    for result in &results {
        assert_eq!(result.errors, [], "{name}, seed {}: the books balance", result.seed);
        assert!(matches!(result.verdict, Verdict::Pass), "{name}, seed {}: {}", result.seed, result.cause);
    }
    results
}

/// The number of the only objective on each seed, ascending.
fn numbers(results: &[SeedResult], number: &str) -> Vec<f64> {
    let of = |result: &SeedResult| result.objectives[0].numbers.0.get(number).copied();
    let mut found: Vec<f64> = results.iter().map(|result| of(result).unwrap_or(0.0)).collect();
    found.sort_by(f64::total_cmp);
    found
}

/// Compares the table under this heading of the document, or writes it.
fn is_documented(heading: &str, table: &str) {
    let _alone = DOCUMENT.lock();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/failover.md");
    let text = std::fs::read_to_string(&path).expect("the document is there");
    let (before, rest) = text.split_once(&format!("\n{heading}")).expect("the table is there");
    let mut lines = rest.split_inclusive('\n');
    let head: String = lines.by_ref().take(2).collect();
    let rows: String = lines.by_ref().take_while(|line| line.starts_with('|')).collect();
    if std::env::var("BEAUFORT_ACCEPT").is_ok_and(|what| what == "figures") {
        let after = &rest[head.len() + rows.len()..];
        let text = format!("{before}\n{heading}{head}{table}{after}");
        std::fs::write(&path, text).expect("the document is written");
        return;
    }
    assert_eq!(rows, table, "left: docs/failover.md, right: this build; see above this test");
}

// -- How long a failover takes. --

/// So many seeds of each mechanism.
const SEEDS: u64 = 20;

/// A mechanism: its scenario, what the documentation says, within which bounds every seed must be (seconds,
/// or items), and which number of its objective it is.
struct Mechanism {
    scenario: &'static str,
    words: &'static str,
    documented: &'static str,
    source: &'static str,
    bounds: (f64, f64),
    number: &'static str,
}

const MINUTE: f64 = 60.0;

const MECHANISMS: &[Mechanism] = &[
    Mechanism {
        scenario: "traffic-manager",
        words: "Traffic Manager, probes every 30 s, TTL 30 s",
        documented: "120 s by the formula TTL + 3 × interval, 160 s at worst",
        source: "data 4.1",
        bounds: (90.0, 160.0),
        number: "recovered",
    },
    Mechanism {
        scenario: "traffic-manager-fast",
        words: "Traffic Manager, probes every 10 s, TTL 10 s",
        documented: "40 s by the formula, 59 s at worst",
        source: "data 4.1",
        bounds: (30.0, 59.0),
        number: "recovered",
    },
    Mechanism {
        scenario: "front-door",
        words: "Front Door, 3 of 4 samples, probes every 30 s",
        documented: "30 s to 60 s until two samples have failed, and a third interval until silence is a failure",
        source: "data 4.2",
        bounds: (30.0, 90.0),
        number: "recovered",
    },
    Mechanism {
        scenario: "sql-zone-redundant",
        words: "SQL database, zone-redundant, a zone is lost",
        documented: "under 30 s",
        source: "data 3",
        bounds: (1.0, 30.0),
        number: "recovered",
    },
    Mechanism {
        scenario: "sql-failover-group",
        words: "SQL failover group, by hand, forced",
        documented: "up to 60 s, and 30 s for the record of the listener",
        source: "data 3",
        bounds: (5.0, 90.0),
        number: "interrupted",
    },
    Mechanism {
        scenario: "sql-microsoft-managed",
        words: "SQL failover group, microsoft-managed, one hour of grace",
        documented: "one hour at least",
        source: "data 3",
        bounds: (60.0 * MINUTE, 150.0 * MINUTE),
        number: "recovered",
    },
    Mechanism {
        scenario: "service-bus-planned",
        words: "Service Bus Geo-Replication, planned promotion",
        documented: "5 to 10 min, and the DNS record",
        source: "messaging 1.9",
        bounds: (5.0 * MINUTE, 11.0 * MINUTE),
        number: "interrupted",
    },
    Mechanism {
        scenario: "service-bus-forced",
        words: "Service Bus Geo-Replication, forced promotion",
        documented: "5 to 10 min, and the DNS record",
        source: "messaging 1.9",
        bounds: (5.0 * MINUTE, 11.0 * MINUTE),
        number: "interrupted",
    },
    Mechanism {
        scenario: "storage-customer-managed",
        words: "Storage, customer-managed failover",
        documented: "within 60 min",
        source: "data 2.3",
        bounds: (10.0 * MINUTE, 61.0 * MINUTE),
        number: "interrupted",
    },
    Mechanism {
        scenario: "cosmos-service-managed",
        words: "Cosmos DB, service-managed failover",
        documented: "up to one hour or more",
        source: "data 1.2",
        bounds: (60.0 * MINUTE, 120.0 * MINUTE),
        number: "recovered",
    },
    Mechanism {
        scenario: "event-processor",
        words: "Event Hubs, an EventProcessor takes over the partitions of a dead one",
        documented: "up to 2.5 min: ownership of 2 min, a look every 30 s",
        source: "messaging 3.3",
        bounds: (90.0, 153.0),
        number: "max",
    },
];

#[test]
fn every_failover_takes_as_long_as_documented() {
    let mut table = String::new();
    for mechanism in MECHANISMS {
        let Mechanism { scenario, words, documented, source, bounds: (least, most), number } = mechanism;
        let found = numbers(&results("failover-times", scenario, SEEDS), number);
        let (low, high) = (found[0], found[found.len() - 1]);
        assert!(low >= *least && high <= *most, "{scenario}: {low} to {high}, not within {least} to {most}");
        // Of 20 the 19th is the 95th percentile, the median lies between the 10th and the 11th.
        let (median, p95) = ((found[9] + found[10]) / 2.0, found[18]);
        let _ = writeln!(
            table,
            "| {words} | {documented} | {source} | {} | {} |",
            duration(median),
            duration(p95)
        );
    }
    is_documented("| failover |", &table);
}

fn duration(seconds: f64) -> String {
    if seconds < 120.0 { format!("{seconds:.0} s") } else { format!("{:.1} min", seconds / 60.0) }
}

/// The recovery point of an account whose regions lose sight of one another ten minutes before one is lost:
/// by items, 5 a second.
#[test]
fn what_a_failover_of_cosmos_db_loses_is_bounded_by_its_consistency() {
    let levels = [
        ("session", "under 15 min", 9.0 * MINUTE, 15.0 * MINUTE),
        ("bounded-staleness", "K writes or T = 300 s", 280.0, 302.0),
        ("strong", "0", 0.0, 0.0),
    ];
    let mut table = String::new();
    for (level, documented, least, most) in levels {
        let found = numbers(&results("failover-times", &format!("cosmos-rpo-{level}"), SEEDS), "items");
        // Of writing: what had been acknowledged while the store took writes at all.
        let worth: Vec<f64> = found.iter().map(|items| items / 5.0).collect();
        let (low, high) = (worth[0], worth[worth.len() - 1]);
        assert!(low >= least && high <= most, "{level}: {low} s to {high} s, not within {least} to {most}");
        let (median, p95) = ((found[9] + found[10]) / 2.0, found[18]);
        let _ = writeln!(
            table,
            "| {level} | {documented} | {median:.0} items, {} of writing | {p95:.0} items |",
            duration(median / 5.0)
        );
    }
    is_documented("| consistency |", &table);
}

// -- Composite availability. --

/// 95 % of a t distribution with nine degrees of freedom lie within so many standard errors.
const T: f64 = 2.262;

#[test]
fn availability_of_a_whole_is_that_of_the_formula() {
    let rows = [
        ("well-architected", "four services, one after the other", 0.9998 * 0.9995 * 0.998 * 0.9999),
        (
            "well-architected-network",
            "and four networking components at 99.99 %",
            0.9998 * 0.9995 * 0.998 * 0.9999 * 0.9999 * 0.9999 * 0.9999 * 0.9999,
        ),
        ("two-regions", "two regions at 97 %, a router at 99.9 %", 0.999 * (1.0 - 0.03 * 0.03)),
    ];
    let mut table = String::new();
    for (scenario, words, formula) in rows {
        let shares = numbers(&results("availability", scenario, 10), "share");
        let count = shares.len() as f64;
        let mean = shares.iter().sum::<f64>() / count;
        let spread = shares.iter().map(|share| (share - mean) * (share - mean)).sum::<f64>() / (count - 1.0);
        let half = T * (spread / count).sqrt();
        assert!(half < 0.001, "{scenario}: ten seeds tell no more than ±{half}");
        assert!((mean - formula).abs() <= half, "{scenario}: {mean} ± {half}, the formula says {formula}");
        let percent = |share: f64| format!("{:.2} %", share * 100.0);
        let _ = writeln!(
            table,
            "| {words} | {} | {} | ± {:.3} points |",
            percent(formula),
            percent(mean),
            half * 100.0
        );
    }
    is_documented("| chain |", &table);
}
