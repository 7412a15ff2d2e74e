//! JUnit XML: valid by the schema with which Jenkins reads such files, and what stands in it.

use beaufort_reports::ci::junit;
use beaufort_reports::{Expected, Results, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use uppsala::XsdValidator;

use crate::assert_harmless;
use crate::fixture::{document, failing, hostile, not_better, one_of_each, seed};

const SCHEMA: &str = include_str!("../schemas/junit-10.xsd");

fn errors(xml: &str) -> Vec<String> {
    let schema = uppsala::parse(SCHEMA).expect("the schema is XML");
    let validator = XsdValidator::from_schema(&schema).expect("the schema is a schema");
    let document = uppsala::parse(xml).expect("it is XML");
    validator.validate(&document).iter().map(ToString::to_string).collect()
}

/// Written, valid, and read back.
fn report(all: &[Results]) -> Report {
    let xml = junit(all).expect("writes");
    assert_eq!(errors(&xml), Vec::<String>::new(), "{xml}");
    Report::deserialize_from_str(&xml).expect("reads")
}

fn case<'a>(suite: &'a TestSuite, name: &str) -> &'a TestCase {
    let named = suite.test_cases.iter().find(|case| case.name.as_str() == name);
    named.unwrap_or_else(|| panic!("no case {name} in {suite:#?}"))
}

/// How a case came out, and its message.
fn outcome(case: &TestCase) -> (&'static str, &str) {
    match &case.status {
        TestCaseStatus::Success { .. } => ("success", ""),
        TestCaseStatus::NonSuccess { kind, message, .. } => {
            let kind = if *kind == NonSuccessKind::Failure { "failure" } else { "error" };
            (kind, message.as_ref().map_or("", |message| message.as_str()))
        }
        TestCaseStatus::Skipped { message, .. } => {
            ("skipped", message.as_ref().map_or("", |message| message.as_str()))
        }
    }
}

fn text(case: &TestCase) -> &str {
    match &case.status {
        TestCaseStatus::NonSuccess { description: Some(text), .. }
        | TestCaseStatus::Skipped { description: Some(text), .. } => text.as_str(),
        _ => "",
    }
}

fn property<'a>(suite: &'a TestSuite, name: &str) -> &'a str {
    let named = suite.properties.iter().find(|property| property.name.as_str() == name);
    named.unwrap_or_else(|| panic!("no property {name}")).value.as_str()
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let good = junit(&one_of_each()).unwrap();
    for (from, to) in [
        ("<testsuites name=\"beaufort\"", "<testsuites name=\"beaufort\" skipped=\"1\""),
        ("<testcase name=\"books\"", "<testcase label=\"books\""),
        ("<failure ", "<broken "),
        ("<properties>", "<properties><testcase name=\"x\"/>"),
    ] {
        let bad = good.replacen(from, to, 1).replacen(
            "</failure>",
            if to.contains("broken") { "</broken>" } else { "</failure>" },
            1,
        );
        assert_ne!(bad, good, "{from}");
        assert_ne!(errors(&bad), Vec::<String>::new(), "{to} passes the schema");
    }
}

#[test]
fn a_violated_contract_is_a_failure_with_the_way_of_the_item_and_the_command() {
    let report = report(&[failing()]);
    let suite = &report.test_suites[0];
    assert_eq!(suite.name.as_str(), "order-flow/ack-first");
    assert_eq!((suite.tests, suite.failures, suite.errors, suite.skipped), (7, 2, 0, 0));
    let lost = case(suite, "contract/charged-once");
    assert_eq!(outcome(lost), ("failure", "violated on 2 of 3 seeds: 24 lost of 179,748 items"));
    assert_eq!(lost.classname.as_ref().unwrap().as_str(), "order-flow/ack-first");
    insta::assert_snapshot!(text(lost).trim());
    insta::assert_snapshot!(lost.system_out.as_ref().unwrap().as_str().trim());
    let late = case(suite, "objective/zone-recovery");
    assert_eq!(outcome(late), ("failure", "missed on 2 of 3 seeds: 5.0m instead of below 90s"));
    assert!(text(late).contains("zone-lost: impact 100ms, detected 35.0s, recovered 5.0m"), "{}", text(late));
    for name in ["contract/reply-is-true", "objective/available", "fault/zone-lost", "fault/worker-crashes"] {
        assert_eq!(outcome(case(suite, name)), ("success", ""), "{name}");
    }
    let whole = suite.system_out.as_ref().unwrap().as_str();
    assert!(whole.contains("FAIL  order-flow / ack-first  (3 of 3 seeds)"), "{whole}");
}

#[test]
fn each_verdict_has_its_element() {
    let report = report(&one_of_each());
    let [base, slow, doubtful, failing, leaky] = report.test_suites.as_slice() else { panic!("five") };
    assert_eq!((report.tests, report.failures, report.errors), (35, 2, 1));
    assert!(base.test_cases.iter().all(|case| outcome(case).0 == "success"));
    // Degraded passes, as its exit code does, and says so.
    let low = case(slow, "objective/available");
    assert_eq!(outcome(low).0, "success");
    let said = low.system_out.as_ref().unwrap().as_str();
    assert!(said.contains("not ideal: 99.86% instead of at least 99.9%"), "{said}");
    assert_eq!(outcome(case(doubtful, "fault/zone-lost")), ("skipped", "struck, but was not felt"));
    assert_eq!((doubtful.skipped, doubtful.failures), (1, 0));
    assert_eq!(failing.failures, 2);
    let books = case(leaky, "books");
    assert_eq!(outcome(books).0, "error");
    assert!(
        text(books).contains("1 vanished: the book says 89,862, the inventory 89,861"),
        "{}",
        text(books)
    );
}

