//! Where everything stands: layers from left to right, a node above its parts, boxes around sites.

use dagre::graph::{Graph as Dagre, GraphOptions};
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, RankDir};

use super::graph::Graph;
use super::{escape, svg};

/// A point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// A rectangle by its upper left corner.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Rect {
    pub(super) fn right(&self) -> f64 {
        self.x + self.width
    }

    pub(super) fn bottom(&self) -> f64 {
        self.y + self.height
    }

    pub(super) fn middle(&self) -> Point {
        Point { x: self.x + self.width / 2.0, y: self.y + self.height / 2.0 }
    }

    /// Whether they have more than a side in common.
    pub(super) fn meets(&self, other: &Rect) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }
}

/// A laid out graph.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    /// As the graph's nodes.
    pub(super) nodes: Vec<Rect>,
    /// The boxes around nodes with parts.
    pub(super) wholes: Vec<Rect>,
    /// As the graph's sites.
    pub(super) sites: Vec<Rect>,
    /// What stands in the boxes of the sites, in as many lines as it needs there.
    pub(super) captions: Vec<Vec<String>>,
    /// As the graph's edges: the way of each, ends included.
    pub(super) edges: Vec<Vec<Point>>,
}

/// The room around everything.
const MARGIN: f64 = 8.0;
/// The room between a box and the parts in it.
const PADDING: f64 = 9.0;
/// The room between parts.
const BETWEEN: f64 = 4.0;
/// The room for a line of the caption of a site.
pub(super) const CAPTION: f64 = 13.0;

/// Lays out a graph whose nodes have these sizes, with so much room between its layers.
pub(super) fn layout(graph: &Graph, sizes: &[(f64, f64)], gap: f64) -> Layout {
    let units = graph.units();
    let mut dagre = fill(graph, &units, sizes);
    let options = LayoutOptions {
        rankdir: RankDir::LR,
        nodesep: 14.0,
        edgesep: 12.0,
        ranksep: gap,
        marginx: MARGIN,
        marginy: MARGIN,
        ..LayoutOptions::default()
    };
    dagre::layout(&mut dagre, Some(options));
    let mut boxes: Vec<Rect> = (0..units.len()).map(|unit| rect(&dagre, &unit_key(unit))).collect();
    let sites: Vec<Rect> = (0..graph.sites.len()).map(|site| rect(&dagre, &site_key(site))).collect();
    let captions = graph.sites.iter().zip(&sites).map(|(name, rect)| caption(name, rect)).collect();
    let edges = (0..graph.edges.len()).map(|edge| way(graph, &dagre, edge)).collect();
    let mut layout = Layout { sites, captions, edges, ..Layout::default() };
    make_room_for_captions(&mut layout, &mut boxes);
    layout.nodes = place_nodes(graph, &units, &boxes, sizes);
    let with_parts = boxes.iter().zip(&units).filter(|(_, unit)| unit.len() > 1);
    layout.wholes = with_parts.map(|(rect, _)| *rect).collect();
    let all = boxes.iter().chain(&layout.sites);
    let (right, bottom) = all.fold((0.0, 0.0), |(x, y), rect| (rect.right().max(x), rect.bottom().max(y)));
    (layout.width, layout.height) = (right + MARGIN, bottom + MARGIN);
    layout
}

fn fill(graph: &Graph, units: &[Vec<usize>], sizes: &[(f64, f64)]) -> Dagre<NodeLabel, EdgeLabel> {
    let mut dagre = Dagre::with_options(GraphOptions { directed: true, multigraph: true, compound: true });
    for (unit, members) in units.iter().enumerate() {
        let (width, height) = unit_size(members, sizes);
        dagre.set_node(unit_key(unit), Some(NodeLabel { width, height, ..NodeLabel::default() }));
    }
    for site in 0..graph.sites.len() {
        dagre.set_node(site_key(site), Some(NodeLabel::default()));
    }
    for (unit, members) in units.iter().enumerate() {
        let site = members.first().and_then(|whole| graph.nodes[*whole].site);
        if let Some(site) = site {
            dagre.set_parent(&unit_key(unit), Some(&site_key(site)));
        }
    }
    for (index, edge) in graph.edges.iter().enumerate() {
        let [from, to] = [edge.from, edge.to].map(|end| unit_of(units, graph.nodes[end].whole));
        if from != to {
            let label = EdgeLabel { label_offset: 0.0, ..EdgeLabel::default() };
            let name = edge_key(index);
            dagre.set_edge(unit_key(from), unit_key(to), Some(label), Some(&name));
        }
    }
    dagre
}

fn unit_of(units: &[Vec<usize>], whole: usize) -> usize {
    units.iter().position(|members| members.first() == Some(&whole)).unwrap_or(0)
}

