//! What is wrong, where, and what would be right: messages for the people who write scenarios.
//!
//! A [`Diagnostic`] points into one of the [`Sources`]; it is drawn with a piece of the source
//! ([`render`]) or as one plain line ([`one_line`]) for editors and logs.

use std::fmt;
use std::sync::Arc;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteSpanContents, SourceSpan};

/// Which text a [`Span`] points into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// A piece of a source text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text it lies in.
    pub source: SourceId,
    /// The first byte.
    pub offset: u32,
    /// How many bytes; zero for a position.
    pub len: u32,
}

impl Span {
    /// The span of something that was not read from a text (a serialised value).
    pub const NONE: Span = Span { source: SourceId(u32::MAX), offset: 0, len: 0 };

    /// A span of `source`. Texts are far below 4 GB; what lies beyond is cut off.
    pub fn new(source: SourceId, offset: usize, len: usize) -> Self {
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Span { source, offset: small(offset), len: small(len) }
    }

    /// Whether it points into a text.
    pub fn is_some(self) -> bool {
        self != Span::NONE
    }

    /// A part of this span; the whole if the part does not lie inside.
    pub fn part(self, offset: usize, len: usize) -> Self {
        let part = Span::new(self.source, self.offset as usize + offset, len);
        if self.is_some() && offset + len <= self.len as usize { part } else { self }
    }

    fn end(self) -> usize {
        self.offset as usize + self.len as usize
    }
}

/// A text with the name by which the user knows it.
#[derive(Clone, Debug)]
pub struct Source {
    /// A file name, or `--set`.
    pub name: String,
    /// The whole text.
    pub text: Arc<str>,
}

/// All the texts that spans point into.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    list: Vec<Source>,
}

/// A place in a text as people count: both from one, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Sources {
    /// No texts yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text under the name that messages will show.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<Arc<str>>) -> SourceId {
        let id = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        self.list.push(Source { name: name.into(), text: text.into() });
        SourceId(id)
    }

    /// The source of that id, unless it belongs to no text here.
    pub fn get(&self, id: SourceId) -> Option<&Source> {
        self.list.get(usize::try_from(id.0).ok()?)
    }

    /// The text that a span covers; nothing if it points nowhere.
    pub fn text(&self, span: Span) -> Option<&str> {
        self.get(span.source)?.text.get(span.offset as usize..span.end())
    }

    /// Line and column of the start of a span; nothing if it points nowhere.
    pub fn position(&self, span: Span) -> Option<Position> {
        let text = &self.get(span.source)?.text;
        let before = &text[..floor_boundary(text, span.offset as usize)];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Some(Position {
            line: before.bytes().filter(|b| *b == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        })
    }
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The scenario cannot be used.
    Error,
    /// It can be used, but probably not with the result that was meant.
    Warning,
    /// Worth knowing.
    Advice,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "advice",
        })
    }
}

/// One message: what is wrong, where, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// Where; [`Span::NONE`] if it belongs to no place.
    pub span: Span,
    /// A few words that are written below the place.
    pub label: Option<String>,
    /// Other places that belong to it, with a few words each.
    pub related: Vec<(Span, String)>,
    /// What would be right.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(message: impl Into<String>, span: Span) -> Self {
        Diagnostic {
            severity: Severity::Error,
            message: message.into(),
            span,
            label: None,
            related: Vec::new(),
            help: None,
        }
    }

    /// A warning at a place.
    pub fn warning(message: impl Into<String>, span: Span) -> Self {
        Diagnostic { severity: Severity::Warning, ..Self::error(message, span) }
    }

    /// With a few words below the place.
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// With what would be right.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With what would be right, if that is known.
    pub fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// With another place that belongs to it.
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, label.into()));
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.message)
    }
}

/// How to draw messages.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Terminal colours.
    pub colour: bool,
    /// The number of columns to wrap at.
    pub width: usize,
}

impl Default for Look {
    fn default() -> Self {
        Look { colour: false, width: 100 }
    }
}

/// Sorts messages by their place: source by source, from top to bottom, the worse first.
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by_key(|d| (d.span, d.severity));
}

