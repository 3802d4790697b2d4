//! Bodies in msgpack between daemons, with the version of the protocol in a header.

use super::server::ApiError;
use actix_web::{
    FromRequest, HttpRequest, HttpResponse, Responder, body::BoxBody, dev::Payload,
    http::header::CONTENT_TYPE,
};
use bytes::BytesMut;
use futures::{FutureExt, StreamExt, future::LocalBoxFuture};
use serde::{Serialize, de::DeserializeOwned};
use weir_protocol::cluster::{self, MAX_BODY_BYTES, MEDIA_TYPE, PROTOCOL_HEADER, PROTOCOL_VERSION};

/// A message as body: extracted from a request, or given as answer.
#[derive(Clone, Debug)]
pub struct Msgpack<T>(pub T);

/// Whether this release understands a version: its own, and the one before.
pub fn is_understood(version: u32) -> bool {
    version == PROTOCOL_VERSION || version.checked_add(1) == Some(PROTOCOL_VERSION)
}

fn check_version(request: &HttpRequest) -> Result<(), ApiError> {
    let said = request.headers().get(PROTOCOL_HEADER).and_then(|value| value.to_str().ok());
    let version = said.and_then(|text| text.parse().ok());
    match version {
        Some(version) if is_understood(version) => Ok(()),
        Some(version) => Err(ApiError::conflict(
            "WEIR-HTTP-0016",
            format!(
                "the caller speaks version {version} of the cluster protocol, this server version \
                 {PROTOCOL_VERSION}; run releases that differ by at most one"
            ),
        )),
        None => Err(ApiError::bad_request(
            "WEIR-HTTP-0016",
            format!("the header {PROTOCOL_HEADER} is missing: the caller is no daemon of Weir"),
        )),
    }
}

async fn read_body(payload: &mut Payload) -> Result<BytesMut, ApiError> {
    let mut body = BytesMut::new();
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|error| {
            ApiError::bad_request("WEIR-HTTP-0017", format!("the body was cut off: {error}"))
        })?;
        if body.len() + piece.len() > MAX_BODY_BYTES {
            let message = format!("the body has more than {MAX_BODY_BYTES} bytes");
            return Err(ApiError::new(413, "WEIR-HTTP-0017", message));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

impl<T: DeserializeOwned + 'static> FromRequest for Msgpack<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let checked = check_version(request);
        let mut payload = payload.take();
        async move {
            checked?;
            let body = read_body(&mut payload).await?;
            let message = cluster::decode("message", &body);
            message
                .map(Self)
                .map_err(|error| ApiError::bad_request("WEIR-HTTP-0017", error.to_string()))
        }
        .boxed_local()
    }
}

impl<T: Serialize> Responder for Msgpack<T> {
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
    fn own_version_and_the_one_before_are_understood_and_no_other_whatever_is_said() {
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
