//! The job master: from the job log to the end of the job.
//!
//! ```text
//!                    ┌───────────────── restart ────────────────┐
//!                    ▼                                          │
//!  INITIAL ─▶ BEGINNING ─▶ LIVE ──failure, cancel, new master─▶ STOPPING
//!  (no log)   (epoch record)  ├──cancel, last failure──▶ COMMITTING, then as below
//!                             └──all finished──▶ ENDING ◀───────┘
//!                                        (end record) ──▶ OVER
//! ```
//!
//! Invariants:
//!
//! - Nothing is deployed before the record that begins this master's epoch is durable.
//! - A checkpoint is announced as complete only when its record is durable.
//! - Tasks are deployed again only when every older one has stopped or was abandoned, and when
//!   a record written since the failure is durable: then no newer master had taken over, and no
//!   record of a completed checkpoint is still under way, which a restore would miss.
//! - Execution attempts are `epoch << 32 | deployment`, checkpoint ids are set aside in the log
//!   before use; neither is ever used twice.
//! - What fails while a checkpoint is restored, and no retry mends, ends the job off the record: the
//!   checkpoint is still good for a next start, when people have mended what was in its way.
//! - A job that ends early first lets its sinks commit as ordered, for as long as they can.
//! - A job that has ended is not run again. Where its log is that of one submission, which may have
//!   several masters, a later one ends as the log says; elsewhere it is a new start, and is refused.
//! - When tasks lose connections to peers, the job waits a bounded time for what has happened to those, so
//!   that it restarts or fails because of the cause and not of its consequences.
//! - The job ends once: the last effect is [`Effect::Terminated`], and it is silent after it.
//!
//! **Two new masters.** Both may read the same log and write the same first record. A master that meets
//! an equal epoch that it did not certainly write itself never takes it for its own: on the first
//! try it stops, and on a later one, where the record may be its own or the other's, it takes the
//! next epoch at the next index. So an epoch has one master.

mod beginning;
mod checkpoints;
mod commits;
mod deployment;
mod ending;
mod episode;
mod execution;
mod failover;
mod failures;
mod history;
mod log;
mod lost_peers;
mod reports;
mod restart;
#[cfg(test)]
mod tests;
mod view;

pub use episode::{FailureEpisode, FailureRecord};
pub use history::{CheckpointRecord, Spread};
pub use log::CHECKPOINT_IDS_PER_RESERVATION;
pub use lost_peers::CAUSE_WAIT;
pub use view::{CheckpointsView, JobView, StatusTime, SubtaskView, VertexView};

use crate::messages::{Effect, Input, JobOutcome, JobSettings};
use checkpoints::Checkpoints;
use commits::Commits;
use execution::Tasks;
use failover::Failover;
use log::{JobHistory, LogWriter, Retries};
use lost_peers::AwaitedCause;
use weir_base::{
    CheckpointId, Failure, LeaderEpoch, Machine, Monotonic, Now, SeededRng, invariant,
};
use weir_graph::{JobGraph, TaskId};
use weir_protocol::job::{ExecutionState as State, JobStatus};

/// The state machine of a job. See the module for its invariants.
#[derive(Clone, Debug)]
pub struct JobMaster {
    graph: JobGraph,
    settings: JobSettings,
    phase: Phase,
    status: JobStatus,
    status_times: Vec<StatusTime>,
    epoch: LeaderEpoch,
    /// Deployments of the whole graph under this master.
    deployments: u64,
    /// Data read from the log; dropped when the epoch begins.
    past: JobHistory,
    log: LogWriter,
    tasks: Tasks,
    checkpoints: Checkpoints,
    failover: Failover,
    /// Tasks have lost peers, and the cause is not known yet.
    awaited_cause: Option<AwaitedCause>,
    data_end: DataEnd,
    /// The current deployment restores a checkpoint and has not run yet.
    restoring: bool,
    when_ended: WhenEnded,
    commits: Commits,
    cancel_requested: bool,
}

