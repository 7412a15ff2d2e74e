//! The binary itself: each command, its exit code, what goes to which stream.

#![allow(clippy::unwrap_used, reason = "a test")]

use assert_cmd::Command;
use predicates::prelude::*;

fn beaufort(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_beaufort"));
    command.args(arguments).env_remove("NO_COLOR");
    command
}

fn within_80_columns(text: &str) {
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
}

#[test]
fn help_is_a_result_for_strangers() {
    for command in ["", "list", "check", "schema", "new", "run", "sweep", "report", "bench"] {
        let arguments = [command, "--help"];
        let arguments = arguments.iter().copied().filter(|word| !word.is_empty()).collect::<Vec<_>>();
        let run = beaufort(&arguments).assert().code(0).stderr("");
        let text = String::from_utf8(run.get_output().stdout.clone()).unwrap();
        assert!(text.contains("Examples:"), "{text}");
        within_80_columns(&text);
    }
}

#[test]
fn bench_prints_one_table_and_says_what_came_of_the_goals() {
    let run = beaufort(&["bench", "--quick", "--only", "bare loop"]).assert().code(0);
    let text = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    within_80_columns(&text);
    for words in ["Relay, 20,000 messages", "24 mostly idle hours", "1000 nodes", "bare loop, heap", "Goals"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    let run = beaufort(&["bench", "--quick", "--only", "bare loop, heap", "--json"]).assert().code(0);
    let figures: serde_json::Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    let first = &figures["sections"][0][1][0]["cell"]["done"]["figure"];
    assert_eq!((&first["delivered"], &first["whole"]), (&20_000.into(), &true.into()), "{figures}");
    beaufort(&["bench", "--only", "simpy"]).assert().code(4).stdout("");
}

#[test]
fn the_exit_codes_are_documented() {
    let code = |line: &str| predicate::str::contains(line.to_owned());
    beaufort(&["--help"]).assert().stdout(code("130  interrupted").and(code("70  internal error")));
}

#[test]
fn wrong_arguments_are_bad_input() {
    beaufort(&[]).assert().code(2).stdout("").stderr(predicate::str::contains("Usage:"));
    beaufort(&["chek"]).assert().code(2).stdout("").stderr(predicate::str::contains("check"));
    beaufort(&["list", "everything"]).assert().code(2).stdout("");
    beaufort(&["check"]).assert().code(2).stdout("").stderr(predicate::str::contains("SCENARIO"));
}

#[test]
fn list_shows_what_there_is() {
    let run = beaufort(&["list"]).assert().code(0).stderr("");
    let text = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    for word in ["order-flow", "endpoint", "proc.crash", "exactly-once", "recovery-time"] {
        assert!(text.contains(&format!("  {word}  ")), "{word} is not in\n{text}");
    }
    within_80_columns(&text);
    let run = beaufort(&["list", "contracts"]).assert().code(0);
    let text = String::from_utf8(run.get_output().stdout.clone()).unwrap();
    assert!(text.contains("no-phantom") && !text.contains("proc.crash"), "{text}");
}

#[test]
fn schema_is_json() {
    let run = beaufort(&["schema"]).assert().code(0).stderr("");
    let schema: serde_json::Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
    let sections = schema["properties"].as_object().unwrap();
    for section in ["time", "nodes", "faults", "always", "objectives", "variants"] {
        assert!(sections.contains_key(section), "{section}");
    }
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn new_copies_and_never_overwrites() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.yaml");
    let file = path.to_str().unwrap();
    beaufort(&["new", file, "--from", "order-flow"]).assert().code(0).stdout("");
    let copy = std::fs::read_to_string(&path).unwrap();
    assert!(copy.starts_with("scenario: order-flow"));
    beaufort(&["new", file, "--from", "transactional-outbox"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("exists already"));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), copy);
    beaufort(&["new", "/no/such/folder/x.yaml", "--from", "order-flow"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("cannot write /no/such/folder/x.yaml"));
    beaufort(&["new", file, "--from", "order-flw"])
        .assert()
        .code(2)
        .stderr(predicate::str::contains("order-flow"));
}

#[test]
fn no_colours_where_nobody_watches() {
    let run = beaufort(&["check", "order-flo"]).assert().code(2).stdout("");
    let text = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    assert!(!text.contains('\u{1b}'), "{text}");
    let run = beaufort(&["list"]).env("NO_COLOR", "1").assert().code(0);
    assert!(!run.get_output().stdout.contains(&0x1b));
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_gone_is_no_panic() {
    use std::process::{Command, Stdio};
    let program = env!("CARGO_BIN_EXE_beaufort");
    let mut child =
        Command::new(program).arg("schema").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_bad_input() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_beaufort"))
        .arg("schema")
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot write to standard output"));
}

// -- Run and sweep. --

/// A client and somebody else's service, with room for one more field of each.
fn design(folder: &tempfile::TempDir, psp: &str, more: &str) -> String {
    let text = format!(
        "\
scenario: small
time: {{ run: 1m, drain: 10m }}
sites: {{ westeurope: {{ zones: 3 }} }}
flows: {{ orders: {{ key: customer, keys: 50 }} }}
policies:
  eager: {{ timeout: 1s, retries: 5, backoff: fixed 100ms }}
nodes:
  shoppers: {{ kind: load, flow: orders, to: psp, rate: 10/s, policy: eager }}
  psp:      {{ kind: endpoint, ops: [charge], {psp} }}
always:
  once: {{ exactly-once: orders, accepted-at: psp, effect-at: psp.charge }}
objectives:
  quick: {{ latency: psp, p99: 900ms }}
{more}"
    );
    let path = folder.path().join("small.yaml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const GOOD: &str = "latency: 20ms p99 200ms";
/// Slower than the caller waits, and without idempotency keys: what is tried again is charged again.
const FORGETFUL: &str = "latency: 500ms p99 3s, idempotency-keys: 0s";

const VARIANTS: &str = "\
variants:
  forgetful:
    expect: { fail: once, because: doubled, may-fail: quick }
    nodes.psp.latency: 500ms p99 3s
    nodes.psp.idempotency-keys: 0s
  claims-too-much:
    expect: { fail: once }
    nodes.psp.latency: 30ms
  silent:
    nodes.psp.latency: 30ms
";

fn stdout(run: &assert_cmd::assert::Assert) -> String {
    String::from_utf8(run.get_output().stdout.clone()).unwrap()
}

#[test]
fn a_run_that_passes() {
    let folder = tempfile::tempdir().unwrap();
    let file = design(&folder, GOOD, "");
    let run = beaufort(&["run", &file]).assert().code(0);
    let first = stdout(&run);
    assert!(first.starts_with(&format!("pass: {file}, seed 1, digest ")), "{first}");
    assert_eq!(stdout(&beaufort(&["run", &file]).assert()), first, "the same seed is the same run");
    assert_ne!(stdout(&beaufort(&["run", &file, "--seed", "2"]).assert()), first);
}

#[test]
fn a_run_that_fails_names_the_line_and_the_replay() {
    let folder = tempfile::tempdir().unwrap();
    let file = design(&folder, FORGETFUL, "");
    let run = beaufort(&["run", &file, "--seed", "3"]).assert().code(1);
    let text = stdout(&run);
    assert!(text.starts_with("fail: "), "{text}");
    assert!(text.contains("  once: "), "{text}");
    assert!(text.contains(" doubled of "), "{text}");
    assert!(text.contains(&format!("replay: beaufort run {file} --seed 3\n")), "{text}");
}

#[test]
fn a_document_goes_to_standard_output_and_to_a_file_whole() {
    let folder = tempfile::tempdir().unwrap();
    let file = design(&folder, GOOD, "");
    let output = folder.path().join("results.json");
    let arguments = ["run", &file, "--json", "--output", output.to_str().unwrap()];
    let run = beaufort(&arguments).assert().code(0);
    let text = stdout(&run);
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&document["verdict"], &document["variant"]), (&"pass".into(), &"base".into()));
    assert_eq!(std::fs::read_to_string(&output).unwrap(), text);
    beaufort(&["run", &file, "--output", "/no/such/folder/r.json"])
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("cannot write /no/such/folder/r.json"));
}

#[test]
fn degraded_is_zero_unless_strict() {
    let folder = tempfile::tempdir().unwrap();
    let file = design(&folder, GOOD, "  ideal: { latency: psp, p50: 1ms, ideally: true }\n");
    beaufort(&["run", &file]).assert().code(0).stdout(predicate::str::starts_with("degraded: "));
    beaufort(&["run", &file, "--strict"]).assert().code(5);
    beaufort(&["sweep", &file, "--seeds", "3", "--strict"]).assert().code(5);
}

#[test]
fn without_traffic_nothing_can_be_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = design(&folder, GOOD, "");
    let run = beaufort(&["run", &file, "--set", "nodes.shoppers.rate=0/s"]).assert().code(3);
    assert!(stdout(&run).starts_with("inconclusive: "), "{}", stdout(&run));
}

