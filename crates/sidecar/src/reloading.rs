//! A value that is read from a file, and again when the file changes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::{error, info};

/// Looks at the file's metadata at each use, which costs a microsecond, so that
/// a change counts from the next use on.
pub struct Reloading<T> {
    what: &'static str,
    /// All files that the value is made of.
    paths: Vec<PathBuf>,
    read: Box<dyn Fn() -> anyhow::Result<T> + Send + Sync>,
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    stamps: Vec<Option<Stamp>>,
    value: Arc<T>,
}

/// What changes when a file is written or replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
    length: u64,
}

impl<T> Reloading<T> {
    /// Reads the value for the first time; an error here is for who starts us.
    pub fn new(
        what: &'static str,
        paths: Vec<PathBuf>,
        read: impl Fn() -> anyhow::Result<T> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        // Before reading: what changes meanwhile is read again.
        let stamps = stamps(&paths);
        let value = Arc::new(read()?);
        Ok(Self {
            what,
            paths,
            read: Box::new(read),
            kept: Mutex::new(Kept { stamps, value }),
        })
    }

    /// The newest value that could be read. One that cannot be is told once, and
    /// the one before goes on being used.
    pub fn get(&self) -> Arc<T> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps(&self.paths);
        if stamps != kept.stamps {
            kept.stamps = stamps;
            match (self.read)() {
                Ok(value) => {
                    info!(what = self.what, "Read a file again that has changed");
                    kept.value = Arc::new(value);
                }
                Err(error) => error!(
                    what = self.what,
                    error = format!("{error:#}"),
                    "A changed file cannot be used; what was read before stays"
                ),
            }
        }
        Arc::clone(&kept.value)
    }
}

fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    paths.iter().map(|path| stamp(path)).collect()
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some(Stamp {
        inode: metadata.ino(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        length: metadata.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_counts_from_the_next_use_on_and_a_broken_one_never() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("number");
        fs::write(&path, "1").expect("written");
        let reading = path.clone();
        let number = Reloading::new("the number", vec![path.clone()], move || {
            Ok(fs::read_to_string(&reading)?.parse::<u8>()?)
        })
        .expect("a number");
        assert_eq!(*number.get(), 1);
        fs::write(&path, "22").expect("written");
        assert_eq!(*number.get(), 22);
        fs::write(&path, "none").expect("written");
        assert_eq!(*number.get(), 22);
        fs::remove_file(&path).expect("removed");
        assert_eq!(*number.get(), 22);
        fs::write(&path, "3").expect("written");
        assert_eq!(*number.get(), 3);
    }
}
