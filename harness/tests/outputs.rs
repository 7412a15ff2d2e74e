//! What the binary writes besides the verdict: the report, the formats of pipelines, traces. Each is written
//! whole or not at all.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

/// A design that loses what it acknowledges before the work is done, with words that mean harm.
const DESIGN: &str = r#"
scenario: lost-work
why: "<script>alert(1)</script> it's \"quoted\" & [linked](x)"
time: { warmup: 5s, run: 1m, drain: 5m }
sites: { here: { zones: 3 } }
flows: { jobs: { key: user, keys: 100 } }
nodes:
  people: { kind: load, flow: jobs, to: api, rate: 20/s }
  api:
    kind: container-app
    trigger: http
    steps: [{ send: queue, once: item }, { reply: 202 }]
  bus: { kind: service-bus }
  queue: { kind: service-bus-queue, of: bus }
  worker:
    kind: container-app
    replicas: 2
    trigger: queue
    steps: [complete, { work: 50ms p99 200ms }, { insert: store.row, once: item }]
  store: { kind: sql-database, holds: [row] }
faults:
  worker-dies: { proc.crash: worker, after: work, chance: 2%, for: 5s }
always:
  kept: { at-least-once: jobs, accepted-at: api, effect-at: store.row }
"#;

fn beaufort(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_beaufort"));
    command.args(arguments).current_dir(folder);
    for name in ["NO_COLOR", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "TF_BUILD"] {
        command.env_remove(name);
    }
    command
}

fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("mine.yaml"), DESIGN).unwrap();
    place
}

fn read(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap()
}

fn stdout(run: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(run.get_output().stdout.clone()).unwrap()
}

#[test]
fn a_report_drawn_at_once_is_the_one_drawn_from_the_document() {
    let place = place();
    let folder = place.path();
    let run = ["run", "mine.yaml", "--report", "now", "--output", "results.json"];
    beaufort(folder, &run).assert().code(1).stderr(contains("Report: now/index.html"));
    beaufort(folder, &["report", "results.json", "--out", "later"]).assert().code(0);
    let page = read(folder, "now/index.html");
    assert_eq!(page, read(folder, "later/index.html"));
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    assert!(!page.contains("<script>alert"), "words were taken for a script");
    assert!(page.contains("worker-dies") && page.contains("kept"));
    for folder in ["now/plots", "now/tables"] {
        assert!(fs::read_dir(place.path().join(folder)).unwrap().count() > 3, "{folder}");
    }
}

#[test]
fn several_designs_are_one_report() {
    let place = place();
    let folder = place.path();
    beaufort(folder, &["sweep", "mine.yaml", "--seeds", "3", "--output", "a.json"]).assert().code(1);
    let one = read(folder, "a.json");
    fs::write(folder.join("two.jsonl"), format!("{one}{one}")).unwrap();
    beaufort(folder, &["report", "two.jsonl", "--out", "r", "--junit", "j.xml"]).assert().code(0);
    assert_eq!(read(folder, "j.xml").matches("<testsuite ").count(), 2);
    fs::write(folder.join("cut.jsonl"), format!("{one}{}", &one[..one.len() / 2])).unwrap();
    let cut = beaufort(folder, &["report", "cut.jsonl", "--out", "r"]).assert().code(2);
    cut.stderr(contains("cut.jsonl, line 2").and(contains("not a results document")));
    beaufort(folder, &["report", "none.json", "--out", "r"]).assert().code(2).stderr(contains("cannot read"));
}

/// The same with a better design, a claim that it is much better, and one that cannot be.
const VARIANTS: &str = r#"
objectives:
  quick: { latency: api, p99: 10s }
compare:
  no-quicker: { latency: api, number: p99, of: careful, shorter-than: base, by: 90% }
variants:
  careful:
    why: completes when the work is done
    nodes.worker.steps: [{ work: 50ms p99 200ms }, { insert: store.row, once: item }, complete]
    expect: pass
  base-is-broken:
    why: the same as the base
    flows.jobs.keys: 101
    expect: { fail: [kept], because: lost }
  too-cheap:
    why: the basic tier detects no duplicates
    nodes.bus.tier: basic
    nodes.queue.dedup-window: 10m
    expect: { refused: tier }
"#;