/// Where the job stands.
#[derive(Clone, Debug)]
enum Phase {
    /// The log is not there yet.
    Initial {
        retries: Retries,
        /// When it is read again.
        read_at: Option<Monotonic>,
    },
    /// The record of the epoch is under way.
    Beginning,
    /// Tasks are deployed.
    Live,
    /// Tasks continue to run until sinks have committed as ordered; then they are stopped.
    Committing {
        goal: Goal,
        /// When that is not waited for any longer.
        deadline: Monotonic,
    },
    /// Tasks are being stopped.
    Stopping {
        goal: Goal,
        /// When tasks that have not stopped are abandoned.
        deadline: Monotonic,
    },
    /// The record of the end is under way.
    Ending,
    /// The job has ended.
    Over,
}

/// Treatment of a job whose log says that it has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum WhenEnded {
    /// It was started again, which fails.
    Refuse,
    /// It ends again as it has ended.
    Repeat,
}

/// The next step when all tasks have stopped.
///
/// A job ends without a record in three cases. It is suspended when the log belongs to another master. It
/// fails when the log cannot be written, or when the checkpoint in it cannot be restored: once the cause is
/// removed, another master continues the job from its log. And it is canceled when the log cannot be written
/// and a user has canceled the job: no other master is to continue it.
#[derive(Clone, Debug)]
enum Goal {
    /// Deploy again, not before this moment.
    Restart(Monotonic),
    /// End with this failure.
    Fail(Failure),
    /// End as requested.
    Cancel,
    /// End in this status without a record, because of this failure.
    EndOffRecord(JobStatus, Failure),
}

/// How far the end of the data has been dealt with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum DataEnd {
    /// Not reached, or not covered by a checkpoint yet.
    Open,
    /// Covered by this recorded checkpoint, which is being committed.
    Recorded(CheckpointId),
    /// Tasks have been ordered to finish their input.
    Finishing,
}

impl JobMaster {
    /// A master of one job; it waits for [`Input::Start`].
    pub fn new(graph: JobGraph, settings: JobSettings) -> Self {
        let checkpoints = Checkpoints::new(
            settings.checkpoints.clone(),
            settings.final_checkpoint_timeout,
            graph.task_count(),
        );
        let rng = SeededRng::new(settings.job.0.0 as u64);
        let failover = Failover::new(settings.restart.clone(), rng);
        Self {
            graph,
            settings,
            phase: Phase::Initial { retries: Retries::default(), read_at: None },
            status: JobStatus::Initializing,
            status_times: Vec::new(),
            epoch: LeaderEpoch(0),
            deployments: 0,
            past: JobHistory::default(),
            log: LogWriter::default(),
            tasks: Tasks::default(),
            checkpoints,
            failover,
            awaited_cause: None,
            data_end: DataEnd::Open,
            restoring: false,
            when_ended: WhenEnded::Refuse,
            commits: Commits::default(),
            cancel_requested: false,
        }
    }

    /// A master of a job whose log holds one submission of it and nothing else. So where the log says how
    /// it has ended, that is its end under this master too.
    pub fn submitted(graph: JobGraph, settings: JobSettings) -> Self {
        Self { when_ended: WhenEnded::Repeat, ..Self::new(graph, settings) }
    }

    /// The number of this master, 0 before its log was read.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// State of the job.
    pub fn status(&self) -> JobStatus {
        self.status
    }

    pub(super) fn set_status(
        &mut self,
        now: Now,
        status: JobStatus,
        failure: Option<Failure>,
        out: &mut Vec<Effect>,
    ) {
        self.status = status;
        self.status_times.retain(|time| time.status != status);
        self.status_times.push(StatusTime { status, wall_ms: now.wall.0 });
        out.push(Effect::StatusChanged { status, failure });
    }

