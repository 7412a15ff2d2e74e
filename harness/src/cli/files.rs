//! Files are written whole or not at all.

use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

/// What becomes of a file that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Existing {
    /// It stays, and that is an error.
    Keep,
    /// It is replaced.
    Replace,
}

/// Writes a file.
///
/// # Errors
/// In words for the user: which file, and why it cannot be written.
pub(super) fn write(path: &Path, text: &str, existing: Existing) -> Result<(), String> {
    let shown = path.display();
    let cannot = |e: &std::io::Error| format!("cannot write {shown}: {e}");
    if existing == Existing::Keep && path.exists() {
        return Err(exists(path));
    }
    let mut file = NamedTempFile::new_in(parent(path)).map_err(|e| cannot(&e))?;
    file.write_all(text.as_bytes()).map_err(|e| cannot(&e))?;
    readable(&file).map_err(|e| cannot(&e))?;
    match existing {
        Existing::Replace => file.persist(path).map(drop).map_err(|e| cannot(&e.error)),
        // Somebody may have made the file in the meantime.
        Existing::Keep => file.persist_noclobber(path).map(drop).map_err(|e| match e.error.kind() {
            std::io::ErrorKind::AlreadyExists => exists(path),
            _ => cannot(&e.error),
        }),
    }
}

/// A file that is being written beside the place where it will be.
pub(super) struct Draft(NamedTempFile);

impl Draft {
    /// Begins one.
    ///
    /// # Errors
    /// As [`write`].
    pub(super) fn beside(path: &Path) -> Result<Draft, String> {
        NamedTempFile::new_in(parent(path))
            .map(Draft)
            .map_err(|e| format!("cannot write {}: {e}", path.display()))
    }

    /// Something to write to.
    pub(super) fn handle(&self) -> std::io::Result<std::fs::File> {
        self.0.reopen()
    }

    /// Puts it in its place; without this nothing is left of it.
    ///
    /// # Errors
    /// As [`write`].
    pub(super) fn publish(self, path: &Path) -> Result<(), String> {
        let cannot = |e: &std::io::Error| format!("cannot write {}: {e}", path.display());
        self.0.as_file().sync_all().map_err(|e| cannot(&e))?;
        readable(&self.0).map_err(|e| cannot(&e))?;
        self.0.persist(path).map(drop).map_err(|e| cannot(&e.error))
    }
}

/// Tries whether a file can be written, and leaves nothing behind.
///
/// # Errors
/// As [`write`].
pub(super) fn writable(path: &Path) -> Result<(), String> {
    let cannot = |e: std::io::Error| format!("cannot write {}: {e}", path.display());
    if path.is_dir() {
        return Err(format!("cannot write {}: it is a folder", path.display()));
    }
    NamedTempFile::new_in(parent(path)).map(drop).map_err(cannot)
}

/// The folder in which a path is.
pub(super) fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn exists(path: &Path) -> String {
    format!("{} exists already and is not overwritten", path.display())
}

/// Lets others look into a temporary folder that is to stay.
#[cfg(unix)]
pub(super) fn publish(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
}

#[cfg(not(unix))]
pub(super) fn publish(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Temporary files can be read by their owner only; results are for others too.
#[cfg(unix)]
fn readable(file: &NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &NamedTempFile) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_or_absent() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write(&path, "one", Existing::Keep).unwrap();
        assert!(write(&path, "two", Existing::Keep).unwrap_err().contains("exists already"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
        write(&path, "three", Existing::Replace).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three");
        let nowhere = folder.path().join("no/such/folder/a.json");
        assert!(write(&nowhere, "x", Existing::Replace).unwrap_err().contains("cannot write"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }
}
