//! The word counts on Renoir 0.6, at the parallelism ours has.
//!
//! Both were chosen by measuring: of several ways to write each with Renoir's operators, this is the
//! fastest that still keys by the word.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::iter;
use std::path::Path;

use anyhow::Result;
use foldhash::fast::FixedState;
use renoir::prelude::*;

use crate::outcome::{Outcome, Settings};
use crate::text;
use crate::work::{self, PARALLELISM, SharedTally};

/// Records Renoir puts into a batch between two blocks, as in its own examples.
const BATCH_RECORD_COUNT: usize = 1024;

/// Size of the reads of the count by hand.
const BLOCK_BYTES: usize = 256 * 1024;

/// Running count of each word; every update is sent to the sink.
pub fn updates(settings: &Settings) -> Result<Outcome> {
    let path = text::path(settings)?;
    work::time(|| {
        let context = local_context()?;
        let tally = SharedTally::default();
        let mut sink = tally.clone();
        context
            .stream_file(path)
            .batch_mode(BatchMode::fixed(BATCH_RECORD_COUNT))
            .flat_map(Words::of)
            .group_by(String::clone)
            .rich_map({
                let mut count = 0u64;
                move |_| {
                    count += 1;
                    count
                }
            })
            .for_each(move |(_word, count)| sink.add(count));
        context.execute_blocking();
        Ok(tally.answer())
    })
}

/// Final counts in two phases by hand: each replica counts its part of the file, then the partial
/// counts are grouped and summed.
pub fn final_counts(settings: &Settings) -> Result<Outcome> {
    let path = text::path(settings)?;
    work::time(|| {
        let context = local_context()?;
        let tally = SharedTally::default();
        let mut sink = tally.clone();
        context
            .stream_par_iter(move |index, peers| partial_counts(path, index, peers))
            .group_by(|(word, _)| word.clone())
            .fold(0u64, |sum, (_, count)| *sum += count)
            .for_each(move |(word, sum)| sink.add(sum.wrapping_mul(work::word_hash(&word))));
        context.execute_blocking();
        Ok(tally.answer())
    })
}

fn local_context() -> Result<StreamContext> {
    let config = RuntimeConfig::local(PARALLELISM as u64)?;
    Ok(StreamContext::new(config))
}

/// The words of a line, without a vector of them in between.
struct Words {
    line: String,
    next_byte: usize,
}

impl Words {
    fn of(line: String) -> Self {
        Self { line, next_byte: 0 }
    }
}

impl Iterator for Words {
    type Item = String;

    #[inline]
    fn next(&mut self) -> Option<String> {
        let rest = self.line[self.next_byte..].trim_start();
        if rest.is_empty() {
            return None;
        }
        let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
        self.next_byte = self.line.len() - rest.len() + length;
        Some(rest[..length].to_owned())
    }
}

/// Counts by word, looked up by a borrowed slice; a word is allocated once.
type Counts = HashMap<Box<[u8]>, u64, FixedState>;

/// Counts when the replica asks for the first record, so that all replicas count at once.
fn partial_counts(
    path: impl AsRef<Path> + Send,
    index: u64,
    peers: u64,
) -> impl Iterator<Item = (Box<[u8]>, u64)> + Send {
    iter::once_with(move || {
        count_part(path.as_ref(), index, peers).expect("Renoir's sources cannot fail but by panic")
    })
    .flatten()
}

fn count_part(path: &Path, index: u64, peers: u64) -> Result<Counts> {
    let mut file = File::open(path)?;
    let size_bytes = file.metadata()?.len();
    let end = line_start(&mut file, size_bytes * (index + 1) / peers)?;
    let start = line_start(&mut file, size_bytes * index / peers)?;
    file.seek(SeekFrom::Start(start))?;
    count_words_of(file.take(end - start))
}

/// Where the first line at or behind `offset` begins.
fn line_start(file: &mut File, offset: u64) -> Result<u64> {
    let Some(before) = offset.checked_sub(1) else {
        return Ok(0);
    };
    file.seek(SeekFrom::Start(before))?;
    let mut rest = Vec::new();
    let read_bytes = BufReader::new(file).read_until(b'\n', &mut rest)?;
    Ok(before + read_bytes as u64)
}

/// Reads block by block; a word that a block cuts waits for the next one.
fn count_words_of(mut part: impl Read) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut block = vec![0; BLOCK_BYTES];
    let mut held_bytes = 0;
    loop {
        let read_bytes = part.read(&mut block[held_bytes..])?;
        let filled = &block[..held_bytes + read_bytes];
        if read_bytes == 0 {
            count_words(filled, &mut counts);
            return Ok(counts);
        }
        let last_space = filled.iter().rposition(u8::is_ascii_whitespace);
        let whole_bytes = last_space.map_or(0, |at| at + 1);
        count_words(&filled[..whole_bytes], &mut counts);
        held_bytes = filled.len() - whole_bytes;
        block.copy_within(whole_bytes..whole_bytes + held_bytes, 0);
    }
}

fn count_words(text: &[u8], counts: &mut Counts) {
    let words = text.split(u8::is_ascii_whitespace);
    for word in words.filter(|word| !word.is_empty()) {
        if let Some(count) = counts.get_mut(word) {
            *count += 1;
        } else {
            counts.insert(word.into(), 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_at_any_whitespace() {
        let words: Vec<String> = Words::of(" a  bc\td\n".to_owned()).collect();
        assert_eq!(words, ["a", "bc", "d"]);
    }

    #[test]
    fn words_cut_by_a_block_are_counted_whole() -> Result<()> {
        let text = "word ".repeat(BLOCK_BYTES) + "end";
        let counts = count_words_of(text.as_bytes())?;
        assert_eq!(counts[&b"word"[..]], BLOCK_BYTES as u64);
        assert_eq!(counts[&b"end"[..]], 1);
        assert_eq!(counts.len(), 2);
        Ok(())
    }
}
