//! Records of the job log as JSON, one line each: readable by people at three in the morning.

use crate::error::{Error, Result};
use weir_base::LogIndex;
use weir_checkpoint_storage::JobLog;
use weir_coordination::JobLogRecord;

/// A record as one line.
pub(crate) fn encode(record: &JobLogRecord) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(record)
        .map_err(|error| Error::Internal { problem: format!("no JSON of {record:?}: {error}") })?;
    line.push(b'\n');
    Ok(line)
}

/// A record of `log` read back.
pub(crate) fn decode(log: &JobLog, index: LogIndex, line: &[u8]) -> Result<JobLogRecord> {
    serde_json::from_slice(line)
        .map_err(|source| Error::Record { record: log.name_of(index), source })
}

/// The records that the log still needs, in order, and the index of the first: the newest snapshot
/// record, or the first record there ever was.
pub(crate) fn load(log: &JobLog) -> Result<(LogIndex, Vec<JobLogRecord>)> {
    let (first, lines) = log.load()?;
    let indexes = (first.0..).map(LogIndex);
    let records: Result<Vec<JobLogRecord>> =
        indexes.zip(&lines).map(|(index, line)| decode(log, index, line)).collect();
    let mut records = records?;
    let is_snapshot = |record: &JobLogRecord| matches!(record, JobLogRecord::LogSnapshot { .. });
    match records.iter().rposition(is_snapshot) {
        Some(at) => Ok((LogIndex(first.0 + at as u64), records.split_off(at))),
        None if first > LogIndex(0) => Err(log.gap_before(first).into()),
        None => Ok((first, records)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::{CheckpointId, LeaderEpoch};
    use weir_checkpoint_storage::CheckpointStorage;
    use weir_coordination::JobOutcome;
    use weir_protocol::job::JobStatus;

    #[test]
    fn a_record_is_one_readable_line_that_reads_back() {
        let record = JobLogRecord::Finished {
            epoch: LeaderEpoch(2),
            outcome: JobOutcome {
                status: JobStatus::Finished,
                failure: None,
                restarts: 1,
                completed_checkpoints: 3,
                last_checkpoint: Some(CheckpointId(9)),
                off_record: false,
                commit_is_open: false,
            },
        };
        let line = encode(&record).unwrap();
        assert_eq!(
            String::from_utf8(line.clone()).unwrap(),
            "{\"record\":\"finished\",\"epoch\":2,\"outcome\":{\"status\":\"FINISHED\",\
             \"failure\":null,\"restarts\":1,\"completed_checkpoints\":3,\"last_checkpoint\":9}}\n"
        );
        let log = CheckpointStorage::in_memory().log();
        assert_eq!(decode(&log, LogIndex(0), &line).unwrap(), record);
    }

    #[test]
    fn a_record_of_another_kind_is_an_error_that_names_it() {
        let log = CheckpointStorage::in_memory().log();
        log.append(LogIndex(0), b"{\"record\":\"checkpoint-disposed\",\"checkpoint\":1}").unwrap();
        log.append(LogIndex(1), b"{\"record\":\"from-the-future\"}").unwrap();
        let failure = load(&log).unwrap_err().to_failure();
        assert_eq!(failure.code, "WEIR-JOB-0101");
        assert!(failure.message.contains("log/00000000000000000001"), "{}", failure.message);
        assert!(failure.message.contains("from-the-future"), "{}", failure.message);
    }
}
