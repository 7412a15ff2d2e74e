//! The topology as a graph to draw: nodes, connections, and the boxes around what belongs together.

use std::collections::{BTreeMap, BTreeSet};

use crate::design::{Design, DesignNode, Role};
use crate::trace::Trace;

/// What is drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    /// Those of the design in file order, then those that only the trace knows.
    pub(super) nodes: Vec<Node>,
    /// Without doubles and without connections of a node with itself.
    pub(super) edges: Vec<Edge>,
    /// Outer ones before those in them.
    pub(super) groups: Vec<Group>,
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
    /// The box in which it stands.
    pub(super) group: Option<usize>,
    /// It is not drawn as a shape: the box of its parts stands for it.
    pub(super) boxed: Option<usize>,
}

/// A connection, by positions of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    pub(super) from: usize,
    pub(super) to: usize,
    /// How many items used it; None where nothing was measured.
    pub(super) used: Option<u64>,
}

/// A box.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) caption: String,
    /// The box in which it stands.
    pub(super) parent: Option<usize>,
    /// Whether it is a site, else it holds a node and its parts.
    pub(super) site: bool,
    /// The node whose parts it holds.
    pub(super) whole: Option<usize>,
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
        graph.connect(design, trace);
        let mut sites = BTreeMap::new();
        for (index, node) in known.iter().enumerate() {
            graph.nodes[index].group = graph.site(&mut sites, root(known, node));
        }
        graph.box_parts(known);
        graph
    }

    /// The position of a node.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }

    /// The node of which this one is a part, if it stands in the box of another.
    pub(super) fn whole(&self, node: &Node) -> Option<&Node> {
        let group = node.group.filter(|group| !self.groups[*group].site)?;
        let whole = self.groups[group].whole?;
        self.nodes.get(whole).filter(|whole| whole.name != node.name)
    }

    fn add_traced_nodes(&mut self, trace: &Trace) {
        for name in &trace.nodes {
            if self.position(name).is_none() {
                self.nodes.push(Node { name: name.clone(), ..Node::default() });
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
        self.edges = drawn.map(|((from, to), used)| Edge { from, to, used }).collect();
    }

    /// The box of the sites at which a node runs; nodes on the internet stand in none.
    fn site(&mut self, sites: &mut BTreeMap<String, usize>, node: &DesignNode) -> Option<usize> {
        if node.sites.is_empty() {
            return None;
        }
        let caption = node.sites.join(" and ");
        let next = self.groups.len();
        let index = *sites.entry(caption.clone()).or_insert(next);
        if index == next {
            self.groups.push(Group { caption, parent: None, site: true, whole: None });
        }
        Some(index)
    }

    /// A box around each node that has parts. Where nothing leads to the node itself, the box is the node.
    fn box_parts(&mut self, known: &[DesignNode]) {
        let connected: BTreeSet<usize> = self.edges.iter().flat_map(|edge| [edge.from, edge.to]).collect();
        let whole: Vec<&str> = known.iter().map(|node| root(known, node).name.as_str()).collect();
        for (index, node) in known.iter().enumerate() {
            let parts: Vec<usize> =
                (0..known.len()).filter(|part| *part != index && whole[*part] == node.name).collect();
            if parts.is_empty() || whole[index] != node.name {
                continue;
            }
            let group = self.groups.len();
            let boxed = !connected.contains(&index);
            let caption = if boxed { node.name.clone() } else { String::new() };
            let parent = self.nodes[index].group;
            self.groups.push(Group { caption, parent, site: false, whole: Some(index) });
            self.nodes[index].boxed = boxed.then_some(group);
            for member in parts.into_iter().chain([index]) {
                self.nodes[member].group = Some(group);
            }
        }
    }
}

/// The node that a part belongs to in the end: the namespace of a subscription's topic.
fn root<'a>(known: &'a [DesignNode], node: &'a DesignNode) -> &'a DesignNode {
    let mut whole = node;
    for _ in 0..known.len() {
        let of = whole.of.as_ref().and_then(|of| known.iter().find(|node| node.name == *of));
        match of {
            Some(next) => whole = next,
            None => break,
        }
    }
    whole
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
