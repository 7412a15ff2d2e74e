//! What a report is put together with: numbers its pictures and tables, and keeps their files.

use maud::{Markup, PreEscaped, html};

use super::explorer::plain;
use super::plot::{self, Drawn, Frame, Home, Picture};
use super::table::Table;
use super::{Error, File, clean};

/// How much of the pictures a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Every picture twice: for wide and for narrow screens.
    All,
    /// Every picture once.
    Wide,
    /// The pictures of documents that do not pass.
    Failing,
    /// The same, without runs to step through.
    Still,
    /// None: they are files.
    Files,
}

/// A report that comes to be.
pub(super) struct Build {
    /// The files so far.
    pub files: Vec<File>,
    /// What the names of the files of this document begin with, where there are several.
    pub key: String,
    /// Whether pictures stand in the page, and for which screens.
    pub inline: Option<bool>,
    /// Whether runs can be stepped through in the page.
    pub explorers: bool,
    plots: usize,
    tables: usize,
}

impl Build {
    pub(super) fn new() -> Build {
        Build {
            files: Vec::new(),
            key: String::new(),
            inline: Some(true),
            explorers: true,
            plots: 0,
            tables: 0,
        }
    }

    fn path(&self, folder: &str, number: usize, name: &str, ending: &str) -> String {
        let key = if self.key.is_empty() { String::new() } else { format!("{}-", self.key) };
        format!("{folder}/{number:02}-{key}{}.{ending}", slug(name))
    }

    /// A table in the page and as a file.
    pub(super) fn table(&mut self, table: &Table) -> Result<Markup, Error> {
        let file = self.sheet(table)?;
        Ok(table.html(&file))
    }

    /// A table as a file only.
    pub(super) fn sheet(&mut self, table: &Table) -> Result<String, Error> {
        self.tables += 1;
        let path = self.path("tables", self.tables, &table.name, "csv");
        self.files.push(File { path: path.clone(), bytes: table.csv()? });
        Ok(path)
    }

    /// A picture that is complete in itself, as a file.
    pub(super) fn picture(&mut self, name: &str, svg: &str) -> String {
        self.plots += 1;
        let path = self.path("plots", self.plots, name, "svg");
        self.files
            .push(File { path: path.clone(), bytes: clean::clean(&plain(svg)).into_owned().into_bytes() });
        path
    }

    /// A picture in the page and as a file, with its numbers as a file.
    pub(super) fn figure(&mut self, picture: &dyn Picture, numbers: &Table) -> Result<Markup, Error> {
        let sheet = self.sheet(numbers)?;
        self.plots += 1;
        let number = self.plots;
        let path = self.path("plots", number, picture.name(), "svg");
        let file = plot::drawn(picture, plot::WIDE, Home::File)?;
        self.files.push(File { path: path.clone(), bytes: alone(picture, &file).into_bytes() });
        let frames: &[(&str, Frame)] = match self.inline {
            None => &[],
            Some(false) => &[("always", plot::WIDE)],
            Some(true) => &[("wide", plot::WIDE), ("narrow", plot::NARROW)],
        };
        let mut drawn = Vec::new();
        for (class, frame) in frames {
            drawn.push((*class, plot::drawn(picture, *frame, Home::Page)?));
        }
        Ok(html! {
            figure {
                @for (class, one) in &drawn { (within(picture, one, class, number)) }
                figcaption {
                    (picture.title()) ". "
                    @if drawn.is_empty() { (picture.desc()) " " }
                    a.file href=(path) { "SVG" } " "
                    a.file href=(sheet) { "CSV" }
                }
            }
        })
    }
}

/// A picture in the page.
fn within(picture: &dyn Picture, drawn: &Drawn, class: &str, number: usize) -> Markup {
    let id = format!("p{number}-{class}");
    html! {
        svg class=(class) role="img" aria-labelledby={ (id) "-t " (id) "-d" }
            viewBox={ "0 0 " (drawn.width) " " (drawn.height) } {
            title id={ (id) "-t" } { (picture.title()) }
            desc id={ (id) "-d" } { (picture.desc()) }
            (PreEscaped(&drawn.body))
        }
    }
}

/// A picture as a file.
fn alone(picture: &dyn Picture, drawn: &Drawn) -> String {
    let size = |units: u32| units / 2;
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" role="img" font-family="system-ui, sans-serif"
            width=(size(drawn.width)) height=(size(drawn.height))
            viewBox={ "0 0 " (drawn.width) " " (drawn.height) } {
            title { (picture.title()) }
            desc { (picture.desc()) }
            (plot::patterns(Home::File))
            (PreEscaped(&drawn.body))
        }
    };
    clean::clean(&svg.into_string()).into_owned()
}

/// A name as a part of a file's name or of an address in the page.
pub(super) fn slug(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars().take(200) {
        match letter.to_ascii_lowercase() {
            letter if letter.is_ascii_alphanumeric() => out.push(letter),
            _ if out.ends_with('-') || out.is_empty() => {}
            _ => out.push('-'),
        }
        if out.len() >= 40 {
            break;
        }
    }
    let out = out.trim_end_matches('-');
    if out.is_empty() { "x".to_owned() } else { out.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_plain() {
        assert_eq!(slug("../etc/<Passwd> \"x\""), "etc-passwd-x");
        assert_eq!(slug("\u{202e}שלום"), "x");
        assert!(slug(&"a".repeat(100)).len() <= 40);
    }
}
