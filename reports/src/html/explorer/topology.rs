//! The topology as a picture that does not move: who is there, who leads to whom, and how well each was.

use std::fmt::Write as _;

use crate::design::{Design, Role};
use crate::results::SeedResult;
use crate::words::grouped;

use super::graph::{Edge, Graph, Node};
use super::health::{Grade, Health};
use super::layout::Rect;
use super::picture::{Detail, Note, Picture};
use super::svg::{self, number};
use super::{escape, shapes};

const STYLE: &str = include_str!("topology.css");

/// A share of the time below which not the node's outline says that it was not well, only the words below it.
const BRIEF: f64 = 0.01;

/// The topology as one SVG, complete in itself. With a seed, each node says how well it was: its worst state,
/// and the share of the time in which anything of it was not well.
#[must_use]
pub fn topology(design: &Design, seed: Option<&SeedResult>) -> String {
    let graph = Graph::new(Some(design), None);
    let measured = graph.edges.iter().any(|edge| edge.used > Some(0));
    let health: Vec<Option<Health>> = graph.nodes.iter().map(|node| health(node, seed?)).collect();
    let statuses: Vec<String> =
        health.iter().map(|health| health.as_ref().map(Health::badge).unwrap_or_default()).collect();
    let picture = Picture::new(graph, Detail::Kinds, &statuses);
    let note = |index: usize| {
        let node = &picture.graph.nodes[index];
        note(node, health[index].as_ref())
    };
    let told = health.iter().any(Option::is_some);
    let (key, key_width, key_height) = legend(&picture, measured, told);
    let width = picture.layout.width.max(key_width);
    let height = picture.layout.height + key_height;
    let name = "The topology: nodes and their connections";
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"topology\" role=\"img\" aria-label=\"{name}\" {}>\
         <title>{name}</title><style>{STYLE}</style>",
        svg::size(width, height),
    );
    out.push_str(&picture.boxes());
    out.push_str(&picture.connections(&|_, edge| connection(&picture.graph, edge, measured)));
    out.push_str(&picture.captions());
    out.push_str(&picture.shapes(&note));
    let _ = write!(out, "<g class=\"legend\" transform=\"translate(0 {})\">{key}</g></svg>", {
        number(picture.layout.height)
    });
    out
}

/// Of a part that has no process of its own, and of which nothing was seen, nothing is said.
fn health(node: &Node, seed: &SeedResult) -> Option<Health> {
    Health::of(&node.name, seed).filter(|health| node.processes > 0 || health.grade != Grade::Well)
}

fn note(node: &Node, health: Option<&Health>) -> Note {
    let class = match health.map(|health| health.grade) {
        None | Some(Grade::Well) => "",
        Some(_) if health.is_some_and(|health| health.share < BRIEF) => "brief",
        Some(Grade::Doubted) => "doubted",
        Some(Grade::Paused) => "paused",
        Some(Grade::Down) => "down",
    };
    let status = health.map(Health::badge).unwrap_or_default();
    let told = health.map(|health| format!("; {}", health.told())).unwrap_or_default();
    Note { attributes: String::new(), class, status, title: format!("{}{told}", introduce(node)) }
}

/// A node in a line: `bus (service-bus, 2 processes)`.
pub(super) fn introduce(node: &Node) -> String {
    let kind = escape::visible(&node.kind);
    let processes = match node.processes {
        0 => String::new(),
        1 => "1 process".to_owned(),
        many => format!("{} processes", grouped(u64::from(many))),
    };
    let about: Vec<&str> =
        [kind.as_str(), processes.as_str()].into_iter().filter(|part| !part.is_empty()).collect();
    let about = if about.is_empty() { String::new() } else { format!(" ({})", about.join(", ")) };
    format!("{}{about}", escape::visible(&node.name))
}

fn connection(graph: &Graph, edge: &Edge, measured: bool) -> (String, String) {
    let (from, to) = (&graph.nodes[edge.from].name, &graph.nodes[edge.to].name);
    let used = edge.used.unwrap_or(0);
    let told = match (measured, used) {
        (false, _) => String::new(),
        (true, 0) => ": no item used it".to_owned(),
        (true, used) => format!(": used {} times by items", grouped(used)),
    };
    let attributes = if measured && used == 0 { " data-unused=\"\"" } else { "" };
    (attributes.to_owned(), format!("{from} \u{2192} {to}{told}"))
}

/// The legend, as wide as it is, and as high.
fn legend(picture: &Picture, measured: bool, told: bool) -> (String, f64, f64) {
    let present = |role: &Role| picture.graph.nodes.iter().any(|node| node.role == *role);
    let mut keys: Vec<(String, f64, &str)> = Vec::new();
    for role in shapes::ROLES.iter().filter(|role| present(role)) {
        let rect = Rect { x: 0.0, y: 4.0, width: 34.0, height: 18.0 };
        let sample = format!("<path class=\"shape\" d=\"{}\"/>", shapes::outline(*role, &rect));
        keys.push((sample, 34.0, shapes::word(*role)));
    }
    if measured && picture.graph.edges.iter().any(|edge| edge.used == Some(0)) {
        let line =
            |class: &str| format!("<g class=\"edge\"{class}><path class=\"line\" d=\"M0 13H34\"/></g>");
        keys.push((line(""), 34.0, "used by items"));
        keys.push((line(" data-unused=\"\""), 34.0, "never used by an item"));
    }
    if told {
        let words =
            "below a node: its worst state, and the share of the time in which any of it was not well";
        keys.push((String::new(), 0.0, words));
    }
    place_keys(&keys, picture.layout.width)
}

fn place_keys(keys: &[(String, f64, &str)], room: f64) -> (String, f64, f64) {
    let (mut x, mut y, mut widest) = (8.0, 4.0, 0.0_f64);
    let mut out = String::new();
    for (sample, wide, words) in keys {
        let gap = if *wide > 0.0 { 6.0 } else { 0.0 };
        let width = wide + gap + svg::width(words, 11.0) + 18.0;
        if x > 8.0 && x + width > room {
            (x, y) = (8.0, y + 26.0);
        }
        let text = svg::line("key", wide + gap, 17.0, "start", words);
        let _ = write!(out, "<g transform=\"translate({} {})\">{sample}{text}</g>", number(x), number(y));
        x += width;
        widest = widest.max(x);
    }
    (out, widest, y + 30.0)
}
