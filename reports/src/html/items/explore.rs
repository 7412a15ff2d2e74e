//! The topology as a picture, and the run to step through: drawn by the explorer, which has a room of its own.

use maud::{PreEscaped, html};

use super::Panel;
use crate::html::Error;
use crate::html::build::Build;
use crate::html::doc::Doc;
use crate::html::explorer;
use crate::text::replay_command;

/// The topology with the health of its nodes.
pub(super) fn topology(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some(design) = doc.design().filter(|design| !design.nodes.is_empty()) else {
        return Ok(Panel::Absent("the document does not say which nodes there are".to_owned()));
    };
    let picture = explorer::topology(design, doc.focus);
    let file = build.picture("topology", &picture);
    Ok(Panel::Shown(html! {
        div.scroll.broad tabindex="0" role="group" aria-label="Topology" { (PreEscaped(&picture)) }
        p.more { "Topology" (doc.of_seed()) ". " a.file href=(file) { "SVG" } }
    }))
}

/// The explorer of the trace.
pub(super) fn steps(build: &mut Build, doc: &Doc<'_>) -> Result<Panel, Error> {
    let Some((seed, trace)) = doc.focus.and_then(|seed| Some((seed, seed.trace.as_ref()?))) else {
        return Ok(Panel::Absent("the document has no trace; a run by this version writes one".to_owned()));
    };
    if !build.explorers {
        let why =
            "with all that is reported together, the page would be too large; report this variant alone";
        return Ok(Panel::Absent(why.to_owned()));
    }
    let command = replay_command(doc.results, seed.seed);
    let fragment = explorer::fragment(trace, doc.design(), seed, &command)?;
    Ok(Panel::Shown(html! {
        p.note.paper { "Not on paper: it is to be stepped through on a screen." }
        (PreEscaped(fragment))
    }))
}
