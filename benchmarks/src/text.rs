//! The generated text the word counts read: from a fixed seed, the same on every machine.
//!
//! 50,000 distinct words of 3 to 10 lower-case letters, the frequency of rank r proportional to r^-0.9,
//! ten words a line with one space between them. It lies in `bench-data` of the target folder and is
//! written once: under its final name it is always whole.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::outcome::Settings;

const SEED: u64 = 20_261_120;
const WORD_COUNT: usize = 50_000;
const WORD_LENGTH_MIN_BYTES: u64 = 3;
const WORD_LENGTH_MAX_BYTES: u64 = 10;
const WORDS_PER_LINE: usize = 10;
const RANK_EXPONENT: f64 = -0.9;

/// The longest line there can be; the text ends with the first line at or past its size.
const LINE_MAX_BYTES: u64 = WORDS_PER_LINE as u64 * (WORD_LENGTH_MAX_BYTES + 1);

/// Where the text of these settings lies.
pub fn path(settings: &Settings) -> Result<PathBuf> {
    let name = format!("words-{}mb.txt", settings.text_megabytes);
    Ok(data_folder()?.join(name))
}

/// Makes sure the text is there and in the page cache.
pub fn prepare(settings: &Settings) -> Result<()> {
    let path = path(settings)?;
    let size_bytes = settings.text_megabytes * 1_000_000;
    if !is_whole(&path, size_bytes) {
        eprintln!("generating {}", path.display());
        write_whole(&path, size_bytes)
            .with_context(|| format!("cannot write '{}'", path.display()))?;
    }
    io::copy(&mut File::open(&path)?, &mut io::sink())
        .with_context(|| format!("cannot read '{}'", path.display()))?;
    Ok(())
}

/// A folder in which the text lies several times, as links to the one file.
pub fn readings(settings: &Settings, count: usize) -> Result<PathBuf> {
    let text = path(settings)?;
    let folder = text.with_extension(format!("{count}-times"));
    fs::create_dir_all(&folder)?;
    for reading in 0..count {
        let link = folder.join(format!("{reading}.txt"));
        if !link.exists() {
            fs::hard_link(&text, &link)
                .with_context(|| format!("cannot link '{}'", link.display()))?;
        }
    }
    Ok(folder)
}

/// The folder of generated data: `bench-data` beside the folder of the build profile this
/// executable lies in.
pub fn data_folder() -> Result<PathBuf> {
    let executable = std::env::current_exe()?;
    let target = executable
        .parent()
        .and_then(Path::parent)
        .context("the executable does not lie in a target folder")?;
    Ok(target.join("bench-data"))
}

fn is_whole(path: &Path, size_bytes: u64) -> bool {
    fs::metadata(path)
        .is_ok_and(|found| (size_bytes..size_bytes + LINE_MAX_BYTES).contains(&found.len()))
}

fn write_whole(path: &Path, size_bytes: u64) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
    generate(size_bytes, &mut file)?;
    file.into_inner()?.sync_all()?;
    fs::rename(&unfinished, path)?;
    Ok(())
}

fn generate(size_bytes: u64, output: &mut impl Write) -> io::Result<()> {
    let mut random = SplitMix64 { state: SEED };
    let words = distinct_words(&mut random);
    let ranks = AliasTable::new(&rank_weights());
    let mut line = Vec::with_capacity(LINE_MAX_BYTES as usize);
    let mut written_bytes = 0;
    while written_bytes < size_bytes {
        line.clear();
        for _ in 0..WORDS_PER_LINE {
            line.extend_from_slice(&words[ranks.sample(&mut random)]);
            line.push(b' ');
        }
        if let Some(last) = line.last_mut() {
            *last = b'\n';
        }
        output.write_all(&line)?;
        written_bytes += line.len() as u64;
    }
    Ok(())
}

fn distinct_words(random: &mut SplitMix64) -> Vec<Vec<u8>> {
    let mut seen = HashSet::with_capacity(WORD_COUNT);
    let mut words = Vec::with_capacity(WORD_COUNT);
    while words.len() < WORD_COUNT {
        let word = random_word(random);
        if seen.insert(word.clone()) {
            words.push(word);
        }
    }
    words
}

fn random_word(random: &mut SplitMix64) -> Vec<u8> {
    let lengths = WORD_LENGTH_MAX_BYTES - WORD_LENGTH_MIN_BYTES + 1;
    let length = WORD_LENGTH_MIN_BYTES + random.below(lengths);
    (0..length).map(|_| b'a' + random.below(26) as u8).collect()
}

fn rank_weights() -> Vec<f64> {
    (1..=WORD_COUNT).map(|rank| (rank as f64).powf(RANK_EXPONENT)).collect()
}

/// Samples an index in constant time, however uneven the weights (Vose's alias method).
struct AliasTable {
    /// For each column: the threshold of 2^32 below which it is taken, and the index that is taken otherwise.
    columns: Vec<(u64, u32)>,
}

impl AliasTable {
    fn new(weights: &[f64]) -> Self {
        let scale = weights.len() as f64 / weights.iter().sum::<f64>();
        let mut shares: Vec<f64> = weights.iter().map(|weight| weight * scale).collect();
        let whole = 1u64 << 32;
        let mut columns: Vec<(u64, u32)> = (0..weights.len()).map(|i| (whole, i as u32)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..weights.len()).partition(|&index| shares[index] < 1.0);
        while let (Some(&poor), Some(&rich)) = (small.last(), large.last()) {
            small.pop();
            columns[poor] = ((shares[poor] * whole as f64) as u64, rich as u32);
            shares[rich] -= 1.0 - shares[poor];
            if shares[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Self { columns }
    }

    fn sample(&self, random: &mut SplitMix64) -> usize {
        let bits = random.next();
        let column = (((bits >> 32) * self.columns.len() as u64) >> 32) as usize;
        let (threshold, alias) = self.columns[column];
        if bits & 0xFFFF_FFFF < threshold { column } else { alias as usize }
    }
}

/// Steele, Lea and Flood's generator: its whole state is a counter.
struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        ((self.next() >> 32) * bound) >> 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn generated_text_has_the_given_size_lines_and_words() -> io::Result<()> {
        let mut text = Vec::new();
        generate(2_000_000, &mut text)?;
        assert!((2_000_000..2_000_000 + LINE_MAX_BYTES as usize).contains(&text.len()));
        assert_eq!(text.last(), Some(&b'\n'));
        let lines = text[..text.len() - 1].split(|byte| *byte == b'\n');
        for line in lines {
            let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
            assert_eq!(words.len(), WORDS_PER_LINE);
            for word in words {
                assert!((3..=10).contains(&word.len()) && word.iter().all(u8::is_ascii_lowercase));
            }
        }
        Ok(())
    }

    #[test]
    fn samples_follow_the_weights() {
        let table = AliasTable::new(&[8.0, 1.0, 4.0, 3.0]);
        let mut random = SplitMix64 { state: 1 };
        let mut counts: HashMap<usize, u32> = HashMap::new();
        for _ in 0..160_000 {
            *counts.entry(table.sample(&mut random)).or_default() += 1;
        }
        for (index, expected) in [(0, 80_000), (1, 10_000), (2, 40_000), (3, 30_000)] {
            assert!(counts[&index].abs_diff(expected) < 1_000, "{counts:?}");
        }
    }
}
