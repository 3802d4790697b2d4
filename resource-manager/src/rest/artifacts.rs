//! `/ws/v1/cluster/artifacts/{sha256}`: files by the hash of their content.
//!
//! ```text
//! PUT   cluster token               201 new, 200 existed; 400 mismatch or interrupted, 413 too large
//! HEAD  no token                    200 with Content-Length, or 404
//! GET   cluster's token, or that    the file; 409 when the attempt is over
//!       of an active attempt
//! ```

use super::State;
use crate::{
    artifacts::{Upload, UploadError},
    error::codes,
};
use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::header::CONTENT_LENGTH,
    web::{self, Data, Path, Payload, ServiceConfig},
};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};
use std::{fs::File, io, io::Read, sync::Arc};
use weir_base::{ArtifactHash, AttemptId};
use weir_resource_manager_brain::Error;
use weir_service::{
    ApiError,
    http::body::{BODY_SILENCE, next_piece},
    require_cluster,
};

/// Files are read and written in pieces of this size.
const PIECE_BYTES: usize = 256 * 1024;

pub fn configure(config: &mut ServiceConfig) {
    let resource = web::resource("/artifacts/{hash}");
    config.service(
        resource.route(web::put().to(put)).route(web::head().to(head)).route(web::get().to(get)),
    );
}

fn hash_of(path: &Path<String>) -> Result<ArtifactHash, ApiError> {
    path.parse().map_err(|error: weir_base::ParseClusterIdError| {
        ApiError::bad_request(codes::ARTIFACT_UNKNOWN, error.to_string())
    })
}

async fn put(
    request: HttpRequest,
    state: Data<State>,
    path: Path<String>,
    mut payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let hash = hash_of(&path)?;
    let announced = content_length(&request);
    let max_size_bytes = state.artifacts.limits().max_size_bytes;
    if announced.is_some_and(|size_bytes| size_bytes > max_size_bytes) {
        return Err(refused(UploadError::TooLarge { max_size_bytes }));
    }
    let artifacts = Arc::clone(&state.artifacts);
    let mut upload = blocking(move || Upload::begin(&artifacts, hash)).await?;
    let mut received_bytes = 0;
    let mut piece = BytesMut::new();
    loop {
        let next = next_piece(&mut payload, BODY_SILENCE).await;
        let next = next.map_err(|problem| cut_off(received_bytes, announced, &problem))?;
        let Some(bytes) = next else { break };
        received_bytes += bytes.len() as u64;
        piece.extend_from_slice(&bytes);
        if piece.len() >= PIECE_BYTES {
            upload = written(upload, piece.split().freeze()).await?;
        }
    }
    if announced.is_some_and(|announced| received_bytes < announced) {
        return Err(cut_off(received_bytes, announced, "the connection ended"));
    }
    upload = written(upload, piece.freeze()).await?;
    let artifacts = Arc::clone(&state.artifacts);
    let is_new = blocking(move || upload.finish(&artifacts)).await?;
    Ok(if is_new { HttpResponse::Created() } else { HttpResponse::Ok() }.finish())
}

async fn written(mut upload: Upload, bytes: Bytes) -> Result<Upload, ApiError> {
    blocking(move || upload.write(&bytes).map(|()| upload)).await
}

async fn head(state: Data<State>, path: Path<String>) -> Result<HttpResponse, ApiError> {
    let size_bytes = look_up(&state, hash_of(&path)?).await?;
    Ok(HttpResponse::Ok()
        .no_chunking(size_bytes)
        .body(SizedStream::new(size_bytes, stream::empty::<io::Result<Bytes>>())))
}

async fn get(
    request: HttpRequest,
    state: Data<State>,
    path: Path<String>,
) -> Result<HttpResponse, ApiError> {
    match state.secret.attempt_of_bearer(&request) {
        Some(attempt) => require_live(&state, attempt).await?,
        None => require_cluster(&request, &state.secret)?,
    }
    let hash = hash_of(&path)?;
    let size_bytes = look_up(&state, hash).await?;
    let path = state.artifacts.path(hash);
    let file = blocking(move || Ok(File::open(path)?)).await?;
    let pieces = stream::try_unfold(file, |mut file| async move {
        let read = web::block(move || {
            let mut piece = vec![0; PIECE_BYTES];
            let read_bytes = file.read(&mut piece)?;
            piece.truncate(read_bytes);
            Ok((read_bytes > 0).then(|| (Bytes::from(piece), file)))
        });
        read.await.unwrap_or_else(|_| Err(io::Error::other("the daemon is ending")))
    });
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .body(SizedStream::new(size_bytes, pieces.boxed_local())))
}

/// Refuses an attempt that is over. Its token does not expire.
async fn require_live(state: &State, attempt: AttemptId) -> Result<(), ApiError> {
    let view = state.handle.fresh_snapshot().await;
    let is_live = view.is_live(attempt);
    if is_live { Ok(()) } else { Err(super::refused(&Error::AttemptOver { attempt })) }
}

/// The size of a file, or 404.
async fn look_up(state: &State, hash: ArtifactHash) -> Result<u64, ApiError> {
    let artifacts = Arc::clone(&state.artifacts);
    let found = blocking(move || Ok(artifacts.look_up(hash))).await?;
    found.ok_or_else(|| unknown(hash))
}

fn content_length(request: &HttpRequest) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Runs a step of an upload on a thread that may block.
async fn blocking<T: Send + 'static>(
    step: impl FnOnce() -> Result<T, UploadError> + Send + 'static,
) -> Result<T, ApiError> {
    match web::block(step).await {
        Ok(done) => done.map_err(refused),
        Err(_) => Err(ApiError::unavailable(codes::ENDING, "the resource manager is ending")),
    }
}

fn refused(error: UploadError) -> ApiError {
    let text = error.to_string();
    match error {
        UploadError::TooLarge { .. } => ApiError::new(413, codes::ARTIFACT_TOO_LARGE, text),
        UploadError::Mismatch { .. } => ApiError::bad_request(codes::ARTIFACT_MISMATCH, text),
        UploadError::Storage(cause) => {
            tracing::error!("[{}] {text}: {cause}", codes::ARTIFACT_STORAGE);
            let status = if cause.kind() == io::ErrorKind::StorageFull { 507 } else { 500 };
            ApiError::new(status, codes::ARTIFACT_STORAGE, format!("{text}: {cause}"))
        }
    }
}

fn cut_off(received_bytes: u64, announced: Option<u64>, problem: &str) -> ApiError {
    let of = announced.map(|announced| format!(" of {announced}")).unwrap_or_default();
    ApiError::bad_request(
        codes::ARTIFACT_CUT_OFF,
        format!("the upload was cut off after {received_bytes}{of} bytes: {problem}"),
    )
}

fn unknown(hash: ArtifactHash) -> ApiError {
    ApiError::not_found(codes::ARTIFACT_UNKNOWN, format!("there is no artefact {hash}"))
}
