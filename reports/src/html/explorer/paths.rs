//! The curves of the connections: level through the columns of nodes, and from one height to another only in
//! the gaps between them, so that none leads through a node.

use super::graph::{Edge, Graph};
use super::layout::{Layout, Point, Rect};
use super::shapes;
use super::svg::number;

/// How long an arrow's head is.
const HEAD: f64 = 7.0;

/// A drawn connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Curve {
    /// The line, as the data of a path.
    pub(super) line: String,
    /// The arrow's head, as the data of a path.
    pub(super) head: String,
    /// Points on the line at which a label could stand, the best first.
    pub(super) spots: Vec<Point>,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug)]
struct End {
    edge: usize,
    first: bool,
    node: usize,
    /// At the right side of the node.
    right: bool,
    /// The height to which the connection leads from here.
    towards: f64,
}

/// The curves of all connections. `shapes` are the outlines' rectangles, node by node, whose middles stand
/// `above` those of the rectangles that were laid out.
pub(super) fn curves(graph: &Graph, layout: &Layout, shapes: &[Rect], above: f64) -> Vec<Curve> {
    let columns = columns(shapes);
    let way = |(edge, points): (&Edge, &Vec<Point>)| {
        let bends = heights(&columns, &shapes[edge.from], &shapes[edge.to], points);
        let bends = bends.into_iter().map(|point| Point { y: point.y - above, ..point });
        let (from, to) = (shapes[edge.from].middle(), shapes[edge.to].middle());
        [from].into_iter().chain(bends).chain([to]).collect()
    };
    let mut ways: Vec<Way> = graph.edges.iter().zip(&layout.edges).map(way).collect();
    let mut ends: Vec<End> = (0..ways.len()).flat_map(|edge| both_ends(graph, &ways, shapes, edge)).collect();
    let side = |end: &End| (end.node, end.right);
    ends.sort_by(|a, b| {
        side(a).cmp(&side(b)).then(a.towards.total_cmp(&b.towards)).then(a.edge.cmp(&b.edge))
    });
    for group in ends.chunk_by(|a, b| side(a) == side(b)) {
        spread(graph, shapes, group, &mut ways);
    }
    ways.iter().map(|way| curve(way, &columns)).collect()
}

type Way = Vec<Point>;

/// The columns in which nodes stand, from left to right, as spans of x.
fn columns(shapes: &[Rect]) -> Vec<(f64, f64)> {
    let mut spans: Vec<(f64, f64)> = shapes.iter().map(|rect| (rect.x, rect.right())).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut columns: Vec<(f64, f64)> = Vec::new();
    for span in spans {
        match columns.last_mut() {
            Some(last) if span.0 <= last.1 => last.1 = last.1.max(span.1),
            _ => columns.push(span),
        }
    }
    columns
}

fn column_of(columns: &[(f64, f64)], x: f64) -> usize {
    columns.iter().rposition(|(left, _)| *left <= x).unwrap_or(0)
}

/// At which height a connection passes the columns between its ends, in the order in which it meets them.
fn heights(columns: &[(f64, f64)], from: &Rect, to: &Rect, points: &[Point]) -> Vec<Point> {
    let (first, last) = (column_of(columns, from.middle().x), column_of(columns, to.middle().x));
    let between =
        &columns[(first.min(last) + 1).min(columns.len())..first.max(last).max(first.min(last) + 1)];
    let pass = |(left, right): &(f64, f64)| {
        let x = (left + right) / 2.0;
        Point { x, y: height_at(points, x).unwrap_or((from.middle().y + to.middle().y) / 2.0) }
    };
    let mut bends: Vec<Point> = between.iter().map(pass).collect();
    if last < first {
        bends.reverse();
    }
    bends
}

/// The height of a line of points at some x.
fn height_at(points: &[Point], x: f64) -> Option<f64> {
    let span = points.windows(2).find(|pair| {
        let (low, high) = (pair[0].x.min(pair[1].x), pair[0].x.max(pair[1].x));
        (low..=high).contains(&x)
    })?;
    let (a, b) = (span[0], span[1]);
    if (b.x - a.x).abs() < 0.01 { Some(a.y) } else { Some(a.y + (b.y - a.y) * (x - a.x) / (b.x - a.x)) }
}

