//! `/jobs/:id/vertices/:vid` with its subtasks, their times, task managers, watermarks and (empty)
//! accumulators.

use super::{
    Paths,
    extract::{Answer, UNKNOWN, Vertex, parameter},
    metrics,
    statistics::Sorted,
    times::{Times, millis, time_in},
};
use crate::observed::{Reading, SubtaskReading, VertexReading};
use actix_web::HttpRequest;
use std::collections::BTreeMap;
use weir_protocol::{
    job::ExecutionState,
    rest::flink::{
        job::IoMetrics,
        metrics::Metric,
        state::{aggregate, count_states},
        vertex::{
            Aggregated, Subtask, SubtaskAccumulators, SubtaskTime, SubtaskTimes,
            SubtasksAccumulators, VertexAccumulators, VertexDetails, VertexTaskManager,
            VertexTaskManagers,
        },
    },
};
use weir_service::ApiError;

/// States whose durations Flink shows.
const TIMED: [ExecutionState; 5] = [
    ExecutionState::Created,
    ExecutionState::Scheduled,
    ExecutionState::Deploying,
    ExecutionState::Initializing,
    ExecutionState::Running,
];

pub(super) fn configure(paths: &mut Paths) {
    const VERTEX: &str = "/jobs/{jobid}/vertices/{vertexid}";
    paths.get(VERTEX, details);
    paths.get(&format!("{VERTEX}/subtasktimes"), subtask_times);
    paths.get(&format!("{VERTEX}/taskmanagers"), task_managers);
    paths.get(&format!("{VERTEX}/watermarks"), watermarks);
    paths.get(&format!("{VERTEX}/accumulators"), accumulators);
    paths.get(&format!("{VERTEX}/subtasks/accumulators"), subtasks_accumulators);
    paths.get(&format!("{VERTEX}/subtasks/{{subtaskindex}}"), subtask);
}

async fn details(vertex: Vertex) -> Answer<VertexDetails> {
    Answer(details_of(&vertex.reading, vertex.get()))
}

async fn subtask_times(vertex: Vertex) -> Answer<SubtaskTimes> {
    Answer(subtask_times_of(&vertex.reading, vertex.get()))
}

async fn task_managers(vertex: Vertex) -> Answer<VertexTaskManagers> {
    Answer(task_managers_of(&vertex.reading, vertex.get()))
}

async fn watermarks(vertex: Vertex) -> Answer<Vec<Metric>> {
    Answer(watermarks_of(vertex.get()))
}

async fn accumulators(vertex: Vertex) -> Answer<VertexAccumulators> {
    Answer(accumulators_of(vertex.get()))
}

async fn subtasks_accumulators(vertex: Vertex) -> Answer<SubtasksAccumulators> {
    Answer(subtasks_accumulators_of(vertex.get()))
}

async fn subtask(request: HttpRequest, vertex: Vertex) -> Result<Answer<Subtask>, ApiError> {
    let subtask = subtask_of_path(&request, vertex.get())?;
    Ok(Answer(subtask_of(vertex.get(), subtask, vertex.reading.now_ms)))
}

pub(super) fn subtask_of_path<'a>(
    request: &HttpRequest,
    vertex: &'a VertexReading,
) -> Result<&'a SubtaskReading, ApiError> {
    let index: u32 = parameter(request, "subtaskindex")?;
    vertex.subtasks.get(index as usize).ok_or_else(|| {
        let text = format!("Invalid subtask index for vertex {}: {index}", vertex.id);
        ApiError::not_found(UNKNOWN, text)
    })
}

pub(super) fn details_of(reading: &Reading, vertex: &VertexReading) -> VertexDetails {
    let subtask = |subtask| subtask_of(vertex, subtask, reading.now_ms);
    VertexDetails {
        id: vertex.id,
        name: vertex.name.clone(),
        parallelism: vertex.parallelism,
        max_parallelism: vertex.max_parallelism,
        now: millis(reading.now_ms),
        subtasks: vertex.subtasks.iter().map(subtask).collect(),
        aggregated: aggregated(vertex, vertex.subtasks.iter(), reading.now_ms),
    }
}

