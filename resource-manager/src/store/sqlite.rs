//! A store in one SQLite file.
//!
//! ```text
//! meta(key, value)                          cluster_timestamp, next_epoch
//! facts(number, epoch, key, json)           in the order of appending, one per key
//! archive(number, application, path, json)
//! ```
//!
//! It uses a write-ahead log and syncs each transaction. The SQLite field `application_id` marks the file as a
//! store of Weir, and `user_version` is its layout.

use super::{Recovered, Store};
use crate::error::Error;
use rusqlite::{
    Connection, OptionalExtension, Transaction, TransactionBehavior, ffi::ErrorCode, params,
};
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use weir_base::ApplicationId;
use weir_protocol::cluster::ArchivedAnswer;
use weir_resource_manager_brain::Fact;

/// "Weir". The program `file` and [`SqliteStore::open`] recognise the file by it.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"Weir");
/// The layout that this release writes.
const LAYOUT: i32 = 1;
const CREATE: &str = "
    CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE facts (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        epoch INTEGER NOT NULL,
        key TEXT NOT NULL UNIQUE,
        json TEXT NOT NULL
    ) STRICT;
    CREATE TABLE archive (
        number INTEGER PRIMARY KEY,
        application TEXT NOT NULL,
        path TEXT NOT NULL,
        json TEXT NOT NULL,
        UNIQUE (application, path)
    ) STRICT;
";

/// A store in one SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    connection: Connection,
    epoch: u32,
}

impl SqliteStore {
    /// Opens the file, or creates it if it is missing.
    ///
    /// # Errors
    /// The file is damaged, written by a newer release, in use by another process, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error| failure(path, error);
        let mut connection = Connection::open(path).map_err(failed)?;
        prepare(&mut connection).map_err(failed)?;
        let (application_id, layout) = identity(&connection).map_err(failed)?;
        match (application_id, layout) {
            (0, 0) => create(&mut connection).map_err(failed)?,
            (APPLICATION_ID, LAYOUT) => {}
            (APPLICATION_ID, found) if found > LAYOUT => {
                return Err(Error::StoreNewer { path: path.to_owned(), found, known: LAYOUT });
            }
            _ => {
                let problem = "it is another program's database".to_owned();
                return Err(Error::StoreDamaged { path: path.to_owned(), problem });
            }
        }
        Ok(Self { path: path.to_owned(), connection, epoch: 0 })
    }

    fn meta(&self, key: &str) -> Result<Option<i64>, rusqlite::Error> {
        let value = "SELECT value FROM meta WHERE key = ?1";
        self.connection.query_row(value, [key], |row| row.get(0)).optional()
    }

    fn set_meta(&self, key: &str, value: i64) -> Result<(), rusqlite::Error> {
        let sql = "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2";
        self.connection.execute(sql, params![key, value]).map(drop)
    }

    fn facts(&self) -> Result<Vec<(i64, String)>, rusqlite::Error> {
        let mut statement =
            self.connection.prepare("SELECT number, json FROM facts ORDER BY number")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    fn insert(&mut self, facts: &[Fact]) -> Result<(), rusqlite::Error> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for fact in facts {
            if let Some(application) = fact.forgets() {
                forget(&transaction, application)?;
            }
            match fact {
                Fact::Archived { application, answers } => {
                    archive(&transaction, *application, answers)?;
                }
                fact => keep(&transaction, self.epoch, fact)?,
            }
        }
        transaction.commit()
    }
}

/// The kind of a fact, if this release does not know it.
fn newer_kind(json: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Kind {
        fact: String,
    }
    let Kind { fact: kind } = serde_json::from_str(json).ok()?;
    (!Fact::KINDS.contains(&kind.as_str())).then_some(kind)
}

/// Appends a fact and deletes the earlier one with the same key.
fn keep(transaction: &Transaction, epoch: u32, fact: &Fact) -> Result<(), rusqlite::Error> {
    let json = serde_json::to_string(fact).expect("facts are plain data with text keys");
    let sql = "INSERT OR REPLACE INTO facts (epoch, key, json) VALUES (?1, ?2, ?3)";
    transaction.prepare_cached(sql)?.execute(params![epoch, fact.key(), json]).map(drop)
}

fn archive(
    transaction: &Transaction,
    application: ApplicationId,
    answers: &[ArchivedAnswer],
) -> Result<(), rusqlite::Error> {
    let application = application.to_string();
    transaction.execute("DELETE FROM archive WHERE application = ?1", [&application])?;
    let sql = "INSERT OR REPLACE INTO archive (application, path, json) VALUES (?1, ?2, ?3)";
    let mut insert = transaction.prepare_cached(sql)?;
    for ArchivedAnswer { path, json } in answers {
        insert.execute(params![application, path, json])?;
    }
    Ok(())
}

