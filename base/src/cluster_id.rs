//! Ids of the cluster in YARN's spelling, and the hash by which files are named.
//!
//! ```text
//! application_1763640000000_0001
//! appattempt_1763640000000_0001_000001
//! container_e02_1763640000000_0001_01_000003     e02: the resource manager's epoch, left out at 0
//! 127.0.0.1:8042                                 a node: where its agent listens
//! ```
//!
//! Ids order by age: first by the start of the cluster, then by number.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// A text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {kind} (write for example {example})")]
pub struct ParseClusterIdError {
    /// The given text.
    pub text: String,
    /// The expected kind.
    pub kind: &'static str,
    /// A valid example.
    pub example: &'static str,
}

/// An application, numbered by the resource manager that accepted it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ApplicationId {
    /// When the cluster was first started, in milliseconds since 1970.
    pub cluster_timestamp: u64,
    /// Counts from 1.
    pub sequence: u32,
}

/// An attempt of an application: one app master.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct AttemptId {
    /// Application of the attempt.
    pub application: ApplicationId,
    /// Counts from 1; also the leader epoch of the app master.
    pub number: u32,
}

/// A container: a lease on one node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ContainerId {
    /// Attempt that holds the lease.
    pub attempt: AttemptId,
    /// Number of resource manager starts before the one that granted the lease.
    pub epoch: u32,
    /// Counts from 1 within attempt and epoch; the app master's container has 1 in the epoch of its launch.
    pub sequence: u64,
}

/// A node, named by the address of its agent, `host:port`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub String);

/// The SHA-256 of a file, by which it is stored and downloaded; 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactHash(pub [u8; 32]);

impl fmt::Display for ApplicationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "application_{}_{:04}", self.cluster_timestamp, self.sequence)
    }
}

impl fmt::Display for AttemptId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ApplicationId { cluster_timestamp, sequence } = self.application;
        write!(f, "appattempt_{cluster_timestamp}_{sequence:04}_{:06}", self.number)
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ApplicationId { cluster_timestamp, sequence } = self.attempt.application;
        f.write_str("container_")?;
        if self.epoch > 0 {
            write!(f, "e{:02}_", self.epoch)?;
        }
        let (attempt, number) = (self.attempt.number, self.sequence);
        write!(f, "{cluster_timestamp}_{sequence:04}_{attempt:02}_{number:06}")
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ArtifactHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ArtifactHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number of decimal digits only: no sign, no space.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let digits_only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits_only.then(|| text.parse().ok()).flatten()
}

fn numbered(text: &str, prefix: &str) -> Option<Vec<String>> {
    Some(text.strip_prefix(prefix)?.split('_').map(str::to_owned).collect())
}

impl FromStr for ApplicationId {
    type Err = ParseClusterIdError;

    fn from_str(text: &str) -> Result<Self, ParseClusterIdError> {
        let parse = || match numbered(text, "application_")?.as_slice() {
            [timestamp, sequence] => {
                Some(Self { cluster_timestamp: number(timestamp)?, sequence: number(sequence)? })
            }
            _ => None,
        };
        parse().ok_or_else(|| ParseClusterIdError {
            text: text.to_owned(),
            kind: "application id",
            example: "application_1763640000000_0001",
        })
    }
}

impl FromStr for AttemptId {
    type Err = ParseClusterIdError;

    fn from_str(text: &str) -> Result<Self, ParseClusterIdError> {
        let parse = || match numbered(text, "appattempt_")?.as_slice() {
            [timestamp, sequence, attempt] => {
                let application = ApplicationId {
                    cluster_timestamp: number(timestamp)?,
                    sequence: number(sequence)?,
                };
                Some(Self { application, number: number(attempt)? })
            }
            _ => None,
        };
        parse().ok_or_else(|| ParseClusterIdError {
            text: text.to_owned(),
            kind: "application attempt id",
            example: "appattempt_1763640000000_0001_000001",
        })
    }
}

impl FromStr for ContainerId {
    type Err = ParseClusterIdError;

    fn from_str(text: &str) -> Result<Self, ParseClusterIdError> {
        let parse = || {
            let parts = numbered(text, "container_")?;
            let (epoch, rest) = match parts.split_first()? {
                (first, rest) if first.starts_with('e') => (number(&first[1..])?, rest),
                _ => (0, parts.as_slice()),
            };
            let [timestamp, sequence, attempt, container] = rest else { return None };
            let application = ApplicationId {
                cluster_timestamp: number(timestamp)?,
                sequence: number(sequence)?,
            };
            let attempt = AttemptId { application, number: number(attempt)? };
            Some(Self { attempt, epoch, sequence: number(container)? })
        };
        parse().ok_or_else(|| ParseClusterIdError {
            text: text.to_owned(),
            kind: "container id",
            example: "container_1763640000000_0001_01_000002",
        })
    }
}

impl FromStr for ArtifactHash {
    type Err = ParseClusterIdError;

    fn from_str(text: &str) -> Result<Self, ParseClusterIdError> {
        let parse = || {
            let lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if text.len() != 64 || !text.bytes().all(lower_hex) {
                return None;
            }
            let mut hash = [0; 32];
            for (index, byte) in hash.iter_mut().enumerate() {
                *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).ok()?;
            }
            Some(Self(hash))
        };
        parse().ok_or_else(|| ParseClusterIdError {
            text: text.to_owned(),
            kind: "SHA-256 of a file",
            example: "64 lower-case hex digits",
        })
    }
}

macro_rules! as_text {
    ($($name:ty),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

as_text!(ApplicationId, AttemptId, ContainerId, ArtifactHash);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_spelled_as_in_yarn_and_read_back() {
        let application = ApplicationId { cluster_timestamp: 1_763_640_000_000, sequence: 1 };
        let attempt = AttemptId { application, number: 2 };
        let first = ContainerId { attempt, epoch: 0, sequence: 3 };
        let later = ContainerId { epoch: 7, ..first };
        for (id, text) in [
            (application.to_string(), "application_1763640000000_0001"),
            (attempt.to_string(), "appattempt_1763640000000_0001_000002"),
            (first.to_string(), "container_1763640000000_0001_02_000003"),
            (later.to_string(), "container_e07_1763640000000_0001_02_000003"),
        ] {
            assert_eq!(id, text);
        }
        assert_eq!(application.to_string().parse(), Ok(application));
        assert_eq!(attempt.to_string().parse(), Ok(attempt));
        assert_eq!(first.to_string().parse(), Ok(first));
        assert_eq!(later.to_string().parse(), Ok(later));
    }

    #[test]
    fn texts_that_are_not_ids_are_refused() {
        for text in ["", "application_", "application_1", "application_1_+2", "application_1_2_3"] {
            assert!(text.parse::<ApplicationId>().is_err(), "{text:?}");
        }
        for text in ["container_e_1_2_3_4", "container_1_2_3", "container_ex_1_2_3_4", "../x"] {
            assert!(text.parse::<ContainerId>().is_err(), "{text:?}");
        }
        let hash = ArtifactHash([0xab; 32]);
        assert_eq!(hash.to_string().parse(), Ok(hash));
        for text in ["", "../../etc", &"AB".repeat(32), &"ab".repeat(31)] {
            assert!(text.parse::<ArtifactHash>().is_err(), "{text:?}");
        }
    }
}
