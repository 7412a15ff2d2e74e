//! How far a sweep has come: a bar where somebody watches, else a line now and then.

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};

use super::Terminal;
use crate::stopwatch::Stopwatch;

/// At least so many seconds between two lines.
const PAUSE: f64 = 5.0;

/// The progress of a sweep. Workers on several threads report to it.
pub(super) struct Progress<'t, 'a> {
    terminal: Mutex<Count<'t, 'a>>,
    bar: Option<ProgressBar>,
}

struct Count<'t, 'a> {
    terminal: &'t mut Terminal<'a>,
    name: String,
    done: u64,
    total: u64,
    tenths: u64,
    pause: f64,
    last: Stopwatch,
}

impl<'t, 'a> Progress<'t, 'a> {
    /// Begins to count to `total`.
    pub(super) fn new(terminal: &'t mut Terminal<'a>, name: &str, total: u64) -> Self {
        let bar = terminal.watched.then(|| bar(name, total, terminal.colour_err));
        let (name, last) = (name.to_owned(), Stopwatch::start());
        let count = Count { terminal, name, done: 0, total, tenths: 0, pause: PAUSE, last };
        Progress { terminal: Mutex::new(count), bar }
    }

    /// One more seed is done; perhaps there is a line to print about it.
    pub(super) fn tick(&self, line: Option<String>) {
        let Ok(mut count) = self.terminal.lock() else { return };
        match (&self.bar, line) {
            (Some(bar), Some(line)) => bar.suspend(|| count.terminal.result(&line)),
            (None, Some(line)) => count.terminal.result(&line),
            (_, None) => {}
        }
        match &self.bar {
            Some(bar) => bar.inc(1),
            None => count.tick(),
        }
    }

    /// Takes the bar away: the report takes its place.
    pub(super) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Count<'_, '_> {
    fn tick(&mut self) {
        self.done += 1;
        let tenths = self.done * 10 / self.total.max(1);
        // What is soon done needs no lines: they would bury the report.
        if tenths > self.tenths && self.last.seconds() >= self.pause {
            self.tenths = tenths;
            self.last = Stopwatch::start();
            let line = format!("{}: {} of {} seeds\n", self.name, self.done, self.total);
            self.terminal.say(&line);
        }
    }
}

fn bar(name: &str, total: u64, colour: bool) -> ProgressBar {
    let template = match colour {
        true => "{msg} {wide_bar:.cyan} {pos}/{len} seeds, {eta} left",
        false => "{msg} {wide_bar} {pos}/{len} seeds, {eta} left",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style).with_message(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_at_every_tenth_where_nobody_watches() {
        let mut err = Vec::new();
        {
            let mut terminal = Terminal::plain(std::io::sink(), &mut err);
            let progress = Progress::new(&mut terminal, "x", 100);
            progress.terminal.lock().unwrap().pause = 0.0;
            (0..100).for_each(|_| progress.tick(None));
            progress.finish();
        }
        let text = String::from_utf8(err).unwrap();
        assert_eq!(text.lines().count(), 10, "{text}");
        assert!(text.starts_with("x: 10 of 100 seeds\n"), "{text}");
    }
}