fn forget(transaction: &Transaction, application: ApplicationId) -> Result<(), rusqlite::Error> {
    let application = application.to_string();
    transaction.execute("DELETE FROM archive WHERE application = ?1", [&application])?;
    // '0' follows '/': the range holds every key that begins with the id and a slash.
    let (from, below) = (format!("{application}/"), format!("{application}0"));
    let sql = "DELETE FROM facts WHERE key >= ?1 AND key < ?2";
    transaction.execute(sql, params![from, below]).map(drop)
}

impl Store for SqliteStore {
    fn begin(&mut self, cluster_timestamp: u64) -> Result<Recovered, Error> {
        let failed = |error| failure(&self.path, error);
        let damaged = |problem| Error::StoreDamaged { path: self.path.clone(), problem };
        let known = self.meta("cluster_timestamp").map_err(failed)?;
        let cluster_timestamp = match known {
            Some(known) => known.unsigned_abs(),
            None => {
                let first = i64::try_from(cluster_timestamp).unwrap_or(i64::MAX);
                self.set_meta("cluster_timestamp", first).map_err(failed)?;
                cluster_timestamp
            }
        };
        let epoch = self.meta("next_epoch").map_err(failed)?.unwrap_or(0);
        self.set_meta("next_epoch", epoch + 1).map_err(failed)?;
        let epoch = u32::try_from(epoch).map_err(|_| damaged(format!("epoch {epoch}")))?;
        let read = |(number, json): (i64, String)| {
            serde_json::from_str(&json).map_err(|error| match newer_kind(&json) {
                Some(kind) => Error::StoreFactNewer { path: self.path.clone(), number, kind },
                None => damaged(format!("fact {number}: {error}")),
            })
        };
        let facts = self.facts().map_err(failed)?.into_iter().map(read);
        let facts = facts.collect::<Result<Vec<Fact>, Error>>()?;
        self.epoch = epoch;
        Ok(Recovered { cluster_timestamp, epoch, facts })
    }

    fn append(&mut self, facts: &[Fact]) -> Result<(), Error> {
        self.insert(facts).map_err(|error| failure(&self.path, error))
    }

    fn archived(
        &mut self,
        application: ApplicationId,
        path: &str,
    ) -> Result<Option<String>, Error> {
        let sql = "SELECT json FROM archive WHERE application = ?1 AND path = ?2";
        let of = params![application.to_string(), path];
        let found = self.connection.query_row(sql, of, |row| row.get(0)).optional();
        found.map_err(|error| failure(&self.path, error))
    }
}

/// Sets exclusive access, sync of every transaction, and a small cache.
fn prepare(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -512)?;
    connection.pragma_update(None, "secure_delete", "OFF")?;
    // Takes the lock now, and reads the first page.
    connection.execute_batch("BEGIN IMMEDIATE; COMMIT")
}

fn identity(connection: &Connection) -> Result<(i32, i32), rusqlite::Error> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((pragma("application_id")?, pragma("user_version")?))
}

fn create(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(CREATE)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", LAYOUT)?;
    transaction.commit()
}