    /// Ends at once, without a record.
    pub(super) fn terminate(
        &mut self,
        now: Now,
        status: JobStatus,
        failure: Option<Failure>,
        out: &mut Vec<Effect>,
    ) {
        let outcome = JobOutcome { off_record: true, ..self.outcome(status, failure) };
        self.over(now, outcome, out);
    }

    /// Nothing follows.
    pub(super) fn over(&mut self, now: Now, outcome: JobOutcome, out: &mut Vec<Effect>) {
        invariant!(self.tasks.all_stopped(), "the job ends while tasks are alive");
        self.log.close();
        self.phase = Phase::Over;
        self.set_status(now, outcome.status, outcome.failure.clone(), out);
        out.push(Effect::Terminated(outcome));
    }

    pub(super) fn outcome(&self, status: JobStatus, failure: Option<Failure>) -> JobOutcome {
        JobOutcome {
            status,
            failure,
            restarts: self.failover.restarts(),
            completed_checkpoints: self.checkpoints.counts().completed,
            last_checkpoint: self.checkpoints.last().map(|checkpoint| checkpoint.id),
            off_record: false,
            commit_is_open: self.commits.open().is_some(),
        }
    }

    /// `Counter (2/4)`.
    pub(super) fn display_name(&self, task: TaskId) -> String {
        let vertex = &self.graph.vertices[task.vertex as usize];
        format!("{} ({}/{})", vertex.name, task.subtask + 1, vertex.parallelism)
    }
}

impl Machine for JobMaster {
    type Input = Input;
    type Effect = Effect;

    fn step(&mut self, now: Now, input: Input, out: &mut Vec<Effect>) {
        if matches!(self.phase, Phase::Over) {
            return;
        }
        match input {
            Input::Start { first, log } => self.start(now, first, log, out),
            Input::LogUnreadable { failure } => self.log_unreadable(now, failure, out),
            Input::LogAppended { index, outcome } => self.log_appended(now, index, outcome, out),
            Input::Task(report) => self.task_reports(now, report, out),
            Input::TasksLost { tasks, failure } => self.tasks_lost(now, &tasks, &failure, out),
            Input::TasksUnplaceable { tasks, failure } => {
                self.tasks_unplaceable(now, &tasks, failure, out);
            }
            Input::CancelRequested => self.cancel_requested = true,
        }
        self.advance(now, out);
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Effect>) {
        self.read_log_again(now, out);
        self.log.retry(now.monotonic, out);
        self.checkpoint_times_out(now, out);
        self.abandon_late_tasks(now, out);
        self.advance(now, out);
    }

    fn next_deadline(&self) -> Option<Monotonic> {
        let of_phase = match &self.phase {
            Phase::Initial { read_at, .. } => *read_at,
            Phase::Live => self.trigger_at().into_iter().chain(self.gives_up_cause_at()).min(),
            Phase::Committing { deadline, .. } => Some(*deadline),
            Phase::Stopping { deadline, .. } if !self.tasks.all_stopped() => Some(*deadline),
            Phase::Stopping { goal: Goal::Restart(at), .. } => {
                Some(*at).filter(|_| self.may_deploy())
            }
            _ => None,
        };
        [of_phase, self.log.retry_at(), self.checkpoints.timeout_at()].into_iter().flatten().min()
    }

    fn check_invariants(&self) {
        self.checkpoints.check_invariants();
        let may_have_tasks =
            matches!(self.phase, Phase::Live | Phase::Committing { .. } | Phase::Stopping { .. });
        invariant!(
            may_have_tasks || self.tasks.all_stopped(),
            "tasks are alive in {:?}",
            self.phase
        );
        invariant!(
            matches!(self.phase, Phase::Over) == self.status.is_terminal(),
            "status {:?} does not fit {:?}",
            self.status,
            self.phase
        );
        if let DataEnd::Recorded(id) = self.data_end {
            let newest = self.checkpoints.last().map(|checkpoint| checkpoint.id);
            invariant!(newest == Some(id), "the final checkpoint {id} is not the newest");
        }
    }
}