/// Draws messages, sorted by place, each with the piece of the source it points at.
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, look: Look) -> String {
    let mut sorted = diagnostics.to_vec();
    sort(&mut sorted);
    let drawn: Vec<String> = sorted.iter().map(|d| draw(d, sources, look)).collect();
    drawn.join("\n")
}

/// The message as one line, `file:line:column: error: what is wrong (what would be right)`.
pub fn one_line(diagnostic: &Diagnostic, sources: &Sources) -> String {
    let mut line = match place(diagnostic.span, sources) {
        Some(place) => format!("{place}: {diagnostic}"),
        None => diagnostic.to_string(),
    };
    if let Some(help) = &diagnostic.help {
        line.push_str(&format!(" ({help})"));
    }
    line.replace(['\n', '\r'], " ")
}

/// The words of `candidates` that `wrong` was probably meant to be: the nearest by edit distance.
///
/// Nothing if none is near enough: a guess that is too far off confuses more than it helps.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing costs length times length; no name anyone means is longer than this.
    if wrong.len() > 100 {
        return None;
    }
    let allowed = (wrong.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .filter(|c| c.len() <= 100 && *c != wrong)
        .map(|c| (distance(wrong, c), c))
        .filter(|(distance, c)| *distance <= allowed && *distance < c.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

/// The sentence to help with: ``did you mean `x`?``, if something near enough exists.
pub fn did_you_mean<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(wrong, candidates).map(|c| format!("did you mean `{c}`?"))
}

/// A list for a sentence: `` `a`, `b` or `c` ``; cut off after a dozen.
pub fn listed(words: &[&str]) -> String {
    const MOST: usize = 12;
    let quoted: Vec<String> = words.iter().take(MOST).map(|w| format!("`{w}`")).collect();
    match quoted.split_last() {
        None => String::from("nothing"),
        Some(_) if words.len() > MOST => {
            format!("{} and {} more", quoted.join(", "), words.len() - MOST)
        }
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// `text` for a message: on one line, and cut off when it is long.
pub fn short(text: &str) -> String {
    const MOST: usize = 60;
    let mut out: String = text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}

/// Edit distance in which case and `_` for `-` cost nothing: both are slips, not other words.
fn distance(a: &str, b: &str) -> usize {
    let plain = |s: &str| s.to_lowercase().replace('_', "-");
    strsim::damerau_levenshtein(&plain(a), &plain(b))
}

fn place(span: Span, sources: &Sources) -> Option<String> {
    let name = &sources.get(span.source)?.name;
    let at = sources.position(span)?;
    Some(format!("{name}:{}:{}", at.line, at.column))
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn draw(diagnostic: &Diagnostic, sources: &Sources, look: Look) -> String {
    let theme = if look.colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_links(false)
        .with_width(look.width.max(40))
        .with_context_lines(1);
    let mut out = String::new();
    let drawn = Drawn::new(diagnostic, sources);
    match handler.render_report(&mut out, &drawn) {
        Ok(()) => out,
        Err(_) => one_line(diagnostic, sources) + "\n",
    }
}

/// A diagnostic as miette wants it: labels in one source, everything else in words.
#[derive(Debug)]
struct Drawn<'a> {
    diagnostic: &'a Diagnostic,
    excerpt: Option<Excerpt<'a>>,
    labels: Vec<LabeledSpan>,
    help: Option<String>,
}

impl<'a> Drawn<'a> {
    fn new(diagnostic: &'a Diagnostic, sources: &'a Sources) -> Self {
        let excerpt = Excerpt::around(diagnostic.span, sources);
        let mut labels = Vec::new();
        let mut help: Vec<String> = diagnostic.help.iter().cloned().collect();
        if let Some(excerpt) = &excerpt {
            labels.push(LabeledSpan::new_primary_with_span(
                diagnostic.label.clone(),
                excerpt.locate(diagnostic.span),
            ));
        }
        for (span, label) in &diagnostic.related {
            match &excerpt {
                Some(excerpt) if excerpt.holds(*span) => {
                    labels.push(LabeledSpan::new_with_span(Some(label.clone()), excerpt.locate(*span)))
                }
                _ => help.extend(place(*span, sources).map(|place| format!("{place}: {label}"))),
            }
        }
        Drawn { diagnostic, excerpt, labels, help: (!help.is_empty()).then(|| help.join("\n")) }
    }
}

impl fmt::Display for Drawn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.diagnostic.message)
    }
}

