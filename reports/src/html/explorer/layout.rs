//! Where everything stands: layers from left to right, boxes around what belongs together, paths between.

use dagre::graph::{Graph as Dagre, GraphOptions};
use dagre::{EdgeLabel, LayoutOptions, NodeLabel, RankDir};

use super::graph::Graph;

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

    /// Whether they have more than a side in common.
    pub(super) fn meets(&self, other: &Rect) -> bool {
        self.x < other.right() && other.x < self.right() && self.y < other.bottom() && other.y < self.bottom()
    }

    pub(super) fn middle(&self) -> Point {
        Point { x: self.x + self.width / 2.0, y: self.y + self.height / 2.0 }
    }
}

/// A laid out graph; the vectors go with those of the graph.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) nodes: Vec<Rect>,
    pub(super) groups: Vec<Rect>,
    /// The way of each connection, ends included.
    pub(super) edges: Vec<Vec<Point>>,
}

/// The room around everything.
const MARGIN: f64 = 8.0;
/// The room for the caption of a box.
const CAPTION: f64 = 12.0;

/// Lays out a graph whose nodes have these sizes, with so much room between its layers.
pub(super) fn layout(graph: &Graph, sizes: &[(f64, f64)], gap: f64) -> Layout {
    let mut dagre = fill(graph, sizes);
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
    let mut layout = read(graph, &dagre);
    make_room_for_captions(graph, &mut layout);
    let all = layout.nodes.iter().chain(&layout.groups);
    let (right, bottom) = all.fold((0.0, 0.0), |(x, y), rect| (rect.right().max(x), rect.bottom().max(y)));
    (layout.width, layout.height) = (right + MARGIN, bottom + MARGIN);
    layout
}

/// Moves everything below the top of a box with a caption down by the caption's height. What was above
/// something else stays above it, and nothing comes nearer.
fn make_room_for_captions(graph: &Graph, layout: &mut Layout) {
    let with_caption = graph.groups.iter().zip(&layout.groups).filter(|(group, _)| !group.caption.is_empty());
    let tops: Vec<f64> = with_caption.map(|(_, rect)| rect.y).collect();
    let moved = |y: f64| y + CAPTION * tops.iter().filter(|top| **top < y - 0.5).count() as f64;
    for (node, rect) in graph.nodes.iter().zip(&mut layout.nodes) {
        if node.boxed.is_none() {
            let middle = rect.middle().y;
            rect.y += moved(middle) - middle;
        }
    }
    for rect in &mut layout.groups {
        let bottom = moved(rect.bottom());
        rect.y = moved(rect.y);
        rect.height = bottom - rect.y;
    }
    for (node, rect) in graph.nodes.iter().zip(&mut layout.nodes) {
        if let Some(group) = node.boxed {
            *rect = layout.groups[group];
        }
    }
    for point in layout.edges.iter_mut().flatten() {
        point.y = moved(point.y);
    }
}

fn fill(graph: &Graph, sizes: &[(f64, f64)]) -> Dagre<NodeLabel, EdgeLabel> {
    let mut dagre = Dagre::with_options(GraphOptions { directed: true, multigraph: false, compound: true });
    for (index, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.boxed.is_none()) {
        let (width, height) = sizes[index];
        dagre.set_node(node_key(index), Some(NodeLabel { width, height, ..NodeLabel::default() }));
        if let Some(group) = node.group {
            dagre.set_parent(&node_key(index), Some(&group_key(group)));
        }
    }
    for (index, group) in graph.groups.iter().enumerate() {
        dagre.set_node(group_key(index), Some(NodeLabel::default()));
        if let Some(parent) = group.parent {
            dagre.set_parent(&group_key(index), Some(&group_key(parent)));
        }
    }
    for edge in &graph.edges {
        let label = EdgeLabel { label_offset: 0.0, ..EdgeLabel::default() };
        dagre.set_edge(&node_key(edge.from), &node_key(edge.to), Some(label), None);
    }
    dagre
}

fn read(graph: &Graph, dagre: &Dagre<NodeLabel, EdgeLabel>) -> Layout {
    let rect = |key: String| {
        let label = dagre.node(&key);
        label.map_or_else(Rect::default, |l| {
            let (x, y) = (l.x.unwrap_or(0.0), l.y.unwrap_or(0.0));
            Rect { x: x - l.width / 2.0, y: y - l.height / 2.0, width: l.width, height: l.height }
        })
    };
    let groups: Vec<Rect> = (0..graph.groups.len()).map(|index| rect(group_key(index))).collect();
    let place = |(index, node): (usize, &super::graph::Node)| match node.boxed {
        Some(group) => groups[group],
        None => rect(node_key(index)),
    };
    let nodes: Vec<Rect> = graph.nodes.iter().enumerate().map(place).collect();
    let path = |edge: &super::graph::Edge| {
        let label = dagre.edge(&node_key(edge.from), &node_key(edge.to), None);
        let points = label.map_or(&[][..], |label| &label.points);
        points.iter().map(|point| Point { x: point.x, y: point.y }).collect()
    };
    let edges = graph.edges.iter().map(path).collect();
    Layout { nodes, groups, edges, ..Layout::default() }
}

fn node_key(index: usize) -> String {
    format!("n{index}")
}

fn group_key(index: usize) -> String {
    format!("g{index}")
}
