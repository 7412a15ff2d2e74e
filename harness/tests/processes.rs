//! The same seed in two processes that share nothing: another folder, another environment, another number
//! of threads, and the same results document.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

use std::process::Command;

const EVERYTHING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/scenarios/everything.yaml");

/// The results document without the wall time.
fn document(command: &mut Command) -> serde_json::Value {
    let output = command.output().expect("it runs");
    let text = String::from_utf8(output.stdout).expect("text");
    let wrong = String::from_utf8_lossy(&output.stderr);
    let mut document: serde_json::Value =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {wrong}"));
    for seed in document["seeds"].as_array_mut().expect("seeds") {
        seed["wall_seconds"] = 0.into();
    }
    document
}

#[test]
fn two_processes_in_different_surroundings_give_the_same_document() {
    let folder = tempfile::tempdir().expect("a folder");
    let sweep = |jobs: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_beaufort"));
        command.args(["sweep", EVERYTHING, "--seeds", "3", "--json", "--jobs", jobs]);
        command
    };
    let here = document(&mut sweep("1"));
    let there = document(
        sweep("2")
            .current_dir(folder.path())
            .env_clear()
            .env("HOME", folder.path())
            .env("TZ", "Pacific/Chatham")
            .env("LANG", "tr_TR.UTF-8")
            .env("COLUMNS", "40")
            .env("RAYON_NUM_THREADS", "3"),
    );
    let seeds = here["seeds"].as_array().expect("seeds");
    assert_eq!(seeds.len(), 3);
    assert!(seeds.iter().all(|seed| seed["events"].as_u64().is_some_and(|events| events > 10_000)));
    assert_eq!(here, there);
}