impl std::error::Error for Drawn<'_> {}

impl miette::Diagnostic for Drawn<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.diagnostic.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
            Severity::Advice => miette::Severity::Advice,
        })
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        let help = self.help.as_ref()?;
        Some(Box::new(help))
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.excerpt.as_ref().map(|e| e as &dyn miette::SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

/// The piece of a source that is worth drawing: everything, unless its lines are so long that
/// they would bury the message.
#[derive(Debug)]
struct Excerpt<'a> {
    name: &'a str,
    text: &'a str,
    source: SourceId,
    offset: usize,
    line: usize,
    column: usize,
}

impl<'a> Excerpt<'a> {
    const LONG_LINE: usize = 400;

    fn around(span: Span, sources: &'a Sources) -> Option<Self> {
        let source = sources.get(span.source)?;
        let text: &str = &source.text;
        let at = floor_boundary(text, span.offset as usize);
        let start = text[..at].rfind('\n').map_or(0, |i| i + 1);
        let end = text[at..].find('\n').map_or(text.len(), |i| at + i);
        let whole = Excerpt { name: &source.name, text, source: span.source, offset: 0, line: 0, column: 0 };
        if end - start <= Self::LONG_LINE {
            return Some(whole);
        }
        let from = floor_boundary(text, at.saturating_sub(Self::LONG_LINE / 4).max(start));
        let to = floor_boundary(text, (at + Self::LONG_LINE / 4).min(end));
        Some(Excerpt {
            text: &text[from..to],
            offset: from,
            line: text[..from].bytes().filter(|b| *b == b'\n').count(),
            column: text[start..from].chars().count(),
            ..whole
        })
    }

    fn holds(&self, span: Span) -> bool {
        let inside = self.offset..=self.offset + self.text.len();
        span.source == self.source && inside.contains(&(span.offset as usize))
    }

    /// The span inside the excerpt, ending with its line: what follows would only be noise.
    fn locate(&self, span: Span) -> SourceSpan {
        let start = floor_boundary(self.text, (span.offset as usize).saturating_sub(self.offset));
        let end = floor_boundary(self.text, start + span.len as usize);
        let line = self.text[start..end.max(start)].lines().next().unwrap_or("");
        (start, line.trim_end().len()).into()
    }
}

