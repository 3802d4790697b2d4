//! Detects cached files that changed after their content was checked.
//!
//! A container gets a cached file by a hard link, so it can change the file for all containers that use it later.
//! A changed inode number, size or modification time shows this before the next container gets the file. The
//! inode's change time is no use: every link that is made or removed changes it.

use crate::fetch::hash_file;
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};
use weir_base::ArtifactHash;

/// The checked files, with their attributes at that time.
#[derive(Debug, Default)]
pub(crate) struct CheckedFiles {
    known: Mutex<BTreeMap<ArtifactHash, Shape>>,
    /// Held while a changed file is fetched again, so that it is fetched once.
    pub mending: tokio::sync::Mutex<()>,
}

/// File attributes that change with the content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Shape {
    inode: u64,
    size_bytes: u64,
    modified_s: i64,
    modified_ns: i64,
}

impl Shape {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::symlink_metadata(path)?;
        Ok(Self {
            inode: metadata.ino(),
            size_bytes: metadata.len(),
            modified_s: metadata.mtime(),
            modified_ns: metadata.mtime_nsec(),
        })
    }
}

impl CheckedFiles {
    /// Records that the content of the file has just been checked.
    pub fn note(&self, hash: ArtifactHash, path: &Path) -> io::Result<()> {
        let shape = Shape::of(path)?;
        self.known().insert(hash, shape);
        Ok(())
    }

    /// Removes the file from the record.
    pub fn forget(&self, hash: ArtifactHash) {
        self.known().remove(&hash);
    }

    /// Whether the file exists and its content matches its hash. A file from before the agent's start is read
    /// once. Blocks.
    pub fn is_sound(&self, hash: ArtifactHash, path: &Path) -> bool {
        let Ok(shape) = Shape::of(path) else { return false };
        let known = self.known().get(&hash).copied();
        if let Some(known) = known {
            return known == shape;
        }
        let is_sound = hash_file(path).is_ok_and(|(found, _)| found == hash);
        if is_sound {
            self.known().insert(hash, shape);
        }
        is_sound
    }

    /// A panic elsewhere does no harm: the data is consistent after every statement.
    fn known(&self) -> MutexGuard<'_, BTreeMap<ArtifactHash, Shape>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn file_is_sound_until_its_content_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, link) = (folder.path().join("file"), folder.path().join("link"));
        let hash = ArtifactHash(Sha256::digest(b"content").into());
        let checked = CheckedFiles::default();
        assert!(!checked.is_sound(hash, &path), "it is not there");
        fs::write(&path, b"content").expect("written");
        assert!(checked.is_sound(hash, &path));
        fs::hard_link(&path, &link).expect("linked");
        assert!(checked.is_sound(hash, &path), "a link is no change");
        fs::write(&link, b"longer content").expect("written");
        assert!(!checked.is_sound(hash, &path));
        checked.forget(hash);
        assert!(!checked.is_sound(hash, &path), "also not when nothing is known of it");
    }
}
