//! The page: the same files at `/` and for the index at `/cluster`, where YARN's clients look whether
//! a resource manager is there.

use actix_web::{
    HttpResponse, ResponseError,
    http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS},
    web::{self, Bytes, Path, ServiceConfig},
};
use std::borrow::Cow;
use weir_service::ApiError;

/// To be configured last: it takes every `GET` that nobody else wants.
pub fn configure(config: &mut ServiceConfig) {
    config
        .route("/", web::get().to(index))
        .route("/cluster", web::get().to(index))
        .route("/{path:.*}", web::get().to(file));
}

async fn index() -> HttpResponse {
    asset("").unwrap_or_else(|| HttpResponse::NotFound().finish())
}

async fn file(path: Path<String>) -> HttpResponse {
    asset(&path).unwrap_or_else(|| {
        ApiError::not_found("WEIR-HTTP-0014", format!("Not found: /{path}")).error_response()
    })
}

/// The page's file with this name.
pub fn asset(path: &str) -> Option<HttpResponse> {
    let weir_web_ui::Asset { content, content_type } = weir_web_ui::asset(path)?;
    let content = match content {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    // Names under assets/ hold a hash of the content.
    let caching = match path.starts_with("assets/") {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CACHE_CONTROL, caching))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((X_FRAME_OPTIONS, "DENY"));
    Some(response.body(content))
}