pub(super) fn subtask_of(vertex: &VertexReading, subtask: &SubtaskReading, now_ms: u64) -> Subtask {
    let times = Times::of_subtask(subtask, now_ms);
    let spent = |state| (state, time_in(subtask, state, now_ms).map_or(-1, millis));
    Subtask {
        subtask: subtask.subtask,
        status: subtask.state,
        attempt: subtask.attempt_number,
        endpoint: subtask.endpoint(),
        host: subtask.host(),
        start_time: times.start_ms,
        end_time: times.end_ms,
        duration: times.duration_ms,
        metrics: io_metrics(vertex, std::iter::once(subtask)),
        taskmanager_id: subtask.container(),
        status_duration: TIMED.into_iter().map(spent).collect(),
        other_concurrent_attempts: Vec::new(),
        old_start_time: times.start_ms,
    }
}

/// Sum of the counters of these subtasks of a vertex.
pub(super) fn io_metrics<'a>(
    vertex: &VertexReading,
    subtasks: impl Iterator<Item = &'a SubtaskReading>,
) -> IoMetrics {
    let (mut sum, mut complete) = (IoMetrics::default(), true);
    for subtask in subtasks {
        let Some(counts) = &subtask.counts else {
            complete = false;
            continue;
        };
        let flow = vertex.flow(subtask);
        sum.read_bytes += counts.bytes_in;
        sum.write_bytes += counts.bytes_out;
        sum.read_records += flow.records_in;
        sum.write_records += flow.records_out;
        sum.accumulated_backpressured_time += counts.backpressured_ms;
        sum.accumulated_idle_time += counts.idle_ms;
        sum.accumulated_busy_time += counts.busy_ms as f64;
    }
    IoMetrics {
        read_bytes_complete: complete,
        write_bytes_complete: complete,
        read_records_complete: complete,
        write_records_complete: complete,
        ..sum
    }
}

/// Distribution of the counters and times of these subtasks.
fn aggregated<'a>(
    vertex: &VertexReading,
    subtasks: impl Iterator<Item = &'a SubtaskReading> + Clone,
    now_ms: u64,
) -> Aggregated {
    let each: Vec<IoMetrics> =
        subtasks.clone().map(|subtask| io_metrics(vertex, std::iter::once(subtask))).collect();
    let over = |of: fn(&IoMetrics) -> u64| Sorted::new(each.iter().map(of)).statistics();
    let metrics = [
        ("read-bytes", over(|io| io.read_bytes)),
        ("read-records", over(|io| io.read_records)),
        ("write-bytes", over(|io| io.write_bytes)),
        ("write-records", over(|io| io.write_records)),
        ("accumulated-backpressured-time", over(|io| io.accumulated_backpressured_time)),
        ("accumulated-idle-time", over(|io| io.accumulated_idle_time)),
        ("accumulated-busy-time", over(|io| io.accumulated_busy_time as u64)),
    ];
    let spent = |state| {
        let times = subtasks.clone().filter_map(|subtask| time_in(subtask, state, now_ms));
        (state, Sorted::new(times).statistics())
    };
    Aggregated {
        metrics: metrics.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        status_duration: TIMED.into_iter().map(spent).collect(),
    }
}

pub(super) fn subtask_times_of(reading: &Reading, vertex: &VertexReading) -> SubtaskTimes {
    let entered = |subtask: &SubtaskReading, state| {
        (state, subtask.times.get(&state).map_or(0, |entered_ms| millis(*entered_ms)))
    };
    let time = |subtask: &SubtaskReading| SubtaskTime {
        subtask: subtask.subtask,
        endpoint: subtask.endpoint(),
        host: subtask.host(),
        duration: Times::of_subtask(subtask, reading.now_ms).duration_ms,
        timestamps: ExecutionState::ALL.iter().map(|state| entered(subtask, *state)).collect(),
    };
    SubtaskTimes {
        id: vertex.id,
        name: vertex.name.clone(),
        now: millis(reading.now_ms),
        subtasks: vertex.subtasks.iter().map(time).collect(),
    }
}

