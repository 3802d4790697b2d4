//! Source of the lines of text files: a file, a folder or a glob.
//!
//! Semantics: every line of every file once, without its `\n` and without a `\r` before it. Lines
//! of one file come in order as long as one reader has all its pieces; between files and readers
//! there is no order. What belongs to the input is decided once, by the coordinator, when the job
//! starts: files that come later are not read.
//!
//! ```text
//! path ─▶ listing ─▶ files ─▶ dealing ─▶ splits of each reader ─▶ lines ─▶ Text
//!         hidden names left out        pieces of about 16 MiB; a .gz file is one piece
//! ```
//!
//! A line belongs to the piece in which its first byte lies. Bytes must be UTF-8; with
//! [`TextFileSource::lossy_utf8`] bad ones become U+FFFD instead of ending the job.
//!
//! State: the unfinished pieces, each with the position behind its last line. At a barrier nothing
//! is done; at the end nothing is left over, since a last line without `\n` counts. Cost: a read of
//! 256 KiB, one UTF-8 check of the block, then a `memchr` and a [`Text`] per line.

mod dealing;
mod lines;
mod listing;
#[cfg(test)]
mod tests;

use super::path_bytes;
use lines::{Budget, SplitLines};
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, path::PathBuf};
use weir_dataflow::{
    Collector, ReaderContext, Result, Source, SourcePoll, SourceReader, Text, codec,
};

/// Size of the pieces that a large file is cut into, unless another is asked for.
pub const DEFAULT_SPLIT_SIZE_BYTES: u64 = 16 << 20;

/// Bytes of lines after which a poll returns, however few lines they are.
const POLL_BYTES: usize = 256 << 10;

/// Emits the lines of text files. See the module's documentation.
#[derive(Clone, Debug)]
pub struct TextFileSource {
    path: PathBuf,
    invalid_utf8: InvalidUtf8,
    split_size_bytes: u64,
}

/// What to do about bytes that are not UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum InvalidUtf8 {
    Refuse,
    Replace,
}

impl TextFileSource {
    /// The lines of a file, of all files in a folder and its folders, or of all that a glob
    /// matches. A relative path starts at the working folder of the process that lists it.
    ///
    /// Names that start with `.` or `_` are left out, as Flink does, unless they are given.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            invalid_utf8: InvalidUtf8::Refuse,
            split_size_bytes: DEFAULT_SPLIT_SIZE_BYTES,
        }
    }

    /// Replaces bytes that are not UTF-8 by U+FFFD instead of failing.
    #[must_use]
    pub fn lossy_utf8(mut self) -> Self {
        self.invalid_utf8 = InvalidUtf8::Replace;
        self
    }

    /// Cuts uncompressed files that are larger than this into pieces of at most this size.
    #[must_use]
    pub fn split_size_bytes(mut self, size_bytes: u64) -> Self {
        self.split_size_bytes = size_bytes.max(1);
        self
    }
}

/// How a file is compressed, recognised by its extension.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Compression {
    /// Not at all.
    None,
    /// `.gz`, of one member or several.
    Gzip,
}

/// A piece of a file with the position in it. Offsets count uncompressed bytes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TextFileSplit {
    /// Absolute path.
    #[serde(with = "path_bytes")]
    pub path: PathBuf,
    /// How the file is compressed.
    pub compression: Compression,
    /// First byte of the piece.
    pub start: u64,
    /// First byte behind the piece; the largest number for a compressed file.
    pub end: u64,
    /// First byte of the next line; equal to `start` as long as no line was emitted.
    pub position: u64,
}

impl Source for TextFileSource {
    type Item = Text;
    type Split = TextFileSplit;

    fn name(&self) -> String {
        "Text File Source".to_owned()
    }

    fn is_bounded(&self) -> bool {
        true
    }

    fn specification(&self) -> Result<Vec<u8>> {
        let path = self.path.as_os_str().as_encoded_bytes();
        codec::encode(&(path, self.invalid_utf8, self.split_size_bytes))
    }

    fn enumerate(&self, parallelism: u32) -> Result<Vec<Vec<TextFileSplit>>> {
        let files = listing::list(&self.path)?;
        Ok(dealing::deal(&files, parallelism, self.split_size_bytes))
    }

    fn reader(
        &self,
        _context: ReaderContext,
    ) -> Result<Box<dyn SourceReader<Item = Text, Split = TextFileSplit>>> {
        Ok(Box::new(TextFileReader {
            invalid_utf8: self.invalid_utf8,
            current: None,
            waiting: VecDeque::new(),
        }))
    }
}

struct TextFileReader {
    invalid_utf8: InvalidUtf8,
    current: Option<SplitLines>,
    waiting: VecDeque<TextFileSplit>,
}

impl TextFileReader {
    fn open_next(&mut self) -> Result<()> {
        // It stays in the queue until it is open: an error must not lose it.
        if let Some(split) = self.waiting.front() {
            self.current = Some(SplitLines::open(split.clone(), self.invalid_utf8)?);
            self.waiting.pop_front();
        }
        Ok(())
    }
}

impl SourceReader for TextFileReader {
    type Item = Text;
    type Split = TextFileSplit;

    fn add_splits(&mut self, splits: Vec<TextFileSplit>) -> Result<()> {
        self.waiting.extend(splits);
        Ok(())
    }

    fn poll_batch(
        &mut self,
        budget_records: usize,
        out: &mut Collector<Text>,
    ) -> Result<SourcePoll> {
        let mut budget = Budget { records: budget_records.max(1), bytes: POLL_BYTES };
        loop {
            if self.current.is_none() {
                self.open_next()?;
            }
            let Some(lines) = &mut self.current else {
                return Ok(SourcePoll::End);
            };
            lines.emit(&mut budget, out);
            if budget.is_spent() {
                return Ok(SourcePoll::More);
            }
            if !lines.fill()? {
                self.current = None;
            }
        }
    }

    fn splits(&self) -> Result<Vec<TextFileSplit>> {
        let current = self.current.iter().map(SplitLines::split);
        Ok(current
            .chain(&self.waiting)
            .filter(|split| split.position < split.end)
            .cloned()
            .collect())
    }

    fn close(&mut self) -> Result<()> {
        self.current = None;
        Ok(())
    }
}
