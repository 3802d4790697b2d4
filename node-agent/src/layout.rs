//! Files in the data folder of a node agent.
//!
//! ```text
//! lock                                   held while an agent works here
//! cache/<sha256>                         files by content; <sha256>.part while one is fetched
//! containers/<container>/                where its command runs, with its files
//! containers/<container>/.weir/launch    what to run; written by the agent
//!                              pid       the shim; the process that makes this file decides whether the command runs
//!                              child     the command's process
//!                              exit      how it ended
//! logs/<application>/<container>/stdout, stdout.1, …, stderr, …
//! ```

use std::{
    io,
    path::{Path, PathBuf},
};
use weir_base::{ApplicationId, ArtifactHash, ContainerId};

/// The folder for Weir's own files in a container's folder.
pub(crate) const PRIVATE_FOLDER: &str = ".weir";

/// The data folder of an agent.
#[derive(Clone, Debug)]
pub(crate) struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// The existing folder, by its canonical path: processes of containers are found by it.
    pub fn new(root: &Path) -> io::Result<Self> {
        Ok(Self { root: root.canonicalize()? })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }

    pub fn cached(&self, hash: ArtifactHash) -> PathBuf {
        self.cache().join(hash.to_string())
    }

    pub fn partial(&self, hash: ArtifactHash) -> PathBuf {
        self.cache().join(format!("{hash}.part"))
    }

    pub fn containers(&self) -> PathBuf {
        self.root.join("containers")
    }

    pub fn container(&self, id: ContainerId) -> ContainerFolder {
        ContainerFolder::new(self.containers().join(id.to_string()))
    }

    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub fn application_logs(&self, id: ApplicationId) -> PathBuf {
        self.logs().join(id.to_string())
    }

    pub fn container_logs(&self, id: ContainerId) -> PathBuf {
        self.application_logs(id.attempt.application).join(id.to_string())
    }

    /// Every container that has a folder.
    pub fn container_ids(&self) -> io::Result<Vec<ContainerId>> {
        let entries = std::fs::read_dir(self.containers())?;
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut ids: Vec<_> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
        ids.sort_unstable();
        Ok(ids)
    }
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ContainerFolder {
    root: PathBuf,
}

impl ContainerFolder {
    pub fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn private(&self) -> PathBuf {
        self.root.join(PRIVATE_FOLDER)
    }

    pub fn launch(&self) -> PathBuf {
        self.private().join("launch")
    }

    pub fn pid(&self) -> PathBuf {
        self.private().join("pid")
    }

    pub fn child(&self) -> PathBuf {
        self.private().join("child")
    }

    pub fn exit(&self) -> PathBuf {
        self.private().join("exit")
    }

    /// File for the shim's own error messages.
    pub fn shim_log(&self) -> PathBuf {
        self.private().join("shim.log")
    }
}
