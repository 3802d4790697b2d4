//! Our side of `word-count-updates`, `word-count-updates-checkpointed` and `word-count-final`.

use crate::{
    outcome::{Outcome, Settings},
    tally_sink::TallySink,
    text,
    work::{self, PARALLELISM, SharedTally},
};
use anyhow::{Result, ensure};
use std::{sync::Arc, time::Duration};
use weir::{Config, DataStream, RuntimeMode, keys, prelude::*};

/// A configuration of the benchmarks' parallelism.
pub fn configuration() -> Result<Config> {
    let mut config = Config::new();
    config.set(&keys::PARALLELISM_DEFAULT, PARALLELISM as u32)?;
    Ok(config)
}

/// The plain word count, as an author writes it.
fn counts(
    env: &StreamExecutionEnvironment,
    settings: &Settings,
) -> Result<DataStream<(Text, u64)>> {
    Ok(env
        .read_text_file(text::path(settings)?)
        .flat_map(|line: Text, out: &mut Collector<(Text, u64)>| {
            out.extend(line.words().map(|word| (word, 1)));
        })
        .key_by(|(word, _)| word.clone())
        .sum(|(_, count)| count))
}

/// Streaming mode: every update of the keyed running count reaches the sink.
///
/// Answer: the updates, and the sum of the counts they carry.
pub fn updates(settings: &Settings) -> Result<Outcome> {
    run_updates(settings, configuration()?, 0)
}

/// The whole count takes less than a second, so that checkpoints each second would hardly show.
const CHECKPOINT_INTERVAL: Duration = Duration::from_millis(250);

/// The same with checkpoints, four times as often as each second; there must have been some.
pub fn updates_checkpointed(settings: &Settings) -> Result<Outcome> {
    let mut config = configuration()?;
    let folder = text::data_folder()?.join("checkpoints");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    config.set(&keys::CHECKPOINTING_INTERVAL, CHECKPOINT_INTERVAL)?;
    config.set(&keys::CHECKPOINTING_DIR, folder.to_string_lossy().into_owned())?;
    run_updates(settings, config, 2)
}

fn run_updates(settings: &Settings, config: Config, checkpoints: u64) -> Result<Outcome> {
    let tally = Arc::new(SharedTally::default());
    work::time(|| {
        let env = StreamExecutionEnvironment::with_config(config);
        counts(&env, settings)?.sink_to(TallySink::new(&tally, |(_, count): &(Text, u64)| *count));
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
        counts(&env, settings)?.sink_to(TallySink::new(&tally, |(word, count): &(Text, u64)| {
            count.wrapping_mul(work::word_hash(word.as_bytes()))
        }));
        env.execute("word count")?;
        Ok(tally.answer())
    })
}
