//! `/jobs/:id/vertices/:vid/backpressure`: backpressure of a vertex, by Flink's thresholds.

use super::{
    Paths,
    extract::{Answer, Vertex},
    times::millis,
};
use crate::observed::{Reading, SubtaskReading, VertexReading};
use weir_protocol::{
    progress::BackpressureLevel,
    rest::flink::vertex::{BackPressure, BackPressureStatus, SubtaskBackPressure},
};

pub(super) fn configure(paths: &mut Paths) {
    paths.get("/jobs/{jobid}/vertices/{vertexid}/backpressure", backpressure);
}

async fn backpressure(vertex: Vertex) -> Answer<BackPressure> {
    Answer(backpressure_of(&vertex.reading, vertex.get()))
}

/// A vertex is as bad as the worst of its subtasks.
pub(super) fn backpressure_of(reading: &Reading, vertex: &VertexReading) -> BackPressure {
    let subtasks: Vec<SubtaskBackPressure> =
        vertex.subtasks.iter().filter_map(subtask_backpressure).collect();
    if subtasks.is_empty() {
        return BackPressure {
            status: BackPressureStatus::Deprecated,
            backpressure_level: None,
            old_backpressure_level: None,
            end_timestamp: None,
            subtasks: None,
        };
    }
    let level = BackpressureLevel::of_ratio(worst_ratio(vertex));
    BackPressure {
        status: BackPressureStatus::Ok,
        backpressure_level: Some(level),
        old_backpressure_level: Some(level),
        end_timestamp: Some(millis(reading.now_ms)),
        subtasks: Some(subtasks),
    }
}

/// The part of its time that the worst subtask spends waiting for room downstream.
pub(super) fn worst_ratio(vertex: &VertexReading) -> f64 {
    vertex.subtasks.iter().map(ratio).fold(0.0, f64::max)
}

/// The part of its time that a subtask spends waiting for room downstream.
pub(super) fn ratio(subtask: &SubtaskReading) -> f64 {
    subtask.counts.as_ref().map_or(0.0, |counts| counts.shares.backpressured_ms / 1000.0)
}

fn subtask_backpressure(subtask: &SubtaskReading) -> Option<SubtaskBackPressure> {
    let shares = subtask.counts.as_ref()?.shares;
    let level = BackpressureLevel::of_ratio(ratio(subtask));
    Some(SubtaskBackPressure {
        subtask: subtask.subtask,
        attempt_number: subtask.attempt_number,
        backpressure_level: level,
        old_backpressure_level: level,
        ratio: ratio(subtask),
        idle_ratio: shares.idle_ms / 1000.0,
        busy_ratio: shares.busy_ms / 1000.0,
    })
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};
    use BackpressureLevel::{High, Low, Ok};

    #[test]
    fn a_vertex_has_the_level_of_its_worst_subtask() {
        for (backpressured_ms, levels, whole) in [
            ([0.0, 0.0], [Ok, Ok], Ok),
            ([100.0, 0.0], [Ok, Ok], Ok),
            ([101.0, 0.0], [Low, Ok], Low),
            ([0.0, 500.0], [Ok, Low], Low),
            ([501.0, 120.0], [High, Low], High),
        ] {
            let mut reading = fixture::reading();
            for (subtask, share) in reading.vertices[0].subtasks.iter_mut().zip(backpressured_ms) {
                let counts = subtask.counts.as_mut().expect("the fixture has counts");
                counts.shares.backpressured_ms = share;
            }
            let found = backpressure_of(&reading, &reading.vertices[0]);
            assert_eq!(found.backpressure_level, Some(whole), "{backpressured_ms:?}");
            assert_eq!(found.old_backpressure_level, Some(whole));
            let subtasks = found.subtasks.expect("there are counts");
            let each: Vec<_> = subtasks.iter().map(|s| s.backpressure_level).collect();
            assert_eq!(each, levels, "{backpressured_ms:?}");
        }
    }

    #[test]
    fn without_any_report_there_is_no_level() {
        let mut reading = fixture::reading();
        for subtask in &mut reading.vertices[0].subtasks {
            subtask.counts = None;
        }
        let found = backpressure_of(&reading, &reading.vertices[0]);
        assert_eq!((found.status, found.subtasks), (BackPressureStatus::Deprecated, None));
    }
}
