//! The store of the job log: records are created if their index is free.

use crate::Defect;
use weir_base::{CheckpointId, LeaderEpoch, LogIndex};
use weir_coordination::{AppendOutcome, JobLogRecord};

/// The log, as it is.
#[derive(Debug, Default)]
pub(crate) struct LogStore {
    records: Vec<JobLogRecord>,
}

impl LogStore {
    /// The records at this moment.
    pub(crate) fn read(&self) -> Vec<JobLogRecord> {
        self.records.clone()
    }

    /// Creates a record if its index is free.
    pub(crate) fn create(
        &mut self,
        index: LogIndex,
        record: &JobLogRecord,
        defect: Option<Defect>,
    ) -> AppendOutcome {
        match self.records.get_mut(index.0 as usize) {
            None => {
                // A late append may be older than what was written after its index was taken, but
                // never newer than the end: each index is written before the next one is tried.
                assert_eq!(index.0 as usize, self.records.len(), "the log has a gap");
                self.records.push(record.clone());
                AppendOutcome::Appended
            }
            Some(present) if defect == Some(Defect::StoreOverwrites) => {
                *present = record.clone();
                AppendOutcome::Appended
            }
            Some(present)
                if defect == Some(Defect::EqualEpochsPass)
                    && present == record
                    && matches!(present, JobLogRecord::EpochBegins { .. }) =>
            {
                AppendOutcome::Appended
            }
            Some(present) => AppendOutcome::Taken(Box::new(present.clone())),
        }
    }

    /// The newest epoch on record.
    pub(crate) fn epoch(&self) -> LeaderEpoch {
        let epochs = self.records.iter().filter_map(|record| match record {
            JobLogRecord::EpochBegins { epoch, .. } => Some(*epoch),
            _ => None,
        });
        epochs.max().unwrap_or_default()
    }

    /// The newest completed checkpoint on record.
    pub(crate) fn last_completed(&self) -> Option<CheckpointId> {
        self.records.iter().filter_map(completed).next_back()
    }

    /// Whether a checkpoint is on record as completed.
    pub(crate) fn has_completed(&self, checkpoint: CheckpointId) -> bool {
        self.records.iter().filter_map(completed).any(|id| id == checkpoint)
    }

    /// Completed checkpoints on record.
    pub(crate) fn completed_count(&self) -> u64 {
        self.records.iter().filter_map(completed).count() as u64
    }

    /// Whether the end of the job is on record.
    pub(crate) fn has_ended(&self) -> bool {
        self.records.iter().any(|record| matches!(record, JobLogRecord::Finished { .. }))
    }
}

fn completed(record: &JobLogRecord) -> Option<CheckpointId> {
    match record {
        JobLogRecord::CheckpointCompleted { checkpoint, .. } => Some(*checkpoint),
        _ => None,
    }
}
