//! Bodies in msgpack between daemons, with the version of the protocol in a header.

use super::{
    body::{BODY_SILENCE, next_piece},
    server::ApiError,
};
use actix_web::{
    FromRequest, HttpRequest, HttpResponse, Responder,
    body::BoxBody,
    dev::Payload,
    http::header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use bytes::BytesMut;
use futures::{FutureExt, future::LocalBoxFuture};
use weir_protocol::cluster::{
    self, MAX_BODY_BYTES, MEDIA_TYPE, Message, PROTOCOL_HEADER, PROTOCOL_VERSION,
};

/// A message as body, of a request or of an answer.
#[derive(Clone, Debug)]
pub struct Msgpack<T>(pub T);

/// Maximum size of a [`Msgpack`] body, set as `app_data` of a path; default [`MAX_BODY_BYTES`].
#[derive(Clone, Copy, Debug)]
pub struct MsgpackLimit(pub usize);

/// Whether this release understands a protocol version: its own or the previous one.
pub fn is_understood(version: u32) -> bool {
    version == PROTOCOL_VERSION || version.checked_add(1) == Some(PROTOCOL_VERSION)
}

fn check_version(request: &HttpRequest) -> Result<(), ApiError> {
    let header = request.headers().get(PROTOCOL_HEADER).and_then(|value| value.to_str().ok());
    let version = header.and_then(|text| text.parse().ok());
    match version {
        Some(version) if is_understood(version) => Ok(()),
        Some(version) => Err(ApiError::conflict(
            "WEIR-HTTP-0016",
            format!(
                "the caller uses version {version} of the cluster protocol, this server version \
                 {PROTOCOL_VERSION}; run releases that differ by at most one"
            ),
        )),
        None => Err(ApiError::bad_request(
            "WEIR-HTTP-0016",
            format!("the header {PROTOCOL_HEADER} is missing: the caller is not a daemon of Weir"),
        )),
    }
}

fn too_large(limit_bytes: usize) -> ApiError {
    let message = format!("the body has more than {limit_bytes} bytes");
    ApiError::new(413, "WEIR-HTTP-0017", message)
}

/// The limit of the path; an error if the request announces more.
fn check_length(request: &HttpRequest) -> Result<usize, ApiError> {
    let limit_bytes = request.app_data().map_or(MAX_BODY_BYTES, |MsgpackLimit(bytes)| *bytes);
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match announced.and_then(|text| text.parse::<usize>().ok()) {
        Some(bytes) if bytes > limit_bytes => Err(too_large(limit_bytes)),
        _ => Ok(limit_bytes),
    }
}

async fn read_body(payload: &mut Payload, limit_bytes: usize) -> Result<BytesMut, ApiError> {
    let mut body = BytesMut::new();
    let cut_off = |problem: String| {
        ApiError::bad_request("WEIR-HTTP-0017", format!("the body was cut off: {problem}"))
    };
    while let Some(piece) = next_piece(payload, BODY_SILENCE).await.map_err(cut_off)? {
        if body.len() + piece.len() > limit_bytes {
            return Err(too_large(limit_bytes));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

impl<T: Message + 'static> FromRequest for Msgpack<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = check_version(request).and_then(|()| check_length(request));
        let mut payload = payload.take();
        async move {
            let limit_bytes = checked?;
            let body = read_body(&mut payload, limit_bytes).await?;
            let message = cluster::decode(&body);
            message
                .map(Self)
                .map_err(|error| ApiError::bad_request("WEIR-HTTP-0017", error.to_string()))
        }
        .boxed_local()
    }
}

impl<T: Message> Responder for Msgpack<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((CONTENT_TYPE, MEDIA_TYPE))
            .insert_header((PROTOCOL_HEADER, PROTOCOL_VERSION.to_string()))
            .body(cluster::encode(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_and_previous_version_are_accepted_and_no_other() {
        for (version, expected) in [
            (PROTOCOL_VERSION, true),
            (PROTOCOL_VERSION - 1, true),
            (PROTOCOL_VERSION + 1, false),
            (u32::MAX, false),
        ] {
            assert_eq!(is_understood(version), expected, "{version}");
        }
    }
}
