//! `/jobs/:id/checkpoints` with `/config` and `/details/:cid`.
//!
//! The job master remembers the latest ten checkpoints, each as a whole: what a single vertex or
//! subtask contributed is not kept. Hidden tasks take part in checkpoints and are left out of their
//! counts.

use super::{
    Paths,
    extract::{Answer, Job, UNKNOWN, parameter},
    statistics::Sorted,
    times::millis,
};
use crate::observed::Reading;
use actix_web::HttpRequest;
use std::time::Duration;
use weir_config::keys::{self, ExternalizedCheckpointRetention};
use weir_coordination::job_master::{CheckpointRecord, CheckpointsView, Spread};
use weir_protocol::{
    job::{CheckpointStatus, JobStatus},
    rest::flink::{
        UNKNOWN_MS,
        checkpoints::{
            Checkpoint, CheckpointConfig, CheckpointSummary, Checkpoints, Externalization,
            LatestCheckpoints, RestoredCheckpoint, Stats,
        },
    },
};
use weir_service::ApiError;

pub(super) fn configure(paths: &mut Paths) {
    paths.get("/jobs/{jobid}/checkpoints", checkpoints);
    paths.get("/jobs/{jobid}/checkpoints/config", config);
    paths.get("/jobs/{jobid}/checkpoints/details/{checkpointid}", details);
}

async fn checkpoints(job: Job) -> Result<Answer<Checkpoints>, ApiError> {
    enabled(&job.0)?;
    Ok(Answer(checkpoints_of(&job.0)))
}

async fn config(job: Job) -> Result<Answer<CheckpointConfig>, ApiError> {
    config_of(&job.0).map(Answer).ok_or_else(not_enabled)
}

async fn details(request: HttpRequest, job: Job) -> Result<Answer<Checkpoint>, ApiError> {
    enabled(&job.0)?;
    let id: u64 = parameter(&request, "checkpointid")?;
    let record = job.0.checkpoints.history.iter().find(|record| record.id.0 == id);
    let text = || format!("Could not find checkpoint statistics for checkpoint {id}.");
    let record = record.ok_or_else(|| ApiError::not_found(UNKNOWN, text()))?;
    Ok(Answer(checkpoint_of(&job.0, record)))
}

/// In Flink's words.
fn enabled(reading: &Reading) -> Result<(), ApiError> {
    match is_enabled(reading) {
        true => Ok(()),
        false => Err(not_enabled()),
    }
}

fn not_enabled() -> ApiError {
    ApiError::not_found("", "Checkpointing has not been enabled.")
}

/// Also a job without periodic checkpoints takes one at the end of its data, if a sink commits.
pub(super) fn is_enabled(reading: &Reading) -> bool {
    reading.facts.config.is_checkpointing_enabled() || reading.checkpoints.counts.total > 0
}

pub(super) fn checkpoints_of(reading: &Reading) -> Checkpoints {
    let view = &reading.checkpoints;
    let latest = |status| {
        let record = view.history.iter().find(|record| record.status == status);
        record.map(|record| checkpoint_of(reading, record))
    };
    Checkpoints {
        counts: view.counts,
        summary: summary(view),
        latest: LatestCheckpoints {
            completed: latest(CheckpointStatus::Completed),
            savepoint: None,
            failed: latest(CheckpointStatus::Failed),
            restored: restored(reading),
        },
        history: view.history.iter().map(|record| checkpoint_of(reading, record)).collect(),
    }
}

fn summary(view: &CheckpointsView) -> CheckpointSummary {
    let completed =
        || view.history.iter().filter(|record| record.status == CheckpointStatus::Completed);
    let sizes = Sorted::new(completed().map(|record| record.size_bytes));
    let sizes = stats(&view.size_bytes, &sizes);
    let durations = Sorted::new(completed().filter_map(|record| record.duration_ms));
    let durations = stats(&view.duration_ms, &durations);
    CheckpointSummary {
        checkpointed_size: sizes,
        state_size: sizes,
        end_to_end_duration: durations,
        ..CheckpointSummary::default()
    }
}

