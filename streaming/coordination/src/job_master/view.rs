//! An immutable snapshot of a job for REST, the page and the progress lines.

use super::{CheckpointRecord, FailureEpisode, JobMaster, Spread, execution::Task};
use weir_base::{CheckpointId, ExecutionAttempt, JobId, LeaderEpoch, VertexId};
use weir_protocol::job::{CheckpointCounts, ExecutionState, JobStatus};

/// A job at one moment. All times are display times in milliseconds since 1970.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobView {
    pub job: JobId,
    pub name: String,
    /// The number of its master, 0 before the log was read.
    pub epoch: LeaderEpoch,
    /// Its state.
    pub status: JobStatus,
    /// When each state it has been in was last entered, oldest first.
    pub status_times: Vec<StatusTime>,
    /// Its vertices in topological order.
    pub vertices: Vec<VertexView>,
    pub checkpoints: CheckpointsView,
    /// Restarts under this master.
    pub restarts: u32,
    /// The wait before the latest restart in milliseconds; 0 before the first.
    pub restart_delay_ms: u64,
    /// The latest failures, each with what followed from it; newest first, at most 16.
    pub failures: Vec<FailureEpisode>,
}

/// When a state was last entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StatusTime {
    /// The state.
    pub status: JobStatus,
    /// When.
    pub wall_ms: u64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VertexView {
    pub id: VertexId,
    pub name: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Number of key groups.
    pub max_parallelism: u32,
    /// Runs job-wide code; left out of what users are shown.
    pub coordinator: bool,
    /// Its subtasks in order; empty before the first deployment.
    pub subtasks: Vec<SubtaskView>,
}

/// A subtask in its current deployment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubtaskView {
    /// Its index, from 0.
    pub subtask: u32,
    /// Its deployment.
    pub attempt: ExecutionAttempt,
    pub state: ExecutionState,
    /// When it entered the state.
    pub since_wall_ms: u64,
    /// All its input has ended.
    pub end_of_data: bool,
    /// It did not stop in time and was abandoned.
    pub abandoned: bool,
}

/// The checkpoints of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointsView {
    /// Counts of this master.
    pub counts: CheckpointCounts,
    /// Sizes in bytes of the checkpoints that completed under this master.
    pub size_bytes: Spread,
    /// Durations in milliseconds of the checkpoints that completed under this master.
    pub duration_ms: Spread,
    /// The newest completed one, from whichever master.
    pub last_completed: Option<CheckpointId>,
    /// The one the current deployment restored.
    pub last_restored: Option<CheckpointId>,
    /// The latest ones of this master, newest first, at most 10.
    pub history: Vec<CheckpointRecord>,
}

impl JobMaster {
    /// The data to show.
    pub fn view(&self) -> JobView {
        JobView {
            job: self.settings.job,
            name: self.graph.name.clone(),
            epoch: self.epoch,
            status: self.status,
            status_times: self.status_times.clone(),
            vertices: self.vertex_views(),
            checkpoints: CheckpointsView {
                counts: self.checkpoints.counts(),
                size_bytes: self.checkpoints.history.size_bytes(),
                duration_ms: self.checkpoints.history.duration_ms(),
                last_completed: self.checkpoints.last().map(|checkpoint| checkpoint.id),
                last_restored: self.checkpoints.history.last_restored(),
                history: self.checkpoints.history.records(),
            },
            restarts: self.failover.restarts(),
            restart_delay_ms: u64::try_from(self.failover.delay().as_millis()).unwrap_or(u64::MAX),
            failures: self.failover.episodes.shown().cloned().collect(),
        }
    }

    fn vertex_views(&self) -> Vec<VertexView> {
        (0u32..)
            .zip(&self.graph.vertices)
            .map(|(index, vertex)| VertexView {
                id: vertex.id,
                name: vertex.name.clone(),
                parallelism: vertex.parallelism,
                max_parallelism: vertex.max_parallelism,
                coordinator: vertex.coordinator,
                subtasks: self
                    .tasks
                    .iter()
                    .filter(|(id, _)| id.vertex == index)
                    .map(|(id, task)| subtask_view(id.subtask, task))
                    .collect(),
            })
            .collect()
    }
}

fn subtask_view(subtask: u32, task: &Task) -> SubtaskView {
    SubtaskView {
        subtask,
        attempt: task.attempt,
        state: task.state,
        since_wall_ms: task.since.0,
        end_of_data: task.end_of_data,
        abandoned: task.abandoned,
    }
}
