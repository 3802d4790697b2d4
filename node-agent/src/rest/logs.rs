//! `/ws/v1/node/containers/{id}/logs` and YARN's older `/containerlogs`: what containers have written,
//! also after their end.
//!
//! `?size=N` gives the first N bytes, `?size=-N` the last N, as in YARN; `?offset=N` leaves out the
//! first N. To follow a file, ask again from where the last answer ended; when its `ETag` has changed,
//! the file was rotated, and what is missing stands at the end of `stdout.1`.

use super::{Api, container_id, no_container};
use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_LENGTH, ETAG, EntityTag},
    web::{self, Bytes, Data, Json, Path, Query, ServiceConfig},
};
use futures::stream;
use serde::Deserialize;
use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::{FileExt, MetadataExt},
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

/// Names of the log files in a folder: `stderr`, `stdout`, `stdout.1`, …
pub(super) fn log_names(folder: &std::path::Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?;
    let mut names: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable_by_key(|name| match name.rsplit_once('.') {
        Some((base, number)) => (base.to_owned(), number.parse().unwrap_or(u32::MAX)),
        None => (name.clone(), 0),
    });
    Ok(names)
}

async fn list(api: Data<Api>, id: Path<String>) -> Result<Json<ContainerLogsAnswer>, ApiError> {
    let id = container_id(&id)?;
    let folder = api.data.container_logs(id);
    let names = match log_names(&folder) {
        Ok(names) => names,
        Err(_) if api.view().await?.containers.iter().any(|one| one.report.container == id) => {
            Vec::new()
        }
        Err(_) => return Err(no_container(id, &api.node())),
    };
    let files = names.into_iter().filter_map(|name| {
        // A file that has been rotated away meanwhile is not listed.
        let metadata = fs::metadata(folder.join(&name)).ok()?;
        Some(describe(name, &metadata))
    });
    let container_logs_info = ContainerLogs {
        container_log_info: files.collect(),
        log_aggregation_type: "LOCAL".to_owned(),
        container_id: id,
        node_id: api.node(),
    };
    Ok(Json(ContainerLogsAnswer { container_logs_info }))
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
    let names = log_names(&folder).map_err(|_| no_container(id, &api.node()))?;
    if !names.contains(&name) {
        let message = format!("container {id} has no log {name:?}; it has {}", names.join(", "));
        return Err(ApiError::not_found("WEIR-NM-0008", message));
    }
    let unreadable = |error: io::Error| {
        ApiError::internal("WEIR-NM-0009", format!("log {name} of {id} cannot be read: {error}"))
    };
    let file = File::open(folder.join(&name)).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    // What is appended from now on belongs to the next answer.
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
    fn logs_are_listed_newest_first() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["stdout.10", "stdout", "stderr", "stdout.2"] {
            fs::write(folder.path().join(name), b"").expect("written");
        }
        let names = log_names(folder.path()).expect("a folder");
        assert_eq!(names, ["stderr", "stdout", "stdout.2", "stdout.10"]);
    }
}
