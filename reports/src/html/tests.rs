//! What people find in a page.

use super::fixture;
use super::{File, site};
use crate::results::Results;

fn files(all: &[Results]) -> Vec<File> {
    site(all).expect("drawn")
}

fn text(files: &[File], path: &str) -> String {
    let file = files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(file.bytes.clone()).expect("text")
}

/// Writes fixtures as documents into the folder `FIXTURES`, to be looked at with the example `render`.
#[test]
#[ignore = "writes files"]
fn write_fixtures() {
    let folder = std::path::PathBuf::from(std::env::var("FIXTURES").expect("FIXTURES is a folder"));
    for (name, results) in
        [("run", fixture::run()), ("sweep", fixture::sweep(20)), ("thousand", fixture::sweep(1000))]
    {
        std::fs::write(folder.join(format!("{name}.json")), results.to_json().expect("prints"))
            .expect("written");
    }
}

#[test]
fn the_page_says_what_came_out_and_how_to_see_it_again() {
    let page = text(&files(&[fixture::run()]), "index.html");
    for part in [
        "<p class=\"verdict\">FAIL</p>",
        "beaufort run scenarios/order-flow.yaml --variant ack-first --seed 3",
        "12 lost of 96,000 items",
    ] {
        assert!(page.contains(part), "{part}");
    }
}
