//! Frames of the control plane: a length, then msgpack.

use super::{Error, MAGIC, MAX_MESSAGE_BYTES, VERSION};
use crate::msgpack;
use serde::{Serialize, de::DeserializeOwned};

const PREAMBLE_BYTES: usize = MAGIC.len() + 2;
/// Bytes of a frame before its body.
pub(super) const HEAD_BYTES: usize = 4;

/// Appends what a connection begins with.
pub fn encode_preamble(out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
}

/// Appends a frame with this message.
///
/// # Errors
/// The message is above [`MAX_MESSAGE_BYTES`].
pub fn encode_frame<T: Serialize>(message: &T, out: &mut Vec<u8>) -> Result<(), Error> {
    let start = out.len();
    out.extend_from_slice(&[0; HEAD_BYTES]);
    rmp_serde::encode::write_named(out, message)
        .expect("messages are plain data, which msgpack can hold");
    let length = out.len() - start - HEAD_BYTES;
    if length > MAX_MESSAGE_BYTES {
        out.truncate(start);
        let limit_bytes = MAX_MESSAGE_BYTES as u64;
        return Err(Error::Oversized { length_bytes: length as u64, limit_bytes });
    }
    let head = u32::try_from(length).expect("at most 64 MiB, as just checked");
    out[start..start + HEAD_BYTES].copy_from_slice(&head.to_le_bytes());
    Ok(())
}

/// The message that fills a body.
///
/// # Errors
/// The bytes are anything else, or have more than [`MAX_VALUES`](crate::MAX_VALUES) values.
pub fn decode_body<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T, Error> {
    msgpack::decode(body).map_err(|problem| Error::Malformed { what, problem })
}

/// Cuts a stream of bytes into bodies. Memory grows with what has arrived, never with what was
/// announced.
///
/// ```
/// use weir_protocol::control::{FrameReader, encode_frame, encode_preamble};
///
/// let mut bytes = Vec::new();
/// encode_preamble(&mut bytes);
/// encode_frame(&"hello", &mut bytes)?;
/// let mut reader = FrameReader::new(1024);
/// reader.extend(&bytes);
/// assert_eq!(reader.next_body()?, Some(b"\xa5hello".to_vec()));
/// assert_eq!(reader.next_body()?, None);
/// # Ok::<(), weir_protocol::control::Error>(())
/// ```
#[derive(Debug)]
pub struct FrameReader {
    bytes: Vec<u8>,
    /// Number of `bytes` that were handed out.
    taken: usize,
    preamble_is_through: bool,
    limit_bytes: usize,
}

impl FrameReader {
    /// Expects a preamble, then bodies of at most this number of bytes.
    pub fn new(limit_bytes: usize) -> Self {
        Self { bytes: Vec::new(), taken: 0, preamble_is_through: false, limit_bytes }
    }

    /// Changes the bound, commonly once the handshake is through.
    pub fn set_limit(&mut self, limit_bytes: usize) {
        self.limit_bytes = limit_bytes;
    }

    /// Adds what has arrived.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next body, if it is all there.
    ///
    /// # Errors
    /// The stream does not begin with the preamble, or announces a body above the bound. Nothing
    /// sensible follows.
    pub fn next_body(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if !self.preamble_is_through && !self.take_preamble()? {
            return Ok(None);
        }
        let Some(head) = self.bytes[self.taken..].first_chunk::<HEAD_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes(*head) as usize;
        if length > self.limit_bytes {
            let limit_bytes = self.limit_bytes as u64;
            return Err(Error::Oversized { length_bytes: length as u64, limit_bytes });
        }
        let start = self.taken + HEAD_BYTES;
        let Some(body) = self.bytes.get(start..start + length) else { return Ok(None) };
        let body = body.to_vec();
        self.taken = start + length;
        Ok(Some(body))
    }

    /// Whether the stream may end here: between two frames.
    pub fn is_between_frames(&self) -> bool {
        self.taken == self.bytes.len()
    }

    fn take_preamble(&mut self) -> Result<bool, Error> {
        let arrived = &self.bytes[self.taken..];
        let compared = arrived.len().min(MAGIC.len());
        if arrived[..compared] != MAGIC[..compared] {
            return Err(Error::Foreign { found: arrived[..compared].to_vec() });
        }
        let Some(preamble) = arrived.first_chunk::<PREAMBLE_BYTES>() else { return Ok(false) };
        let found = u16::from_le_bytes([preamble[8], preamble[9]]);
        if found != VERSION {
            return Err(Error::Version { found });
        }
        self.taken += PREAMBLE_BYTES;
        self.preamble_is_through = true;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(messages: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode_preamble(&mut bytes);
        for message in messages {
            encode_frame(message, &mut bytes).expect("short");
        }
        bytes
    }

    #[test]
    fn bodies_come_out_whole_however_the_stream_is_cut() {
        let bytes = stream(&["a", "", "ccc"]);
        for cut in 0..bytes.len() {
            let mut reader = FrameReader::new(64);
            let mut found = Vec::new();
            for piece in [&bytes[..cut], &bytes[cut..]] {
                reader.extend(piece);
                while let Some(body) = reader.next_body().expect("sound") {
                    found.push(decode_body::<String>("text", &body).expect("a text"));
                }
            }
            assert_eq!(found, ["a", "", "ccc"], "cut at {cut}");
            assert!(reader.is_between_frames());
        }
    }

    #[test]
    fn foreign_streams_are_refused_at_their_first_wrong_byte() {
        let refusal = |bytes: &[u8]| {
            let mut reader = FrameReader::new(64);
            reader.extend(bytes);
            reader.next_body().expect_err("refused").code().to_owned()
        };
        assert_eq!(refusal(b"GET / HTTP/1.1"), "WEIR-CTRL-0001");
        assert_eq!(refusal(b"WEIRD"), "WEIR-CTRL-0001");
        assert_eq!(refusal(b"WEIRCTRL\x09\x00"), "WEIR-CTRL-0002");
        assert_eq!(refusal(b"WEIRCTRL\x03\x00\xff\xff\xff\xff"), "WEIR-CTRL-0003");
    }

    #[test]
    fn body_with_a_tail_is_no_message() {
        assert!(decode_body::<u8>("number", &[1, 2]).is_err());
        assert!(decode_body::<String>("text", &[0xdb, 0xff, 0xff, 0xff, 0xff]).is_err());
    }
}
