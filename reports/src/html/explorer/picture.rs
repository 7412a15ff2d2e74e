//! The topology drawn: what the static picture and the explorer's have in common.

use std::fmt::Write as _;

use super::graph::{Edge, Graph, Node};
use super::layout::{self, Layout, Point, Rect};
use super::paths::{self, Curve};
use super::svg::{self, number};
use super::{escape, shapes};

/// The size of names.
const NAME: f64 = 12.5;
/// The size of everything else.
const SMALL: f64 = 11.0;
/// How wide the text in a shape may be.
const ROOM: f64 = 96.0;
/// How wide a shape is at least.
const NARROWEST: f64 = 72.0;
/// The room below a shape, for how the node is.
const STATUS: f64 = 16.0;
const LINE: f64 = 14.5;
/// What a count may become without leaving its node.
const WIDEST_COUNT: &str = "99,999 events";
/// The room that the number at a connection needs.
const LABEL: (f64, f64) = (38.0, 13.0);

/// A graph with everything placed.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    pub(super) graph: Graph,
    pub(super) layout: Layout,
    shapes: Vec<Rect>,
    faces: Vec<Face>,
    curves: Vec<Curve>,
}

/// What is told of each node and connection besides its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// The node's kind.
    Kinds,
    /// Numbers that change: there is room for them in the node and at the connection.
    Counts,
}

/// The text in a shape.
#[derive(Clone, Debug, Default)]
struct Face {
    name: Vec<String>,
    kind: String,
}

/// What is said below or beside a node, and what else its element carries.
#[derive(Clone, Debug, Default)]
pub(super) struct Note {
    /// Attributes, each with a space before it.
    pub(super) attributes: String,
    /// A class for how the node is.
    pub(super) class: &'static str,
    /// A few words below the shape.
    pub(super) status: String,
    /// What the node is called for somebody who points at it.
    pub(super) title: String,
}

impl Picture {
    /// Places everything.
    pub(super) fn new(graph: Graph, detail: Detail) -> Picture {
        let faces: Vec<Face> = graph.nodes.iter().map(|node| Face::of(node, &graph, detail)).collect();
        let sizes: Vec<(f64, f64)> =
            graph.nodes.iter().zip(&faces).map(|(node, face)| face.size(node)).collect();
        let with_status: Vec<(f64, f64)> = sizes.iter().map(|(w, h)| (*w, h + STATUS)).collect();
        let gap = if detail == Detail::Counts { 46.0 } else { 26.0 };
        let layout = layout::layout(&graph, &with_status, gap);
        let shape = |(index, rect): (usize, &Rect)| match graph.nodes[index].boxed {
            Some(_) => *rect,
            None => Rect { height: sizes[index].1, ..*rect },
        };
        let shapes: Vec<Rect> = layout.nodes.iter().enumerate().map(shape).collect();
        let curves = paths::curves(&graph, &layout, &shapes, STATUS / 2.0);
        Picture { graph, layout, shapes, faces, curves }
    }

    /// The boxes around what belongs together. `note` is asked for those that stand for a node.
    pub(super) fn boxes(&self, note: &dyn Fn(usize) -> Note) -> String {
        let mut out = String::new();
        for (index, (group, rect)) in self.graph.groups.iter().zip(&self.layout.groups).enumerate() {
            let node = self.graph.nodes.iter().position(|node| node.boxed == Some(index));
            let note = node.map(note).unwrap_or_default();
            let class = if group.site { "site" } else { "parts" };
            let _ = write!(out, "<g class=\"box {class} {}\"{}>", note.class, note.attributes);
            out.push_str(&svg::title(if node.is_some() { &note.title } else { &group.caption }));
            let _ = write!(out, "<rect {} rx=\"6\"/>", bounds(rect));
            let caption = svg::elided(&group.caption, SMALL, rect.width - 16.0);
            out.push_str(&svg::line("caption", rect.x + 8.0, rect.y + 14.0, "start", &caption));
            if node.is_some() {
                let room = rect.width - 22.0 - svg::width(&caption, SMALL);
                let status = if room > 30.0 { svg::elided(&note.status, SMALL, room) } else { String::new() };
                out.push_str(&svg::line("status", rect.right() - 8.0, rect.y + 14.0, "end", &status));
            }
            out.push_str("</g>");
        }
        out
    }

    /// The connections.
    pub(super) fn connections(&self, describe: &dyn Fn(usize, &Edge) -> (String, String)) -> String {
        let mut out = String::new();
        for (index, (edge, curve)) in self.graph.edges.iter().zip(&self.curves).enumerate() {
            let (attributes, title) = describe(index, edge);
            let _ = write!(out, "<g class=\"edge\"{attributes}>{}", svg::title(&title));
            let _ = write!(out, "<path class=\"line\" d=\"{}\"/>", curve.line);
            let _ = write!(out, "<path class=\"head\" d=\"{}\"/></g>", curve.head);
        }
        out
    }

