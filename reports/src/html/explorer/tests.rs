//! The explorer and its pictures, from a small run: tests/browser/fixture.json, which the browser test drives.

use proptest::prelude::*;

use crate::design::{Design, DesignEdge, DesignNode, Role};
use crate::results::{Results, SeedResult, Step, Violation};
use crate::trace::{Trace, Traffic};

use super::fragment::busiest;
use super::graph::{Edge, Graph};
use super::layout::Rect;
use super::picture::{Detail, Picture};
use super::{fragment, plain, story_diagram, topology};

const COMMAND: &str = "beaufort run payments --seed 7";

fn results() -> Results {
    let text = include_str!("../../../../tests/browser/fixture.json");
    Results::from_json(text).expect("the fixture is a results document")
}

fn parts(results: &Results) -> (&Design, &SeedResult, &Trace) {
    let seed = &results.seeds[0];
    (results.design.as_ref().expect("a design"), seed, seed.trace.as_ref().expect("a trace"))
}

/// The data that a fragment carries.
fn data(fragment: &str) -> serde_json::Value {
    let (_, rest) = fragment.split_once("<script type=\"application/json\">").expect("data");
    let (json, _) = rest.split_once("</script>").expect("its end");
    serde_json::from_str(json).expect("is JSON")
}

/// The contents of elements of a class, without the elements in them.
fn texts(svg: &str, class: &str) -> Vec<String> {
    let start = format!("class=\"{class}\"");
    let after = svg.split(&start).skip(1).filter_map(|rest| rest.split_once('>'));
    after.map(|(_, rest)| rest.split('<').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_fragment_carries_the_whole_trace_and_what_happened_to_the_nodes() {
    let results = results();
    let (design, seed, trace) = parts(&results);
    let fragment = fragment(trace, Some(design), seed, COMMAND).expect("prints");
    let data = data(&fragment);
    assert_eq!(data["itemsAll"], 54_012);
    assert_eq!(data["items"].as_array().map(Vec::len), Some(trace.items.len()));
    let all: u64 = data["activity"].as_array().into_iter().flatten().map(|row| sum(&row["count"])).sum();
    assert_eq!(all, trace.events_all, "no event is left out");
    assert_eq!(data["faults"][0]["name"], "zone-lost");
    assert_eq!(data["faults"][0]["windows"], serde_json::json!([[120.0, 240.0]]));
    assert_eq!(data["faults"][3]["name"], "cable-cut", "a fault that touched no item is shown too");
    let api = trace.nodes.iter().position(|name| name == "orders-api").expect("a node");
    assert_eq!(data["sizes"][api], 3);
    assert_eq!(
        data["lanes"][0],
        serde_json::json!({
            "node": api, "name": "orders-api#0", "kind": "process", "spans": [[120.0, 240.0, "power-lost"]]
        })
    );
    assert_eq!(data["command"], COMMAND);
}

/// The sum of the numbers of a series.
fn sum(series: &serde_json::Value) -> u64 {
    series.as_array().into_iter().flatten().filter_map(serde_json::Value::as_u64).sum()
}

#[test]
fn the_data_tell_flows_and_faults_apart() {
    let results = results();
    let (design, seed, trace) = parts(&results);
    let data = data(&fragment(trace, Some(design), seed, COMMAND).expect("prints"));
    assert_eq!(data["apart"], true);
    let worker = trace.nodes.iter().position(|name| name == "worker").expect("a node");
    let all = data["activity"].as_array().expect("rows");
    let rows: Vec<_> = all.iter().filter(|row| row["node"] == worker).collect();
    assert_eq!(rows.iter().map(|row| &row["flow"]).collect::<Vec<_>>(), [0, 1]);
    let by: Vec<_> = rows[0]["by"].as_array().into_iter().flatten().map(|by| &by["fault"]).collect();
    assert_eq!(by, [1, 2], "worker-crashes and psp-slow touched orders there");
    let each: u64 = rows[0]["by"].as_array().into_iter().flatten().map(|by| sum(&by["count"])).sum();
    let touched = sum(&rows[0]["touched"]);
    assert!(touched > 0 && touched < each, "{touched} of {each}: what both touched counts once");
}

#[test]
fn a_connection_has_room_for_the_most_messages_of_all_flows_together() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let row = |flow, count: &[u32]| Traffic { to: 1, flow, count: count.to_vec(), ..Traffic::default() };
    let widest = |traffic: Vec<Traffic>| {
        let trace = Trace { nodes: names(&["a", "b"]), traffic, ..Trace::default() };
        let edge = Edge { from: 0, to: 1, used: None, shows: vec![(0, 1)] };
        busiest(&edge, &trace, &|index| Some(index))
    };
    assert_eq!(widest(vec![row(0, &[700, 0, 1]), row(1, &[5, 800, 900])]), "901");
    assert_eq!(widest(vec![row(0, &[700]), row(1, &[5_000])]), "5,700");
    assert_eq!(widest(Vec::new()), "0");
}

#[test]
fn an_older_trace_is_read_and_counts_all_flows() {
    let old = r#"{"start":0,"step":1,"bins":2,"nodes":["a","b"],"processes":[],"flows":["x","y"],"faults":["f"],
        "words":[],"activity":[{"node":1,"count":[4,5],"touched":[0,3]}],
        "traffic":[{"from":0,"to":1,"count":[2,2]}],"items_all":2,"events_all":9,"items":[]}"#;
    let trace: Trace = serde_json::from_str(old).expect("an older trace");
    assert!(!trace.apart);
    assert_eq!((trace.activity[0].touched.as_slice(), trace.activity[0].by.len()), (&[0, 3][..], 0));
    let data = data(&fragment(&trace, None, &SeedResult::default(), COMMAND).expect("prints"));
    assert_eq!(data["apart"], false);
    assert_eq!(sum(&data["activity"][0]["count"]), 9);
}

