//! `weir storage`: the folders in which jobs keep their logs and checkpoints.
//!
//! It works on a folder, not on a cluster: so also for local jobs and for clusters that do not exist any more.

mod job_folder;

use crate::cluster::{folder_of, record::Record};
use crate::flags::{Output, StorageAction, StorageDeleteFlags, StorageFlags, StorageListFlags};
use crate::problem::Problem;
use crate::{local_time, output};
use job_folder::{InUse, JobFolder};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use weir_config::{ConfigValue, Folder};

/// The output of `list` and `delete` with `--output json`.
#[derive(Serialize)]
struct Jobs<'a> {
    jobs: &'a [JobFolder],
}

/// Does it.
pub fn run(action: StorageAction) -> Result<(), Problem> {
    match action {
        StorageAction::List(flags) => list(&flags),
        StorageAction::Delete(flags) => delete(&flags),
    }
}

fn list(flags: &StorageListFlags) -> Result<(), Problem> {
    let jobs = jobs_in(&flags.storage)?;
    match flags.output.output {
        Output::Json => output::print_json(&Jobs { jobs: &jobs }),
        Output::Text => output::print(&table(&jobs)),
    }
}

fn delete(flags: &StorageDeleteFlags) -> Result<(), Problem> {
    let jobs = jobs_in(&flags.storage)?;
    let now = SystemTime::now();
    let chosen = match flags.ended {
        true => ended(jobs, flags.older_than, now),
        false => named(&jobs, &flags.jobs)?,
    };
    if let Some((job, why)) = refused(&chosen, flags, now) {
        let what = not_deleted(job, why);
        return Err(Problem::failure("WEIR-CLI-0216", what).help(what_to_do(why)));
    }
    for job in &chosen {
        job.delete().map_err(|error| {
            Problem::system(&format!("cannot delete {}", job.folder.display()), &error)
        })?;
    }
    match flags.output.output {
        Output::Json => output::print_json(&Jobs { jobs: &chosen }),
        Output::Text => output::print(&deleted(&chosen)),
    }
}

/// The jobs in the storage folder that the flags name.
fn jobs_in(flags: &StorageFlags) -> Result<Vec<JobFolder>, Problem> {
    let folder = storage_folder(flags)?;
    JobFolder::all(&folder).map_err(|error| {
        Problem::system(&format!("cannot read the storage folder {}", folder.display()), &error)
            .help(match flags.dir {
                Some(_) => {
                    "check the folder after --dir; `weir storage list` without it shows the \
                            storage of the cluster"
                }
                None => "name the storage folder with --dir",
            })
    })
}

fn storage_folder(flags: &StorageFlags) -> Result<PathBuf, Problem> {
    if let Some(dir) = &flags.dir {
        return folder_at(&dir.to_string_lossy());
    }
    let data_dir = folder_of(&flags.data_dir)?;
    let record = Record::load(data_dir.path())?;
    let configured = record.and_then(|record| record.settings.storage_dir);
    configured.map_or_else(|| Ok(data_dir.storage()), |folder| folder_at(&folder))
}

/// The folder that a path or a `file` URI names, as in the configuration of a job.
fn folder_at(text: &str) -> Result<PathBuf, Problem> {
    let refused = |problem| Problem::usage(format!("storage folder {text:?}: {problem}"));
    Folder::parse(text).map(|folder| folder.path()).map_err(refused)
}

/// The jobs that have ended and are in use no more. A line names each one that would be deleted later.
fn ended(
    mut jobs: Vec<JobFolder>,
    older_than: Option<Duration>,
    now: SystemTime,
) -> Vec<JobFolder> {
    let is_old = |job: &JobFolder| older_than.is_none_or(|age| job.is_older_than(age, now));
    jobs.retain(|job| job.state.is_end() && is_old(job));
    jobs.retain(|job| match job.may_be_in_use(now) {
        Some(why) => {
            output::note(&not_deleted(job, why));
            false
        }
        None => true,
    });
    jobs
}

fn not_deleted(job: &JobFolder, why: InUse) -> String {
    format!("{} is not deleted: {why}", label(job))
}

