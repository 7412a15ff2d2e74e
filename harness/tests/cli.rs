//! The binary itself: each command, its exit code, what goes to which stream.

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
    for arguments in [&["--help"][..], &["list", "--help"], &["check", "--help"], &["new", "--help"]] {
        let run = beaufort(arguments).assert().code(0).stderr("");
        let text = String::from_utf8(run.get_output().stdout.clone()).unwrap();
        assert!(text.contains("Examples:"), "{text}");
        within_80_columns(&text);
    }
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
