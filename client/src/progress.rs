//! Live progress of a job on a cluster: a table that is redrawn on a terminal, plain lines elsewhere.
//! It looks as that of a local job, which the job executable draws itself.
//!
//! Restarts are not part of it: see `restarts.rs`. It has its own thread and connection, so that it
//! never delays the line about the job's end.

use crate::remote::{Remote, proxy_path};
use std::io::{self, IsTerminal, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use weir_base::{ApplicationId, JobId};
use weir_config::{Config, ProgressStyle};
use weir_protocol::progress::{BackpressureLevel, OperatorProgress, lines, table};
use weir_protocol::rest::flink::result::{JobProgress, OperatorTotals, WeirResult};

/// How long an answer is waited for; a late one is of no use.
const LATE_AFTER: Duration = Duration::ZERO;

/// Total counts of operators, and the milliseconds in which they were reached.
type Totals = (Vec<OperatorTotals>, u64);

/// The thread that shows progress.
pub struct Reporter {
    thread: Option<(Sender<Totals>, JoinHandle<()>)>,
}

impl Reporter {
    /// Starts to show progress, unless it is turned off.
    pub fn start(remote: &Remote, application: ApplicationId, job: JobId, config: &Config) -> Self {
        let style = ProgressStyle::of(config, io::stderr().is_terminal());
        let (Some(style), Ok(remote)) = (style, remote.again()) else {
            return Self { thread: None };
        };
        let interval = style.interval(config);
        let path = format!("{}/jobs/{job}/progress", proxy_path(application));
        let watch = Watch { remote, path, style, last: Vec::new() };
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || watch.run(&stopped, interval));
        Self { thread: thread.ok().map(|thread| (stop, thread)) }
    }

    /// Shows the last numbers, if they are known, and ends.
    pub fn stop(self, result: Option<&WeirResult>) {
        if let Some((stop, thread)) = self.thread {
            let totals = |result: &WeirResult| (result.operators.clone(), result.runtime_ms);
            // The last seen values stay for a job whose details are lost.
            if let Some(result) = result.filter(|result| !result.operators.is_empty()) {
                // A thread that has ended shows nothing more.
                let _ = stop.send(totals(result));
            }
            drop(stop);
            let _ = thread.join();
        }
    }
}

struct Watch {
    remote: Remote,
    path: String,
    style: ProgressStyle,
    last: Vec<OperatorProgress>,
}

impl Watch {
    fn run(mut self, stopped: &mpsc::Receiver<Totals>, interval: Duration) {
        loop {
            match stopped.recv_timeout(interval) {
                Ok(totals) => {
                    self.show(&self.last_rows(totals));
                    return;
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            // Without an app master there are no numbers. The caller that waits for the job reports why.
            if let Ok(progress) = self.remote.get_held::<JobProgress>(&self.path, LATE_AFTER) {
                self.show(&progress.operators);
                self.last = progress.operators;
            }
        }
    }

    /// Total counts of the job, with its last seen rates.
    fn last_rows(&self, (totals, runtime_ms): Totals) -> Vec<OperatorProgress> {
        let mut last = self.last.iter();
        let seconds = (runtime_ms as f64 / 1000.0).max(0.001);
        let rows = totals.into_iter().map(|total| {
            let seen = last.next().filter(|row| row.name == total.name);
            let ratio = seen.map_or(0.0, |row| row.backpressure_ratio);
            // The mean rate of a job that was not seen running.
            let mean_per_s = total.records_in as f64 / seconds;
            let rate_per_s = seen.map_or(mean_per_s, |row| row.rate_per_s);
            OperatorProgress {
                name: total.name,
                parallelism: total.parallelism,
                records_in: total.records_in,
                records_out: total.records_out,
                rate_per_s,
                backpressure_ratio: ratio,
                backpressure_level: BackpressureLevel::of_ratio(ratio),
            }
        });
        rows.collect()
    }

    fn show(&self, rows: &[OperatorProgress]) {
        match self.style {
            ProgressStyle::Terminal => weir_terminal::redraw(&table(rows)),
            // Standard error may be closed; then the line is dropped.
            ProgressStyle::Lines => drop(io::stderr().write_all(lines(rows).as_bytes())),
        }
    }
}
