//! Where in a scenario something is, in the words of the language: `nodes.relay.steps.command`.

use std::fmt;

/// One step down into a tree.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// The value of a key.
    Key(String),
    /// An element of a list.
    Item {
        /// Its position, from zero.
        index: usize,
        /// The name by which the language addresses it, if it has one of its own.
        name: Option<String>,
    },
}

/// The way from the root to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path {
    segments: Vec<Segment>,
}

impl Path {
    /// The root.
    pub fn root() -> Self {
        Self::default()
    }

    /// The way through these keys.
    pub fn of_keys<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        Path { segments: keys.into_iter().map(|k| Segment::Key(k.into())).collect() }
    }

    /// The segments from the root down.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// Goes down into a key.
    pub fn push_key(&mut self, key: &str) {
        self.segments.push(Segment::Key(key.to_owned()));
    }

    /// Goes down into the element of a list, with the name by which the language addresses it, if any.
    pub fn push_item(&mut self, index: usize, name: Option<&str>) {
        self.segments.push(Segment::Item { index, name: name.map(str::to_owned) });
    }

    /// Goes down into the element of a list, known by its position only.
    pub fn push_index(&mut self, index: usize) {
        self.segments.push(Segment::Item { index, name: None });
    }

    /// Goes up again.
    pub fn pop(&mut self) -> Option<Segment> {
        self.segments.pop()
    }

    /// This path with `tail` behind it; `tail` is given from the innermost segment outwards, the
    /// order in which an error passes them.
    pub(super) fn joined(&self, tail: &[Segment]) -> Path {
        let tail = tail.iter().rev().cloned();
        Path { segments: self.segments.iter().cloned().chain(tail).collect() }
    }
}

impl Segment {
    fn own_name(&self) -> Option<&str> {
        match self {
            Segment::Item { name, .. } => name.as_deref(),
            Segment::Key(_) => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Segment::Key(key) => key.clone(),
            Segment::Item { name: Some(name), .. } => name.clone(),
            Segment::Item { index, .. } => format!("#{}", index + 1),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before: Option<&Segment> = None;
        for segment in &self.segments {
            // A step that is named by its verb would say it twice: `steps.reply.reply`.
            if before.and_then(Segment::own_name) == Some(segment.text().as_str()) {
                continue;
            }
            if before.is_some() {
                f.write_str(".")?;
            }
            f.write_str(&segment.text())?;
            before = Some(segment);
        }
        Ok(())
    }
}