impl miette::SourceCode for Excerpt<'_> {
    fn read_span<'b>(
        &'b self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn miette::SpanContents<'b> + 'b>, miette::MietteError> {
        let inner = self.text.read_span(span, before, after)?;
        // Columns are counted in characters, as everywhere else, and from the start of the line
        // even if the excerpt begins later.
        let before = &self.text[..floor_boundary(self.text, inner.span().offset())];
        let column = match before.rfind('\n') {
            Some(line) => before[line + 1..].chars().count(),
            None => before.chars().count() + self.column,
        };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.to_owned(),
            inner.data(),
            *inner.span(),
            inner.line() + self.line,
            column,
            inner.line_count(),
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Sources, SourceId) {
        let mut sources = Sources::new();
        let id = sources.add("a.yaml", "nodes:\n  é: { kind: quue }\n");
        (sources, id)
    }

    #[test]
    fn positions_count_from_one_and_in_characters() {
        let (sources, id) = sample();
        let at = |offset| sources.position(Span::new(id, offset, 0));
        assert_eq!(at(0), Some(Position { line: 1, column: 1 }));
        assert_eq!(at(7), Some(Position { line: 2, column: 1 }));
        assert_eq!(at(11), Some(Position { line: 2, column: 4 }));
        assert_eq!(at(10_000).map(|p| p.line), Some(3));
        assert_eq!(sources.position(Span::NONE), None);
    }

    #[test]
    fn one_line_form() {
        let (sources, id) = sample();
        let d = Diagnostic::error("no such\nkind", Span::new(id, 21, 4)).help("try `queue`");
        assert_eq!(one_line(&d, &sources), "a.yaml:2:14: error: no such kind (try `queue`)");
        let nowhere = Diagnostic::warning("odd", Span::NONE);
        assert_eq!(one_line(&nowhere, &sources), "warning: odd");
    }

    #[test]
    fn drawing_shows_source_label_and_help_without_colour() {
        let (sources, id) = sample();
        let d = Diagnostic::error("there is no kind `quue`", Span::new(id, 21, 4))
            .label("unknown")
            .help("did you mean `queue`?");
        let text = render(std::slice::from_ref(&d), &sources, Look::default());
        assert!(text.contains("a.yaml:2:14"), "{text}");
        assert!(text.contains("{ kind: quue }"), "{text}");
        assert!(text.contains("unknown"), "{text}");
        assert!(text.contains("did you mean"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        let colour = Look { colour: true, ..Look::default() };
        assert!(render(&[d], &sources, colour).contains('\u{1b}'));
    }

    #[test]
    fn several_are_sorted_by_place() {
        let (sources, id) = sample();
        let list = [
            Diagnostic::error("second", Span::new(id, 21, 4)),
            Diagnostic::error("first", Span::new(id, 0, 5)),
            Diagnostic::error("last", Span::NONE),
        ];
        let text = render(&list, &sources, Look::default());
        let at = |word: &str| text.find(word);
        assert!(at("first") < at("second") && at("second") < at("last"));
    }

    #[test]
    fn spans_that_make_no_sense_do_not_panic() {
        let (sources, id) = sample();
        for (offset, len) in [(10, 1), (9, 1000), (9999, 3), (u32::MAX as usize, 9), (0, 0)] {
            let d = Diagnostic::error("x", Span::new(id, offset, len));
            assert!(!render(std::slice::from_ref(&d), &sources, Look::default()).is_empty());
            assert!(!one_line(&d, &sources).is_empty());
        }
    }

    #[test]
    fn a_very_long_line_is_cut() {
        let mut sources = Sources::new();
        let id = sources.add("long", format!("a: 1\nb: [{}]\n", "1234567, ".repeat(50_000)));
        let d = Diagnostic::error("x", Span::new(id, 200_000, 7)).related(Span::new(id, 0, 1), "first");
        let text = render(&[d], &sources, Look::default());
        assert!(text.len() < 2_000, "{} bytes", text.len());
        assert!(text.contains("long:2:199996"), "{text}");
        assert!(text.contains("long:1:1: first"), "{text}");
    }

    #[test]
    fn related_places_in_other_sources_are_told_in_words() {
        let (mut sources, id) = sample();
        let set = sources.add("--set", "nodes.x=1");
        let d = Diagnostic::error("x", Span::new(id, 0, 5)).related(Span::new(set, 0, 7), "set here");
        let text = render(&[d], &sources, Look::default());
        assert!(text.contains("--set:1:1: set here"), "{text}");
    }

    #[test]
    fn suggestions_are_near_or_absent() {
        let words = ["insert", "increment", "dead-letter", "delete"];
        assert_eq!(nearest("insrt", words), Some("insert"));
        assert_eq!(nearest("dead_letter", words), Some("dead-letter"));
        assert_eq!(nearest("Insert", words), Some("insert"));
        assert_eq!(nearest("zebra", words), None);
        assert_eq!(nearest("", words), None);
        assert_eq!(nearest(&"i".repeat(1_000_000), words), None);
        assert_eq!(nearest("a", ["b"]), None);
    }

    #[test]
    fn lists_read_as_sentences() {
        assert_eq!(listed(&[]), "nothing");
        assert_eq!(listed(&["a"]), "`a`");
        assert_eq!(listed(&["a", "b", "c"]), "`a`, `b` or `c`");
        assert!(listed(&["x"; 20]).ends_with("and 8 more"));
    }
}
