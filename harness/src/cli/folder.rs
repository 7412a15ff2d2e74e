//! A folder of files is replaced as a whole: either the old one stands or the new one does.

use std::fs;
use std::io;
use std::path::Path;

use beaufort_reports::html::File;
use tempfile::TempDir;

use super::files::{parent, publish};

/// By which a report is recognised: nothing else is ever replaced.
const MARK: &str = "index.html";

/// Whether a folder may be replaced, and could be: it is absent, empty, or a report; and its parent can be
/// written to. Leaves nothing behind.
///
/// # Errors
/// In words for the user.
pub(super) fn replaceable(path: &Path) -> Result<(), String> {
    let shown = path.display();
    if path.is_file() {
        return Err(format!("cannot write {shown}: it is a file, and a report is a folder"));
    }
    if path.is_dir() && !path.join(MARK).is_file() && !is_empty(path).map_err(|e| cannot(path, &e))? {
        return Err(format!("{shown} is not empty and holds no report: it is not overwritten"));
    }
    TempDir::new_in(parent(path)).map(drop).map_err(|e| cannot(path, &e))
}

/// Writes the files next to the folder, and puts them in its place when all of them are there.
///
/// # Errors
/// In words for the user; the folder is as it was.
pub(super) fn replace(path: &Path, files: &[File]) -> Result<(), String> {
    replaceable(path)?;
    let fresh = TempDir::new_in(parent(path)).map_err(|e| cannot(path, &e))?;
    fill(fresh.path(), files).map_err(|e| cannot(path, &e))?;
    swap(fresh, path).map_err(|e| cannot(path, &e))
}

fn fill(folder: &Path, files: &[File]) -> io::Result<()> {
    publish(folder)?;
    for file in files {
        let path = folder.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut written = fs::File::create(&path)?;
        io::Write::write_all(&mut written, &file.bytes)?;
        // Some file systems tell of a full disk only then.
        written.sync_all()?;
    }
    Ok(())
}

fn swap(fresh: TempDir, path: &Path) -> io::Result<()> {
    let fresh = fresh.keep();
    if !path.exists() {
        return fs::rename(&fresh, path);
    }
    let aside = TempDir::new_in(parent(path))?;
    let old = aside.path().join("old");
    fs::rename(path, &old)?;
    fs::rename(&fresh, path).inspect_err(|_| {
        // It was there a moment ago; if it cannot go back either, nothing more can be done.
        let _ = fs::rename(&old, path);
        let _ = fs::remove_dir_all(&fresh);
    })
}

fn is_empty(path: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(path)?.next().is_none())
}

fn cannot(path: &Path, error: &io::Error) -> String {
    format!("cannot write {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
    }

    #[test]
    fn a_report_is_replaced_as_a_whole() {
        let place = tempfile::tempdir().unwrap();
        let report = place.path().join("report");
        replace(&report, &[file(MARK, "one"), file("plots/a.svg", "a")]).unwrap();
        assert_eq!(fs::read_to_string(report.join("plots/a.svg")).unwrap(), "a");
        replace(&report, &[file(MARK, "two")]).unwrap();
        assert_eq!(fs::read_to_string(report.join(MARK)).unwrap(), "two");
        assert!(!report.join("plots").exists(), "nothing of the old one is left");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "no temporary folder is left");
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_report_whole() {
        let place = tempfile::tempdir().unwrap();
        let report = place.path().join("report");
        replace(&report, &[file(MARK, "one")]).unwrap();
        // A name that is a folder and a file at once cannot be written.
        let wrong = replace(&report, &[file("a", "x"), file("a/b", "y"), file(MARK, "two")]).unwrap_err();
        assert!(wrong.contains("cannot write"), "{wrong}");
        assert_eq!(fs::read_to_string(report.join(MARK)).unwrap(), "one");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "no temporary folder is left");
    }

    #[test]
    fn nothing_but_a_report_is_overwritten() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("thesis.txt"), "years").unwrap();
        let wrong = replace(place.path(), &[file(MARK, "one")]).unwrap_err();
        assert!(wrong.contains("holds no report"), "{wrong}");
        assert!(place.path().join("thesis.txt").exists());
        let wrong = replaceable(&place.path().join("thesis.txt")).unwrap_err();
        assert!(wrong.contains("it is a file"), "{wrong}");
        assert!(replaceable(&place.path().join("no/such/parent")).unwrap_err().contains("cannot write"));
    }
}
