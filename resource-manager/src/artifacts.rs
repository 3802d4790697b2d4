//! The uploaded files of applications, named by the hash of their content.
//!
//! ```text
//! artifacts/ab/abcd…            a whole file; its name is the SHA-256 of its bytes
//! artifacts/staging/<n>         an unfinished upload; deleted at the start
//!
//!            PUT, HEAD                 application submitted
//! (absent) ───────────▶ fresh ───────────────────────────────▶ used by applications
//!                         │ grace passed                          │ the last of them ended
//!                         └──────────────▶ cached ◀───────────────┘
//!                                            └─ the cache is over its size: removed, oldest first
//! ```
//!
//! A file under its hash is complete and durable: it is written and synced in the staging folder of the
//! same file system, compared with its hash and renamed. A file that an application uses is never
//! removed. The brain knows the used files; the caller passes them to [`Artifacts::evict`]. After an upload or
//! a look-up a file is fresh for a time and is not removed, so that the submission that uses it can follow.
//!
//! The index is never locked during file system calls. A caller that stores or removes a file claims its hash,
//! so that only callers with the same hash wait.

mod upload;

pub use upload::{Upload, UploadError};

use crate::error::Error;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use weir_base::ArtifactHash;

const STAGING: &str = "staging";

/// Limits for size and age of the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Maximum size of one file.
    pub max_size_bytes: u64,
    /// Unused files are kept up to this total size, so that a client need not upload them again.
    pub cache_bytes: u64,
    /// A file is kept for at least this time after its upload or a request for it, because the submission
    /// of its application follows.
    pub grace: Duration,
}

/// The kept files.
#[derive(Debug)]
pub struct Artifacts {
    folder: PathBuf,
    limits: Limits,
    index: Mutex<Index>,
    /// Notified when a claim ends.
    unclaimed: Condvar,
}

#[derive(Debug, Default)]
struct Index {
    kept: BTreeMap<ArtifactHash, Kept>,
    /// Files that are being stored or removed.
    claimed: BTreeSet<ArtifactHash>,
    /// Counter that orders the uses of files by age.
    uses: u64,
    uploads: u64,
}

#[derive(Debug)]
struct Kept {
    size_bytes: u64,
    last_use: u64,
    fresh_until: Instant,
}

/// While it exists, no other caller stores or removes the file.
#[derive(Debug)]
struct Claim<'a> {
    artifacts: &'a Artifacts,
    hash: ArtifactHash,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.artifacts.index().claimed.remove(&self.hash);
        self.artifacts.unclaimed.notify_all();
    }
}

impl Index {
    fn touch(&mut self, hash: ArtifactHash, grace: Duration) -> Option<&mut Kept> {
        let kept = self.kept.get_mut(&hash)?;
        self.uses += 1;
        kept.last_use = self.uses;
        kept.fresh_until = Instant::now() + grace;
        Some(kept)
    }

    /// Unused files to remove: those that exceed the size of the cache and are not fresh, the oldest first.
    fn surplus(&self, cache_bytes: u64, used: &BTreeSet<ArtifactHash>) -> Vec<ArtifactHash> {
        let stays = |hash: &ArtifactHash| used.contains(hash) || self.claimed.contains(hash);
        let unused = self.kept.iter().filter(|(hash, _)| !stays(hash));
        let mut unused: Vec<_> = unused.map(|(hash, kept)| (kept.last_use, *hash, kept)).collect();
        unused.sort_unstable_by_key(|(last_use, ..)| *last_use);
        let mut cached_bytes: u64 = unused.iter().map(|(.., kept)| kept.size_bytes).sum();
        let now = Instant::now();
        let goes = |(_, hash, kept): (u64, ArtifactHash, &Kept)| {
            let goes = cached_bytes > cache_bytes && kept.fresh_until <= now;
            cached_bytes -= if goes { kept.size_bytes } else { 0 };
            goes.then_some(hash)
        };
        unused.into_iter().filter_map(goes).collect()
    }
}

