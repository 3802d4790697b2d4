//! The compact binary codec of wire and checkpoints.
//!
//! The format is postcard's published one: varints, no field names, no padding. A record is
//! followed directly by the next; their number travels beside them.

use crate::{error::Error, record::Record};
use std::any::type_name;

/// Appends one value.
pub fn encode_into<T: serde::Serialize + ?Sized>(
    value: &T,
    out: &mut Vec<u8>,
) -> Result<(), Error> {
    let start = out.len();
    match postcard::serialize_with_flavor::<T, Appender<'_>, ()>(value, Appender(out)) {
        Ok(()) => Ok(()),
        Err(error) => {
            out.truncate(start);
            Err(Error::permanent(
                "WEIR-TYPE-0001",
                format!("cannot encode a value of type {}: {error}", type_name::<T>()),
            ))
        }
    }
}

/// The encoding of one value.
pub fn encode<T: serde::Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    encode_into(value, &mut out)?;
    Ok(out)
}

/// Takes one value off the front.
pub fn decode_from<T: Record>(bytes: &mut &[u8]) -> Result<T, Error> {
    let (value, rest) = postcard::take_from_bytes::<T>(bytes).map_err(|error| {
        Error::permanent(
            "WEIR-TYPE-0002",
            format!("cannot decode a value of type {}: {error}", type_name::<T>()),
        )
    })?;
    *bytes = rest;
    Ok(value)
}

/// Decodes one value that fills the bytes.
pub fn decode<T: Record>(mut bytes: &[u8]) -> Result<T, Error> {
    let value = decode_from(&mut bytes)?;
    if bytes.is_empty() {
        return Ok(value);
    }
    Err(Error::permanent(
        "WEIR-TYPE-0002",
        format!("{} bytes are left behind a value of type {}", bytes.len(), type_name::<T>()),
    ))
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
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
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
    fn truncated_and_overlong_bytes_are_errors() {
        let bytes = encode(&"hello".to_owned()).unwrap();
        assert!(decode::<String>(&bytes[..3]).is_err());
        assert!(decode::<u8>(&bytes).is_err());
    }
}
