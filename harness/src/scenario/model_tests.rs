//! A scenario is read, printed and read again: it stays the same.

use proptest::prelude::*;

use super::diagnostics::{Diagnostic, Look, Sources, render};
use super::load::{load, shipped};
use super::model::Scenario;
use super::{print, tree};

fn read(text: &str) -> Result<Scenario, String> {
    let mut sources = Sources::new();
    let id = sources.add("t", text);
    let told = |errors: Vec<Diagnostic>| render(&errors, &sources, Look::default());
    let tree = tree::parse(&sources, id).map_err(told)?;
    Scenario::read(&tree).map_err(told)
}

fn printed(scenario: &Scenario) -> String {
    print::print(&scenario.to_tree().unwrap())
}

/// Every default that is written out is a value that is read back.
fn survives(scenario: &Scenario) {
    let text = printed(scenario);
    let again = read(&text).unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    assert_eq!(&again, scenario, "{text}");
    assert_eq!(printed(&again), text);
}

#[test]
fn shipped_scenarios_and_their_variants_survive_printing() {
    for shipped in shipped() {
        let loaded = load(shipped.name, &[]).unwrap();
        let told = |errors: Vec<Diagnostic>| render(&errors, &loaded.sources, Look::default());
        survives(&Scenario::read(&loaded.tree).map_err(told).unwrap());
        for name in loaded.variants() {
            let variant = loaded.variant(name).map_err(told).unwrap();
            survives(&Scenario::read(&variant.scenario).map_err(told).unwrap());
        }
    }
}

#[test]
fn errors_of_several_sections_are_told_at_once() {
    let errors = read(
        "scenario: Bad Name\ntime: { run: 5 }\nflows: { a: { size: 5/s }, b: { keys: x } }\nnodes: { c: { kind: nothing } }\nextra: 1\n",
    )
    .unwrap_err();
    for part in ["Bad Name", "time", "flows.a", "flows.b", "nothing", "extra"] {
        assert!(errors.contains(part), "{part}\n{errors}");
    }
    assert!(read("why: no name\n").unwrap_err().contains("the section `scenario` is missing"));
}

#[test]
fn empty_sections_are_allowed() {
    let scenario = read("scenario: a\nnodes:\nfaults:\nvariants:\n").unwrap();
    assert!(scenario.nodes.is_empty() && scenario.variants.is_empty());
    survives(&scenario);
}

fn span() -> impl Strategy<Value = String> {
    (1u32..5000, prop_oneof![Just("ms"), Just("s"), Just("m")]).prop_map(|(n, unit)| format!("{n}{unit}"))
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9]{0,5}(-[a-z0-9]{1,4})?"
}

/// A line of a section, or nothing.
fn maybe(field: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::option::of(field).prop_map(Option::unwrap_or_default)
}

prop_compose! {
    fn policy()(
        timeout in maybe(span().prop_map(|s| format!("timeout: {s}, "))),
        retries in maybe((0u32..50).prop_map(|n| format!("retries: {n}, "))),
        backoff in maybe(prop_oneof![
            span().prop_map(|s| format!("backoff: fixed {s}, ")),
            (1u32..900).prop_map(|n| format!("backoff: exponential {n}ms..{}s, ", n + 1)),
        ]),
        jitter in maybe(prop_oneof![Just("jitter: full, ".to_owned()), Just("jitter: none, ".to_owned())]),
        budget in maybe((0u32..1000).prop_map(|n| format!("budget: {}%, ", f64::from(n) / 10.0))),
        breaker in maybe((1u32..100, span()).prop_map(|(n, s)| format!("breaker: {n}% of 20 for {s}, "))),
        open in maybe(prop_oneof![Just("when-open: wait, ".to_owned()), Just("when-open: fail, ".to_owned())]),
    ) -> String {
        format!("{{ {timeout}{retries}{backoff}{jitter}{budget}{breaker}{open} }}")
    }
}

prop_compose! {
    fn flow()(keys in 1u32..100_000, skew in 0u32..30, kb in 1u32..2000, key in name()) -> String {
        format!("{{ key: {key}, keys: {keys}, skew: {}, size: {kb}KB }}", f64::from(skew) / 10.0)
    }
}

