//! The frame around every object, so that damage is found before it is believed.
//!
//! ```text
//! magic "WEIRCKPT" │ version u16 │ kind u8 │ body length u64 │ body … │ CRC-32 of all before, u32
//!        8         │      2      │    1    │       8         │        │           4
//! ```
//!
//! Integers are little-endian. The frame keeps this layout in every version, so that a damaged
//! version number is distinguished from a newer one; the version defines the meaning of the body.

use crate::error::{Error, Result};
use bytes::Bytes;
use object_store::PutPayload;

const MAGIC: &[u8; 8] = b"WEIRCKPT";
/// The version written, and the newest one read.
pub(crate) const VERSION: u16 = 1;
const HEADER_BYTES: usize = 19;
const TRAILER_BYTES: usize = 4;

/// What an object is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    LogRecord = 1,
    Snapshot = 2,
}

impl Kind {
    fn name(code: u8) -> &'static str {
        match code {
            1 => "a log record",
            2 => "a snapshot",
            _ => "of an unknown kind",
        }
    }
}

/// Frames a body without copying it.
pub(crate) fn encode(kind: Kind, body: Bytes) -> PutPayload {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.push(kind as u8);
    header.extend_from_slice(&(body.len() as u64).to_le_bytes());

    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&header);
    checksum.update(&body);
    let trailer = checksum.finalize().to_le_bytes().to_vec();
    PutPayload::from_iter([Bytes::from(header), body, Bytes::from(trailer)])
}

/// The body of a frame; `object` names the file in errors.
pub(crate) fn decode(kind: Kind, object: &str, framed: &Bytes) -> Result<Vec<u8>> {
    let damaged = |problem: String| Error::Damaged { object: object.to_owned(), problem };
    let size_bytes = framed.len();
    if size_bytes >= MAGIC.len() && !framed.starts_with(MAGIC) {
        return Err(damaged("it does not start as files of Weir do".to_owned()));
    }
    if size_bytes < HEADER_BYTES + TRAILER_BYTES {
        return Err(damaged(format!("its {size_bytes} bytes are too few, it is truncated")));
    }

    let mut header = Header(framed);
    header.take::<8>();
    let version = u16::from_le_bytes(header.take());
    let [kind_found] = header.take();
    let length = u64::from_le_bytes(header.take());

    let body = framed.slice(HEADER_BYTES..size_bytes - TRAILER_BYTES);
    if length != body.len() as u64 {
        let held = body.len();
        return Err(damaged(format!(
            "it should hold {length} bytes and holds {held}, it is truncated or changed"
        )));
    }
    let (content, trailer) = framed.split_at(size_bytes - TRAILER_BYTES);
    if crc32fast::hash(content).to_le_bytes() != trailer {
        return Err(damaged("its checksum does not match its content".to_owned()));
    }
    if version > VERSION {
        return Err(Error::NewerFormat {
            object: object.to_owned(),
            found: version,
            known: VERSION,
        });
    }
    if kind_found != kind as u8 {
        let (found, expected) = (Kind::name(kind_found), Kind::name(kind as u8));
        return Err(damaged(format!("it is {found} where {expected} belongs")));
    }
    Ok(Vec::from(body))
}

/// Reads a header front to back; its length has been checked.
struct Header<'a>(&'a [u8]);

impl Header<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().expect("the length was checked");
        self.0 = rest;
        *field
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(kind: Kind, body: &[u8]) -> Vec<u8> {
        let payload = encode(kind, Bytes::copy_from_slice(body));
        payload.iter().flat_map(|part| part.to_vec()).collect()
    }

    fn problem(bytes: Vec<u8>) -> String {
        match decode(Kind::Snapshot, "chk-1/a", &Bytes::from(bytes)) {
            Ok(body) => format!("read {body:?}"),
            Err(error) => format!("{} {error}", error.code()),
        }
    }

    /// A frame whose checksum matches, whatever `change` did to it.
    fn resealed(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut bytes = framed(Kind::Snapshot, b"state");
        bytes.truncate(bytes.len() - TRAILER_BYTES);
        change(&mut bytes);
        let checksum = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let mut expected = b"WEIRCKPT\x01\x00\x02\x05\0\0\0\0\0\0\0state".to_vec();
        expected.extend_from_slice(&crc32fast::hash(&expected).to_le_bytes());
        assert_eq!(framed(Kind::Snapshot, b"state"), expected);
    }

    #[test]
    fn bodies_read_back() {
        for body in [&b""[..], b"x", &[7; 100_000]] {
            let bytes = Bytes::from(framed(Kind::LogRecord, body));
            assert_eq!(decode(Kind::LogRecord, "log/0", &bytes).unwrap(), body);
        }
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let good = framed(Kind::Snapshot, b"state");
        for position in 0..good.len() {
            for bit in 0..8 {
                let mut bytes = good.clone();
                bytes[position] ^= 1 << bit;
                let problem = problem(bytes);
                assert!(
                    problem.starts_with("WEIR-CKPT-0002 chk-1/a is damaged"),
                    "byte {position} bit {bit}: {problem}"
                );
            }
        }
    }

    #[test]
    fn every_truncation_and_any_tail_is_found() {
        let good = framed(Kind::Snapshot, b"state");
        for length in 0..good.len() {
            let problem = problem(good[..length].to_vec());
            assert!(problem.contains("truncated"), "{length} bytes: {problem}");
        }
        assert!(problem([&good[..], b"x"].concat()).contains("should hold 5 bytes and holds 6"));
    }

    #[test]
    fn newer_and_foreign_objects_have_errors_of_their_own() {
        let cases: [(Vec<u8>, &str); 3] = [
            (resealed(|b| b[8] = 2), "WEIR-CKPT-0007 chk-1/a has format 2, this release reads up"),
            (framed(Kind::LogRecord, b"x"), "it is a log record where a snapshot belongs"),
            (b"PK\x03\x04 some archive, not ours".to_vec(), "does not start as files of Weir do"),
        ];
        for (bytes, expected) in cases {
            let problem = problem(bytes);
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
