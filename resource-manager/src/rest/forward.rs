//! Passing a request on to another server of the cluster and its answer back, both as streams and
//! without a time limit: what is asked may be held back for long.
//!
//! Never passed on: headers of the connection itself, and `Authorization` and `Cookie`, which are
//! between the caller and us. `Set-Cookie` never comes back.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
    web::Payload,
};
use bytes::Bytes;
use futures::{SinkExt, StreamExt, TryStreamExt, channel::mpsc};
use std::io;

/// Headers that are about one connection (RFC 9110, 7.6.1).
const OF_CONNECTION: &[&str] = &[
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
/// Headers of a request that are not for the server behind us.
const NOT_PASSED_ON: &[&str] =
    &["authorization", "cookie", "host", "origin", "content-length", "expect"];
/// Headers of an answer that are not for the caller.
const NOT_PASSED_BACK: &[&str] = &["set-cookie", "content-length", "content-security-policy"];
/// Pieces of a request's body that wait for the server behind us.
const PIECES_AHEAD: usize = 4;

/// Where a request goes.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server behind us and the path there.
    pub url: reqwest::Url,
    /// The token that goes with it.
    pub bearer: Option<String>,
}

/// The path and query of a request as they were written, without the prefix that led here. `tail` is
/// the path behind the prefix, which counts when the prefix was spelled another way.
pub fn behind(request: &HttpRequest, prefix: &str, tail: &str) -> String {
    let written = request.uri().path_and_query().map_or("/", |written| written.as_str());
    match (written.strip_prefix(prefix), request.query_string()) {
        (Some(rest), _) if rest.starts_with('/') => rest.to_owned(),
        (_, "") => format!("/{tail}"),
        (_, query) => format!("/{tail}?{query}"),
    }
}

/// The address of something on a server, `host:port`.
pub fn url(server: &str, path_and_query: &str) -> Option<reqwest::Url> {
    format!("http://{server}{path_and_query}").parse().ok()
}

/// Whether a method changes something.
pub fn is_changing(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Sends a request on and waits for the head of its answer.
///
/// # Errors
/// The server behind us does not answer.
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
        if !is_dropped(name.as_str(), NOT_PASSED_ON, request) {
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

/// The answer as it goes to the caller, whose browser gives it no more rights than the policy does.
pub fn answer(method: &Method, response: reqwest::Response, policy: &'static str) -> HttpResponse {
    let status = StatusCode::from_u16(response.status().as_u16());
    let mut answer = HttpResponse::build(status.unwrap_or(StatusCode::BAD_GATEWAY));
    for (name, value) in response.headers() {
        let name = name.as_str();
        if !OF_CONNECTION.contains(&name) && !NOT_PASSED_BACK.contains(&name) {
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
    OF_CONNECTION.contains(&name)
        || dropped.contains(&name)
        || is_named_by_connection(name, request)
}

/// `Connection: x` makes `x` a header of the connection.
fn is_named_by_connection(name: &str, request: &HttpRequest) -> bool {
    let values = request.headers().get_all(header::CONNECTION);
    let mut options = values.filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    options.any(|option| option.trim().eq_ignore_ascii_case(name))
}

/// Returns true if the body is forwarded. That of a request that only reads is not: it needs no token.
fn has_body(request: &HttpRequest) -> bool {
    if !is_changing(request.method()) {
        return false;
    }
    let length = request.headers().get(header::CONTENT_LENGTH);
    length.is_some_and(|length| length.as_bytes() != b"0")
        || request.headers().contains_key(header::TRANSFER_ENCODING)
}

/// The body, led out of this thread: a payload belongs to the thread of its connection.
fn body_of(mut payload: Payload) -> reqwest::Body {
    let (mut sender, receiver) = mpsc::channel::<Result<Bytes, io::Error>>(PIECES_AHEAD);
    actix_web::rt::spawn(async move {
        while let Some(piece) = payload.next().await {
            // Cut off here is cut off there: the error ends the body behind us, too.
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
    fn headers_of_the_connection_and_of_the_caller_stay_here() {
        let request = TestRequest::default()
            .insert_header(("connection", "close, X-Private"))
            .to_http_request();
        for name in ["authorization", "cookie", "transfer-encoding", "x-private", "host"] {
            assert!(is_dropped(name, NOT_PASSED_ON, &request), "{name}");
        }
        for name in ["accept", "content-type", "if-none-match", "x-other"] {
            assert!(!is_dropped(name, NOT_PASSED_ON, &request), "{name}");
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
