//! Files through which agent and shim communicate, also across restarts of the agent: JSON, each written once.

use crate::layout::ContainerFolder;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use weir_base::{ContainerId, Resources};
use weir_service::{ProcessId, process::boot_id};

/// Limit for the size of a record; a larger file is not ours.
const MAX_RECORD_BYTES: u64 = 128 * 1024 * 1024;

/// Launch record: what a shim runs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct LaunchRecord {
    pub container: ContainerId,
    pub resources: Resources,
    /// Command and arguments.
    pub command: Vec<String>,
    /// The complete environment.
    pub environment: Vec<(String, String)>,
    pub log_folder: PathBuf,
    /// A log file is rotated at this size.
    pub log_max_bytes: u64,
    /// Rotated files kept beside the current one.
    pub log_max_files: u32,
}

/// Pid record: which process runs a container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct PidRecord {
    /// The shim; `None`: the container was given up before it was started.
    pub shim: Option<ProcessId>,
    /// Boot id of the machine: process ids are valid only within one boot.
    pub boot: String,
}

/// Exit record: how a container ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct ExitRecord {
    pub exit_status: i32,
    /// Reason as text for the user; may be empty.
    pub diagnostics: String,
}

/// Reads a record; `None` when there is none.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = io::read_to_string(io::Read::take(file, MAX_RECORD_BYTES))?;
    let record = serde_json::from_str(&bytes).map_err(io::Error::other)?;
    Ok(Some(record))
}

/// Creates a file that only its owner may read, since records hold tokens.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Writes a record atomically. It is not synced to disk: its content is useless after a restart of the
/// machine.
pub(crate) fn write<T: Serialize>(path: &Path, record: &T) -> io::Result<()> {
    let draft = path.with_extension("draft");
    create_private(&draft)?.write_all(&serde_json::to_vec(record)?)?;
    fs::rename(&draft, path)
}

/// Writes the pid record unless one exists. Returns whether this call wrote it.
pub(crate) fn claim(folder: &ContainerFolder, shim: Option<ProcessId>) -> io::Result<bool> {
    let path = folder.pid();
    // Shim and agent may try at the same time.
    let draft = path.with_extension(format!("{}.draft", std::process::id()));
    let record = PidRecord { shim, boot: boot_id() };
    let written = create_private(&draft)
        .and_then(|mut file| file.write_all(&serde_json::to_vec(&record)?))
        .and_then(|()| fs::hard_link(&draft, &path));
    // A partly written draft uses disk space, which may be what is missing.
    let _ = fs::remove_file(&draft);
    match written {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

/// An exit record whose disk space is reserved in advance, so that it can be written even if the disk
/// is full when the container ends.
#[derive(Debug)]
pub(crate) struct ReservedExit {
    path: PathBuf,
    draft: PathBuf,
    file: File,
}

impl ReservedExit {
    const ROOM_BYTES: usize = 4096;

    pub fn new(path: PathBuf) -> io::Result<Self> {
        let draft = path.with_extension("reserved");
        let mut file = create_private(&draft)?;
        file.write_all(&vec![b' '; Self::ROOM_BYTES])?;
        Ok(Self { path, draft, file })
    }

    /// Writes the content into the reserved record.
    pub fn fill(self, exit_status: i32, diagnostics: &str) -> io::Result<()> {
        let diagnostics: String = diagnostics.chars().take(Self::ROOM_BYTES / 8).collect();
        let mut text = serde_json::to_vec(&ExitRecord { exit_status, diagnostics })?;
        // Trailing spaces are valid after JSON.
        text.resize(text.len().max(Self::ROOM_BYTES), b' ');
        std::os::unix::fs::FileExt::write_all_at(&self.file, &text, 0)?;
        fs::rename(&self.draft, &self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, ContainerFolder) {
        let temporary = tempfile::tempdir().expect("a folder");
        let folder = ContainerFolder::new(temporary.path().to_owned());
        fs::create_dir(folder.private()).expect("made");
        (temporary, folder)
    }

    #[test]
    fn only_the_first_claim_holds() {
        let (_guard, folder) = folder();
        assert!(claim(&folder, Some(ProcessId::own())).expect("written"));
        assert!(!claim(&folder, None).expect("refused"));
        let record: PidRecord = read(&folder.pid()).expect("read").expect("there");
        assert_eq!((record.shim, record.boot), (Some(ProcessId::own()), boot_id()));
    }

    #[test]
    fn claim_that_fails_leaves_no_draft() {
        let (_guard, folder) = folder();
        let draft = folder.pid().with_extension(format!("{}.draft", std::process::id()));
        std::os::unix::fs::symlink("/dev/full", &draft).expect("linked");
        let error = claim(&folder, None).expect_err("the disk is full");
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
        assert_eq!(fs::read_dir(folder.private()).expect("there").count(), 0);
    }

    #[test]
    fn reserved_exit_is_seen_only_when_filled() {
        let (_guard, folder) = folder();
        let reserved = ReservedExit::new(folder.exit()).expect("room");
        assert_eq!(read::<ExitRecord>(&folder.exit()).expect("readable"), None);
        reserved.fill(3, &"\u{1}".repeat(10_000)).expect("filled");
        let record: ExitRecord = read(&folder.exit()).expect("readable").expect("there");
        assert_eq!((record.exit_status, record.diagnostics.len()), (3, 512));
    }

    #[test]
    fn damaged_record_is_an_error_not_an_absence() {
        let (_guard, folder) = folder();
        fs::write(folder.launch(), b"{\"command\": 3").expect("written");
        assert!(read::<LaunchRecord>(&folder.launch()).is_err());
    }

    /// A new release adopts the containers that an older one started, so these texts stay as they are and more
    /// are added.
    #[test]
    fn records_of_release_0_1_0_are_readable() {
        let (_guard, folder) = folder();
        let stored = |text: &str| {
            let path = folder.launch();
            fs::write(&path, text).expect("written");
            path
        };
        let launch: LaunchRecord = read(&stored(
            r#"{"container":"container_1700000000000_0007_02_000003","resources":{"memory_mib":1024,"vcores":2},"command":["weir","task-manager"],
                "environment":[["HOME","/"]],"log_folder":"/logs","log_max_bytes":10,"log_max_files":4}"#,
        ))
        .expect("readable")
        .expect("there");
        assert_eq!(
            launch,
            LaunchRecord {
                container: "container_1700000000000_0007_02_000003".parse().expect("an id"),
                resources: Resources { memory_mib: 1024, vcores: 2 },
                command: vec!["weir".to_owned(), "task-manager".to_owned()],
                environment: vec![("HOME".to_owned(), "/".to_owned())],
                log_folder: "/logs".into(),
                log_max_bytes: 10,
                log_max_files: 4,
            }
        );
        let shim = Some(ProcessId { pid: 9, start_time: 77 });
        for (text, shim) in [
            (r#"{"shim":{"pid":9,"start_time":77},"boot":"b"}"#, shim),
            (r#"{"shim":null,"boot":"b"}"#, None),
        ] {
            let record: PidRecord = read(&stored(text)).expect("readable").expect("there");
            assert_eq!(record, PidRecord { shim, boot: "b".to_owned() });
        }
        let exit: ExitRecord =
            read(&stored(r#"{"exit_status":-104,"diagnostics":"too large"}   "#))
                .expect("readable")
                .expect("there");
        assert_eq!(exit, ExitRecord { exit_status: -104, diagnostics: "too large".to_owned() });
    }
}
