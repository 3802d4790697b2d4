//! The thread that does the brain's storage work, one piece after the other.
//!
//! It reads the log, then appends and deletes as the brain tells it. It decides nothing.

use crate::{
    error::{Error, Result},
    mailbox::Mail,
    records,
};
use crossbeam_channel::{Receiver, Sender};
use std::{
    collections::BTreeSet,
    panic::{self, AssertUnwindSafe},
};
use weir_base::{CheckpointId, LogIndex};
use weir_checkpoint_storage::{Append, CheckpointStorage, Result as StorageResult};
use weir_coordination::{AppendOutcome, Input, JobLogRecord};

/// Orders to the storage thread.
#[derive(Debug)]
pub(crate) enum StorageWork {
    ReadLog,
    Append { index: LogIndex, record: JobLogRecord },
    DeleteLog { below: LogIndex },
    Dispose { paths: Vec<String> },
    Sweep { below: CheckpointId, keep: BTreeSet<String> },
}

/// Opens the storage; called again while that fails with an error that can be retried.
pub(crate) type OpenStorage = Box<dyn FnMut() -> StorageResult<CheckpointStorage> + Send>;

/// Does storage work until its channel is closed.
pub(crate) struct StorageThread {
    open: OpenStorage,
    /// `None` until it could be opened.
    storage: Option<CheckpointStorage>,
    mailbox: Sender<Mail>,
}

impl StorageThread {
    pub(crate) fn new(open: OpenStorage, mailbox: Sender<Mail>) -> Self {
        Self { open, storage: None, mailbox }
    }

    /// The body of the thread. Whatever stops it early ends the job: the brain would wait for
    /// an answer for ever.
    pub(crate) fn run(mut self, work: &Receiver<StorageWork>) {
        let mailbox = self.mailbox.clone();
        if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(|| self.work(work))) {
            let _ = mailbox.send(Mail::Fatal(Error::of_panic(panic.as_ref())));
        }
    }

    fn work(&mut self, work: &Receiver<StorageWork>) {
        self.read_log();
        for work in work {
            match work {
                StorageWork::ReadLog => self.read_log(),
                StorageWork::Append { index, record } => {
                    let outcome = self.append(index, &record);
                    self.answer(Input::LogAppended { index, outcome });
                }
                StorageWork::DeleteLog { below } => {
                    // Records that cannot be deleted now are deleted after the next snapshot record.
                    let _ = self.storage().and_then(|storage| storage.log().delete_below(below));
                }
                StorageWork::Dispose { paths } => {
                    // Files that cannot be deleted now are swept by the next master.
                    let _ = self.storage().and_then(|storage| storage.delete(paths));
                }
                StorageWork::Sweep { below, keep } => {
                    // Orphans cost space and nothing else: a sweep that fails must not fail the job.
                    let _ = self.storage().and_then(|storage| storage.sweep(below, &keep));
                }
            }
        }
    }

    fn storage(&mut self) -> StorageResult<&CheckpointStorage> {
        match &mut self.storage {
            Some(storage) => Ok(storage),
            closed => Ok(closed.insert((self.open)()?)),
        }
    }

    fn read_log(&mut self) {
        let log = self.storage().map(CheckpointStorage::log).map_err(Error::from);
        match log.and_then(|log| records::load(&log)) {
            Ok((first, log)) => self.answer(Input::Start { first, log }),
            Err(error) => self.answer(Input::LogUnreadable { failure: error.to_failure() }),
        }
    }

    fn append(&mut self, index: LogIndex, record: &JobLogRecord) -> AppendOutcome {
        match self.try_append(index, record) {
            Ok(outcome) => outcome,
            Err(error) => AppendOutcome::Failed(error.to_failure()),
        }
    }

    fn try_append(&mut self, index: LogIndex, record: &JobLogRecord) -> Result<AppendOutcome> {
        let log = self.storage()?.log();
        let appended = log.append(index, &records::encode(record)?)?;
        // Only a listing from after the append tells whether the log was compacted before it.
        let tail = log.tail()?.ok_or_else(|| log.gap_before(index))?;
        Ok(match appended {
            Append::Appended => AppendOutcome::Appended { tail },
            Append::Taken(line) => {
                let theirs = Box::new(records::decode(&log, index, &line)?);
                AppendOutcome::Taken { theirs, tail }
            }
        })
    }

    fn answer(&self, input: Input) {
        // Without a receiver the job has ended.
        let _ = self.mailbox.send(Mail::Input(input));
    }
}
