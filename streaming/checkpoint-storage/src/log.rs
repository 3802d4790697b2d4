//! The job log: a gapless sequence of records, each written once by the master that comes first.
//!
//! Its only demand on a store is create-if-absent. That makes it the place where two masters of
//! one job find out about each other: the one whose index is taken reads who took it.
//!
//! Old records are deleted once a later one holds what they amount to. That makes their indexes
//! free again, so a create that succeeds proves nothing by itself: the writer lists the log
//! afterwards ([`JobLog::tail`]). Its record counts only if it is the newest and no record is
//! missing between those the writer had read and its own.

use crate::{
    error::{Error, Result},
    frame::Kind,
    store::Store,
};
use bytes::Bytes;
use std::{collections::BTreeSet, fmt, ops::RangeInclusive, sync::Arc};
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

    /// The records there are, and the index of the first of them: from the newest back to the first
    /// gap, for a compacted log has lost its older records. Two listings must show the same gap. The
    /// caller decides whether records are missing. Files in the folder whose name is no index are left
    /// alone.
    pub fn load(&self) -> Result<(LogIndex, Vec<Vec<u8>>)> {
        let mut first_before = LogIndex(0);
        loop {
            let Some(tail) = self.tail()? else {
                // A folder that cannot be read may list as an empty one.
                match self.read(LogIndex(0))? {
                    None => return Ok((LogIndex(0), Vec::new())),
                    Some(_) => continue,
                }
            };
            let (first, last) = tail.into_inner();
            // A listing may show a record that was created during it and none of those before it,
            // because they were created or deleted during it. The next listing shows them, or a later
            // first record.
            if std::mem::replace(&mut first_before, first) != first {
                continue;
            }
            let indexes = (first.0..=last.0).map(LogIndex);
            let read: Result<Option<Vec<_>>> = indexes.map(|index| self.read(index)).collect();
            if let Some(records) = read? {
                return Ok((first, records));
            }
            // A record was deleted between the two looks: the log was compacted in between.
        }
    }

    /// Indexes of the newest record and of those before it without a gap; `None` in an empty log.
    pub fn tail(&self) -> Result<Option<RangeInclusive<LogIndex>>> {
        let indexes = self.indexes()?;
        let Some(last) = indexes.last().copied() else { return Ok(None) };
        let mut first = last.0;
        while first > 0 && indexes.contains(&LogIndex(first - 1)) {
            first -= 1;
        }
        Ok(Some(LogIndex(first)..=last))
    }

    /// Deletes the records before an index, oldest first. The caller knows that the record at this
    /// index is durable and holds all that they amount to, and that another such record has been
    /// written since: readers that are slow to list the log count on that.
    pub fn delete_below(&self, index: LogIndex) -> Result<()> {
        for old in self.indexes()?.range(..index) {
            self.store.delete(&path(*old))?;
        }
        Ok(())
    }

    /// The error of a log whose first record is this one although others must have been before it.
    pub fn gap_before(&self, first: LogIndex) -> Error {
        let missing = LogIndex(first.0.saturating_sub(1));
        Error::LogGap {
            missing: self.store.display(&path(missing)),
            found: self.store.display(&path(first)),
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

    /// The file or object of a record, as text.
    pub fn name_of(&self, index: LogIndex) -> String {
        self.store.display(&path(index))
    }

    fn read(&self, index: LogIndex) -> Result<Option<Vec<u8>>> {
        self.store.read(Kind::LogRecord, &path(index))
    }

    /// Every index there is. A listing takes time and shows for certain only what exists all that
    /// time. While another master compacts the log it may show nothing of what is new and nothing of
    /// what was old; but a record outlives two snapshot records behind it, so as long as the newest one
    /// listed still exists, no record that was there at the start and is still needed is missing.
    fn indexes(&self) -> Result<BTreeSet<LogIndex>> {
        let mut was_empty = false;
        loop {
            let paths = self.store.list(Some(FOLDER))?;
            let indexes: BTreeSet<_> = paths.iter().filter_map(|path| index_of(path)).collect();
            let is_whole = match indexes.last() {
                Some(newest) => self.store.exists(&path(*newest))?,
                None => was_empty,
            };
            if is_whole {
                return Ok(indexes);
            }
            was_empty = indexes.is_empty();
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::torn_listing::TornListing;
    use object_store::memory::InMemory;

    fn log(objects: impl object_store::ObjectStore) -> JobLog {
        JobLog::new(Arc::new(Store::new(Box::new(objects))))
    }

    #[test]
    fn log_that_is_compacted_during_a_listing_has_no_gap() {
        let objects = Arc::new(InMemory::new());
        let other = log(Arc::clone(&objects));
        let append = |log: &JobLog, index: u8| {
            assert_eq!(log.append(LogIndex(index.into()), &[index]).unwrap(), Append::Appended);
        };
        (0..=7).for_each(|index| append(&other, index));
        other.delete_below(LogIndex(6)).unwrap();
        let mine = log(TornListing::of(objects, move || {
            (8..=12).for_each(|index| append(&other, index));
            other.delete_below(LogIndex(9)).unwrap();
        }));
        assert_eq!(
            mine.load().unwrap(),
            (LogIndex(9), (9..=12).map(|index| vec![index]).collect())
        );
    }
}
