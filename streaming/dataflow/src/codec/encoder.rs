//! The serializer of the compact codec: postcard's wire format, appended to a vector.
//!
//! It refuses what a reader of that format cannot follow: a field that is left out
//! (`skip_serializing_if`), and a sequence or map whose length is not known in advance.

use super::append::{extend, extend_short};
use serde::ser::{self, Serialize, Serializer};
use std::{convert::identity, fmt};

/// Why a value has no encoding. Boxed, because results of the encoder are many and errors few.
#[derive(Debug)]
pub(super) struct EncodeError(Box<Problem>);

#[derive(Debug)]
enum Problem {
    FieldLeftOut(&'static str),
    UnknownLength,
    Custom(String),
}

impl From<Problem> for EncodeError {
    #[cold]
    fn from(problem: Problem) -> Self {
        Self(Box::new(problem))
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Problem::FieldLeftOut(field) => write!(
                f,
                "it leaves out its field {field:?}, which a reader expects: remove \
                 `#[serde(skip_serializing_if)]`, or wrap the type in `weir::SelfDescribing`"
            ),
            Problem::UnknownLength => f.write_str(
                "the length of a sequence or map is not known before it is written (as with \
                 `#[serde(flatten)]`): wrap the type in `weir::SelfDescribing`",
            ),
            Problem::Custom(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for EncodeError {}

impl ser::Error for EncodeError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Problem::Custom(message.to_string()).into()
    }
}

/// Appends values to a vector.
pub(super) struct Encoder<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Encoder<'a> {
    #[inline]
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    #[inline]
    fn varint(&mut self, value: u64) {
        if value < 0x80 {
            self.out.push(value as u8);
        } else {
            self.long_varint(value);
        }
    }

    fn long_varint(&mut self, mut value: u64) {
        let mut bytes = [0; 10];
        let mut length = 0;
        while value >= 0x80 {
            bytes[length] = value as u8 | 0x80;
            value >>= 7;
            length += 1;
        }
        bytes[length] = value as u8;
        extend_short(self.out, &bytes[..=length]);
    }

    fn varint_128(&mut self, mut value: u128) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    fn length(&mut self, length: Option<usize>) -> Result<(), EncodeError> {
        let length = length.ok_or(Problem::UnknownLength)?;
        self.varint(length as u64);
        Ok(())
    }

    #[inline]
    fn add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        value.serialize(Encoder { out: self.out })
    }
}

#[inline]
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

macro_rules! varints {
    ($($name:ident: $type:ty => $to_u64:expr;)*) => {$(
        #[inline]
        fn $name(mut self, value: $type) -> Result<(), EncodeError> {
            self.varint($to_u64(value.into()));
            Ok(())
        }
    )*};
}

impl<'a> Serializer for Encoder<'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Self;
    type SerializeStructVariant = Self;

    varints! {
        serialize_u16: u16 => identity;
        serialize_u32: u32 => identity;
        serialize_u64: u64 => identity;
        serialize_i16: i16 => zigzag;
        serialize_i32: i32 => zigzag;
        serialize_i64: i64 => zigzag;
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<(), EncodeError> {
        self.serialize_u8(value.into())
    }

    #[inline]
    fn serialize_i8(self, value: i8) -> Result<(), EncodeError> {
        self.serialize_u8(value as u8)
    }

    #[inline]
    fn serialize_u8(self, value: u8) -> Result<(), EncodeError> {
        self.out.push(value);
        Ok(())
    }

    fn serialize_i128(mut self, value: i128) -> Result<(), EncodeError> {
        self.varint_128(((value << 1) ^ (value >> 127)) as u128);
        Ok(())
    }

    fn serialize_u128(mut self, value: u128) -> Result<(), EncodeError> {
        self.varint_128(value);
        Ok(())
    }

    #[inline]
    fn serialize_f32(self, value: f32) -> Result<(), EncodeError> {
        extend_short(self.out, &value.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_f64(self, value: f64) -> Result<(), EncodeError> {
        extend_short(self.out, &value.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_char(self, value: char) -> Result<(), EncodeError> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<(), EncodeError> {
        self.serialize_bytes(text.as_bytes())
    }

    #[inline]
    fn serialize_bytes(mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.varint(bytes.len() as u64);
        extend(self.out, bytes);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<(), EncodeError> {
        self.serialize_u8(0)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), EncodeError> {
        self.out.push(1);
        value.serialize(self)
    }

    #[inline]
    fn serialize_unit(self) -> Result<(), EncodeError> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodeError> {
        Ok(())
    }

    #[inline]
    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), EncodeError> {
        self.serialize_u32(index)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        value.serialize(self)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), EncodeError> {
        self.varint(index.into());
        value.serialize(self)
    }

    #[inline]
    fn serialize_seq(mut self, length: Option<usize>) -> Result<Self, EncodeError> {
        self.length(length)?;
        Ok(self)
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<Self, EncodeError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, EncodeError> {
        Ok(self)
    }

    #[inline]
    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, EncodeError> {
        self.varint(index.into());
        Ok(self)
    }

    #[inline]
    fn serialize_map(mut self, length: Option<usize>) -> Result<Self, EncodeError> {
        self.length(length)?;
        Ok(self)
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self, EncodeError> {
        Ok(self)
    }

    #[inline]
    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        index: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, EncodeError> {
        self.varint(index.into());
        Ok(self)
    }
}

macro_rules! sequences {
    ($($trait:ident: $method:ident),*) => {$(
        impl ser::$trait for Encoder<'_> {
            type Ok = ();
            type Error = EncodeError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
                self.add(value)
            }

            #[inline]
            fn end(self) -> Result<(), EncodeError> {
                Ok(())
            }
        }
    )*};
}

sequences! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field
}

impl ser::SerializeMap for Encoder<'_> {
    type Ok = ();
    type Error = EncodeError;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.add(key)
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), EncodeError> {
        self.add(value)
    }

    #[inline]
    fn end(self) -> Result<(), EncodeError> {
        Ok(())
    }
}

macro_rules! structs {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Encoder<'_> {
            type Ok = ();
            type Error = EncodeError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                _: &'static str,
                value: &T,
            ) -> Result<(), EncodeError> {
                self.add(value)
            }

            fn skip_field(&mut self, field: &'static str) -> Result<(), EncodeError> {
                Err(Problem::FieldLeftOut(field).into())
            }

            #[inline]
            fn end(self) -> Result<(), EncodeError> {
                Ok(())
            }
        }
    )*};
}

