//! Reports of a task host: task reports at once, counters each second.
//!
//! ```text
//! task threads ──sink──▶ queue ──writer thread──▶ job master
//! counters thread ─────────┘
//! ```
//!
//! Invariants: the last counters of a task are those of its end, and they are sent
//! before its end. The queue is bounded; a job master that lets it fill up counts as lost.

use super::{
    end,
    error::{Error, Result, lost},
};
use crate::launch::log_line;
use std::{
    collections::BTreeMap,
    io::Write,
    net::TcpStream,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};
use weir_base::Failure;
use weir_graph::TaskId;
use weir_protocol::{
    control::{HostReport, OperatorCounters, TaskCounters, encode_frame},
    task::{ReportKind, TaskReport},
};
use weir_runtime::{ReportSink, TaskHost, host::DeployedMetrics};

/// Reports that may wait to be written.
const MAX_WAITING: usize = 16 * 1024;
/// Reports are written together up to about this number of bytes.
const GROUP_BYTES: usize = 64 * 1024;
/// Between two reports of counters.
const COUNTERS_EVERY: Duration = Duration::from_secs(1);

/// Takes reports from every thread.
pub(super) struct Reports {
    queue: SyncSender<HostReport>,
    /// Known once it is made: it is made with the sink.
    host: OnceLock<TaskHost>,
    /// The counters that went out last, and whether they are those of the end. Held from looking at counters until they are in the queue, so
    /// that older ones never follow newer ones.
    counted: Mutex<BTreeMap<TaskId, Counted>>,
}

struct Counted {
    last: TaskCounters,
    has_ended: bool,
}

impl Reports {
    /// Starts the thread that writes.
    pub fn start(stream: TcpStream) -> Result<Arc<Self>> {
        let (queue, reports) = sync_channel(MAX_WAITING);
        spawn("control", move || {
            if let Err(error) = write_all(stream, &reports) {
                end(&error);
            }
        })?;
        Ok(Arc::new(Self { queue, host: OnceLock::new(), counted: Mutex::default() }))
    }

    /// Where the task host reports to.
    pub fn sink(this: &Arc<Self>) -> ReportSink {
        let this = Arc::clone(this);
        Arc::new(move |report| this.on_report(report))
    }

    /// Reports the counters of this host from now on, each second.
    pub fn count(this: &Arc<Self>, host: TaskHost) -> Result<()> {
        let _ = this.host.set(host);
        let this = Arc::clone(this);
        spawn("counters", move || {
            loop {
                thread::sleep(COUNTERS_EVERY);
                this.report_counters();
            }
        })
    }

    /// Queues a report.
    pub fn push(&self, report: HostReport) {
        match self.queue.try_send(report) {
            // Without a writer the process is about to end.
            Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            Err(TrySendError::Full(_)) => end(&Error::NoReportsTaken { waiting: MAX_WAITING }),
        }
    }

    fn on_report(&self, report: TaskReport) {
        if let ReportKind::Failed(failure) | ReportKind::LostPeer { failure, .. } = &report.kind {
            // For readers of the container's log; panics on task threads print nothing.
            let Failure { code, message, task, .. } = failure;
            let task = task.as_deref().unwrap_or_default();
            log_line(&format!("task {task} failed: {message} [{code}]"));
        }
        if report.kind.is_end() {
            let mut counted = self.counted();
            let metrics = self.host.get().and_then(|host| host.metrics().remove(&report.task));
            if let Some(metrics) = metrics.filter(|metrics| metrics.attempt == report.attempt) {
                let last = counters(report.task, &metrics);
                self.push(HostReport::Counters(vec![last.clone()]));
                counted.insert(report.task, Counted { last, has_ended: true });
            }
        }
        self.push(HostReport::Task(report));
    }

    /// Counters of every task that has changed. Sent also without any, to show that this task host is alive.
    fn report_counters(&self) {
        let mut counted = self.counted();
        let mut changed = Vec::new();
        for (task, metrics) in self.host.get().map(TaskHost::metrics).unwrap_or_default() {
            let known = counted.get(&task).filter(|known| known.last.attempt == metrics.attempt);
            if known.is_some_and(|known| known.has_ended) {
                continue;
            }
            let now = counters(task, &metrics);
            if known.is_none_or(|known| known.last != now) {
                changed.push(now.clone());
                counted.insert(task, Counted { last: now, has_ended: false });
            }
        }
        self.push(HostReport::Counters(changed));
    }

    fn counted(&self) -> MutexGuard<'_, BTreeMap<TaskId, Counted>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a thread that the host cannot do without: if it panics, the host ends.
pub(super) fn spawn(name: &'static str, body: impl FnOnce() + Send + 'static) -> Result<()> {
    let guarded = move || {
        if panic::catch_unwind(AssertUnwindSafe(body)).is_err() {
            end(&Error::ThreadPanicked { thread: name });
        }
    };
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(guarded);
    spawned.map(drop).map_err(|error| Error::NoThread { problem: error.to_string() })
}

fn write_all(mut stream: TcpStream, reports: &Receiver<HostReport>) -> Result<()> {
    let mut bytes = Vec::new();
    while let Ok(report) = reports.recv() {
        bytes.clear();
        encode_frame(&report, &mut bytes)?;
        while bytes.len() < GROUP_BYTES
            && let Ok(report) = reports.try_recv()
        {
            encode_frame(&report, &mut bytes)?;
        }
        stream.write_all(&bytes).map_err(|error| lost(&error))?;
    }
    Ok(())
}

fn counters(task: TaskId, deployed: &DeployedMetrics) -> TaskCounters {
    let metrics = &deployed.metrics;
    let spent = metrics.time_spent();
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let operators = metrics.operators.iter().map(|operator| OperatorCounters {
        records_in: operator.records_in(),
        records_out: operator.records_out(),
    });
    TaskCounters {
        task,
        attempt: deployed.attempt,
        operators: operators.collect(),
        bytes_in: metrics.bytes_in(),
        bytes_out: metrics.bytes_out(),
        busy_us: micros(spent.busy),
        backpressured_us: micros(spent.backpressured),
        idle_us: micros(spent.idle),
        watermark: metrics.watermark(),
    }
}
