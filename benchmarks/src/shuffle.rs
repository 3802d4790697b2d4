//! Our side of `shuffle-local` and `shuffle-tcp`: a keyed exchange of 16-byte records.

use crate::{
    cluster::Cluster,
    outcome::{Answer, Outcome, Settings},
    tally_sink::{Report, TallySink},
    word_count::configuration,
    work::{self, SHUFFLE_RECORD_COUNT, SharedTally, ShuffleRecord},
};
use anyhow::{Context, Result};
use std::{path::Path, sync::Arc};
use weir::prelude::*;

/// Two producers, two consumers, in one process, joined by pointer.
///
/// Answer: the records, and the wrapping sum of key xor value over them.
pub fn local(_settings: &Settings) -> Result<Outcome> {
    let tally = Arc::new(SharedTally::default());
    let config = configuration()?;
    work::time(|| {
        let env = StreamExecutionEnvironment::with_config(config);
        shuffle(&env, TallySink::new(&tally, number_of))?;
        Ok(tally.answer())
    })
}

/// The same in two task host processes of a cluster with one subtask each, joined by TCP.
///
/// The clock runs from the first batch at a sink to the end of the last sink: all of the exchange, and
/// nothing of the cluster's work around it.
pub fn tcp(_settings: &Settings) -> Result<Outcome> {
    let cluster = Cluster::start()?;
    let reports = cluster.make_folder("tallies")?;
    let program = std::env::current_exe()?;
    let program = program.to_str().context("a path that is no text")?;
    let folder = reports.to_str().context("a path that is no text")?;
    cluster.run_to_end(&[program, "--shuffle-job", folder])?;
    let mut answer = Answer { record_count: 0, checksum: 0 };
    let (mut first_us, mut last_us) = (u64::MAX, 0);
    for report in Report::read_all(&reports)? {
        answer.record_count += report.answer.record_count;
        answer.checksum = answer.checksum.wrapping_add(report.answer.checksum);
        first_us = first_us.min(report.first_us);
        last_us = last_us.max(report.last_us);
    }
    let measured = last_us.saturating_sub(first_us) as f64 / 1e6;
    Ok(Outcome { measured, answer })
}

/// The job of [`tcp`], in whatever role this process was started.
pub fn job(reports: &Path) -> Result<()> {
    let env = StreamExecutionEnvironment::new()?;
    Ok(shuffle(&env, TallySink::reporting(reports, number_of))?)
}

fn number_of((key, value): &ShuffleRecord) -> u64 {
    key ^ value
}

fn shuffle(
    env: &StreamExecutionEnvironment,
    sink: TallySink<ShuffleRecord, fn(&ShuffleRecord) -> u64>,
) -> weir::Result<()> {
    env.sequence(0, SHUFFLE_RECORD_COUNT - 1)
        .map(work::shuffle_record)
        .key_by(|(key, _)| *key)
        .into_stream()
        .sink_to(sink);
    env.execute("shuffle").map(drop)
}
