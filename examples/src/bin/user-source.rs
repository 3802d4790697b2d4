//! A source of one's own: the readings of some thermometers.
//!
//! ```text
//! user-source --thermometers 4 --readings 1000
//! ```
//!
//! A source has three parts. A *split* is a piece of the input with the position in it: here one
//! thermometer and the number of its next reading. The *source* describes the input, lists the
//! splits once and deals them to the readers. A *reader* runs in each subtask and emits what its
//! splits hold, some records per call. Checkpoints keep the splits that are not finished; after a
//! failure they are restored, and a reader continues at exactly their positions.

use clap::Parser;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use weir::prelude::*;
use weir::{ReaderContext, RuntimeMode, Source, SourcePoll, SourceReader, TaskResult};

/// Print the highest reading of each thermometer.
#[derive(Parser)]
struct Arguments {
    /// Number of thermometers.
    #[arg(long, default_value_t = 4)]
    thermometers: u32,
    /// Number of readings of each.
    #[arg(long, default_value_t = 1000)]
    readings: u64,
}

/// A record: which thermometer, and its reading in tenths of a degree.
type Reading = (u32, i64);

/// A split: what is left to read of one thermometer.
#[derive(Clone, Serialize, Deserialize)]
struct Thermometer {
    number: u32,
    next: u64,
    end: u64,
}

/// The source: what to read. It is never run itself, so it only holds settings.
struct Thermometers {
    count: u32,
    readings: u64,
}

impl Source for Thermometers {
    type Item = Reading;
    type Split = Thermometer;

    fn name(&self) -> String {
        "Thermometers".to_owned()
    }

    /// The readings end, so the job may run as a batch.
    fn is_bounded(&self) -> bool {
        true
    }

    /// A checkpoint of a job that reads something else is refused by comparing these bytes.
    fn specification(&self) -> TaskResult<Vec<u8>> {
        Ok(format!("{} x {}", self.count, self.readings).into_bytes())
    }

    /// Runs once per job, not again after a failure.
    fn enumerate(&self, parallelism: u32) -> TaskResult<Vec<Vec<Thermometer>>> {
        let mut readers = vec![Vec::new(); parallelism as usize];
        for number in 0..self.count {
            let split = Thermometer { number, next: 0, end: self.readings };
            readers[(number % parallelism) as usize].push(split);
        }
        Ok(readers)
    }

    fn reader(
        &self,
        _context: ReaderContext,
    ) -> TaskResult<Box<dyn SourceReader<Item = Reading, Split = Thermometer>>> {
        Ok(Box::new(ThermometerReader::default()))
    }
}

/// The reader of one subtask.
#[derive(Default)]
struct ThermometerReader {
    unfinished: VecDeque<Thermometer>,
}

impl SourceReader for ThermometerReader {
    type Item = Reading;
    type Split = Thermometer;

    /// Fresh splits, or those of a checkpoint.
    fn add_splits(&mut self, splits: Vec<Thermometer>) -> TaskResult<()> {
        self.unfinished.extend(splits);
        Ok(())
    }

    /// Emits at most this number of records and returns, so that barriers and a cancel are handled in between.
    fn poll_batch(
        &mut self,
        budget_records: usize,
        out: &mut Collector<Reading>,
    ) -> TaskResult<SourcePoll> {
        let Some(thermometer) = self.unfinished.front_mut() else {
            return Ok(SourcePoll::End);
        };
        let stop = thermometer.end.min(thermometer.next + budget_records as u64);
        out.extend(
            (thermometer.next..stop)
                .map(|at| (thermometer.number, measure(thermometer.number, at))),
        );
        thermometer.next = stop;
        if thermometer.next == thermometer.end {
            self.unfinished.pop_front();
        }
        Ok(SourcePoll::More)
    }

    /// Called at every checkpoint: the positions behind the last record emitted.
    fn splits(&self) -> TaskResult<Vec<Thermometer>> {
        Ok(self.unfinished.iter().cloned().collect())
    }
}

/// Simulates the device.
fn measure(thermometer: u32, at: u64) -> i64 {
    let noise = (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56;
    200 + i64::from(thermometer) * 10 + noise as i64
}

fn main() -> weir::Result<()> {
    let arguments = Arguments::parse();
    let env = StreamExecutionEnvironment::new()?;
    // Each maximum once, and not each time it rises.
    env.set_runtime_mode(RuntimeMode::Automatic);

    env.from_source(Thermometers { count: arguments.thermometers, readings: arguments.readings })
        .uid("thermometers")
        .key_by(|(thermometer, _)| *thermometer)
        .max(|(_, tenths)| tenths)
        .print_with(|(thermometer, tenths), out| {
            out.push_str(&format!("thermometer {thermometer}: {}.{} °C", tenths / 10, tenths % 10));
        });

    env.execute("thermometers")?;
    Ok(())
}
