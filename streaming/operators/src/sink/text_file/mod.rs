//! Sink that writes records as lines of text files, each line exactly once (`write_as_text`).
//!
//! ```text
//! parallelism 1:  out                 parallelism n:  out/part-0 … out/part-<n-1>
//!
//! .out.inprogress/<job>-<subtask>-<attempt>-<n>     segments: what is not committed yet
//!     write ─▶ segment ─▶ barrier: sync, close ─▶ checkpoint complete: becomes the file,
//!                                                 or is appended to it
//! ```
//!
//! Semantics: a file gets its name, and grows, only when a checkpoint is complete; what a reader
//! sees under that name is output that will never be taken back by a restart. Nothing that exists
//! is overwritten. A writer's first commit always makes its file, so that a subtask without
//! records leaves an empty one.
//!
//! **Sweeping.** A restart leaves segments behind that no checkpoint will ever commit. The next
//! attempt removes them before it writes: after a fresh start those of all earlier attempts; after
//! a restore those of the attempts between the one whose checkpoint was restored and itself. The
//! rest goes when its first checkpoint is complete. Never touched are segments that the restored
//! checkpoint names, and those of a newer attempt: this one may have been stalled and replaced.
//!
//! **Restarts.** A commit can be cut off anywhere and is repeated (see `committer`). A writer goes
//! on in the file whose state it was given. Where the parallelism has changed, a subtask without
//! such a state starts a file `part-<subtask>-<attempt>` of its own, because `part-<subtask>` may
//! belong to another one; files that no subtask writes any more stay as they are, and their state is
//! carried along until one does. Between one subtask and several the layout differs: such a restart
//! is refused.
//!
//! **Suspended attempts.** An attempt may be suspended, replaced by a newer one, and go on later. So
//! everything an attempt does before its checkpoint is complete happens to files whose names contain
//! its own number, and no file under its public name is ever shortened. If a job resumes from an older
//! checkpoint, its file is longer than that checkpoint knows. Then the first segment begins with a copy
//! of what stays, and its commit replaces the file by a rename, which can happen only once.
//!
//! State: for each file its length, prepared or committed, the segment that replaces it, and the
//! attempt that took the snapshot. At a barrier the segment is synced and closed; at the end nothing is special. [`SinkWriter::close`] removes the segment that was never
//! prepared, and the work folder once it is empty. Cost: formatting into a 256 KiB buffer; per
//! checkpoint with new lines two syncs at the barrier, and at the commit a rename or a copy. Resuming
//! from an older checkpoint copies each file that is longer.
//!
//! **Other jobs.** A job never touches segments of another one: their names contain the job's id. A job
//! that starts while another one writes to its path is refused (see `claim`). If the other job is between
//! two attempts at that moment, both run, and the second to commit fails (`WEIR-SINK-0004`). A segment
//! that is gone counts as committed only if the file contains its bytes, so a job never continues in a
//! file that another one has made.

mod claim;
mod committer;
mod place;
#[cfg(test)]
mod tests;
mod writer;

use crate::source::path_bytes;
use committer::TextFileCommitter;
use place::{MadeSegments, Place};
use serde::{Deserialize, Serialize};
use std::{marker::PhantomData, path::PathBuf, sync::Arc};
use weir_dataflow::{BoxedWriter, Committer, Record, Result, Sink, SinkContext, codec};
use writer::TextFileWriter;

/// Writes records as lines. See the module's documentation.
pub struct TextFileSink<T, F> {
    path: PathBuf,
    format: Arc<F>,
    made: MadeSegments,
    item: PhantomData<fn(T)>,
}

impl<T, F: Fn(&T, &mut String)> TextFileSink<T, F> {
    /// Writes to the file or, with several subtasks, the folder `path`, which must not exist; a
    /// relative path starts at the working folder of the process that writes. `format` appends a
    /// record's text, without the line's end.
    pub fn new(path: impl Into<PathBuf>, format: F) -> Self {
        let made = MadeSegments::default();
        Self { path: path.into(), format: Arc::new(format), made, item: PhantomData }
    }
}

/// A segment that is ready to become part of its file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TextFileCommittable {
    /// Absolute path of the segment.
    #[serde(with = "path_bytes")]
    pub segment: PathBuf,
    /// Absolute path of the file.
    #[serde(with = "path_bytes")]
    pub file: PathBuf,
    /// How the segment becomes part of the file.
    pub way: CommitWay,
    /// Where in the file the segment starts, in bytes.
    pub offset: u64,
    /// Length of the segment in bytes.
    pub length: u64,
    /// CRC-32 of the segment. It proves after the commit that the bytes of the file are these.
    pub checksum: u32,
}

/// How a segment becomes part of its file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum CommitWay {
    /// Its bytes are appended.
    Appends,
    /// It becomes the file, which must not exist.
    MakesFile,
    /// It becomes the file in place of one that is longer than the restored checkpoint knows. It
    /// begins with a copy of what stays.
    ReplacesFile,
}

/// A file of the output, as of a barrier.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TextFileState {
    /// Absolute path of the output: `file` itself, or the folder it lies in.
    #[serde(with = "path_bytes")]
    pub output: PathBuf,
    /// Absolute path of the file.
    #[serde(with = "path_bytes")]
    pub file: PathBuf,
    /// The subtask that writes it.
    pub subtask: u32,
    /// Bytes that are prepared or committed.
    pub length: u64,
    /// Name of the segment by which this attempt replaces the file, once it is prepared. While the
    /// segment exists, the file is still the old one.
    pub replacement: Option<String>,
    /// The execution attempt that took this snapshot. Every segment that the snapshot's checkpoint
    /// names was prepared by it.
    pub attempt: u64,
}

impl<T: Record, F: Fn(&T, &mut String) + Send + Sync + 'static> Sink for TextFileSink<T, F> {
    type Item = T;
    type Committable = TextFileCommittable;
    type WriterState = TextFileState;

    fn name(&self) -> String {
        "Text File Sink".to_owned()
    }

    fn specification(&self) -> Result<Vec<u8>> {
        codec::encode(self.path.as_os_str().as_encoded_bytes())
    }

    fn commits(&self) -> bool {
        true
    }

    fn writer(
        &self,
        context: &SinkContext<'_>,
        restored: Vec<TextFileState>,
    ) -> Result<BoxedWriter<Self>> {
        let place = Place::of(&self.path, context.info, &self.made)?;
        let writer = TextFileWriter::open(place, Arc::clone(&self.format), context, restored)?;
        Ok(Box::new(writer))
    }

    fn committer(
        &self,
        context: &SinkContext<'_>,
    ) -> Result<Box<dyn Committer<Committable = TextFileCommittable>>> {
        let place = Place::of(&self.path, context.info, &self.made)?;
        Ok(Box::new(TextFileCommitter::new(place, context.restored)))
    }

    fn abandon(&self) -> Result<()> {
        self.made.remove_all()
    }
}
