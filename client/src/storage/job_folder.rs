//! The folder of one job in a storage folder: what is in it, and its deletion.
//!
//! ```text
//! <folder of the job>/   log/   chk-7/   staging/
//! ```
//!
//! Only these are deleted, the log last: a deletion that was interrupted can be repeated. Other files in
//! the folder are not touched.

use serde::Serialize;
use std::fmt;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use weir_app_master::{JobStatus, StoredJob};
use weir_base::JobId;

use crate::problem::with_causes;

const LOG: &str = "log";
const STAGING: &str = "staging";
const CHECKPOINT_PREFIX: &str = "chk-";

/// A job that was changed more recently than this may still be in use.
const RECENT: Duration = Duration::from_secs(60);

/// The end of a job according to its log.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    Finished,
    Failed,
    Canceled,
    /// The log has no end: the job runs, waits for its next attempt, or was killed.
    NotEnded,
    /// The log cannot be read.
    Unreadable,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Canceled => "CANCELED",
            Self::NotEnded => "NOT_ENDED",
            Self::Unreadable => "UNREADABLE",
        }
    }

    pub fn is_end(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Canceled)
    }

    fn of(end: Option<JobStatus>) -> Self {
        match end {
            Some(JobStatus::Finished) => Self::Finished,
            Some(JobStatus::Failed) => Self::Failed,
            Some(JobStatus::Canceled) => Self::Canceled,
            _ => Self::NotEnded,
        }
    }
}

/// Why a job may still be in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InUse {
    Unreadable,
    NotEnded,
    /// Its app master may still be deleting checkpoints.
    Recent,
}

impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "its log cannot be read",
            Self::NotEnded => "its log does not say that it has ended",
            Self::Recent => "it was changed in the last minute",
        })
    }
}

#[derive(Serialize, Clone, Debug)]
#[serde(rename_all = "kebab-case")]
pub struct JobFolder {
    /// `None` when neither the log nor the name of the folder says it.
    pub job: Option<JobId>,
    pub name: Option<String>,
    pub state: State,
    pub size_bytes: u64,
    /// Completed checkpoints whose files are there.
    pub checkpoints: usize,
    /// When a file in it was last written, in milliseconds since 1970.
    pub last_change: u64,
    pub folder: PathBuf,
    /// Why the log cannot be read.
    pub problem: Option<String>,
}

impl JobFolder {
    /// The jobs in a storage folder, sorted by folder; the folder may also be that of one job.
    pub fn all(storage: &Path) -> io::Result<Vec<Self>> {
        if is_job_folder(storage) {
            return Self::read(storage).map(|job| vec![job]);
        }
        let mut jobs = Vec::new();
        for entry in fs::read_dir(storage)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() && is_job_folder(&entry.path()) {
                jobs.push(Self::read(&entry.path())?);
            }
        }
        jobs.sort_by(|a, b| a.folder.cmp(&b.folder));
        Ok(jobs)
    }

    fn read(folder: &Path) -> io::Result<Self> {
        let mut job = Self {
            job: job_of_name(folder),
            name: None,
            state: State::NotEnded,
            size_bytes: 0,
            checkpoints: 0,
            last_change: 0,
            folder: folder.to_owned(),
            problem: None,
        };
        for part in parts(folder)? {
            job.measure(&part)?;
        }
        match StoredJob::read(folder) {
            Ok(None) => {}
            Ok(Some(stored)) => {
                let has_files = |id: &&_| folder.join(format!("{CHECKPOINT_PREFIX}{id}")).is_dir();
                job.checkpoints = stored.checkpoints.iter().filter(has_files).count();
                job.state = State::of(stored.end);
                job.job = Some(stored.job);
                job.name = Some(stored.name);
            }
            Err(error) => {
                job.state = State::Unreadable;
                job.problem = Some(with_causes(&error));
            }
        }
        Ok(job)
    }

    /// Adds the size of a file or folder. Files that are deleted in the meantime do not count.
    fn measure(&mut self, path: &Path) -> io::Result<()> {
        let Some(metadata) = present(fs::symlink_metadata(path))? else { return Ok(()) };
        let changed = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH);
        let changed = u64::try_from(changed.unwrap_or_default().as_millis()).unwrap_or(u64::MAX);
        self.last_change = self.last_change.max(changed);
        if !metadata.is_dir() {
            self.size_bytes += metadata.len();
            return Ok(());
        }
        for entry in present(fs::read_dir(path))?.into_iter().flatten() {
            self.measure(&entry?.path())?;
        }
        Ok(())
    }

    /// The name of the folder itself.
    pub fn folder_name(&self) -> &str {
        self.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// Whether it was last changed at least this long before `now`.
    pub fn is_older_than(&self, age: Duration, now: SystemTime) -> bool {
        let changed = SystemTime::UNIX_EPOCH + Duration::from_millis(self.last_change);
        now.duration_since(changed).is_ok_and(|passed| passed >= age)
    }

    /// Why it may still be in use.
    pub fn may_be_in_use(&self, now: SystemTime) -> Option<InUse> {
        match self.state {
            State::Unreadable => Some(InUse::Unreadable),
            State::NotEnded => Some(InUse::NotEnded),
            _ if !self.is_older_than(RECENT, now) => Some(InUse::Recent),
            _ => None,
        }
    }

    pub fn delete(&self) -> io::Result<()> {
        let (log, others): (Vec<_>, Vec<_>) =
            parts(&self.folder)?.into_iter().partition(|part| part.ends_with(LOG));
        for part in others.into_iter().chain(log) {
            present(fs::remove_dir_all(part))?;
        }
        // It stays when something else is in it.
        let _ = fs::remove_dir(&self.folder);
        Ok(())
    }
}

/// Has a log record, or the name of a job and what is made when its storage is opened.
fn is_job_folder(folder: &Path) -> bool {
    let is_record = |entry: &DirEntry| {
        let name = entry.file_name();
        name.len() == 20 && name.as_encoded_bytes().iter().all(u8::is_ascii_digit)
    };
    let mut log = fs::read_dir(folder.join(LOG)).into_iter().flatten();
    log.any(|entry| entry.is_ok_and(|entry| is_record(&entry)))
        || (job_of_name(folder).is_some() && folder.join(STAGING).is_dir())
}

fn job_of_name(folder: &Path) -> Option<JobId> {
    folder.file_name()?.to_str()?.parse().ok().map(JobId)
}

/// The folders of a job's folder that belong to its storage.
fn parts(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_checkpoint = name.strip_prefix(CHECKPOINT_PREFIX).is_some_and(|number| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if (is_checkpoint || name == LOG || name == STAGING) && entry.file_type()?.is_dir() {
            parts.push(entry.path());
        }
    }
    Ok(parts)
}

/// `None` for what does not exist.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