prop_compose! {
    fn line()(
        verb in prop_oneof![Just("exactly-once"), Just("at-least-once")],
        at in name(),
        effects in prop::collection::vec(name(), 1..4),
        parked in maybe(name().prop_map(|n| format!(", or-parked-in: {n}"))),
    ) -> String {
        let effects = if effects.len() == 1 { effects[0].clone() } else { format!("[{}]", effects.join(", ")) };
        format!("{{ {verb}: orders, accepted-at: {at}, effect-at: {effects}{parked} }}")
    }
}

prop_compose! {
    fn goal()(
        p50 in span(),
        max in maybe(span().prop_map(|s| format!(", max: {s}"))),
        part in maybe(prop_oneof![Just(", while: calm".to_owned()), Just(", while: faults".to_owned())]),
        ideally in maybe(any::<bool>().prop_map(|b| format!(", ideally: {b}"))),
    ) -> String {
        format!("{{ latency: door, p50: {p50}{max}{part}{ideally} }}")
    }
}

prop_compose! {
    fn variant()(
        why in maybe("[a-zA-Z0-9 ,:#'\"-]{1,30}".prop_map(|s| format!("why: {}, ", serde_json::to_string(&s).unwrap()))),
        expect in maybe(prop_oneof![
            Just("expect: pass, ".to_owned()),
            (name(), prop_oneof![Just("lost"), Just("doubled")])
                .prop_map(|(n, r)| format!("expect: {{ fail: {n}, because: {r} }}, ")),
            prop::collection::vec(name(), 2..4).prop_map(|n| format!("expect: {{ fail: [{}] }}, ", n.join(", "))),
            name().prop_map(|n| format!("expect: {{ refused: {n} }}, ")),
        ]),
        patch in prop_oneof![
            span().prop_map(|s| format!("policies.p.timeout: {s}")),
            Just("nodes.a: null".to_owned()),
            Just("nodes.a.steps: [complete, { work: 5ms }]".to_owned()),
        ],
    ) -> String {
        format!("{{ {why}{expect}{patch} }}")
    }
}

fn section(title: &'static str, line: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::btree_map(name(), line, 0..4).prop_map(move |lines| {
        let lines: Vec<String> =
            lines.into_iter().map(|(name, line)| format!("  {name}: {line}\n")).collect();
        format!("{title}:\n{}", lines.concat())
    })
}

prop_compose! {
    fn scenario()(
        time in (span(), span(), span()),
        flows in section("flows", flow()),
        policies in section("policies", policy()),
        nodes in section("nodes", Just("{ kind: load, flow: orders, to: door, rate: 5/s }".to_owned())),
        sla in section("sla", (1u32..=100_000).prop_map(|share| format!("{}%", f64::from(share) / 1e3))),
        always in section("always", line()),
        goals in section("objectives", goal()),
        variants in section("variants", variant()),
    ) -> String {
        let (warmup, run, drain) = time;
        let head = format!("scenario: made\ntime: {{ warmup: {warmup}, run: {run}, drain: {drain} }}\n");
        [head, flows, policies, nodes, sla, always, goals, variants].concat()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn scenarios_survive_printing(text in scenario()) {
        match read(&text) {
            Ok(scenario) => survives(&scenario),
            // Names are drawn section by section, and two sections may have drawn the same one.
            Err(errors) => prop_assert!(errors.contains("rename one of them") || errors.contains("exists already"), "{errors}\n{text}"),
        }
    }

    #[test]
    fn shipped_scenarios_with_changes_survive_printing(
        lock in span(), rate in 1u32..500, retries in 0u32..30, zones in 1u8..4,
    ) {
        let sets = [
            format!("nodes.payment-commands.lock={lock}"),
            format!("nodes.shoppers.rate={rate}/s"),
            format!("policies.patient.retries={retries}"),
            format!("sites.westeurope.zones={zones}"),
        ];
        let loaded = load("order-flow", &sets).unwrap();
        let told = |errors: Vec<Diagnostic>| render(&errors, &loaded.sources, Look::default());
        let tree = loaded.base().map_err(told).unwrap();
        survives(&Scenario::read(&tree).map_err(told).unwrap());
    }
}
