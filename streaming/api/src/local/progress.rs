//! Live progress of a local job: a table that is redrawn on a terminal, plain lines elsewhere.
//!
//! It goes to standard error, apart from what the job prints. Restarts are not part of it: see
//! `restarts.rs`.

use super::{hosts::Hosts, result::operators, shown};
use crate::launch::Launched;
use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write as _},
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};
use weir_base::JobId;
use weir_config::{Config, ProgressStyle};
use weir_graph::{JobGraph, TaskId};
use weir_job_master::Handle;
use weir_protocol::{
    job_executable::JobMessage,
    progress::{BackpressureLevel, OperatorProgress, lines, table},
};
use weir_runtime::{control::TimeSpent, metrics::backpressure_ratio};

/// The thread that shows progress.
pub(crate) struct Reporter {
    thread: Option<(mpsc::Sender<()>, JoinHandle<()>)>,
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
        let style = ProgressStyle::of(config, std::io::stderr().is_terminal());
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
    style: ProgressStyle,
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
        match self.style {
            ProgressStyle::Terminal => weir_terminal::redraw(&table(rows)),
            // Standard error may be closed; then the lines are dropped.
            ProgressStyle::Lines => drop(std::io::stderr().write_all(lines(rows).as_bytes())),
        }
    }
}