structs! { SerializeStruct, SerializeStructVariant }

#[cfg(test)]
mod tests {
    use crate::codec::{decode_all, encode, encode_all};
    use serde::{Deserialize, Serialize};
    use std::collections::BTreeMap;

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    enum Every {
        Unit,
        Newtype(Option<u64>),
        Tuple(i8, i16, i32, i64, i128),
        Struct { a: u8, b: u16, c: u32, d: u64, e: u128, f: bool },
        Floats(f32, f64),
        Texts(char, String, Vec<u8>),
        Many(Vec<BTreeMap<String, (u8, ())>>),
    }

    #[test]
    fn the_format_is_postcards() {
        let mut values = vec![Every::Unit, Every::Newtype(None), Every::Floats(-0.0, f64::MAX)];
        for shift in 0..128 {
            let (signed, unsigned) = (i128::MIN >> shift, u128::MAX >> shift);
            values.push(Every::Newtype(Some(unsigned as u64)));
            for v in [signed, !signed, signed + 1] {
                values.push(Every::Tuple(v as i8, v as i16, v as i32, v as i64, v));
            }
            let u = unsigned;
            values.push(Every::Struct {
                a: u as u8,
                b: u as u16,
                c: u as u32,
                d: u as u64,
                e: u,
                f: shift % 2 == 0,
            });
        }
        for (character, length) in [('a', 0), ('ß', 15), ('語', 16), ('🦀', 300)] {
            values.push(Every::Texts(character, "x".repeat(length), b"bytes".to_vec()));
            let map = BTreeMap::from([("k".repeat(length), (1, ()))]);
            values.push(Every::Many(vec![map; length]));
        }
        for value in &values {
            assert_eq!(encode(value).unwrap(), postcard::to_stdvec(value).unwrap(), "{value:?}");
        }
    }

    #[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
    struct Leaky {
        #[serde(skip_serializing_if = "above_100")]
        a: u64,
        b: u64,
    }

    fn above_100(value: &u64) -> bool {
        *value > 100
    }

    #[test]
    fn a_field_that_is_left_out_is_an_error_and_shifts_nothing() {
        let good = Leaky { a: 100, b: 2 };
        let bad = Leaky { a: 101, b: 2 };
        let mut bytes = Vec::new();
        encode_all(std::slice::from_ref(&good), &mut bytes).unwrap();
        let error = encode_all(&[good.clone(), bad], &mut bytes).unwrap_err();
        assert_eq!(error.code(), "WEIR-TYPE-0001");
        assert!(error.to_string().contains("Leaky: it leaves out its field \"a\""), "{error}");
        let mut back = Vec::new();
        decode_all::<Leaky>(&bytes, 1, &mut back).unwrap();
        assert_eq!(back, [good], "all values are appended, or none");
    }

    #[test]
    fn messages_of_an_author_are_kept() {
        struct Never;
        impl Serialize for Never {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("this one is never written"))
            }
        }
        assert!(encode(&Never).unwrap_err().to_string().contains("this one is never written"));
    }
}
