//! Live progress of a local job: a table that is redrawn on a terminal, plain lines elsewhere.
//!
//! It goes to standard error, so that what the job prints stays clean. Restarts are no progress: see
//! `restarts.rs`.

use super::{hosts::Hosts, result::operators, shown};
use crate::launch::Launched;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{IsTerminal, Write as _},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use weir_base::JobId;
use weir_config::{Config, keys};
use weir_graph::{JobGraph, TaskId};
use weir_job_master::Handle;
use weir_operators::sink::screen;
use weir_protocol::job_executable::{BackpressureLevel, JobMessage, OperatorProgress};
use weir_runtime::{control::TimeSpent, metrics::backpressure_ratio};

/// How often a terminal is redrawn.
const REDRAW: Duration = Duration::from_millis(250);

/// The thread that shows progress.
pub(crate) struct Reporter {
    thread: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
}

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Style {
    Terminal,
    Lines,
}

impl Style {
    /// `None` when nothing is shown.
    pub fn of(config: &Config, is_terminal: bool) -> Option<Self> {
        match config.get(&keys::PROGRESS) {
            keys::Progress::Never => None,
            keys::Progress::Auto if is_terminal => Some(Self::Terminal),
            keys::Progress::Always | keys::Progress::Auto => Some(Self::Lines),
        }
    }

    /// Time between two tables or lines.
    pub fn interval(self, config: &Config) -> Duration {
        match self {
            Self::Terminal => REDRAW,
            Self::Lines => config.get(&keys::PROGRESS_INTERVAL),
        }
    }
}

impl Reporter {
    /// Starts to show progress, unless it is turned off.
    pub fn start(
        graph: &JobGraph,
        hosts: &Arc<Hosts>,
        handle: &Handle,
        config: &Config,
        launched: &Launched,
    ) -> Self {
        let style = Style::of(config, std::io::stderr().is_terminal());
        let style = style.filter(|_| launched.is_interactive());
        let Some(style) = style else { return Self { thread: None } };
        let interval = style.interval(config);
        let watch = Watch {
            job: handle.view().job,
            graph: graph.clone(),
            hosts: Arc::clone(hosts),
            launched: launched.clone(),
            style,
            last: BTreeMap::new(),
            last_counts: BTreeMap::new(),
            last_at: Instant::now(),
        };
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("progress".to_owned())
            .spawn(move || watch.run(&stopped, interval));
        Self { thread: thread.ok().map(|thread| (stop, thread)) }
    }

    /// Shows the last numbers and ends.
    pub fn stop(self) {
        if let Some((stop, thread)) = self.thread {
            drop(stop);
            let _ = thread.join();
        }
    }
}

struct Watch {
    job: JobId,
    graph: JobGraph,
    hosts: Arc<Hosts>,
    launched: Launched,
    style: Style,
    last: BTreeMap<TaskId, TimeSpent>,
    last_counts: BTreeMap<usize, u64>,
    last_at: Instant,
}

impl Watch {
    fn run(mut self, stopped: &mpsc::Receiver<()>, interval: Duration) {
        loop {
            let ended = matches!(
                stopped.recv_timeout(interval),
                Ok(()) | Err(RecvTimeoutError::Disconnected)
            );
            let rows = self.sample();
            self.show(&rows);
            self.launched.tell(&JobMessage::Progress { job: self.job, operators: rows });
            if ended {
                return;
            }
        }
    }

    fn sample(&mut self) -> Vec<OperatorProgress> {
        let seconds = self.last_at.elapsed().as_secs_f64().max(0.001);
        self.last_at = Instant::now();
        let ratios = self.ratios();
        let mut vertices = shown(&self.graph)
            .flat_map(|(index, vertex)| std::iter::repeat_n(index, vertex.operators.len()));
        let mut rows = Vec::new();
        for (place, row) in operators(&self.graph, &self.hosts).into_iter().enumerate() {
            let ratio = vertices.next().and_then(|v| ratios.get(&v).copied()).unwrap_or(0.0);
            let before = self.last_counts.insert(place, row.records_in).unwrap_or(0);
            rows.push(OperatorProgress {
                name: row.name,
                parallelism: row.parallelism,
                records_in: row.records_in,
                records_out: row.records_out,
                rate_per_s: row.records_in.saturating_sub(before) as f64 / seconds,
                backpressure_ratio: ratio,
                backpressure_level: BackpressureLevel::of_ratio(ratio),
            });
        }
        rows
    }

    /// The backpressure ratio of each vertex since the last sample: that of its worst subtask.
    fn ratios(&mut self) -> BTreeMap<u32, f64> {
        let mut worst = BTreeMap::new();
        for (task, metrics) in self.hosts.metrics() {
            let now = metrics.metrics.time_spent();
            let before = self.last.insert(task, now).unwrap_or_default();
            let ratio = backpressure_ratio(before, now);
            let entry: &mut f64 = worst.entry(task.vertex).or_default();
            *entry = entry.max(ratio);
        }
        worst
    }

    fn show(&self, rows: &[OperatorProgress]) {
        let mut text = String::new();
        match self.style {
            Style::Terminal => {
                let _ = writeln!(
                    text,
                    "{:<44} {:>4} {:>14} {:>14} {:>12}  BACKPRESSURE",
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
                screen::redraw(&text);
            }
            Style::Lines => {
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
                // Standard error may be closed; then the line is dropped.
                let _ = std::io::stderr().write_all(text.as_bytes());
            }
        }
    }
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

    #[test]
    fn numbers_are_grouped_and_names_cut() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(shortened("abcd", 4), "abcd");
    }
}
