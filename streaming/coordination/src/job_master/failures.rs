//! The failures the job master itself finds; each code has a page in `docs/errors/`.

use weir_base::{CheckpointId, Failure, FailureOrigin, JobId, LeaderEpoch};
use weir_graph::FingerprintMismatch;
use weir_protocol::job::JobStatus;

pub(super) fn foreign_log(job: JobId, owner: JobId, owner_name: &str) -> Failure {
    let message = format!(
        "the job log belongs to another job: it was written by job {owner} ({owner_name:?}), \
         this is job {job}; set execution.checkpointing.dir to another folder for this job"
    );
    Failure::new("WEIR-JOB-0001", FailureOrigin::Permanent, message)
}

pub(super) fn other_graph(mismatch: &FingerprintMismatch) -> Failure {
    let message = format!("the graph differs from the one the job log was written by: {mismatch}");
    Failure::new("WEIR-JOB-0002", FailureOrigin::Permanent, message)
}

pub(super) fn already_ended(status: JobStatus) -> Failure {
    let message = format!(
        "the job has already ended: its log records the state {status}; to run it again from the \
         start, set execution.checkpointing.dir to a new folder"
    );
    Failure::new("WEIR-JOB-0003", FailureOrigin::Permanent, message)
}

pub(super) fn superseded(mine: LeaderEpoch, theirs: Option<LeaderEpoch>) -> Failure {
    let newer = theirs.map_or("another epoch".to_owned(), |epoch| format!("epoch {epoch}"));
    let message = format!("the master of epoch {mine} has stopped: {newer} has taken over the job");
    Failure::new("WEIR-JOB-0004", FailureOrigin::External, message)
}

pub(super) fn log_lost(tries: u32, cause: &Failure) -> Failure {
    let message = format!(
        "the job log could not be written after {tries} tries; last error: {}: {}",
        cause.code, cause.message
    );
    Failure::new("WEIR-JOB-0005", FailureOrigin::External, message)
}

pub(super) fn too_many_failed_checkpoints(failed: u32, tolerable: u32, last: &Failure) -> Failure {
    let message = format!(
        "{failed} checkpoints in a row failed, the limit is {tolerable}; last error: {}: {}",
        last.code, last.message
    );
    Failure { message, code: "WEIR-JOB-0006".to_owned(), ..last.clone() }
}

pub(super) fn checkpoint_timeout(id: CheckpointId, acknowledged: usize, tasks: usize) -> Failure {
    let message = format!(
        "checkpoint {id} was not complete in time: {acknowledged} of {tasks} tasks had \
         acknowledged it"
    );
    Failure::new("WEIR-JOB-0007", FailureOrigin::External, message)
}

/// Only shown beside the checkpoint: the job has another failure, or a request.
pub(super) fn checkpoint_cut_off() -> Failure {
    let message = "tasks were stopped before the checkpoint was complete".to_owned();
    Failure::new("WEIR-JOB-0010", FailureOrigin::External, message)
}

pub(super) fn stopped_unasked(how: &str) -> Failure {
    let message = format!("the task reported that it was {how} before it was told to stop");
    Failure::new("WEIR-JOB-0008", FailureOrigin::Internal, message)
}

pub(super) fn key_groups_changed(vertex: &str, written: u32, now: u32) -> Failure {
    let message = format!(
        "the keyed state of {vertex:?} was written with max parallelism {written}, now it is \
         {now}; set max parallelism {written} on its operators"
    );
    Failure::new("WEIR-JOB-0009", FailureOrigin::Permanent, message)
}
