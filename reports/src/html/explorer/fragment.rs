//! The explorer as a fragment of a page: its style, its elements, its data and its code.

use std::fmt::Write as _;

use crate::design::Design;
use crate::results::SeedResult;
use crate::trace::{Trace, Traffic};
use crate::words::grouped;

use super::code::CODE;
use super::data::Data;
use super::graph::{Edge, Graph};
use super::picture::{Detail, Note, Picture};
use super::topology::introduce;
use super::{escape, svg};

const ELEMENTS: &str = include_str!("explorer.html");
const STYLE: &str = include_str!("explorer.css");

/// The explorer of a trace, complete in itself: a section of HTML that needs nothing else of its page. It takes
/// the colours that the page defines, else its own. `command` is the command that runs the seed again.
///
/// # Errors
/// Only those of the serializer.
pub fn fragment(
    trace: &Trace,
    design: Option<&Design>,
    seed: &SeedResult,
    command: &str,
) -> Result<String, serde_json::Error> {
    let data = serde_json::to_string(&Data::new(trace, design, seed, command))?;
    let elements = ELEMENTS.replace("<!--map-->", &map(trace, design));
    Ok(format!(
        "<section class=\"explorer\" aria-label=\"Trace explorer\"><style>{STYLE}</style>\n\
         <noscript><p>To step through the run, this page needs scripts.</p></noscript>\n\
         {elements}<script type=\"application/json\">{}</script>\n<script>\n{CODE}</script></section>\n",
        escape::json_in_script(&data),
    ))
}

/// The topology that the explorer's code shows the run on. Nodes and connections carry their numbers in the trace.
fn map(trace: &Trace, design: Option<&Design>) -> String {
    let picture = Picture::new(Graph::new(design, Some(trace)), Detail::Counts, &[]);
    let traced = |index: usize| {
        let name = &picture.graph.nodes[index].name;
        trace.nodes.iter().position(|node| node == name)
    };
    let note = |index: usize| Note {
        attributes: traced(index).map(|node| format!(" data-node=\"{node}\"")).unwrap_or_default(),
        title: introduce(&picture.graph.nodes[index]),
        ..Note::default()
    };
    let connection = |_: usize, edge: &Edge| {
        let names = [edge.from, edge.to].map(|end| picture.graph.nodes[end].name.as_str());
        let attributes = format!(" data-edge=\"{}\"", keys(edge, &traced));
        (attributes, format!("{} \u{2192} {}", names[0], names[1]))
    };
    let mut out = format!(
        "<svg class=\"x-topology\" role=\"img\" aria-label=\"The topology\" {}>{PATTERNS}",
        svg::size(picture.layout.width, picture.layout.height),
    );
    out.push_str(&picture.boxes());
    out.push_str(&picture.connections(&connection));
    out.push_str(&picture.captions());
    out.push_str(&picture.shapes(&note));
    let widest: Vec<String> = picture.graph.edges.iter().map(|edge| busiest(edge, trace, &traced)).collect();
    for (edge, spot) in picture.graph.edges.iter().zip(picture.labels(&widest)) {
        if let Some(spot) = spot {
            let (keys, x, y) = (keys(edge, &traced), svg::number(spot.x), svg::number(spot.y + 3.8));
            let _ = write!(out, "<text class=\"count\" data-count=\"{keys}\" x=\"{x}\" y=\"{y}\"></text>");
        }
    }
    out.push_str("</svg>");
    out
}

/// The connections of the trace that one of the picture shows: `2-3 7-3`.
fn keys(edge: &Edge, traced: &dyn Fn(usize) -> Option<usize>) -> String {
    let key = |(from, to): &(usize, usize)| Some(format!("{}-{}", traced(*from)?, traced(*to)?));
    edge.shows.iter().filter_map(key).collect::<Vec<_>>().join(" ")
}

/// The most messages that a connection of the picture ever shows in one bin: those of all flows.
pub(super) fn busiest(edge: &Edge, trace: &Trace, traced: &dyn Fn(usize) -> Option<usize>) -> String {
    let shown = |row: &&Traffic| {
        let ends = (Some(usize::from(row.from)), Some(usize::from(row.to)));
        edge.shows.iter().any(|(from, to)| (traced(*from), traced(*to)) == ends)
    };
    let rows: Vec<&Traffic> = trace.traffic.iter().filter(shown).collect();
    let bins = rows.iter().map(|row| row.count.len()).max().unwrap_or(0);
    let together =
        |bin: usize| rows.iter().filter_map(|row| row.count.get(bin)).copied().map(u64::from).sum();
    grouped((0..bins).map(together).max().unwrap_or(0))
}

/// What fills a node that is not there: wholly, or in part.
const PATTERNS: &str = "<defs>\
    <pattern id=\"x-all\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
    <rect class=\"x-ground\" width=\"6\" height=\"6\"/><rect class=\"x-stripe\" width=\"2.5\" height=\"6\"/></pattern>\
    <pattern id=\"x-part\" width=\"14\" height=\"14\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
    <rect class=\"x-ground\" width=\"14\" height=\"14\"/><rect class=\"x-stripe\" width=\"2\" height=\"14\"/></pattern>\
    </defs>";
