//! `/ws/v1/node/containers/{id}/logs` and YARN's older `/containerlogs`: the output of containers,
//! also after their end.
//!
//! `?size=N` gives the first N bytes, `?size=-N` the last N, as in YARN; `?offset=N` skips the
//! first N. To follow a file, ask again from the end of the last answer; when its `ETag` has changed,
//! the file was rotated, and the missing part is at the end of `stdout.1`.

use super::{Api, container_id, no_container};
use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_LENGTH, ETAG, EntityTag},
    web::{self, Bytes, Data, Json, Path, Query, ServiceConfig},
};
use futures::stream;
use serde::Deserialize;
use std::{
    fs::{self, DirEntry, File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::Path as FilePath,
    time::UNIX_EPOCH,
};
use weir_protocol::rest::yarn::{ContainerLogs, ContainerLogsAnswer, LogFile};
use weir_service::ApiError;

const CHUNK_BYTES: u64 = 128 * 1024;

pub(super) fn configure(service: &mut ServiceConfig) {
    service
        .route("/ws/v1/node/containers/{id}/logs", web::get().to(list))
        .route("/ws/v1/node/containers/{id}/logs/{file}", web::get().to(read))
        .route("/ws/v1/node/containerlogs/{id}/{file}", web::get().to(read))
        .route("/containerlogs/{id}/{file}", web::get().to(read));
}

/// Names of the log files in a folder: `stderr`, `stdout`, `stdout.1`, … The container may create anything
/// there; only regular files with such a name count, no links.
pub(super) fn log_names(folder: &FilePath) -> io::Result<Vec<String>> {
    if folder.canonicalize()? != folder {
        return Err(io::Error::other("its log folder was replaced by a link"));
    }
    let entries = fs::read_dir(folder)?;
    let plain = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_file());
    let files = entries.flatten().filter(plain);
    let mut names: Vec<String> =
        files.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable_by_key(|name| match name.rsplit_once('.') {
        Some((base, number)) => (base.to_owned(), number.parse().unwrap_or(u32::MAX)),
        None => (name.clone(), 0),
    });
    Ok(names)
}

/// Opens a log, unless it was replaced by something else since it was listed. Never blocks on a pipe.
fn open_log(path: &FilePath) -> io::Result<(File, Metadata)> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = File::options().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    match metadata.is_file() {
        true => Ok((file, metadata)),
        false => Err(io::Error::other("it is no plain file")),
    }
}

/// Runs file access, which may block, on a thread where it delays no other request.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

async fn list(api: Data<Api>, id: Path<String>) -> Result<Json<ContainerLogsAnswer>, ApiError> {
    let id = container_id(&id)?;
    let folder = api.data.container_logs(id);
    let files = match on_disk(move || describe_all(&folder)).await {
        Ok(files) => files,
        Err(_) if api.view().await?.containers.iter().any(|one| one.report.container == id) => {
            Vec::new()
        }
        Err(_) => return Err(no_container(id, &api.node())),
    };
    let container_logs_info = ContainerLogs {
        container_log_info: files,
        log_aggregation_type: "LOCAL".to_owned(),
        container_id: id,
        node_id: api.node(),
    };
    Ok(Json(ContainerLogsAnswer { container_logs_info }))
}

fn describe_all(folder: &FilePath) -> io::Result<Vec<LogFile>> {
    let files = log_names(folder)?.into_iter().filter_map(|name| {
        // A file that was rotated away since is not listed.
        let metadata = fs::symlink_metadata(folder.join(&name)).ok()?;
        Some(describe(name, &metadata))
    });
    Ok(files.collect())
}

fn describe(name: String, metadata: &Metadata) -> LogFile {
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    LogFile {
        file_name: name,
        file_size: metadata.len().to_string(),
        last_modified_time: modified.unwrap_or_default().as_millis().to_string(),
    }
}

#[derive(Deserialize)]
struct Part {
    size: Option<i64>,
    offset: Option<u64>,
}

impl Part {
    /// First byte and end within a file of this size.
    fn range(&self, file_bytes: u64) -> (u64, u64) {
        let from = self.offset.unwrap_or(0).min(file_bytes);
        match self.size {
            None => (from, file_bytes),
            Some(size) if size < 0 => {
                (from.max(file_bytes.saturating_sub(size.unsigned_abs())), file_bytes)
            }
            Some(size) => (from, from.saturating_add(size.unsigned_abs()).min(file_bytes)),
        }
    }
}

