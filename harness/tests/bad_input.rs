//! Whatever is wrong with the input: an error that names file, line and column, quotes what is wrong
//! and says what would be right; exit code 2; never a panic.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use beaufort_harness::cli::{Exit, Terminal, main_with};

/// A small design that is right.
const SMALL: &str = "\
scenario: small
time: { warmup: 10s, run: 2m, drain: 10m }
sites: { westeurope: { zones: 3 } }
flows: { orders: { key: customer, keys: 100, size: 2KB } }
policies:
  patient: { timeout: 5s, retries: 5, backoff: exponential 500ms..30s, jitter: full }
nodes:
  shoppers: { kind: load, flow: orders, to: api, rate: 5/s, policy: patient }
  bus:      { kind: service-bus, tier: premium }
  payments: { kind: service-bus-queue, of: bus, lock: 30s }
  refunds:  { kind: service-bus-queue, of: bus }
  psp:      { kind: endpoint, ops: [charge], latency: 20ms }
  ledger:   { kind: sql-database, holds: [entry, event] }
  other:    { kind: sql-database }
  api:
    kind: container-app
    trigger: http
    steps:
      - { send: payments, once: item }
      - reply: 202
  worker:
    kind: function-app
    trigger: payments
    steps:
      - { call: psp, op: charge, once: item, as: charge }
      - { insert: ledger.entry, once: item }
      - complete
faults:
  crashes: { proc.crash: worker, after: charge, chance: 1%, for: 3s }
always:
  charged-once: { exactly-once: orders, accepted-at: api, effect-at: [psp.charge, ledger.entry] }
objectives:
  available: { availability: api, at-least: 99% }
variants:
  slow:
    expect: pass
    nodes.psp.latency: 30ms
";

struct Answer {
    exit: Exit,
    out: String,
    err: String,
}

fn beaufort(arguments: &[&str]) -> Answer {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let arguments = ["beaufort"].iter().chain(arguments).map(OsString::from);
    let exit = main_with(arguments, &mut Terminal::plain(&mut out, &mut err));
    Answer { exit, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
}

fn file(folder: &Path, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join("design.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Checks that a text is refused with all these words, at this place (`line:column`).
#[track_caller]
fn refused(text: impl AsRef<[u8]>, place: &str, words: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), text);
    let answer = beaufort(&["check", path.to_str().unwrap()]);
    assert_eq!(answer.exit, Exit::BadInput, "{}", answer.err);
    assert_eq!(answer.out, "");
    // Lines are wrapped, and words go on behind a frame in the next one.
    let flat = answer.err.replace(['│', '\n'], " ").split_whitespace().collect::<Vec<_>>().join(" ");
    let wanted = format!("design.yaml:{place}");
    assert!(answer.err.contains(&wanted), "{wanted} is not in\n{}", answer.err);
    for word in words {
        assert!(flat.contains(word), "{word:?} is not in\n{}", answer.err);
    }
    assert!(!answer.err.contains("internal error"), "{}", answer.err);
}

/// The same for the small design with a part of it replaced; the place is where `wrong` stands in it.
#[track_caller]
fn small_with(part: &str, by: &str, wrong: &str, words: &[&str]) {
    let start = SMALL.find(part).unwrap();
    let text = SMALL.replacen(part, by, 1);
    let at = start + text[start..].find(wrong).unwrap();
    let line = text[..at].matches('\n').count() + 1;
    let column = at - text[..at].rfind('\n').map_or(0, |i| i + 1) + 1;
    refused(text, &format!("{line}:{column}"), words);
}

#[test]
fn the_small_design_itself_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), SMALL);
    let answer = beaufort(&["check", path.to_str().unwrap()]);
    assert_eq!(answer.exit, Exit::Pass, "{}", answer.err);
    assert!(answer.out.contains("9 nodes, 1 fault, 1 variant"), "{}", answer.out);
    assert_eq!(answer.err, "");
}