fn what_to_do(why: InUse) -> &'static str {
    match why {
        InUse::Recent => {
            "wait one minute and repeat the command; none of the given jobs was deleted"
        }
        InUse::NotEnded => {
            "cancel a running job with `weir cancel JOB`; if no process of the job runs, repeat the \
             command with --force; none of the given jobs was deleted"
        }
        InUse::Unreadable => {
            "if no process of the job runs, repeat the command with --force; none of the given jobs \
             was deleted"
        }
    }
}

/// The jobs with these ids, each once.
fn named(jobs: &[JobFolder], typed: &[String]) -> Result<Vec<JobFolder>, Problem> {
    let mut chosen: Vec<JobFolder> = Vec::new();
    for typed in typed {
        let job = the_one(jobs, typed)?;
        if chosen.iter().all(|other| other.folder != job.folder) {
            chosen.push(job.clone());
        }
    }
    Ok(chosen)
}

fn the_one<'a>(jobs: &'a [JobFolder], typed: &str) -> Result<&'a JobFolder, Problem> {
    let prefix = typed.to_lowercase();
    let begins = |job: &&JobFolder| {
        !prefix.is_empty() && job.job.is_some_and(|id| id.to_string().starts_with(&prefix))
    };
    let found: Vec<&JobFolder> = match jobs.iter().find(|job| job.folder_name() == typed) {
        Some(job) => vec![job],
        None => jobs.iter().filter(begins).collect(),
    };
    match found.as_slice() {
        [job] => Ok(job),
        [] => Err(Problem::usage(format!("the storage folder has no job {typed:?}"))
            .help("`weir storage list` shows the jobs; --dir names another storage folder")),
        several => {
            let labels: Vec<String> = several.iter().map(|job| label(job)).collect();
            let what = format!("several jobs match {typed:?}: {}", labels.join(", "));
            Err(Problem::usage(what)
                .code("WEIR-CLI-0215")
                .help("type more of the id, or the name of the folder"))
        }
    }
}

/// The first job that may still be in use, and why.
fn refused<'a>(
    chosen: &'a [JobFolder],
    flags: &StorageDeleteFlags,
    now: SystemTime,
) -> Option<(&'a JobFolder, InUse)> {
    let reason = |job: &'a JobFolder| job.may_be_in_use(now).map(|why| (job, why));
    chosen.iter().filter(|_| !flags.force).find_map(reason)
}

/// `job 5d7c… (word count) in /folder`.
fn label(job: &JobFolder) -> String {
    let id = job.job.map_or_else(|| "a job".to_owned(), |id| format!("job {id}"));
    let name = job.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    format!("{id}{name} in {}", job.folder.display())
}

fn deleted(jobs: &[JobFolder]) -> String {
    let mut text = String::new();
    for job in jobs {
        let _ = writeln!(text, "Deleted {}: {} bytes.", label(job), job.size_bytes);
    }
    let bytes: u64 = jobs.iter().map(|job| job.size_bytes).sum();
    let _ = writeln!(text, "Deleted jobs: {}, bytes: {bytes}", jobs.len());
    text
}

fn table(jobs: &[JobFolder]) -> String {
    let mut text = format!("Total Jobs:{}\n", jobs.len());
    let mut row = |cells: [&str; 6]| {
        let [id, state, checkpoints, bytes, changed, name] = cells;
        let _ = writeln!(
            text,
            "{id:>32}\t{state:>10}\t{checkpoints:>11}\t{bytes:>12}\t{changed:>19}\t{name}"
        );
    };
    row(["Job-Id", "State", "Checkpoints", "Bytes", "Last-Change", "Name"]);
    for job in jobs {
        row([
            &job.job.map_or_else(|| job.folder_name().to_owned(), |id| id.to_string()),
            job.state.name(),
            &job.checkpoints.to_string(),
            &job.size_bytes.to_string(),
            &local_time::sortable(i64::try_from(job.last_change).unwrap_or(i64::MAX)),
            job.name.as_deref().unwrap_or_default(),
        ]);
    }
    text
}
