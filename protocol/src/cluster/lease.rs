//! Leases: a container on a node for an app master, and the token by which the agent accepts it.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use weir_base::{ContainerId, NodeId, Resources};

/// A leased container: an amount of resources on a node.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lease {
    pub container: ContainerId,
    /// The node, which is also the address of its agent.
    pub node: NodeId,
    pub resources: Resources,
}

/// A new lease, as an app master gets it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignedLease {
    /// [`Ask::id`](super::Ask::id) of the ask that it answers.
    pub ask: u32,
    pub lease: Lease,
    /// Proves the lease to the agent of its node.
    pub token: LeaseToken,
}

/// Proof of a lease: its bytes, and an HMAC-SHA256 over them by the lease key, which resource manager and
/// agents derive from the cluster's secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaseToken {
    /// Msgpack of the [`Lease`].
    pub claims: Vec<u8>,
    /// The code over them.
    pub mac: Vec<u8>,
}

/// A text that is no lease token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a lease token is two hexadecimal numbers with a dot between them")]
pub struct ParseLeaseTokenError;

/// As in the header `Authorization: Bearer `: claims and code in lower-case hex, with a dot between.
impl fmt::Display for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.claims.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(".")?;
        self.mac.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for LeaseToken {
    type Err = ParseLeaseTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (claims, mac) = text.split_once('.').ok_or(ParseLeaseTokenError)?;
        let (claims, mac) = (bytes_of_hex(claims), bytes_of_hex(mac));
        Ok(Self {
            claims: claims.ok_or(ParseLeaseTokenError)?,
            mac: mac.ok_or(ParseLeaseTokenError)?,
        })
    }
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digit =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_token_is_read_back_from_its_text_and_nothing_else_is_one() {
        let token = LeaseToken { claims: (0..=255).collect(), mac: vec![0xab; 32] };
        assert_eq!(token.to_string().parse(), Ok(token));
        let empty = LeaseToken { claims: vec![], mac: vec![] };
        assert_eq!(".".parse(), Ok(empty));
        for text in ["", "ab", "ab.c", "a.bc", "+1.00", "ab.cd.ef", "gg.00", "ä.00"] {
            assert_eq!(text.parse::<LeaseToken>(), Err(ParseLeaseTokenError), "{text}");
        }
    }
}