#[test]
fn properties_name_seeds_digest_margin_tool_and_engine() {
    let hosted = Results { engine: "turmoil".into(), ..failing() };
    let report = report(&[hosted]);
    let suite = &report.test_suites[0];
    assert_eq!(suite.name.as_str(), "order-flow/ack-first on turmoil");
    for (name, value) in [
        ("tool", "beaufort 0.1.0"),
        ("engine", "turmoil"),
        ("seeds", "1, 2, 3"),
        ("digest", "00ff0002 (seed 2)"),
        ("margin.zone-recovery", "-233%"),
        ("margin.available", "+51%"),
        ("replay", "beaufort run order-flow --variant ack-first --seed 2 --engine turmoil"),
    ] {
        assert_eq!(property(suite, name), value, "{name}");
    }
}

#[test]
fn what_only_the_verdict_knows_is_a_case_of_its_own() {
    let mut doubtful = document("base", vec![seed(1, Verdict::Pass)]);
    doubtful.verdict = Verdict::Inconclusive;
    doubtful.cause = "interrupted: 1 of 9 seeds finished, and none failed".into();
    let none = document("base", vec![]);
    let report = report(&[doubtful, none]);
    let interrupted = case(&report.test_suites[0], "verdict");
    assert_eq!(outcome(interrupted), ("skipped", "interrupted: 1 of 9 seeds finished, and none failed"));
    assert_eq!(outcome(case(&report.test_suites[1], "verdict")), ("skipped", "no seed finished"));
    // An empty list is a valid file too.
    assert_eq!(self::report(&[]).test_suites.len(), 0);
}

#[test]
fn a_variant_that_fails_as_expected_passes() {
    let wanted = "fail: charged-once, zone-recovery".to_owned();
    let met = Expected { wanted: wanted.clone(), differences: vec![] };
    let not_met = Expected { wanted, differences: vec!["`charged-once` should fail, but it holds".into()] };
    let good = Results { expected: Some(met), ..failing() };
    let bad = Results { expected: Some(not_met), ..document("mild", vec![seed(1, Verdict::Pass)]) };
    let report = report(&[good, bad]);
    let [good, bad] = report.test_suites.as_slice() else { panic!("two") };
    assert_eq!((good.failures, bad.failures), (0, 1));
    let unexpected = case(bad, "expectation");
    assert_eq!(outcome(unexpected), ("failure", "not as expected: `charged-once` should fail, but it holds"));
    assert_eq!(property(good, "verdict"), "fail, as expected");
}

#[test]
fn a_comparison_that_does_not_hold_fails_although_the_design_passes() {
    let expected = Some(Expected { wanted: "pass".into(), differences: vec![] });
    let met = Results { expected, ..not_better(Verdict::Fail) };
    let all = [not_better(Verdict::Fail), met, not_better(Verdict::Inconclusive), not_better(Verdict::Pass)];
    let report = report(&all);
    let suites = report.test_suites.as_slice();
    let came_out = |suite| outcome(case(suite, "comparison/quicker"));
    for suite in &suites[..2] {
        let (kind, message) = came_out(suite);
        assert_eq!((kind, suite.failures), ("failure", 1));
        assert!(
            message.starts_with("does not hold: recovery-time zone-lost of base is 4.0% shorter"),
            "{message}"
        );
    }
    assert_eq!(property(&suites[0], "verdict"), "pass, but a comparison does not hold");
    assert_eq!(property(&suites[1], "verdict"), "pass, as expected, but a comparison does not hold");
    assert_eq!(came_out(&suites[2]).0, "skipped");
    assert_eq!(came_out(&suites[3]), ("success", ""));
}

#[test]
fn a_design_that_is_refused_as_it_must_be_passes() {
    let expected = Some(Expected { wanted: "refused (writes)".into(), differences: vec![] });
    let cause = "refused: strong consistency and writes in all regions do not go together".to_owned();
    let refused = Results { verdict: Verdict::Fail, cause, expected, ..document("both", vec![]) };
    let report = report(&[refused]);
    let suite = &report.test_suites[0];
    assert_eq!((suite.tests, suite.failures), (2, 0), "{suite:#?}");
    assert_eq!(outcome(case(suite, "expectation")), ("success", ""));
}

#[test]
fn the_same_documents_give_the_same_bytes_whatever_the_wall_clock_says() {
    let mut slower = one_of_each();
    for seed in slower.iter_mut().flat_map(|results| &mut results.seeds) {
        seed.wall_seconds *= 3.0;
    }
    assert_eq!(junit(&one_of_each()).unwrap(), junit(&slower).unwrap());
}

#[test]
fn hostile_names_do_no_harm() {
    let xml = junit(&[hostile()]).unwrap();
    assert_harmless(&xml);
    assert!(!xml.contains("<script"), "{xml}");
    let report = report(&[hostile()]);
    let suite = &report.test_suites[0];
    assert_eq!((suite.tests, suite.failures), (8, 3));
    assert!(suite.name.as_str().starts_with("שלום<script>alert(\"1\")</script>&amp;'|"), "{:?}", suite.name);
}
