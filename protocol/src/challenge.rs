//! How the two ends of a connection of a job prove that they hold the job's key, without sending
//! it.
//!
//! ```text
//! connector ── nonce a ─────────────────────────────▶ acceptor
//! connector ◀─ nonce b, proof(key, Acceptor, a, b) ── acceptor
//! connector ── proof(key, Connector, a, b) ─────────▶ acceptor
//! ```
//!
//! A proof is an HMAC-SHA256 over the protocol's name, the side, and both nonces, so it serves one
//! connection of one protocol in one direction. Who connects does not read on before the
//! acceptor's proof is right, and the other way round.

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;

/// Bytes of a key, a nonce and a proof.
pub const CHALLENGE_BYTES: usize = 32;

/// A random number used once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Nonce(pub [u8; CHALLENGE_BYTES]);

/// That its sender holds the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Proof(pub [u8; CHALLENGE_BYTES]);

/// The end of the connection that gives the proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The end that opened the connection.
    Connector,
    /// The end that accepted it.
    Acceptor,
}

/// The secret of one job under one app master. Its debug form does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct JobKey([u8; CHALLENGE_BYTES]);

/// A text that is no job key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a job key is 64 lower-case hex digits")]
pub struct ParseJobKeyError;

impl JobKey {
    /// A key from random bytes.
    pub fn new(bytes: [u8; CHALLENGE_BYTES]) -> Self {
        Self(bytes)
    }

    /// As it is put into the environment of a process.
    pub fn to_hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Reads what [`JobKey::to_hex`] gave.
    ///
    /// # Errors
    /// The text is anything else.
    pub fn from_hex(text: &str) -> Result<Self, ParseJobKeyError> {
        let hash: weir_base::ArtifactHash = text.parse().map_err(|_| ParseJobKeyError)?;
        Ok(Self(hash.0))
    }

    /// The proof of one side. `protocol` is the magic of the connection.
    pub fn prove(
        &self,
        protocol: &[u8; 8],
        side: Side,
        connector: Nonce,
        acceptor: Nonce,
    ) -> Proof {
        Proof(self.mac(protocol, side, connector, acceptor).finalize().into_bytes().into())
    }

    /// Whether a proof is right; takes the same time for every wrong one.
    pub fn verify(
        &self,
        protocol: &[u8; 8],
        side: Side,
        connector: Nonce,
        acceptor: Nonce,
        proof: &Proof,
    ) -> bool {
        self.mac(protocol, side, connector, acceptor).verify_slice(&proof.0).is_ok()
    }

    fn mac(
        &self,
        protocol: &[u8; 8],
        side: Side,
        connector: Nonce,
        acceptor: Nonce,
    ) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(protocol);
        mac.update(match side {
            Side::Connector => b"connector",
            Side::Acceptor => b"acceptor ",
        });
        mac.update(&connector.0);
        mac.update(&acceptor.0);
        mac
    }
}

impl fmt::Debug for JobKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JobKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proof_serves_one_key_side_protocol_and_pair_of_nonces() {
        let (key, other) = (JobKey::new([1; 32]), JobKey::new([2; 32]));
        let (a, b) = (Nonce([3; 32]), Nonce([4; 32]));
        let proof = key.prove(b"WEIRCTRL", Side::Connector, a, b);
        assert!(key.verify(b"WEIRCTRL", Side::Connector, a, b, &proof));
        assert!(!other.verify(b"WEIRCTRL", Side::Connector, a, b, &proof));
        assert!(!key.verify(b"WEIRDATA", Side::Connector, a, b, &proof));
        assert!(!key.verify(b"WEIRCTRL", Side::Acceptor, a, b, &proof));
        assert!(!key.verify(b"WEIRCTRL", Side::Connector, b, a, &proof));
    }

    #[test]
    fn key_travels_as_hex_and_hides_in_debug() {
        let key = JobKey::new([0xc3; 32]);
        assert_eq!(JobKey::from_hex(&key.to_hex()), Ok(key.clone()));
        assert!(JobKey::from_hex("c3").is_err());
        assert_eq!(format!("{key:?}"), "JobKey(..)");
    }
}
