//! Writes one subtask's lines into segments.

use super::{
    CommitWay, TextFileCommittable, TextFileState,
    claim::Claim,
    place::{CANNOT_WRITE, Place, remove_file, sync_folder},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read, Write},
    marker::PhantomData,
    path::{Path, PathBuf},
    sync::Arc,
};
use weir_base::CheckpointId;
use weir_dataflow::{Error, Result, SinkContext, SinkWriter, error::file_error};

/// Bytes gathered before they are written.
const BUFFER_BYTES: usize = 256 << 10;

/// Writes one file. See the module's documentation.
pub(super) struct TextFileWriter<T, F> {
    place: Place,
    /// Held until the writer is closed.
    claim: Option<Claim>,
    format: Arc<F>,
    /// Lines that are not in the segment yet.
    text: String,
    segment: Option<Segment>,
    next_segment: u64,
    file: PathBuf,
    /// Bytes of the file that are prepared or committed; `None` until the first prepare.
    length: Option<u64>,
    /// How the next segment becomes part of the file.
    way: CommitWay,
    /// Name of the segment that replaces the file, once it is prepared.
    replacement: Option<String>,
    /// States of files that this writer was given and does not write.
    carried: Vec<TextFileState>,
    item: PhantomData<fn(T)>,
}

struct Segment {
    path: PathBuf,
    file: File,
    length: u64,
    checksum: crc32fast::Hasher,
}

impl<T, F> TextFileWriter<T, F> {
    pub fn open(
        place: Place,
        format: Arc<F>,
        context: &SinkContext<'_>,
        mut restored: Vec<TextFileState>,
    ) -> Result<Self> {
        let restored_attempt = restored.iter().map(|state| state.attempt).max();
        // Files of another path are finished: the program was told to write here from now on.
        restored.retain(|state| state.output == place.output);
        check_layout(&place, &restored)?;
        let own = restored.iter().position(|state| state.subtask == place.subtask);
        let (file, length, way, replacement) = match own.map(|index| restored.remove(index)) {
            Some(state) => {
                let way = way_after(&state, &place)?;
                (state.file, Some(state.length), way, state.replacement)
            }
            None => (start_file(&place, context.restored)?, None, CommitWay::MakesFile, None),
        };
        let claim = place.claim()?;
        match restored_attempt {
            Some(attempt) => place.sweep_after_restore(attempt)?,
            // Without a state the committer sweeps, when the first checkpoint is complete.
            None if context.restored => {}
            None => {
                claim.refuse_beside_other_jobs(&place.output)?;
                place.sweep_for_fresh_start()?;
            }
        }
        Ok(Self {
            place,
            claim: Some(claim),
            format,
            text: String::with_capacity(BUFFER_BYTES + BUFFER_BYTES / 8),
            segment: None,
            next_segment: 0,
            file,
            length,
            way,
            replacement,
            carried: restored,
            item: PhantomData,
        })
    }

    /// Moves the gathered lines into the segment, which is made if there is none.
    fn write_out(&mut self) -> Result<()> {
        if self.segment.is_none() {
            let mut segment = self.make_segment()?;
            if self.way == CommitWay::ReplacesFile {
                segment.copy_start(&self.file, self.length.unwrap_or(0))?;
            }
            self.segment = Some(segment);
        }
        if let Some(segment) = &mut self.segment {
            segment.append(self.text.as_bytes())?;
        }
        self.text.clear();
        Ok(())
    }

    /// A new segment. It never takes over a file that is there: that may be waiting for its
    /// commit, under an attempt of the same number of the job it was restored from.
    fn make_segment(&mut self) -> Result<Segment> {
        loop {
            let path = self.place.segment(self.next_segment);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    self.next_segment += 1;
                    self.place.made.add(&path);
                    return Ok(Segment::new(path, file));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => self.next_segment += 1,
                // The folder was removed by hand.
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.claim = Some(self.place.claim()?);
                }
                Err(error) => return Err(file_error(CANNOT_WRITE, "create", &path, &error)),
            }
        }
    }
}

/// A restored job must have the layout of its parallelism: one file, or a folder of parts.
fn check_layout(place: &Place, restored: &[TextFileState]) -> Result<()> {
    let is_single = place.parallelism == 1;
    let Some(other) = restored.iter().find(|state| (state.file == place.output) != is_single)
    else {
        return Ok(());
    };
    let (output, parallelism) = (place.output.display(), place.parallelism);
    let (was, is) = if is_single {
        ("a folder of part files", "one file")
    } else {
        ("one file", "a folder of part files")
    };
    Err(Error::permanent(
        "WEIR-SINK-0005",
        format!(
            "output {output} is {was} ({}), and with parallelism {parallelism} it would be {is}: \
             give the sink the kind of parallelism it had, or a new path",
            other.file.display()
        ),
    ))
}

