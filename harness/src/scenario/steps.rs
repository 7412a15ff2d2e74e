//! What the elements of a list are called, such as the steps of a recipe.

use super::path::Segment;
use super::tree::Tree;

/// The segment of a path for an element of a list.
pub(super) fn item_segment(list: &[Tree], index: usize) -> Segment {
    Segment::Item { index, name: own_name(list, index).map(str::to_owned) }
}

/// The name that a step gives itself: its `as`.
pub(super) fn given_name(step: &Tree) -> Option<&str> {
    step.get("as").and_then(Tree::as_text)
}

/// What a step does: its first key, or the word itself.
pub(super) fn verb(step: &Tree) -> Option<&str> {
    match step.entries() {
        Some(entries) => entries.first().map(|(key, _)| key.name.as_str()),
        None => step.as_text(),
    }
}

/// The name by which the language addresses an element of a list: its `as`, else its verb where no other
/// has it. None for plain values, which are known by their position only.
pub(super) fn own_name(list: &[Tree], index: usize) -> Option<&str> {
    let item = list.get(index)?;
    item.entries()?;
    if let Some(name) = given_name(item) {
        return Some(name);
    }
    let name = verb(item)?;
    let taken = |other: &&Tree| verb(other) == Some(name) || given_name(other) == Some(name);
    (list.iter().filter(taken).take(2).count() == 1).then_some(name)
}
