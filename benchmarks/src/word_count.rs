//! Our side of `word-count-updates`, `word-count-updates-checkpointed` and `word-count-final`.

use anyhow::{Result, bail};

use crate::outcome::{Outcome, Settings};

/// Streaming mode: every update of the keyed running count reaches the sink.
///
/// Answer: the updates, and the sum of the counts they carry.
pub fn updates(_settings: &Settings) -> Result<Outcome> {
    bail!("not written yet")
}

/// The same with a checkpoint each second.
pub fn updates_checkpointed(_settings: &Settings) -> Result<Outcome> {
    bail!("not written yet")
}

/// Batch mode: one record a word reaches the sink.
///
/// Answer: the distinct words, and the sum of count times [`crate::work::word_hash`] over them.
pub fn final_counts(_settings: &Settings) -> Result<Outcome> {
    bail!("not written yet")
}
