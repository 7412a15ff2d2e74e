//! The topology as a graph to draw: nodes, connections, and what belongs together.

use std::collections::BTreeMap;

use crate::design::{Design, DesignNode, Role};
use crate::trace::Trace;

/// What is drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    /// Those of the design in file order, then those that only the trace knows.
    pub(super) nodes: Vec<Node>,
    /// Without doubles and without connections of a node with itself.
    pub(super) edges: Vec<Edge>,
    /// The sites, or sets of sites, at which there are nodes.
    pub(super) sites: Vec<String>,
}

/// A node.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) name: String,
    /// As the scenario writes it; empty where only the trace knows the node.
    pub(super) kind: String,
    pub(super) role: Role,
    /// How many processes it has; 0 where nothing is said.
    pub(super) processes: u32,
    /// Whether anything happened to an item there.
    pub(super) active: bool,
    /// The site in whose box it stands; on the internet in none.
    pub(super) site: Option<usize>,
    /// The node that it is a part of.
    pub(super) of: Option<usize>,
    /// The node that it is a part of in the end: the namespace of a subscription's topic. Of a node that is no
    /// part: itself.
    pub(super) whole: usize,
}

/// A connection, by positions of nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    /// How many items used it; None where nothing was measured.
    pub(super) used: Option<u64>,
    /// The connections whose traffic it shows: itself, and what a node sends by this part of it.
    pub(super) shows: Vec<(usize, usize)>,
}

impl Graph {
    /// Of a design, of a trace, or of both.
    pub(super) fn new(design: Option<&Design>, trace: Option<&Trace>) -> Graph {
        let mut graph = Graph::default();
        let known = design.map_or(&[][..], |design| &design.nodes);
        graph.nodes.extend(known.iter().map(Node::of_design));
        if let Some(trace) = trace {
            graph.add_traced_nodes(trace);
        }
        for index in 0..graph.nodes.len() {
            let whole = root(known, index);
            graph.nodes[index].whole = whole;
            graph.nodes[index].of = part_of(known, index);
            graph.nodes[index].site = known.get(whole).and_then(|node| graph.site(node));
        }
        graph.connect(design, trace);
        graph
    }

    /// The position of a node.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// What is placed together: each node that is no part, with its parts after it.
    pub(super) fn units(&self) -> Vec<Vec<usize>> {
        let mut units: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let unit = units.entry(node.whole).or_default();
            if index == node.whole {
                unit.insert(0, index);
            } else {
                unit.push(index);
            }
        }
        units.into_values().collect()
    }

    fn add_traced_nodes(&mut self, trace: &Trace) {
        for (index, name) in trace.nodes.iter().enumerate() {
            let active = trace.activity.iter().any(|row| usize::from(row.node) == index);
            match self.position(name) {
                Some(known) => self.nodes[known].active = active,
                None => self.nodes.push(Node { name: name.clone(), active, ..Node::default() }),
            }
        }
    }

    fn connect(&mut self, design: Option<&Design>, trace: Option<&Trace>) {
        let mut edges: BTreeMap<(usize, usize), Option<u64>> = BTreeMap::new();
        for edge in design.map_or(&[][..], |design| &design.edges) {
            if let (Some(from), Some(to)) = (self.position(&edge.from), self.position(&edge.to)) {
                let used = edges.entry((from, to)).or_default();
                *used = Some(used.unwrap_or(0) + edge.used);
            }
        }
        for traffic in trace.map_or(&[][..], |trace| &trace.traffic) {
            let ends = trace.and_then(|trace| {
                let name = |node: u16| trace.nodes.get(usize::from(node));
                Some((self.position(name(traffic.from)?)?, self.position(name(traffic.to)?)?))
            });
            if let Some(ends) = ends {
                edges.entry(ends).or_default();
            }
        }
        let drawn = edges.into_iter().filter(|((from, to), _)| from != to);
        self.edges =
            drawn.map(|((from, to), used)| Edge { from, to, used, shows: vec![(from, to)] }).collect();
        self.send_by_parts();
    }

    /// A node that pushes sends by its parts: where exactly one part of it leads to the receiver and nothing was
    /// seen to come from the part itself, the connection is drawn from the part.
    fn send_by_parts(&mut self) {
        for index in 0..self.edges.len() {
            let pushed = self.edges[index].clone();
            let by = |(_, edge): &(usize, &Edge)| {
                edge.to == pushed.to
                    && edge.from != pushed.from
                    && edge.used == Some(0)
                    && self.nodes[edge.from].whole == pushed.from
            };
            let parts: Vec<usize> =
                self.edges.iter().enumerate().filter(by).map(|(index, _)| index).collect();
            if let &[part] = parts.as_slice() {
                self.edges[part].used = pushed.used;
                self.edges[part].shows.extend(pushed.shows);
                self.edges[index].shows.clear();
            }
        }
        self.edges.retain(|edge| !edge.shows.is_empty());
    }

    /// The box of the sites at which a node runs.
    fn site(&mut self, node: &DesignNode) -> Option<usize> {
        if node.sites.is_empty() {
            return None;
        }
        let caption = node.sites.join(" and ");
        let found = self.sites.iter().position(|site| *site == caption);
        found.or_else(|| {
            self.sites.push(caption);
            Some(self.sites.len() - 1)
        })
    }
}

/// The node that one belongs to in the end.
fn root(known: &[DesignNode], index: usize) -> usize {
    let mut whole = index;
    for _ in 0..known.len() {
        match part_of(known, whole) {
            Some(next) => whole = next,
            None => break,
        }
    }
    whole
}

fn part_of(known: &[DesignNode], index: usize) -> Option<usize> {
    let of = known.get(index)?.of.as_ref()?;
    known.iter().position(|node| node.name == *of)
}

impl Node {
    fn of_design(node: &DesignNode) -> Node {
        Node {
            name: node.name.clone(),
            kind: node.kind.clone(),
            role: node.role,
            processes: node.processes,
            ..Node::default()
        }
    }
}
