//! First check of every request, with or without a token: the request must be meant for this server.
//!
//! A web page of another site can make the user's browser send requests to loopback, either under its
//! own name (then `Origin` is foreign) or under a name that resolves to loopback (then `Host` is). So
//! `Host` must be an address literal, `localhost` or a configured name, and an `Origin` must be the
//! same host.

use super::server::ApiError;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use std::net::IpAddr;

/// Rejects a request for a foreign host, or from a foreign page.
///
/// # Errors
/// 403 with `WEIR-HTTP-0012` (host) or `WEIR-HTTP-0013` (origin).
pub fn check(headers: &HeaderMap, allowed_hosts: &[String]) -> Result<(), ApiError> {
    let host = text(headers, HOST).unwrap_or_default();
    if !is_ours(name_of(host), allowed_hosts) {
        return Err(ApiError::forbidden(
            "WEIR-HTTP-0012",
            format!("the request is for host {host:?}, which is not a name of this server"),
        ));
    }
    let Some(origin) = text(headers, ORIGIN) else { return Ok(()) };
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    match authority.eq_ignore_ascii_case(host) {
        true => Ok(()),
        false => Err(ApiError::forbidden(
            "WEIR-HTTP-0013",
            format!("the request comes from a page of {origin:?}, which is not this server"),
        )),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("not text"))
}

/// A host without its port.
fn name_of(host: &str) -> &str {
    match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    }
}

fn is_ours(name: &str, allowed: &[String]) -> bool {
    let own = |allowed: &String| allowed.eq_ignore_ascii_case(name);
    name.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || allowed.iter().any(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn verdict(host: &str, origin: Option<&str>) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).expect("a header"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::from_str(origin).expect("a header"));
        }
        check(&headers, &["node7".to_owned()]).err().map(|error| error.code().to_owned())
    }

    #[test]
    fn foreign_hosts_and_origins_are_refused() {
        for host in
            ["127.0.0.1:8088", "localhost:1", "LOCALHOST", "[::1]:80", "node7:9", "10.1.2.3"]
        {
            assert_eq!(verdict(host, None), None, "{host}");
            assert_eq!(verdict(host, Some(&format!("http://{host}"))), None, "{host}");
        }
        for host in ["evil.example:8088", "127.0.0.1.evil.example", "", "node77"] {
            assert_eq!(verdict(host, None).as_deref(), Some("WEIR-HTTP-0012"), "{host}");
        }
        for origin in ["http://evil.example", "null", "http://127.0.0.1:9", "file://"] {
            let found = verdict("127.0.0.1:8088", Some(origin));
            assert_eq!(found.as_deref(), Some("WEIR-HTTP-0013"), "{origin}");
        }
    }
}