fn both_ends(graph: &Graph, ways: &[Way], shapes: &[Rect], edge: usize) -> [End; 2] {
    let points = &ways[edge];
    let end = |first: bool, node: usize, next: Point| End {
        edge,
        first,
        node,
        right: next.x > shapes[node].middle().x - 1.0,
        towards: next.y,
    };
    let (from, to) = (graph.edges[edge].from, graph.edges[edge].to);
    [end(true, from, points[1]), end(false, to, points[points.len() - 2])]
}

/// Spreads the ends at one side of a node, so that no two begin at the same point.
fn spread(graph: &Graph, shapes: &[Rect], ends: &[End], ways: &mut [Way]) {
    let Some(first) = ends.first() else { return };
    let (shape, role) = (shapes[first.node], graph.nodes[first.node].role);
    let gap = (shape.height * 0.7 / ends.len() as f64).min(9.0);
    for (index, end) in ends.iter().enumerate() {
        let off = (index as f64 - (ends.len() - 1) as f64 / 2.0) * gap;
        let inset = shapes::inset(role, shape.height, off);
        let x = if end.right { shape.right() - inset } else { shape.x + inset };
        let points = &mut ways[end.edge];
        let at = if end.first { 0 } else { points.len() - 1 };
        points[at] = Point { x, y: shape.middle().y + off };
    }
}

fn curve(way: &[Point], columns: &[(f64, f64)]) -> Curve {
    let last = way.len() - 1;
    let tip = way[last];
    if column_of(columns, way[0].x) == column_of(columns, tip.x) {
        return beside(way[0], tip);
    }
    let back = if way[0].x <= tip.x { -HEAD } else { HEAD };
    let head = format!("M{} {}l{} -3.6v7.2Z", number(tip.x), number(tip.y), number(back));
    let mut line = format!("M{} {}", number(way[0].x), number(way[0].y));
    let mut spots = Vec::new();
    for pair in way.windows(2) {
        let (from, to) = gap(columns, pair[0], pair[1]);
        let to = Point { x: if to == tip { to.x + back * 0.8 } else { to.x }, ..to };
        if (from.y - to.y).abs() > 0.5 {
            let x = (from.x + to.x) / 2.0;
            line.push_str(&format!("H{}C{} {}", number(from.x), number(x), number(from.y)));
            line.push_str(&format!(" {} {} {} {}", number(x), number(to.y), number(to.x), number(to.y)));
        } else {
            line.push_str(&format!("H{}", number(to.x)));
        }
        spots.extend([0.5, 0.3, 0.7].map(|part| along(from, to, part)));
    }
    line.push_str(&format!("H{}", number(tip.x + back * 0.8)));
    Curve { line, head, spots }
}

/// A connection of two nodes that stand above each other: at their right side.
fn beside(from: Point, tip: Point) -> Curve {
    let out = from.x.max(tip.x) + 22.0;
    let head = format!("M{} {}l{} -3.6v7.2Z", number(tip.x), number(tip.y), number(HEAD));
    let line = format!(
        "M{} {}C{} {} {} {} {} {}",
        number(from.x),
        number(from.y),
        number(out),
        number(from.y),
        number(out),
        number(tip.y),
        number(tip.x + HEAD * 0.8),
        number(tip.y)
    );
    Curve { line, head, spots: vec![Point { x: out - 4.0, y: (from.y + tip.y) / 2.0 }] }
}

/// The part of the way between two points that lies in the gap between their columns.
fn gap(columns: &[(f64, f64)], a: Point, b: Point) -> (Point, Point) {
    let (first, last) =
        (columns[column_of(columns, a.x.min(b.x))], columns[column_of(columns, a.x.max(b.x))]);
    if first == last {
        return (a, b);
    }
    let (left, right) = (first.1.max(a.x.min(b.x)), last.0.min(a.x.max(b.x)));
    let (from, to) = if a.x <= b.x { (left, right) } else { (right, left) };
    (Point { x: from, ..a }, Point { x: to, ..b })
}

/// A point of the curve between two points, level at both.
fn along(a: Point, b: Point, part: f64) -> Point {
    let (rest, t) = (1.0 - part, part);
    let middle = (a.x + b.x) / 2.0;
    let x = rest * rest * rest * a.x + 3.0 * rest * t * middle + t * t * t * b.x;
    let rise = 3.0 * rest * t * t + t * t * t;
    Point { x, y: a.y + (b.y - a.y) * rise }
}
