//! The job log: order, exclusivity, gaps, damage.

use super::{damage, local, on_every_storage};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Barrier,
    thread,
};
use weir_base::LogIndex;
use weir_checkpoint_storage::{Append, CheckpointStorage, Error, JobLog};

fn record_file(dir: &Path, index: u64) -> PathBuf {
    dir.join(format!("log/{index:020}"))
}

fn append_all(log: &JobLog, records: &[&[u8]]) {
    for (index, record) in (0..).zip(records) {
        assert_eq!(log.append(LogIndex(index), record).unwrap(), Append::Appended);
    }
}

fn load_error(storage: &CheckpointStorage) -> Error {
    storage.log().load().unwrap_err()
}

#[test]
fn records_load_in_order() {
    on_every_storage(|storage| {
        let log = storage.log();
        assert!(log.load().unwrap().1.is_empty());
        let records: Vec<Vec<u8>> = (0..12).map(|i| vec![i; usize::from(i)]).collect();
        append_all(&log, &records.iter().map(Vec::as_slice).collect::<Vec<_>>());
        assert_eq!(storage.log().load().unwrap().1, records);
    });
}

#[test]
fn another_process_sees_the_records_of_a_folder() {
    let (dir, storage) = local();
    append_all(&storage.log(), &[b"one", b"two"]);
    drop(storage);
    let reopened = CheckpointStorage::local(dir.path()).unwrap();
    assert_eq!(reopened.log().load().unwrap().1, [b"one", b"two"]);
}

#[test]
fn create_at_a_used_index_returns_the_existing_record() {
    on_every_storage(|storage| {
        let log = storage.log();
        append_all(&log, &[b"mine"]);
        for record in [&b"other"[..], b"mine"] {
            assert_eq!(log.append(LogIndex(0), record).unwrap(), Append::Taken(b"mine".to_vec()));
        }
        assert_eq!(log.load().unwrap().1, [b"mine"]);
    });
}

#[test]
fn exactly_one_of_many_writers_gets_an_index() {
    on_every_storage(|storage| {
        const WRITERS: u8 = 4;
        for index in 0..8 {
            let together = Barrier::new(usize::from(WRITERS));
            let outcomes: Vec<Append> = thread::scope(|scope| {
                let append = |writer: u8| {
                    together.wait();
                    storage.log().append(LogIndex(index), &[writer]).unwrap()
                };
                let writers: Vec<_> =
                    (0..WRITERS).map(|writer| scope.spawn(move || append(writer))).collect();
                writers.into_iter().map(|writer| writer.join().unwrap()).collect()
            });
            let winners: Vec<u8> = (0..WRITERS)
                .zip(&outcomes)
                .filter(|(_, outcome)| **outcome == Append::Appended)
                .map(|(writer, _)| writer)
                .collect();
            assert_eq!(winners.len(), 1, "{outcomes:?}");
            let losers = outcomes.iter().filter(|outcome| **outcome != Append::Appended);
            for outcome in losers {
                assert_eq!(*outcome, Append::Taken(winners.clone()));
            }
        }
    });
}

#[test]
fn log_is_read_from_its_end_back_to_the_first_gap() {
    let (dir, storage) = local();
    append_all(&storage.log(), &[b"0", b"1", b"2", b"3"]);
    fs::remove_file(record_file(dir.path(), 1)).unwrap();
    let (first, records) = storage.log().load().unwrap();
    assert_eq!(first, LogIndex(2));
    assert_eq!(records, [b"2", b"3"]);
    assert_eq!(storage.log().tail().unwrap(), Some(LogIndex(2)..=LogIndex(3)));

    let error = storage.log().gap_before(first);
    assert_eq!(error.code(), "WEIR-CKPT-0003");
    let text = error.to_string();
    assert!(text.contains("00001 is missing") && text.contains("00002 exists"), "{text}");
}

#[test]
fn old_records_are_deleted_and_the_others_stay() {
    on_every_storage(|storage| {
        let log = storage.log();
        assert_eq!(log.tail().unwrap(), None);
        append_all(&log, &[b"0", b"1", b"2", b"3"]);
        log.delete_below(LogIndex(2)).unwrap();
        assert_eq!(log.load().unwrap(), (LogIndex(2), vec![b"2".to_vec(), b"3".to_vec()]));
        assert_eq!(log.append(LogIndex(4), b"4").unwrap(), Append::Appended);
        log.delete_below(LogIndex(2)).unwrap();
        assert_eq!(log.tail().unwrap(), Some(LogIndex(2)..=LogIndex(4)));
    });
}

