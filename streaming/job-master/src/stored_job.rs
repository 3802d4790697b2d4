//! A job as its log describes it, for tools that look at the storage of jobs.

use crate::{error::Result, records};
use std::path::Path;
use weir_base::{CheckpointId, JobId};
use weir_checkpoint_storage::CheckpointStorage;
use weir_coordination::JobLogRecord;
use weir_protocol::job::JobStatus;

/// Content of the log in the folder of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredJob {
    pub job: JobId,
    pub name: String,
    /// How it ended. `None` while the log has no end: the job may be running, or its processes were
    /// killed.
    pub end: Option<JobStatus>,
    /// Completed checkpoints, oldest first. Their files may have been deleted at the end.
    pub checkpoints: Vec<CheckpointId>,
}

impl StoredJob {
    /// Reads the log in the folder of a job and changes nothing there; `None` when it has no records.
    ///
    /// # Errors
    /// The log cannot be read, has a gap, or was written by another release.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let storage = CheckpointStorage::read_only(folder)?;
        let (_, log) = records::load(&storage.log())?;
        let mut stored: Option<Self> = None;
        for record in log {
            match (record, &mut stored) {
                (JobLogRecord::EpochBegins { job, name, .. }, None) => {
                    stored = Some(Self { job, name, end: None, checkpoints: Vec::new() });
                }
                (JobLogRecord::LogSnapshot { job, name, completed, .. }, _) => {
                    let checkpoints = completed.iter().map(|checkpoint| checkpoint.id).collect();
                    stored = Some(Self { job, name, end: None, checkpoints });
                }
                (JobLogRecord::CheckpointCompleted { checkpoint, .. }, Some(stored)) => {
                    stored.checkpoints.push(checkpoint);
                }
                (JobLogRecord::CheckpointDisposed { checkpoint }, Some(stored)) => {
                    stored.checkpoints.retain(|id| *id != checkpoint);
                }
                (JobLogRecord::Finished { outcome, .. }, Some(stored)) => {
                    stored.end = Some(outcome.status);
                }
                _ => {}
            }
        }
        Ok(stored)
    }
}
