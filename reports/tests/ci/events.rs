//! Lines of JSON: what a program that follows a sweep reads.

use beaufort_reports::ci::{EVENT_VERSION, Event, event, verdict_event};
use beaufort_reports::{Expected, Results, Verdict};

use crate::fixture::{HOSTILE, document, failing, hostile, seed};

#[test]
fn a_seed_that_finished_is_one_line() {
    // While a sweep runs there is a document without seeds.
    let names = Results { seeds: vec![], ..failing() };
    let line = event(&names, &seed(2, Verdict::Fail));
    let expected = r#"{"type":"seed","version":1,"scenario":"order-flow","variant":"ack-first","engine":"native","seed":2,"verdict":"fail","cause":"charged-once is violated: 12 lost of 89,874 items (and 1 more)","digest":"00ff0002","failed":["charged-once","zone-recovery"],"offered":90011,"events":3121004,"simulated_seconds":2160.0}"#;
    assert_eq!(line, expected);
}

#[test]
fn the_end_of_a_document_counts_its_seeds() {
    let line = verdict_event(&failing());
    let expected = r#"{"type":"verdict","version":1,"scenario":"order-flow","variant":"ack-first","engine":"native","verdict":"fail","cause":"2 of 3 seeds; seed 2: charged-once is violated: 12 lost of 89,874 items (and 1 more)","seeds":3,"seeds_asked":3,"counts":{"pass":1,"degraded":0,"inconclusive":0,"fail":2,"error":0},"look_at":2,"replay":"beaufort run order-flow --variant ack-first --seed 2"}"#;
    assert_eq!(line, expected);
}

#[test]
fn a_line_is_read_back_and_says_whether_it_is_as_expected() {
    let expected = Some(Expected::default());
    let line = verdict_event(&Results { expected, ..failing() });
    let Event::Verdict(read) = serde_json::from_str(&line).expect("reads") else { panic!("{line}") };
    assert_eq!((read.version, read.as_expected, read.look_at), (EVENT_VERSION, Some(true), Some(2)));
    let line = verdict_event(&document("base", vec![seed(1, Verdict::Pass)]));
    let Event::Verdict(read) = serde_json::from_str(&line).expect("reads") else { panic!("{line}") };
    assert_eq!((read.as_expected, read.look_at, read.replay), (None, None, None));
}

#[test]
fn hostile_names_are_exact_and_do_no_harm_to_a_log() {
    let results = hostile();
    let line = event(&results, &results.seeds[1]);
    let acts = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{fffe}');
    assert!(!line.contains(acts) && !line.contains("##"), "{line}");
    let Event::Seed(read) = serde_json::from_str(&line).expect("reads") else { panic!("{line}") };
    assert_eq!((read.scenario.as_str(), read.digest.as_str()), (HOSTILE, HOSTILE));
    let line = verdict_event(&results);
    assert!(!line.contains(acts) && !line.contains("##"), "{line}");
    let Event::Verdict(read) = serde_json::from_str(&line).expect("reads") else { panic!("{line}") };
    assert_eq!(read.variant, HOSTILE);
}

#[test]
fn the_lines_in_the_documentation_are_lines_of_this_version() {
    let text = include_str!("../../../docs/ci.md");
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("{\"type\"")).collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        let read: Event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(serde_json::to_string(&read).unwrap(), line);
    }
}
