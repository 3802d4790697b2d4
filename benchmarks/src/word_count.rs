//! Our side of `word-count-updates`, `word-count-updates-checkpointed` and `word-count-final`.

use crate::{
    outcome::{Outcome, Settings},
    tally_sink::TallySink,
    text,
    work::{self, PARALLELISM, SharedTally},
};
use anyhow::{Result, ensure};
use std::{path::Path, sync::Arc, time::Duration};
use weir::{Config, DataStream, Folder, RuntimeMode, keys, prelude::*};

/// A configuration of the benchmarks' parallelism.
pub fn configuration() -> Result<Config> {
    let mut config = Config::new();
    config.set(&keys::PARALLELISM_DEFAULT, PARALLELISM as u32)?;
    Ok(config)
}

/// The plain word count, as an author writes it.
fn counts(env: &StreamExecutionEnvironment, path: &Path) -> DataStream<(Text, u64)> {
    env.read_text_file(path)
        .flat_map(|line: Text, out: &mut Collector<(Text, u64)>| {
            out.extend(line.words().map(|word| (word, 1)));
        })
        .key_by(|(word, _)| word.clone())
        .sum(|(_, count)| count)
}

/// Streaming mode: every update of the keyed running count reaches the sink.
///
/// Answer: the updates, and the sum of the counts they carry.
pub fn updates(settings: &Settings) -> Result<Outcome> {
    run_updates(&text::path(settings)?, configuration()?, 0)
}

/// One reading of the text takes less than a second: with checkpoints each second it is read so
/// often that some of them come.
const READINGS: usize = 8;

/// Several readings of the text, without checkpoints.
pub fn long_updates(settings: &Settings) -> Result<Outcome> {
    run_updates(&text::readings(settings, READINGS)?, configuration()?, 0)
}

/// The same with a checkpoint each second; there must have been some besides the final one.
pub fn updates_checkpointed(settings: &Settings) -> Result<Outcome> {
    let mut config = configuration()?;
    let folder = text::data_folder()?.join("checkpoints");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    config.set(&keys::CHECKPOINTING_INTERVAL, Duration::from_secs(1))?;
    config.set(&keys::CHECKPOINTING_DIR, Folder::at(&folder))?;
    run_updates(&text::readings(settings, READINGS)?, config, 2)
}

fn run_updates(path: &Path, config: Config, checkpoints: u64) -> Result<Outcome> {
    let tally = Arc::new(SharedTally::default());
    work::time(|| {
        let env = StreamExecutionEnvironment::with_config(config);
        counts(&env, path).sink_to(TallySink::new(&tally, |(_, count): &(Text, u64)| *count));
        let result = env.execute("word count updates")?;
        ensure!(result.completed_checkpoints >= checkpoints, "too few checkpoints to speak of");
        Ok(tally.answer())
    })
}

/// Batch mode: one record a word reaches the sink.
///
/// Answer: the distinct words, and the sum of count times [`crate::work::word_hash`] over them.
pub fn final_counts(settings: &Settings) -> Result<Outcome> {
    let tally = Arc::new(SharedTally::default());
    work::time(|| {
        let env = StreamExecutionEnvironment::with_config(configuration()?);
        env.set_runtime_mode(RuntimeMode::Batch);
        counts(&env, &text::path(settings)?)
            .sink_to(TallySink::new(&tally, |(word, count): &(Text, u64)| {
                count.wrapping_mul(work::word_hash(word.as_bytes()))
            }));
        env.execute("word count")?;
        Ok(tally.answer())
    })
}
