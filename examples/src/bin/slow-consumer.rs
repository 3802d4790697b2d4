//! A consumer that is slower than its producer: what backpressure looks like.
//!
//! ```text
//! slow-consumer --records-per-second 20000
//! ```
//!
//! The source makes numbers as fast as it may. The last operator takes its time for each of them, so
//! the channels before it fill up, and the source waits for room: it is *backpressured*, the consumer
//! busy. Ends after `--seconds`, or never if that is 0.

use clap::Parser;
use std::{
    thread,
    time::{Duration, Instant},
};
use weir::{connectors::DiscardSink, prelude::*};

/// Make numbers faster than they are taken.
#[derive(Parser)]
struct Arguments {
    /// How many records each subtask of the consumer takes in a second.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..))]
    records_per_second: u64,
    /// How long each subtask takes records; 0 is for ever.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
}

fn main() -> weir::Result<()> {
    let arguments = Arguments::parse();
    let rate = arguments.records_per_second;
    let env = StreamExecutionEnvironment::new()?;
    let subtasks = u64::from(env.parallelism());
    let records = match arguments.seconds {
        0 => u64::MAX - 1,
        seconds => rate.saturating_mul(seconds).saturating_mul(subtasks),
    };

    env.sequence(1, records)
        .map(|number| (number % 1_000, 1u64))
        .name("Number")
        .key_by(|(group, _)| *group)
        .sum(|(_, count)| count)
        .name("Count")
        .rebalance()
        .map({
            let mut pace = Pace::new(rate);
            move |counted| {
                pace.take_one();
                counted
            }
        })
        .name("Slow Consumer")
        .sink_to(DiscardSink::new());

    env.execute("slow consumer")?;
    Ok(())
}

/// Passes on this number of records in a second.
#[derive(Clone)]
struct Pace {
    per_second: u64,
    taken: u64,
    since: Option<Instant>,
}

impl Pace {
    fn new(per_second: u64) -> Self {
        Self { per_second, taken: 0, since: None }
    }

    fn take_one(&mut self) {
        let since = *self.since.get_or_insert_with(Instant::now);
        self.taken += 1;
        let due = Duration::from_secs_f64(self.taken as f64 / self.per_second as f64);
        // A sleep below a millisecond costs more than it waits.
        let early = due.saturating_sub(since.elapsed());
        if early >= Duration::from_millis(1) {
            thread::sleep(early);
        }
    }
}