/// What decides the exit code stands in every format, and what is refused as it must be in the documents.
#[test]
fn comparisons_and_refusals_are_in_every_format() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    fs::write(folder.join("mine.yaml"), format!("{DESIGN}{VARIANTS}")).unwrap();
    let formats =
        ["--junit", "j.xml", "--sarif", "s.sarif", "--summary", "s.md", "--report", "r", "--output", "d"];
    let selected = ["--variant", "base", "--variant", "careful", "--seeds", "3"];
    let run = beaufort(folder, &[&["sweep", "mine.yaml"][..], &selected, &formats].concat()).assert().code(1);
    assert!(
        stdout(&run).contains("does not hold: no-quicker: latency api of careful is"),
        "{}",
        stdout(&run)
    );
    let documents: Vec<serde_json::Value> =
        read(folder, "d").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(documents[0]["comparisons"], serde_json::Value::Null);
    let compared = &documents[1]["comparisons"][0];
    assert_eq!((&compared["name"], &compared["verdict"]), (&"no-quicker".into(), &"fail".into()));
    assert_eq!((&compared["pairs"], &documents[1]["verdict"]), (&3.into(), &"pass".into()));
    assert!(compared["gain"].as_f64().unwrap() < 0.9, "{compared}");
    assert!(read(folder, "j.xml").contains("name=\"comparison/no-quicker\""));
    assert!(read(folder, "s.md").contains("comparison `no-quicker`"));
    let page = read(folder, "r/index.html");
    assert!(page.contains("does not hold") && page.contains("no-quicker"));
    let sarif: serde_json::Value = serde_json::from_str(&read(folder, "s.sarif")).unwrap();
    let found = sarif["runs"][0]["results"].as_array().unwrap();
    let found = found.iter().find(|one| one["ruleId"] == "comparison/no-quicker").expect("a result");
    let text = format!("{DESIGN}{VARIANTS}");
    let line = text.lines().position(|line| line.contains("no-quicker:")).unwrap() + 1;
    assert_eq!(found["locations"][0]["physicalLocation"]["region"]["startLine"], line);
}

#[test]
fn what_is_expected_is_documented_with_stories_and_refusals() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    fs::write(folder.join("mine.yaml"), format!("{DESIGN}{VARIANTS}")).unwrap();
    let arguments = ["sweep", "mine.yaml", "--expect", "--seeds", "3", "--output", "d", "--report", "r"];
    let only = ["--variant", "base-is-broken", "--variant", "too-cheap"];
    let run = beaufort(folder, &[&arguments[..], &only].concat()).assert().code(0);
    assert!(stdout(&run).ends_with("2 of 2 as expected\n"), "{}", stdout(&run));
    let documents: Vec<serde_json::Value> =
        read(folder, "d").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [broken, refused] = documents.as_slice() else { panic!("two: {documents:?}") };
    let told = |seed: &serde_json::Value| seed["contracts"][0]["violations"][0]["story"].is_array();
    assert!(broken["seeds"].as_array().unwrap().iter().any(told), "{broken}");
    assert_eq!(refused["variant"], "too-cheap");
    assert_eq!(refused["expected"]["differences"].as_array().map(Vec::len), Some(0), "{refused}");
    assert!(refused["cause"].as_str().unwrap().starts_with("refused: "), "{refused}");
    assert!(read(folder, "r/index.html").contains("refused: "));
}

#[test]
fn what_providers_promise_is_composed_for_each_door() {
    let place = place();
    let folder = place.path();
    let arguments = ["run", "mine.yaml", "--set", "sla.bus=99.5%", "--output", "d", "--report", "r"];
    beaufort(folder, &arguments).assert().code(1);
    let document: serde_json::Value = serde_json::from_str(&read(folder, "d")).unwrap();
    let nodes = document["design"]["nodes"].as_array().unwrap();
    let promise = |name: &str| nodes.iter().find(|node| node["name"] == name).unwrap()["sla"].clone();
    assert_eq!(promise("bus"), serde_json::json!({ "share": 0.995, "source": "scenario" }));
    assert_eq!(promise("store"), serde_json::json!({ "share": 0.9999, "source": "published" }));
    assert_eq!(promise("queue"), serde_json::Value::Null);
    // The door needs the app and the namespace, not the worker behind the queue, nor its store: 0.9995 * 0.995.
    let page = read(folder, "r/index.html");
    assert!(page.contains("by what the providers promise: "), "no promise in the page");
    assert!(page.contains("<strong>99.45 %</strong>, 4 h"), "0.9995 * 0.995");
    // The world does not go by it.
    let digest = |text: &str| text.split("\"digest\":\"").nth(1).unwrap()[..16].to_owned();
    beaufort(folder, &["run", "mine.yaml", "--output", "e"]).assert().code(1);
    assert_eq!(digest(&read(folder, "d")), digest(&read(folder, "e")));
}