#[test]
fn a_sweep_does_not_depend_on_the_number_of_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let file = design(&folder, FORGETFUL, "");
    let document = |jobs: &str| {
        let run = beaufort(&["sweep", &file, "--seeds", "6", "--jobs", jobs, "--json"]).assert().code(1);
        let mut document: serde_json::Value = serde_json::from_slice(&run.get_output().stdout).unwrap();
        for seed in document["seeds"].as_array_mut().unwrap() {
            seed["wall_seconds"] = 0.into();
        }
        document
    };
    let one = document("1");
    assert_eq!(one["seeds"].as_array().unwrap().len(), 6);
    assert_eq!(document("4"), one);
}

#[test]
fn expectations_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let file = design(&folder, GOOD, VARIANTS);
    let run = beaufort(&["sweep", &file, "--expect", "--seeds", "3"]).assert().code(1);
    let text = stdout(&run);
    assert!(text.contains(&format!("as expected: {file}, 3 seeds: pass\n")), "{text}");
    assert!(
        text.contains(&format!("as expected: {file}/forgetful, 3 seeds: fail (once: doubled)\n")),
        "{text}"
    );
    assert!(text.contains(&format!("not as expected: {file}/claims-too-much, 3 of 3 seeds\n")), "{text}");
    assert!(text.ends_with("2 of 3 as expected\n"), "{text}");
    run.stderr(predicate::str::contains("silent is left out: it expects nothing"));
    let documents = beaufort(&["sweep", &file, "--expect", "--seeds", "3", "--json"]).assert().code(1);
    let as_expected = |line: &str| {
        let document: serde_json::Value = serde_json::from_str(line).unwrap();
        document["expected"]["differences"].as_array().unwrap().is_empty()
    };
    assert_eq!(stdout(&documents).lines().map(as_expected).collect::<Vec<_>>(), [true, true, false]);
    let only =
        |name: &str| beaufort(&["sweep", &file, "--expect", "--seeds", "3", "--variant", name]).assert();
    only("forgetful").code(0);
    only("silent").code(4).stdout("");
    only("forgetfull").code(2).stdout("").stderr(predicate::str::contains("did you mean `forgetful`?"));
}

