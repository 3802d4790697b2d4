//! Downloads files from the resource manager into the cache, and checks each against its hash.

use crate::{
    checked::CheckedFiles,
    error::{is_disk_full, says_disk_full},
    layout::DataDir,
    remove,
};
use sha2::{Digest, Sha256};
use std::{
    fs::{self, DirEntry, File, Metadata},
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};
use weir_base::ArtifactHash;
use weir_node_agent_brain::{CachedFile, DownloadFailure, DownloadProblem};
use weir_service::{CallError, Client};

/// A download that takes longer counts as stuck.
const TIMEOUT: Duration = Duration::from_secs(600);
const CHUNK_BYTES: usize = 256 * 1024;
/// Files of the cache are read-only. Some are executed, and a hard link has the mode of its file.
const MODE: u32 = 0o555;

/// Downloads files into the cache.
#[derive(Clone)]
pub(crate) struct Fetcher {
    pub client: Client,
    pub resource_manager: String,
    pub data: DataDir,
    pub checked: Arc<CheckedFiles>,
}

impl Fetcher {
    /// Downloads a file into the cache, replacing an existing one. Returns its size.
    pub async fn fetch(&self, file: CachedFile) -> Result<u64, DownloadFailure> {
        let CachedFile { hash, size_bytes } = file;
        let path = format!("/ws/v1/cluster/artifacts/{hash}");
        let partial = self.data.partial(hash);
        let downloaded = self.client.download(&self.resource_manager, &path, &partial, size_bytes);
        let result = match tokio::time::timeout(TIMEOUT, downloaded).await {
            Ok(Ok(_)) => self.accept(file).await,
            Ok(Err(error)) => Err(failure(hash, &error)),
            Err(_) => Err(transient(format!("file {hash} did not come in time"))),
        };
        if result.is_err() {
            // It may not exist.
            let _ = fs::remove_file(&partial);
        }
        result
    }

    async fn accept(&self, file: CachedFile) -> Result<u64, DownloadFailure> {
        let (partial, complete) = (self.data.partial(file.hash), self.data.cached(file.hash));
        let checked = Arc::clone(&self.checked);
        let accepted = tokio::task::spawn_blocking(move || {
            let size_bytes = accept(&partial, &complete, file)?;
            let noted = checked.note(file.hash, &complete);
            noted.map(|()| size_bytes).map_err(|error| on_disk(file.hash, &error))
        });
        accepted.await.unwrap_or_else(|_| Err(transient("the download was cut short".to_owned())))
    }

    /// Downloads cached files again that a container has changed or deleted.
    pub async fn mend(&self, files: &[CachedFile]) -> Result<(), DownloadFailure> {
        for &file in files {
            if self.is_sound(file.hash).await {
                continue;
            }
            let _alone = self.checked.mending.lock().await;
            // Another container may have waited for the same file.
            if !self.is_sound(file.hash).await {
                tracing::warn!("file {} of the cache was changed; it is fetched anew", file.hash);
                self.fetch(file).await?;
            }
        }
        Ok(())
    }

    async fn is_sound(&self, hash: ArtifactHash) -> bool {
        let (checked, path) = (Arc::clone(&self.checked), self.data.cached(hash));
        let looked = tokio::task::spawn_blocking(move || checked.is_sound(hash, &path));
        looked.await.unwrap_or(false)
    }
}

/// Moves a downloaded file into the cache if size and hash are right.
fn accept(partial: &Path, complete: &Path, file: CachedFile) -> Result<u64, DownloadFailure> {
    let CachedFile { hash, size_bytes } = file;
    let (found, found_bytes) = hash_file(partial).map_err(|error| on_disk(hash, &error))?;
    if found != hash || found_bytes != size_bytes {
        let message = format!(
            "the resource manager sent for file {hash} ({size_bytes} bytes) a file with the hash \
             {found} ({found_bytes} bytes) [WEIR-NM-0012]"
        );
        return Err(DownloadFailure { problem: DownloadProblem::Fatal, message });
    }
    let place = || {
        fs::set_permissions(partial, fs::Permissions::from_mode(MODE))?;
        fs::rename(partial, complete)
    };
    place().map_err(|error| on_disk(hash, &error))?;
    Ok(found_bytes)
}

