//! States and counters of each subtask in its present deployment.
//!
//! Counters come about once a second. Rates and shares of time are those between the newest report
//! and the last one that is at least a second older, by the clock of the task itself: its busy,
//! backpressured and idle times add up to its age. So a late message distorts nothing. A task that
//! has ended has no rate.

use std::collections::{BTreeMap, VecDeque};
use weir_base::{ContainerId, ExecutionAttempt};
use weir_coordination::{JobView, job_master::SubtaskView};
use weir_graph::{JobGraph, TaskId};
use weir_protocol::{
    control::{OperatorCounters, TaskCounters},
    job::{ExecutionState, JobStatus},
    rest::flink::UNASSIGNED,
};

/// The span over which rates are measured, at least, in microseconds.
const RATE_SPAN_US: u64 = 1_000_000;
/// Reports that are kept, however close together they come.
const MAX_REPORTS: usize = 16;

/// Where a subtask runs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct SubtaskLocation {
    /// The container of its task manager.
    pub container: ContainerId,
    /// Name or address of the node.
    pub host: String,
    /// Where its task host takes records.
    pub data_port: u16,
}

impl SubtaskLocation {
    /// `host:port`
    pub fn endpoint(&self) -> String {
        format!("{}:{}", self.host, self.data_port)
    }
}

/// Parts of each second, in milliseconds; together 1000, or 0 when nothing is known.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct TimeShares {
    /// Working.
    pub busy_ms: f64,
    /// Waiting for room downstream.
    pub backpressured_ms: f64,
    /// Waiting for input.
    pub idle_ms: f64,
}

/// Counters of a subtask or of one of its operators.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Flow {
    /// Records taken in.
    pub records_in: u64,
    /// Records emitted.
    pub records_out: u64,
    /// Records taken in each second.
    pub records_in_per_s: f64,
    /// Records emitted each second.
    pub records_out_per_s: f64,
}

/// Counters of a subtask since its deployment.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Counts {
    /// By operator of the chain, head first.
    pub operators: Vec<Flow>,
    /// Bytes received from other task hosts.
    pub bytes_in: u64,
    /// Bytes sent to other task hosts.
    pub bytes_out: u64,
    /// The same, each second.
    pub bytes_in_per_s: f64,
    /// The same, each second.
    pub bytes_out_per_s: f64,
    /// Time spent working, in milliseconds.
    pub busy_ms: u64,
    /// Time spent waiting for room downstream, in milliseconds.
    pub backpressured_ms: u64,
    /// Time spent waiting for input, in milliseconds.
    pub idle_ms: u64,
    /// How the last second or so was spent.
    pub shares: TimeShares,
    /// The watermark of its input.
    pub watermark: Option<i64>,
}

/// A subtask in its present deployment.
#[derive(Clone, PartialEq, Debug)]
pub struct SubtaskReading {
    /// Its index, from 0.
    pub subtask: u32,
    /// Its deployment under this master, from 0.
    pub attempt_number: u32,
    pub state: ExecutionState,
    /// When it entered each state it has been in.
    pub times: BTreeMap<ExecutionState, u64>,
    /// Where it runs or ran.
    pub place: Option<SubtaskLocation>,
    /// Its counters; `None` before its first report.
    pub counts: Option<Counts>,
}

impl SubtaskReading {
    /// `host:port` of its task host, or Flink's word for none.
    pub fn endpoint(&self) -> String {
        self.place.as_ref().map_or_else(|| UNASSIGNED.to_owned(), SubtaskLocation::endpoint)
    }

    /// The host alone.
    pub fn host(&self) -> String {
        self.place.as_ref().map_or_else(|| UNASSIGNED.to_owned(), |place| place.host.clone())
    }

    pub fn container(&self) -> String {
        let container = |place: &SubtaskLocation| place.container.to_string();
        self.place.as_ref().map_or_else(|| UNASSIGNED.to_owned(), container)
    }
}

/// Every subtask that users are shown.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    tasks: BTreeMap<TaskId, Entry>,
}

#[derive(Debug, Default)]
struct Entry {
    attempt: ExecutionAttempt,
    state: ExecutionState,
    times: BTreeMap<ExecutionState, u64>,
    place: Option<SubtaskLocation>,
    /// Newest last.
    reports: VecDeque<TaskCounters>,
    operators: usize,
}

impl Tasks {
    /// Subtasks that are not deployed yet. Those of coordinators are never shown.
    pub(super) fn new(graph: &JobGraph) -> Self {
        let mut tasks = BTreeMap::new();
        for (index, vertex) in (0u32..).zip(&graph.vertices).filter(|(_, v)| !v.coordinator) {
            for subtask in 0..vertex.parallelism {
                let entry = Entry { operators: vertex.operators.len(), ..Entry::default() };
                tasks.insert(TaskId { vertex: index, subtask }, entry);
            }
        }
        Self { tasks }
    }

    /// Takes note of the states in a view. A state that came and went between two views is filled
    /// in from the job's.
    pub(super) fn fold(
        &mut self,
        view: &JobView,
        place_of_slot: impl Fn(u32) -> Option<SubtaskLocation>,
    ) {
        let created = view.status_times.iter().find(|time| time.status == JobStatus::Created);
        let created_ms = created.map(|time| time.wall_ms);
        for (index, vertex) in (0u32..).zip(&view.vertices) {
            for subtask in &vertex.subtasks {
                let id = TaskId { vertex: index, subtask: subtask.subtask };
                let Some(entry) = self.tasks.get_mut(&id) else { continue };
                entry.fold(subtask, created_ms);
                if entry.state == ExecutionState::Deploying || entry.place.is_none() {
                    entry.place = place_of_slot(subtask.subtask).or(entry.place.take());
                }
            }
        }
    }

