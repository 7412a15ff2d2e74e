//! The formats for pipelines, from documents to what their readers get, and the terminal beside them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test")]

mod annotations;
mod events;
mod fixture;
mod junit;
mod sarif;
mod summary;
mod terminal;

/// What no line of any format may have in it, whatever the names are: something that acts on a terminal, on
/// the direction of what follows, or on the pipeline in whose log it stands. Letters stay letters.
fn assert_harmless(text: &str) {
    let acts = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{fffe}');
    let found: Vec<char> = text.chars().filter(|c| acts(*c)).collect();
    assert!(found.is_empty(), "{found:?} in {text}");
    for command in ["##vso[task.complete result=Failed", "##[error]", "::error::owned"] {
        assert!(!text.contains(command), "{command} in {text}");
    }
    assert!(text.contains("שלום"), "the Hebrew word is gone from {text}");
}
