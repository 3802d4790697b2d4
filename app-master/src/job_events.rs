//! Log lines about the job, as Flink's JobManager writes them: changes of its state, restarts with cause
//! and delay, and checkpoints that have completed or failed.
//!
//! A separate thread looks at the job once a second and whenever the state changes. It ends with the job.

use std::{collections::BTreeSet, thread, time::Duration};
use weir_base::CheckpointId;
use weir_coordination::{
    JobView,
    job_master::{CheckpointRecord, CheckpointsView},
};
use weir_job_master::{Handle, StatusChange};
use weir_protocol::job::{CheckpointStatus, JobStatus};

const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Logs what happens to a job until it has ended.
pub fn log(handle: &Handle) {
    let (handle, changes) = (handle.clone(), handle.subscribe_status());
    let body = move || {
        let mut events = JobEvents::default();
        loop {
            let change = match changes.recv_timeout(LOOK_INTERVAL) {
                Ok(change) => Some(change),
                Err(error) if error.is_timeout() => None,
                // The channel closes behind a terminal state.
                Err(_) => return,
            };
            for line in events.lines(change.as_ref(), &handle.view()) {
                tracing::info!("{line}");
            }
        }
    };
    if let Err(error) = thread::Builder::new().name("job-events".to_owned()).spawn(body) {
        tracing::warn!("no thread to log what happens to the job: {error}");
    }
}

/// The last logged values.
#[derive(Default)]
struct JobEvents {
    status: Option<JobStatus>,
    /// Ended checkpoints of the history that have a line.
    ended: BTreeSet<CheckpointId>,
    /// All ended checkpoints, those without a line included.
    ended_count: u64,
    /// Deployments that restored a checkpoint.
    restored_count: u64,
}

impl JobEvents {
    /// The lines that are due. Checkpoints come first: a change of the state often follows from one.
    fn lines(&mut self, change: Option<&StatusChange>, view: &JobView) -> Vec<String> {
        let mut lines = self.checkpoint_lines(&view.checkpoints);
        lines.extend(self.restored_line(&view.checkpoints));
        lines.extend(change.and_then(|change| self.status_line(change, view)));
        lines
    }

    fn status_line(&mut self, change: &StatusChange, view: &JobView) -> Option<String> {
        let before = self.status.replace(change.status);
        let JobView { job, name, .. } = view;
        let to = change.status.name();
        let mut line = match before {
            Some(before) if before == change.status && change.failure.is_none() => return None,
            Some(before) => format!("job {name:?} ({job}) switched from {} to {to}", before.name()),
            None => format!("job {name:?} ({job}) is {to}"),
        };
        if change.status == JobStatus::Restarting {
            let (number, delay_ms) = (view.restarts, view.restart_delay_ms);
            line.push_str(&format!("; restart {number} follows after {delay_ms} ms"));
        }
        if let Some(failure) = &change.failure {
            line.push_str("; cause: ");
            for (kind, value) in [("operator", &failure.operator), ("subtask", &failure.task)] {
                if let Some(value) = value {
                    line.push_str(&format!("{kind} {value:?}: "));
                }
            }
            line.push_str(&format!("{} [{}]", failure.message, failure.code));
        }
        Some(line)
    }

    fn restored_line(&mut self, checkpoints: &CheckpointsView) -> Option<String> {
        let restored_count = checkpoints.counts.restored;
        let is_new = restored_count > std::mem::replace(&mut self.restored_count, restored_count);
        let id = checkpoints.last_restored.filter(|_| is_new)?;
        Some(format!("the tasks continue from checkpoint {id}"))
    }

    fn checkpoint_lines(&mut self, checkpoints: &CheckpointsView) -> Vec<String> {
        // The counts may be those of an earlier attempt that has ended the job.
        let Some(oldest) = checkpoints.history.last() else { return Vec::new() };
        let ended = checkpoints.history.iter().rev().filter(|record| record.duration_ms.is_some());
        let new: Vec<_> = ended.filter(|record| self.ended.insert(record.id)).collect();
        let mut lines: Vec<_> = new.iter().map(|record| checkpoint_line(record)).collect();
        let counts = &checkpoints.counts;
        let total_ended = counts.completed + counts.failed;
        let missed = total_ended.saturating_sub(self.ended_count + lines.len() as u64);
        if missed > 0 {
            lines.insert(0, format!("{missed} other checkpoints have ended since the last line"));
        }
        self.ended_count = self.ended_count.max(total_ended);
        // Older ones are not in the history again.
        self.ended.retain(|id| *id >= oldest.id);
        lines
    }
}

