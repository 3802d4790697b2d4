//! The compact binary codec of wire and checkpoints.
//!
//! The format is postcard's published one: varints, no field names, no padding. A record is
//! followed directly by the next; their number travels beside them.
//!
//! The encoder is our own, so that a value whose `Serialize` leaves out a field is an error and
//! not a shifted record. The decoder is postcard's.

mod append;
mod encoder;

use crate::{batch::MAX_RECORDS, error::Error, record::Record};
use encoder::{EncodeError, Encoder};
use std::any::type_name;

/// Appends one value.
pub fn encode_into<T: serde::Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let start = out.len();
    let encoded = value.serialize(Encoder::new(out));
    encoded.map_err(|error| {
        out.truncate(start);
        cannot_encode::<T>(error)
    })
}

/// Appends values one after another; all or none.
pub fn encode_all<T: serde::Serialize>(values: &[T], out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    let encoded = values.iter().try_for_each(|value| value.serialize(Encoder::new(out)));
    encoded.map_err(|error| {
        out.truncate(start);
        cannot_encode::<T>(error)
    })
}

#[cold]
fn cannot_encode<T: ?Sized>(error: EncodeError) -> Error {
    let text = format!("cannot encode a value of type {}: {error}", type_name::<T>());
    Error::permanent("WEIR-TYPE-0001", text)
}

/// The encoding of one value.
pub fn encode<T: serde::Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    encode_into(value, &mut out)?;
    Ok(out)
}

/// Takes one value off the front.
pub fn decode_from<T: Record>(bytes: &mut &[u8]) -> Result<T, Error> {
    let (value, rest) = postcard::take_from_bytes::<T>(bytes).map_err(cannot_decode::<T>)?;
    *bytes = rest;
    Ok(value)
}

/// Decodes so many values that fill the bytes, to the end of a vector.
pub fn decode_all<T: Record>(bytes: &[u8], count: usize, into: &mut Vec<T>) -> Result<(), Error> {
    let mut deserializer = postcard::Deserializer::from_bytes(bytes);
    let mut left = count;
    while left > 0 {
        // The count comes from outside, so room is made as values come.
        into.reserve(left.min(MAX_RECORDS));
        let room = (into.capacity() - into.len()).min(left);
        for _ in 0..room {
            let value = T::deserialize(&mut deserializer).map_err(cannot_decode::<T>)?;
            let end = into.len();
            // SAFETY: there is room for the value, as just reserved. A push could grow the vector
            // and fail at it, so it would have the value put together in memory first.
            unsafe {
                into.as_mut_ptr().add(end).write(value);
                into.set_len(end + 1);
            }
        }
        left -= room;
    }
    let rest = deserializer.finalize().map_err(cannot_decode::<T>)?;
    if rest.is_empty() {
        Ok(())
    } else {
        Err(left_behind(rest, &format!("{count} values"), type_name::<T>()))
    }
}

#[cold]
fn cannot_decode<T>(error: postcard::Error) -> Error {
    let text = format!("cannot decode a value of type {}: {}", type_name::<T>(), problem(&error));
    Error::permanent("WEIR-TYPE-0002", text)
}

/// What is wrong with the bytes, in words for the author of a job.
fn problem(error: &postcard::Error) -> &'static str {
    use postcard::Error as Problem;
    match error {
        Problem::WontImplement | Problem::NotYetImplemented => {
            "its Deserialize asks which type the data has, and the compact codec does not store types \
             (`#[serde(untagged)]`, `#[serde(tag)]`, `#[serde(flatten)]` and `serde_json::Value` do that)"
        }
        Problem::DeserializeUnexpectedEnd => "the bytes end inside the value",
        Problem::DeserializeBadUtf8 | Problem::DeserializeBadChar => "a text is not UTF-8",
        Problem::SerdeDeCustom => "its Deserialize refuses what was read",
        Problem::DeserializeBadBool => "a bool is neither 0 nor 1",
        Problem::DeserializeBadOption => "the tag of an Option is neither 0 nor 1",
        Problem::DeserializeBadVarint | Problem::DeserializeBadEnum => "a number is out of range",
        _ => "the bytes are not an encoding of it",
    }
}

fn left_behind(rest: &[u8], what: &str, type_name: &str) -> Error {
    let text = format!("{} bytes are left behind {what} of type {type_name}", rest.len());
    Error::permanent("WEIR-TYPE-0002", text)
}

/// Decodes one value that fills the bytes.
pub fn decode<T: Record>(mut bytes: &[u8]) -> Result<T, Error> {
    let value = decode_from(&mut bytes)?;
    if bytes.is_empty() {
        return Ok(value);
    }
    Err(left_behind(bytes, "a value", type_name::<T>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_one_another_and_come_back() {
        let mut bytes = Vec::new();
        encode_into(&("word".to_owned(), 7u64), &mut bytes).unwrap();
        encode_into(&(String::new(), u64::MAX), &mut bytes).unwrap();
        let mut rest = bytes.as_slice();
        assert_eq!(decode_from::<(String, u64)>(&mut rest).unwrap(), ("word".to_owned(), 7));
        assert_eq!(decode_from::<(String, u64)>(&mut rest).unwrap(), (String::new(), u64::MAX));
        assert!(rest.is_empty());
    }

    #[test]
    fn texts_of_every_length_keep_their_bytes() {
        let source = "0123456789abcdefghijklmnopqrstuvwxyz";
        let texts: Vec<(String, u64)> =
            (0..source.len()).map(|end| (source[..end].to_owned(), 1 << end)).collect();
        let mut bytes = Vec::new();
        encode_all(&texts, &mut bytes).unwrap();
        let mut one_by_one = Vec::new();
        texts.iter().for_each(|text| encode_into(text, &mut one_by_one).unwrap());
        assert_eq!(bytes, one_by_one);
        assert_eq!(bytes, postcard::to_allocvec(&texts).unwrap()[1..], "the published format");
        let mut back = vec![(String::new(), 7)];
        decode_all(&bytes, texts.len(), &mut back).unwrap();
        assert_eq!(back[1..], texts);
    }

    #[test]
    fn values_are_as_many_as_was_said() {
        let bytes = encode(&(1u8, 2u8, 3u8)).unwrap();
        for (count, fits) in [(2, false), (3, true), (4, false), (usize::MAX, false)] {
            assert_eq!(decode_all::<u8>(&bytes, count, &mut Vec::new()).is_ok(), fits, "{count}");
        }
        let mut units = Vec::new();
        decode_all::<()>(&[], 5000, &mut units).unwrap();
        assert_eq!(units.len(), 5000);
    }

    #[test]
    fn truncated_and_overlong_bytes_are_errors() {
        let bytes = encode(&"hello".to_owned()).unwrap();
        assert!(decode::<String>(&bytes[..3]).is_err());
        assert!(decode::<u8>(&bytes).is_err());
    }
}
