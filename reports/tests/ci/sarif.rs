//! SARIF: valid by the published schema, and what stands in it.

use beaufort_reports::ci::sarif;
use beaufort_reports::{Expected, Results, Verdict};
use serde_json::Value;

use crate::assert_harmless;
use crate::fixture::{HOSTILE, document, failing, hostile, not_better, one_of_each, seed};

const SCHEMA: &str = include_str!("../schemas/sarif-2.1.0.json");

fn errors(log: &Value) -> Vec<String> {
    // One of its patterns has a bracket that closes nothing. Where the pattern was written, that is a bracket;
    // here it has to be said.
    let (pattern, escaped) = ("[a-zA-Z]{2}]?$", "[a-zA-Z]{2}\\\\]?$");
    assert_eq!(SCHEMA.matches(pattern).count(), 2);
    let schema: Value = serde_json::from_str(&SCHEMA.replace(pattern, escaped)).expect("the schema is JSON");
    let validator =
        jsonschema::options().should_validate_formats(true).build(&schema).expect("it is a schema");
    validator.iter_errors(log).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Written, valid, and read back.
fn log(all: &[Results]) -> Value {
    let text = sarif(all).expect("writes");
    let log: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(errors(&log), Vec::<String>::new(), "{text}");
    assert_eq!(log["runs"].as_array().map(Vec::len), Some(1), "GitHub refuses several runs of one category");
    log
}

fn results(log: &Value) -> &Vec<Value> {
    log["runs"][0]["results"].as_array().expect("results")
}

fn result<'a>(log: &'a Value, rule: &str) -> &'a Value {
    results(log).iter().find(|one| one["ruleId"] == rule).unwrap_or_else(|| panic!("no {rule} in {log:#}"))
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    for (pointer, value) in [
        ("/version", Value::from("2.0")),
        ("/runs/0/results/0/level", Value::from("fatal")),
        ("/runs/0/results/0/locations/0/physicalLocation/region/startLine", Value::from(0)),
        ("/runs/0/tool/driver/rules/0/id", Value::Null),
        ("/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uri", Value::from("a b")),
    ] {
        let mut bad = log(&[failing()]);
        *bad.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
        assert_ne!(errors(&bad), Vec::<String>::new(), "{pointer} passes the schema");
    }
}

#[test]
fn a_violated_contract_is_one_result_at_its_line() {
    let log = log(&[failing()]);
    assert_eq!(results(&log).len(), 2);
    let lost = result(&log, "contract/charged-once");
    assert_eq!(lost["level"], "error");
    let place = &lost["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "scenarios/order-flow.yaml");
    assert_eq!(place["region"]["startLine"], 212);
    let expected = "\
order-flow/ack-first: violated on 2 of 3 seeds: 24 lost of 179,748 items
on seed 2: fates: 89,862 effected, 12 lost
seeds 2, 3
The first item: orders 4711 (key 17), lost at ledger: no copy is left
Run it again: beaufort run order-flow --variant ack-first --seed 2";
    assert_eq!(lost["message"]["text"], expected);
    let properties = &lost["properties"];
    assert_eq!(properties["seeds"], serde_json::json!([2, 3]));
    assert_eq!((&properties["seedsRun"], &properties["digest"]), (&Value::from(3), &Value::from("00ff0002")));
    assert_eq!(properties["replay"], "beaufort run order-flow --variant ack-first --seed 2");
    let late = result(&log, "objective/zone-recovery");
    assert_eq!(late["locations"][0]["physicalLocation"]["region"]["startLine"], 230);
    let index = late["ruleIndex"].as_u64().unwrap() as usize;
    assert_eq!(log["runs"][0]["tool"]["driver"]["rules"][index]["id"], "objective/zone-recovery");
}

#[test]
fn the_way_of_the_item_leads_through_the_lines_of_its_nodes() {
    let log = log(&[failing()]);
    let steps = &result(&log, "contract/charged-once")["codeFlows"][0]["threadFlows"][0]["locations"];
    assert_eq!(steps.as_array().map(Vec::len), Some(3));
    let last = &steps[2]["location"];
    assert_eq!(last["physicalLocation"]["region"]["startLine"], 97);
    let text = "12m05.200s payment-worker#1: crashed in the middle of the run (fault worker-crashes)";
    assert_eq!(last["message"]["text"], text);
}

#[test]
fn levels_follow_the_verdicts_and_rules_are_not_repeated() {
    let log = log(&one_of_each());
    let level = |rule: &str| result(&log, rule)["level"].clone();
    assert_eq!(level("objective/available"), "warning");
    assert_eq!(level("fault/zone-lost"), "note");
    assert_eq!(level("contract/charged-once"), "error");
    assert_eq!(level("books"), "error");
    assert_eq!(results(&log).len(), 5);
    let rules = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    let mut ids: Vec<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"contract/reply-is-true"), "a rule that holds is a rule too: {ids:?}");
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all);
}

#[test]
fn fingerprints_stay_from_run_to_run_and_differ_from_variant_to_variant() {
    let prints = |all: &[Results]| -> Vec<String> {
        let log = log(all);
        results(&log).iter().map(|one| one["partialFingerprints"]["beaufortCheck/v1"].to_string()).collect()
    };
    let mut later = failing();
    later.seeds.remove(1);
    later.seeds[1].contracts[1].reasons = [("doubled".to_owned(), 3)].into();
    later.design.as_mut().unwrap().source.as_mut().unwrap().lines.clear();
    assert_eq!(prints(&[failing()]), prints(&[later]));
    let both = prints(&[failing(), Results { variant: "short-lock".into(), ..failing() }]);
    assert_eq!((both.len(), both[0] == both[2]), (4, false));
}

#[test]
fn a_document_that_names_no_file_has_no_location_and_one_that_names_a_path_its_first_line() {
    let old = Results { design: None, ..failing() };
    assert!(result(&log(std::slice::from_ref(&old)), "contract/charged-once").get("locations").is_none());
    let path = Results { path: "mine.yaml --set time.drain=5m".into(), ..old };
    let log = log(&[path]);
    let place = &result(&log, "contract/charged-once")["locations"][0]["physicalLocation"];
    assert_eq!(
        (&place["artifactLocation"]["uri"], &place["region"]["startLine"]),
        (&"mine.yaml".into(), &1.into())
    );
}

#[test]
fn what_fails_as_expected_is_no_result() {
    let expected = Some(Expected { wanted: "fail: charged-once".into(), differences: vec![] });
    assert_eq!(results(&log(&[Results { expected, ..failing() }])), &Vec::<Value>::new());
    assert_eq!(results(&log(&[document("base", vec![seed(1, Verdict::Pass)])])), &Vec::<Value>::new());
    assert_eq!(results(&log(&[])), &Vec::<Value>::new());
}

#[test]
fn a_comparison_that_does_not_hold_is_a_result_at_its_line() {
    let log = log(&[not_better(Verdict::Fail)]);
    assert_eq!(results(&log).len(), 1);
    let found = result(&log, "comparison/quicker");
    assert_eq!(found["level"], "error");
    assert_eq!(found["locations"][0]["physicalLocation"]["region"]["startLine"], 240);
}

#[test]
fn hostile_names_do_no_harm() {
    assert!(HOSTILE.contains("](https://evil.example)"));
    assert_harmless(&sarif(&[hostile()]).unwrap());
    let log = log(&[hostile()]);
    assert_eq!(results(&log).len(), 3);
    for one in results(&log) {
        let text = one["message"]["text"].as_str().unwrap();
        assert!(!text.replace("\\]", "").contains("]("), "a link in {text}");
        let uri = one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)), "{uri}");
    }
}