impl Artifacts {
    /// Opens the folder, creates it if it is missing, and deletes unfinished uploads of earlier processes.
    ///
    /// # Errors
    /// The folder cannot be created, read or cleaned.
    pub fn open(folder: &Path, limits: Limits) -> Result<Self, Error> {
        let failed = |source| Error::Folder { path: folder.to_owned(), source };
        let staging = folder.join(STAGING);
        if staging.exists() {
            fs::remove_dir_all(&staging).map_err(failed)?;
        }
        fs::create_dir_all(&staging).map_err(failed)?;
        let mut found = find(folder).map_err(failed)?;
        found.sort_by_key(|(_, _, modified)| *modified);
        let mut index = Index { uses: found.len() as u64, ..Index::default() };
        for (last_use, (hash, size_bytes, _)) in found.into_iter().enumerate() {
            let kept = Kept {
                size_bytes,
                last_use: last_use as u64,
                fresh_until: Instant::now() + limits.grace,
            };
            index.kept.insert(hash, kept);
        }
        let (folder, index) = (folder.to_owned(), Mutex::new(index));
        Ok(Self { folder, limits, index, unclaimed: Condvar::new() })
    }

    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The path of the file with this hash, whether it exists or not.
    pub fn path(&self, hash: ArtifactHash) -> PathBuf {
        let name = hash.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    /// The size of a file, if it exists. The file becomes fresh, because the caller is expected to use it. Blocks
    /// on the file system.
    pub fn look_up(&self, hash: ArtifactHash) -> Option<u64> {
        let size_bytes = self.index().touch(hash, self.limits.grace)?.size_bytes;
        // The modification times preserve the order of uses for the next process. A failure does no harm.
        let _ =
            fs::File::open(self.path(hash)).and_then(|file| file.set_modified(SystemTime::now()));
        Some(size_bytes)
    }

    /// Removes unused files that exceed the size of the cache. Blocks on the file system.
    pub fn evict(&self, used: &BTreeSet<ArtifactHash>) {
        for claim in self.claim_surplus(used) {
            let hash = claim.hash;
            match fs::remove_file(self.path(hash)) {
                Ok(()) => tracing::info!("artefact {hash} removed: no application uses it"),
                Err(error) => tracing::warn!("artefact {hash} cannot be removed: {error}"),
            }
        }
    }

    /// Removes the files that will be deleted from the index, so that they are no longer found.
    fn claim_surplus(&self, used: &BTreeSet<ArtifactHash>) -> Vec<Claim<'_>> {
        let mut index = self.index();
        let surplus = index.surplus(self.limits.cache_bytes, used);
        for hash in &surplus {
            index.kept.remove(hash);
            index.claimed.insert(*hash);
        }
        surplus.into_iter().map(|hash| Claim { artifacts: self, hash }).collect()
    }

