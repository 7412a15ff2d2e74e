//! The Markdown summary, as a reader of Markdown takes it.

use beaufort_reports::ci::{SUMMARY_BYTES, summary};
use beaufort_reports::{Expected, Results, Verdict};
use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::assert_harmless;
use crate::fixture::{document, failing, hostile, not_better, one_of_each};

/// What a reader of the Markdown sees of it.
#[derive(Debug, Default)]
struct Page {
    headings: Vec<String>,
    /// The rows of the only table, with the head.
    rows: Vec<Vec<String>>,
    items: Vec<String>,
    /// The language and the text of each block of code.
    blocks: Vec<(String, String)>,
    /// What is passed on as HTML.
    html: String,
    links: usize,
    /// Everything that is text.
    text: String,
}

fn parse(markdown: &str) -> Page {
    let mut page = Page::default();
    let mut open: Vec<String> = Vec::new();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                assert_eq!(level, HeadingLevel::H2);
                open.push(String::new());
            }
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = if let CodeBlockKind::Fenced(language) = kind {
                    language.to_string()
                } else {
                    String::new()
                };
                page.blocks.push((language, String::new()));
                open.push(String::new());
            }
            Event::Start(Tag::TableHead | Tag::TableRow) => page.rows.push(Vec::new()),
            Event::Start(Tag::TableCell | Tag::Item) => open.push(String::new()),
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) => page.links += 1,
            Event::End(TagEnd::Heading(_)) => page.headings.push(open.pop().unwrap()),
            Event::End(TagEnd::CodeBlock) => page.blocks.last_mut().unwrap().1 = open.pop().unwrap(),
            Event::End(TagEnd::TableCell) => page.rows.last_mut().unwrap().push(open.pop().unwrap()),
            Event::End(TagEnd::Item) => page.items.push(open.pop().unwrap().trim().to_owned()),
            Event::Text(text) | Event::Code(text) => {
                page.text.push_str(&text);
                if let Some(open) = open.last_mut() {
                    open.push_str(&text);
                }
            }
            Event::Html(html) | Event::InlineHtml(html) => page.html.push_str(&html),
            _ => {}
        }
    }
    page
}

#[test]
fn the_verdict_comes_first_then_a_table_the_worst_first() {
    let text = summary(&one_of_each());
    let page = parse(&text);
    assert_eq!(page.headings, ["Beaufort: ERROR"]);
    assert!(
        text.contains("5 designs on 7 seeds: 1 error, 1 fail, 1 inconclusive, 1 degraded, 1 pass."),
        "{text}"
    );
    assert_eq!(page.rows[0], ["scenario", "verdict", "worst margin", "seeds", "run again"]);
    let order: Vec<&str> = page.rows[1..].iter().map(|row| row[0].as_str()).collect();
    let expected = [
        "order-flow/leaky",
        "order-flow/ack-first",
        "order-flow/no-traffic",
        "order-flow/slow",
        "order-flow",
    ];
    assert_eq!(order, expected);
    let again = "beaufort run order-flow --variant ack-first --seed 2";
    assert_eq!(page.rows[2][1..], ["fail", "-233% zone-recovery", "2 of 3", again]);
    assert_eq!(page.rows[4][1..3], ["degraded", "-40% available"]);
}

#[test]
fn only_failures_are_told_with_the_way_of_the_item_the_timeline_and_the_command() {
    let page = parse(&summary(&one_of_each()));
    assert_eq!(page.html.matches("<details>").count(), 3);
    assert_eq!(page.html.matches("</details>").count(), 3);
    assert!(page.html.contains("<summary>FAIL order-flow/ack-first: 2 of 3 seeds; seed 2:"), "{}", page.html);
    assert!(!page.html.contains("order-flow/slow"), "{}", page.html);
    let lost = "contract charged-once: violated on 2 of 3 seeds: 24 lost of 179,748 items (seeds 2, 3) \
        (scenarios/order-flow.yaml:212)";
    assert!(page.items.iter().any(|item| item.starts_with(lost)), "{:#?}", page.items);
    let doubt = "fault zone-lost: struck, but was not felt (scenarios/order-flow.yaml:180)";
    assert!(page.items.iter().any(|item| item == doubt), "{:#?}", page.items);
    let languages: Vec<&str> = page.blocks.iter().map(|(language, _)| language.as_str()).collect();
    // The error: a command. The failure: a story, a timeline, a command. The doubt: a command.
    assert_eq!(languages, ["sh", "text", "text", "sh", "sh"]);
    assert!(page.blocks[1].1.contains("12m05.200s  payment-worker#1  crashed"), "{:#?}", page.blocks);
    assert!(page.blocks[2].1.contains("█▆▁▃█"), "{:#?}", page.blocks);
    assert_eq!(page.blocks[3].1, "beaufort run order-flow --variant ack-first --seed 2\n");
}

