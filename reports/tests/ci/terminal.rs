//! The terminal: the timeline of a failing run, and names that would do something to a terminal.

use beaufort_reports::text::{Style, render, timeline};
use beaufort_reports::{SeedResult, Verdict};

use crate::assert_harmless;
use crate::fixture::{document, failing, hostile, seed, series};

const QUIET: Style = Style { colour: false, width: 80, speed: false, blocks: true };

fn told() -> SeedResult {
    SeedResult { series: Some(series()), ..seed(2, Verdict::Fail) }
}

#[test]
fn a_timeline_shows_when_the_doors_failed_and_which_fault_it_was() {
    insta::assert_snapshot!(timeline(&told(), QUIET).join("\n"));
}

#[test]
fn where_blocks_are_not_wanted_it_is_drawn_with_digits() {
    let text = timeline(&told(), Style { blocks: false, ..QUIET }).join("\n");
    assert!(text.is_ascii(), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_timeline_stands_between_the_story_and_the_command() {
    let text = render(&failing(), QUIET);
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}"));
    assert!(at("The first violation of charged-once") < at("What the doors did over time"));
    assert!(at("What the doors did over time") < at("Replay: beaufort run order-flow"));
    let run = render(&document("ack-first", vec![told()]), QUIET);
    assert!(run.contains("edge: 97.3% of 93,000 items, lowest 6.7% at 10m06s"), "{run}");
}

#[test]
fn without_a_series_or_without_a_failure_there_is_none() {
    let old = render(&document("ack-first", vec![seed(2, Verdict::Fail)]), QUIET);
    let fine = SeedResult { series: Some(series()), ..seed(2, Verdict::Pass) };
    let fine = render(&document("base", vec![fine]), QUIET);
    for text in [old, fine] {
        assert!(!text.contains("over time"), "{text}");
    }
    let mut empty = told();
    empty.series.as_mut().unwrap().doors.clear();
    assert_eq!(timeline(&empty, QUIET), Vec::<String>::new());
}

#[test]
fn only_columns_in_which_something_failed_are_red() {
    let text = render(&document("ack-first", vec![told()]), Style { colour: true, ..QUIET });
    assert!(text.contains("█\u{1b}[1;31m▆▁▃\u{1b}[0m█"), "{text}");
}

#[test]
fn a_run_of_any_length_fits_the_page_and_has_a_scale() {
    for (step, bins, marks) in [
        (0.5, 7, ["0", "1 s"]),
        (60.0, 400, ["0", "1 h"]),
        (864.0, 300, ["0", "1 d"]),
        (1e5, 300, ["0", "44 d"]),
    ] {
        let mut long = told();
        let series = long.series.as_mut().unwrap();
        (series.start, series.step, series.bins) = (0.0, step, bins);
        for door in &mut series.doors {
            (door.offered, door.ok) = (vec![100; bins as usize], vec![99; bins as usize]);
        }
        let lines = timeline(&long, QUIET);
        assert!(lines.iter().all(|line| line.chars().count() <= 80), "{lines:#?}");
        let scale = &lines[lines.len() - 2];
        for mark in marks {
            assert!(scale.contains(&format!("|{mark}")), "no {mark} in {lines:#?}");
        }
        assert!(
            lines[1].trim().chars().all(|c| c == '▇') && lines[1].trim().chars().count() == 72,
            "{lines:#?}"
        );
    }
}

#[test]
fn the_worst_doors_are_shown_and_the_others_counted() {
    let mut many = told();
    let series = many.series.as_mut().unwrap();
    for number in 0..5 {
        let mut door = series.doors[0].clone();
        door.door = format!("fine-{number}");
        door.ok = door.offered.clone();
        series.doors.insert(0, door);
    }
    let text = timeline(&many, QUIET).join("\n");
    assert!(text.contains("edge: 97.3%") && text.contains("admin: 84.6%"), "{text}");
    assert!(text.contains("and 3 doors that did better"), "{text}");
}

#[test]
fn hostile_names_do_no_harm_to_a_terminal() {
    let one = document("base", vec![hostile().seeds[1].clone()]);
    for text in [render(&hostile(), QUIET), render(&one, QUIET), timeline(&one.seeds[0], QUIET).join("\n")] {
        assert_harmless(&text);
        for line in text.lines().filter(|line| !line.starts_with("Replay: ") && !line.contains("seeds, on")) {
            assert!(line.chars().count() <= 80 || line.starts_with("FAIL "), "{line}");
        }
    }
}
