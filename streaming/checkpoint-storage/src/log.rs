//! The job log: a gapless sequence of records, each written once by whoever comes first.
//!
//! Its only demand on a store is create-if-absent. That makes it the place where two masters of
//! one job find out about each other: the one whose index is taken reads who took it.

use crate::{
    error::{Error, Result},
    frame::Kind,
    store::Store,
};
use bytes::Bytes;
use std::{fmt, sync::Arc};
use weir_base::LogIndex;

const FOLDER: &str = "log";

/// How an append ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Append {
    /// The record is durable.
    Appended,
    /// The index was taken; this is the record that stands there. After an ambiguous failure it
    /// may be the caller's own.
    Taken(Vec<u8>),
}

/// The log of one job.
#[derive(Clone)]
pub struct JobLog {
    store: Arc<Store>,
}

impl JobLog {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self { store }
    }

    /// Every record, from index 0. Files in the folder whose name is no index are left alone.
    pub fn load(&self) -> Result<Vec<Vec<u8>>> {
        let mut records = Vec::new();
        loop {
            while let Some(record) = self.read(LogIndex(records.len() as u64))? {
                records.push(record);
            }
            let end = LogIndex(records.len() as u64);
            let Some(beyond) = self.highest()?.filter(|highest| *highest >= end) else {
                return Ok(records);
            };
            // Another master may have appended between the two looks; a hole stays one.
            if self.read(end)?.is_none() {
                return Err(Error::LogGap {
                    missing: self.store.display(&path(end)),
                    found: self.store.display(&path(beyond)),
                });
            }
        }
    }

    /// Creates the record if its index is free. The caller appends in order: the index before
    /// this one is taken.
    ///
    /// When the error [is ambiguous](Error::is_ambiguous), the record may be there: append again
    /// to find out.
    pub fn append(&self, index: LogIndex, record: &[u8]) -> Result<Append> {
        let path = path(index);
        let body = Bytes::copy_from_slice(record);
        if self.store.create(Kind::LogRecord, &path, body)? {
            return Ok(Append::Appended);
        }
        match self.read(index)? {
            Some(record) => Ok(Append::Taken(record)),
            None => Err(Error::Missing { object: self.store.display(&path) }),
        }
    }

    /// The file or object of a record, for people.
    pub fn name_of(&self, index: LogIndex) -> String {
        self.store.display(&path(index))
    }

    fn read(&self, index: LogIndex) -> Result<Option<Vec<u8>>> {
        self.store.read(Kind::LogRecord, &path(index))
    }

    fn highest(&self) -> Result<Option<LogIndex>> {
        let paths = self.store.list(Some(FOLDER))?;
        Ok(paths.iter().filter_map(|path| index_of(path)).max())
    }
}

impl fmt::Debug for JobLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobLog({})", self.store.display(FOLDER))
    }
}

fn path(index: LogIndex) -> String {
    format!("{FOLDER}/{:020}", index.0)
}

fn index_of(path: &str) -> Option<LogIndex> {
    let name = path.strip_prefix(FOLDER)?.strip_prefix('/')?;
    let well_formed = name.len() == 20 && name.bytes().all(|b| b.is_ascii_digit());
    well_formed.then(|| name.parse().ok().map(LogIndex)).flatten()
}
