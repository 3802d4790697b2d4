//! The data folder of a cluster: what lies where, and the lock that one command at a time holds.
//!
//! ```text
//! cluster.json   what runs           token     the cluster's secret, 0600
//! lock           held while start and stop work
//! storage/       checkpoints and job logs
//! resource-manager/   node-agent-1/   …
//! ```

use crate::problem::Problem;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The data folder of a cluster; an absolute path.
#[derive(Clone, Debug)]
pub struct Folder(PathBuf);

/// Held while a command changes the cluster; given back when dropped, however the process ends.
pub struct Lock(#[expect(dead_code, reason = "held, not used")] File);

impl Folder {
    /// The folder at a path, which need not exist.
    pub fn new(path: &Path) -> Result<Self, Problem> {
        if path.as_os_str().is_empty() {
            return Err(Problem::usage("the name of the data folder is empty"));
        }
        std::path::absolute(path).map(Self).map_err(|error| unusable(path, &error))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes it with everything in it that is the same for every cluster. Only its owner may look in.
    pub fn create(&self) -> Result<(), Problem> {
        for path in [self.0.clone(), self.storage(), self.resource_manager()] {
            private_folder(&path)?;
        }
        Ok(())
    }

    /// Makes the folder of a node agent.
    pub fn create_node_agent(&self, name: &str) -> Result<PathBuf, Problem> {
        let path = self.0.join(name);
        private_folder(&path)?;
        Ok(path)
    }

    /// The running processes.
    pub fn record(&self) -> PathBuf {
        self.0.join("cluster.json")
    }

    /// The cluster's secret.
    pub fn token(&self) -> PathBuf {
        self.0.join("token")
    }

    /// Exists while kills are pending that could not be sent to the resource manager when
    /// the cluster was stopped. It would take them up again when it comes back.
    pub fn unfinished_stop(&self) -> PathBuf {
        self.0.join("unfinished-stop")
    }

    /// Where jobs keep checkpoints.
    pub fn storage(&self) -> PathBuf {
        self.0.join("storage")
    }

    /// The resource manager's.
    pub fn resource_manager(&self) -> PathBuf {
        self.0.join("resource-manager")
    }

    /// The log of a daemon.
    pub fn log(&self, daemon: &str) -> PathBuf {
        let (folder, name) = match daemon {
            "resource-manager" => (daemon, "resource-manager.log"),
            agent => (agent, "node-agent.log"),
        };
        self.0.join(folder).join(name)
    }

    /// Folders of node agents, of this cluster or of earlier ones.
    pub fn node_agents(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.0) else { return Vec::new() };
        let named = |path: &PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("node-agent-")) && path.is_dir()
        };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(named).collect();
        paths.sort();
        paths
    }

    /// Takes the lock; the folder must exist.
    pub fn lock(&self) -> Result<Lock, Problem> {
        let path = self.0.join("lock");
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).mode(0o600).open(&path);
        let file = file.map_err(|error| unusable(&path, &error))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => {
                let place = self.0.display();
                let what = format!("another weir is starting or stopping the cluster in {place}");
                Err(Problem::failure("WEIR-CLUSTER-0003", what)
                    .help("wait until it is done, then see `weir cluster status`"))
            }
            Err(TryLockError::Error(error)) => Err(unusable(&path, &error)),
        }
    }
}

fn private_folder(path: &Path) -> Result<(), Problem> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(path).map_err(|error| unusable(path, &error))
}

/// The folder, or something in it, cannot be used.
pub fn unusable(path: &Path, error: &io::Error) -> Problem {
    let what = format!("cannot use the data folder of the cluster: {}: {error}", path.display());
    Problem::failure("WEIR-CLUSTER-0006", what)
        .help("name a folder that this user may write with --data-dir or in WEIR_DATA_DIR")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn folder_is_its_owners_and_has_one_lock() {
        let place = tempfile::tempdir().expect("a folder");
        let folder = Folder::new(&place.path().join("a/b")).expect("a path");
        folder.create().expect("made");
        let mode = fs::metadata(folder.path()).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let lock = folder.lock().expect("free");
        let problem = folder.lock().map(drop).expect_err("taken");
        assert_eq!(problem.code.as_deref(), Some("WEIR-CLUSTER-0003"));
        drop(lock);
        assert!(folder.lock().is_ok());
    }

    #[test]
    fn folder_below_a_file_cannot_be_used() {
        let place = tempfile::NamedTempFile::new().expect("a file");
        let folder = Folder::new(&place.path().join("data")).expect("a path");
        let problem = folder.create().expect_err("below a file");
        assert_eq!(problem.code.as_deref(), Some("WEIR-CLUSTER-0006"));
    }
}