#[test]
fn a_failure_reads_like_this() {
    insta::assert_snapshot!(summary(&[failing()]));
}

#[test]
fn what_is_as_expected_has_no_section() {
    let expected = Some(Expected { wanted: "fail: charged-once".into(), differences: vec![] });
    let text = summary(&[Results { expected, ..failing() }]);
    let page = parse(&text);
    assert_eq!(page.headings, ["Beaufort: PASS"]);
    assert_eq!((page.rows[1][1].as_str(), page.html.as_str()), ("fail, as expected", ""));
}

#[test]
fn nothing_and_no_seed_are_told_as_such() {
    assert_eq!(parse(&summary(&[])).headings, ["Beaufort: nothing was run"]);
    let page = parse(&summary(&[document("base", vec![])]));
    assert_eq!(page.rows[1][1..], ["inconclusive", "", "none", ""]);
    assert!(page.html.contains("no seed finished"), "{}", page.html);
}

#[test]
fn it_is_never_too_long_and_says_what_was_left_out() {
    let many: Vec<Results> =
        (0..2_000).map(|number| Results { variant: format!("variant-{number}"), ..failing() }).collect();
    let text = summary(&many);
    assert!(text.len() <= SUMMARY_BYTES, "{}", text.len());
    let page = parse(&text);
    let sections = page.html.matches("<details>").count();
    assert_eq!(page.html.matches("</details>").count(), sections);
    let rows = page.rows.len() - 1;
    assert!(rows > 100 && sections > 30, "{rows} rows, {sections} sections");
    let left = |all: usize, thing: &str| {
        let number = all.to_string();
        format!("{},{} more {thing}", &number[..1], &number[1..])
    };
    assert!(page.text.contains(&left(2_000 - rows, "designs left out of the table")), "{rows} rows");
    assert!(page.text.contains(&left(2_000 - sections, "failures were left out")), "{sections} sections");
}

#[test]
fn a_comparison_that_does_not_hold_is_told() {
    let text = summary(&[not_better(Verdict::Fail)]);
    assert!(text.starts_with("## Beaufort: FAIL"), "{text}");
    assert!(
        text.contains("<summary>FAIL order-flow: does not hold: recovery-time zone-lost of base"),
        "{text}"
    );
    assert!(text.contains("beaufort sweep order-flow --variant base --variant by-hand --seeds 1"), "{text}");
    assert!(text.contains("comparison `quicker`: does not hold: recovery-time zone-lost"), "{text}");
    assert!(text.contains("(`scenarios/order-flow.yaml:240`)"), "{text}");
}

#[test]
fn hostile_names_are_text_and_nothing_else() {
    let worse = Results { verdict: Verdict::Fail, ..hostile() };
    let text = summary(&[worse, hostile(), failing()]);
    assert_harmless(&text);
    let page = parse(&text);
    assert_eq!(page.links, 0, "{text}");
    assert_eq!(page.html.matches("<details>").count(), 3);
    let comments = page.html.replace("<!-- -->", "");
    let known = ["<details>", "</details>", "<summary>", "</summary>"];
    let rest = known.iter().fold(comments, |rest, tag| rest.replace(tag, ""));
    assert!(!rest.contains('<'), "other tags in {rest}");
    assert_eq!(page.rows.len(), 4);
    assert!(page.rows.iter().all(|row| row.len() == 5), "{:#?}", page.rows);
    assert!(page.rows[1][0].starts_with("שלום<script>alert(\"1\")</script>&amp;'|`"), "{:?}", page.rows[1]);
}
