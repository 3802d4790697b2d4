//! The cluster's secret and the tokens derived from it.
//!
//! ```text
//! secret ── unchanged ───────────────────────▶ clients, agents: every changing request
//!        ├─ HMAC "application:<attempt>" ────▶ one attempt's app master
//!        └─ HMAC "lease" ─▶ lease key ─ HMAC ▶ lease tokens, which agents check without asking
//! ```
//!
//! Tokens have no expiry time: an attempt's token is useless after the attempt has ended, and the resource manager
//! ends the containers of leases that it does not know.

use crate::{
    error::Error,
    http::{connections, server::ApiError},
};
use actix_web::{HttpRequest, http::header::AUTHORIZATION};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::{
    fmt, fs,
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};
use weir_base::AttemptId;
use weir_protocol::cluster::{self, Lease, LeaseToken};

const SECRET_BYTES: usize = 32;

/// The cluster's secret. Its debug form does not show it.
#[derive(Clone)]
pub struct Secret {
    hex: String,
    lease_key: Vec<u8>,
}

impl Secret {
    /// Creates a secret in a new file, readable by its owner alone.
    ///
    /// # Errors
    /// The file exists or cannot be written.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let failed = |problem: String| Error::Secret { path: path.to_owned(), problem };
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes).map_err(|error| failed(error.to_string()))?;
        let secret = Self::of_hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect());
        let mut options = fs::OpenOptions::new();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        let written = file.and_then(|mut file| {
            writeln!(file, "{}", secret.hex)?;
            file.sync_all()
        });
        written.map_err(|error| failed(error.to_string()))?;
        Ok(secret)
    }

    /// Reads the secret from its file.
    ///
    /// # Errors
    /// The file cannot be read, others may read it, or its content is invalid.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let failed = |problem: String| Error::Secret { path: path.to_owned(), problem };
        let read = || -> io::Result<(String, u32)> {
            Ok((fs::read_to_string(path)?, fs::metadata(path)?.permissions().mode()))
        };
        let (text, mode) = read().map_err(|error| failed(error.to_string()))?;
        if mode & 0o077 != 0 {
            let problem = format!(
                "users other than its owner may read it (mode {:o}); run chmod 600",
                mode & 0o777
            );
            return Err(failed(problem));
        }
        let hex = text.trim();
        let is_secret = hex.len() == 2 * SECRET_BYTES && hex.bytes().all(|b| b.is_ascii_hexdigit());
        match is_secret {
            true => Ok(Self::of_hex(hex.to_owned())),
            false => Err(failed("it does not hold 64 hex digits".to_owned())),
        }
    }

    /// The secret with these hex digits.
    pub fn of_hex(hex: String) -> Self {
        let lease_key = mac(hex.as_bytes(), b"lease").finalize().into_bytes().to_vec();
        Self { hex, lease_key }
    }

    /// The token after `Bearer `.
    pub fn bearer(&self) -> String {
        self.hex.clone()
    }

    /// Whether a request carries the secret.
    pub fn matches_bearer(&self, request: &HttpRequest) -> bool {
        let matches = bearer_of(request).is_some_and(|token| self.matches(token));
        if matches {
            connections::trust(request);
        }
        matches
    }

    /// Compares a token with the secret in constant time.
    pub fn matches(&self, token: &str) -> bool {
        let proof = mac(self.hex.as_bytes(), token.as_bytes()).finalize().into_bytes();
        mac(self.hex.as_bytes(), self.hex.as_bytes()).verify(&proof).is_ok()
    }

    /// The token for an attempt's app master.
    pub fn application_token(&self, attempt: AttemptId) -> String {
        let code = self.application_mac(attempt).finalize().into_bytes();
        let code: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{attempt}.{code}")
    }

    /// The attempt whose token the request carries.
    pub fn attempt_of_bearer(&self, request: &HttpRequest) -> Option<AttemptId> {
        let token = bearer_of(request)?;
        let attempt = token.split_once('.')?.0.parse().ok()?;
        let expected = self.application_token(attempt);
        let proof = mac(self.hex.as_bytes(), token.as_bytes()).finalize().into_bytes();
        mac(self.hex.as_bytes(), expected.as_bytes()).verify(&proof).ok()?;
        connections::trust(request);
        Some(attempt)
    }

    /// A token for a lease.
    pub fn sign_lease(&self, lease: &Lease) -> LeaseToken {
        let claims = cluster::encode(lease);
        let code = mac(&self.lease_key, &claims).finalize().into_bytes().to_vec();
        LeaseToken { claims, mac: code }
    }

    /// The content of a lease token, if the resource manager signed it.
    pub fn verify_lease(&self, token: &LeaseToken) -> Option<Lease> {
        mac(&self.lease_key, &token.claims).verify_slice(&token.mac).ok()?;
        cluster::decode(&token.claims).ok()
    }

    /// The content of the request's lease token, if the resource manager signed it.
    pub fn lease_of_bearer(&self, request: &HttpRequest) -> Option<Lease> {
        let claims = self.verify_lease(&bearer_of(request)?.parse().ok()?)?;
        connections::trust(request);
        Some(claims)
    }

    fn application_mac(&self, attempt: AttemptId) -> Hmac<Sha256> {
        mac(self.hex.as_bytes(), format!("application:{attempt}").as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

fn mac(key: &[u8], message: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(message);
    mac
}

/// The bearer token of a request.
pub fn bearer_of(request: &HttpRequest) -> Option<&str> {
    request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ").map(str::trim)
}

/// Rejects a request without the cluster's secret.
///
/// # Errors
/// 401 with `WEIR-HTTP-0011`.
pub fn require_cluster(request: &HttpRequest, secret: &Secret) -> Result<(), ApiError> {
    match (secret.matches_bearer(request), bearer_of(request)) {
        (true, _) => Ok(()),
        (false, None) => Err(unauthorized("the request carries no token")),
        (false, Some(_)) => Err(unauthorized("the token is not the token of this cluster")),
    }
}

/// Rejects a request without the token of an attempt.
///
/// # Errors
/// 401 with `WEIR-HTTP-0011`.
pub fn require_attempt(request: &HttpRequest, secret: &Secret) -> Result<AttemptId, ApiError> {
    let attempt = secret.attempt_of_bearer(request);
    attempt.ok_or_else(|| unauthorized("the request carries no token of an application attempt"))
}

/// The error for a wrong or missing token.
pub fn unauthorized(problem: &str) -> ApiError {
    let help = "send the header Authorization: Bearer TOKEN with the token from the file `token` in \
                the cluster's data folder";
    ApiError::unauthorized("WEIR-HTTP-0011", format!("{problem}; {help}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use weir_base::{ApplicationId, ContainerId, NodeId, Resources};

    fn secret() -> Secret {
        Secret::of_hex("ab".repeat(32))
    }

    fn attempt(number: u32) -> AttemptId {
        let application = ApplicationId { cluster_timestamp: 5, sequence: 1 };
        AttemptId { application, number }
    }

    fn with_bearer(token: &str) -> HttpRequest {
        TestRequest::default()
            .insert_header((AUTHORIZATION, format!("Bearer {token}")))
            .to_http_request()
    }

    #[test]
    fn each_token_allows_only_its_own_requests() {
        let (secret, other) = (secret(), Secret::of_hex("cd".repeat(32)));
        assert!(require_cluster(&with_bearer(&secret.bearer()), &secret).is_ok());
        assert!(require_cluster(&with_bearer(&other.bearer()), &secret).is_err());
        assert!(require_cluster(&TestRequest::default().to_http_request(), &secret).is_err());
        let token = secret.application_token(attempt(1));
        assert_eq!(require_attempt(&with_bearer(&token), &secret).ok(), Some(attempt(1)));
        assert!(require_cluster(&with_bearer(&token), &secret).is_err());
        let borrowed = token.replace("_000001", "_000002");
        assert!(require_attempt(&with_bearer(&borrowed), &secret).is_err());
        assert!(require_attempt(&with_bearer(&secret.bearer()), &secret).is_err());
    }

    #[test]
    fn lease_token_with_a_changed_bit_is_refused() {
        let claims = Lease {
            container: ContainerId { attempt: attempt(1), epoch: 0, sequence: 2 },
            node: NodeId("127.0.0.1:1".to_owned()),
            resources: Resources { memory_mib: 1, vcores: 1 },
        };
        let token = secret().sign_lease(&claims);
        assert_eq!(secret().verify_lease(&token), Some(claims));
        for index in 0..token.claims.len() {
            let mut changed = token.clone();
            changed.claims[index] ^= 1;
            assert_eq!(secret().verify_lease(&changed), None);
        }
        assert_eq!(Secret::of_hex("cd".repeat(32)).verify_lease(&token), None);
        assert!(secret().lease_of_bearer(&with_bearer(&token.to_string())).is_some());
        assert_eq!(secret().lease_of_bearer(&with_bearer(&secret().bearer())), None);
        assert_eq!(secret().lease_of_bearer(&TestRequest::default().to_http_request()), None);
    }

    #[test]
    fn secret_file_is_private_and_made_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        let made = Secret::create(&path).expect("made");
        assert_eq!(Secret::load(&path).expect("read").bearer(), made.bearer());
        assert_eq!(Secret::create(&path).expect_err("there").code(), "WEIR-HTTP-0003");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("changed");
        let error = Secret::load(&path).expect_err("readable by all").to_string();
        assert!(error.contains("chmod 600"), "{error}");
    }
}
