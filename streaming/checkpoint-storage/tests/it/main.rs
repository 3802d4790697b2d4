//! What the storage promises, checked against a real folder and against memory.

#![allow(clippy::unwrap_used)] // A helper of a test panics as the test does.

mod job_log;
mod snapshots;

use std::{fs, path::Path};
use tempfile::TempDir;
use weir_base::LogIndex;
use weir_checkpoint_storage::{Append, CheckpointStorage, Error};

/// A fresh folder with a storage in it; the folder goes when the guard is dropped.
fn local() -> (TempDir, CheckpointStorage) {
    let dir = tempfile::tempdir().unwrap();
    let storage = CheckpointStorage::local(dir.path()).unwrap();
    (dir, storage)
}

/// Runs a check against every kind of storage.
fn on_every_storage(check: impl Fn(&CheckpointStorage)) {
    let (_dir, storage) = local();
    check(&storage);
    check(&CheckpointStorage::in_memory());
}

/// Changes a file in place.
fn damage(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::write(file, bytes).unwrap();
}

#[test]
fn storage_is_shared_between_threads() {
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<CheckpointStorage>();
    shared::<weir_checkpoint_storage::JobLog>();
}

#[test]
fn unusable_folder_is_refused_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a-file");
    fs::write(&file, "in the way").unwrap();

    let error = CheckpointStorage::local(&file.join("checkpoints")).unwrap_err();
    assert_eq!(error.code(), "WEIR-CKPT-0001");
    assert!(error.to_string().contains("a-file/checkpoints"), "{error}");
}

#[test]
fn folder_that_must_exist_is_never_created() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("job");
    let error = CheckpointStorage::existing(&folder).unwrap_err();
    assert_eq!((error.code(), error.can_retry()), ("WEIR-CKPT-0009", true));
    assert!(!folder.exists());

    CheckpointStorage::local(&folder).unwrap().write("chk-1/a", vec![1]).unwrap();
    assert_eq!(CheckpointStorage::existing(&folder).unwrap().read("chk-1/a").unwrap(), [1]);
}

#[test]
fn opening_leaves_no_file_behind_and_creates_parents() {
    let dir = tempfile::tempdir().unwrap();
    let nested = dir.path().join("jobs/j1");
    CheckpointStorage::local(&nested).unwrap();
    assert_eq!(fs::read_dir(nested.join("staging")).unwrap().count(), 0);
}

#[test]
fn calls_work_inside_an_async_runtime_too() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        on_every_storage(|storage| {
            storage.write("chk-1/a", b"state".to_vec()).unwrap();
            assert_eq!(storage.read("chk-1/a").unwrap(), b"state");
            assert_eq!(storage.list_snapshots().unwrap(), ["chk-1/a"]);
        });
    });
}

/// A task of tokio may poll a limited number of finished calls before it has to yield: an app master that
/// read a long log at its start waited for ever.
#[test]
fn long_log_is_read_inside_an_async_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let read_count = runtime.block_on(runtime.spawn(async {
        let (_dir, storage) = local();
        for index in 0..300 {
            storage.log().append(weir_base::LogIndex(index), b"record").unwrap();
        }
        storage.log().load().unwrap().1.len()
    }));
    assert_eq!(read_count.unwrap(), 300);
}

/// What a process sees when the file system of its checkpoints is unmounted under it, and mounted again.
#[test]
fn folder_that_disappears_is_not_created_again_and_is_used_again_when_it_is_back() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, elsewhere) = (dir.path().join("job"), dir.path().join("elsewhere"));
    let storage = CheckpointStorage::local(&folder).unwrap();
    storage.log().append(LogIndex(0), b"epoch 1 begins").unwrap();
    let refused = |error: Error| assert_eq!(error.code(), "WEIR-CKPT-0009", "{error}");

    fs::rename(&folder, &elsewhere).unwrap();
    let is_another_there = [false, true];
    for is_there in is_another_there {
        if is_there {
            fs::create_dir(&folder).unwrap();
        }
        refused(storage.write("chk-1/a", vec![1]).unwrap_err());
        refused(storage.log().append(LogIndex(1), b"x").unwrap_err());
        refused(storage.log().load().unwrap_err());
        refused(storage.read("chk-1/a").unwrap_err());
        assert_eq!(folder.exists(), is_there);
    }

    fs::remove_dir(&folder).unwrap();
    fs::rename(&elsewhere, &folder).unwrap();
    assert_eq!(storage.log().append(LogIndex(1), b"x").unwrap(), Append::Appended);
    assert_eq!(storage.log().load().unwrap().1.len(), 2);
}
