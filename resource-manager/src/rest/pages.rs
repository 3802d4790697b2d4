//! The web page. Its files are served at `/`, and its index also at `/cluster`, where clients of YARN check for a
//! resource manager.

use actix_web::{
    HttpResponse, ResponseError,
    web::{self, Bytes, Path, ServiceConfig},
};
use std::borrow::Cow;
use weir_service::ApiError;

/// Configure it last: it handles every `GET` that no other handler handles.
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

/// The file of the web page with this path.
pub fn asset(path: &str) -> Option<HttpResponse> {
    let asset = weir_web_ui::asset(path)?;
    let mut response = HttpResponse::Ok();
    for header in asset.headers() {
        response.insert_header(header);
    }
    let content = match asset.content {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    };
    Some(response.body(content))
}
