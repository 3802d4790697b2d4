//! Live progress of a job on a cluster: a table that is redrawn on a terminal, plain lines elsewhere.
//! It looks as that of a local job, which the job executable draws itself.
//!
//! Restarts are no progress: see `restarts.rs`. It has a thread and a connection of its own, so that it never delays the news of the job's end.

use crate::remote::{Remote, proxy_path};
use crate::screen;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use weir_base::{ApplicationId, JobId};
use weir_config::{Config, keys};
use weir_protocol::job_executable::BackpressureLevel;
use weir_protocol::rest::flink::result::{JobProgress, OperatorRow, OperatorTotals, WeirResult};

/// How often a terminal is redrawn.
const REDRAW: Duration = Duration::from_millis(250);
/// How long an answer is waited for; a late one is of no use.
const LATE_AFTER: Duration = Duration::ZERO;

/// What operators did in all, and in how many milliseconds.
type Totals = (Vec<OperatorTotals>, u64);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Style {
    Terminal,
    Lines,
}

/// The thread that shows progress.
pub struct Reporter {
    thread: Option<(Sender<Totals>, JoinHandle<()>)>,
}

impl Reporter {
    /// Starts to show progress, unless it is turned off.
    pub fn start(remote: &Remote, application: ApplicationId, job: JobId, config: &Config) -> Self {
        let nobody = Self { thread: None };
        let style = match config.get(&keys::PROGRESS) {
            keys::Progress::Never => return nobody,
            keys::Progress::Always => Style::Lines,
            keys::Progress::Auto if io::stderr().is_terminal() => Style::Terminal,
            keys::Progress::Auto => Style::Lines,
        };
        let interval = match style {
            Style::Terminal => REDRAW,
            Style::Lines => config.get(&keys::PROGRESS_INTERVAL),
        };
        let Ok(remote) = remote.again() else { return nobody };
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
            // Of a job whose details are lost, what was seen last stays.
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
    style: Style,
    last: Vec<OperatorRow>,
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

    /// What the job did in all, with what was seen last of its speed.
    fn last_rows(&self, (totals, runtime_ms): Totals) -> Vec<OperatorRow> {
        let mut last = self.last.iter();
        let seconds = (runtime_ms as f64 / 1000.0).max(0.001);
        let rows = totals.into_iter().map(|total| {
            let seen = last.next().filter(|row| row.name == total.name);
            let ratio = seen.map_or(0.0, |row| row.backpressure_ratio);
            // Of a job that was not seen running its mean speed.
            let mean_per_s = total.records_in as f64 / seconds;
            let rate_per_s = seen.map_or(mean_per_s, |row| row.rate_per_s);
            OperatorRow {
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

    fn show(&self, rows: &[OperatorRow]) {
        match self.style {
            Style::Terminal => screen::redraw(&table(rows)),
            // Standard error may be closed; then the line is dropped.
            Style::Lines => drop(io::stderr().write_all(lines(rows).as_bytes())),
        }
    }
}

fn table(rows: &[OperatorRow]) -> String {
    let mut text = format!(
        "{:<44} {:>4} {:>14} {:>14} {:>12}  BACKPRESSURE\n",
        "OPERATOR", "P", "RECORDS IN", "RECORDS OUT", "RATE/S"
    );
    for row in rows {
        let _ = writeln!(
            text,
            "{:<44} {:>4} {:>14} {:>14} {:>12}  {:<4} {:.2}",
            shortened(&row.name, 44),
            row.parallelism,
            grouped(row.records_in),
            grouped(row.records_out),
            grouped(row.rate_per_s as u64),
            level_name(row.backpressure_level),
            row.backpressure_ratio
        );
    }
    text
}

fn lines(rows: &[OperatorRow]) -> String {
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(
            text,
            "progress: {} ({}): in {}, out {}, {}/s, backpressure {} ({:.2})",
            row.name,
            row.parallelism,
            row.records_in,
            row.records_out,
            row.rate_per_s as u64,
            level_name(row.backpressure_level),
            row.backpressure_ratio
        );
    }
    text
}

fn level_name(level: BackpressureLevel) -> String {
    level.to_string().to_uppercase()
}

/// A name cut to a width, with an ellipsis.
fn shortened(name: &str, width: usize) -> String {
    if name.chars().count() <= width {
        return name.to_owned();
    }
    name.chars().take(width - 1).chain(['…']).collect()
}

/// 1234567 as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> OperatorRow {
        OperatorRow {
            name: "Count".to_owned(),
            parallelism: 2,
            records_in: 1_234_567,
            records_out: 0,
            rate_per_s: 1000.9,
            backpressure_ratio: 0.25,
            backpressure_level: BackpressureLevel::Low,
        }
    }

    #[test]
    fn rows_look_as_those_of_a_local_job() {
        assert_eq!(
            lines(&[row()]),
            "progress: Count (2): in 1234567, out 0, 1000/s, backpressure LOW (0.25)\n"
        );
        let text = table(&[row()]);
        let line = text.lines().nth(1).expect("a row");
        assert!(line.starts_with("Count  ") && line.ends_with("  LOW  0.25"), "{line}");
        assert!(line.contains(" 1,234,567 "), "{line}");
    }

    #[test]
    fn numbers_are_grouped_and_names_cut() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(shortened("abcd", 4), "abcd");
    }
}