#[test]
fn several_documents_are_one_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = design(&folder, GOOD, VARIANTS);
    let arguments = ["sweep", &file, "--variant", "base", "--variant", "silent", "--seeds", "2", "--json"];
    let run = beaufort(&arguments).assert().code(0);
    let names: Vec<String> = stdout(&run)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["variant"].to_string())
        .collect();
    assert_eq!(names, ["\"base\"", "\"silent\""]);
}

#[test]
fn zero_seeds_are_bad_input() {
    beaufort(&["sweep", "order-flow", "--seeds", "0"])
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicate::str::contains("--seeds"));
}

#[cfg(unix)]
#[test]
fn an_interrupted_sweep_reports_what_was_finished() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let file = design(&folder, GOOD, "");
    let child = Command::new(env!("CARGO_BIN_EXE_beaufort"))
        .args(["sweep", &file, "--seeds", "1000000", "--jobs", "1", "--set", "time.run=10m"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The handler is set before anything is read, but a process needs a moment to begin.
    let _ = Command::new("sleep").arg("1").status().unwrap();
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let output = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(130), "{out}{err}");
    assert!(err.contains("interrupted"), "{err}");
    assert!(out.contains("seeds"), "{out}");
}

#[test]
fn the_scenario_in_the_readme_does_what_it_says() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md")).unwrap();
    let block = readme.split("```").find(|block| block.contains("scenario: image-worker")).unwrap();
    let text: Vec<&str> =
        block.lines().skip(1).map(|line| line.strip_prefix("   ").unwrap_or(line)).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("worker.yaml");
    std::fs::write(&path, text.join("\n")).unwrap();
    let file = path.to_str().unwrap();
    beaufort(&["check", file]).assert().code(0).stderr("");
    let run = beaufort(&["sweep", file, "--expect", "--seeds", "3"]).assert().code(0);
    assert!(stdout(&run).ends_with("2 of 2 as expected\n"), "{}", stdout(&run));
}