/// Hash and size of a file.
pub(crate) fn hash_file(path: &Path) -> io::Result<(ArtifactHash, u64)> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut size_bytes = 0;
    loop {
        let read_bytes = file.read(&mut chunk)?;
        if read_bytes == 0 {
            return Ok((ArtifactHash(hasher.finalize().into()), size_bytes));
        }
        size_bytes += read_bytes as u64;
        hasher.update(&chunk[..read_bytes]);
    }
}

fn transient(message: String) -> DownloadFailure {
    let message = format!("{message} [WEIR-NM-0011]");
    DownloadFailure { problem: DownloadProblem::Transient, message }
}

fn on_disk(hash: ArtifactHash, error: &io::Error) -> DownloadFailure {
    match is_disk_full(error) {
        true => disk_full(hash),
        false => {
            let message = format!("file {hash} cannot be stored: {error} [WEIR-NM-0011]");
            DownloadFailure { problem: DownloadProblem::Fatal, message }
        }
    }
}

fn disk_full(hash: ArtifactHash) -> DownloadFailure {
    let message = format!(
        "the disk of the node is full: file {hash} cannot be stored; free disk space on the node \
         [WEIR-NM-0013]"
    );
    DownloadFailure { problem: DownloadProblem::DiskFull, message }
}

fn failure(hash: ArtifactHash, error: &CallError) -> DownloadFailure {
    let fatal = |message: String| DownloadFailure { problem: DownloadProblem::Fatal, message };
    match error {
        CallError::File { problem } if says_disk_full(problem) => disk_full(hash),
        // More bytes came than announced; a repetition does not help.
        CallError::Damaged { .. } => fatal(format!(
            "file {hash} differs from its announced hash or size: {error} [WEIR-NM-0012]"
        )),
        _ if error.is_passing() => transient(format!("file {hash} cannot be fetched: {error}")),
        _ => fatal(format!("file {hash} cannot be fetched: {error} [WEIR-NM-0011]")),
    }
}

/// The complete files of the cache, the last downloaded at the end. Deletes remains of interrupted
/// downloads and any foreign file.
pub(crate) fn cached_files(data: &DataDir) -> io::Result<Vec<CachedFile>> {
    let mut files: Vec<(SystemTime, CachedFile)> = Vec::new();
    for entry in fs::read_dir(data.cache())? {
        let entry = entry?;
        match cached_file(&entry) {
            Some(file) => files.push(file),
            None => remove::folder(&entry.path()),
        }
    }
    files.sort_unstable_by_key(|(modified, file)| (*modified, file.hash));
    Ok(files.into_iter().map(|(_, file)| file).collect())
}

/// A cached file, with the time of its download.
fn cached_file(entry: &DirEntry) -> Option<(SystemTime, CachedFile)> {
    let hash = entry.file_name().to_str()?.parse().ok()?;
    let metadata = entry.metadata().ok().filter(Metadata::is_file)?;
    Some((metadata.modified().ok()?, CachedFile { hash, size_bytes: metadata.len() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_disk_has_an_error_of_its_own() {
        let hash = ArtifactHash([1; 32]);
        let problem = format!("x: {}", io::Error::from_raw_os_error(libc::ENOSPC));
        let full = failure(hash, &CallError::File { problem });
        assert_eq!(full.problem, DownloadProblem::DiskFull);
        let away =
            CallError::Unreachable { address: "a:1".to_owned(), problem: "refused".to_owned() };
        assert_eq!(failure(hash, &away).problem, DownloadProblem::Transient);
        let gone = CallError::Refused { status: 404, code: String::new(), message: String::new() };
        assert_eq!(failure(hash, &gone).problem, DownloadProblem::Fatal);
    }
}