// -- The text. --

#[test]
fn an_empty_file() {
    refused("", "1:1", &["the text is empty", "scenario: NAME"]);
}

#[test]
fn not_yaml() {
    refused("scenario: small\nnodes: { a: [ }\n", "2:", &["nodes: { a: [ }"]);
}

#[test]
fn not_text() {
    refused(b"scenario: \xff\xfe\n", "1:11", &["not UTF-8"]);
}

#[test]
fn another_kind_of_file() {
    refused("hello world\n", "1:1", &["the text `hello world`"]);
}

#[test]
fn ten_megabytes() {
    let text = format!("scenario: big\nwhy: {}\n", "x".repeat(10 << 20));
    refused(text, "1:1", &["larger than 1 MB"]);
}

#[test]
fn deep_nesting() {
    let text = format!("nodes: {}{}\n", "{ a: ".repeat(5000), "}".repeat(5000));
    refused(text, "1:", &["nested deeper than 32 levels"]);
}

// -- Keys and values. --

#[test]
fn an_unknown_key() {
    small_with("lock: 30s", "lok: 30s", "lok", &["no field `lok`", "did you mean `lock`?"]);
}

#[test]
fn an_unknown_section() {
    small_with("always:", "allways:", "allways", &["no section `allways`", "did you mean `always`?"]);
}

#[test]
fn an_unknown_kind() {
    small_with(
        "service-bus-queue",
        "service-bus-que",
        "service-bus-que",
        &["did you mean `service-bus-queue`?"],
    );
}

#[test]
fn a_duplicate_key() {
    small_with("  refunds:", "  payments:", "payments", &["`payments` is written twice", "first here"]);
}

#[test]
fn a_bad_name() {
    small_with("  refunds:", "  Refunds_2:", "Refunds_2", &["kebab-case", "`refunds-2`"]);
}

#[test]
fn a_wrong_unit() {
    small_with("lock: 30s", "lock: 30KB", "30KB", &["`30KB`"]);
}

#[test]
fn a_missing_unit() {
    small_with("lock: 30s", "lock: 30", "30", &["`30`"]);
}

#[test]
fn a_negative_rate() {
    small_with("rate: 5/s", "rate: -5/s", "-5/s", &["`-5/s`"]);
}

#[test]
fn a_probability_over_one() {
    small_with("chance: 1%", "chance: 150%", "150%", &["`150%`"]);
}

// -- Names. --

#[test]
fn a_dangling_node_name() {
    small_with(
        "trigger: payments",
        "trigger: paymnts",
        "paymnts",
        &["`paymnts`", "did you mean `payments`?"],
    );
}

#[test]
fn a_step_that_leads_nowhere() {
    small_with("call: psp,", "call: pps,", "pps", &["`pps.charge`", "did you mean `psp.charge`?"]);
}

#[test]
fn a_cycle_of_forwarding() {
    let text = SMALL.replacen("lock: 30s", "lock: 30s, forward-to: refunds", 1).replacen(
        "refunds:  { kind: service-bus-queue, of: bus",
        "refunds:  { kind: service-bus-queue, of: bus, forward-to: payments",
        1,
    );
    refused(text, "1", &["payments", "refunds"]);
}

#[test]
fn a_fault_that_targets_nothing() {
    small_with("proc.crash: worker", "proc.crash: wroker", "wroker", &["`wroker`", "did you mean `worker`?"]);
}

#[test]
fn a_fault_at_a_step_that_does_not_exist() {
    small_with(
        "after: charge",
        "after: chrage",
        "chrage",
        &["`chrage`", "its steps are: charge, insert, complete"],
    );
}

#[test]
fn a_fault_that_cannot_apply() {
    small_with(
        "crashes: { proc.crash: worker, after: charge, chance: 1%, for: 3s }",
        "broken: { entity.disable: psp, at: 1m, for: 10s }",
        "psp",
        &["psp"],
    );
}

