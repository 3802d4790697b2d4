//! Our side of `shuffle-local` and `shuffle-tcp`: a keyed exchange of 16-byte records.

use crate::{
    outcome::{Outcome, Settings},
    tally_sink::TallySink,
    word_count::configuration,
    work::{self, SHUFFLE_RECORD_COUNT, SharedTally, ShuffleRecord},
};
use anyhow::Result;
use std::sync::Arc;
use weir::{Config, keys, prelude::*};

/// Two producers, two consumers, in one process, joined by pointer.
///
/// Answer: the records, and the wrapping sum of key xor value over them.
pub fn local(_settings: &Settings) -> Result<Outcome> {
    shuffle(configuration()?)
}

/// The same on two hosts with one subtask each, joined by loopback TCP.
pub fn tcp(_settings: &Settings) -> Result<Outcome> {
    let mut config = configuration()?;
    config.set(&keys::LOCAL_TASK_HOSTS, 2)?;
    shuffle(config)
}

fn shuffle(config: Config) -> Result<Outcome> {
    let tally = Arc::new(SharedTally::default());
    work::time(|| {
        let env = StreamExecutionEnvironment::with_config(config);
        env.sequence(0, SHUFFLE_RECORD_COUNT - 1)
            .map(work::shuffle_record)
            .key_by(|(key, _)| *key)
            .into_stream()
            .sink_to(TallySink::new(&tally, |(key, value): &ShuffleRecord| key ^ value));
        env.execute("shuffle")?;
        Ok(tally.answer())
    })
}
