//! Finds the frames in a stream of bytes, however it is cut.
//!
//! The decoder owns the buffer that a socket reads into, so only a receiver that keeps a body copies
//! it. The buffer holds the bytes of one read and at most one incomplete frame.

use super::{
    Error, Frame, MAGIC, MAX_PROOF_BYTES, Result, VERSION, frame::HEADER_BYTES, frame::Header,
};

const PREAMBLE_BYTES: usize = MAGIC.len() + 2;
/// Room for a read before the peer has introduced itself.
const FIRST_READ_BYTES: usize = 4 * 1024;

/// Appends what a connection begins with.
pub fn encode_preamble(out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
}

/// Decodes one direction of a connection: the preamble, then frames.
#[derive(Debug)]
pub struct FrameDecoder {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    read_bytes: usize,
    body_limit_bytes: usize,
    preamble_done: bool,
}

impl Default for FrameDecoder {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameDecoder {
    /// A decoder at the beginning of a connection.
    pub fn new() -> Self {
        Self {
            buffer: Vec::new(),
            start: 0,
            end: 0,
            read_bytes: FIRST_READ_BYTES,
            body_limit_bytes: usize::MAX,
            preamble_done: false,
        }
    }

    /// A decoder for a peer that has yet to prove that it holds the key: until [`FrameDecoder::trust`] a body has
    /// at most [`MAX_PROOF_BYTES`].
    pub fn of_stranger() -> Self {
        Self { body_limit_bytes: MAX_PROOF_BYTES, ..Self::new() }
    }

    /// The peer has proved that it holds the key. From now on [`FrameDecoder::spare`] offers at least this
    /// room.
    pub fn trust(&mut self, read_bytes: usize) {
        self.read_bytes = read_bytes;
        self.body_limit_bytes = usize::MAX;
    }

    /// Where to read into; say with [`FrameDecoder::filled`] how much came.
    pub fn spare(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
        if self.buffer.len() - self.end < self.read_bytes {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.buffer.len() - self.end < self.read_bytes {
            self.buffer.resize(self.end + self.read_bytes, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// The number of bytes that were read into [`FrameDecoder::spare`].
    pub fn filled(&mut self, read_bytes: usize) {
        assert!(read_bytes <= self.buffer.len() - self.end, "no more is read than there is room");
        self.end += read_bytes;
    }

    /// Takes bytes that were read elsewhere.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let spare = self.spare();
            let taken = spare.len().min(bytes.len());
            spare[..taken].copy_from_slice(&bytes[..taken]);
            self.filled(taken);
            bytes = &bytes[taken..];
        }
    }

    /// The next frame, `None` until more bytes have come. After an error nothing makes sense any
    /// more: answer it and close.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>> {
        if !self.preamble_done && !self.take_preamble()? {
            return Ok(None);
        }
        let there = &self.buffer[self.start..self.end];
        let Some(header) = Header::peek(there)? else { return Ok(None) };
        if header.length > self.body_limit_bytes {
            return Err(Error::Oversized {
                what: "frame before the proof",
                length_bytes: header.length as u64,
                limit_bytes: self.body_limit_bytes as u64,
            });
        }
        if there.len() < HEADER_BYTES + header.length {
            return Ok(None);
        }
        let body = self.start + HEADER_BYTES;
        self.start = body + header.length;
        header.frame(&self.buffer[body..self.start]).map(Some)
    }

    /// The peer will send no more: an error unless it ended between frames, or never began.
    pub fn finish(&self) -> Result<()> {
        let got_bytes = self.end - self.start;
        match (self.preamble_done, got_bytes) {
            (_, 0) => Ok(()),
            (true, _) => Err(Error::Truncated { what: "a frame", got_bytes }),
            (false, _) => Err(Error::Truncated { what: "the preamble", got_bytes }),
        }
    }

    fn take_preamble(&mut self) -> Result<bool> {
        let there = &self.buffer[self.start..self.end];
        let known = there.len().min(MAGIC.len());
        if there[..known] != MAGIC[..known] {
            let begin = &there[..there.len().min(32)];
            return Err(Error::NotTheProtocol { found: begin.escape_ascii().to_string() });
        }
        let Some(preamble) = there.first_chunk::<PREAMBLE_BYTES>() else { return Ok(false) };
        let theirs = u16::from_le_bytes([preamble[MAGIC.len()], preamble[MAGIC.len() + 1]]);
        if theirs != VERSION {
            return Err(Error::VersionMismatch { ours: VERSION, theirs });
        }
        self.start += PREAMBLE_BYTES;
        self.preamble_done = true;
        Ok(true)
    }
}