#[test]
fn an_unknown_fault() {
    small_with("proc.crash:", "proc.crahs:", "proc.crahs", &["`proc.crahs`", "did you mean `proc.crash`?"]);
}

#[test]
fn a_contract_about_an_unknown_flow() {
    small_with(
        "exactly-once: orders,",
        "exactly-once: order,",
        "order,",
        &["`order`", "did you mean `orders`?"],
    );
}

#[test]
fn a_contract_about_an_unknown_place() {
    small_with("[psp.charge,", "[psp.chrage,", "psp.chrage", &["`psp.chrage`", "did you mean `psp.charge`?"]);
}

#[test]
fn an_objective_about_an_unknown_door() {
    small_with("availability: api", "availability: apy", "apy", &["`apy`", "did you mean `api`?"]);
}

// -- Recipes. --

/// A design of two sites or more.
#[track_caller]
fn sites_with(sites: &str, links: &str, wrong: &str, words: &[&str]) {
    let node = "nodes: { psp: { kind: endpoint, in: westeurope, ops: [charge] } }";
    let text = format!("scenario: two\n{sites}\nlinks: {links}\n{node}\n");
    let at = text.find(wrong).unwrap();
    let line = text[..at].matches('\n').count() + 1;
    let column = at - text[..at].rfind('\n').map_or(0, |i| i + 1) + 1;
    refused(text, &format!("{line}:{column}"), words);
}

const TWO: &str = "sites: { westeurope: {}, northeurope: {} }";

#[test]
fn a_link_to_an_unknown_site() {
    let link = "{ wan: { between: [westeurope, nortetheurope] } }";
    sites_with(TWO, link, "nortetheurope", &["no site `nortetheurope`", "did you mean `northeurope`?"]);
}

#[test]
fn a_link_of_a_site_with_itself() {
    let link = "{ wan: { between: [northeurope, northeurope] } }";
    sites_with(TWO, link, "northeurope, northeurope", &["joins `northeurope` with itself", "name two sites"]);
}

#[test]
fn two_links_of_one_pair_and_kind() {
    let links =
        "{ wan: { between: [northeurope, westeurope] }, man: { between: [westeurope, northeurope] } }";
    sites_with(TWO, links, "man", &["`wan` is a backbone between northeurope and westeurope already"]);
}

#[test]
fn a_kind_of_link_that_is_not_modelled() {
    let link = "{ wan: { kind: vpn, between: [northeurope, westeurope] } }";
    sites_with(TWO, link, "vpn", &["`vpn` are not yet modelled", "there is `backbone`"]);
}

#[test]
fn a_pair_that_does_not_exist() {
    let sites = "sites: { westeurope: { pair: nortetheurope }, northeurope: {} }";
    sites_with(sites, "{}", "nortetheurope", &["no site `nortetheurope`", "did you mean `northeurope`?"]);
}

#[test]
fn a_pair_that_is_not_mutual() {
    let sites =
        "sites: { westeurope: { pair: uksouth }, uksouth: { pair: ukwest }, ukwest: { pair: uksouth } }";
    let words = &["`uksouth` is not paired with `westeurope`", "the pair of `uksouth` is `ukwest`"];
    sites_with(sites, "{}", "uksouth }, uksouth:", words);
}

