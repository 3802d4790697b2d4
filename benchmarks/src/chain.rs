//! Our side of `chain`: `sequence → map → filter → map → discard` at parallelism 1.

use crate::{
    outcome::{Outcome, Settings},
    tally_sink::TallySink,
    work::{self, CHAIN_INPUT_COUNT, SharedTally},
};
use anyhow::Result;
use std::sync::Arc;
use weir::{Config, prelude::*};

/// Answer: the numbers that pass the filter, and the sum of what the second map makes of them.
pub fn chain(_settings: &Settings) -> Result<Outcome> {
    let tally = Arc::new(SharedTally::default());
    work::time(|| {
        let env = StreamExecutionEnvironment::with_config(Config::new());
        env.sequence(0, CHAIN_INPUT_COUNT - 1)
            .map(work::first_map)
            .filter(|value| work::keep(*value))
            .map(work::second_map)
            .sink_to(TallySink::new(&tally, |value: &u64| *value));
        env.execute("chain")?;
        Ok(tally.answer())
    })
}
