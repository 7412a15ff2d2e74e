//! The topology drawn: what the static picture and the explorer's have in common.

use std::fmt::Write as _;

use super::graph::{Edge, Graph, Node};
use super::layout::{self, Layout, Rect};
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

/// A graph with everything placed.
#[derive(Clone, Debug, Default)]
pub(super) struct Picture {
    pub(super) graph: Graph,
    pub(super) layout: Layout,
    shapes: Vec<Rect>,
    faces: Vec<Face>,
    curves: Vec<Curve>,
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
    pub(super) fn new(graph: Graph) -> Picture {
        let faces: Vec<Face> = graph.nodes.iter().map(|node| Face::of(node, graph.whole(node))).collect();
        let sizes: Vec<(f64, f64)> =
            graph.nodes.iter().zip(&faces).map(|(node, face)| face.size(node)).collect();
        let with_status: Vec<(f64, f64)> = sizes.iter().map(|(w, h)| (*w, h + STATUS)).collect();
        let layout = layout::layout(&graph, &with_status);
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
    fn of(node: &Node, whole: Option<&Node>) -> Face {
        let name = escape::visible(&node.name);
        let kind = whole.map_or(node.kind.as_str(), |whole| short_kind(&node.kind, &whole.kind));
        Face {
            name: svg::lines(&name, NAME, ROOM, 2),
            kind: svg::elided(&escape::visible(kind), SMALL, ROOM),
        }
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

fn bounds(rect: &Rect) -> String {
    format!(
        "x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
        number(rect.x),
        number(rect.y),
        number(rect.width),
        number(rect.height)
    )
}
