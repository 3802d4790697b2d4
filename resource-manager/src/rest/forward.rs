//! Forwards a request to another server of the cluster, and its answer back. Both are streams. There is no
//! time limit, because the server may hold the answer back for a long time.
//!
//! Hop-by-hop headers are not forwarded. `Authorization` and `Cookie` are not forwarded either, because they are
//! meant for the resource manager. `Set-Cookie` is removed from the answer.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
    web::Payload,
};
use bytes::Bytes;
use futures::{SinkExt, StreamExt, TryStreamExt, channel::mpsc};
use std::io;

/// Hop-by-hop headers (RFC 9110, 7.6.1).
const HOP_BY_HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Headers of a request that are not forwarded.
const NOT_FORWARDED: &[&str] =
    &["authorization", "cookie", "host", "origin", "content-length", "expect"];
/// Headers of an answer that are not returned to the caller.
const NOT_RETURNED: &[&str] = &["set-cookie", "content-length", "content-security-policy"];
/// Number of pieces of a request's body that are buffered for the upstream server.
const PIECES_AHEAD: usize = 4;

/// The target of a forwarded request.
#[derive(Clone, Debug)]
pub struct Target {
    /// The upstream server and the path.
    pub url: reqwest::Url,
    /// The bearer token for the upstream server.
    pub bearer: Option<String>,
}

/// The path and query of a request as they were sent, without `prefix`. If the path does not begin with `prefix`,
/// because the prefix was percent-encoded in another way, the result is made from `tail`, the decoded path after
/// the prefix.
pub fn behind(request: &HttpRequest, prefix: &str, tail: &str) -> String {
    let written = request.uri().path_and_query().map_or("/", |written| written.as_str());
    match (written.strip_prefix(prefix), request.query_string()) {
        (Some(rest), _) if rest.starts_with('/') => rest.to_owned(),
        (_, "") => format!("/{tail}"),
        (_, query) => format!("/{tail}?{query}"),
    }
}

/// The URL of a path on a server, `host:port`.
pub fn url(server: &str, path_and_query: &str) -> Option<reqwest::Url> {
    format!("http://{server}{path_and_query}").parse().ok()
}

/// Whether a method changes something.
pub fn is_changing(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Forwards a request and waits for the head of the answer.
///
/// # Errors
/// The upstream server does not answer.
pub async fn send(
    client: &reqwest::Client,
    target: Target,
    request: &HttpRequest,
    payload: Payload,
) -> Result<reqwest::Response, reqwest::Error> {
    let Target { url, bearer } = target;
    let method = reqwest::Method::from_bytes(request.method().as_str().as_bytes());
    let mut forward = client.request(method.unwrap_or(reqwest::Method::GET), url);
    for (name, value) in request.headers() {
        if !is_dropped(name.as_str(), NOT_FORWARDED, request) {
            forward = forward.header(name.as_str(), value.as_bytes());
        }
    }
    if let Some(bearer) = bearer {
        forward = forward.bearer_auth(bearer);
    }
    if has_body(request) {
        if let Some(length) = request.headers().get(header::CONTENT_LENGTH) {
            forward = forward.header(header::CONTENT_LENGTH.as_str(), length.as_bytes());
        }
        forward = forward.body(body_of(payload));
    }
    forward.send().await
}

/// The answer for the caller. `policy` is the `Content-Security-Policy`, which limits its rights in a browser.
pub fn answer(method: &Method, response: reqwest::Response, policy: &'static str) -> HttpResponse {
    let status = StatusCode::from_u16(response.status().as_u16());
    let mut answer = HttpResponse::build(status.unwrap_or(StatusCode::BAD_GATEWAY));
    for (name, value) in response.headers() {
        let name = name.as_str();
        if !HOP_BY_HOP.contains(&name) && !NOT_RETURNED.contains(&name) {
            answer.append_header((name, value.as_bytes()));
        }
    }
    answer.insert_header((header::CONTENT_SECURITY_POLICY, policy));
    answer.insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
    if *method == Method::HEAD {
        return answer.finish();
    }
    if let Some(length) = response.content_length() {
        answer.no_chunking(length);
    }
    answer.streaming(response.bytes_stream().map_err(io::Error::other))
}

fn is_dropped(name: &str, dropped: &[&str], request: &HttpRequest) -> bool {
    HOP_BY_HOP.contains(&name) || dropped.contains(&name) || is_named_by_connection(name, request)
}

/// `Connection: x` makes `x` a hop-by-hop header.
fn is_named_by_connection(name: &str, request: &HttpRequest) -> bool {
    let values = request.headers().get_all(header::CONNECTION);
    let mut options = values.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    options.any(|option| option.trim().eq_ignore_ascii_case(name))
}

/// Whether the body is forwarded. The body of a reading request is not, because such a request needs no token.
fn has_body(request: &HttpRequest) -> bool {
    if !is_changing(request.method()) {
        return false;
    }
    let length = request.headers().get(header::CONTENT_LENGTH);
    length.is_some_and(|length| length.as_bytes() != b"0")
        || request.headers().contains_key(header::TRANSFER_ENCODING)
}

/// Moves the body through a channel, because a payload must be read on the thread of its connection.
fn body_of(mut payload: Payload) -> reqwest::Body {
    let (mut sender, receiver) = mpsc::channel::<Result<Bytes, io::Error>>(PIECES_AHEAD);
    actix_web::rt::spawn(async move {
        while let Some(piece) = payload.next().await {
            // If the caller's body is interrupted, the error also interrupts the body to the upstream server.
            if sender.send(piece.map_err(io::Error::other)).await.is_err() {
                return;
            }
        }
    });
    reqwest::Body::wrap_stream(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn hop_by_hop_headers_and_credentials_are_not_forwarded() {
        let request = TestRequest::default()
            .insert_header(("connection", "close, X-Private"))
            .to_http_request();
        for name in ["authorization", "cookie", "transfer-encoding", "x-private", "host"] {
            assert!(is_dropped(name, NOT_FORWARDED, &request), "{name}");
        }
        for name in ["accept", "content-type", "if-none-match", "x-other"] {
            assert!(!is_dropped(name, NOT_FORWARDED, &request), "{name}");
        }
    }

    #[test]
    fn body_is_forwarded_only_with_a_changing_method() {
        for (method, header, expected) in [
            (Method::POST, ("content-length", "5"), true),
            (Method::PATCH, ("transfer-encoding", "chunked"), true),
            (Method::POST, ("content-length", "0"), false),
            (Method::GET, ("content-length", "5"), false),
            (Method::HEAD, ("transfer-encoding", "chunked"), false),
        ] {
            let request = TestRequest::default().method(method.clone()).insert_header(header);
            assert_eq!(has_body(&request.to_http_request()), expected, "{method} {header:?}");
        }
    }

    #[test]
    fn methods_that_change_something_are_recognised() {
        for (method, changes) in [
            (Method::GET, false),
            (Method::HEAD, false),
            (Method::PATCH, true),
            (Method::POST, true),
            (Method::DELETE, true),
        ] {
            assert_eq!(is_changing(&method), changes, "{method}");
        }
    }
}