/// How a restored writer goes on in its file. A file that is longer than its state has output of
/// later checkpoints, which will be written again. So a newer attempt's output looks to an attempt
/// that was suspended, whose checkpoints will never be complete.
fn way_after(state: &TextFileState, place: &Place) -> Result<CommitWay> {
    let exists = |path: &Path| match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error(CANNOT_WRITE, "look at", path, &error)),
    };
    // Another subtask may still have to commit the replacement. What it replaces is not looked at.
    let replacement = state.replacement.as_ref().map(|name| place.work_folder.join(name));
    if let Some(segment) = replacement
        && exists(&segment)?.is_some()
    {
        return Ok(CommitWay::Appends);
    }
    let is_longer = exists(&state.file)?.is_some_and(|length| length > state.length);
    Ok(if is_longer { CommitWay::ReplacesFile } else { CommitWay::Appends })
}

/// The file of a writer without state; it is an error if it exists already.
fn start_file(place: &Place, restored: bool) -> Result<PathBuf> {
    let (file, must_be_new) = if restored {
        (place.joining_file(), place.joining_file())
    } else {
        (place.first_file(), place.output.clone())
    };
    match fs::symlink_metadata(&must_be_new) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(file),
        Err(error) => Err(file_error(CANNOT_WRITE, "look at output", &must_be_new, &error)),
        Ok(_) => Err(Error::permanent(
            "WEIR-SINK-0001",
            format!(
                "output {} exists already: remove it or choose another path; nothing was \
                 overwritten",
                must_be_new.display()
            ),
        )),
    }
}

impl<T, F: Fn(&T, &mut String) + Send + Sync> SinkWriter for TextFileWriter<T, F> {
    type Item = T;
    type Committable = TextFileCommittable;
    type WriterState = TextFileState;

    fn write(&mut self, records: Vec<T>) -> Result<()> {
        for record in &records {
            (self.format)(record, &mut self.text);
            self.text.push('\n');
            if self.text.len() >= BUFFER_BYTES {
                self.write_out()?;
            }
        }
        Ok(())
    }

    fn prepare_commit(&mut self, _checkpoint: CheckpointId) -> Result<Vec<TextFileCommittable>> {
        // The first one makes or replaces the file, even if there are no lines to put into it.
        if !self.text.is_empty() || (self.way != CommitWay::Appends && self.segment.is_none()) {
            self.write_out()?;
        }
        if let Some(segment) = &self.segment {
            segment.sync()?;
            sync_folder(&self.place.work_folder)?;
        }
        let Some(segment) = self.segment.take() else {
            return Ok(Vec::new());
        };
        let way = std::mem::replace(&mut self.way, CommitWay::Appends);
        let offset = if way == CommitWay::Appends { self.length.unwrap_or(0) } else { 0 };
        if way == CommitWay::ReplacesFile {
            let name = segment.path.file_name().and_then(|name| name.to_str());
            self.replacement = name.map(ToOwned::to_owned);
        }
        let committable = TextFileCommittable {
            segment: segment.path,
            file: self.file.clone(),
            way,
            offset,
            length: segment.length,
            checksum: segment.checksum.finalize(),
        };
        self.length = Some(offset + segment.length);
        Ok(vec![committable])
    }

    fn snapshot(&mut self) -> Result<Vec<TextFileState>> {
        let own = self.length.map(|length| TextFileState {
            output: self.place.output.clone(),
            file: self.file.clone(),
            subtask: self.place.subtask,
            length,
            replacement: self.replacement.clone(),
            attempt: self.place.attempt,
        });
        let carried = self.carried.iter().cloned();
        let carried = carried.map(|state| TextFileState { attempt: self.place.attempt, ..state });
        Ok(own.into_iter().chain(carried).collect())
    }

    fn close(&mut self) -> Result<()> {
        self.text = String::new();
        if let Some(segment) = self.segment.take() {
            remove_file(&segment.path)?;
        }
        self.claim = None;
        Ok(())
    }
}

impl Segment {
    fn new(path: PathBuf, file: File) -> Self {
        Self { path, file, length: 0, checksum: crc32fast::Hasher::new() }
    }

    fn append(&mut self, text: &[u8]) -> Result<()> {
        self.write_all(text).map_err(|error| file_error(CANNOT_WRITE, "write", &self.path, &error))
    }

    /// Copies the first bytes of a file.
    fn copy_start(&mut self, path: &Path, length: u64) -> Result<()> {
        let failed = |error| file_error(CANNOT_WRITE, "copy", path, &error);
        let mut start = File::open(path).map_err(failed)?.take(length);
        io::copy(&mut start, self).map_err(failed)?;
        if self.length != length {
            return Err(failed(io::Error::new(
                ErrorKind::UnexpectedEof,
                format!("it has only {} of {length} bytes", self.length),
            )));
        }
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|error| file_error(CANNOT_WRITE, "sync", &self.path, &error))
    }
}

/// Counts and sums what is written.
impl Write for Segment {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.checksum.update(&bytes[..written]);
        self.length += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_has_a_code_of_its_own() {
        let path = PathBuf::from("/dev/full");
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        let mut segment = Segment::new(path, file);
        let error = segment.append(b"line\n").unwrap_err();
        assert_eq!(error.code(), "WEIR-SINK-0003");
        assert_eq!(segment.length, 0);
    }
}
