//! Which jobs are writing to an output: each holds a lock file in the work folder while its writers are
//! open.
//!
//! ```text
//! .out.inprogress/<job>.lock       every writer of the job holds a shared lock on it
//! .out.inprogress/<job>-…          segments of the job
//! ```
//!
//! The lock is a courtesy: a second job is refused at its start, and not at its first commit. Nothing
//! is lost where a file system has no locks, or while a job that restarts holds none, because a job
//! never touches segments of another one, and only one job can make the file.

use super::place::{CANNOT_WRITE, make_folder, remove_file, segment_owner};
use std::{
    fs::{self, DirEntry, File, OpenOptions, TryLockError},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use weir_base::JobId;
use weir_dataflow::{Error, Result, error::file_error};

/// Segments of a job that is not running are removed when the job has changed nothing for this long.
/// Before, the job may still be waiting for its restart.
const LEFTOVER_AGE: Duration = Duration::from_secs(24 * 3600);

/// Shows that a job is writing, for as long as it exists.
pub(super) struct Claim {
    folder: PathBuf,
    job: JobId,
    /// Holds a shared lock; `None` while it is being released.
    lock: Option<File>,
}

impl Claim {
    /// Makes the work folder and the job's lock file, if they are missing, and locks the file.
    pub fn take(folder: &Path, job: JobId) -> Result<Self> {
        let path = lock_path(folder, job);
        let failed = |error| file_error(CANNOT_WRITE, "create", &path, &error);
        loop {
            make_folder(folder)?;
            let opened = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
            let lock = match opened {
                // A writer that has closed removed the empty folder.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                opened => opened.map_err(failed)?,
            };
            let _ = lock.lock_shared();
            // The last writer may have removed the file before it was locked here.
            if is_at(&lock, &path).map_err(failed)? {
                return Ok(Self { folder: folder.to_owned(), job, lock: Some(lock) });
            }
        }
    }

    /// Refuses a job that starts while another one is writing. Of two that start together, the later
    /// one is refused. Removes what jobs have left that ended long ago.
    pub fn refuse_beside_other_jobs(&self, output: &Path) -> Result<()> {
        let failed = |error| file_error(CANNOT_WRITE, "look into", &self.folder, &error);
        let own = started(&lock_path(&self.folder, self.job)).map_err(failed)?;
        for entry in entries(&self.folder)? {
            let Some(job) = job_of_lock(&entry).filter(|job| *job != self.job) else { continue };
            match other_job(&entry.path()) {
                Ok(OtherJob::Running { since }) if (since, job) < (own, self.job) => {
                    return Err(written_by(output, job));
                }
                Ok(OtherJob::Running { .. }) => {}
                Ok(OtherJob::NotRunning(_lock)) => remove_leftover(&self.folder, job)?,
                // It has ended meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.lock = None;
        release(&self.folder, self.job);
    }
}

/// Removes the lock file of a job of which nothing runs and no segment waits, and the work folder once it
/// is empty.
pub(super) fn release(folder: &Path, job: JobId) {
    let path = lock_path(folder, job);
    if let Ok(lock) = File::open(&path)
        && !matches!(lock.try_lock(), Err(TryLockError::WouldBlock))
        && entries(folder).is_ok_and(|entries| !entries.iter().any(|one| has_owner(one, job)))
    {
        let _ = fs::remove_file(&path);
    }
    // Not empty when another writer or job needs it.
    let _ = fs::remove_dir(folder);
}

fn lock_path(folder: &Path, job: JobId) -> PathBuf {
    folder.join(format!("{job}.lock"))
}

fn job_of_lock(entry: &DirEntry) -> Option<JobId> {
    entry.file_name().to_str()?.strip_suffix(".lock")?.parse().ok()
}

fn has_owner(segment: &DirEntry, job: JobId) -> bool {
    segment.file_name().to_str().and_then(segment_owner).is_some_and(|owner| owner.job == job)
}

fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (opened, named) = (file.metadata()?, fs::metadata(path));
    match named {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        named => named.map(|named| (named.dev(), named.ino()) == (opened.dev(), opened.ino())),
    }
}

enum OtherJob {
    Running {
        since: SystemTime,
    },
    /// With its lock, so that it does not start meanwhile.
    NotRunning(#[allow(dead_code, reason = "held, not read")] File),
}

fn other_job(lock: &Path) -> io::Result<OtherJob> {
    let file = File::open(lock)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Ok(OtherJob::Running { since: started(lock)? }),
        _ => Ok(OtherJob::NotRunning(file)),
    }
}

/// When a job first wrote here: nothing is ever written to its lock file.
fn started(lock: &Path) -> io::Result<SystemTime> {
    fs::metadata(lock)?.modified()
}

fn written_by(output: &Path, job: JobId) -> Error {
    Error::permanent(
        "WEIR-SINK-0001",
        format!(
            "job {job} is writing to output {}: wait for its end, cancel it, or choose another path; \
             nothing was overwritten",
            output.display()
        ),
    )
}

/// Removes the files of a job that is not running, if all of them are old.
fn remove_leftover(folder: &Path, job: JobId) -> Result<()> {
    let failed = |error| file_error(CANNOT_WRITE, "sweep", folder, &error);
    let is_its = |entry: &DirEntry| has_owner(entry, job) || job_of_lock(entry) == Some(job);
    let files: Vec<_> = entries(folder)?.into_iter().filter(is_its).collect();
    let since = SystemTime::now() - LEFTOVER_AGE;
    for file in &files {
        let modified = file.metadata().and_then(|metadata| metadata.modified()).map_err(failed)?;
        if modified > since {
            return Ok(());
        }
    }
    files.iter().try_for_each(|file| remove_file(&file.path()))
}

fn entries(folder: &Path) -> Result<Vec<DirEntry>> {
    let found = fs::read_dir(folder).and_then(Iterator::collect);
    found.map_err(|error| file_error(CANNOT_WRITE, "look into", folder, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn job(number: u64) -> JobId {
        JobId::of_text(&number.to_string())
    }

    fn names(folder: &Path) -> BTreeSet<String> {
        let entries = fs::read_dir(folder).expect("the folder is there");
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn job_that_starts_beside_a_running_one_is_refused_until_that_has_ended() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("work");
        let first = Claim::take(&folder, job(1)).unwrap();
        let old = SystemTime::now() - Duration::from_secs(60);
        first.lock.as_ref().unwrap().set_modified(old).unwrap();
        let another_writer = Claim::take(&folder, job(1)).unwrap();
        let second = Claim::take(&folder, job(2)).unwrap();
        let refused = second.refuse_beside_other_jobs(Path::new("/out")).unwrap_err();
        assert_eq!(refused.code(), "WEIR-SINK-0001");
        assert!(refused.to_string().contains(&job(1).to_string()), "{refused}");
        first.refuse_beside_other_jobs(Path::new("/out")).expect("the first one goes on");
        drop(first);
        second.refuse_beside_other_jobs(Path::new("/out")).expect_err("a writer is left");
        drop(another_writer);
        second.refuse_beside_other_jobs(Path::new("/out")).expect("nobody else is left");
        drop(second);
        assert!(!folder.exists());
    }

    #[test]
    fn leftover_of_a_job_is_removed_only_when_all_of_it_is_old() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().join("work");
        fs::create_dir(&folder).unwrap();
        let old = SystemTime::now() - LEFTOVER_AGE - Duration::from_secs(1);
        let files =
            [(1, ".lock", true), (1, "-0-7-0", true), (2, ".lock", true), (2, "-0-7-0", false)];
        for (number, name, is_old) in files {
            let file = File::create(folder.join(format!("{}{name}", job(number)))).unwrap();
            if is_old {
                file.set_modified(old).unwrap();
            }
        }
        let claim = Claim::take(&folder, job(3)).unwrap();
        claim.refuse_beside_other_jobs(Path::new("/out")).unwrap();
        drop(claim);
        let left = ["-0-7-0", ".lock"].map(|name| format!("{}{name}", job(2)));
        assert_eq!(names(&folder), BTreeSet::from(left));
    }
}