#[test]
fn a_missed_availability_tells_the_way_of_an_item() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        design(&folder, "latency: 20ms, refuses: 10%", "  served: { availability: psp, at-least: 99% }\n");
    let run = beaufort(&["run", &file]).assert().code(1);
    let text = String::from_utf8(run.get_output().stderr.clone()).unwrap();
    assert!(text.contains("The first item without success for served: orders "), "{text}");
    assert!(text.contains("psp refused in the end"), "{text}");
    within_80_columns(
        &text.lines().filter(|line| !line.starts_with("Replay")).collect::<Vec<_>>().join("\n"),
    );
}

#[test]
fn another_engine_is_a_second_opinion_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = design(&folder, "latency: 20ms", "");
    let short = ["--set", "time.run=20s", "--set", "time.drain=10s"];
    let native = beaufort(&[&["run", &file], &short[..]].concat()).assert().code(0);
    let mut hosted = beaufort(&[&["run", &file, "--engine", "turmoil", "--json"], &short[..]].concat());
    let hosted = hosted.assert().code(0);
    let results: serde_json::Value = serde_json::from_str(&stdout(&hosted)).unwrap();
    assert_eq!(results["engine"], "turmoil");
    assert!(results["seeds"][0]["lateness"]["inputs"].as_u64().unwrap() > 100, "{results}");
    let text = |run: &assert_cmd::assert::Assert| String::from_utf8(run.get_output().stderr.clone()).unwrap();
    let (told, plain) = (text(&hosted), text(&native));
    assert!(told.contains("(seed 1, on turmoil)") && told.contains("\nOn turmoil: "), "{told}");
    assert!(told.contains("--seed 1 --engine turmoil\n"), "{told}");
    assert!(!plain.contains("engine") && !plain.contains("turmoil"), "{plain}");
    let sweep = ["sweep", &file, "--engine", "turmoil", "--seeds", "2"];
    beaufort(&[&sweep, &short[..]].concat()).assert().code(0).stdout(predicate::str::contains("2 seeds"));
}

#[test]
fn an_engine_that_is_not_there_is_bad_input() {
    let unknown = beaufort(&["run", "order-flow", "--engine", "tokio"]).assert().code(2).stdout("");
    unknown.stderr(predicate::str::contains("[possible values: native, turmoil, madsim]"));
    // Two hundred replicas are too many for turmoil, and it is told before anything runs.
    let many = ["run", "order-flow", "--engine", "turmoil", "--set", "nodes.orders-api.replicas=200"];
    beaufort(&many).assert().code(2).stdout("").stderr(predicate::str::contains("turmoil hosts at most 100"));
}