/// What no regions can do, whatever happens in them.
#[test]
fn regions_that_cannot_be_as_they_are_written() {
    let sites =
        "sites: { westeurope: {}, northeurope: {}, uksouth: { pair: ukwest }, ukwest: { pair: uksouth } }";
    let runbook = "people: { kind: operator, trigger: every 1h, steps: [{ failover: it, to: northeurope }] }";
    let one = |link: &str, node: &str, wrong: &str, words: &[&str]| {
        let text = format!(
            "scenario: regions\n{sites}\nlinks: {{ {link} }}\nnodes:\n  it: {{ {node} }}\n  {runbook}\n"
        );
        let at = text.find(wrong).unwrap();
        let line = text[..at].matches('\n').count() + 1;
        let column = at - text[..at].rfind('\n').map_or(0, |i| i + 1) + 1;
        refused(text, &format!("{line}:{column}"), words);
    };
    let replicas = "kind: sql-database, in: [westeurope, northeurope], primary: westeurope";
    // A link to a site that there is not.
    let link = "wan: { between: [westeurope, nortetheurope] }";
    one(link, replicas, "nortetheurope", &["no site `nortetheurope`", "did you mean `northeurope`?"]);
    // A copy in the pair of a region that has none, or that has another.
    let geo = "kind: storage-container, redundancy: grs, in";
    let (none, other) =
        (format!("{geo}: [westeurope, northeurope]"), format!("{geo}: [uksouth, northeurope]"));
    one(
        "",
        &none,
        "grs",
        &["`westeurope` has no pair to which it could be copied", "say `pair` at the site"],
    );
    one(
        "",
        &other,
        "grs",
        &["the pair of `uksouth` is `ukwest`: it can be copied nowhere else", "`redundancy: zrs`"],
    );
    // A failover to where nothing has been copied.
    let alone = "kind: storage-container, in: westeurope";
    one("", alone, "it, to: northeurope", &["`it` has no replicas", "name a service that replicates"]);
    let elsewhere = "kind: storage-container, redundancy: grs, in: [uksouth, ukwest]";
    one(
        "",
        elsewhere,
        "it, to: northeurope",
        &["`it` has no replica in `northeurope`", "its sites are: uksouth, ukwest"],
    );
    // A replica in the site of its own primary.
    for kind in [
        "sql-database, primary: westeurope",
        "cosmos-db",
        "service-bus",
        "storage-container, redundancy: grs",
    ] {
        let twice = format!("kind: {kind}, in: [westeurope, westeurope]");
        one("", &twice, "westeurope, westeurope]", &["it is in `westeurope` twice", "name each site once"]);
    }
    let primary = "kind: sql-database, in: [westeurope, northeurope], primary: uksouth";
    one(
        "",
        primary,
        "uksouth }\n  people",
        &["`uksouth` is not one of its sites", "write one of: westeurope, northeurope"],
    );
    // Every region takes writes, and all of them agree at once.
    let strong = "kind: cosmos-db, in: [westeurope, northeurope], writes: multi, consistency: strong";
    one(
        "",
        strong,
        "strong }",
        &["strong consistency is not possible", "choose another level, or `writes: single`"],
    );
}

#[test]
fn a_site_that_is_its_own_pair() {
    let sites = "sites: { westeurope: { pair: westeurope }, northeurope: {} }";
    sites_with(
        sites,
        "{}",
        "westeurope },",
        &["`westeurope` cannot be the pair of itself", "name the other region"],
    );
}

#[test]
fn a_link_and_a_node_of_one_name() {
    let link = "{ psp: { between: [northeurope, westeurope] } }";
    let text = SMALL.replace("sites: { westeurope: { zones: 3 } }", TWO);
    refused(
        format!("{text}links: {link}\n"),
        "",
        &["`psp` is in `nodes` and in `links`", "rename one of them"],
    );
}

#[test]
fn a_configuration_push_to_a_kind_that_is_not_there() {
    small_with(
        "proc.crash: worker, after: charge, chance: 1%, for: 3s",
        "config.push: logic-app",
        "logic-app",
        &["no node here is of the kind `logic-app`", "the kinds are:"],
    );
}

#[test]
fn a_transaction_that_spans_services() {
    small_with(
        "{ insert: ledger.entry, once: item }",
        "transaction: [{ insert: ledger.entry }, { insert: other }]",
        "transaction",
        &["transaction"],
    );
}

#[test]
fn a_recipe_that_never_acknowledges() {
    let text = SMALL.replacen("      - complete\n", "", 1);
    refused(text, "24:5", &["nodes.worker.steps", "never acknowledges", "`complete`"]);
}