#[test]
fn the_fragment_needs_nothing_from_outside_and_is_small() {
    let results = results();
    let (design, seed, trace) = parts(&results);
    let empty = Trace { bins: 1, step: 1.0, ..Trace::default() };
    let code = fragment(&empty, None, &SeedResult::default(), "").expect("prints");
    assert!(code.len() < 60_000, "{} bytes of code and style", code.len());
    let whole = fragment(trace, Some(design), seed, COMMAND).expect("prints");
    for outside in ["src=", "href=", "@import", "url(h", "fetch(", "innerHTML", "eval("] {
        assert!(!whole.contains(outside), "{outside}");
    }
    assert_eq!(whole, fragment(trace, Some(design), seed, COMMAND).expect("prints"));
}

#[test]
fn a_trace_without_a_design_is_shown_with_the_nodes_that_it_knows() {
    let results = results();
    let (_, _, trace) = parts(&results);
    let fragment = fragment(trace, None, &SeedResult::default(), COMMAND).expect("prints");
    for node in ["shoppers", "orders-db", "ledger"] {
        assert!(texts(&fragment, "name").contains(&node.to_owned()), "{node}");
    }
}

const HOSTILE: &str = "</script><!--<img src=x onerror=\"a\" b='c'>\u{202e}\u{0}\u{2028}&";

fn hostile() -> Results {
    let mut results = results();
    let seed = &mut results.seeds[0];
    let trace = seed.trace.as_mut().expect("a trace");
    let design = results.design.as_mut().expect("a design");
    design.nodes[1].name = HOSTILE.to_owned();
    design.nodes[1].kind = HOSTILE.to_owned();
    design.nodes[1].sites = vec![HOSTILE.to_owned()];
    trace.nodes[1] = HOSTILE.to_owned();
    trace.processes[1].0 = HOSTILE.to_owned();
    trace.flows[0] = HOSTILE.to_owned();
    trace.faults[0] = HOSTILE.to_owned();
    trace.words[0] = HOSTILE.to_owned();
    trace.items[0].name = HOSTILE.to_owned();
    trace.items[0].violates = HOSTILE.to_owned();
    seed.faults[0].name = HOSTILE.to_owned();
    seed.faults[0].target = HOSTILE.to_owned();
    let violation = &mut seed.contracts[0].violations[0];
    violation.item = HOSTILE.to_owned();
    violation.reason = HOSTILE.to_owned();
    violation.detail = HOSTILE.to_owned();
    violation.story[0].node = HOSTILE.to_owned();
    violation.story[1].what = HOSTILE.to_owned();
    violation.story[2].faults = vec![HOSTILE.to_owned()];
    results
}

