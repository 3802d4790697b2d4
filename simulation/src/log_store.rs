//! The store of the job log: records are created if their index is free, and old ones are deleted.
//!
//! Beside the files it keeps the log as it really is: a record that is created where an older one
//! has been deleted is a file, and no part of the log.

use crate::Defect;
use std::{collections::BTreeMap, ops::RangeInclusive};
use weir_base::{CheckpointId, LeaderEpoch, LogIndex};
use weir_coordination::JobLogRecord;

#[derive(Debug, Default)]
pub(crate) struct LogStore {
    /// Every record that was ever part of the log.
    records: Vec<JobLogRecord>,
    files: BTreeMap<LogIndex, JobLogRecord>,
}

/// Result of a create.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Created {
    /// The index was free.
    Free,
    /// This record was there already.
    Taken(Box<JobLogRecord>),
}

impl LogStore {
    /// The records that a reader finds at this moment, and the index of the first; the error says why
    /// they are not what the log holds.
    pub(crate) fn read(&self) -> Result<(LogIndex, Vec<JobLogRecord>), String> {
        let Some(tail) = self.tail() else {
            return match self.records.len() {
                0 => Ok((LogIndex(0), Vec::new())),
                lost => Err(format!("all {lost} records of the log are gone")),
            };
        };
        let files = self.files.range(tail.clone());
        let is_snapshot =
            |record: &JobLogRecord| matches!(record, JobLogRecord::LogSnapshot { .. });
        let newest = files.clone().rfind(|(_, record)| is_snapshot(record));
        let first = newest.map_or(*tail.start(), |(index, _)| *index);
        if newest.is_none() && first > LogIndex(0) {
            return Err(format!("the log begins with record {first}, which is no snapshot record"));
        }
        let records: Vec<JobLogRecord> =
            self.files.range(first..).map(|(_, record)| record.clone()).collect();
        if records != self.records[first.0 as usize..] {
            return Err("a reader of the log finds records that are no part of it".to_owned());
        }
        Ok((first, records))
    }

    /// Creates a record if its index is free.
    pub(crate) fn create(
        &mut self,
        index: LogIndex,
        record: &JobLogRecord,
        defect: Option<Defect>,
    ) -> Created {
        let begins_epoch = matches!(record, JobLogRecord::EpochBegins { .. });
        match self.files.get_mut(&index) {
            None => {
                // Each index is written before the next one is tried.
                assert!(index.0 as usize <= self.records.len(), "the log has a gap");
                if index.0 as usize == self.records.len() {
                    self.records.push(record.clone());
                }
                self.files.insert(index, record.clone());
                Created::Free
            }
            Some(present) if defect == Some(Defect::StoreOverwrites) => {
                *present = record.clone();
                self.records[index.0 as usize] = record.clone();
                Created::Free
            }
            Some(present)
                if defect == Some(Defect::EqualEpochsPass) && present == record && begins_epoch =>
            {
                Created::Free
            }
            Some(present) => Created::Taken(Box::new(present.clone())),
        }
    }

    /// Content of a listing: the newest record and those before it without a gap.
    pub(crate) fn tail(&self) -> Option<RangeInclusive<LogIndex>> {
        let last = *self.files.last_key_value()?.0;
        let mut first = last.0;
        while first > 0 && self.files.contains_key(&LogIndex(first - 1)) {
            first -= 1;
        }
        Some(LogIndex(first)..=last)
    }

    /// Deletes files before an index, oldest first, up to a number.
    pub(crate) fn delete_below(&mut self, index: LogIndex, at_most: usize) {
        let old: Vec<LogIndex> =
            self.files.range(..index).map(|(index, _)| *index).take(at_most).collect();
        for index in old {
            self.files.remove(&index);
        }
    }

    /// Snapshot records in the log.
    pub(crate) fn snapshot_count(&self) -> u64 {
        let is_snapshot =
            |record: &&JobLogRecord| matches!(record, JobLogRecord::LogSnapshot { .. });
        self.records.iter().filter(is_snapshot).count() as u64
    }

    /// The newest epoch in the log.
    pub(crate) fn epoch(&self) -> LeaderEpoch {
        let epochs = self.records.iter().filter_map(|record| match record {
            JobLogRecord::EpochBegins { epoch, .. } => Some(*epoch),
            _ => None,
        });
        epochs.max().unwrap_or_default()
    }

    /// The newest completed checkpoint in the log.
    pub(crate) fn last_completed(&self) -> Option<CheckpointId> {
        self.records.iter().filter_map(completed).next_back()
    }

    /// Returns true if the log says that a checkpoint is completed.
    pub(crate) fn has_completed(&self, checkpoint: CheckpointId) -> bool {
        self.records.iter().filter_map(completed).any(|id| id == checkpoint)
    }

    /// Completed checkpoints in the log.
    pub(crate) fn completed_count(&self) -> u64 {
        self.records.iter().filter_map(completed).count() as u64
    }

    /// Returns true if the end of the job is in the log.
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
