//! Everything that is known of a job at one moment, as the REST interface reads it. Coordinators are
//! not in it: users are not shown them.

use super::{
    Ended, EpisodeReading, Facts, ManagerReading, SubtaskReading, Tables, tasks::Flow, wall_ms,
};
use std::sync::Arc;
use weir_base::VertexId;
use weir_coordination::{
    JobView,
    job_master::{CheckpointsView, FailureEpisode, FailureRecord, StatusTime},
};
use weir_graph::{JobVertex, TaskId};
use weir_protocol::job::{ExecutionState, JobStatus};

/// A job at one moment.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The moment, in milliseconds since 1970.
    pub now_ms: u64,
    /// Grows with every change of the job's state.
    pub version: u64,
    /// Values that never change.
    pub facts: Arc<Facts>,
    /// The job's state.
    pub state: JobStatus,
    /// When each state it has been in was last entered, oldest first.
    pub state_times: Vec<(JobStatus, u64)>,
    /// The vertices that users are shown, in topological order.
    pub vertices: Vec<VertexReading>,
    /// Tasks that users are not shown.
    pub hidden_tasks: usize,
    pub checkpoints: CheckpointsView,
    /// Restarts under this master.
    pub restarts: u32,
    /// The wait before the latest restart in milliseconds.
    pub restart_delay_ms: u64,
    /// The latest failures with what followed from each, newest first.
    pub failures: Vec<EpisodeReading>,
    /// The failure that ended the job.
    pub end_failure: Option<EpisodeReading>,
    /// Its task managers, also those that have ended.
    pub managers: Vec<ManagerReading>,
    /// Resident memory of the app master in bytes.
    pub own_bytes: u64,
    /// The reason why the tasks of the job cannot be deployed yet.
    pub waits_for: Option<String>,
}

/// A vertex at one moment.
#[derive(Clone, Debug)]
pub struct VertexReading {
    /// Its place in the job graph.
    pub index: u32,
    pub id: VertexId,
    pub name: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Number of key groups.
    pub max_parallelism: u32,
    /// Names of its operators, head first.
    pub operators: Vec<String>,
    /// Takes records from outside, not from another vertex.
    pub is_source: bool,
    /// By operator: emits to another vertex.
    pub emits: Vec<bool>,
    /// Its subtasks in order.
    pub subtasks: Vec<SubtaskReading>,
}

impl Reading {
    pub(super) fn new(
        facts: Arc<Facts>,
        view: &JobView,
        tables: &Tables,
        version: u64,
        ended: Option<&Ended>,
    ) -> Self {
        let shown = |(_, vertex): &(u32, &JobVertex)| !vertex.coordinator;
        let vertices = (0u32..).zip(&facts.graph.vertices).filter(shown);
        let vertices = vertices.map(|(index, _)| vertex(&facts, index, tables)).collect();
        let hidden = facts.graph.vertices.iter().filter(|vertex| vertex.coordinator);
        let failures: Vec<EpisodeReading> =
            view.failures.iter().map(|episode| tables.failures.locate_all(episode)).collect();
        Self {
            now_ms: wall_ms(),
            version,
            state: view.status,
            state_times: state_times(facts.started_ms, &view.status_times),
            vertices,
            hidden_tasks: hidden.map(|vertex| vertex.parallelism as usize).sum(),
            checkpoints: view.checkpoints.clone(),
            restarts: view.restarts,
            restart_delay_ms: view.restart_delay_ms,
            end_failure: ended.and_then(|ended| end_failure(ended, &failures, tables)),
            failures,
            managers: tables.managers.readings(),
            own_bytes: 0,
            waits_for: tables.waits_for.clone().filter(|_| !view.status.is_terminal()),
            facts,
        }
    }

    /// When the job was submitted, in milliseconds since 1970.
    pub fn start_ms(&self) -> u64 {
        self.facts.submitted_ms
    }

    /// When it ended; `None` while it runs.
    pub fn end_ms(&self) -> Option<u64> {
        let last = self.state_times.last().map_or(self.now_ms, |(_, entered_ms)| *entered_ms);
        self.state.is_terminal().then_some(last)
    }