async fn read(
    api: Data<Api>,
    path: Path<(String, String)>,
    part: Query<Part>,
) -> Result<HttpResponse, ApiError> {
    let (id, name) = path.into_inner();
    let id = container_id(&id)?;
    let folder = api.data.container_logs(id);
    let listed = folder.clone();
    let names = on_disk(move || log_names(&listed)).await;
    let names = names.map_err(|_| no_container(id, &api.node()))?;
    if !names.contains(&name) {
        let message = format!("container {id} has no log {name:?}; it has {}", names.join(", "));
        return Err(ApiError::not_found("WEIR-NM-0008", message));
    }
    let path = folder.join(&name);
    let (file, metadata) = on_disk(move || open_log(&path)).await.map_err(|error| {
        ApiError::internal("WEIR-NM-0009", format!("log {name} of {id} cannot be read: {error}"))
    })?;
    // Bytes that are appended from now on belong to the next answer.
    let (from, end) = part.range(metadata.len());
    let pieces = stream::try_unfold((file, from), move |(file, from)| next_piece(file, from, end));
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((ETAG, EntityTag::new_strong(metadata.ino().to_string())))
        .insert_header((CONTENT_LENGTH, end - from))
        .no_chunking(end - from)
        .streaming(pieces))
}

type Piece = Option<(Bytes, (File, u64))>;

async fn next_piece(file: File, from: u64, end: u64) -> io::Result<Piece> {
    if from >= end {
        return Ok(None);
    }
    let read = tokio::task::spawn_blocking(move || {
        let wanted = usize::try_from(CHUNK_BYTES.min(end - from)).unwrap_or(usize::MAX);
        let mut chunk = vec![0; wanted];
        let read_bytes = file.read_at(&mut chunk, from)?;
        chunk.truncate(read_bytes);
        Ok::<_, io::Error>((file, chunk))
    });
    let (file, chunk) = read.await.map_err(io::Error::other)??;
    if chunk.is_empty() {
        return Err(io::Error::other("the log was cut off meanwhile"));
    }
    let next = from + chunk.len() as u64;
    Ok(Some((Bytes::from(chunk), (file, next))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn parts_stay_within_the_file() {
        let range = |size, offset| Part { size, offset }.range(100);
        assert_eq!(range(None, None), (0, 100));
        assert_eq!(range(Some(10), None), (0, 10));
        assert_eq!(range(Some(-10), None), (90, 100));
        assert_eq!(range(Some(-1000), None), (0, 100));
        assert_eq!(range(Some(i64::MIN), Some(7)), (7, 100));
        assert_eq!(range(None, Some(40)), (40, 100));
        assert_eq!(range(Some(i64::MAX), Some(40)), (40, 100));
        assert_eq!(range(Some(10), Some(95)), (95, 100));
        assert_eq!(range(None, Some(u64::MAX)), (100, 100));
    }

    #[test]
    fn only_plain_files_are_listed_and_opened() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().canonicalize().expect("there").join("logs");
        fs::create_dir_all(folder.join("folder")).expect("made");
        fs::write(folder.join("stdout"), b"").expect("written");
        symlink("/etc/passwd", folder.join("link")).expect("linked");
        let fifo = std::process::Command::new("mkfifo").arg(folder.join("fifo")).status();
        assert!(fifo.expect("mkfifo").success());
        assert_eq!(log_names(&folder).expect("a folder"), ["stdout"]);
        assert!(open_log(&folder.join("stdout")).is_ok());
        for name in ["folder", "link", "fifo"] {
            assert!(open_log(&folder.join(name)).is_err(), "{name}");
        }
        symlink(&folder, root.path().join("elsewhere")).expect("linked");
        assert!(log_names(&root.path().join("elsewhere")).is_err(), "it leads elsewhere");
    }

    #[test]
    fn logs_are_listed_newest_first() {
        let root = tempfile::tempdir().expect("a folder");
        let folder = root.path().canonicalize().expect("there");
        for name in ["stdout.10", "stdout", "stderr", "stdout.2"] {
            fs::write(folder.join(name), b"").expect("written");
        }
        let names = log_names(&folder).expect("a folder");
        assert_eq!(names, ["stderr", "stdout", "stdout.2", "stdout.10"]);
    }
}
