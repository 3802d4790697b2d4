//! What an app master knows of its job besides the brain's view: who runs it where, what its tasks
//! have counted, and when each entered which state.
//!
//! ```text
//!  control server ──joined, left, placed, counters, failed_at──▶ Observed ──read()──▶ Reading ──▶ REST
//!  job master ──Handle::view, status changes──────────────────────▶  │
//! ```
//!
//! It decides nothing and nothing depends on it: a lost message here costs a number on a page, never
//! a record. What always holds:
//! - counters and places of an older deployment never replace those of a newer one,
//! - the tables are bounded by the tasks of the job, the task managers it has had and the failures
//!   that are remembered,
//! - no lock is held while the job master is asked.

mod failures;
mod managers;
mod reading;
mod tasks;
mod watch;

pub use failures::{EpisodeReading, FailureReading};
pub use managers::{HostReading, ManagerInfo, ManagerReading};
pub use reading::{Reading, VertexReading};
pub use tasks::{Counts, Flow, SubtaskLocation, SubtaskReading, TimeShares};
pub use watch::Ended;

use crate::conclusion::has_begun;
use failures::Failures;
use managers::Managers;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tasks::Tasks;
use watch::Watch;
use weir_base::{ApplicationId, AttemptId, ContainerId, ExecutionAttempt};
use weir_config::Config;
use weir_graph::{JobGraph, TaskId};
use weir_job_master::Handle;
use weir_protocol::{cluster::JobSubmission, control::TaskCounters};

/// Where this app master runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnAddress {
    /// Name or address of its node.
    pub host: String,
    /// Port of its REST interface.
    pub rest_port: u16,
    pub attempt: AttemptId,
    pub container: ContainerId,
    pub application: ApplicationId,
}

/// Values that never change while the job runs.
#[derive(Debug)]
pub struct Facts {
    /// The job as it was submitted.
    pub submission: Arc<JobSubmission>,
    pub graph: JobGraph,
    /// Its effective configuration.
    pub config: Config,
    /// Where the app master runs.
    pub own: OwnAddress,
    /// The commit from which the app master was built.
    pub commit: &'static str,
    /// When the job was submitted, in milliseconds since 1970.
    pub submitted_ms: u64,
    /// When this app master took the job, in milliseconds since 1970.
    pub started_ms: u64,
}

/// Observations of the running job. Clones share them.
#[derive(Clone)]
pub struct Observed {
    shared: Arc<Shared>,
}

struct Shared {
    facts: Arc<Facts>,
    handle: Handle,
    watch: Watch,
    tables: Mutex<Tables>,
}

struct Tables {
    tasks: Tasks,
    managers: Managers,
    failures: Failures,
    /// The reason why the tasks of the job cannot be deployed yet.
    waits_for: Option<String>,
}

impl Observed {
    /// Begins to observe a job. Starts a thread that ends with the job.
    pub fn new(facts: Facts, handle: Handle) -> Self {
        let facts = Arc::new(facts);
        let tables = Tables {
            tasks: Tasks::new(&facts.graph),
            managers: Managers::default(),
            failures: Failures::new(&facts.graph),
            waits_for: None,
        };
        let watch = Watch::new(facts.own.attempt.number);
        let shared = Arc::new(Shared { facts, handle, watch, tables: Mutex::new(tables) });
        watch::follow(&shared);
        Self { shared }
    }

    /// A task manager has introduced itself.
    pub fn manager_joined(&self, info: ManagerInfo) {
        self.tables().managers.joined(info, wall_ms());
    }

    /// A task manager was lost or has ended.
    pub fn manager_left(&self, container: ContainerId) {
        self.tables().managers.left(container, wall_ms());
    }

    /// Memory of a task manager and its task hosts in bytes; also shows that it is alive.
    pub fn manager_memory(&self, container: ContainerId, own_bytes: u64, hosts: Vec<(u32, u64)>) {
        self.tables().managers.memory(container, own_bytes, &hosts, wall_ms());
    }

    /// A task host has introduced itself.
    pub fn host_joined(
        &self,
        container: ContainerId,
        host: u32,
        pid: u32,
        data_address: SocketAddr,
    ) {
        self.tables().managers.host_joined(container, HostReading::new(host, pid, data_address));
    }