// -- Variants and the command line. --

#[test]
fn a_variant_path_that_leads_nowhere() {
    small_with(
        "nodes.psp.latency: 30ms",
        "nodes.pps.latency: 30ms",
        "pps",
        &["`pps`", "did you mean `psp`?"],
    );
}

#[test]
fn a_variant_that_expects_a_line_that_does_not_exist() {
    small_with(
        "expect: pass",
        "expect: { fail: charged-onec }",
        "charged-onec",
        &["did you mean `charged-once`?"],
    );
}

#[test]
fn a_variant_that_should_be_refused_and_is_not() {
    small_with("expect: pass", "expect: { refused: transaction }", "transaction", &["should be refused"]);
}

#[test]
fn a_change_that_leads_nowhere() {
    let answer = beaufort(&["check", "order-flow", "--set", "nodes.payment-comands.lock=5s"]);
    assert_eq!(answer.exit, Exit::BadInput);
    assert!(answer.err.contains("--set:1:7"), "{}", answer.err);
    assert!(answer.err.contains("did you mean `payment-commands`?"), "{}", answer.err);
}

#[test]
fn a_scenario_that_does_not_exist() {
    for command in ["check", "run", "sweep"] {
        let answer = beaufort(&[command, "transactional-outbx"]);
        assert_eq!(answer.exit, Exit::BadInput);
        assert!(answer.err.contains("did you mean `transactional-outbox`?"), "{}", answer.err);
    }
}

#[test]
fn a_folder_instead_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let answer = beaufort(&["check", folder.path().to_str().unwrap()]);
    assert_eq!(answer.exit, Exit::BadInput);
    assert!(answer.err.contains("cannot read"), "{}", answer.err);
}

// -- What a stranger hands in. --

/// Checks that the small design with a part replaced is right.
#[track_caller]
fn accepted(text: impl AsRef<[u8]>) {
    let folder = tempfile::tempdir().unwrap();
    let answer = beaufort(&["check", file(folder.path(), text).to_str().unwrap()]);
    assert_eq!(answer.exit, Exit::Pass, "{}", answer.err);
}

#[test]
fn line_ends_and_byte_order_marks_of_other_systems_are_fine() {
    accepted(SMALL.replace('\n', "\r\n"));
    accepted(format!("\u{feff}{SMALL}"));
}

#[test]
fn tabs() {
    refused("scenario: small\nnodes:\n\ta: { kind: load }\n", "3:", &["a tab", "indent with spaces"]);
}

#[test]
fn binary_files() {
    refused(b"\x7fELF\x02\x01\x01\0\0", "1:1", &["U+007F"]);
    refused(b"scenario: a\0b\n", "1:12", &["U+0000"]);
    refused(b"\x89PNG\r\n\x1a\n", "1:1", &["not UTF-8", "save the file as UTF-8"]);
    let wide: Vec<u8> = SMALL.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let marked: Vec<u8> = [0xff, 0xfe].into_iter().chain(wide).collect();
    refused(marked, "1:1", &["not UTF-8"]);
}

#[test]
fn anchors_and_a_bomb_of_aliases() {
    let mut text = "scenario: &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (name, of) in ('b'..='k').zip('a'..) {
        text.push_str(&format!("{name}: &{name} [{}]\n", vec![format!("*{of}"); 9].join(", ")));
    }
    refused(&text, "1:11", &["anchors", "write the value out"]);
    small_with("lock: 30s", "lock: *zz", "*zz", &["aliases"]);
}

#[test]
fn two_documents() {
    refused(format!("{SMALL}---\n{SMALL}"), "38:1", &["a second document", "one scenario"]);
}

#[test]
fn a_quote_that_is_not_closed() {
    small_with("scenario: small", "scenario: 'small", "'small", &["not closed", "closing quote"]);
}