fn failure(path: &Path, error: rusqlite::Error) -> Error {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::TypeMismatch) => {
            Error::StoreDamaged { path, problem: error.to_string() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Error::StoreInUse { path },
        _ => Error::Store { path, source: error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use weir_base::AttemptId;
    use weir_protocol::cluster::FinalStatus;
    use weir_resource_manager_brain::ApplicationSpec;

    fn application(sequence: u32) -> ApplicationId {
        ApplicationId { cluster_timestamp: 5, sequence }
    }

    fn submitted(sequence: u32) -> Fact {
        let submission =
            ApplicationSpec { application: application(sequence), ..ApplicationSpec::default() };
        Fact::ApplicationSubmitted { submission, submitted_wall_ms: 7 }
    }

    fn finished(sequence: u32, diagnostics: &str) -> Fact {
        Fact::AttemptFinished {
            attempt: AttemptId { application: application(sequence), number: 1 },
            final_status: FinalStatus::Succeeded,
            diagnostics: diagnostics.to_owned(),
            finished_wall_ms: 5,
        }
    }

    fn archived(sequence: u32, json: &str) -> Fact {
        let answer = ArchivedAnswer { path: "/jobs".to_owned(), json: json.to_owned() };
        Fact::Archived { application: application(sequence), answers: vec![answer] }
    }

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a folder"))
        }

        fn path(&self) -> PathBuf {
            self.0.path().join("state.db")
        }

        /// Opens the store and begins an epoch.
        fn begin(&self) -> (SqliteStore, Recovered) {
            let mut store = SqliteStore::open(&self.path()).expect("opened");
            let recovered = store.begin(5).expect("begun");
            (store, recovered)
        }
    }

    #[test]
    fn facts_come_back_in_order_and_epochs_grow() {
        let folder = Folder::new();
        let (mut store, first) = folder.begin();
        assert_eq!(first, Recovered { cluster_timestamp: 5, epoch: 0, facts: Vec::new() });
        store.append(&[submitted(1), submitted(2)]).expect("appended");
        store.append(&[finished(1, "old")]).expect("appended");
        store.append(&[finished(1, "new"), submitted(3)]).expect("appended");
        drop(store);
        let mut store = SqliteStore::open(&folder.path()).expect("opened");
        let again = store.begin(99).expect("begun");
        let facts = vec![submitted(1), submitted(2), finished(1, "new"), submitted(3)];
        assert_eq!(again, Recovered { cluster_timestamp: 5, epoch: 1, facts });
    }

    #[test]
    fn forgetting_an_application_deletes_only_its_own_facts() {
        let folder = Folder::new();
        let (mut store, _) = folder.begin();
        let facts = [submitted(1), archived(1, "one"), submitted(10_000), archived(10_000, "ten")];
        store.append(&facts).expect("appended");
        let of = |store: &mut SqliteStore, sequence| {
            store.archived(application(sequence), "/jobs").expect("read")
        };
        assert_eq!(of(&mut store, 1).as_deref(), Some("one"));
        let forgotten = Fact::ApplicationForgotten { application: application(1), highest: 1 };
        store.append(std::slice::from_ref(&forgotten)).expect("appended");
        assert_eq!(of(&mut store, 1), None);
        assert_eq!(of(&mut store, 10_000).as_deref(), Some("ten"));
        drop(store);
        assert_eq!(folder.begin().1.facts, [submitted(10_000), forgotten]);
    }

    #[test]
    fn appended_facts_survive_a_crash_of_the_process() {
        let folder = Folder::new();
        let (mut store, _) = folder.begin();
        store.append(&[submitted(1)]).expect("appended");
        // Simulate a crash: copy the files as they are now to another folder.
        let copy = Folder::new();
        for file in fs::read_dir(folder.0.path()).expect("a folder") {
            let file = file.expect("a file");
            fs::copy(file.path(), copy.0.path().join(file.file_name())).expect("copied");
        }
        assert_eq!(copy.begin().1.facts, [submitted(1)]);
    }

    #[test]
    fn store_in_use_is_not_shared() {
        let folder = Folder::new();
        let (_store, _) = folder.begin();
        let error = SqliteStore::open(&folder.path()).expect_err("in use");
        assert_eq!(error.code(), "WEIR-RM-0023");
    }

    #[test]
    fn store_of_a_newer_release_or_of_another_program_is_refused() {
        for (pragmas, code) in [
            ("PRAGMA user_version = 2", "WEIR-RM-0022"),
            ("PRAGMA application_id = 1", "WEIR-RM-0021"),
            ("PRAGMA user_version = 0", "WEIR-RM-0021"),
        ] {
            let folder = Folder::new();
            drop(folder.begin());
            let other = Connection::open(folder.path()).expect("opened");
            other.execute_batch(pragmas).expect("changed");
            drop(other);
            let error = SqliteStore::open(&folder.path()).expect_err(pragmas);
            assert_eq!(error.code(), code, "{pragmas}: {error}");
        }
    }

    #[test]
    fn damaged_store_is_reported_as_damaged() {
        let folder = Folder::new();
        fs::write(folder.path(), "this is no database at all, but long enough".repeat(100))
            .expect("written");
        let error = SqliteStore::open(&folder.path()).expect_err("no database");
        assert_eq!(error.code(), "WEIR-RM-0021");

        let folder = Folder::new();
        let (mut store, _) = folder.begin();
        store.append(&[submitted(1)]).expect("appended");
        store.connection.execute("UPDATE facts SET json = '{}'", []).expect("changed");
        drop(store);
        let mut store = SqliteStore::open(&folder.path()).expect("opened");
        let error = store.begin(5).expect_err("no fact");
        assert_eq!(error.code(), "WEIR-RM-0021");
        assert!(error.to_string().contains("fact 1"), "{error}");
    }

    #[test]
    fn fact_of_a_newer_release_is_kept_and_refused() {
        let folder = Folder::new();
        let (mut store, _) = folder.begin();
        store.append(&[submitted(1)]).expect("appended");
        let json = r#"{"fact":"queue-moved","application":"application_5_0001","queue":"b"}"#;
        store.connection.execute("UPDATE facts SET json = ?1", [json]).expect("changed");
        drop(store);
        let mut store = SqliteStore::open(&folder.path()).expect("opened");
        let error = store.begin(5).expect_err("a newer fact");
        assert_eq!(error.code(), "WEIR-RM-0022");
        assert!(error.to_string().contains("\"queue-moved\""), "{error}");
        assert_eq!(store.facts().expect("read"), [(1, json.to_owned())]);
    }
}
