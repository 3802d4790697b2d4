//! Typed ids, and the counters by which stale messages are fenced.
//!
//! 128-bit ids print as 32 lower-case hex digits, as in Flink. Counters only grow; a receiver
//! that has seen `n` rejects smaller values.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{fmt, str::FromStr};

/// 128 bits shown as 32 lower-case hex digits; the value inside every id that is sent to other processes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct HexId(pub u128);

/// A text that is not 32 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is 32 hex digits, got {0:?}")]
pub struct ParseIdError(pub String);

impl HexId {
    /// A stable id derived from a text: the same text gives the same id in every process and release.
    ///
    /// FNV-1a with 128 bits. Ids only name things; they do not protect against an attacker.
    pub fn of_text(text: &str) -> Self {
        const OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
        const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
        let hash = text.bytes().fold(OFFSET, |h, byte| (h ^ u128::from(byte)).wrapping_mul(PRIME));
        Self(hash)
    }
}

impl fmt::Display for HexId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for HexId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for HexId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let well_formed = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match u128::from_str_radix(text, 16) {
            Ok(value) if well_formed => Ok(Self(value)),
            _ => Err(ParseIdError(text.to_owned())),
        }
    }
}

impl Serialize for HexId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HexId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! hex_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub HexId);

        impl $name {
            /// The id derived from a text, stable across processes and releases.
            pub fn of_text(text: &str) -> Self {
                Self(HexId::of_text(text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                text.parse().map(Self)
            }
        }
    )*};
}

hex_ids! {
    /// One `execute()` call of a job executable.
    JobId;
    /// A vertex of the job graph: one chain of operators.
    VertexId;
    /// An operator; derived from its `uid`, or from its position in the graph if it has none.
    OperatorId;
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize,
            Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl $name {
            /// The next value; counters are never reused.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    )*};
}

counters! {
    /// Numbers the masters (app master attempts) of a job. Only grows.
    LeaderEpoch;
    /// Numbers the deployments of one subtask. Never reused.
    ExecutionAttempt;
    /// Numbers the checkpoints of a job. Grows across epochs and attempts, never reused.
    CheckpointId;
    /// Position of a record in the job log, from 0 without gaps.
    LogIndex;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_and_parse_as_32_hex_digits() {
        let id = JobId::of_text("word count");
        assert_eq!(id.to_string().len(), 32);
        assert_eq!(id.to_string().parse::<JobId>(), Ok(id));
        for bad in ["", "xyz", &"0".repeat(31), &format!("+{}", "0".repeat(31))] {
            assert!(bad.parse::<JobId>().is_err(), "{bad:?}");
        }
    }
}
