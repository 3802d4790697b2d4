//! `weir storage` on the folder of a real local job.

use crate::cluster::example;
use crate::fixture::{Ended, Folder};
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Runs a job that keeps its checkpoints in `storage/NAME`.
fn run_job(folder: &Folder, name: &str) {
    folder.file("words", "to be or not to be\n", 0o644);
    let (storage, counts) = (folder.path("storage").join(name), format!("counts-{name}"));
    let dir = format!("execution.checkpointing.dir={}", storage.display());
    let word_count = example("word-count");
    let program = word_count.to_str().expect("a path");
    let run = ["run", "-D", &dir, "-D", "weir.progress=never", program];
    let ended = folder.weir(&[&run[..], &["--input", "words", "--output", &counts]].concat());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

fn list(folder: &Folder) -> Vec<Value> {
    let listed = folder.weir(&["storage", "list", "--dir", "storage", "--output", "json"]);
    listed.succeeds();
    listed.json()["jobs"].as_array().expect("a list").clone()
}

fn delete(folder: &Folder, arguments: &[&str]) -> Ended {
    folder.weir(&[&["storage", "delete", "--dir", "storage"][..], arguments].concat())
}

/// Makes everything in a folder look as if it was last written an hour ago.
fn age(path: &Path) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("readable") {
            age(&entry.expect("readable").path());
        }
    }
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    File::open(path).and_then(|file| file.set_modified(hour_ago)).expect("ours");
}

/// Removes the record of the end, as if the job had been killed before it.
fn forget_the_end(job: &Path) {
    let records = fs::read_dir(job.join("log")).expect("readable");
    let newest = records.map(|entry| entry.expect("readable").path()).max();
    fs::remove_file(newest.expect("a record")).expect("ours");
}

#[test]
fn jobs_of_a_storage_folder_are_listed_and_those_that_ended_deleted() {
    let folder = Folder::new();
    for name in ["ended", "killed", "recent"] {
        run_job(&folder, name);
    }
    let storage = folder.path("storage");
    forget_the_end(&storage.join("killed"));
    fs::create_dir_all(storage.join("foreign").join("log")).expect("ours");
    fs::write(storage.join("ended").join("notes"), "not of the job").expect("ours");
    age(&storage.join("ended"));
    age(&storage.join("killed"));

    let jobs = list(&folder);
    let states: Vec<_> = jobs.iter().map(|job| job["state"].as_str().unwrap_or_default()).collect();
    assert_eq!(states, ["FINISHED", "NOT_ENDED", "FINISHED"], "{jobs:#?}");
    assert_eq!(jobs[0]["name"], "word count", "{jobs:#?}");
    assert_eq!(jobs[0]["job"].as_str().map(str::len), Some(32));
    assert_eq!(jobs[0]["checkpoints"], 0, "deleted by the job master: {jobs:#?}");
    assert!(jobs[0]["size-bytes"].as_u64() > Some(0), "{jobs:#?}");
    let text = folder.weir(&["storage", "list", "--dir", "storage"]).stdout;
    assert!(text.starts_with("Total Jobs:3\n") && text.contains("NOT_ENDED"), "{text}");

    // One that may be in use protects the others of the same command.
    let not_ended = delete(&folder, &["ended", "killed"]);
    not_ended.fails(1, &["does not say that it has ended", "`weir cancel", "--force", "0216"]);
    let recent = delete(&folder, &["recent"]);
    recent.fails(1, &["was changed in the last minute", "wait one minute", "0216"]);
    assert!(!recent.stderr.contains("--force"), "waiting is enough: {recent:#?}");
    let none = delete(&folder, &[]);
    none.fails(2, &["Usage: weir storage delete [FLAGS] JOB...", "delete [FLAGS] --ended"]);
    let id = jobs[0]["job"].as_str().unwrap_or_default();
    delete(&folder, &[&id[..6]]).fails(2, &["several jobs match", "0215"]);
    delete(&folder, &["gone"]).fails(2, &["has no job \"gone\""]);
    delete(&folder, &["--ended", "--older-than", "2h"]).succeeds();
    assert_eq!(list(&folder).len(), 3);

    let deleted = delete(&folder, &["--ended", "--older-than", "30min"]);
    deleted.succeeds();
    assert!(
        deleted.stdout.ends_with(&format!("Deleted jobs: 1, bytes: {}\n", jobs[0]["size-bytes"]))
    );
    assert_eq!(folder.read("storage/ended/notes"), "not of the job");
    assert!(!storage.join("ended").join("log").exists());

    let skipped = delete(&folder, &["--ended"]);
    assert_eq!(skipped.code, Some(0), "{skipped:#?}");
    assert!(skipped.stdout.ends_with("Deleted jobs: 0, bytes: 0\n"), "{skipped:#?}");
    let line = "storage/recent is not deleted: it was changed in the last minute";
    assert!(skipped.stderr.contains(line), "{skipped:#?}");

    delete(&folder, &["--force", "killed", "recent"]).succeeds();
    assert_eq!(list(&folder), Vec::<Value>::new());
    assert!(!storage.join("killed").exists() && storage.join("foreign").exists());
}

#[test]
fn folder_of_one_job_and_storage_of_a_cluster_are_found() {
    let folder = Folder::new();
    run_job(&folder, "job");
    let one = folder.weir(&["storage", "list", "--dir", "storage/job"]);
    one.succeeds();
    assert!(one.stdout.starts_with("Total Jobs:1\n"), "{one:#?}");
    let data_dir = folder.path("").display().to_string();
    let of_cluster = folder.weir(&["storage", "list", "--data-dir", &data_dir]);
    assert_eq!(of_cluster.stdout, one.stdout);
    let missing = folder.weir(&["storage", "list", "--dir", "missing"]);
    missing.fails(1, &["cannot read the storage folder missing", "check the folder after --dir"]);
}
