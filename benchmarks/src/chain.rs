//! Our side of `chain`: `sequence → map → filter → map → discard` at parallelism 1.

use crate::{
    outcome::{Outcome, Settings},
    work::{self, CHAIN_INPUT_COUNT, SharedTally},
};
use anyhow::Result;
use weir::{Config, prelude::*};

/// The second map sums what it makes, as the loop does, so that the sink can be one that drops.
///
/// Answer: the numbers that pass the filter, and the sum of what the second map makes of them.
pub fn chain(_settings: &Settings) -> Result<Outcome> {
    let tally = SharedTally::default();
    work::time(|| {
        let env = StreamExecutionEnvironment::with_config(Config::new());
        let mut sums = tally.clone();
        env.sequence(0, CHAIN_INPUT_COUNT - 1)
            .map(work::first_map)
            .filter(|value| work::keep(*value))
            .map(move |value| {
                let mapped = work::second_map(value);
                sums.add(mapped);
                mapped
            })
            .discard();
        env.execute("chain")?;
        Ok(tally.answer())
    })
}
