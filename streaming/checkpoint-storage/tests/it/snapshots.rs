//! Snapshots: reading back, damage, deletion, orphans.

use super::{damage, local, on_every_storage};
use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    time::{Duration, SystemTime},
};
use weir_base::{CheckpointId, LogIndex};
use weir_checkpoint_storage::CheckpointStorage;

#[test]
fn snapshots_read_back_and_report_their_size() {
    let (dir, storage) = local();
    for (path, body) in [("chk-1/v-0-1", vec![]), ("chk-1/v-1-1", vec![3; 3 << 20])] {
        let size_bytes = storage.write(path, body.clone()).unwrap();
        assert_eq!(size_bytes, fs::metadata(dir.path().join(path)).unwrap().len());
        assert_eq!(storage.read(path).unwrap(), body);
    }
}

#[test]
fn second_write_replaces_the_first() {
    on_every_storage(|storage| {
        storage.write("chk-1/a", b"torn attempt".to_vec()).unwrap();
        storage.write("chk-1/a", b"retry".to_vec()).unwrap();
        assert_eq!(storage.read("chk-1/a").unwrap(), b"retry");
    });
}

#[test]
fn missing_snapshot_is_named() {
    on_every_storage(|storage| {
        let error = storage.read("chk-9/gone").unwrap_err();
        assert_eq!(error.code(), "WEIR-CKPT-0006");
        assert!(error.to_string().contains("chk-9/gone does not exist"), "{error}");
    });
}

#[test]
fn damage_in_each_region_is_found() {
    let body = vec![7; 100];
    for (region, position) in [
        ("magic", 3),
        ("version", 8),
        ("kind", 10),
        ("length", 11),
        ("body", 60),
        ("checksum", 121),
    ] {
        let (dir, storage) = local();
        storage.write("chk-1/a", body.clone()).unwrap();
        damage(&dir.path().join("chk-1/a"), |bytes| bytes[position] ^= 1);
        let error = storage.read("chk-1/a").unwrap_err();
        assert_eq!(error.code(), "WEIR-CKPT-0002", "{region}");
        assert!(error.to_string().contains("chk-1/a is damaged"), "{region}: {error}");
    }
}

#[test]
fn truncated_snapshot_is_reported() {
    let (dir, storage) = local();
    storage.write("chk-1/a", vec![7; 100]).unwrap();
    damage(&dir.path().join("chk-1/a"), |bytes| bytes.truncate(80));
    let text = storage.read("chk-1/a").unwrap_err().to_string();
    assert!(text.contains("should hold 100 bytes and holds 57"), "{text}");
}

#[test]
fn deleting_removes_the_emptied_folder_and_nothing_else() {
    let (dir, storage) = local();
    for path in ["chk-1/a", "chk-1/b", "chk-2/a"] {
        storage.write(path, vec![1]).unwrap();
    }
    storage.delete(["chk-1/a", "", "chk-1/never-there"]).unwrap();
    assert!(dir.path().join("chk-1").exists());
    storage.delete(["chk-1/b"]).unwrap();
    assert!(!dir.path().join("chk-1").exists());
    assert_eq!(storage.list_snapshots().unwrap(), ["chk-2/a"]);
    storage.delete(["chk-1/a"]).unwrap();
}

#[test]
fn paths_out_of_the_folder_are_refused_everywhere() {
    on_every_storage(|storage| {
        storage.log().append(LogIndex(0), b"kept").unwrap();
        let bad = "chk-1/../log/00000000000000000000";
        assert_eq!(storage.write(bad, vec![]).unwrap_err().code(), "WEIR-CKPT-0008");
        assert_eq!(storage.read(bad).unwrap_err().code(), "WEIR-CKPT-0008");
        assert_eq!(storage.delete([bad]).unwrap_err().code(), "WEIR-CKPT-0008");
        assert_eq!(storage.log().load().unwrap().1, [b"kept"]);
    });
}

#[test]
fn bad_path_does_not_stop_the_deletion_of_the_others() {
    on_every_storage(|storage| {
        storage.write("chk-1/a", vec![1]).unwrap();
        assert!(storage.delete(["/etc/passwd", "chk-1/a"]).is_err());
        assert!(storage.list_snapshots().unwrap().is_empty());
    });
}

