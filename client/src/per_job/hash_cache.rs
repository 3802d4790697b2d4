//! Hashes of files that were hashed before, so that submitting the same executable again costs one look
//! at the file and not a reading of it.
//!
//! ```text
//! <hash> <device> <inode> <size> <mtime ns> <ctime ns> <path>      one line each, the newest last
//! ```
//!
//! A file that was changed a moment ago is not remembered: a change within the same tick of the
//! clock would not show. Whatever is wrong with the cache, the file is read instead.

use sha2::{Digest, Sha256};
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use weir_base::ArtifactHash;

/// How many files are remembered.
const MOST_FILES: usize = 200;
/// Upper bound of the file that is read.
const MOST_BYTES: u64 = 1 << 20;
/// A file younger than this may change without a trace.
const SETTLED_AFTER: Duration = Duration::from_millis(100);
const PIECE_BYTES: usize = 1 << 20;

/// The hash of a file, and its size in bytes.
pub fn hash_of(path: &Path) -> io::Result<(ArtifactHash, u64)> {
    Cache::open().hash_of(path)
}

struct Cache {
    /// `None` where there is no place for it.
    file: Option<PathBuf>,
}

impl Cache {
    fn open() -> Self {
        let folder = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let folder = folder.filter(|folder| folder.is_absolute());
        let folder = folder.or_else(|| std::env::home_dir().map(|home| home.join(".cache")));
        Self { file: folder.map(|folder| folder.join("weir").join("hashes")) }
    }

    fn hash_of(&self, path: &Path) -> io::Result<(ArtifactHash, u64)> {
        let metadata = fs::metadata(path)?;
        let key = key(path, &metadata);
        if let Some(hash) = self.find(&key) {
            return Ok((hash, metadata.len()));
        }
        let hash = read_and_hash(path)?;
        // The bytes that were read may be newer than the metadata.
        let after = fs::metadata(path)?;
        if key == self::key(path, &after) && is_settled(&after) {
            self.remember(&key, hash);
        }
        Ok((hash, after.len()))
    }

    fn find(&self, key: &str) -> Option<ArtifactHash> {
        let text = self.text()?;
        let line = text.lines().rev().find(|line| line.get(65..) == Some(key))?;
        line.get(..64)?.parse().ok()
    }

    fn text(&self) -> Option<String> {
        let mut text = String::new();
        let file = File::open(self.file.as_ref()?).ok()?;
        file.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Replaces the file, so that a reader sees the old or the new. Of two processes that write at once
    /// one may forget what the other has hashed.
    fn remember(&self, key: &str, hash: ArtifactHash) {
        static WRITING: Mutex<()> = Mutex::new(());
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(file) = &self.file else { return };
        let text = self.text().unwrap_or_default();
        let path = key.splitn(6, ' ').nth(5);
        let is_other = |line: &&str| line.splitn(7, ' ').nth(6) != path;
        let mut lines: Vec<_> = text.lines().filter(is_other).collect();
        let line = format!("{hash} {key}");
        lines.push(&line);
        let kept = lines[lines.len().saturating_sub(MOST_FILES)..].join("\n");
        let write = || -> io::Result<()> {
            let folder = file.parent().unwrap_or(Path::new("/"));
            fs::create_dir_all(folder)?;
            let mut new = tempfile::NamedTempFile::new_in(folder)?;
            writeln!(new, "{kept}")?;
            new.persist(file)?;
            Ok(())
        };
        // Without the cache the next time takes longer.
        let _ = write();
    }
}

/// Identity of a file. The path comes last, as it may contain blanks.
fn key(path: &Path, metadata: &Metadata) -> String {
    let nanos = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    format!(
        "{} {} {} {} {} {}",
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        nanos(metadata.mtime(), metadata.mtime_nsec()),
        nanos(metadata.ctime(), metadata.ctime_nsec()),
        path.display().to_string().replace('\n', "?"),
    )
}

fn is_settled(metadata: &Metadata) -> bool {
    let modified = metadata.modified().ok();
    let age = modified.and_then(|modified| SystemTime::now().duration_since(modified).ok());
    age.is_some_and(|age| age >= SETTLED_AFTER)
}

fn read_and_hash(path: &Path) -> io::Result<ArtifactHash> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(ArtifactHash(hash.finalize().into())),
            read_bytes => hash.update(&piece[..read_bytes]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old_file(path: &Path, text: &str) {
        fs::write(path, text).expect("written");
        let file = File::options().write(true).open(path).expect("there");
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).expect("ours");
    }

    #[test]
    fn hash_of_an_unchanged_file_is_remembered() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache { file: Some(folder.path().join("a/b/hashes")) };
        let path = folder.path().join("a job");
        old_file(&path, "abc");
        let (hash, size_bytes) = cache.hash_of(&path).expect("readable");
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((hash.to_string().as_str(), size_bytes), (known, 3));
        // A lie in the cache is believed, which shows that the file was not read.
        let text = cache.text().expect("kept");
        let lie = "0".repeat(64);
        fs::write(cache.file.as_ref().expect("given"), text.replace(known, &lie)).expect("written");
        assert_eq!(cache.hash_of(&path).expect("readable").0.to_string(), lie);
        old_file(&path, "xyz");
        assert_ne!(cache.hash_of(&path).expect("readable").0.to_string(), lie);
        assert_eq!(cache.text().expect("kept").lines().count(), 1, "the old line is gone");
    }

    #[test]
    fn file_changed_a_moment_ago_is_not_remembered() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache { file: Some(folder.path().join("hashes")) };
        let path = folder.path().join("job");
        fs::write(&path, "abc").expect("written");
        let future = SystemTime::now() + Duration::from_secs(60);
        let file = File::options().write(true).open(&path).expect("there");
        file.set_modified(future).expect("ours");
        cache.hash_of(&path).expect("readable");
        assert_eq!(cache.text(), None);
    }

    #[test]
    fn without_a_place_or_with_a_damaged_one_the_file_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, damaged) = (folder.path().join("job"), folder.path().join("hashes"));
        old_file(&path, "abc");
        fs::write(&damaged, [0xff, b'\n', 0]).expect("written");
        let below = path.join("hashes");
        for file in [None, Some(damaged), Some(below)] {
            let (hash, _) = Cache { file }.hash_of(&path).expect("readable");
            assert!(hash.to_string().starts_with("ba7816bf"));
        }
    }
}