    /// Where the numbers at the connections stand: none on a node, on a name or on another number. None: there
    /// is no such place.
    pub(super) fn labels(&self) -> Vec<Option<Point>> {
        let mut taken: Vec<Rect> = Vec::new();
        for (node, rect) in self.graph.nodes.iter().zip(&self.shapes) {
            if node.boxed.is_none() {
                taken.push(Rect { height: rect.height + STATUS, ..*rect });
            }
        }
        for (group, rect) in self.graph.groups.iter().zip(&self.layout.groups) {
            let width = svg::width(&group.caption, SMALL) + 8.0;
            taken.push(Rect { width, height: 18.0, ..*rect });
        }
        self.curves.iter().map(|curve| free_spot(&curve.spots, &mut taken)).collect()
    }

    /// The nodes, but those for which a box stands.
    pub(super) fn shapes(&self, note: &dyn Fn(usize) -> Note) -> String {
        let mut out = String::new();
        for (index, node) in self.graph.nodes.iter().enumerate() {
            if node.boxed.is_none() {
                out.push_str(&self.shape(index, node, &note(index)));
            }
        }
        out
    }

    fn shape(&self, index: usize, node: &Node, note: &Note) -> String {
        let (rect, face) = (self.shapes[index], &self.faces[index]);
        let middle = rect.middle();
        let mut out = format!("<g class=\"node {}\"{}>", note.class, note.attributes);
        out.push_str(&svg::title(&note.title));
        let _ = write!(out, "<path class=\"shape\" d=\"{}\"/>", shapes::outline(node.role, &rect));
        let (aside, sink) = shapes::off_middle(node.role);
        let count = face.name.len() + usize::from(!face.kind.is_empty());
        let mut y = middle.y + sink - (count as f64 - 1.0) * LINE / 2.0 + 4.2;
        for line in &face.name {
            out.push_str(&svg::line("name", middle.x + aside, y, "middle", line));
            y += LINE;
        }
        if !face.kind.is_empty() {
            out.push_str(&svg::line("kind", middle.x + aside, y, "middle", &face.kind));
        }
        let status = svg::elided(&note.status, SMALL, rect.width + 24.0);
        out.push_str(&svg::line("status", middle.x, rect.bottom() + 12.0, "middle", &status));
        out.push_str("</g>");
        out
    }
}

impl Face {
    fn of(node: &Node, graph: &Graph, detail: Detail) -> Face {
        let name = svg::lines(&escape::visible(&node.name), NAME, ROOM, 2);
        if detail == Detail::Counts {
            return Face { name, kind: WIDEST_COUNT.to_owned() };
        }
        let whole = graph.whole(node);
        let kind = whole.map_or(node.kind.as_str(), |whole| short_kind(&node.kind, &whole.kind));
        Face { name, kind: svg::elided(&escape::visible(kind), SMALL, ROOM) }
    }

    fn size(&self, node: &Node) -> (f64, f64) {
        let (beside, above) = shapes::padding(node.role);
        let names = self.name.iter().map(|line| svg::width(line, NAME)).fold(0.0, f64::max);
        let text = names.max(svg::width(&self.kind, SMALL));
        let count = self.name.len() + usize::from(!self.kind.is_empty());
        ((text + 2.0 * beside).max(NARROWEST).ceil(), count as f64 * LINE + 2.0 * above)
    }
}

/// The kind of a part without the words that the kind of the whole begins with too: a `service-bus-queue` in a
/// `service-bus` is a `queue`.
fn short_kind<'a>(kind: &'a str, whole: &str) -> &'a str {
    let same = kind.split('-').zip(whole.split('-')).take_while(|(a, b)| a == b).count();
    let rest = kind.splitn(same + 1, '-').nth(same);
    rest.filter(|rest| !rest.is_empty()).unwrap_or(kind)
}

/// The first spot at which a number meets nothing; it is taken from then on.
fn free_spot(spots: &[Point], taken: &mut Vec<Rect>) -> Option<Point> {
    let around = |spot: Point| Rect {
        x: spot.x - LABEL.0 / 2.0,
        y: spot.y - LABEL.1 / 2.0,
        width: LABEL.0,
        height: LABEL.1,
    };
    let offsets = [0.0, -8.0, 8.0, -14.0, 14.0];
    let places = offsets.iter().flat_map(|off| spots.iter().map(move |spot| Point { y: spot.y + off, ..*spot }));
    let free = places.into_iter().find(|spot| !taken.iter().any(|rect| rect.meets(&around(*spot))))?;
    taken.push(around(free));
    Some(free)
}

fn bounds(rect: &Rect) -> String {
    format!(
        "x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
        number(rect.x),
        number(rect.y),
        number(rect.width),
        number(rect.height)
    )
}