pub(super) fn task_managers_of(reading: &Reading, vertex: &VertexReading) -> VertexTaskManagers {
    let mut by_place: BTreeMap<(String, String), Vec<&SubtaskReading>> = BTreeMap::new();
    for subtask in &vertex.subtasks {
        let place = (subtask.container(), subtask.endpoint());
        by_place.entry(place).or_default().push(subtask);
    }
    let one = |((taskmanager_id, endpoint), subtasks): (_, Vec<&SubtaskReading>)| {
        let subtasks = subtasks.iter().copied();
        let status_counts = count_states(subtasks.clone().map(|subtask| subtask.state));
        let times = Times::of_subtasks(subtasks.clone(), reading.now_ms);
        VertexTaskManager {
            endpoint,
            taskmanager_id,
            status: aggregate(&status_counts),
            start_time: times.start_ms,
            end_time: times.end_ms,
            duration: times.duration_ms,
            metrics: io_metrics(vertex, subtasks.clone()),
            status_counts,
            aggregated: aggregated(vertex, subtasks, reading.now_ms),
        }
    };
    VertexTaskManagers {
        id: vertex.id,
        name: vertex.name.clone(),
        now: millis(reading.now_ms),
        taskmanagers: by_place.into_iter().map(one).collect(),
    }
}

pub(super) fn watermarks_of(vertex: &VertexReading) -> Vec<Metric> {
    let reported = vertex.subtasks.iter().filter(|subtask| subtask.counts.is_some());
    reported
        .map(|subtask| Metric {
            id: format!("{}.{}", subtask.subtask, metrics::WATERMARK),
            value: Some(metrics::watermark(subtask).to_string()),
        })
        .collect()
}

pub(super) fn accumulators_of(vertex: &VertexReading) -> VertexAccumulators {
    VertexAccumulators { id: vertex.id, user_accumulators: Vec::new() }
}

pub(super) fn subtasks_accumulators_of(vertex: &VertexReading) -> SubtasksAccumulators {
    let none = |subtask: &SubtaskReading| SubtaskAccumulators {
        subtask: subtask.subtask,
        attempt: subtask.attempt_number,
        endpoint: subtask.endpoint(),
        user_accumulators: Vec::new(),
    };
    SubtasksAccumulators {
        id: vertex.id,
        parallelism: vertex.parallelism,
        subtasks: vertex.subtasks.iter().map(none).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};

    #[test]
    fn a_source_reads_from_outside_and_a_sink_writes_there() {
        let reading = fixture::reading();
        let io = |place: usize| {
            let vertex = &reading.vertices[place];
            io_metrics(vertex, vertex.subtasks.iter())
        };
        // Each subtask of the source has read 100 lines and split them into 1000 words.
        assert_eq!((io(0).read_records, io(0).write_records), (200, 2000));
        // Each subtask of the counter has taken in 1000 words and printed 900 counts.
        assert_eq!((io(1).read_records, io(1).write_records), (2000, 1800));
        assert!(io(1).read_records_complete);
    }

    #[test]
    fn what_has_not_reported_makes_a_sum_incomplete() {
        let mut reading = fixture::reading();
        reading.vertices[1].subtasks[1].counts = None;
        let vertex = &reading.vertices[1];
        let io = io_metrics(vertex, vertex.subtasks.iter());
        assert_eq!((io.read_records, io.read_records_complete), (1000, false));
    }

    #[test]
    fn subtasks_are_grouped_by_task_host() {
        let mut reading = fixture::reading();
        let [one] = task_managers_of(&reading, &reading.vertices[0])
            .taskmanagers
            .try_into()
            .expect("one task manager");
        assert_eq!(one.endpoint, "node:4000");
        assert_eq!(one.status_counts[&ExecutionState::Running], 2);
        assert_eq!(one.metrics.read_records, 200);
        reading.vertices[0].subtasks[1].place = None;
        let several = task_managers_of(&reading, &reading.vertices[0]).taskmanagers;
        let ids: Vec<_> = several.iter().map(|one| &*one.taskmanager_id).collect();
        assert_eq!(ids, ["(unassigned)", "container_1_0001_01_000002"]);
    }

    #[test]
    fn durations_of_states_are_known_or_minus_one() {
        let reading = fixture::reading();
        let vertex = &reading.vertices[0];
        let subtask = subtask_of(vertex, &vertex.subtasks[0], reading.now_ms);
        assert_eq!(subtask.status_duration[&ExecutionState::Running], 8_500);
        assert_eq!(subtask.status_duration[&ExecutionState::Scheduled], -1);
        assert_eq!(subtask.start_time, subtask.old_start_time);
        assert_eq!(subtask.start_time, 1_100);
        let times = subtask_times_of(&reading, vertex);
        assert_eq!(times.subtasks[0].timestamps.len(), 10);
        assert_eq!(times.subtasks[0].timestamps[&ExecutionState::Finished], 0);
    }
}