#[test]
fn sweep_deletes_unrecorded_snapshots_of_earlier_epochs_and_their_unfinished_writes() {
    let (dir, storage) = local();
    storage.log().append(LogIndex(0), b"kept").unwrap();
    for path in ["chk-1/a", "chk-2/a", "chk-2/b", "chk-65/a"] {
        storage.write(path, vec![1]).unwrap();
    }
    let unfinished = ["chk-1.v-0-1.0123-4", "chk-2.v-0-1.0123-5#1", "chk-65.v-0-9.0123-4"];
    for name in unfinished.into_iter().chain(["log.00000000000000000001.0123-4", "0123-4"]) {
        fs::write(dir.path().join("staging").join(name), "under way").unwrap();
    }
    fs::write(dir.path().join("notes.txt"), "by the operator").unwrap();

    let keep = BTreeSet::from(["chk-2/b".to_owned(), "chk-7/gone".to_owned()]);
    assert_eq!(storage.sweep(CheckpointId(65), &keep).unwrap(), 2);

    assert_eq!(storage.list_snapshots().unwrap(), ["chk-2/b", "chk-65/a"]);
    assert_eq!(storage.log().load().unwrap().1, [b"kept"]);
    assert!(dir.path().join("notes.txt").exists());
    assert!(!dir.path().join("chk-1").exists());
    assert_eq!(
        staged(dir.path()),
        ["0123-4", "chk-65.v-0-9.0123-4", "log.00000000000000000001.0123-4"]
    );
    assert_eq!(storage.sweep(CheckpointId(65), &keep).unwrap(), 0);
}

/// It was frozen after its epoch had begun, and wakes when a newer master has recorded checkpoints.
#[test]
fn sweep_of_a_stalled_master_keeps_objects_of_a_newer_one() {
    on_every_storage(|storage| {
        let recorded_before = BTreeSet::from(["chk-1/a".to_owned()]);
        for path in ["chk-1/a", "chk-64/orphan", "chk-129/a"] {
            storage.write(path, vec![1]).unwrap();
        }
        storage.sweep(CheckpointId(65), &recorded_before).unwrap();
        assert_eq!(storage.list_snapshots().unwrap(), ["chk-1/a", "chk-129/a"]);
    });
}

#[test]
fn unfinished_writes_of_anybody_are_swept_after_a_day() {
    let (dir, storage) = local();
    let hours_ago = |hours: u64| SystemTime::now() - Duration::from_secs(hours * 3600);
    for (name, hours) in [("log.00000000000000000001.0123-4", 25), ("chk-9.v-0-1.0123-4", 23)] {
        let file = fs::File::create(dir.path().join("staging").join(name)).unwrap();
        file.set_modified(hours_ago(hours)).unwrap();
    }
    storage.sweep(CheckpointId(1), &BTreeSet::new()).unwrap();
    assert_eq!(staged(dir.path()), ["chk-9.v-0-1.0123-4"]);
}

fn staged(dir: &Path) -> Vec<String> {
    let files = fs::read_dir(dir.join("staging")).unwrap();
    let mut names: Vec<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn writers_and_deleters_of_one_folder_do_not_disturb_each_other() {
    let (_dir, storage) = local();
    std::thread::scope(|scope| {
        for subtask in 0..4 {
            let storage: CheckpointStorage = storage.clone();
            scope.spawn(move || {
                for round in 0..50 {
                    let path = format!("chk-1/v-{subtask}-{round}");
                    storage.write(&path, vec![subtask]).unwrap();
                    assert_eq!(storage.read(&path).unwrap(), [subtask]);
                    storage.delete([&path]).unwrap();
                }
            });
        }
    });
    assert!(storage.list_snapshots().unwrap().is_empty());
}

/// Task hosts open the folder while their job master begins, and sweeps.
#[test]
fn folder_opens_also_while_another_sweeps() {
    let (dir, storage) = local();
    std::thread::scope(|scope| {
        let opening = scope
            .spawn(|| (0..500).try_for_each(|_| CheckpointStorage::local(dir.path()).map(drop)));
        while !opening.is_finished() {
            storage.sweep(CheckpointId(u64::MAX), &BTreeSet::new()).unwrap();
        }
        opening.join().unwrap().unwrap();
    });
}
