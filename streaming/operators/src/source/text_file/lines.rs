//! Reads the lines of one split: blocks of whole lines, then lines out of the block.
//!
//! ```text
//! file   ...|line\nline\nli|ne\nline\n...
//!           └── block ────┘└ rest ┘        block: whole lines, checked for UTF-8 at once
//!           ▲ position = block[cursor]     rest:  begins the next block
//! ```
//!
//! A block is a `String`, so that lines are cut out of it without a second check and without
//! unsafe code. With bad bytes to replace it stays bytes, and its lines are converted one by one.

use super::{Compression, InvalidUtf8, TextFileSplit};
use flate2::bufread::MultiGzDecoder;
use memchr::{memchr, memchr_iter, memrchr};
use std::{
    fs::File,
    io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom},
    mem,
    ops::Range,
};
use weir_dataflow::{Collector, Error, Result, Text, error::file_error};

/// Bytes read at once: they stay in a core's second-level cache until their lines are made.
const BLOCK_BYTES: usize = 256 << 10;
/// Bytes read at once to find the end of a split's last line.
const TAIL_BYTES: usize = 16 << 10;
/// Longest line.
const MAX_LINE_BYTES: usize = 64 << 20;

/// What a poll may still emit.
pub(super) struct Budget {
    pub records: usize,
    pub bytes: usize,
}

impl Budget {
    pub fn is_spent(&self) -> bool {
        self.records == 0 || self.bytes == 0
    }
}

/// The lines of one open split. See the module's documentation.
pub(super) struct SplitLines {
    split: TextFileSplit,
    invalid_utf8: InvalidUtf8,
    input: Input,
    block: Block,
    /// Start of the next line in the block.
    cursor: usize,
    rest: Vec<u8>,
}

enum Block {
    Valid(String),
    Lossy(Vec<u8>),
}

impl Block {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Valid(text) => text.as_bytes(),
            Self::Lossy(bytes) => bytes,
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        match self {
            Self::Valid(text) => text.into_bytes(),
            Self::Lossy(bytes) => bytes,
        }
    }
}

impl Default for Block {
    fn default() -> Self {
        Self::Valid(String::new())
    }
}

impl SplitLines {
    /// Opens the file and goes to the first line that is not emitted yet.
    pub fn open(mut split: TextFileSplit, invalid_utf8: InvalidUtf8) -> Result<Self> {
        let opened = match split.compression {
            Compression::None => open_plain(&mut split),
            Compression::Gzip => open_gzip(&split),
        };
        Ok(Self {
            input: opened?,
            split,
            invalid_utf8,
            block: Block::default(),
            cursor: 0,
            rest: Vec::new(),
        })
    }

    /// The split with its position behind the last line emitted.
    pub fn split(&self) -> &TextFileSplit {
        &self.split
    }

    /// Emits lines of the block until it is used up or the budget is spent.
    pub fn emit(&mut self, budget: &mut Budget, out: &mut Collector<Text>) {
        let (block, cursor) = (mem::take(&mut self.block), self.cursor);
        self.cursor = match &block {
            Block::Valid(text) => emit_lines(text.as_bytes(), cursor, budget, |line| {
                out.collect(Text::from(&text[line]));
            }),
            Block::Lossy(bytes) => emit_lines(bytes, cursor, budget, |line| {
                out.collect(Text::from(&*String::from_utf8_lossy(&bytes[line])));
            }),
        };
        self.split.position += (self.cursor - cursor) as u64;
        self.block = block;
    }

    /// Reads the next block in place of one that is used up; false at the end of the split.
    ///
    /// # Errors
    /// What cannot be read, is damaged, is not UTF-8 or has no end of line for too long.
    pub fn fill(&mut self) -> Result<bool> {
        debug_assert_eq!(self.cursor, self.block.as_bytes().len(), "every line is emitted");
        if self.split.position >= self.split.end {
            return Ok(false);
        }
        let mut bytes = mem::take(&mut self.block).into_bytes();
        self.cursor = 0;
        loop {
            let at = self.split.position + self.rest.len() as u64;
            let behind_split = at >= self.split.end;
            let at_end = self.read_behind_rest(&mut bytes)?;
            let read = self.rest.len()..bytes.len();
            if at_end && at + (read.len() as u64) < self.split.end {
                self.check_complete(at + read.len() as u64)?;
            }
            // Up to the split's end as many lines as there are, behind it only the one that
            // began before it.
            let newline = if behind_split {
                memchr(b'\n', &bytes[read.clone()])
            } else {
                memrchr(b'\n', &bytes[read.clone()])
            };
            let block_end = match newline {
                Some(newline) => read.start + newline + 1,
                None if at_end => bytes.len(),
                None => 0,
            };
            self.rest.clear();
            self.rest.extend_from_slice(&bytes[block_end..]);
            if block_end > 0 {
                bytes.truncate(block_end);
                self.block = self.check_utf8(bytes)?;
                return Ok(true);
            }
            if at_end {
                return Ok(false);
            }
            if self.rest.len() > MAX_LINE_BYTES {
                return Err(self.line_too_long());
            }
        }
    }