    /// A task host was lost or has ended.
    pub fn host_left(&self, container: ContainerId, host: u32) {
        self.tables().managers.host_left(container, host);
    }

    /// Where tasks run from now on: by slot, its container. Subtask `i` of every vertex runs in
    /// slot `i`.
    pub fn placed(&self, slots: Vec<(u32, ContainerId)>) {
        self.tables().managers.placed(slots);
    }

    /// The reason why the tasks of the job cannot be deployed yet; `None` when every slot has a task host.
    pub fn waits_for(&self, what: Option<String>) {
        self.tables().waits_for = what;
    }

    /// Counters of tasks of this container.
    pub fn counters(&self, container: ContainerId, counters: Vec<TaskCounters>) {
        self.fold();
        let mut tables = self.tables();
        tables.managers.heard_of(container, wall_ms());
        let place = tables.managers.place(container);
        for counters in counters {
            tables.tasks.counted(place.clone(), counters);
        }
    }

    /// A task has failed, or was lost, in this container. Called before or right after the job master
    /// is, so that the two can be matched.
    pub fn failed_at(&self, task: TaskId, attempt: ExecutionAttempt, container: ContainerId) {
        let mut tables = self.tables();
        let endpoint = tables.managers.place(container).map(|place| place.endpoint());
        tables.failures.failed_at(task, attempt, container, endpoint, wall_ms());
    }

    /// The last lines of the log of the container in which a task has failed.
    pub fn excerpt(&self, task: TaskId, attempt: ExecutionAttempt, excerpt: String) {
        self.tables().failures.excerpt(task, attempt, excerpt);
        self.shared.watch.nudge();
    }

    /// Everything, at one moment.
    pub fn read(&self) -> Reading {
        self.fold();
        let view = self.shared.handle.view();
        let (version, ended) = (self.shared.watch.version(), self.shared.watch.ended());
        let tables = self.tables();
        let facts = Arc::clone(&self.shared.facts);
        let mut reading = Reading::new(facts, &view, &tables, version, ended.as_ref());
        reading.own_bytes = own_bytes();
        reading
    }

    /// Values that never change.
    pub fn facts(&self) -> &Facts {
        &self.shared.facts
    }

    /// Whether the job has begun under this attempt.
    pub fn job_has_begun(&self) -> bool {
        let view = self.shared.handle.view();
        view.status_times.iter().any(|time| has_begun(time.status))
    }

    /// Waits until the job has ended, but not longer than this. The end of a failed job is held back
    /// for a moment, if the log of the failure is on its way.
    pub async fn wait_for_end(&self, longest: Duration) {
        let watch = &self.shared.watch;
        watch.wait_until(longest, || watch.ended().is_some()).await;
        let Some(ended_for) = watch.ended_for() else { return };
        let grace = watch::EXCERPT_GRACE.saturating_sub(ended_for).min(longest);
        watch.wait_until(grace, || !self.awaits_excerpt()).await;
    }

    /// Waits until the state of the job is another than that of this version, but not longer than
    /// this.
    pub async fn wait_for_change(&self, version: u64, longest: Duration) {
        let has_changed = || self.shared.watch.version() != version;
        self.shared.watch.wait_until(longest, has_changed).await;
    }

    /// Takes note of the states in which the tasks are now.
    fn fold(&self) {
        let view = self.shared.handle.view();
        self.shared.fold(&view);
    }

    fn awaits_excerpt(&self) -> bool {
        self.read().end_failure.is_some_and(|episode| episode.root.awaits_excerpt())
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.shared.tables()
    }
}

impl Shared {
    /// The guarded data is consistent after every statement, so a poisoned lock can be used.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fold(&self, view: &weir_coordination::JobView) {
        let mut tables = self.tables();
        let Tables { tasks, managers, .. } = &mut *tables;
        tasks.fold(view, |slot| managers.place_of_slot(slot));
    }
}

/// Resident memory of this process in bytes; 0 where the system does not tell.
fn own_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Milliseconds since 1970, for display.
pub(crate) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
