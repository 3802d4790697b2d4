//! Names and folders of one subtask's output.

use super::claim::{Claim, release};
use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, DirEntry, File},
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use weir_base::JobId;
use weir_dataflow::{Error, Result, SubtaskInfo, error::file_error};

pub(super) const CANNOT_WRITE: &str = "WEIR-SINK-0002";

/// Where the output of one subtask goes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The file, or the folder of parts.
    pub output: PathBuf,
    /// The hidden folder of segments beside it.
    pub work_folder: PathBuf,
    pub job: JobId,
    pub subtask: u32,
    pub parallelism: u32,
    pub attempt: u64,
    pub made: MadeSegments,
}

/// Segments that this process has made for a sink and that are not committed yet.
#[derive(Clone, Debug)]
pub(super) struct MadeSegments {
    paths: Arc<Mutex<BTreeSet<PathBuf>>>,
    /// Before this time this process has written nothing.
    since: SystemTime,
}

/// How far the clock of a file system may be behind that of this process.
const FILE_CLOCK_LAG: Duration = Duration::from_secs(1);

impl Default for MadeSegments {
    fn default() -> Self {
        Self { paths: Arc::default(), since: SystemTime::now() - FILE_CLOCK_LAG }
    }
}

impl MadeSegments {
    fn lock(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, segment: &Path) {
        self.lock().insert(segment.to_owned());
    }

    pub fn forget(&self, segment: &Path) {
        self.lock().remove(segment);
    }

    /// Removes them all, and their folder if no other segment is in it.
    pub fn remove_all(&self) -> Result<()> {
        for segment in std::mem::take(&mut *self.lock()) {
            remove_file(&segment)?;
            let owner = segment.file_name().and_then(|name| segment_owner(name.to_str()?));
            if let (Some(folder), Some(owner)) = (segment.parent(), owner) {
                release(folder, owner.job);
            }
        }
        Ok(())
    }
}

impl Place {
    pub fn of(path: &Path, info: &SubtaskInfo, made: &MadeSegments) -> Result<Self> {
        let refused = |why: String| {
            Error::permanent(CANNOT_WRITE, format!("cannot write to output path {path:?}: {why}"))
        };
        let output = std::path::absolute(path).map_err(|error| refused(error.to_string()))?;
        let Some(name) = output.file_name() else {
            return Err(refused("it does not end in a name".to_owned()));
        };
        let mut work_name = OsString::from(".");
        work_name.push(name);
        work_name.push(".inprogress");
        Ok(Self {
            work_folder: output.with_file_name(work_name),
            output,
            job: info.job,
            subtask: info.subtask,
            parallelism: info.parallelism,
            attempt: info.attempt.0,
            made: made.clone(),
        })
    }

    /// The file of a writer that starts with the job.
    pub fn first_file(&self) -> PathBuf {
        match self.parallelism {
            1 => self.output.clone(),
            _ => self.output.join(format!("part-{}", self.subtask)),
        }
    }

    /// The file of a writer that joins a job which has had another parallelism. Only this attempt
    /// of this subtask has a file of that name.
    pub fn joining_file(&self) -> PathBuf {
        match self.parallelism {
            1 => self.output.clone(),
            _ => self.output.join(format!("part-{}-{}", self.subtask, self.attempt)),
        }
    }

    pub fn segment(&self, number: u64) -> PathBuf {
        let Self { job, subtask, attempt, .. } = self;
        self.work_folder.join(format!("{job}-{subtask}-{attempt}-{number}"))
    }

    /// Makes the work folder, and shows other jobs that this one writes.
    pub fn claim(&self) -> Result<Claim> {
        Claim::take(&self.work_folder, self.job)
    }

    /// Before a writer starts from nothing: no checkpoint is complete, so nothing of earlier attempts
    /// is needed. A higher attempt has replaced this one while this one was suspended, unless it wrote
    /// before this process began: then the job was run earlier under the same id, and has ended.
    pub fn sweep_for_fresh_start(&self) -> Result<()> {
        self.sweep(|attempt, segment| {
            let is_old = || Ok(segment.metadata()?.modified()? < self.made.since);
            if attempt <= self.attempt { Ok(true) } else { is_old() }
        })
    }

    /// Before a writer goes on from a checkpoint that the attempt `restored` has taken: what later
    /// attempts have prepared belongs to no completed checkpoint, or that one would be restored.
    /// What `restored` itself has prepared may still be waiting for another subtask to commit it.
    pub fn sweep_after_restore(&self, restored: u64) -> Result<()> {
        self.sweep(|attempt, _| Ok(attempt > restored && attempt < self.attempt))
    }

    /// When a checkpoint of this attempt is complete: every subtask has committed what was restored.
    pub fn sweep_after_checkpoint(&self) -> Result<()> {
        self.sweep(|attempt, _| Ok(attempt < self.attempt))
    }

