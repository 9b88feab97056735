//! Files that nobody else may read, written whole or not at all.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use tempfile::Builder;

/// Writes a file of mode 0600: beside its place first, then moved there, so
/// that a full disk or a kill leaves the old one.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    make_directory(directory)?;
    let attempt = || -> io::Result<()> {
        let mut file = Builder::new()
            .prefix(".insightpulse-")
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(directory)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(directory)?.sync_all()
    };
    attempt().with_context(|| format!("write {}", path.display()))
}

/// Makes a directory of mode 0700 where there is none.
pub fn make_directory(directory: &Path) -> anyhow::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .with_context(|| format!("make the directory {}", directory.display()))
}

/// The permissions of a file.
pub fn mode(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(path)?.permissions().mode())
}

/// Waits for whoever changes files in this directory; others wait until the
/// answer is dropped, or its process ends.
pub fn lock(directory: &Path) -> anyhow::Result<File> {
    // The directory itself is locked: a lock file would be one more to keep.
    let attempt = || -> io::Result<File> {
        let directory = File::open(directory)?;
        directory.lock()?;
        Ok(directory)
    };
    attempt().with_context(|| format!("lock the directory {}", directory.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_for_its_owner_alone_and_is_replaced_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("new/secret");
        write(&path, b"one").expect("written");
        write(&path, b"two").expect("written");
        assert_eq!(fs::read(&path).expect("read"), b"two");
        assert_eq!(
            fs::metadata(&path).expect("there").permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            fs::metadata(path.parent().expect("one"))
                .expect("there")
                .permissions()
                .mode()
                & 0o777,
            0o700
        );
        assert_eq!(
            fs::read_dir(path.parent().expect("one")).expect("there").count(),
            1
        );
    }
}
