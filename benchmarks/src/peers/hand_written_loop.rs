//! `chain` as a plain loop.

use std::hint::black_box;

use anyhow::Result;

use crate::outcome::{Answer, Outcome, Settings};
use crate::work::{self, CHAIN_INPUT_COUNT, ChainSums};

/// One loop, no engine: what the chain costs at least.
pub fn chain(_settings: &Settings) -> Result<Outcome> {
    work::time(|| Ok(run(black_box(CHAIN_INPUT_COUNT))))
}

fn run(input_count: u64) -> Answer {
    let mut sums = ChainSums::default();
    for value in 0..input_count {
        let mapped = work::first_map(value);
        if work::keep(mapped) {
            sums.add(work::second_map(mapped));
        }
    }
    sums.answer()
}