    /// Claims a file. Waits until no other caller claims it.
    fn claim(&self, hash: ArtifactHash) -> Claim<'_> {
        let index = self.index();
        let is_claimed = |index: &mut Index| index.claimed.contains(&hash);
        let free = self.unclaimed.wait_while(index, is_claimed);
        free.unwrap_or_else(PoisonError::into_inner).claimed.insert(hash);
        Claim { artifacts: self, hash }
    }

    /// Number and total size in bytes of all files.
    pub fn totals(&self) -> (usize, u64) {
        let index = self.index();
        (index.kept.len(), index.kept.values().map(|kept| kept.size_bytes).sum())
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // The index is consistent after every statement, so a panic in another thread does no harm.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every file in the right place with a hash as its name. Other files are ignored.
fn find(folder: &Path) -> io::Result<Vec<(ArtifactHash, u64, SystemTime)>> {
    let mut found = Vec::new();
    for subfolder in fs::read_dir(folder)? {
        let subfolder = subfolder?;
        if subfolder.file_name() == STAGING || !subfolder.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(subfolder.path())? {
            let file = file?;
            let name = file.file_name();
            let hash = name.to_str().and_then(|name| name.parse::<ArtifactHash>().ok());
            let about = file.metadata()?;
            if let (Some(hash), true) = (hash, about.is_file()) {
                found.push((hash, about.len(), about.modified()?));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn limits(cache_bytes: u64) -> Limits {
        Limits { max_size_bytes: 100, cache_bytes, grace: Duration::ZERO }
    }

    fn put(artifacts: &Artifacts, content: &[u8]) -> ArtifactHash {
        let hash = ArtifactHash(Sha256::digest(content).into());
        let mut upload = Upload::begin(artifacts, hash).expect("begun");
        upload.write(content).expect("written");
        upload.finish(artifacts).expect("finished");
        hash
    }

    #[test]
    fn unused_artifacts_are_removed_oldest_first_and_used_ones_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let artifacts = Artifacts::open(folder.path(), limits(10)).expect("opened");
        let [used, old, new] =
            [b"used456789", b"old3456789", b"new3456789"].map(|content| put(&artifacts, content));
        artifacts.evict(&BTreeSet::from([used]));
        assert!(artifacts.path(used).exists() && artifacts.path(new).exists());
        assert!(!artifacts.path(old).exists() && artifacts.look_up(old).is_none());
        artifacts.look_up(new);
        artifacts.evict(&BTreeSet::new());
        assert!(!artifacts.path(used).exists() && artifacts.path(new).exists());
        assert_eq!(artifacts.totals(), (1, 10));
    }

    #[test]
    fn lock_of_a_file_blocks_only_requests_for_that_file() {
        let folder = tempfile::tempdir().expect("a folder");
        let artifacts = Artifacts::open(folder.path(), limits(0)).expect("opened");
        let [busy, other] = [b"busy", b"same"].map(|content| put(&artifacts, content));
        let claim = artifacts.claim(busy);
        assert_eq!((artifacts.look_up(busy), artifacts.look_up(other)), (Some(4), Some(4)));
        artifacts.evict(&BTreeSet::new());
        assert!(artifacts.path(busy).exists() && !artifacts.path(other).exists());
        std::thread::scope(|scope| {
            let again = scope.spawn(|| put(&artifacts, b"busy"));
            assert_eq!(put(&artifacts, b"same"), other);
            drop(claim);
            assert_eq!(again.join().expect("no panic"), busy);
        });
        assert_eq!(artifacts.totals(), (2, 8));
    }

    #[test]
    fn fresh_file_outlives_a_full_cache() {
        let folder = tempfile::tempdir().expect("a folder");
        let long = Limits { grace: Duration::from_secs(600), ..limits(0) };
        let artifacts = Artifacts::open(folder.path(), long).expect("opened");
        let fresh = put(&artifacts, b"fresh");
        artifacts.evict(&BTreeSet::new());
        assert_eq!(artifacts.look_up(fresh), Some(5));
    }

    #[test]
    fn reopened_folder_has_the_whole_files_and_no_uploads() {
        let folder = tempfile::tempdir().expect("a folder");
        let artifacts = Artifacts::open(folder.path(), limits(0)).expect("opened");
        let whole = put(&artifacts, b"whole");
        let mut cut_off = Upload::begin(&artifacts, whole).expect("begun");
        cut_off.write(b"wh").expect("written");
        std::mem::forget(cut_off);
        fs::write(folder.path().join("ab"), "no folder").expect("written");
        let reopened = Artifacts::open(folder.path(), limits(0)).expect("opened");
        assert_eq!(reopened.look_up(whole), Some(5));
        assert_eq!(reopened.totals(), (1, 5));
        let staged = fs::read_dir(folder.path().join(STAGING)).expect("a folder");
        assert_eq!(staged.count(), 0);
    }
}