fn checkpoint_line(record: &CheckpointRecord) -> String {
    let CheckpointRecord { id, status, tasks, size_bytes, failure, .. } = record;
    let duration_ms = record.duration_ms.unwrap_or_default();
    match (status, failure) {
        (CheckpointStatus::Completed, _) => format!(
            "checkpoint {id} completed in {duration_ms} ms: {size_bytes} bytes from {tasks} tasks"
        ),
        (_, Some(failure)) => format!(
            "checkpoint {id} failed after {duration_ms} ms: {} [{}]",
            failure.message, failure.code
        ),
        (_, None) => format!("checkpoint {id} failed after {duration_ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::{Failure, FailureOrigin, JobId, LeaderEpoch, WallTime};
    use weir_coordination::job_master::Spread;
    use weir_protocol::job::CheckpointCounts;

    fn change(status: JobStatus, failure: Option<&str>) -> StatusChange {
        let failure = failure
            .map(|message| Failure::new("WEIR-TASK-0001", FailureOrigin::User, message.to_owned()));
        StatusChange { status, failure, wall: WallTime(7) }
    }

    fn record(id: u64, status: CheckpointStatus) -> CheckpointRecord {
        CheckpointRecord {
            id: CheckpointId(id),
            status,
            is_final: false,
            triggered_wall_ms: 0,
            duration_ms: (status != CheckpointStatus::InProgress).then_some(20 + id),
            size_bytes: 100 * id,
            acknowledged_tasks: 3,
            last_ack_wall_ms: None,
            tasks: 4,
            max_sync_ms: 0,
            max_async_ms: 0,
            max_alignment_ms: 0,
            failure: None,
        }
    }

    /// A job with these checkpoints, newest first, and these numbers of completed and failed ones.
    fn view(history: Vec<CheckpointRecord>, completed: u64, failed: u64) -> JobView {
        JobView {
            job: JobId::of_text("a"),
            name: "word count".to_owned(),
            epoch: LeaderEpoch(1),
            status: JobStatus::Running,
            status_times: Vec::new(),
            vertices: Vec::new(),
            checkpoints: CheckpointsView {
                counts: CheckpointCounts { completed, failed, ..CheckpointCounts::default() },
                size_bytes: Spread::default(),
                duration_ms: Spread::default(),
                last_completed: None,
                last_restored: None,
                history,
            },
            restarts: 2,
            restart_delay_ms: 1000,
            failures: Vec::new(),
        }
    }

    #[test]
    fn changes_of_state_are_logged_with_cause_and_delay() {
        let mut events = JobEvents::default();
        let view = view(Vec::new(), 0, 0);
        let job = format!("job \"word count\" ({})", view.job);
        for (change, expect) in [
            (change(JobStatus::Created, None), " is CREATED"),
            (change(JobStatus::Running, None), " switched from CREATED to RUNNING"),
            (
                change(JobStatus::Restarting, Some("boom")),
                " switched from RUNNING to RESTARTING; restart 2 follows after 1000 ms; cause: boom \
                 [WEIR-TASK-0001]",
            ),
            (
                change(JobStatus::Failed, Some("boom")),
                " switched from RESTARTING to FAILED; cause: boom [WEIR-TASK-0001]",
            ),
        ] {
            assert_eq!(events.lines(Some(&change), &view), [format!("{job}{expect}")]);
            assert_eq!(events.lines(None, &view), [""; 0]);
        }
    }

    #[test]
    fn each_ended_checkpoint_is_logged_once() {
        use CheckpointStatus::{Completed, Failed, InProgress};
        let mut events = JobEvents::default();
        let first = view(vec![record(2, InProgress), record(1, Completed)], 1, 0);
        let completed = "checkpoint 1 completed in 21 ms: 100 bytes from 4 tasks";
        assert_eq!(events.lines(None, &first), [completed]);
        assert_eq!(events.lines(None, &first), [""; 0]);
        let failed = CheckpointRecord {
            failure: Some(Failure::new(
                "WEIR-JOB-0007",
                FailureOrigin::External,
                "late".to_owned(),
            )),
            ..record(2, Failed)
        };
        let second = view(vec![failed, record(1, Completed)], 1, 1);
        let lines = events.lines(None, &second);
        assert_eq!(lines, ["checkpoint 2 failed after 22 ms: late [WEIR-JOB-0007]"]);
        let missed = view(vec![record(9, Completed), record(8, Completed)], 8, 1);
        let lines = events.lines(None, &missed);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert_eq!(lines[0], "5 other checkpoints have ended since the last line");
        assert!(lines[1].starts_with("checkpoint 8 ") && lines[2].starts_with("checkpoint 9 "));
    }

    #[test]
    fn restored_checkpoint_is_named() {
        let mut events = JobEvents::default();
        let mut view = view(Vec::new(), 0, 0);
        view.checkpoints.counts.restored = 1;
        view.checkpoints.last_restored = Some(CheckpointId(7));
        let lines = ["the tasks continue from checkpoint 7"];
        assert_eq!(events.lines(None, &view), lines);
        assert_eq!(events.lines(None, &view), [""; 0]);
        view.checkpoints.counts.restored = 2;
        assert_eq!(events.lines(None, &view), lines, "the same one again");
    }
}
