//! A self-describing encoding for types that the compact codec cannot read back.

use crate::schema_trace::SELF_DESCRIBING;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned},
    ser,
};
use std::{
    fmt,
    ops::{Deref, DerefMut},
};

/// A value that is sent and stored with the names of its fields and variants.
///
/// Weir's codec is compact: it stores neither names nor types. A type whose `Deserialize` needs
/// them (`#[serde(tag)]`, `untagged`, `flatten`, `skip_serializing_if`, `serde_json::Value`) is
/// refused when the job is planned (`WEIR-TYPE-0003`). Inside a `SelfDescribing` it may be a record,
/// part of one, or a state; its encoding is MessagePack with names, which is larger and slower.
/// It cannot be a key, because equal values may have different encodings.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// # use weir_dataflow as weir;
/// use weir::SelfDescribing;
///
/// #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
/// #[serde(tag = "kind")]
/// enum Event {
///     Click { x: i32 },
///     Close,
/// }
///
/// let record = SelfDescribing(Event::Click { x: 1 });
/// assert!(matches!(*record, Event::Click { x: 1 }));
/// # let bytes = weir::codec::encode(&record)?;
/// # let back: SelfDescribing<Event> = weir::codec::decode(&bytes)?;
/// # assert_eq!(back.into_inner(), Event::Click { x: 1 });
/// # assert!(weir::schema_trace::schema_of::<Event>().is_err());
/// # Ok::<(), weir::Error>(())
/// ```
///
/// For one field of a struct there is [`with`](self_describing):
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # use weir_dataflow as weir;
/// #[derive(Clone, Serialize, Deserialize)]
/// struct Order {
///     id: u64,
///     #[serde(with = "weir::self_describing")]
///     details: serde_json::Value,
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SelfDescribing<T>(pub T);

impl<T> SelfDescribing<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<T> for SelfDescribing<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> Deref for SelfDescribing<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for SelfDescribing<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: fmt::Debug> fmt::Debug for SelfDescribing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for SelfDescribing<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Serialize> Serialize for SelfDescribing<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for SelfDescribing<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}

/// Writes a value with names, for `#[serde(with = "weir::self_describing")]`.
///
/// # Errors
/// The value's `Serialize` returns an error.
pub fn serialize<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let bytes = rmp_serde::to_vec_named(value).map_err(ser::Error::custom)?;
    serializer.serialize_newtype_struct(SELF_DESCRIBING, &Bytes(bytes))
}

/// Reads a value with names, for `#[serde(with = "weir::self_describing")]`.
///
/// # Errors
/// The bytes are not an encoding of the type.
pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    struct Visitor;
    impl<'de> de::Visitor<'de> for Visitor {
        type Value = Bytes;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a value in MessagePack")
        }

        fn visit_newtype_struct<D: Deserializer<'de>>(
            self,
            deserializer: D,
        ) -> Result<Bytes, D::Error> {
            Bytes::deserialize(deserializer)
        }
    }
    let Bytes(bytes) = deserializer.deserialize_newtype_struct(SELF_DESCRIBING, Visitor)?;
    rmp_serde::from_slice(&bytes).map_err(de::Error::custom)
}

/// An encoded value.
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes")
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
                Ok(Bytes(bytes.to_vec()))
            }

            fn visit_byte_buf<E: de::Error>(self, bytes: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Visitor)
    }
}
