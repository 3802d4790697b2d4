//! Makes segments part of their files. Each step leaves something from which the commit can be
//! repeated, after a crash of the process or of the machine.
//!
//! ```text
//! segment   file             what is done
//! there     must not exist   (makes the file)      rename, sync folders
//! there     any              (replaces the file)   rename, sync folders
//! there     has >= offset    (appends)             write at offset, sync, remove, sync
//! gone      has its bytes    committed before: nothing
//! ```
//!
//! | crash after | found on restore | repeated commit |
//! |---|---|---|
//! | nothing | segment, no file or the old one | renames |
//! | rename | no segment, file | passes over |
//! | part of the append | segment, file longer than `offset` | writes the same bytes again |
//! | append, sync | segment, file whole | writes the same bytes again |
//! | remove | no segment, file whole | passes over |
//!
//! The removal is synced before the next segment is appended, so a segment that is there is always
//! the last one. A file under its public name never gets shorter, and a segment can be renamed only
//! once. So an attempt that is suspended inside a commit and goes on after a newer attempt has
//! repeated it writes the same bytes to the same place, or finds nothing to rename.

use super::{
    CommitWay, TextFileCommittable,
    place::{CANNOT_WRITE, Place, make_folder, remove_file, sync_folder, sync_removal},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom},
    path::Path,
};
use weir_dataflow::{Committer, Error, Result, error::file_error};

/// Bytes read at once for a checksum.
const READ_BYTES: usize = 256 << 10;

/// Commits the segments of one subtask. See the module's documentation.
pub(super) struct TextFileCommitter {
    place: Place,
    phase: Phase,
}

/// Segments that the restored checkpoint names may only be swept when every subtask, not just this
/// one, has committed what was restored. The first completed checkpoint says so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The next call commits what was restored.
    Restoring,
    /// The next call commits the first checkpoint of this attempt.
    BeforeSweep,
    Swept,
}

impl TextFileCommitter {
    pub fn new(place: Place, restored: bool) -> Self {
        // On a fresh start the writer has swept: there was nothing to restore.
        Self { place, phase: if restored { Phase::Restoring } else { Phase::Swept } }
    }
}

impl Committer for TextFileCommitter {
    type Committable = TextFileCommittable;

    fn commit(&mut self, committables: Vec<TextFileCommittable>) -> Result<()> {
        for committable in &committables {
            commit(committable)?;
            self.place.made.forget(&committable.segment);
        }
        self.phase = match self.phase {
            Phase::Restoring => Phase::BeforeSweep,
            Phase::BeforeSweep => {
                self.place.sweep_after_checkpoint()?;
                Phase::Swept
            }
            Phase::Swept => Phase::Swept,
        };
        Ok(())
    }
}

fn commit(committable: &TextFileCommittable) -> Result<()> {
    match length_of(&committable.segment)? {
        None => check_committed(committable),
        Some(length) if length != committable.length => Err(changed(
            committable,
            &format!("segment {} has {length} bytes", committable.segment.display()),
        )),
        Some(_) => match committable.way {
            CommitWay::Appends => append(committable),
            CommitWay::MakesFile if length_of(&committable.file)?.is_some() => {
                Err(changed(committable, "another job or program created the file"))
            }
            CommitWay::MakesFile | CommitWay::ReplacesFile => rename(committable),
        },
    }
}

fn rename(committable: &TextFileCommittable) -> Result<()> {
    let file = &committable.file;
    if let Some(folder) = file.parent() {
        make_folder(folder)?;
    }
    fs::rename(&committable.segment, file)
        .map_err(|error| file_error(CANNOT_WRITE, "rename the output to", file, &error))?;
    file.parent().map_or(Ok(()), sync_folder)?;
    sync_segments(committable)
}

fn append(committable: &TextFileCommittable) -> Result<()> {
    let path = &committable.file;
    match length_of(path)? {
        None => return Err(changed(committable, "the file is gone")),
        Some(length) if length < committable.offset => {
            return Err(changed(committable, &format!("the file has {length} bytes")));
        }
        Some(_) => {}
    }
    let copied = copy_to(committable)
        .map_err(|error| file_error(CANNOT_WRITE, "append to", path, &error))?;
    if copied != committable.length {
        return Err(changed(committable, &format!("the segment gave only {copied} bytes")));
    }
    remove_file(&committable.segment)?;
    sync_segments(committable)
}

/// Writes the segment's bytes to their place. What an earlier try has written lies within, and what
/// lies behind was committed later by a newer attempt.
fn copy_to(committable: &TextFileCommittable) -> io::Result<u64> {
    let mut segment = File::open(&committable.segment)?;
    let mut file = OpenOptions::new().write(true).open(&committable.file)?;
    file.seek(SeekFrom::Start(committable.offset))?;
    let copied = io::copy(&mut segment, &mut file)?;
    file.sync_data()?;
    Ok(copied)
}

fn check_committed(committable: &TextFileCommittable) -> Result<()> {
    match length_of(&committable.file)? {
        Some(length) if length < committable.offset + committable.length => {
            Err(changed(committable, &format!("the file has {length} bytes and no segment")))
        }
        Some(_) if committed_checksum(committable)? != committable.checksum => {
            let found = "there is no segment, and the file has other content there; another job or \
                         program wrote it";
            Err(changed(committable, found))
        }
        Some(_) => Ok(()),
        None => Err(changed(committable, "file and segment are gone")),
    }
}

/// Checksum of the bytes of the file that the segment became.
fn committed_checksum(committable: &TextFileCommittable) -> Result<u32> {
    let path = &committable.file;
    let sum = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(committable.offset))?;
        let mut bytes = BufReader::with_capacity(READ_BYTES, file.take(committable.length));
        let mut checksum = crc32fast::Hasher::new();
        loop {
            let piece = bytes.fill_buf()?;
            if piece.is_empty() {
                return Ok(checksum.finalize());
            }
            checksum.update(piece);
            let length = piece.len();
            bytes.consume(length);
        }
    };
    sum().map_err(|error| file_error(CANNOT_WRITE, "read", path, &error))
}

fn length_of(path: &Path) -> Result<Option<u64>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(file_error(CANNOT_WRITE, "look at", path, &error)),
    }
}

fn sync_segments(committable: &TextFileCommittable) -> Result<()> {
    committable.segment.parent().map_or(Ok(()), sync_removal)
}

fn changed(committable: &TextFileCommittable, found: &str) -> Error {
    let (file, offset) = (committable.file.display(), committable.offset);
    let end = offset + committable.length;
    Error::permanent(
        "WEIR-SINK-0004",
        format!(
            "output {file} was changed after the job wrote it, so bytes {offset} to {end} cannot be \
             committed: {found}"
        ),
    )
}
