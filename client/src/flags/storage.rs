//! The flags of `weir storage`.

use super::{DataDirFlag, OutputFlag};
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;
use std::time::Duration;
use weir_config::ConfigValue;

/// What to do with the storage of jobs.
#[derive(Subcommand, Debug)]
pub enum StorageAction {
    List(StorageListFlags),
    Delete(StorageDeleteFlags),
}

/// Which storage.
#[derive(Args, Debug)]
pub struct StorageFlags {
    /// The folder of the jobs' folders, or the folder of one job: the value of
    /// execution.checkpointing.dir or weir.cluster.storage-dir. Default: the storage of the cluster of
    /// --data-dir.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "data_dir")]
    pub dir: Option<PathBuf>,
    #[command(flatten)]
    pub data_dir: DataDirFlag,
}

/// List the jobs that have a log or checkpoints in a storage folder.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  weir storage list
  weir storage list --dir /mnt/checkpoints --output json")]
pub struct StorageListFlags {
    #[command(flatten)]
    pub storage: StorageFlags,
    #[command(flatten)]
    pub output: OutputFlag,
}

/// Delete the logs and checkpoints of jobs.
///
/// A deleted job cannot be restored. If one of the given jobs may still be in use, none is deleted.
#[derive(Args, Debug)]
#[command(override_usage = "\
weir storage delete [FLAGS] JOB...
       weir storage delete [FLAGS] --ended [--older-than DURATION]")]
#[command(after_help = "\
Examples:
  weir storage delete 5d7c
  weir storage delete --ended --older-than 7d
  weir storage delete --dir /mnt/checkpoints --force 5d7c0e5e9d8a1b6f3c2a4e6d8f0b1c3d")]
pub struct StorageDeleteFlags {
    /// The jobs: ids as `weir storage list` shows them, the beginning of an id, or names of folders.
    #[arg(value_name = "JOB", required_unless_present = "ended", conflicts_with = "ended")]
    pub jobs: Vec<String>,
    /// Delete every job whose log says that it has ended. A job that was changed in the last minute is
    /// not deleted; a line on standard error names it.
    #[arg(long)]
    pub ended: bool,
    /// With --ended: only jobs that were last changed at least this long ago, such as 7d or 12h.
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "ended")]
    pub older_than: Option<Duration>,
    /// Delete the given jobs even if their log does not say that they have ended, or if they were changed
    /// in the last minute. A job that runs fails when its checkpoints are deleted.
    #[arg(long, conflicts_with = "ended")]
    pub force: bool,
    #[command(flatten)]
    pub storage: StorageFlags,
    #[command(flatten)]
    pub output: OutputFlag,
}

fn duration(text: &str) -> Result<Duration, String> {
    <Duration as ConfigValue>::parse(text)
}
