//! The work both sides of a comparison do: the functions they apply, the records they make and the
//! sums they keep of what arrives. Nothing here knows an engine.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::outcome::{Answer, Outcome};

/// Parallelism of every comparison except `chain`.
pub const PARALLELISM: usize = 2;

/// Length of the sequence `chain` runs over.
pub const CHAIN_INPUT_COUNT: u64 = 100_000_000;

/// Records of a shuffle, all producers together.
pub const SHUFFLE_RECORD_COUNT: u64 = 100_000_000;

/// Odd constants with well-spread bits.
const MIX_A: u64 = 0x9E37_79B9_7F4A_7C15;
const MIX_B: u64 = 0xD6E8_FEB8_6659_FD93;

/// Folds the 128-bit product into 64 bits: a few cycles, for which there is no vector instruction and
/// no closed form over a sequence.
#[inline]
fn folded_multiply(value: u64, factor: u64) -> u64 {
    let product = u128::from(value) * u128::from(factor);
    product as u64 ^ (product >> 64) as u64
}

/// `chain`: before the filter.
#[inline]
pub fn first_map(value: u64) -> u64 {
    folded_multiply(value ^ MIX_B, MIX_A)
}

/// `chain`: three of four pass, in no order a branch predictor could learn.
#[inline]
pub fn keep(value: u64) -> bool {
    value & 3 != 0
}

/// `chain`: behind the filter.
#[inline]
pub fn second_map(value: u64) -> u64 {
    folded_multiply(value ^ MIX_A, MIX_B)
}

/// `shuffle-*`: a record of 16 bytes, key and value.
pub type ShuffleRecord = (u64, u64);

/// `shuffle-*`: the record number `index`.
#[inline]
pub fn shuffle_record(index: u64) -> ShuffleRecord {
    (index.wrapping_mul(MIX_A), index)
}

/// `shuffle-*`: which records producer `producer_index` of `producer_count` makes.
pub fn shuffle_range(producer_index: u64, producer_count: u64) -> Range<u64> {
    let share = SHUFFLE_RECORD_COUNT / producer_count;
    let start = share * producer_index;
    let is_last = producer_index + 1 == producer_count;
    start..if is_last { SHUFFLE_RECORD_COUNT } else { start + share }
}

/// `shuffle-*`: what the peer routes by; ours routes by its own hash of the key.
#[inline]
pub fn shuffle_route(record: &ShuffleRecord) -> u64 {
    record.0.wrapping_mul(MIX_B) >> 32
}

/// `word-count-final`: a simple hash of a word (FNV-1a), for the checksum alone.
pub fn word_hash(word: &[u8]) -> u64 {
    word.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

/// State of the sink of `chain`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ChainSums {
    record_count: u64,
    checksum: u64,
}

impl ChainSums {
    /// Takes a record in.
    #[inline]
    pub fn add(&mut self, value: u64) {
        self.record_count += 1;
        self.checksum = self.checksum.wrapping_add(value);
    }

    /// The sums.
    pub fn answer(self) -> Answer {
        Answer { record_count: self.record_count, checksum: self.checksum }
    }
}

/// Counts records and sums a number of each: a few instructions a record. Order does not matter.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    record_count: u64,
    checksum: u64,
}

impl Tally {
    /// Takes a record in.
    #[inline]
    pub fn add(&mut self, number: u64) {
        self.record_count += 1;
        self.checksum = self.checksum.wrapping_add(number);
    }

    /// Takes in what another part of the sink counted.
    pub fn merge(&mut self, other: Tally) {
        self.record_count += other.record_count;
        self.checksum = self.checksum.wrapping_add(other.checksum);
    }

    /// The sums.
    pub fn answer(self) -> Answer {
        Answer { record_count: self.record_count, checksum: self.checksum }
    }
}

/// Tallies of a sink that an engine clones for its subtasks: each clone counts for itself, without
/// sharing a cache line, and adds its sums when it is dropped.
#[derive(Debug, Default)]
pub struct SharedTally {
    local: Tally,
    total: Arc<[AtomicU64; 2]>,
}

impl SharedTally {
    /// Takes a record in.
    #[inline]
    pub fn add(&mut self, number: u64) {
        self.local.add(number);
    }

    /// Count of this clone.
    pub fn own(&self) -> Answer {
        self.local.answer()
    }

    /// Sum over the clones dropped so far.
    pub fn answer(&self) -> Answer {
        let [record_count, checksum] = &*self.total;
        Answer {
            record_count: record_count.load(Ordering::Acquire),
            checksum: checksum.load(Ordering::Acquire),
        }
    }
}

impl Clone for SharedTally {
    fn clone(&self) -> Self {
        Self { local: Tally::default(), total: Arc::clone(&self.total) }
    }
}

impl Drop for SharedTally {
    fn drop(&mut self) {
        let [record_count, checksum] = &*self.total;
        record_count.fetch_add(self.local.record_count, Ordering::AcqRel);
        checksum.fetch_add(self.local.checksum, Ordering::AcqRel);
    }
}

/// Measures `run`, which returns what it computed.
pub fn time(run: impl FnOnce() -> anyhow::Result<Answer>) -> anyhow::Result<Outcome> {
    let start = Instant::now();
    let answer = run()?;
    Ok(Outcome { measured: start.elapsed().as_secs_f64(), answer })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn producers_together_make_each_record_once() {
        for producer_count in [1, 2, 3] {
            let mut next = 0;
            for producer_index in 0..producer_count {
                let range = shuffle_range(producer_index, producer_count);
                assert_eq!(range.start, next);
                next = range.end;
            }
            assert_eq!(next, SHUFFLE_RECORD_COUNT);
        }
    }

    #[test]
    fn clones_of_a_shared_tally_add_up_when_dropped() {
        let total = SharedTally::default();
        for part in 1..=3 {
            let mut clone = total.clone();
            clone.add(part);
        }
        assert_eq!(total.answer(), Answer { record_count: 3, checksum: 6 });
    }
}