#[test]
fn hostile_names_stay_names_in_every_part() {
    let results = hostile();
    let (design, seed, trace) = parts(&results);
    let story = story_diagram(&seed.contracts[0].violations[0], &seed.faults).expect("a story");
    let fragment = fragment(trace, Some(design), seed, HOSTILE).expect("prints");
    assert_eq!(data(&fragment)["nodes"][1], data(&fragment)["flows"][0], "the same name everywhere");
    uppsala::parse(&story).expect("the story is well-formed");
    uppsala::parse(&topology(design, Some(seed))).expect("the topology is well-formed");
    for (part, closing) in [(fragment.as_str(), 2), (&topology(design, Some(seed)), 0), (&story, 0)] {
        assert_eq!(part.matches("</script>").count(), closing);
        assert!(!part.contains("<img") && !part.contains("<!--"), "nothing becomes an element");
        let invisible = |c: char| matches!(c, '\u{202e}' | '\u{0}' | '\u{2028}');
        assert_eq!(part.chars().find(|c| invisible(*c)), None);
    }
}

#[test]
fn the_topology_tells_how_well_each_node_was() {
    let results = results();
    let (design, seed, _) = parts(&results);
    let picture = topology(design, Some(seed));
    assert!(picture.contains("<title>orders-api (container-app, 3 processes); at worst power lost; not well 21 % of the time</title>"));
    assert!(picture.contains("<title>shoppers \u{2192} edge: used 5,400 times by items</title>"));
    assert!(picture.contains("<title>on-call \u{2192} worker: no item used it</title>"));
    let statuses = texts(&picture, "status");
    for status in ["power lost 21 %", "crashed 0.8 %", "breaker open 5.2 %", "well"] {
        assert!(statuses.contains(&status.to_owned()), "{status} in {statuses:?}");
    }
    assert_eq!(texts(&picture, "caption"), ["westeurope", "northeurope"]);
    assert_eq!(texts(&picture, "key")[..3], ["load", "gateway", "app"]);
    let bare = topology(design, None);
    assert!(texts(&bare, "status").iter().all(String::is_empty), "without a seed nothing is claimed");
    assert_eq!(picture, topology(design, Some(seed)));
}

#[test]
fn a_picture_as_a_file_knows_no_variables() {
    let results = results();
    let (design, seed, _) = parts(&results);
    let story = story_diagram(&seed.contracts[0].violations[0], &seed.faults).expect("a story");
    for picture in [topology(design, Some(seed)), story] {
        let file = plain(&picture);
        assert!(!file.contains("var(") && !file.contains("--t-"), "{file}");
        assert!(file.contains("stroke:#1c2128") && !file.contains("prefers-color-scheme"));
        uppsala::parse(&file).expect("is well-formed");
    }
}

#[test]
fn a_push_is_drawn_from_the_part_that_pushes() {
    let node = |name: &str, of: Option<&str>| DesignNode {
        name: name.to_owned(),
        of: of.map(str::to_owned),
        ..DesignNode::default()
    };
    let edge = |from: &str, to: &str, used| DesignEdge { from: from.to_owned(), to: to.to_owned(), used };
    let design = Design {
        nodes: vec![node("topic", None), node("to-stock", Some("topic")), node("stock", None)],
        edges: vec![edge("topic", "stock", 40), edge("to-stock", "stock", 0)],
        ..Design::default()
    };
    let graph = Graph::new(Some(&design), None);
    assert_eq!(graph.edges.len(), 1);
    assert_eq!((graph.edges[0].from, graph.edges[0].used), (1, Some(40)));
    assert_eq!(graph.edges[0].shows, [(1, 2), (0, 2)]);
}