    /// Makes `bytes` the rest and what follows it in the file; whether the file ends there.
    fn read_behind_rest(&mut self, bytes: &mut Vec<u8>) -> Result<bool> {
        let kept = self.rest.len();
        let left = self.split.end.saturating_sub(self.split.position + kept as u64);
        // A long line doubles what is read at once, so that its bytes are copied twice at most.
        let want = match left {
            0 => TAIL_BYTES.max(kept),
            left => usize::try_from(left).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES.max(kept)),
        };
        let want = want.min(MAX_LINE_BYTES + 1 - kept);
        // What was there stays: only growth is filled with zeros.
        bytes.resize(kept + want, 0);
        bytes[..kept].copy_from_slice(&self.rest);
        let read = match &mut self.input {
            Input::Plain(file) => read_full(file, &mut bytes[kept..]),
            Input::Gzip(decoder) => read_full(&mut **decoder, &mut bytes[kept..]),
        };
        let at = self.split.position + kept as u64;
        let read =
            read.map_err(|failed| self.read_error(at + failed.read as u64, &failed.error))?;
        bytes.truncate(kept + read);
        Ok(read < want)
    }

    /// Whether the file may end at this offset: a compressed file anywhere, another one not
    /// before the end of the split.
    fn check_complete(&self, length: u64) -> Result<()> {
        match self.input {
            Input::Plain(_) => Err(shrank(&self.split, length)),
            Input::Gzip(_) => Ok(()),
        }
    }

    fn check_utf8(&self, bytes: Vec<u8>) -> Result<Block> {
        let error = match String::from_utf8(bytes) {
            Ok(text) => return Ok(Block::Valid(text)),
            Err(error) => error,
        };
        if self.invalid_utf8 == InvalidUtf8::Replace {
            return Ok(Block::Lossy(error.into_bytes()));
        }
        let offset = self.split.position + error.utf8_error().valid_up_to() as u64;
        let path = self.split.path.display();
        let offset_name = self.offset_name();
        Err(Error::permanent(
            "WEIR-SRC-0004",
            format!(
                "{path} is not UTF-8 at {offset_name} {offset}: correct the file, or replace bad bytes \
                 with from_source(TextFileSource::new(path).lossy_utf8())"
            ),
        ))
    }

    fn line_too_long(&self) -> Error {
        let path = self.split.path.display();
        let (offset, offset_name) = (self.split.position, self.offset_name());
        Error::permanent(
            "WEIR-SRC-0006",
            format!(
                "the line of {path} that starts at {offset_name} {offset} is longer than {} MiB",
                MAX_LINE_BYTES >> 20
            ),
        )
    }

    fn read_error(&mut self, offset: u64, error: &io::Error) -> Error {
        match &mut self.input {
            Input::Gzip(decoder) if error.raw_os_error().is_none() => {
                damaged(&self.split, decoder, offset, error)
            }
            _ => file_error("WEIR-SRC-0002", "read", &self.split.path, error),
        }
    }

    fn offset_name(&self) -> &'static str {
        match self.input {
            Input::Plain(_) => "byte",
            Input::Gzip(_) => "uncompressed byte",
        }
    }
}

/// Calls `emit` with the range of each line from `cursor` on; returns where the next one starts.
/// Only the last line of a file may lack its newline.
#[inline]
fn emit_lines(
    bytes: &[u8],
    cursor: usize,
    budget: &mut Budget,
    mut emit: impl FnMut(Range<usize>),
) -> usize {
    let mut start = cursor;
    let newlines = memchr_iter(b'\n', &bytes[cursor..]).map(|at| cursor + at);
    let ends_open = cursor < bytes.len() && !bytes.ends_with(b"\n");
    let last = ends_open.then_some(bytes.len());
    for end in newlines.chain(last) {
        if budget.is_spent() {
            break;
        }
        let carriage_return = end > start && bytes[end - 1] == b'\r';
        emit(start..end - usize::from(carriage_return));
        budget.records -= 1;
        budget.bytes = budget.bytes.saturating_sub(end + 1 - start);
        start = end + 1;
    }
    start.min(bytes.len())
}