/// A master was suspended while another compacted the log: its index is free again.
#[test]
fn listing_shows_that_an_index_was_free_only_because_its_record_was_deleted() {
    on_every_storage(|storage| {
        let log = storage.log();
        append_all(&log, &[b"0", b"1", b"2", b"3", b"4"]);
        log.delete_below(LogIndex(3)).unwrap();
        assert_eq!(log.append(LogIndex(1), b"late").unwrap(), Append::Appended);
        assert_eq!(log.tail().unwrap(), Some(LogIndex(3)..=LogIndex(4)));
        assert_eq!(log.load().unwrap().0, LogIndex(3));
        log.delete_below(LogIndex(3)).unwrap();
        assert_eq!(log.append(LogIndex(1), b"later").unwrap(), Append::Appended);
    });
}

#[test]
fn log_is_read_whole_while_another_compacts_it() {
    on_every_storage(|storage| {
        let log = storage.log();
        append_all(&log, &[&[0]]);
        thread::scope(|scope| {
            let compacting = scope.spawn(|| {
                // As if each record were a snapshot record.
                for index in 1..200u8 {
                    log.append(LogIndex(u64::from(index)), &[index]).unwrap();
                    log.delete_below(LogIndex(u64::from(index - 1))).unwrap();
                }
            });
            while !compacting.is_finished() {
                let (first, records) = storage.log().load().unwrap();
                let expected = (first.0..).take(records.len()).map(|index| vec![index as u8]);
                assert!(!records.is_empty());
                assert_eq!(records, expected.collect::<Vec<_>>());
            }
        });
    });
}

#[test]
fn damaged_record_is_an_error_that_names_the_file() {
    for position in [0, 9, 10, 12, 20, 23] {
        let (dir, storage) = local();
        append_all(&storage.log(), &[b"record 0", b"record 1"]);
        let file = record_file(dir.path(), 1);
        damage(&file, |bytes| bytes[position] ^= 0x10);
        let error = load_error(&storage);
        assert_eq!(error.code(), "WEIR-CKPT-0002", "byte {position}");
        let name = fs::canonicalize(&file).unwrap();
        assert!(error.to_string().starts_with(&name.display().to_string()), "{error}");
    }
}

#[test]
fn emptied_record_is_damage_not_the_end() {
    let (dir, storage) = local();
    append_all(&storage.log(), &[b"0"]);
    damage(&record_file(dir.path(), 0), Vec::clear);
    assert_eq!(load_error(&storage).code(), "WEIR-CKPT-0002");
    let append = storage.log().append(LogIndex(0), b"other");
    assert_eq!(append.unwrap_err().code(), "WEIR-CKPT-0002");
}

#[test]
fn snapshot_in_place_of_a_record_is_damage() {
    let (dir, storage) = local();
    append_all(&storage.log(), &[b"0"]);
    storage.write("chk-1/a", b"state".to_vec()).unwrap();
    fs::copy(dir.path().join("chk-1/a"), record_file(dir.path(), 0)).unwrap();
    let error = load_error(&storage);
    assert!(error.to_string().contains("is a snapshot where a log record belongs"), "{error}");
}

#[test]
fn foreign_names_in_the_folder_are_left_alone() {
    let (dir, storage) = local();
    append_all(&storage.log(), &[b"0"]);
    for name in ["README", "00000000000000000009.bak", "99999999999999999999", "7"] {
        fs::write(dir.path().join("log").join(name), "note").unwrap();
    }
    assert_eq!(storage.log().load().unwrap().1, [b"0"]);
}

#[test]
fn finished_append_leaves_no_staging_file() {
    let (dir, storage) = local();
    append_all(&storage.log(), &[b"0"]);
    storage.log().append(LogIndex(0), b"again").unwrap();
    assert_eq!(fs::read_dir(dir.path().join("staging")).unwrap().count(), 0);
}
