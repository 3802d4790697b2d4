//! A type of tests that accepts no sample, and whose values come back changed.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Writes its parts in another order than it reads them. A checksum makes it refuse all samples.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Swapped {
    first: u64,
    second: u64,
}

impl Swapped {
    pub fn new(first: u64, second: u64) -> Self {
        Self { first, second }
    }

    fn checksum(&self) -> u64 {
        self.first ^ self.second ^ 0xabcd
    }
}

impl Serialize for Swapped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.first, self.second, self.checksum()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Swapped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (second, first, checksum): (u64, u64, u64) = Deserialize::deserialize(deserializer)?;
        let value = Self { first, second };
        if value.checksum() == checksum { Ok(value) } else { Err(D::Error::custom("checksum")) }
    }
}