#[test]
fn no_nodes() {
    refused("scenario: small\n", "1:1", &["the section `nodes` is missing", "kind:"]);
}

#[test]
fn a_list_instead_of_a_text() {
    small_with("scenario: small", "scenario: [small]", "[small]", &["expected text, found a list"]);
}

#[test]
fn a_negative_duration() {
    small_with("lock: 30s", "lock: -30s", "-30s", &["`-30s` is negative"]);
    small_with("run: 2m", "run: -2m", "-2m", &["`-2m` is negative"]);
}

#[test]
fn numbers_without_measure() {
    small_with("run: 2m", "run: 99999999999999999h", "99999999999999999h", &["too large"]);
    small_with("rate: 5/s", "rate: 99999999999999999999/s", "99999999999999999999/s", &["too large"]);
    small_with("size: 2KB", "size: 99999999999999999999GB", "99999999999999999999GB", &["too large"]);
    small_with("keys: 100", "keys: 18446744073709551616", "18446744073709551616", &["too large"]);
    small_with("zones: 3", "zones: 9999", "9999", &["from 0 to 255"]);
    small_with("zones: 3", "zones: 0", "0", &["without a zone"]);
    small_with("keys: 100", "keys: 0", "0", &["from 1 to 10000000"]);
    small_with("keys: 100", "keys: 4000000000", "4000000000", &["from 1 to 10000000"]);
    small_with("keys: 100", "keys: 100, skew: -1", "-1", &["from 0 (uniform) to 10"]);
    let many = "trigger: http\n    replicas: 4000000000";
    small_with("trigger: http", many, "4000000000", &["too many", "at most 1000"]);
    small_with("trigger: http", "trigger: http\n    replicas: 0", "0", &["leaves no instance"]);
}

#[test]
fn a_promise_that_nobody_can_give() {
    let with = |promise: &str| format!("sla: {promise}\nfaults:");
    small_with("faults:", &with("{ pps: 99.5% }"), "pps", &["there is no node `pps`", "did you mean `psp`?"]);
    small_with("faults:", &with("{ psp: 120% }"), "120%", &["is not between 0 and 1"]);
    small_with("faults:", &with("{ psp: 0% }"), "0%", &["nothing is promised", "`99.95%`"]);
    small_with("faults:", &with("{ psp: often }"), "often", &["`often`"]);
}

#[test]
fn a_percentile_below_the_median() {
    small_with("latency: 20ms", "latency: 20ms p99 10ms", "20ms p99 10ms", &["must not be below the median"]);
}

#[test]
fn a_part_without_a_whole() {
    let text = SMALL.replacen(", of: bus, lock: 30s", ", lock: 30s", 1);
    refused(text, "10:3", &["`of` is missing", "must name a service-bus"]);
}

#[test]
fn a_trigger_that_is_the_app_itself() {
    small_with(
        "trigger: payments",
        "trigger: worker",
        "worker",
        &["cannot start a recipe", "a trigger is http"],
    );
}

#[test]
fn a_load_on_a_store() {
    small_with("to: api", "to: ledger", "ledger", &["is a store", "send to an app"]);
}

#[test]
fn variants_that_are_like_each_other() {
    let circle = "expect: pass\n    like: fast\n  fast:\n    like: slow";
    small_with("expect: pass", circle, "fast", &["in a circle", "slow -> fast -> slow"]);
}

#[test]
fn a_reason_that_does_not_exist() {
    small_with(
        "expect: pass",
        "expect: { fail: charged-once, because: lots }",
        "lots",
        &["did you mean `lost`?", "`doubled`"],
    );
}