#[test]
fn pipelines_get_their_formats_and_annotations() {
    let place = place();
    let folder = place.path();
    let formats = ["--junit", "j.xml", "--sarif", "s.sarif", "--summary", "s.md"];
    let arguments = [&["run", "mine.yaml"][..], &formats].concat();
    let quiet = beaufort(folder, &arguments).assert().code(1);
    assert!(!stdout(&quiet).contains("::error"), "nobody asked for annotations");
    assert!(read(folder, "j.xml").contains("<failure"));
    let sarif: serde_json::Value = serde_json::from_str(&read(folder, "s.sarif")).unwrap();
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    let line = DESIGN.lines().position(|line| line.contains("kept:")).unwrap() + 1;
    assert_eq!(place["artifactLocation"]["uri"], "mine.yaml");
    assert_eq!(place["region"]["startLine"], line);

    let github = beaufort(folder, &arguments)
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", folder.join("page.md"))
        .assert()
        .code(1);
    assert!(stdout(&github).contains(&format!("::error file=mine.yaml,line={line}")), "{}", stdout(&github));
    assert_eq!(read(folder, "page.md"), read(folder, "s.md"));

    let azure = beaufort(folder, &arguments).env("TF_BUILD", "True").assert().code(1);
    let said = stdout(&azure);
    assert!(said.contains(&format!("##vso[task.logissue type=error;sourcepath=mine.yaml;linenumber={line}")));
    assert!(said.contains("##vso[task.uploadsummary]/"), "{said}");
}

#[test]
fn a_program_can_follow_a_sweep() {
    let place = place();
    let arguments = ["sweep", "mine.yaml", "--seeds", "4", "--message-format", "json"];
    let run = beaufort(place.path(), &arguments).env("GITHUB_ACTIONS", "true").assert().code(1);
    let lines: Vec<serde_json::Value> =
        stdout(&run).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut seeds: Vec<u64> = lines.iter().filter_map(|line| line["seed"].as_u64()).collect();
    seeds.sort_unstable();
    assert_eq!(seeds, [1, 2, 3, 4]);
    assert_eq!(lines.last().unwrap()["type"], "verdict");
    assert_eq!(lines.last().unwrap()["verdict"], "fail");
    let both = ["run", "mine.yaml", "--json", "--message-format", "json"];
    beaufort(place.path(), &both).assert().code(2).stderr(contains("cannot be used with"));
}

#[test]
fn a_trace_has_a_row_for_everything_and_is_whole_or_absent() {
    let place = place();
    let folder = place.path();
    let run = beaufort(folder, &["run", "mine.yaml", "--trace", "t.parquet"]).assert().code(1);
    let said = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    let rows = said.split_once("Trace: t.parquet (").unwrap().1.split_once(" rows").unwrap().0;
    let rows: u64 = rows.replace(',', "").parse().unwrap();
    assert!(rows > 10_000, "{rows} rows");
    let bytes = fs::read(folder.join("t.parquet")).unwrap();
    assert_eq!((&bytes[..4], &bytes[bytes.len() - 4..]), (&b"PAR1"[..], &b"PAR1"[..]));
    let nowhere = ["run", "mine.yaml", "--trace", "no/such/folder/t.parquet"];
    beaufort(folder, &nowhere).assert().code(2).stdout("").stderr(contains("cannot write"));
}

#[test]
fn an_item_of_ones_choice_is_in_the_report() {
    let place = place();
    let folder = place.path();
    let item = ["run", "mine.yaml", "--report", "r", "--item", "jobs 17"];
    beaufort(folder, &item).assert().code(1);
    assert!(read(folder, "r/index.html").contains("jobs 17"));
    let wrong = ["run", "mine.yaml", "--report", "r", "--item", "jbs 17"];
    beaufort(folder, &wrong).assert().code(2).stderr(contains("there is no flow `jbs`; there is jobs"));
    let wrong = ["run", "mine.yaml", "--report", "r", "--item", "17"];
    beaufort(folder, &wrong).assert().code(2).stderr(contains("such as `jobs 4711`"));
}

#[test]
fn what_cannot_be_written_is_said_before_anything_runs() {
    let place = place();
    let folder = place.path();
    fs::create_dir(folder.join("thesis")).unwrap();
    fs::write(folder.join("thesis/chapter.txt"), "years").unwrap();
    for arguments in [
        &["run", "mine.yaml", "--report", "thesis"][..],
        &["run", "mine.yaml", "--report", "mine.yaml"],
        &["sweep", "mine.yaml", "--seeds", "100000", "--junit", "no/such/j.xml"],
        &["report", "mine.yaml", "--out", "thesis"],
    ] {
        let run = beaufort(folder, arguments).assert().code(2).stdout("");
        run.stderr(contains("thesis is not empty").or(contains("cannot write")));
    }
    assert_eq!(read(folder, "thesis/chapter.txt"), "years");
}
