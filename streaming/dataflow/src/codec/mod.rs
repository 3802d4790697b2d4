//! The compact binary codec of wire and checkpoints.
//!
//! The format is postcard's published one: varints, no field names, no padding. A record is
//! followed directly by the next; their number travels beside them.

use crate::{batch::MAX_RECORDS, error::Error, record::Record};
use std::any::type_name;

/// Appends one value.
pub fn encode_into<T: serde::Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let start = out.len();
    let encoded = value.serialize(&mut postcard::Serializer { output: Appender(out) });
    encoded.map_err(|error| {
        out.truncate(start);
        cannot_encode::<T>(error)
    })
}

/// Appends values one after another; all or none.
pub fn encode_all<T: serde::Serialize>(values: &[T], out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    let mut serializer = postcard::Serializer { output: Appender(out) };
    let encoded = values.iter().try_for_each(|value| value.serialize(&mut serializer));
    encoded.map_err(|error| {
        out.truncate(start);
        cannot_encode::<T>(error)
    })
}

fn cannot_encode<T: ?Sized>(error: postcard::Error) -> Error {
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

fn cannot_decode<T>(error: postcard::Error) -> Error {
    let text = format!("cannot decode a value of type {}: {error}", type_name::<T>());
    Error::permanent("WEIR-TYPE-0002", text)
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

/// Writes straight to the end of a vector, so that encoding a record allocates nothing.
struct Appender<'a>(&'a mut Vec<u8>);

impl postcard::ser_flavors::Flavor for Appender<'_> {
    type Output = ();

    #[inline]
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0.push(byte);
        Ok(())
    }

    #[inline]
    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        if bytes.len() <= SHORT_BYTES {
            extend_short(self.0, bytes);
        } else {
            self.0.extend_from_slice(bytes);
        }
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Pieces of up to so many bytes are copied without a call.
const SHORT_BYTES: usize = 16;

/// Appends a short piece: two overlapping copies of a fixed size, which are an instruction each. Most
/// pieces of a record are short, and the call of a general copy would cost more than the copy.
#[inline]
fn extend_short(out: &mut Vec<u8>, bytes: &[u8]) {
    debug_assert!(bytes.len() <= SHORT_BYTES);
    if out.capacity() - out.len() < SHORT_BYTES {
        grow(out);
    }
    let count = bytes.len();
    let end = out.len();
    // SAFETY: at least `SHORT_BYTES` bytes of room follow `end`, and no copy begins or ends
    // outside the `count` bytes at either side.
    unsafe {
        let (from, to) = (bytes.as_ptr(), out.as_mut_ptr().add(end));
        if count >= 8 {
            copy::<8>(from, to);
            copy::<8>(from.add(count - 8), to.add(count - 8));
        } else if count >= 4 {
            copy::<4>(from, to);
            copy::<4>(from.add(count - 4), to.add(count - 4));
        } else if count >= 2 {
            copy::<2>(from, to);
            copy::<2>(from.add(count - 2), to.add(count - 2));
        } else if count == 1 {
            copy::<1>(from, to);
        }
        out.set_len(end + count);
    }
}

/// Copies `N` bytes.
///
/// # Safety
/// Both sides have them, and do not overlap.
#[inline]
unsafe fn copy<const N: usize>(from: *const u8, to: *mut u8) {
    // SAFETY: the caller's promise; arrays of bytes have no alignment.
    unsafe { to.cast::<[u8; N]>().write(from.cast::<[u8; N]>().read()) }
}

#[cold]
fn grow(out: &mut Vec<u8>) {
    out.reserve(out.len().max(SHORT_BYTES));
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