    /// From its submission to its end, or to now.
    pub fn duration_ms(&self) -> u64 {
        self.end_ms().unwrap_or(self.now_ms).saturating_sub(self.start_ms())
    }

    /// The vertex with this id.
    pub fn vertex(&self, id: VertexId) -> Option<&VertexReading> {
        self.vertices.iter().find(|vertex| vertex.id == id)
    }
}

impl VertexReading {
    /// Records that a subtask takes in and emits. The end of a chain that no vertex follows emits what
    /// reaches it; Flink shows 0 there.
    pub fn flow(&self, subtask: &SubtaskReading) -> Flow {
        let Some(counts) = &subtask.counts else { return Flow::default() };
        let mut flow = Flow::default();
        if let Some(head) = counts.operators.first() {
            (flow.records_in, flow.records_in_per_s) = (head.records_in, head.records_in_per_s);
        }
        for (operator, _) in counts.operators.iter().zip(&self.emits).filter(|(_, emits)| **emits) {
            flow.records_out += operator.records_out;
            flow.records_out_per_s += operator.records_out_per_s;
        }
        if !self.emits.contains(&true)
            && let Some(tail) = counts.operators.last()
        {
            (flow.records_out, flow.records_out_per_s) = match self.operators.len() {
                1 if self.is_source => (tail.records_out, tail.records_out_per_s),
                _ => (tail.records_in, tail.records_in_per_s),
            };
        }
        flow
    }
}

fn vertex(facts: &Facts, index: u32, tables: &Tables) -> VertexReading {
    let graph = &facts.graph;
    let vertex = &graph.vertices[index as usize];
    let is_shown = |vertex: u32| !graph.vertices[vertex as usize].coordinator;
    let mut emits = vec![false; vertex.operators.len()];
    for (_, edge) in graph.outputs_of(index).filter(|(_, edge)| is_shown(edge.to)) {
        if let Some(emits) = emits.get_mut(edge.from_operator as usize) {
            *emits = true;
        }
    }
    VertexReading {
        index,
        id: vertex.id,
        name: vertex.name.clone(),
        parallelism: vertex.parallelism,
        max_parallelism: vertex.max_parallelism,
        operators: vertex.operators.iter().map(|operator| operator.node.name.clone()).collect(),
        is_source: !graph.inputs_of(index).any(|(_, edge)| is_shown(edge.from)),
        emits,
        subtasks: (0..vertex.parallelism)
            .filter_map(|subtask| tables.tasks.reading(TaskId { vertex: index, subtask }))
            .map(|subtask| scheduled(subtask, tables.waits_for.is_some()))
            .collect(),
    }
}

/// A deployment that no task host has been sent yet: it waits until every slot has one.
fn scheduled(subtask: SubtaskReading, is_waiting: bool) -> SubtaskReading {
    let mut subtask = subtask;
    if is_waiting && subtask.state == ExecutionState::Deploying {
        subtask.state = ExecutionState::Scheduled;
        if let Some(since_ms) = subtask.times.remove(&ExecutionState::Deploying) {
            subtask.times.insert(ExecutionState::Scheduled, since_ms);
        }
    }
    subtask
}

/// The failure that ended the job. The record of it, where there is one, has the better time: the job
/// may end long after what ended it.
fn end_failure(
    ended: &Ended,
    episodes: &[EpisodeReading],
    tables: &Tables,
) -> Option<EpisodeReading> {
    let failure = ended.failure.clone()?;
    let known = episodes.iter().find(|episode| episode.root.failure == failure);
    let unknown = || {
        let record = FailureRecord { wall_ms: ended.wall_ms, failure, lost_peer: None };
        tables.failures.locate_all(&FailureEpisode::of(record))
    };
    Some(known.cloned().unwrap_or_else(unknown))
}

/// The states in order of time; the master was there before the first that the brain knows.
fn state_times(started_ms: u64, times: &[StatusTime]) -> Vec<(JobStatus, u64)> {
    let mut known: Vec<(JobStatus, u64)> =
        times.iter().map(|time| (time.status, time.wall_ms)).collect();
    if !known.iter().any(|(state, _)| *state == JobStatus::Initializing) {
        known.insert(0, (JobStatus::Initializing, started_ms));
    }
    known
}
