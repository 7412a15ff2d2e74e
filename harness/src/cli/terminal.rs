//! What a command may know of the outside: where to write, and how.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use beaufort_engines::guest::Guests;
use beaufort_reports::PROGRAM;
use beaufort_reports::ci::Host;

use crate::scenario::diagnostics::{Look, render};
use crate::scenario::load::BadInput;
use crate::verdict::Exit;

/// How many columns text is wrapped at.
pub(super) const WIDTH: usize = 80;

/// Where the results go, where the words for people go, and what the latter may look like.
pub struct Terminal<'a> {
    out: Pipe<'a>,
    err: Pipe<'a>,
    /// Whether someone watches standard error.
    pub watched: bool,
    /// Whether standard output may be coloured.
    pub colour_out: bool,
    /// Whether standard error may be coloured.
    pub colour_err: bool,
    /// Set when the user wants to stop.
    pub interrupted: Arc<AtomicBool>,
    /// The programs that may take a node's place, on an engine that runs them.
    pub guests: Guests,
    /// The pipeline that this runs in, if any, and the file of the page that it shows for the step.
    pub pipeline: Option<(Host, Option<PathBuf>)>,
    /// Whether standard output is for programs: other lines go to standard error then.
    pub(super) structured: bool,
    /// How a user calls this program: `beaufort`, or one with guests of its own.
    pub program: String,
}

/// A stream whose reader may have gone away: then nothing more is written, and that is no error.
struct Pipe<'a> {
    to: Box<dyn Write + Send + 'a>,
    gone: bool,
    failed: Option<io::Error>,
}

impl Pipe<'_> {
    fn write(&mut self, text: &str) {
        if self.gone || self.failed.is_some() {
            return;
        }
        match self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush()) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => self.gone = true,
            Err(e) => self.failed = Some(e),
        }
    }
}

impl<'a> Terminal<'a> {
    /// Streams that nobody watches: no colours, no progress bar.
    pub fn plain(out: impl Write + Send + 'a, err: impl Write + Send + 'a) -> Self {
        let pipe = |to: Box<dyn Write + Send + 'a>| Pipe { to, gone: false, failed: None };
        Terminal {
            out: pipe(Box::new(out)),
            err: pipe(Box::new(err)),
            watched: false,
            colour_out: false,
            colour_err: false,
            interrupted: Arc::default(),
            guests: Guests::new(),
            pipeline: None,
            structured: false,
            program: PROGRAM.to_owned(),
        }
    }

    /// Writes a result to standard output.
    pub fn result(&mut self, text: &str) {
        self.out.write(text);
    }

    /// Writes words for people to standard error.
    pub fn say(&mut self, text: &str) {
        self.err.write(text);
    }

    /// Writes a line that a pipeline reads in its log.
    pub(super) fn log(&mut self, line: &str) {
        let line = format!("{line}\n");
        if self.structured { self.say(&line) } else { self.result(&line) }
    }

    /// Draws what is wrong with the input.
    pub fn refuse(&mut self, bad: &BadInput) {
        let look = Look { colour: self.colour_err, width: WIDTH };
        let text = render(&bad.diagnostics, &bad.sources, look);
        self.say(&text);
    }

    /// Says that Beaufort itself is wrong.
    pub(super) fn defect(&mut self, what: &str) -> Exit {
        self.say(&format!(
            "beaufort: internal error: {what}\nthis is a defect of Beaufort; please report it\n"
        ));
        Exit::Internal
    }

    /// Whether the user wants to stop.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Why results could not be written, if so.
    pub(super) fn failure(&self) -> Option<&io::Error> {
        self.out.failed.as_ref()
    }
}

impl std::fmt::Debug for Terminal<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("watched", &self.watched).finish_non_exhaustive()
    }
}

/// A heading or a term in bold, where that is possible.
pub(super) fn bold(text: &str, colour: bool) -> String {
    if colour { format!("\u{1b}[1m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Words wrapped at [`WIDTH`]; the first line begins at column `column`, the others at `indent`.
pub(super) fn wrapped(text: &str, column: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut at = column;
    let mut first = true;
    for word in text.split_whitespace() {
        let width = word.chars().count();
        if !first && at + 1 + width > WIDTH {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
            at = indent;
            first = true;
        }
        if !first {
            out.push(' ');
            at += 1;
        }
        out.push_str(word);
        at += width;
        first = false;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_with_its_indentation() {
        let text = wrapped(&"word ".repeat(40), 20, 4);
        for (i, line) in text.lines().enumerate() {
            let width = line.chars().count() + if i == 0 { 20 } else { 0 };
            assert!(width <= WIDTH, "{line}");
            assert!(i == 0 || line.starts_with("    word"), "{line}");
        }
        assert_eq!(text.matches("word").count(), 40);
    }

    struct Gone(io::ErrorKind);

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error_but_a_full_disk_is() {
        let mut terminal = Terminal::plain(Gone(io::ErrorKind::BrokenPipe), io::sink());
        terminal.result("x");
        assert!(terminal.failure().is_none());
        let mut terminal = Terminal::plain(Gone(io::ErrorKind::StorageFull), io::sink());
        terminal.result("x");
        assert!(terminal.failure().is_some());
    }
}
