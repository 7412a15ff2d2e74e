//! The topology drawn: what the static picture and the explorer's have in common.

use std::fmt::Write as _;

use super::graph::{Edge, Graph, Node};
use super::layout::{self, CAPTION, Layout, Point, Rect};
use super::paths::{self, Curve};
use super::svg::{self, number};
use super::{escape, shapes};

/// The size of names.
const NAME: f64 = 12.5;
/// By how much a heavy face is wider.
const HEAVY: f64 = 1.06;
/// The size of everything else.
const SMALL: f64 = 11.0;
/// How wide the text in a shape may be.
const ROOM: f64 = 96.0;
/// How wide a shape is at least.
const NARROWEST: f64 = 72.0;
/// The room below a shape, for how the node is.
const STATUS: f64 = 16.0;
/// How far what stands below a shape may be wider than the shape, on each side.
const BESIDE: f64 = 10.0;
const LINE: f64 = 14.5;
/// What a count may become without leaving its node.
const WIDEST_COUNT: &str = "9,999 events";
/// How high the number at a connection is.
const LABEL: f64 = 13.0;

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
    /// The line below the name.
    below: String,
    /// That line is only kept free, as wide as this.
    free: bool,
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
    /// Places everything. `statuses` are what is going to be said below the nodes, as far as that is known.
    pub(super) fn new(graph: Graph, detail: Detail, statuses: &[String]) -> Picture {
        let faces: Vec<Face> = graph.nodes.iter().map(|node| Face::of(node, &graph, detail)).collect();
        let mut sizes: Vec<(f64, f64)> =
            graph.nodes.iter().zip(&faces).map(|(node, face)| face.size(node)).collect();
        for (size, status) in sizes.iter_mut().zip(statuses) {
            size.0 = size.0.max(svg::width(status, SMALL) * HEAVY - 2.0 * BESIDE);
        }
        let with_status: Vec<(f64, f64)> = sizes.iter().map(|(w, h)| (*w, h + STATUS)).collect();
        let gap = if detail == Detail::Counts { 40.0 } else { 26.0 };
        let layout = layout::layout(&graph, &with_status, gap);
        let shape = |(rect, size): (&Rect, &(f64, f64))| Rect { height: size.1, ..*rect };
        let shapes: Vec<Rect> = layout.nodes.iter().zip(&sizes).map(shape).collect();
        let curves = paths::curves(&graph, &layout, &shapes, STATUS / 2.0);
        Picture { graph, layout, shapes, faces, curves }
    }

    /// The boxes around sites and around nodes with parts.
    pub(super) fn boxes(&self) -> String {
        let mut out = String::new();
        for (name, rect) in self.graph.sites.iter().zip(&self.layout.sites) {
            let title = svg::title(name);
            let _ = write!(out, "<rect class=\"site\" {} rx=\"6\">{title}</rect>", bounds(rect));
        }
        for rect in &self.layout.wholes {
            let _ = write!(out, "<rect class=\"parts\" {} rx=\"6\"/>", bounds(rect));
        }
        out
    }

    /// The names of the sites, at the top of their boxes.
    pub(super) fn captions(&self) -> String {
        let mut out = String::new();
        for (lines, rect) in self.layout.captions.iter().zip(&self.layout.sites) {
            for (index, line) in lines.iter().enumerate() {
                let y = rect.y + 14.0 + CAPTION * index as f64;
                out.push_str(&svg::line("caption", rect.x + 8.0, y, "start", line));
            }
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

    /// Where the labels of the connections stand, of which these are the widest: none on a node, on a name or on
    /// another label. None: there is no such place.
    pub(super) fn labels(&self, widest: &[String]) -> Vec<Option<Point>> {
        let mut taken: Vec<Rect> = Vec::new();
        taken.extend(self.shapes.iter().map(|rect| Rect { height: rect.height + STATUS, ..*rect }));
        for (lines, rect) in self.layout.captions.iter().zip(&self.layout.sites) {
            let width = lines.iter().map(|line| svg::width(line, SMALL)).fold(0.0, f64::max) + 8.0;
            taken.push(Rect { width, height: CAPTION * lines.len() as f64 + 5.0, ..*rect });
        }
        let width = |label: &String| svg::width(label, SMALL) + 2.0;
        let each = self.curves.iter().zip(widest);
        each.map(|(curve, label)| free_spot(&curve.spots, width(label), &mut taken)).collect()
    }

    /// The nodes.
    pub(super) fn shapes(&self, note: &dyn Fn(usize) -> Note) -> String {
        let mut out = String::new();
        for (index, node) in self.graph.nodes.iter().enumerate() {
            out.push_str(&self.shape(index, node, &note(index)));
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
        let count = face.name.len() + usize::from(!face.below.is_empty());
        let mut y = middle.y + sink - (count as f64 - 1.0) * LINE / 2.0 + 4.2;
        for line in &face.name {
            out.push_str(&svg::line("name", middle.x + aside, y, "middle", line));
            y += LINE;
        }
        if !face.below.is_empty() {
            out.push_str(&svg::line(
                "kind",
                middle.x + aside,
                y,
                "middle",
                if face.free { "" } else { &face.below },
            ));
        }
        let status = svg::elided(&note.status, SMALL, rect.width + 2.5 * BESIDE);
        out.push_str(&svg::line("status", middle.x, rect.bottom() + 12.0, "middle", &status));
        out.push_str("</g>");
        out
    }
}

impl Face {
    fn of(node: &Node, graph: &Graph, detail: Detail) -> Face {
        let name = svg::lines(&escape::visible(short_name(node, graph)), NAME, ROOM, 2);
        if detail == Detail::Counts {
            let below = if node.active { WIDEST_COUNT.to_owned() } else { String::new() };
            return Face { name, below, free: true };
        }
        let whole = &graph.nodes[node.whole];
        let part = whole.name != node.name;
        let kind = if part { short_kind(&node.kind, &whole.kind) } else { &node.kind };
        Face { name, below: svg::elided(&escape::visible(kind), SMALL, ROOM), free: false }
    }

    fn size(&self, node: &Node) -> (f64, f64) {
        let (beside, above) = shapes::padding(node.role);
        let names = self.name.iter().map(|line| svg::width(line, NAME) * HEAVY).fold(0.0, f64::max);
        let text = names.max(svg::width(&self.below, SMALL));
        let count = self.name.len() + usize::from(!self.below.is_empty());
        ((text + 2.0 * beside).max(NARROWEST).ceil(), count as f64 * LINE + 2.0 * above)
    }
}

/// The name of a node without the site in whose box it stands: `intake/westeurope` in westeurope is `intake`,
/// unless another node there is called that.
fn short_name<'a>(node: &'a Node, graph: &Graph) -> &'a str {
    let site = node.site.and_then(|site| graph.sites.get(site));
    let short = site.and_then(|site| node.name.strip_suffix(site.as_str())?.strip_suffix('/'));
    let taken = |short: &str| graph.nodes.iter().any(|other| other.name == short && other.site == node.site);
    short.filter(|short| !short.is_empty() && !taken(short)).unwrap_or(&node.name)
}

/// The kind of a part without the words that the kind of the whole begins with too: a `service-bus-queue` in a
/// `service-bus` is a `queue`.
fn short_kind<'a>(kind: &'a str, whole: &str) -> &'a str {
    let same = kind.split('-').zip(whole.split('-')).take_while(|(a, b)| a == b).count();
    let rest = kind.splitn(same + 1, '-').nth(same);
    rest.filter(|rest| !rest.is_empty()).unwrap_or(kind)
}

/// The first spot at which a label meets nothing; it is taken from then on.
fn free_spot(spots: &[Point], width: f64, taken: &mut Vec<Rect>) -> Option<Point> {
    let around =
        |spot: Point| Rect { x: spot.x - width / 2.0, y: spot.y - LABEL / 2.0, width, height: LABEL };
    let offsets = [0.0, -8.0, 8.0, -14.0, 14.0];
    let places =
        offsets.iter().flat_map(|off| spots.iter().map(move |spot| Point { y: spot.y + off, ..*spot }));
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
