//! The sink of our side: counts what arrives and sums a number of each record, then drops it.

use crate::{outcome::Answer, work::SharedTally};
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::{
    fs,
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};
use weir::{Committer, Record, Sink, SinkContext, SinkWriter, TaskResult};

/// Adds `number_of` each record to a shared tally.
pub struct TallySink<T, F> {
    tally: Arc<SharedTally>,
    /// Where subtasks leave reports, in processes of their own.
    reports: Option<PathBuf>,
    number_of: F,
    record: PhantomData<fn(T)>,
}

impl<T, F> TallySink<T, F> {
    /// A sink that adds to `tally` when its subtasks end.
    pub fn new(tally: &Arc<SharedTally>, number_of: F) -> Self {
        Self { tally: Arc::clone(tally), reports: None, number_of, record: PhantomData }
    }

    /// A sink whose subtasks each leave a [`Report`] in this folder when they end.
    pub fn reporting(folder: &Path, number_of: F) -> Self {
        let reports = Some(folder.to_owned());
        Self { tally: Arc::default(), reports, number_of, record: PhantomData }
    }
}

/// Records seen by one subtask. Times are in microseconds since 1970: all clocks are this machine's.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Report {
    /// Its part of the answer.
    pub answer: Answer,
    /// When the first batch came.
    pub first_us: u64,
    /// When it ended.
    pub last_us: u64,
}

impl Report {
    /// The reports of all subtasks.
    pub fn read_all(folder: &Path) -> anyhow::Result<Vec<Self>> {
        let entries = fs::read_dir(folder)?;
        let read = |entry: fs::DirEntry| -> anyhow::Result<Self> {
            let text = fs::read(entry.path())?;
            serde_json::from_slice(&text).with_context(|| entry.path().display().to_string())
        };
        entries.map(|entry| read(entry?)).collect()
    }
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A report to be written.
struct Draft {
    path: PathBuf,
    first_us: Option<u64>,
}

impl Draft {
    fn write(&self, answer: Answer) -> std::io::Result<()> {
        let last_us = now_us();
        let report = Report { answer, first_us: self.first_us.unwrap_or(last_us), last_us };
        fs::write(&self.path, serde_json::to_vec(&report)?)
    }
}

struct Writer<T, F> {
    tally: SharedTally,
    draft: Option<Draft>,
    number_of: F,
    record: PhantomData<fn(T)>,
}

impl<T: Record, F: Fn(&T) -> u64 + Clone + Send + Sync + 'static> Sink for TallySink<T, F> {
    type Item = T;
    type Committable = ();
    type WriterState = ();

    fn name(&self) -> String {
        "Tally".to_owned()
    }

    fn specification(&self) -> TaskResult<Vec<u8>> {
        Ok(Vec::new())
    }

    fn commits(&self) -> bool {
        false
    }

    fn writer(
        &self,
        context: &SinkContext<'_>,
        _: Vec<()>,
    ) -> TaskResult<Box<dyn SinkWriter<Item = T, Committable = (), WriterState = ()>>> {
        let name = format!("tally-{}", context.info.subtask);
        let draft = |folder: &PathBuf| Draft { path: folder.join(name), first_us: None };
        Ok(Box::new(Writer {
            tally: self.tally.as_ref().clone(),
            draft: self.reports.as_ref().map(draft),
            number_of: self.number_of.clone(),
            record: PhantomData,
        }))
    }

    fn committer(&self, _: &SinkContext<'_>) -> TaskResult<Box<dyn Committer<Committable = ()>>> {
        Ok(Box::new(Nothing))
    }
}

impl<T: Record, F: Fn(&T) -> u64 + Send> SinkWriter for Writer<T, F> {
    type Item = T;
    type Committable = ();
    type WriterState = ();

    fn write(&mut self, records: Vec<T>) -> TaskResult<()> {
        if let Some(draft) = &mut self.draft {
            draft.first_us.get_or_insert_with(now_us);
        }
        for record in &records {
            self.tally.add((self.number_of)(record));
        }
        Ok(())
    }

    fn prepare_commit(&mut self, _: weir::CheckpointId) -> TaskResult<Vec<()>> {
        Ok(Vec::new())
    }
}

impl<T, F> Drop for Writer<T, F> {
    fn drop(&mut self) {
        let Some(draft) = &self.draft else { return };
        if let Err(error) = draft.write(self.tally.own()) {
            eprintln!("{} is not written: {error}", draft.path.display());
        }
    }
}

struct Nothing;

impl Committer for Nothing {
    type Committable = ();

    fn commit(&mut self, _: Vec<()>) -> TaskResult<()> {
        Ok(())
    }
}
