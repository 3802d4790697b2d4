//! The store underneath: whole objects, written once, read, listed and deleted.
//!
//! A store that is no local folder gives each put its own atomicity. In a local folder a write
//! goes through a temporary name, so that a file with its final name is always complete and synced:
//!
//! ```text
//! write staging/x ─▶ fsync ─▶ link (create-if-absent) or rename (replace) ─▶ fsync folders
//! ```
//!
//! A crash leaves at most a file in `staging/`. Its name tells for which object it was written:
//!
//! ```text
//! staging/<path of the object, "." for "/">.<instance>-<number>
//! ```
//!
//! So a sweep knows which unfinished writes cannot be of use any more, and leaves the others alone
//! until they are a day old.
//!
//! A local folder is created when it is opened, and never later. When its file system is unmounted while
//! the job runs, a write below the mount point would create the folder on another disk: its content would
//! be durable, and no other process would find it. So each write and each listing checks that the folder is
//! still the one that was opened.

use crate::{
    error::{Cause, Error, Result},
    frame::{self, Kind},
};
use bytes::Bytes;
use futures::{TryStreamExt, executor};
use object_store::{
    Error as StoreError, ObjectStore, ObjectStoreExt, PutMode, PutPayload, local::LocalFileSystem,
    memory::InMemory, path::Path as ObjectPath,
};
use std::{
    fs::{self, File},
    hash::{BuildHasher, RandomState},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime},
};

/// Waits for a call of the store. A caller may be on a thread of an async runtime: there the store
/// hands its work to other threads, and tokio would make a task yield that has seen many of them done,
/// to a scheduler that cannot run because this thread waits. Hence without tokio's budget.
fn block_on<T>(call: impl Future<Output = T>) -> T {
    executor::block_on(tokio::task::unconstrained(call))
}

const STAGING: &str = "staging";
/// Object of the scratch file that is written when a folder is opened.
const PROBE: &str = "probe";
/// Unfinished writes of any process are removed at this age. A write that takes longer
/// fails and is repeated by its caller.
const STAGING_AGE_LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// One job's objects.
pub(crate) struct Store {
    objects: Box<dyn ObjectStore>,
    /// Root of a local folder; `None` for other stores.
    folder: Option<PathBuf>,
    /// Number of the folder in its file system: it stays when the file system is mounted again.
    inode: u64,
    /// Tells this instance's staging files from those of any other, on any node.
    instance: u64,
    next_staging: AtomicU64,
}

impl Store {
    /// A folder, created where it is missing.
    pub(crate) fn local(dir: &Path) -> Result<Self> {
        let failed = |action, source: Cause| Error::Folder {
            folder: dir.display().to_string(),
            action,
            source,
        };
        fs::create_dir_all(dir.join(STAGING)).map_err(|e| failed("create folders", e.into()))?;
        let folder = fs::canonicalize(dir).map_err(|e| failed("find its place", e.into()))?;
        let inode = inode_of(&folder).map_err(|e| failed("find its place", e.into()))?;
        let objects = LocalFileSystem::new_with_prefix(&folder)
            .map_err(|e| failed("find its place", e.into()))?;
        let store = Self { folder: Some(folder), inode, ..Self::new(Box::new(objects)) };
        store.probe().map_err(|e| failed("write and link a file", e.into()))?;
        Ok(store)
    }

    /// An existing folder, of which nothing is changed.
    pub(crate) fn read_only(dir: &Path) -> Result<Self> {
        let failed =
            |source| Error::Folder { folder: dir.display().to_string(), action: "read", source };
        let folder = fs::canonicalize(dir).map_err(|e| failed(e.into()))?;
        let inode = inode_of(&folder).map_err(|e| failed(e.into()))?;
        let objects = LocalFileSystem::new_with_prefix(&folder).map_err(|e| failed(e.into()))?;
        Ok(Self { folder: Some(folder), inode, ..Self::new(Box::new(objects)) })
    }

    /// A store that lives as long as this process.
    pub(crate) fn in_memory() -> Self {
        Self::new(Box::new(InMemory::new()))
    }

    pub(crate) fn new(objects: Box<dyn ObjectStore>) -> Self {
        let instance = RandomState::new().hash_one(0);
        Self { objects, folder: None, inode: 0, instance, next_staging: AtomicU64::new(0) }
    }