#[test]
fn the_story_has_a_column_for_each_node_a_row_for_each_step_and_an_end() {
    let results = results();
    let (_, seed, _) = parts(&results);
    let lost = &seed.contracts[0].violations[0];
    let story = story_diagram(lost, &seed.faults).expect("a story");
    let columns = ["shoppers", "edge", "orders-api", "orders-db", "relay", "payments", "worker"];
    assert_eq!(texts(&story, "head"), columns);
    assert_eq!(
        texts(&story, "head fault-name"),
        ["worker-", "crashes", "zone-", "lost"],
        "no fault of another time"
    );
    assert_eq!(texts(&story, "who").len(), lost.story.len());
    assert_eq!(texts(&story, "gap"), ["600 ms later"]);
    assert_eq!(texts(&story, "when")[..3], ["2 min 11.100 s", "+4 ms", "+3 ms"]);
    assert_eq!(texts(&story, "ended"), ["lost at psp.charge: no copy is left"]);
    assert!(story.contains("<title>worker-crashes from 2 min 11.770 s to 2 min 16.770 s</title>"));
    assert_eq!(story.matches("class=\"struck\"").count(), 2);
    assert_eq!(story_diagram(&Violation::default(), &seed.faults), None);
}

#[test]
fn a_story_of_one_step_at_one_instant_is_drawn() {
    let step = Step { node: "door".to_owned(), what: "offered".to_owned(), ..Step::default() };
    let violation =
        Violation { story: vec![step.clone(), step], reason: "stale".into(), ..Violation::default() };
    let story = story_diagram(&violation, &[]).expect("a story");
    assert_eq!(texts(&story, "ended"), ["stale"]);
    assert!(!story.contains("NaN") && !story.contains("inf"));
}

/// Any design: some nodes, some of them parts of others, at some sites, with any connections.
fn designs() -> impl Strategy<Value = Design> {
    let roles = prop::sample::select(super::shapes::ROLES.to_vec());
    let node = (roles, prop::option::of(0usize..12), prop::collection::vec(0usize..3, 0..3), "[a-z-]{1,30}");
    let edge = (0usize..12, 0usize..12, 0u64..3);
    let all = (prop::collection::vec(node, 1..12), prop::collection::vec(edge, 0..30));
    all.prop_map(|(nodes, edges)| Design {
        nodes: nodes.into_iter().enumerate().map(design_node).collect(),
        edges: edges.into_iter().map(design_edge).collect(),
        ..Design::default()
    })
}

fn design_node(
    (index, (role, of, sites, name)): (usize, (Role, Option<usize>, Vec<usize>, String)),
) -> DesignNode {
    DesignNode {
        name: format!("n{index}"),
        kind: name,
        role,
        of: of.map(|of| format!("n{of}")),
        sites: sites.into_iter().map(|site| format!("site{site}")).collect(),
        processes: 1,
        sla: None,
    }
}

fn design_edge((from, to, used): (usize, usize, u64)) -> DesignEdge {
    DesignEdge { from: format!("n{from}"), to: format!("n{to}"), used }
}

fn apart(rects: &[Rect]) -> bool {
    rects.iter().enumerate().all(|(index, rect)| rects[index + 1..].iter().all(|other| !rect.meets(other)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    /// Whatever the design, the picture is drawn, the same every time, and no node lies on another.
    #[test]
    fn every_design_can_be_drawn(design in designs()) {
        let picture = Picture::new(Graph::new(Some(&design), None), Detail::Kinds, &[]);
        prop_assert!(apart(&picture.layout.nodes), "{:?}", picture.layout.nodes);
        let drawn = topology(&design, None);
        prop_assert!(uppsala::parse(&drawn).is_ok());
        prop_assert!(!drawn.contains("NaN") && !drawn.contains("inf\""));
        prop_assert_eq!(drawn, topology(&design, None));
    }
}
