//! Task managers: they offer slots and start task hosts.

use crate::cluster::RecordedResult;
use serde::{Deserialize, Serialize};

/// Registration of a task manager.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ManagerIntroduction {
    /// Name or address of its node, for display and for the data plane.
    pub host: String,
    /// Its process.
    pub pid: u32,
    pub slots: u32,
    /// Memory of its container in MiB.
    pub memory_mib: u64,
}

/// Orders to a task manager.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ManagerOrder {
    /// Start a task host.
    StartHost(Box<HostLaunch>),
    /// End a task host: by its lifeline, then by force.
    StopHost { host: u32 },
    /// End all task hosts and then itself.
    Shutdown,
    /// Nothing; says that the job master lives.
    KeepAlive,
}

/// How to start a task host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HostLaunch {
    /// Its number, unique in the container.
    pub host: u32,
    /// The job executable, a file in the container's folder.
    pub executable: String,
    /// Arguments of `main`, as bytes.
    pub arguments: Vec<Vec<u8>>,
    /// The folder to work in, if it exists.
    pub working_directory: String,
    /// The configuration of the job as JSON: what the task host works with.
    pub configuration: String,
    /// Arguments of `main` as the client gave them, as JSON.
    pub launch_configuration: String,
    /// Values for `env.once`, as `job_executable::write_once_values` writes them.
    pub once_values: Vec<u8>,
    /// Index of the `execute()` call of `main` that is the job, from 0.
    pub ordinal: u32,
    /// Results of the earlier ones, as in the submission.
    pub earlier: Vec<RecordedResult>,
    /// Memory that its process tree may use, in MiB.
    pub memory_limit_mib: u64,
}

/// How a task host ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HostEnd {
    pub host: u32,
    /// In words: `ended with exit code 3`, `was ended by SIGKILL`, `used 1.2 gb of 1 gb`.
    pub reason: String,
    /// Stable code: `WEIR-TM-0001` could not be started, `-0002` ended, `-0003` used too much memory.
    pub code: String,
}

/// Reports of a task manager.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum ManagerReport {
    /// A task host runs as this process.
    HostStarted {
        host: u32,
        /// Its process.
        pid: u32,
    },
    /// A task host has ended, or could not be started.
    HostEnded(HostEnd),
    /// Memory in use; sent about every second, also to show that the task manager is alive.
    Memory {
        /// By the task manager itself, in bytes.
        own_bytes: u64,
        /// By each task host and its children.
        hosts: Vec<(u32, u64)>,
    },
}
