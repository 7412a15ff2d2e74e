//! What people find in a page.

use super::fixture;
use super::{File, PAGE_BYTES, site};
use crate::results::{BookError, Expected, Results, SeedResult};
use crate::verdict::Verdict;

fn files(all: &[Results]) -> Vec<File> {
    site(all).expect("drawn")
}

fn text(files: &[File], path: &str) -> String {
    let file = files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(file.bytes.clone()).expect("text")
}

fn page(all: &[Results]) -> String {
    text(&files(all), "index.html")
}

/// What stands between two marks, wherever it does.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Vec<&'a str> {
    let parts = text.split(begin).skip(1);
    parts.map(|part| part.split_once(end).map_or(part, |(inside, _)| inside)).collect()
}

/// The words of a page, without its tags.
fn words(page: &str) -> String {
    let body = page.split_once("<body>").map_or(page, |(_, body)| body);
    let mut out = String::new();
    for part in body.split('<') {
        out.push_str(part.split_once('>').map_or(part, |(_, words)| words));
        out.push(' ');
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Writes fixtures as documents into the folder `FIXTURES`, to be looked at with `beaufort report`.
#[test]
#[ignore = "writes files"]
fn write_fixtures() {
    let folder = std::path::PathBuf::from(std::env::var("FIXTURES").expect("FIXTURES is a folder"));
    let all = [
        ("run", fixture::run()),
        ("sweep", fixture::sweep(20)),
        ("thousand", fixture::sweep(1000)),
        ("hostile", hostile()),
    ];
    for (name, results) in all {
        let text = results.to_json().expect("prints");
        std::fs::write(folder.join(format!("{name}.json")), text).expect("written");
    }
}

#[test]
fn the_page_says_what_came_out_and_how_to_see_it_again() {
    let page = page(&[fixture::run()]);
    for part in [
        "<p class=\"verdict\">FAIL</p>",
        "<code class=\"command\">beaufort run scenarios/order-flow.yaml --variant ack-first --seed 3</code>",
        "charged-once is violated: 12 lost of 96,000 items",
        "<code>f6906d691e8508387373a0aa1fd0dc3b</code>",
    ] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn every_item_that_the_document_carries_is_there_in_order() {
    let page = page(&[fixture::sweep(5)]);
    let titles: Vec<&str> = between(&page, "<h3 id=\"d1-", "</h3>")
        .iter()
        .filter_map(|part| Some(part.split_once('>')?.1))
        .collect();
    let expected = [
        "Objectives",
        "Contracts",
        "Recovery",
        "Availability",
        "Topology",
        "Faults and health",
        "Success over time",
        "Error budget",
        "Latency",
        "Throughput and retries",
        "Backlogs",
        "Deliveries",
        "Order and repetition",
        "Replication",
        "Runs",
        "Limits and signs of trouble",
        "Blast radius",
        "Seeds",
        "The story of an item that failed",
        "Step through the run",
        "Appendix",
    ];
    assert_eq!(titles, expected);
}

#[test]
fn the_numbers_that_matter_are_told() {
    let words = words(&page(&[fixture::run()]));
    for part in [
        "available Objective 99.5 % Achieved 98.99 % Budget left -103 %",
        "charged-once fail exactly-once orders",
        "orders 4711 at 5 min 12.6 s",
        "zone-lost pass edge below 90s 5 min 962 100 ms 20 s 2 min 3 min 69.8 s 10,216 13 min",
        "Door edge : predicted",
        "zone-lost zone.down westeurope/1 5 min to 10 min 2,028 13,247 1 of 1 20 s",
        "while a fault is active",
        "Nodes: the share of the time in which not all processes were down",
        "Item orders 4711 (key 17) of seed 3 violates charged-once: lost at ledger : no copy is left.",
        "5 min 25.200 s payment-worker#1 crashed in the middle of the run [worker-crashes]",
        "zone-lost: { zone.down: westeurope/1, at: 5m, for: 5m }",
    ] {
        assert!(words.contains(part), "{part}\n{words}");
    }
    let results = fixture::run();
    let flow = &results.seeds[0].ledger.flows[0];
    let sum = format!("orders : {} offered = ", crate::words::grouped(flow.offered));
    assert!(words.contains(&sum), "{sum}");
}

#[test]
fn the_limits_are_told_by_their_share_and_the_first_that_was_reached() {
    let files = files(&[fixture::run()]);
    let told = words(&text(&files, "index.html"));
    for part in [
        "Which limit was reached first, and who had trouble of which kind?",
        "Reached first: concurrent runs of payment-worker (16 runs), at 5 min; for 6.7 min in all.",
        "How near to its limits each node came CSV Node Limit Highest use Of Share At \
         Reached first For payment-worker concurrent runs 16 16 runs 100 % 5 min 5 min 6.7 min",
        "bus ingress 5,242,880 4,194,304 bytes in 1s 125 % 13 min 13 min 2 min",
        "edge rate limit 2,953 6,000 calls in 1m 49.21 % -1 min",
        "payment-worker: concurrent runs at most 100 %, at 5 min; bus: ingress at most 125 %, at 13 min; ",
        "Signs of trouble, node by node",
    ] {
        assert!(told.contains(part), "{part}\n{told}");
    }
    let table = files.iter().find(|file| file.path.ends_with("-limits.csv")).map(|file| file.path.clone());
    let table = text(&files, &table.expect("a table"));
    let rows: Vec<&str> = table.lines().collect();
    assert_eq!(
        rows[0],
        "node,limit,highest_use,most,unit,share,mean_share,at_s,reached_first_s,time_at_limit_s"
    );
    assert!(rows[2].starts_with("bus,ingress,5242880,4194304,bytes in 1s,1.25,0.5"), "{table}");
    assert!(rows[4].starts_with("edge,rate limit,2952.6,6000,calls in 1m,0.4921,0.3"), "{table}");
    assert!(rows[4].ends_with(",,"), "it was never reached: {table}");
    let shares =
        files.iter().find(|file| file.path.ends_with("-limit-shares.csv")).map(|file| file.path.clone());
    let shares = text(&files, &shares.expect("the numbers of the plot"));
    assert!(shares.starts_with("from_s,payment-worker: concurrent runs,bus: ingress,"), "{shares}");
    assert!(shares.contains("\n780,0.25,1.25,0.4921\n"), "{shares}");
}

#[test]
fn without_a_look_at_the_limits_the_signs_are_still_there() {
    let mut old = fixture::run();
    let series = old.seeds[0].series.as_mut().expect("series");
    series.limits.clear();
    let told = words(&page(&[old.clone()]));
    assert!(told.contains("The document does not say how near to its limits each node came"), "{told}");
    assert!(told.contains("Signs of trouble, node by node"), "{told}");
    old.seeds[0].series.as_mut().expect("series").signs.clear();
    let told = words(&page(&[old]));
    assert!(told.contains("Limits and signs of trouble: no node showed a sign of trouble"), "{told}");
}

#[test]
fn books_that_do_not_add_up_are_told() {
    let mut results = fixture::run();
    results.seeds[0].ledger.flows[0].accepted -= 1;
    results.seeds[0].ledger.places[0].held -= 1;
    let words = words(&page(&[results]));
    assert!(words.contains("the books do not balance"), "{words}");
    assert!(words.contains("psp.charge") && words.contains(" no "), "{words}");
}

#[test]
fn an_error_names_the_book_and_doubts_are_listed() {
    let mut results = fixture::run();
    let seed = &mut results.seeds[0];
    let message = "1 vanished".to_owned();
    seed.errors = vec![BookError { book: "copies".into(), subject: "ledger".into(), message }];
    seed.doubts = vec!["fault `lag` struck, but nobody noticed".into()];
    (seed.verdict, results.verdict) = (Verdict::Error, Verdict::Error);
    let words = words(&page(&[results]));
    assert!(words.contains("This is a defect of Beaufort itself"), "{words}");
    assert!(words.contains("In the book of copies, ledger : 1 vanished"), "{words}");
    assert!(words.contains("fault `lag` struck, but nobody noticed"), "{words}");
}

#[test]
fn an_old_document_says_what_is_not_shown_and_why() {
    let mut old = fixture::run();
    old.design = None;
    old.seeds[0].series = None;
    let page = page(&[old]);
    let told = words(&page);
    for title in
        ["Success over time", "Error budget", "Latency", "Backlogs", "Replication", "Runs", "Blast radius"]
    {
        let part =
            format!("{title}: the document has no series over time; a run by this version writes them.");
        assert!(told.contains(&part), "{part}\n{told}");
    }
    assert!(told.contains("The document does not hold the text of the scenario."));
    assert!(
        !page.contains("<svg class=\"wide\" role=\"img\" aria-labelledby=\"p2-"),
        "only the flow picture is left"
    );
}

#[test]
fn a_document_without_anything_is_drawn() {
    for seeds in [vec![], vec![SeedResult::default()]] {
        let told = words(&page(&[Results { scenario: "x".into(), seeds, ..Results::default() }]));
        assert!(told.contains("The document says nothing about why."), "{told}");
        assert!(told.contains("What is not shown"), "{told}");
    }
    assert!(words(&page(&[])).contains("Nothing was run"));
}

#[test]
fn the_page_needs_nothing_but_itself() {
    for results in [fixture::run(), fixture::sweep(3), hostile()] {
        let page = page(&[results]);
        // What it leads to are its own places and its own files.
        for link in between(&page, "href=\"", "\"") {
            let own = link.starts_with('#') || link.starts_with("plots/") || link.starts_with("tables/");
            assert!(own, "{link}");
        }
        for foreign in ["<link", "<img", "<iframe", "@import", "src=\"", "<object"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        assert_eq!(page.matches("<script").count(), 2, "the explorer's data and its code");
        let sources = between(&page, "url(", ")");
        assert!(sources.iter().all(|source| source.starts_with('#')), "{sources:?}");
    }
}

#[test]
fn files_that_are_named_exist_and_the_others_are_named() {
    let files = files(&[fixture::sweep(3), Results { variant: "base".into(), ..fixture::run() }]);
    let page = text(&files, "index.html");
    let mut named: Vec<&str> = between(&page, "href=\"", "\"");
    named.retain(|link| !link.starts_with('#'));
    named.sort_unstable();
    named.dedup();
    let mut paths: Vec<&str> =
        files.iter().map(|file| file.path.as_str()).filter(|path| *path != "index.html").collect();
    paths.sort_unstable();
    assert_eq!(named, paths);
    assert!(
        paths.iter().any(|path| path.starts_with("plots/") && path.contains("-base-success-edge.svg")),
        "{paths:?}"
    );
}

#[test]
fn addresses_are_unique_and_links_lead_somewhere() {
    let page = page(&[fixture::sweep(3), fixture::run()]);
    // What the explorer's code holds is no address.
    let page = page
        .split("<script>")
        .map(|part| part.rsplit("</script>").next().unwrap_or(part))
        .collect::<String>();
    let mut ids = between(&page, " id=\"", "\"");
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    // The patterns of the explorers are alike.
    let twice = all - ids.len();
    assert!(twice <= 2, "{twice} addresses occur twice");
    for link in between(&page, "href=\"#", "\"").into_iter().chain(between(&page, "aria-labelledby=\"", "\""))
    {
        for part in link.split(' ') {
            assert!(ids.binary_search(&part).is_ok(), "{part} leads nowhere");
        }
    }
}

#[test]
fn headings_follow_each_other_and_pictures_have_words() {
    let page = page(&[fixture::sweep(3), fixture::run()]);
    let after = page.split("<h").skip(1);
    let levels: Vec<u32> = after.filter_map(|rest| rest.chars().next()?.to_digit(10)).collect();
    assert_eq!(levels.first(), Some(&1));
    for pair in levels.windows(2) {
        assert!(pair[1] <= pair[0] + 1, "h{} after h{}", pair[1], pair[0]);
    }
    assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
    let pictures =
        page.matches("<svg class=\"wide\"").count() + page.matches("<svg class=\"narrow\"").count();
    assert!(pictures > 40, "{pictures}");
    assert_eq!(page.matches("role=\"img\" aria-labelledby").count(), pictures);
    let descriptions: Vec<&str> = between(&page, "<desc id=\"", "</desc>")
        .iter()
        .filter_map(|part| Some(part.split_once('>')?.1))
        .collect();
    assert_eq!(descriptions.len(), pictures);
    assert!(descriptions.iter().all(|desc| desc.len() > 8 && desc.ends_with('.')), "{descriptions:?}");
    assert_eq!(page.matches("<table>").count(), page.matches("<caption>").count());
    assert_eq!(
        page.matches("<th").count() - page.matches("<thead").count(),
        page.matches("scope=\"").count()
    );
    assert!(page.contains("<a class=\"skip\" href=\"#main\">"));
}

#[test]
fn pictures_are_well_formed_and_have_plain_colours_as_files() {
    let files = files(&[fixture::sweep(30), hostile()]);
    for file in files.iter().filter(|file| file.path.ends_with(".svg")) {
        let svg = String::from_utf8(file.bytes.clone()).expect("text");
        uppsala::parse(&svg).unwrap_or_else(|error| panic!("{}: {error}", file.path));
        assert!(!svg.contains("var(--") && !svg.contains("#FE"), "{}", file.path);
        for foreign in ["<script", "<foreignObject", "<image", "<a ", "<use", "<animate", "<set", "href="] {
            assert!(!svg.contains(foreign), "{foreign} in {}", file.path);
        }
    }
}

#[test]
fn series_that_are_too_short_or_odd_are_drawn_as_far_as_they_go() {
    let mut odd = fixture::run();
    let seed = &mut odd.seeds[0];
    seed.faults[0].windows = vec![[600.0, 300.0], [1e12, 1e13], [-1e9, -1e8]];
    let series = seed.series.as_mut().expect("series");
    series.doors[0].ok.truncate(3);
    series.doors[0].latency[0] = vec![(u16::MAX, 7)];
    series.places[0].came.clear();
    series.calls[0].retries.truncate(1);
    series.signs[0].count.push(9);
    series.runs[0].done.clear();
    series.lanes[0].spans.reverse();
    series.lanes[0].node = "nobody".into();
    series.limits[0].share.truncate(2);
    series.limits[1].share.push(7.0);
    (series.limits[2].peak, series.limits[2].most) = (f64::MAX, 0.0);
    let told = words(&page(&[odd.clone()]));
    assert!(told.contains("Latency of success at edge") && told.contains("Copies: born"), "{told}");
    odd.seeds[0].series.as_mut().expect("series").bins = u32::MAX;
    assert!(words(&page(&[odd])).contains("Latency: the document has no series over time"));
}

/// A document whose every name is out to do harm.
fn hostile() -> Results {
    let bad = "<script>alert(1)</script>\"'&\u{202e}\0\u{7}]]>=cmd|'x'!A1 שלום";
    let mut text = fixture::run().to_json().expect("prints");
    let names = [
        "order-flow",
        "ack-first",
        "edge",
        "orders",
        "zone-lost",
        "zone.down",
        "charged-once",
        "available",
        "payment-commands",
        "orders-api",
        "throttled",
        "lost",
        "power-lost",
        "scenarios/order-flow.yaml",
        "availability edge",
        "offered to edge",
    ];
    let quoted = serde_json::to_string(bad).expect("prints");
    let inner = quoted.trim_matches('"');
    for name in names {
        text = text.replace(&format!("\"{name}\""), &format!("\"{inner}{name}\""));
    }
    // Keys of the document are no names of anybody.
    for key in ["offered", "lost"] {
        text = text.replace(&format!("\"{inner}{key}\":"), &format!("\"{key}\":"));
    }
    text = text.replace("scenario: order-flow", &format!("scenario: {inner}"));
    Results::from_json(&text).expect("read")
}

#[test]
fn hostile_names_do_no_harm() {
    let files = files(&[hostile()]);
    for file in &files {
        let text = String::from_utf8(file.bytes.clone()).expect("text");
        let odd = text.chars().find(|letter| letter.is_control() && *letter != '\n' || *letter == '\u{202e}');
        assert_eq!(odd, None, "{}", file.path);
        let plain = file.path.chars().all(|letter| letter.is_ascii_alphanumeric() || "-./".contains(letter));
        assert!(plain && !file.path.contains(".."), "{}", file.path);
        if file.path.ends_with(".csv") {
            for record in csv::Reader::from_reader(text.as_bytes()).records() {
                let record = record.expect("a record");
                assert!(record.iter().all(|field| !field.starts_with(['=', '+', '@'])), "{record:?}");
            }
        } else {
            assert!(!text.contains("<script>alert") && !text.contains("alert(1)</"), "{}", file.path);
        }
    }
    let page = text(&files, "index.html");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "it is shown as it is written");
    assert!(page.contains("⟨U+202E⟩⟨U+0000⟩⟨U+0007⟩]]&gt;=cmd|"), "what is hidden is written out");
}

#[test]
fn several_variants_are_seen_at_a_glance_with_what_was_expected() {
    let expected = |differences: &[&str]| {
        let differences = differences.iter().map(|difference| (*difference).to_owned()).collect();
        Some(Expected { wanted: "fail: charged-once, because it is lost".into(), differences })
    };
    let met = Results { expected: expected(&[]), ..fixture::run() };
    let missed = Results { variant: "base".into(), expected: expected(&["it passes"]), ..fixture::run() };
    let told = words(&page(&[met, missed]));
    for part in [
        "Report on order-flow, 2 variants Variants CSV Variant Verdict Seeds Why As expected \
         ack-first fail 1 charged-once is violated: 12 lost of 96,000 items yes \
         base fail 1 charged-once is violated: 12 lost of 96,000 items no: it passes",
        "As expected: fail: charged-once, because it is lost.",
        "Not as expected. Expected: fail: charged-once, because it is lost. it passes",
    ] {
        assert!(told.contains(part), "{part}");
    }
}

#[test]
fn the_same_document_gives_the_same_bytes() {
    let all = [fixture::sweep(4), fixture::run()];
    assert_eq!(files(&all), files(&all));
}

#[test]
fn a_thousand_seeds_are_bounded_in_the_page_and_whole_in_a_file() {
    let files = files(&[fixture::sweep(1000)]);
    let page = text(&files, "index.html");
    assert!(page.len() < PAGE_BYTES / 2, "{}", page.len());
    assert_eq!(page.matches("<code>beaufort run ").count(), 5);
    let all = files.iter().find(|file| file.path.ends_with("-seeds.csv") && !file.path.contains("worst"));
    let rows = all.map(|file| file.bytes.iter().filter(|byte| **byte == b'\n').count());
    assert_eq!(rows, Some(1001));
}

#[test]
fn many_documents_give_up_details_not_the_bound() {
    let all: Vec<Results> =
        (0..24).map(|number| Results { variant: format!("variant-{number}"), ..fixture::run() }).collect();
    let files = files(&all);
    let page = text(&files, "index.html");
    assert!(page.len() < PAGE_BYTES, "{}", page.len());
    let told = words(&page);
    assert!(told.contains("order-flow / variant-23 : fail"), "{}", &told[..2000]);
    assert!(
        told.contains(
            "Step through the run: with all that is reported together, the page would be too large"
        )
    );
    assert!(files.iter().filter(|file| file.path.ends_with(".svg")).count() > 24 * 15);
}