enum Input {
    Plain(File),
    Gzip(Box<Decoder>),
}

type Decoder = MultiGzDecoder<BufReader<File>>;

fn open_plain(split: &mut TextFileSplit) -> Result<Input> {
    let failed = |error| file_error("WEIR-SRC-0002", "read", &split.path, &error);
    let mut file = File::open(&split.path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    if length < split.end {
        return Err(shrank(split, length));
    }
    let position = first_line(&mut file, split).map_err(failed)?;
    file.seek(SeekFrom::Start(position)).map_err(failed)?;
    split.position = position;
    Ok(Input::Plain(file))
}

/// Where the first line of the split starts that is not emitted yet; at or behind the split's end
/// if there is none.
fn first_line(file: &mut File, split: &TextFileSplit) -> io::Result<u64> {
    if split.start == 0 || split.position > split.start {
        return Ok(split.position);
    }
    // The line around the border belongs to the piece before, unless one ends right there.
    let mut at = split.start - 1;
    file.seek(SeekFrom::Start(at))?;
    let mut piece = vec![0; TAIL_BYTES];
    while at < split.end {
        let read = read_full(file, &mut piece).map_err(|failed| failed.error)?;
        if let Some(newline) = memchr(b'\n', &piece[..read]) {
            return Ok(at + newline as u64 + 1);
        }
        if read == 0 {
            break;
        }
        at += read as u64;
    }
    Ok(split.end)
}

fn open_gzip(split: &TextFileSplit) -> Result<Input> {
    let failed = |error| file_error("WEIR-SRC-0002", "read", &split.path, &error);
    let file = File::open(&split.path).map_err(failed)?;
    let mut decoder = Box::new(MultiGzDecoder::new(BufReader::with_capacity(BLOCK_BYTES, file)));
    let mut passed = 0;
    let mut piece = vec![0; BLOCK_BYTES];
    while passed < split.position {
        let want = usize::try_from(split.position - passed)
            .map_or(piece.len(), |left| left.min(piece.len()));
        let read = read_full(&mut *decoder, &mut piece[..want]);
        let read = read.map_err(|failed| match failed.error.raw_os_error() {
            None => damaged(split, &mut decoder, passed + failed.read as u64, &failed.error),
            Some(_) => file_error("WEIR-SRC-0002", "read", &split.path, &failed.error),
        })?;
        passed += read as u64;
        if read < want {
            return Err(shrank(split, passed));
        }
    }
    Ok(Input::Gzip(decoder))
}

fn shrank(split: &TextFileSplit, length: u64) -> Error {
    let path = split.path.display();
    let expected = if split.end == u64::MAX { split.position } else { split.end };
    Error::permanent(
        "WEIR-SRC-0005",
        format!(
            "{path} has changed since it was listed: it ends at byte {length} and had at least \
             {expected} bytes; restore it, or start the job anew"
        ),
    )
}

/// `offset` is where the uncompressed bytes end.
fn damaged(split: &TextFileSplit, decoder: &mut Decoder, offset: u64, error: &io::Error) -> Error {
    let path = split.path.display();
    let what = match error.kind() {
        ErrorKind::UnexpectedEof => "is truncated".to_owned(),
        _ => format!("is damaged ({error})"),
    };
    let place = match decoder.get_mut().stream_position() {
        Ok(compressed) => format!("compressed byte {compressed}, uncompressed byte {offset}"),
        Err(_) => format!("uncompressed byte {offset}"),
    };
    Error::permanent(
        "WEIR-SRC-0003",
        format!(
            "gzip file {path} {what} at {place}; what was before it can be read with `gzip -dc`"
        ),
    )
}

/// A read that failed, and how many bytes had come before.
struct ReadFailed {
    read: usize,
    error: io::Error,
}

/// Reads until the buffer is full or the input ends.
fn read_full(input: &mut impl Read, buffer: &mut [u8]) -> Result<usize, ReadFailed> {
    let mut read = 0;
    while read < buffer.len() {
        match input.read(&mut buffer[read..]) {
            Ok(0) => break,
            Ok(count) => read += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(ReadFailed { read, error }),
        }
    }
    Ok(read)
}