#[test]
fn arguments_that_lead_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), SMALL);
    let design = path.to_str().unwrap();
    for (arguments, word) in [
        (&["run", design, "--variant", "slwo"][..], "did you mean `slow`?"),
        (&["run", design, "--variant", ""], "there are `slow`"),
        (&["sweep", design, "--variant", "slwo"], "did you mean `slow`?"),
        (&["run", design, "--set", "nodes.payments.lok=5s"], "--set:1:16"),
        (&["run", design, "--set", "nodes.payments.lock"], "needs a path, `=` and a value"),
        (&["run", design, "--set", "=5s"], "no path in front"),
        (&["run", design, "--set", "nodes.payments.lock=["], "--set:1:22"),
        (&["run", design, "--set", "nodes.payments.lock=-5s"], "is negative"),
        (&["run", design, "--set", "nodes=null"], "`nodes` is no path"),
        (&["run", design, "--seed", "-1"], "--seed"),
        (&["run", design, "--seed", "first"], "--seed"),
        (&["sweep", design, "--seeds", "0"], "--seeds"),
        (&["sweep", design, "--from", "18446744073709551615"], "--from"),
        (&["sweep", design, "--jobs", "0"], "--jobs"),
        (&["run", design, "--output", "/"], "it is a folder"),
        (&["run", "/"], "it is a folder"),
        (&["run", "/dev/null"], "the text is empty"),
        (&["run", ""], "no file and no shipped scenario"),
    ] {
        let answer = beaufort(arguments);
        assert_eq!((answer.exit, answer.out.as_str()), (Exit::BadInput, ""), "{arguments:?}: {}", answer.err);
        assert!(answer.err.contains(word), "{arguments:?}: {word:?} is not in\n{}", answer.err);
        assert!(!answer.err.contains("-- -1"), "{}", answer.err);
    }
}

// -- Warnings. --

#[test]
fn what_is_odd_is_said_before_a_run_too() {
    let folder = tempfile::tempdir().unwrap();
    let odd =
        SMALL.replacen("faults:\n", "faults:\n  twice: { net.duplicate: api -> payments, chance: 1% }\n", 1);
    let path = file(folder.path(), odd);
    let design = path.to_str().unwrap();
    let check = beaufort(&["check", design]);
    assert_eq!(check.exit, Exit::Pass, "{}", check.err);
    assert!(check.err.contains("msg.duplicate"), "{}", check.err);
    for command in
        [&["run", design][..], &["sweep", design, "--seeds", "1", "--variant", "base", "--variant", "slow"]]
    {
        let answer = beaufort(command);
        assert!(answer.err.starts_with(&check.err), "{}", answer.err);
        assert_eq!(answer.err.matches("msg.duplicate").count(), 1, "{}", answer.err);
    }
}

#[test]
fn a_sweep_with_expectations_refuses_a_line_that_does_not_exist() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), SMALL.replacen("expect: pass", "expect: { fail: charged-onec }", 1));
    let answer = beaufort(&["sweep", path.to_str().unwrap(), "--expect", "--seeds", "1"]);
    assert_eq!(answer.exit, Exit::BadInput, "{}", answer.err);
    assert!(answer.err.contains("did you mean `charged-once`?"), "{}", answer.err);
}

#[test]
fn a_subscription_that_nobody_reads_is_odd() {
    let more = "  bus:      { kind: service-bus, tier: premium }\n  \
                news:     { kind: service-bus-topic, of: bus }\n  \
                to-audit: { kind: service-bus-subscription, of: news }\n";
    let text = SMALL.replacen("  bus:      { kind: service-bus, tier: premium }\n", more, 1);
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), &text);
    let answer = beaufort(&["check", path.to_str().unwrap()]);
    assert_eq!(answer.exit, Exit::Pass, "{}", answer.err);
    assert!(answer.err.contains("design.yaml:11:3"), "{}", answer.err);
    assert!(answer.err.contains("`trigger: to-audit`"), "{}", answer.err);
    let read = text.replacen("trigger: payments", "trigger: to-audit", 1);
    let answer = beaufort(&["check", file(folder.path(), read).to_str().unwrap()]);
    assert_eq!((answer.exit, answer.err.as_str()), (Exit::Pass, ""));
}
