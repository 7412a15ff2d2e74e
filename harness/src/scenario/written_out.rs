//! The scenario with every default written out, each with a comment that says so and where it
//! comes from.

use beaufort_sim::network::links::{Source, routes};
use beaufort_sim::time::Span;
use beaufort_sim::units::Distribution;
use serde_json::Value;

use super::KIND;
use super::model::Scenario;
use super::path::{Path, Segment};
use super::print::print_with_notes;
use super::schema::flatten;
use super::ser;
use super::tree::Tree;

/// Prints it; `written` is the tree that it was read from.
///
/// # Errors
/// As [`Scenario::to_tree`].
pub fn print(scenario: &Scenario, written: &Tree) -> Result<String, ser::Error> {
    let full = scenario.to_tree()?;
    let schema = flatten(schemars::schema_for!(Scenario)).to_value();
    let walker = Walker { schema: &schema, full: &full, written };
    Ok(print_with_notes(&full, &|path| walker.note(path)) + &round_trips(scenario))
}

/// As a comment: the round trip between every two sites, and where it comes from.
fn round_trips(scenario: &Scenario) -> String {
    let blueprint = scenario.blueprint();
    let name =
        |index: u8| blueprint.sites.get_index(usize::from(index)).map_or("", |(name, _)| name.as_str());
    let lines = routes(&blueprint).into_iter().map(|route| {
        let source = match &route.source {
            Source::Link(link) => format!("links.{link}.rtt"),
            Source::Published => "published (facts data 5.6)".to_owned(),
            Source::Unknown => "neither published nor given: a guess; write a link with its `rtt`".to_owned(),
        };
        let (a, b) = (name(route.sites.0), name(route.sites.1));
        format!("#   {a} <-> {b}: {}, {source}\n", rounded(route.round_trip))
    });
    let lines: String = lines.collect();
    if lines.is_empty() { lines } else { format!("\n# Round trips between the sites:\n{lines}") }
}

/// To a hundredth of a millisecond, which is more than anybody knows.
fn rounded(of: Distribution) -> Distribution {
    let round = |span: Span| Span(span.0.next_multiple_of(10_000));
    match of {
        Distribution::Lognormal { median, p99 } => {
            Distribution::Lognormal { median: round(median), p99: round(p99) }
        }
        other => other,
    }
}

struct Walker<'a> {
    schema: &'a Value,
    full: &'a Tree,
    written: &'a Tree,
}

impl Walker<'_> {
    /// The comment behind a field that was not written.
    fn note(&self, path: &Path) -> Option<String> {
        let segments = path.segments();
        if segments.len() < 2 || segments[0] == Segment::Key("variants".into()) {
            return None;
        }
        let (parent, last) = (&segments[..segments.len() - 1], segments.last()?);
        if self.written.find(path).is_some() || !self.is_field(parent, last) {
            return None;
        }
        let source = self.description(segments).and_then(source);
        Some(match source {
            Some(source) => format!("default ({source})"),
            None => "default".to_owned(),
        })
    }

    /// Whether this is a field of something that was written as a map. A verb that was written as
    /// a bare word has become a map too, and inside of what is a default as a whole all is.
    fn is_field(&self, parent: &[Segment], last: &Segment) -> bool {
        let parent = parent.iter().try_fold(self.written, find);
        matches!(last, Segment::Key(_)) && parent.is_some_and(|parent| parent.entries().is_some())
    }

    /// The schema's words about what is at this path.
    fn description(&self, segments: &[Segment]) -> Option<&str> {
        let mut schema = self.schema;
        let mut here = self.full;
        for segment in segments {
            schema = self.inside(schema, here, segment)?;
            here = find(here, segment)?;
        }
        schema.get("description").and_then(Value::as_str)
    }

    fn inside<'s>(&'s self, schema: &'s Value, here: &Tree, segment: &Segment) -> Option<&'s Value> {
        let schema = self.resolve(schema);
        for alternatives in ["oneOf", "anyOf", "allOf"] {
            let list = schema.get(alternatives).and_then(Value::as_array);
            for alternative in list.into_iter().flatten().filter(|a| self.fits(a, here)) {
                if let Some(found) = self.inside(alternative, here, segment) {
                    return Some(found);
                }
            }
        }
        match segment {
            Segment::Key(name) => {
                let property = schema.get("properties").and_then(|properties| properties.get(name));
                property.or_else(|| schema.get("additionalProperties").filter(|any| any.is_object()))
            }
            Segment::Item { .. } => schema.get("items"),
        }
    }

    /// Whether this alternative is the one that a value was read by.
    fn fits(&self, alternative: &Value, here: &Tree) -> bool {
        let alternative = self.resolve(alternative);
        let Some(properties) = alternative.get("properties") else { return true };
        match here.get(KIND).and_then(Tree::as_text) {
            Some(kind) => properties.get(KIND).and_then(|k| k.get("const")).is_none_or(|k| k == kind),
            None => {
                let first = here.entries().and_then(|entries| entries.first());
                first.is_none_or(|(key, _)| properties.get(&key.name).is_some())
            }
        }
    }

    fn resolve<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let mut here = schema;
        while let Some(name) = here.get("$ref").and_then(Value::as_str)
            && let Some(next) = self.schema.pointer(name.trim_start_matches('#'))
        {
            here = next;
        }
        here
    }
}

fn find<'t>(tree: &'t Tree, segment: &Segment) -> Option<&'t Tree> {
    match segment {
        Segment::Key(name) => tree.get(name),
        Segment::Item { index, .. } => tree.items()?.get(*index),
    }
}

/// `facts 1.3` in a description that names its source.
fn source(description: &str) -> Option<&str> {
    let start = description.find("facts ")?;
    let rest = &description[start..];
    let end = rest.find([')', ';', '\n']).unwrap_or(rest.len());
    Some(rest[..end].trim_end_matches(['.', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::diagnostics::Sources;
    use crate::scenario::tree::parse;

    const TEXT: &str = "\
scenario: t
sites: { westeurope: {}, northeurope: {}, here: { kind: on-premises } }
links: { wan: { between: [here, westeurope], rtt: 8ms } }
nodes: { psp: { kind: endpoint, in: here } }
";

    #[test]
    fn the_round_trips_are_told_with_their_sources_and_the_text_reads_back() {
        let mut sources = Sources::new();
        let id = sources.add("t", TEXT);
        let tree = parse(&sources, id).unwrap();
        let scenario = Scenario::read(&tree).unwrap();
        let text = print(&scenario, &tree).unwrap();
        for line in [
            "# Round trips between the sites:",
            "#   westeurope <-> here: 8ms, links.wan.rtt",
            "#   northeurope <-> here: 20ms p99 27ms, neither published nor given",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(text.contains("westeurope <-> northeurope: 0.01875s p99"), "{text}");
        let id = sources.add("again", text);
        assert_eq!(Scenario::read(&parse(&sources, id).unwrap()).unwrap(), scenario);
    }
}