/// Percentiles are those of what is remembered, the rest is of all there were.
fn stats(all: &Spread, remembered: &Sorted) -> Stats {
    let signed = |value| i64::try_from(value).unwrap_or(i64::MAX);
    Stats {
        min: signed(all.min),
        max: signed(all.max),
        avg: signed(all.mean()),
        ..remembered.stats()
    }
}

/// A checkpoint is restored when tasks are deployed, which the job's state `CREATED` stands for.
fn restored(reading: &Reading) -> Option<RestoredCheckpoint> {
    let id = reading.checkpoints.last_restored?;
    let deployed = reading.state_times.iter().find(|(state, _)| *state == JobStatus::Created);
    Some(RestoredCheckpoint {
        id: id.0,
        restore_timestamp: deployed.map_or(UNKNOWN_MS, |(_, entered_ms)| millis(*entered_ms)),
        is_savepoint: false,
        external_path: path_of(reading, id.0),
    })
}

pub(super) fn checkpoint_of(reading: &Reading, record: &CheckpointRecord) -> Checkpoint {
    let class_name = match record.status {
        CheckpointStatus::InProgress => "in_progress",
        CheckpointStatus::Completed => "completed",
        CheckpointStatus::Failed => "failed",
    };
    let ended_ms = record.duration_ms.map(|duration_ms| record.triggered_wall_ms + duration_ms);
    let so_far_ms = reading.now_ms.saturating_sub(record.triggered_wall_ms);
    let shown_tasks = record.tasks.saturating_sub(reading.hidden_tasks);
    let (completed, failed) =
        (record.status == CheckpointStatus::Completed, record.status == CheckpointStatus::Failed);
    Checkpoint {
        class_name: class_name.to_owned(),
        id: record.id.0,
        status: record.status,
        is_savepoint: false,
        savepoint_format: None,
        trigger_timestamp: millis(record.triggered_wall_ms),
        latest_ack_timestamp: record.last_ack_wall_ms.map_or(UNKNOWN_MS, millis),
        checkpointed_size: record.size_bytes,
        state_size: record.size_bytes,
        end_to_end_duration: millis(record.duration_ms.unwrap_or(so_far_ms)),
        alignment_buffered: 0,
        processed_data: 0,
        persisted_data: 0,
        num_subtasks: shown_tasks as u64,
        num_acknowledged_subtasks: record.acknowledged_tasks.min(shown_tasks) as u64,
        checkpoint_type: "CHECKPOINT".to_owned(),
        tasks: Default::default(),
        external_path: path_of(reading, record.id.0).filter(|_| completed),
        discarded: completed.then(|| is_discarded(reading, record)),
        failure_timestamp: ended_ms.filter(|_| failed).map(millis),
        failure_message: record
            .failure
            .as_ref()
            .map(|why| format!("{}: {}", why.code, why.message)),
    }
}

/// The number of completed checkpoints that are kept.
fn is_discarded(reading: &Reading, record: &CheckpointRecord) -> bool {
    let retained = reading.facts.config.get(&keys::CHECKPOINTING_NUM_RETAINED) as usize;
    let history = reading.checkpoints.history.iter();
    let newer =
        history.filter(|other| other.status == CheckpointStatus::Completed && other.id > record.id);
    newer.count() >= retained
}

/// The folder of a checkpoint, below that of its job, if the job has a checkpoint folder.
fn path_of(reading: &Reading, id: u64) -> Option<String> {
    let folder = reading.facts.config.get_optional(&keys::CHECKPOINTING_DIR)?;
    let folder = folder.path().join(reading.facts.submission.job.to_string());
    Some(folder.join(format!("chk-{id}")).to_string_lossy().into_owned())
}

