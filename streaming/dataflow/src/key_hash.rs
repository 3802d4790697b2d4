//! The hash of a key: `weir-key-hash-1`.
//!
//! It decides for ever which key group a key belongs to, so it is defined here and not by a
//! library: equal across processes, restarts, compilers and machines.
//!
//! **Definition.** With `mum(a, b)` = low half of the 128-bit product xor its high half:
//!
//! - *bytes* (texts, byte strings), `n < 16`: `lo` and `hi` are the bytes as two zero-padded
//!   little-endian words with `n` in the top byte of `hi`; `short(lo, hi) =
//!   mum(mum(lo ^ K0, hi ^ K1) ^ K2, K3)`.
//! - *bytes*, `n >= 16`: from `s = K4 ^ n`, `s = mum(s ^ w0, w1 ^ K0)` for each 16 bytes `(w0, w1)`,
//!   the last ones zero-padded; then `mum(s ^ K2, K3)`.
//! - *integers, bool, char*: as the 8 bytes of the value extended to 64 bits (sign-extended where
//!   signed), that is `short(value, 8 << 56)`; 128-bit integers as their 16 bytes.
//! - *composites*: from `s = K5`, each leaf in serde's order: `s = mum(s ^ leaf, K1)`; sequences
//!   add their length, options 0 or 1, enums their variant's index. Newtypes are transparent.
//!
//! Floats, maps and self-describing values have no hash: the error says so.

use crate::{
    batch::Payload,
    error::{Error, Result},
    record::{Key, Record},
    schema_trace::SELF_DESCRIBING,
    text::{Text, short_words},
};
use serde::ser::{self, Serialize, Serializer};
use std::{any::Any, any::type_name, fmt, marker::PhantomData};

const K0: u64 = 0xa076_1d64_78bd_642f;
const K1: u64 = 0xe703_7ed1_a0b4_28db;
const K2: u64 = 0x8ebc_6af0_9c88_c6e3;
const K3: u64 = 0x5899_65cc_7537_4cc3;
const K4: u64 = 0x1d8e_4e27_c47d_124f;
const K5: u64 = 0xeb44_acca_b455_d165;