    /// A report of a task host in this place.
    pub(super) fn counted(&mut self, place: Option<SubtaskLocation>, counters: TaskCounters) {
        let Some(entry) = self.tasks.get_mut(&counters.task) else { return };
        if counters.attempt < entry.attempt {
            return;
        }
        entry.begin(counters.attempt);
        entry.place = place.or(entry.place.take());
        entry.report(counters);
    }

    pub(super) fn reading(&self, task: TaskId) -> Option<SubtaskReading> {
        let entry = self.tasks.get(&task)?;
        let counts = entry.counts();
        Some(SubtaskReading {
            subtask: task.subtask,
            attempt_number: attempt_number(entry.attempt),
            state: entry.state,
            times: entry.times.clone(),
            place: entry.place.clone(),
            counts,
        })
    }
}

impl Entry {
    /// Starts over when the deployment is a newer one.
    fn begin(&mut self, attempt: ExecutionAttempt) {
        if attempt > self.attempt {
            *self = Self { attempt, operators: self.operators, ..Self::default() };
        }
    }

    fn fold(&mut self, subtask: &SubtaskView, created_ms: Option<u64>) {
        if subtask.attempt < self.attempt {
            return;
        }
        self.begin(subtask.attempt);
        self.state = subtask.state;
        let since_ms = subtask.since_wall_ms;
        self.times.entry(self.state).or_insert(since_ms);
        let planned_ms = created_ms.filter(|created_ms| *created_ms <= since_ms);
        self.times.entry(ExecutionState::Created).or_insert(planned_ms.unwrap_or(since_ms));
        if was_deployed(self.state) {
            let deployed_ms = planned_ms.unwrap_or(since_ms);
            self.times.entry(ExecutionState::Deploying).or_insert(deployed_ms);
        }
    }

    fn report(&mut self, mut counters: TaskCounters) {
        counters.operators.resize(self.operators, OperatorCounters::default());
        self.reports.push_back(counters);
        let newest_us = self.reports.back().map_or(0, age_us);
        let is_old_enough = |report: &TaskCounters| newest_us >= age_us(report) + RATE_SPAN_US;
        while self.reports.get(1).is_some_and(is_old_enough) || self.reports.len() > MAX_REPORTS {
            self.reports.pop_front();
        }
    }

    fn counts(&self) -> Option<Counts> {
        let newest = self.reports.back()?;
        let span = Span::between(self.reports.front(), newest, self.state.is_terminal());
        let earlier = &span.earlier;
        let flow = |(now, before): (&OperatorCounters, &OperatorCounters)| Flow {
            records_in: now.records_in,
            records_out: now.records_out,
            records_in_per_s: span.rate(now.records_in, before.records_in),
            records_out_per_s: span.rate(now.records_out, before.records_out),
        };
        Some(Counts {
            operators: newest.operators.iter().zip(&earlier.operators).map(flow).collect(),
            bytes_in: newest.bytes_in,
            bytes_out: newest.bytes_out,
            bytes_in_per_s: span.rate(newest.bytes_in, earlier.bytes_in),
            bytes_out_per_s: span.rate(newest.bytes_out, earlier.bytes_out),
            busy_ms: newest.busy_us / 1000,
            backpressured_ms: newest.backpressured_us / 1000,
            idle_ms: newest.idle_us / 1000,
            shares: TimeShares {
                busy_ms: span.share(newest.busy_us, earlier.busy_us),
                backpressured_ms: span.share(newest.backpressured_us, earlier.backpressured_us),
                idle_ms: span.share(newest.idle_us, earlier.idle_us),
            },
            watermark: newest.watermark,
        })
    }
}

/// The span between two reports of one deployment.
struct Span {
    earlier: TaskCounters,
    /// 0 when there is no rate.
    seconds: f64,
}

impl Span {
    /// A first report is compared with the start of the task, when everything was 0.
    fn between(oldest: Option<&TaskCounters>, newest: &TaskCounters, has_ended: bool) -> Self {
        let earlier = match oldest {
            Some(oldest) if age_us(oldest) < age_us(newest) => oldest.clone(),
            _ => TaskCounters {
                operators: vec![OperatorCounters::default(); newest.operators.len()],
                bytes_in: 0,
                bytes_out: 0,
                busy_us: 0,
                backpressured_us: 0,
                idle_us: 0,
                ..newest.clone()
            },
        };
        let span_us = age_us(newest).saturating_sub(age_us(&earlier));
        let seconds = if has_ended { 0.0 } else { span_us as f64 / 1e6 };
        Self { earlier, seconds }
    }

    fn rate(&self, now: u64, before: u64) -> f64 {
        if self.seconds == 0.0 {
            return 0.0;
        }
        now.saturating_sub(before) as f64 / self.seconds
    }

    fn share(&self, now_us: u64, before_us: u64) -> f64 {
        (self.rate(now_us, before_us) / 1e3).clamp(0.0, 1000.0)
    }
}

/// How old a task was when it reported.
fn age_us(counters: &TaskCounters) -> u64 {
    let waited_us = counters.backpressured_us.saturating_add(counters.idle_us);
    counters.busy_us.saturating_add(waited_us)
}

/// Attempts are `epoch << 32 | deployment`, counted from 1.
fn attempt_number(attempt: ExecutionAttempt) -> u32 {
    (attempt.0 as u32).saturating_sub(1)
}

fn was_deployed(state: ExecutionState) -> bool {
    use ExecutionState::{Canceled, Created, Scheduled};
    // One that is cancelled may have been so before it was deployed.
    !matches!(state, Created | Scheduled | Canceled)
}

#[cfg(test)]
mod tests;