    /// Removes segments of this job that are not needed, by their attempt and file: those of this
    /// subtask, and its share of those whose subtask no longer exists.
    fn sweep(&self, is_left: impl Fn(u64, &DirEntry) -> io::Result<bool>) -> Result<()> {
        let failed = |error| file_error(CANNOT_WRITE, "sweep", &self.work_folder, &error);
        let entries = match fs::read_dir(&self.work_folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let owner = entry.file_name().to_str().and_then(segment_owner);
            let Some(owner) = owner.filter(|one| one.job == self.job && self.sweeps(one.subtask))
            else {
                continue;
            };
            match is_left(owner.attempt, &entry) {
                Ok(true) => {
                    remove_file(&entry.path())?;
                    self.made.forget(&entry.path());
                }
                Ok(false) => {}
                // Its writer has removed it meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }

    fn sweeps(&self, subtask: u32) -> bool {
        subtask == self.subtask
            || (subtask >= self.parallelism && subtask % self.parallelism == self.subtask)
    }
}

/// Who wrote a segment.
pub(super) struct SegmentOwner {
    pub job: JobId,
    pub subtask: u32,
    pub attempt: u64,
}

/// The owner in a segment's name.
pub(super) fn segment_owner(name: &str) -> Option<SegmentOwner> {
    let mut parts = name.split('-');
    let owner = SegmentOwner {
        job: parts.next()?.parse().ok()?,
        subtask: parts.next()?.parse().ok()?,
        attempt: parts.next()?.parse().ok()?,
    };
    let _number: u64 = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(owner)
}

/// Makes a folder and those around it, durably.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(folder)
        .map_err(|error| file_error(CANNOT_WRITE, "create folder", folder, &error))?;
    folder.parent().map_or(Ok(()), sync_folder)
}

/// Removes a file that may be gone already.
pub(super) fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(file_error(CANNOT_WRITE, "remove", path, &error))
        }
        _ => Ok(()),
    }
}

/// Makes what was created and renamed in a folder survive a power loss.
pub(super) fn sync_folder(folder: &Path) -> Result<()> {
    sync(folder).map_err(|error| file_error(CANNOT_WRITE, "sync folder", folder, &error))
}

/// Makes what was removed from a folder stay removed; whoever removed the last of it may have removed the
/// folder itself by now.
pub(super) fn sync_removal(folder: &Path) -> Result<()> {
    match sync(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(file_error(CANNOT_WRITE, "sync folder", folder, &error))
        }
        _ => Ok(()),
    }
}

fn sync(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some file systems have no such thing for folders.
        Err(error) if has_no_sync(&error) => Ok(()),
        result => result,
    }
}

fn has_no_sync(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported)
}

#[cfg(test)]
mod tests {
    use super::super::super::test_subtask::info;
    use super::*;

    fn place(path: &str, subtask: u32, parallelism: u32) -> Result<Place> {
        Place::of(Path::new(path), &info(subtask, parallelism, 7), &MadeSegments::default())
    }

    #[test]
    fn names_follow_path_subtask_and_attempt() {
        let single = place("/a/out.txt", 0, 1).unwrap();
        assert_eq!(single.first_file(), Path::new("/a/out.txt"));
        assert_eq!(single.joining_file(), Path::new("/a/out.txt"));
        let job = single.job;
        let name = |rest| format!("/a/.out{rest}");
        let expected = name(format!(".txt.inprogress/{job}-0-7-3"));
        assert_eq!(single.segment(3), Path::new(&expected));
        let part = place("/a/out/", 2, 4).unwrap();
        assert_eq!(part.first_file(), Path::new("/a/out/part-2"));
        assert_eq!(part.joining_file(), Path::new("/a/out/part-2-7"));
        assert_eq!(part.segment(0), Path::new(&name(format!(".inprogress/{job}-2-7-0"))));
        assert!(place("out", 0, 1).unwrap().output.is_absolute());
        for path in ["", "/", "/a/.."] {
            assert_eq!(place(path, 0, 1).unwrap_err().code(), CANNOT_WRITE, "{path:?}");
        }
    }

    #[test]
    fn a_sweep_takes_old_segments_of_this_subtask_and_of_vanished_ones() {
        type Sweep = fn(&Place) -> Result<()>;
        let cases: [(Sweep, &[&str]); 3] = [
            (|place| place.sweep_after_checkpoint(), &["1-7-0", "1-8-0", "5-7-0"]),
            (|place| place.sweep_after_restore(2), &["1-1-0", "1-2-9", "1-7-0", "1-8-0", "5-7-0"]),
            (|place| place.sweep_for_fresh_start(), &["1-8-0"]),
        ];
        for (sweep, left_of_share) in cases {
            let folder = tempfile::tempdir().unwrap();
            let mut place = place("/x", 1, 2).unwrap();
            place.work_folder = folder.path().to_owned();
            let of_this_job = |name: &&str| format!("{}-{name}", place.job);
            let of_another_job = format!("{}-1-1-0", JobId::of_text("another"));
            let others = ["0-1-0", "2-1-0", "1-1"].iter().map(of_this_job);
            let others: Vec<_> = others.chain([of_another_job, "1-1-0".to_owned()]).collect();
            let share = ["1-1-0", "1-2-9", "1-3-0", "3-4-0", "1-7-0", "5-7-0", "1-8-0"];
            let share: Vec<_> = share.iter().map(of_this_job).collect();
            for name in others.iter().chain(&share) {
                fs::write(folder.path().join(name), "").unwrap();
            }
            sweep(&place).unwrap();
            let entries = fs::read_dir(folder.path()).unwrap();
            let left: BTreeSet<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            let left_of_share = left_of_share.iter().map(of_this_job);
            let expected = others.iter().cloned().chain(left_of_share).map(OsString::from);
            assert_eq!(left, expected.collect());
        }
    }
}