#[inline]
fn mum(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

#[inline]
fn short(lo: u64, hi: u64) -> u64 {
    mum(mum(lo ^ K0, hi ^ K1) ^ K2, K3)
}

#[inline]
fn hash_integer(value: u64) -> u64 {
    short(value, 8 << 56)
}

#[inline]
fn hash_bytes(bytes: &[u8]) -> u64 {
    if bytes.len() < 16 {
        let (lo, hi) = short_words(bytes);
        short(lo, hi | ((bytes.len() as u64) << 56))
    } else {
        hash_long(bytes)
    }
}

fn hash_long(bytes: &[u8]) -> u64 {
    let word = |bytes: &[u8]| {
        let mut padded = [0; 8];
        padded[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(padded)
    };
    let mut state = K4 ^ bytes.len() as u64;
    for chunk in bytes.chunks(16) {
        let (first, second) = chunk.split_at(chunk.len().min(8));
        state = mum(state ^ word(first), word(second) ^ K0);
    }
    mum(state ^ K2, K3)
}

/// The hash of a key, see the module's documentation.
///
/// # Errors
/// The key contains a float or a map.
#[inline]
pub fn hash_key<K: Key>(key: &K) -> Result<u64> {
    // The compiler knows the type, so these tests cost nothing and leave one branch behind.
    let any: &dyn Any = key;
    if let Some(text) = any.downcast_ref::<Text>() {
        return Ok(match text.inline_words() {
            Some((lo, hi)) => short(lo, hi),
            None => hash_long(text.as_bytes()),
        });
    }
    if let Some(value) = any.downcast_ref::<u64>() {
        return Ok(hash_integer(*value));
    }
    key.serialize(LeafHasher).map_err(|error| {
        Error::permanent(
            "WEIR-KEY-0001",
            format!("a key of type {} cannot be hashed: {error}", type_name::<K>()),
        )
    })
}

/// Appends the hash of each key.
///
/// # Errors
/// A key contains a float or a map.
pub fn hash_keys<K: Key>(keys: impl ExactSizeIterator<Item = K>, out: &mut Vec<u64>) -> Result<()> {
    // Most types cannot fail, and then the compiler leaves a loop without a way out behind.
    let mut failed = None;
    out.extend(keys.map(|key| {
        hash_key(&key).unwrap_or_else(|error| {
            failed.get_or_insert(error);
            0
        })
    }));
    failed.map_or(Ok(()), Err)
}

/// Computes the key hashes of a batch whose type it knows; one per subtask and keyed edge.
pub trait KeyHasher: Send {
    /// Appends the hash of each record's key.
    fn hash(&mut self, payload: &dyn Payload, out: &mut Vec<u64>) -> Result<()>;
}

/// [`KeyHasher`] from a key function.
pub struct TypedKeyHasher<T, K, F> {
    key_of: F,
    types: PhantomData<fn(T) -> K>,
}

impl<T, K, F> TypedKeyHasher<T, K, F> {
    /// A hasher of `key_of(record)`.
    pub const fn new(key_of: F) -> Self {
        Self { key_of, types: PhantomData }
    }
}

impl<T: Record, K: Key, F: FnMut(&T) -> K + Send> KeyHasher for TypedKeyHasher<T, K, F> {
    fn hash(&mut self, payload: &dyn Payload, out: &mut Vec<u64>) -> Result<()> {
        let records = payload.as_any().downcast_ref::<Vec<T>>().ok_or_else(|| {
            Error::internal(format!(
                "a key function for {} meets a batch of {}",
                type_name::<T>(),
                payload.type_name()
            ))
        })?;
        hash_keys(records.iter().map(&mut self.key_of), out)
    }
}

/// What a key must not contain.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl ser::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

fn float() -> Refused {
    let why = "floats are refused as keys: equal floats can have different bits (use an integer, for \
               example cents)";
    Refused(why.to_owned())
}

fn map() -> Refused {
    Refused(
        "maps are refused as keys: they have no order (use a sorted sequence of pairs)".to_owned(),
    )
}

#[cold]
fn self_describing() -> Refused {
    Refused(
        "a SelfDescribing is refused as a key: equal values can be encoded differently".to_owned(),
    )
}

/// Hashes one value: a leaf by itself, a composite through [`Composite`].
struct LeafHasher;

/// Folds the leaves of a composite.
struct Composite {
    state: u64,
    length: Option<u64>,
}

impl Composite {
    fn new() -> Self {
        Self { state: K5, length: None }
    }

    #[inline]
    fn fold(&mut self, leaf: u64) {
        self.state = mum(self.state ^ leaf, K1);
    }

    #[inline]
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        let leaf = value.serialize(LeafHasher)?;
        self.length = self.length.map(|length| length + 1);
        self.fold(leaf);
        Ok(())
    }

    fn finish(mut self) -> u64 {
        if let Some(length) = self.length {
            self.fold(hash_integer(length));
        }
        self.state
    }
}

macro_rules! integers {
    ($($name:ident: $type:ty => $wide:ty),*) => {$(
        #[inline]
        fn $name(self, value: $type) -> Result<u64, Refused> {
            Ok(hash_integer(<$wide>::from(value) as u64))
        }
    )*};
}

impl Serializer for LeafHasher {
    type Ok = u64;
    type Error = Refused;
    type SerializeSeq = Composite;
    type SerializeTuple = Composite;
    type SerializeTupleStruct = Composite;
    type SerializeTupleVariant = Composite;
    type SerializeMap = ser::Impossible<u64, Refused>;
    type SerializeStruct = Composite;
    type SerializeStructVariant = Composite;

    integers! {
        serialize_bool: bool => u64, serialize_i8: i8 => i64, serialize_i16: i16 => i64,
        serialize_i32: i32 => i64, serialize_i64: i64 => i64, serialize_u8: u8 => u64,
        serialize_u16: u16 => u64, serialize_u32: u32 => u64, serialize_u64: u64 => u64,
        serialize_char: char => u64
    }

    fn serialize_i128(self, value: i128) -> Result<u64, Refused> {
        Ok(hash_bytes(&value.to_le_bytes()))
    }

    fn serialize_u128(self, value: u128) -> Result<u64, Refused> {
        Ok(hash_bytes(&value.to_le_bytes()))
    }

    fn serialize_f32(self, _: f32) -> Result<u64, Refused> {
        Err(float())
    }

    fn serialize_f64(self, _: f64) -> Result<u64, Refused> {
        Err(float())
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<u64, Refused> {
        Ok(hash_bytes(text.as_bytes()))
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<u64, Refused> {
        Ok(hash_bytes(bytes))
    }

    fn serialize_none(self) -> Result<u64, Refused> {
        let mut composite = Composite::new();
        composite.fold(hash_integer(0));
        Ok(composite.finish())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<u64, Refused> {
        let mut composite = Composite::new();
        composite.fold(hash_integer(1));
        composite.add(value)?;
        Ok(composite.finish())
    }

    fn serialize_unit(self) -> Result<u64, Refused> {
        Ok(Composite::new().finish())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<u64, Refused> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<u64, Refused> {
        Ok(variant(index).finish())
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<u64, Refused> {
        if name == SELF_DESCRIBING {
            return Err(self_describing());
        }
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<u64, Refused> {
        let mut composite = variant(index);
        composite.add(value)?;
        Ok(composite.finish())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Composite, Refused> {
        Ok(Composite { state: K5, length: Some(0) })
    }

    fn serialize_tuple(self, _: usize) -> Result<Composite, Refused> {
        Ok(Composite::new())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Composite, Refused> {
        Ok(Composite::new())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Composite, Refused> {
        Ok(variant(index))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Refused> {
        Err(map())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Composite, Refused> {
        Ok(Composite::new())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Composite, Refused> {
        Ok(variant(index))
    }
}

fn variant(index: u32) -> Composite {
    let mut composite = Composite::new();
    composite.fold(hash_integer(u64::from(index)));
    composite
}

macro_rules! composites {
    ($($trait:ident: $method:ident),*) => {$(
        impl ser::$trait for Composite {
            type Ok = u64;
            type Error = Refused;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
                self.add(value)
            }

            #[inline]
            fn end(self) -> Result<u64, Refused> {
                Ok(self.finish())
            }
        }
    )*};
}

composites! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
}

macro_rules! structs {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Composite {
            type Ok = u64;
            type Error = Refused;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Result<(), Refused> {
                self.add(value)
            }

            #[inline]
            fn end(self) -> Result<u64, Refused> {
                Ok(self.finish())
            }
        }
    )*};
}

structs! { SerializeStruct, SerializeStructVariant }

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn the_hash_never_changes() {
        assert_eq!(hash_key(&0u64).unwrap(), short(0, 8 << 56));
        assert_eq!(hash_key(&Text::from("weir")).unwrap(), PINNED_WEIR);
        assert_eq!(hash_key(&42u64).unwrap(), PINNED_42);
        assert_eq!(
            hash_key(&("a text longer than sixteen bytes".to_owned(), 1u8)).unwrap(),
            PINNED_TUPLE
        );
    }

    const PINNED_WEIR: u64 = 2_421_472_749_296_387_704;
    const PINNED_42: u64 = 5_315_843_122_801_062_355;
    const PINNED_TUPLE: u64 = 18_017_339_303_076_207_460;

    #[test]
    fn fast_paths_agree_with_the_definition() {
        for length in 0..40 {
            let text = "q".repeat(length);
            let expected = hash_key(&text).unwrap();
            assert_eq!(hash_key(&Text::from(text.as_str())).unwrap(), expected, "{length}");
            assert_eq!(expected, hash_bytes(text.as_bytes()));
        }
        assert_eq!(hash_key(&7u64).unwrap(), hash_key(&7u8).unwrap());
        assert_eq!(hash_key(&7i32).unwrap(), hash_key(&7u64).unwrap());
        assert_eq!(hash_key(&-1i8).unwrap(), hash_key(&-1i64).unwrap());
    }

    #[test]
    fn keys_that_differ_have_hashes_that_differ() {
        let mut seen = BTreeSet::new();
        for a in 0..100u64 {
            for b in 0..100u64 {
                assert!(seen.insert(hash_key(&(a, b)).unwrap()));
            }
        }
        let lists = [vec![], vec![0u64], vec![0, 0]].map(|key| hash_key(&key).unwrap());
        assert_eq!(BTreeSet::from(lists).len(), 3);
        let options = [None, Some(None), Some(Some(0u64)), Some(Some(1))];
        assert_eq!(BTreeSet::from(options.map(|key| hash_key(&key).unwrap())).len(), 4);
    }

    #[test]
    fn floats_and_maps_are_refused_wherever_they_hide() {
        for error in [
            hash_key(&1.5f64).unwrap_err(),
            hash_key(&(1u8, Some(2.5f32))).unwrap_err(),
            hash_key(&BTreeMap::from([(1u8, 2u8)])).unwrap_err(),
        ] {
            assert_eq!(error.code(), "WEIR-KEY-0001", "{error}");
        }
    }

    #[test]
    fn key_groups_fill_evenly() {
        let mut counts = [0u32; 128];
        for i in 0..128_000u64 {
            let word = Text::from(format!("w{i}"));
            counts[weir_graph::key_group_of(hash_key(&word).unwrap(), 128) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }
}
