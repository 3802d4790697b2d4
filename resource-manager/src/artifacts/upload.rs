//! One upload: bytes are written to a staging file and compared with their hash. Then the complete file is renamed.

use super::{Artifacts, Index, Kept, STAGING};
use sha2::{Digest, Sha256};
use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};
use weir_base::ArtifactHash;

/// Why an upload was refused. Its staging file is deleted.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file is larger than allowed.
    #[error(
        "the file has more than the {max_size_bytes} bytes that may be uploaded \
         (weir.resource-manager.max-artifact-size)"
    )]
    TooLarge { max_size_bytes: u64 },
    /// The bytes do not match the announced hash.
    #[error(
        "the {size_bytes} received bytes have the SHA-256 {actual} instead of {expected}; the file \
         was changed, or damaged in transit"
    )]
    Mismatch {
        /// The hash in the path.
        expected: ArtifactHash,
        /// The hash of the received bytes.
        actual: ArtifactHash,
        /// The number of received bytes.
        size_bytes: u64,
    },
    /// The resource manager's disk is full or has failed.
    #[error("the file cannot be stored")]
    Storage(#[from] io::Error),
}

/// An unfinished upload. A drop before [`Upload::finish`] deletes its staging file. Every step blocks on the file
/// system.
#[derive(Debug)]
pub struct Upload {
    expected: ArtifactHash,
    staged: Staged,
    file: fs::File,
    hasher: Sha256,
    size_bytes: u64,
    max_size_bytes: u64,
}

/// Deletes the staging file on drop, unless it was renamed.
#[derive(Debug)]
struct Staged(PathBuf);

impl Drop for Staged {
    fn drop(&mut self) {
        // Fails if the file was renamed.
        let _ = fs::remove_file(&self.0);
    }
}

impl Upload {
    /// Begins an upload of the file with this hash.
    ///
    /// # Errors
    /// The staging file cannot be created.
    pub fn begin(artifacts: &Artifacts, expected: ArtifactHash) -> Result<Self, UploadError> {
        let number = {
            let mut index = artifacts.index();
            index.uploads += 1;
            index.uploads
        };
        let path = artifacts.folder.join(STAGING).join(number.to_string());
        let file = fs::OpenOptions::new().write(true).create_new(true).open(&path)?;
        Ok(Self {
            expected,
            staged: Staged(path),
            file,
            hasher: Sha256::new(),
            size_bytes: 0,
            max_size_bytes: artifacts.limits.max_size_bytes,
        })
    }

    /// Appends bytes.
    ///
    /// # Errors
    /// The file would become too large, or cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), UploadError> {
        let size_bytes = self.size_bytes + bytes.len() as u64;
        if size_bytes > self.max_size_bytes {
            return Err(UploadError::TooLarge { max_size_bytes: self.max_size_bytes });
        }
        self.hasher.update(bytes);
        self.file.write_all(bytes)?;
        self.size_bytes = size_bytes;
        Ok(())
    }

    /// Moves the file to its final path. Returns whether it is new.
    ///
    /// # Errors
    /// The bytes do not match the hash, or the file cannot be moved.
    pub fn finish(self, artifacts: &Artifacts) -> Result<bool, UploadError> {
        let Self { expected, staged, file, hasher, size_bytes, .. } = self;
        let actual = ArtifactHash(hasher.finalize().into());
        if actual != expected {
            return Err(UploadError::Mismatch { expected, actual, size_bytes });
        }
        file.sync_all()?;
        let path = artifacts.path(expected);
        let subfolder = path.parent().unwrap_or(&artifacts.folder);
        fs::create_dir_all(subfolder)?;
        // The claim prevents an eviction between the rename and the change of the index.
        let _claim = artifacts.claim(expected);
        fs::rename(&staged.0, &path)?;
        sync_folder(subfolder)?;
        sync_folder(&artifacts.folder)?;
        let is_new = artifacts.index().add(expected, size_bytes, artifacts.limits.grace);
        Ok(is_new)
    }
}

impl Index {
    /// Returns whether the file is new.
    fn add(&mut self, hash: ArtifactHash, size_bytes: u64, grace: std::time::Duration) -> bool {
        let is_new = !self.kept.contains_key(&hash);
        self.kept.entry(hash).or_insert_with(|| Kept {
            size_bytes,
            last_use: 0,
            fresh_until: std::time::Instant::now(),
        });
        self.touch(hash, grace);
        is_new
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts::Limits;
    use std::time::Duration;

    fn artifacts(folder: &Path) -> Artifacts {
        let limits = Limits { max_size_bytes: 4, cache_bytes: 0, grace: Duration::ZERO };
        Artifacts::open(folder, limits).expect("opened")
    }

    fn is_empty(folder: &Path) -> bool {
        fs::read_dir(folder.join(STAGING)).expect("a folder").next().is_none()
    }

    #[test]
    fn wrong_or_large_bytes_leave_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let artifacts = artifacts(folder.path());
        let expected = ArtifactHash(Sha256::digest(b"abcd").into());
        let mut wrong = Upload::begin(&artifacts, expected).expect("begun");
        wrong.write(b"abce").expect("written");
        let error = wrong.finish(&artifacts).expect_err("another content").to_string();
        let actual = ArtifactHash(Sha256::digest(b"abce").into());
        assert!(error.contains(&expected.to_string()) && error.contains(&actual.to_string()));
        let mut large = Upload::begin(&artifacts, expected).expect("begun");
        large.write(b"abcd").expect("written");
        assert!(matches!(large.write(b"e"), Err(UploadError::TooLarge { max_size_bytes: 4 })));
        drop(large);
        assert!(is_empty(folder.path()) && artifacts.look_up(expected).is_none());
    }

    #[test]
    fn uploads_of_the_same_file_at_once_all_succeed() {
        let folder = tempfile::tempdir().expect("a folder");
        let artifacts = artifacts(folder.path());
        let hash = ArtifactHash(Sha256::digest(b"abcd").into());
        let mut uploads: Vec<_> =
            (0..3).map(|_| Upload::begin(&artifacts, hash).expect("begun")).collect();
        uploads.iter_mut().for_each(|upload| upload.write(b"abcd").expect("written"));
        let new = uploads.into_iter().map(|upload| upload.finish(&artifacts).expect("finished"));
        assert_eq!(new.collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(fs::read(artifacts.path(hash)).expect("read"), b"abcd");
        assert!(is_empty(folder.path()));
    }
}
