//! Brings files to the resource manager, by content: what it has already is not sent again.

use super::hash_cache::hash_of;
use super::patience::until_answered;
use crate::output;
use crate::problem::Problem;
use crate::remote::{CLUSTER, Remote};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use weir_base::ArtifactHash;
use weir_protocol::cluster::ShippedFile;

/// An upload above this size is reported.
const LARGE_BYTES: u64 = 64 << 20;
const MB: u64 = 1_000_000;

/// Files that every job of a program needs.
#[derive(Clone, Debug)]
pub struct Shipped {
    /// `weir` itself.
    pub weir: ShippedFile,
    /// The job executable.
    pub executable: ShippedFile,
}

/// Uploads `weir` and the job executable, so far as they are missing.
pub fn ship(remote: &Remote, executable: &Path) -> Result<Shipped, Problem> {
    let weir = std::env::current_exe().map_err(|error| unreadable(Path::new("weir"), &error))?;
    let (own, job) = thread::scope(|scope| {
        let own = scope.spawn(|| hash_of(&weir));
        let job = hash_of(executable);
        (own.join().expect("hashing does not panic"), job)
    });
    let own = own.map_err(|error| unreadable(&weir, &error))?;
    let job = job.map_err(|error| unreadable(executable, &error))?;
    Ok(Shipped {
        weir: send(remote, &weir, "weir".to_owned(), own)?,
        executable: send(remote, executable, name_of(executable), job)?,
    })
}

/// The path of an artefact at the resource manager.
pub fn artifact_path(hash: ArtifactHash) -> String {
    format!("{CLUSTER}/artifacts/{hash}")
}

fn send(
    remote: &Remote,
    file: &Path,
    name: String,
    (hash, size_bytes): (ArtifactHash, u64),
) -> Result<ShippedFile, Problem> {
    let path = artifact_path(hash);
    let upload = || {
        if remote.has(&path)? {
            return Ok(());
        }
        let told = UploadProgress::new(&name, size_bytes);
        remote.put_file(&path, file, move |piece_bytes| told.sent(piece_bytes))
    };
    until_answered(remote, upload).map_err(|error| remote.problem(error))?;
    Ok(ShippedFile { name, hash, size_bytes })
}

/// Name of the executable in a container's folder.
fn name_of(executable: &Path) -> String {
    let name = executable.file_name().map(|name| name.to_string_lossy().into_owned());
    match name.as_deref() {
        // `weir` stands there already.
        None | Some("" | "weir" | "." | "..") => "job".to_owned(),
        Some(name) => name.to_owned(),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let path: PathBuf = path.into();
    Problem::failure("WEIR-CLI-0209", format!("cannot upload {}: {error}", path.display()))
        .help("check that the file is still there and readable, and run it again")
}

/// Tells of an upload that takes a while.
struct UploadProgress {
    name: String,
    size_bytes: u64,
    sent_bytes: AtomicU64,
    /// The last reported tenth.
    reported_tenths: AtomicU64,
}

impl UploadProgress {
    fn new(name: &str, size_bytes: u64) -> Self {
        let name = name.to_owned();
        if size_bytes >= LARGE_BYTES {
            output::note(&format!(
                "Uploading {name} ({} MB), once for this cluster",
                size_bytes / MB
            ));
        }
        Self { name, size_bytes, sent_bytes: AtomicU64::new(0), reported_tenths: AtomicU64::new(0) }
    }

    fn sent(&self, piece_bytes: u64) {
        if self.size_bytes < LARGE_BYTES || !io::stderr().is_terminal() {
            return;
        }
        let sent_bytes = self.sent_bytes.fetch_add(piece_bytes, Ordering::Relaxed) + piece_bytes;
        let tenths = sent_bytes * 10 / self.size_bytes.max(1);
        if self.reported_tenths.swap(tenths, Ordering::Relaxed) < tenths {
            let Self { name, size_bytes, .. } = self;
            let (sent, all) = (sent_bytes / MB, size_bytes / MB);
            output::note(&format!("Uploading {name}: {sent} of {all} MB"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executable_never_takes_the_place_of_weir() {
        for (path, name) in
            [("a/count", "count"), ("weir", "job"), ("/x/weir", "job"), ("..", "job"), ("/", "job")]
        {
            assert_eq!(name_of(Path::new(path)), name, "{path}");
        }
    }
}