fn unit_size(members: &[usize], sizes: &[(f64, f64)]) -> (f64, f64) {
    let width = members.iter().map(|node| sizes[*node].0).fold(0.0, f64::max);
    let height: f64 = members.iter().map(|node| sizes[*node].1).sum();
    match members.len() {
        1 => (width, height),
        many => (width + 2.0 * PADDING, height + BETWEEN * (many - 1) as f64 + 2.0 * PADDING),
    }
}

fn rect(dagre: &Dagre<NodeLabel, EdgeLabel>, key: &str) -> Rect {
    dagre.node(key).map_or_else(Rect::default, |label| {
        let (x, y) = (label.x.unwrap_or(0.0), label.y.unwrap_or(0.0));
        let (width, height) = (label.width, label.height);
        Rect { x: x - width / 2.0, y: y - height / 2.0, width, height }
    })
}

/// The way of a connection; empty within a unit.
fn way(graph: &Graph, dagre: &Dagre<NodeLabel, EdgeLabel>, index: usize) -> Vec<Point> {
    let (edge, units, name) = (&graph.edges[index], graph.units(), edge_key(index));
    let [from, to] = [edge.from, edge.to].map(|end| unit_key(unit_of(&units, graph.nodes[end].whole)));
    let label = dagre.edge(&from, &to, Some(&name));
    let points = label.map_or(&[][..], |label| &label.points);
    points.iter().map(|point| Point { x: point.x, y: point.y }).collect()
}

fn caption(name: &str, rect: &Rect) -> Vec<String> {
    svg::lines(&escape::visible(name), 11.5, rect.width - 14.0, 4)
}

/// Moves everything below the top of a site's box down by the caption's height. What was above something else
/// stays above it, and nothing comes nearer.
fn make_room_for_captions(layout: &mut Layout, boxes: &mut [Rect]) {
    let rooms = layout.captions.iter().map(|lines| CAPTION * lines.len() as f64);
    let tops: Vec<(f64, f64)> = layout.sites.iter().map(|rect| rect.y).zip(rooms).collect();
    let above = |y: f64| tops.iter().filter(move |(top, _)| *top < y - 0.5).map(|(_, room)| room);
    let moved = |y: f64| y + above(y).sum::<f64>();
    for rect in boxes {
        let middle = rect.middle().y;
        rect.y += moved(middle) - middle;
    }
    for rect in &mut layout.sites {
        let bottom = moved(rect.bottom());
        rect.y = moved(rect.y);
        rect.height = bottom - rect.y;
    }
    for point in layout.edges.iter_mut().flatten() {
        point.y = moved(point.y);
    }
}

/// Places the nodes in their units: the whole on top, then its parts, each near to what it is
/// connected with; as in the file where parts have parts.
fn place_nodes(graph: &Graph, units: &[Vec<usize>], boxes: &[Rect], sizes: &[(f64, f64)]) -> Vec<Rect> {
    let mut nodes = vec![Rect::default(); graph.nodes.len()];
    for (members, rect) in units.iter().zip(boxes) {
        let mut order = members.clone();
        let near = |node: usize| pull(graph, units, boxes, node).unwrap_or(f64::INFINITY);
        if members[1..].iter().all(|part| graph.nodes[*part].of == Some(members[0])) {
            order[1..].sort_by(|a, b| near(*a).total_cmp(&near(*b)));
        }
        let inside = if members.len() > 1 { PADDING } else { 0.0 };
        let mut y = rect.y + inside;
        for node in order {
            let (width, height) = sizes[node];
            nodes[node] = Rect { x: rect.middle().x - width / 2.0, y, width, height };
            y += height + BETWEEN;
        }
    }
    nodes
}

/// The mean height of what a node is connected with in other units.
fn pull(graph: &Graph, units: &[Vec<usize>], boxes: &[Rect], node: usize) -> Option<f64> {
    let whole = graph.nodes[node].whole;
    let other = graph.edges.iter().filter_map(|edge| match (edge.from == node, edge.to == node) {
        (true, false) => Some(edge.to),
        (false, true) => Some(edge.from),
        _ => None,
    });
    let wholes = other.map(|node| graph.nodes[node].whole).filter(|other| *other != whole);
    let heights: Vec<f64> = wholes.map(|whole| boxes[unit_of(units, whole)].middle().y).collect();
    (!heights.is_empty()).then(|| heights.iter().sum::<f64>() / heights.len() as f64)
}

fn unit_key(index: usize) -> String {
    format!("unit {index}")
}

fn site_key(index: usize) -> String {
    format!("site {index}")
}

fn edge_key(index: usize) -> String {
    format!("edge {index}")
}
