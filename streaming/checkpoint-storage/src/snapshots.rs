//! Snapshots: one object per subtask and checkpoint, in the folder of its checkpoint.

use crate::{
    error::{Error, Result},
    frame::Kind,
    log::JobLog,
    store::Store,
};
use bytes::Bytes;
use std::{collections::BTreeSet, fmt, path::Path, sync::Arc};
use weir_base::CheckpointId;

/// The storage of one job. Clones share it.
///
/// ```
/// use weir_base::LogIndex;
/// use weir_checkpoint_storage::{Append, CheckpointStorage};
///
/// let storage = CheckpointStorage::in_memory();
/// storage.write("chk-1/source-0-1", b"offset 42".to_vec())?;
/// assert_eq!(storage.read("chk-1/source-0-1")?, b"offset 42");
///
/// let log = storage.log();
/// assert_eq!(log.append(LogIndex(0), b"epoch 1 begins")?, Append::Appended);
/// assert_eq!(
///     log.append(LogIndex(0), b"epoch 2 begins")?,
///     Append::Taken(b"epoch 1 begins".to_vec()),
/// );
/// # Ok::<(), weir_checkpoint_storage::Error>(())
/// ```
#[derive(Clone)]
pub struct CheckpointStorage {
    store: Arc<Store>,
}

impl CheckpointStorage {
    /// A folder on this host or a shared one, created where it is missing. It belongs to one job.
    ///
    /// A scratch file is written, linked and deleted, so that a folder that cannot be used is
    /// found now and not at the first checkpoint.
    pub fn local(dir: &Path) -> Result<Self> {
        Ok(Self { store: Arc::new(Store::local(dir)?) })
    }

    /// The same folder, opened by a process that did not create it: by a later master, or by a task
    /// host. One that does not exist is [`Error::NoFolder`]: the file system may not be mounted here,
    /// and a folder created in its place would hold a part of the job that no other process finds.
    pub fn existing(dir: &Path) -> Result<Self> {
        match dir.is_dir() {
            true => Self::local(dir),
            false => Err(Error::NoFolder { folder: dir.display().to_string() }),
        }
    }

    /// The same folder, to look at it. Opening it changes nothing in it.
    pub fn read_only(dir: &Path) -> Result<Self> {
        Ok(Self { store: Arc::new(Store::read_only(dir)?) })
    }

    /// A storage in memory: for tests, and for jobs that need not outlive their process.
    pub fn in_memory() -> Self {
        Self { store: Arc::new(Store::in_memory()) }
    }

    /// The job's log.
    pub fn log(&self) -> JobLog {
        JobLog::new(Arc::clone(&self.store))
    }

    /// Writes a snapshot and returns the size of its object in bytes. When this returns, the
    /// snapshot is durable. An object of the same path is replaced.
    ///
    /// `path` is relative, such as `chk-5/<vertex>-<subtask>-<attempt>`: a folder named after the
    /// checkpoint, then one or more names of ASCII letters, digits, `.`, `_` and `-`.
    pub fn write(&self, path: &str, bytes: Vec<u8>) -> Result<u64> {
        check_path(path)?;
        self.store.replace(Kind::Snapshot, path, Bytes::from(bytes))
    }

    /// Reads a snapshot; one that is not there is [`Error::Missing`].
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        check_path(path)?;
        self.store
            .read(Kind::Snapshot, path)?
            .ok_or_else(|| Error::Missing { object: self.store.display(path) })
    }

    /// Deletes snapshots and the folders of checkpoints that this empties. A snapshot that is
    /// not there is fine, and so is an empty path (a subtask without state). Goes on after a
    /// failure and returns the first one.
    pub fn delete<P: AsRef<str>>(&self, paths: impl IntoIterator<Item = P>) -> Result<()> {
        let mut folders = BTreeSet::new();
        let mut first_failure = Ok(());
        for path in paths {
            let path = path.as_ref();
            if path.is_empty() {
                continue;
            }
            let deleted = check_path(path).and_then(|()| self.store.delete(path));
            first_failure = first_failure.and(deleted.map(drop));
            folders.extend(folder_of(path).map(str::to_owned));
        }
        for folder in folders {
            self.store.remove_empty_folder(&folder);
        }
        first_failure
    }

    /// Paths of all snapshots there are, in order.
    pub fn list_snapshots(&self) -> Result<Vec<String>> {
        let mut paths = self.store.list(None)?;
        paths.retain(|path| check_path(path).is_ok());
        paths.sort();
        Ok(paths)
    }

    /// Deletes the snapshots of checkpoints below `below` that are not in `keep`, and unfinished
    /// writes of such snapshots. Also deletes other unfinished writes that are older than a day.
    /// Returns the number of snapshots deleted.
    ///
    /// A job master calls it with the first checkpoint id of its epoch. Newer masters use higher
    /// ids, so what they and their tasks write is never touched, however late this runs.
    pub fn sweep(&self, below: CheckpointId, keep: &BTreeSet<String>) -> Result<usize> {
        let mut orphans = self.list_snapshots()?;
        orphans.retain(|path| is_below(path, below) && !keep.contains(path));
        self.delete(&orphans)?;
        self.store.sweep_staging(|target| is_below(target, below))?;
        Ok(orphans.len())
    }
}

impl fmt::Debug for CheckpointStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CheckpointStorage({})", self.store.display(""))
    }
}

/// The folder of the checkpoint a path lies in.
fn folder_of(path: &str) -> Option<&str> {
    let (folder, _) = path.split_once('/')?;
    let number = folder.strip_prefix("chk-")?;
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    is_number.then_some(folder)
}

/// Whether a path belongs to a checkpoint below this one.
fn is_below(path: &str, below: CheckpointId) -> bool {
    let number = folder_of(path).and_then(|folder| folder.strip_prefix("chk-")?.parse().ok());
    number.is_some_and(|id: u64| id < below.0)
}

/// Refuses a path that could lead out of the checkpoint's folder or mean two things on two
/// stores. Paths come back from the log, so this guards reading and deleting as well.
fn check_path(path: &str) -> Result<()> {
    let bad = |problem| Err(Error::BadPath { path: path.to_owned(), problem });
    if folder_of(path).is_none() {
        return bad("it does not start with the folder of a checkpoint, such as \"chk-5/\"");
    }
    for name in path.split('/') {
        if name.is_empty() || name == "." || name == ".." {
            return bad("it has an empty, \".\" or \"..\" part");
        }
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) {
            return bad(
                "it has other characters than ASCII letters, digits, \".\", \"_\" and \"-\"",
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_below_a_checkpoint_are_taken() {
        for good in ["chk-0/a", "chk-12/0f-3-7", "chk-5/shared/sst.000001"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a",
            "/chk-5/a",
            "chk-5",
            "chk-5/",
            "chk-/a",
            "chk-x/a",
            "log/0",
            "chk-5/../log/0",
            "chk-5/./a",
            "chk-5//a",
            "../chk-5/a",
            "chk-5/a b",
            "chk-5/a\\b",
            "chk-5/ä",
            "chk-5/a#1",
        ] {
            assert_eq!(check_path(bad).unwrap_err().code(), "WEIR-CKPT-0008", "{bad}");
        }
    }
}
