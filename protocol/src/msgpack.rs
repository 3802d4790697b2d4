//! Messages in msgpack with field names. Decoding one takes memory in proportion to its bytes, whatever they
//! say.
//!
//! A text, a list or a structure takes a single byte when it is empty, and up to a hundred bytes in memory. So
//! before a message is decoded, those values are counted. Numbers are not: a list of bytes may be long, and
//! each takes at most eight bytes in memory.

use serde::de::DeserializeOwned;

/// Values of a message at most, without its numbers. A heartbeat has about twenty for each container.
pub const MAX_VALUES: u64 = 1024 * 1024;

/// The message that fills the bytes.
///
/// # Errors
/// The bytes are anything else, or have more than [`MAX_VALUES`] values; the text says what is wrong.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    check_values(bytes)?;
    let mut rest = bytes;
    let message = rmp_serde::from_read(&mut rest).map_err(|error| error.to_string())?;
    match rest.len() {
        0 => Ok(message),
        count => Err(format!("{count} bytes follow it")),
    }
}

/// Counts the values of the first message. What is cut off is left to the decoder to refuse.
fn check_values(mut bytes: &[u8]) -> Result<(), String> {
    // Announced values that have not been looked at, and values that are no numbers.
    let (mut open, mut values) = (1_u64, 0_u64);
    while open > 0 {
        open -= 1;
        let Some(value) = Value::first_of(bytes) else { return Ok(()) };
        let Some(rest) = bytes.get(value.own_bytes..) else { return Ok(()) };
        bytes = rest;
        open = open.saturating_add(value.children);
        values += u64::from(!value.is_number);
        if values > MAX_VALUES {
            return Err(format!("it has more than {MAX_VALUES} values"));
        }
    }
    Ok(())
}

/// The shape of one value, by its first bytes.
struct Value {
    /// Bytes up to its first child, or the next value.
    own_bytes: usize,
    /// Values within it.
    children: u64,
    is_number: bool,
}

impl Value {
    /// `None` where the bytes end, or no value begins.
    fn first_of(bytes: &[u8]) -> Option<Self> {
        let (&marker, rest) = bytes.split_first()?;
        let length = |size: usize| {
            let digits = rest.get(..size)?;
            Some(digits.iter().fold(0_u64, |number, digit| number << 8 | u64::from(*digit)))
        };
        let number = |size: usize| Some(Self { own_bytes: 1 + size, children: 0, is_number: true });
        let data = |head: usize, size: u64| {
            let own_bytes = head.saturating_add(usize::try_from(size).unwrap_or(usize::MAX));
            Some(Self { own_bytes, children: 0, is_number: false })
        };
        let list = |head, children| Some(Self { own_bytes: head, children, is_number: false });
        match marker {
            0x00..=0x7f | 0xe0..=0xff => number(0),
            0x80..=0x8f => list(1, 2 * u64::from(marker & 0x0f)),
            0x90..=0x9f => list(1, u64::from(marker & 0x0f)),
            0xa0..=0xbf => data(1, u64::from(marker & 0x1f)),
            0xc0 | 0xc2 | 0xc3 => data(1, 0),
            0xc1 => None,
            0xc4 | 0xd9 => data(2, length(1)?),
            0xc5 | 0xda => data(3, length(2)?),
            0xc6 | 0xdb => data(5, length(4)?),
            0xc7 => data(3, length(1)?),
            0xc8 => data(4, length(2)?),
            0xc9 => data(6, length(4)?),
            0xca => number(4),
            0xcb => number(8),
            0xcc..=0xcf => number(1 << (marker - 0xcc)),
            0xd0..=0xd3 => number(1 << (marker - 0xd0)),
            0xd4..=0xd8 => data(2, 1 << (marker - 0xd4)),
            0xdc => list(3, length(2)?),
            0xdd => list(5, length(4)?),
            0xde => list(3, 2 * length(2)?),
            0xdf => list(5, 2 * length(4)?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};
    use std::collections::BTreeMap;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    enum Shape {
        Nothing,
        Texts(Vec<String>),
        Numbers { small: Vec<u8>, signed: Vec<i64>, exact: (u64, f64, f32) },
        Map(BTreeMap<String, Option<bool>>),
    }

    fn shapes() -> Vec<Shape> {
        let texts = [0, 1, 31, 32, 255, 256, 65_535, 65_536].map(|length| "x".repeat(length));
        let signed =
            (0..64).map(|bits| 1_i64 << bits).flat_map(|one| [one, one.wrapping_neg()]).collect();
        let map = (0..20).map(|n: u32| (n.to_string(), n.is_multiple_of(2).then_some(n > 9)));
        vec![
            Shape::Nothing,
            Shape::Texts(texts.to_vec()),
            Shape::Texts(vec![String::new(); 70_000]),
            Shape::Numbers { small: vec![200; 600_000], signed, exact: (u64::MAX, 0.1, 0.2) },
            Shape::Map(map.collect()),
        ]
    }

    #[test]
    fn messages_of_every_shape_are_counted_and_decoded_whole() {
        for shape in shapes() {
            let bytes = rmp_serde::to_vec_named(&shape).expect("plain data");
            assert_eq!(decode::<Shape>(&bytes).as_ref(), Ok(&shape));
            let [longer, shorter] =
                [[&bytes[..], &[0]].concat(), bytes[..bytes.len() - 1].to_vec()];
            assert!(decode::<Shape>(&longer).is_err() && decode::<Shape>(&shorter).is_err());
        }
    }

    #[test]
    fn bytes_that_would_take_many_times_their_memory_are_refused_before_they_are_decoded() {
        let list = |count: u32, value: &[u8]| {
            let elements = value.repeat(count as usize);
            [&[0xdd][..], &count.to_be_bytes(), &elements].concat()
        };
        let many = 9_500_000;
        let refused = format!("it has more than {MAX_VALUES} values");
        for value in [&[0xa0][..], &[0x90], &[0xc0], &[0x92, 0xa0, 0xa0]] {
            let bytes = list(many / value.len() as u32, value);
            assert_eq!(decode::<Vec<(String, String)>>(&bytes).expect_err("refused"), refused);
        }
        let most = list(MAX_VALUES as u32 - 1, &[0xa0]);
        assert_eq!(decode::<Vec<String>>(&most).expect("few enough").len() as u64, MAX_VALUES - 1);
        assert!(decode::<Vec<String>>(&list(MAX_VALUES as u32, &[0xa0])).is_err());
        // A count without values takes nothing.
        assert!(decode::<Vec<String>>(&[0xdf, 0xff, 0xff, 0xff, 0xff]).is_err());
    }
}