/// `None` without periodic checkpoints: the one at the end has no interval to tell.
pub(super) fn config_of(reading: &Reading) -> Option<CheckpointConfig> {
    let config = &reading.facts.config;
    let interval = config.get_optional(&keys::CHECKPOINTING_INTERVAL)?;
    let folder = config.get_optional(&keys::CHECKPOINTING_DIR);
    Some(CheckpointConfig {
        mode: "exactly_once".to_owned(),
        interval: duration_ms(interval),
        timeout: duration_ms(config.get(&keys::CHECKPOINTING_TIMEOUT)),
        min_pause: duration_ms(config.get(&keys::CHECKPOINTING_MIN_PAUSE)),
        max_concurrent: 1,
        externalization: externalization(config.get(&keys::CHECKPOINTING_RETENTION)),
        state_backend: config.get(&keys::STATE_BACKEND).to_string(),
        checkpoint_storage: folder.map_or_else(
            || "weir.cluster.storage-dir".to_owned(),
            |folder| folder.path().to_string_lossy().into_owned(),
        ),
        unaligned_checkpoints: false,
        tolerable_failed_checkpoints: config.get(&keys::CHECKPOINTING_TOLERABLE_FAILED),
        aligned_checkpoint_timeout: 0,
        checkpoints_after_tasks_finish: true,
        state_changelog_enabled: false,
        changelog_periodic_materialization_interval: 0,
        changelog_storage: String::new(),
    })
}

/// As Flink shows the setting: `delete_on_cancellation` is true when nothing is retained.
fn externalization(retention: ExternalizedCheckpointRetention) -> Externalization {
    use ExternalizedCheckpointRetention::{
        DeleteOnCancellation, NoExternalizedCheckpoints, RetainOnCancellation,
    };
    match retention {
        NoExternalizedCheckpoints => {
            Externalization { enabled: false, delete_on_cancellation: true }
        }
        DeleteOnCancellation => Externalization { enabled: true, delete_on_cancellation: true },
        RetainOnCancellation => Externalization { enabled: true, delete_on_cancellation: false },
    }
}

fn duration_ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::{super::fixture, *};

    #[test]
    fn hidden_tasks_take_part_and_are_not_counted() {
        let reading = fixture::reading();
        let all = checkpoints_of(&reading);
        assert_eq!(all.counts.completed, 3);
        let ids: Vec<_> = all.history.iter().map(|one| (one.id, &*one.class_name)).collect();
        assert_eq!(ids, [(4, "in_progress"), (3, "failed"), (2, "completed"), (1, "completed")]);
        let newest = &all.history[0];
        assert_eq!((newest.num_subtasks, newest.num_acknowledged_subtasks), (4, 2));
        assert_eq!((newest.end_to_end_duration, newest.latest_ack_timestamp), (500, 9_520));
        let completed = all.latest.completed.expect("one has");
        assert_eq!((completed.id, completed.discarded), (2, Some(false)));
        assert_eq!((completed.num_subtasks, completed.num_acknowledged_subtasks), (4, 4));
        let folder = format!("/checkpoints/{}/chk-2", reading.facts.submission.job);
        assert_eq!(completed.external_path, Some(folder));
        assert_eq!(all.history[3].discarded, Some(true));
        let failed = all.latest.failed.expect("one has");
        assert_eq!(failed.failure_timestamp, Some(7_100));
        assert_eq!(failed.failure_message.as_deref(), Some("WEIR-JOB-0007: too late"));
    }

    #[test]
    fn all_that_have_completed_are_summed_up() {
        let summary = checkpoints_of(&fixture::reading()).summary;
        let sizes = summary.state_size;
        assert_eq!((sizes.min, sizes.max, sizes.avg, sizes.p50), (50, 300, 150, 200.0));
        let durations = summary.end_to_end_duration;
        assert_eq!(
            (durations.min, durations.max, durations.avg, durations.p50),
            (30, 130, 70, 40.0)
        );
        assert_eq!(summary.persisted_data.max, 0);
    }

    #[test]
    fn settings_are_those_of_periodic_checkpoints() {
        let mut reading = fixture::reading();
        assert_eq!(config_of(&reading).map(|config| config.interval), Some(10_000));
        let facts = crate::observed::Facts { config: Default::default(), ..fixture::facts() };
        reading.facts = std::sync::Arc::new(facts);
        assert!(is_enabled(&reading), "one was taken at the end");
        assert_eq!(config_of(&reading), None);
    }

    #[test]
    fn externalization_follows_the_retention() {
        use ExternalizedCheckpointRetention::*;
        let cases = [
            (NoExternalizedCheckpoints, (false, true)),
            (DeleteOnCancellation, (true, true)),
            (RetainOnCancellation, (true, false)),
        ];
        for (value, expected) in cases {
            let shown = externalization(value);
            assert_eq!((shown.enabled, shown.delete_on_cancellation), expected, "{value}");
        }
    }
}