    /// Fails when the folder is not there any more, or another one is at its place.
    fn check_folder(&self) -> Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        match inode_of(folder) {
            Ok(inode) if inode == self.inode => Ok(()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Error::of_call("look for", folder.display().to_string(), error))
            }
            _ => Err(Error::NoFolder { folder: folder.display().to_string() }),
        }
    }

    /// Does to a scratch file what a log record needs: a folder that can be created but not
    /// linked in would fail at the first checkpoint only.
    fn probe(&self) -> io::Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let probe = folder.join(self.staging_path(PROBE));
        let link = folder.join(self.staging_path(PROBE));
        fs::write(&probe, b"probe")?;
        let linked = fs::hard_link(&probe, &link);
        fs::remove_file(&probe)?;
        linked?;
        fs::remove_file(&link)
    }

    /// The name of an object in errors: the file where there is one.
    pub(crate) fn display(&self, path: &str) -> String {
        match &self.folder {
            Some(folder) => folder.join(path).display().to_string(),
            None => format!("memory:{path}"),
        }
    }

    /// Writes an object unless one of this name exists; `false` when it does. A failure may be
    /// ambiguous.
    pub(crate) fn create(&self, kind: Kind, path: &str, body: Bytes) -> Result<bool> {
        let payload = frame::encode(kind, body);
        let target = ObjectPath::from(path);
        let created = match &self.folder {
            Some(_) => {
                let staged = self.stage(path, payload)?;
                let linked = block_on(self.objects.copy_if_not_exists(&staged, &target));
                // What stays behind is swept.
                let _ = block_on(self.objects.delete(&staged));
                linked
            }
            None => {
                block_on(self.objects.put_opts(&target, payload, PutMode::Create.into())).map(drop)
            }
        };
        match created {
            Ok(()) => self.sync_folders(path).map(|()| true),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(false),
            Err(source) => Err(self.ambiguous(path, source.into())),
        }
    }

    /// Writes an object, in place of an older one of this name; returns its size in bytes.
    pub(crate) fn replace(&self, kind: Kind, path: &str, body: Bytes) -> Result<u64> {
        let payload = frame::encode(kind, body);
        let size_bytes = payload.content_length() as u64;
        let target = ObjectPath::from(path);
        if self.folder.is_some() {
            let staged = self.stage(path, payload)?;
            let renamed = block_on(self.objects.rename(&staged, &target));
            renamed.map_err(|source| Error::of_call("write", self.display(path), source))?;
        } else {
            let put = block_on(self.objects.put(&target, payload));
            put.map_err(|source| Error::of_call("write", self.display(path), source))?;
        }
        self.sync_folders(path)?;
        Ok(size_bytes)
    }

    /// The body of an object, `None` when there is none of this name.
    pub(crate) fn read(&self, kind: Kind, path: &str) -> Result<Option<Vec<u8>>> {
        let target = ObjectPath::from(path);
        let read = block_on(async { self.objects.get(&target).await?.bytes().await });
        match read {
            Ok(framed) => frame::decode(kind, &self.display(path), &framed).map(Some),
            Err(StoreError::NotFound { .. }) => self.check_folder().map(|()| None),
            Err(source) => Err(Error::of_call("read", self.display(path), source)),
        }
    }

    /// Whether there is an object of this name.
    pub(crate) fn exists(&self, path: &str) -> Result<bool> {
        match block_on(self.objects.head(&ObjectPath::from(path))) {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => self.check_folder().map(|()| false),
            Err(source) => Err(Error::of_call("look for", self.display(path), source)),
        }
    }

    /// Paths of all objects below a folder, or of all there are, in no order.
    pub(crate) fn list(&self, folder: Option<&str>) -> Result<Vec<String>> {
        let prefix = folder.map(ObjectPath::from);
        let listed = self.objects.list(prefix.as_ref());
        let paths = listed.map_ok(|object| object.location.to_string()).try_collect();
        let paths = block_on(paths)
            .map_err(|source| Error::of_call("list", self.display(folder.unwrap_or("")), source))?;
        self.check_folder()?;
        Ok(paths)
    }

    /// Deletes an object; `false` when there was none.
    pub(crate) fn delete(&self, path: &str) -> Result<bool> {
        match block_on(self.objects.delete(&ObjectPath::from(path))) {
            Ok(()) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(source) => Err(Error::of_call("delete", self.display(path), source)),
        }
    }

    /// Removes a local folder if it is empty; other stores have none.
    pub(crate) fn remove_empty_folder(&self, name: &str) {
        if let Some(folder) = &self.folder {
            // Not empty, or gone already: both are fine.
            let _ = fs::remove_dir(folder.join(name));
        }
    }

    /// Deletes unfinished writes of the objects that `is_useless` names, and any that are older
    /// than a day.
    pub(crate) fn sweep_staging(&self, is_useless: impl Fn(&str) -> bool) -> Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let failed = |source: io::Error| Error::of_call("sweep", self.display(STAGING), source);
        let now = self.file_system_time(folder).map_err(failed)?;
        for entry in fs::read_dir(folder.join(STAGING)).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let target = name.to_str().and_then(staged_target);
            let is_old = || age(&entry, now).is_some_and(|age| age > STAGING_AGE_LIMIT);
            if !target.is_some_and(|target| is_useless(&target)) && !is_old() {
                continue;
            }
            match fs::remove_file(entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The time by the clock that the file system sets times of files by: that of another machine
    /// where the folder is shared.
    fn file_system_time(&self, folder: &Path) -> io::Result<SystemTime> {
        let probe = folder.join(self.staging_path(PROBE));
        let modified = fs::write(&probe, b"probe").and_then(|()| fs::metadata(&probe)?.modified());
        let removed = fs::remove_file(&probe);
        modified.and_then(|modified| removed.map(|()| modified))
    }

    /// Writes and syncs a local object under a name of its own; `path` is for errors.
    fn stage(&self, path: &str, payload: PutPayload) -> Result<ObjectPath> {
        self.check_folder()?;
        let staging_path = self.staging_path(path);
        let staged = ObjectPath::from(staging_path.as_str());
        let written = block_on(self.objects.put(&staged, payload))
            .map_err(Cause::from)
            .and_then(|_| self.sync_file(&staging_path).map_err(Cause::from));
        match written {
            Ok(()) => Ok(staged),
            Err(source) => {
                let _ = block_on(self.objects.delete(&staged));
                Err(Error::of_call("write", self.display(path), source))
            }
        }
    }

    fn staging_path(&self, target: &str) -> String {
        let number = self.next_staging.fetch_add(1, Ordering::Relaxed);
        let target = target.replace('/', ".");
        format!("{STAGING}/{target}.{:016x}-{number}", self.instance)
    }

    fn sync_file(&self, path: &str) -> io::Result<()> {
        match &self.folder {
            Some(folder) => File::options().write(true).open(folder.join(path))?.sync_all(),
            None => Ok(()),
        }
    }

    /// Makes the name of a local object durable, and those of the folders it lies in.
    fn sync_folders(&self, path: &str) -> Result<()> {
        let Some(root) = &self.folder else {
            return Ok(());
        };
        let file = root.join(path);
        let folders = file.ancestors().skip(1).take_while(|folder| folder.starts_with(root));
        for folder in folders {
            sync_folder(folder).map_err(|source| self.ambiguous(path, source.into()))?;
        }
        self.check_folder()
    }

    fn ambiguous(&self, path: &str, source: Cause) -> Error {
        Error::Storage {
            object: self.display(path),
            action: "be sure to have written",
            ambiguous: true,
            source,
        }
    }
}

fn inode_of(folder: &Path) -> io::Result<u64> {
    Ok(fs::metadata(folder)?.ino())
}

/// The object that a file in `staging/` was written for; only its first `/` is given back.
fn staged_target(name: &str) -> Option<String> {
    let (target, _) = name.rsplit_once('.')?;
    Some(target.replacen('.', "/", 1))
}

/// Age of an unfinished write, since it was last written to.
fn age(entry: &fs::DirEntry, now: SystemTime) -> Option<Duration> {
    now.duration_since(entry.metadata().ok()?.modified().ok()?).ok()
}

/// Syncs a folder, where the system can.
fn sync_folder(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, NotFound, Unsupported};
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        // Some network file systems know no sync of folders; a folder that is gone was emptied
        // by a delete that came right after the write.
        Err(error) if matches!(error.kind(), InvalidInput | Unsupported | NotFound) => Ok(()),
        result => result,
    }
}
