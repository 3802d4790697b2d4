//! Containers: what runs in one, how an agent reports one, and the requests that start and stop one.

use serde::{Deserialize, Serialize};
use weir_base::{ArtifactHash, ContainerId, Resources};

/// Exit statuses of containers that are no exit codes of processes, as in YARN. A process ended by
/// signal `n` has `128 + n`.
pub mod exit_status {
    /// Unknown, or the container never started.
    pub const INVALID: i32 = -1000;
    /// Released by its app master, or its node was lost.
    pub const ABORTED: i32 = -100;
    /// The node's disk is full or broken.
    pub const DISKS_FAILED: i32 = -101;
    /// Killed to make room for other applications.
    pub const PREEMPTED: i32 = -102;
    /// Used more memory than leased.
    pub const KILLED_EXCEEDING_MEMORY: i32 = -104;
    pub const KILLED_BY_APP_MASTER: i32 = -105;
    pub const KILLED_BY_RESOURCE_MANAGER: i32 = -106;
    /// Killed because its application, or its attempt of the application, has ended.
    pub const KILLED_AFTER_APPLICATION: i32 = -107;
}

/// The state of a container at its agent, in the states that others need to tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ContainerState {
    /// The agent fetches its files, or starts its process.
    Localizing,
    /// Its process runs.
    Running,
    /// The agent is killing it.
    Killing,
    /// It has ended; no process of it runs.
    Complete,
    /// A state of a later release. It changes nothing: the container exists, and everything else that the
    /// receiver knows of it stays as it is.
    #[serde(other)]
    Unknown,
}

impl ContainerState {
    /// As in messages, and as YARN's agent shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Localizing => "LOCALIZING",
            Self::Running => "RUNNING",
            Self::Killing => "KILLING",
            Self::Complete => "COMPLETE",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// One container, as its agent reports it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContainerReport {
    pub container: ContainerId,
    /// As leased.
    pub resources: Resources,
    pub state: ContainerState,
    /// Its exit code, or one of [`exit_status`]; set when it is complete.
    #[serde(default)]
    pub exit_status: Option<i32>,
    /// Reason of the end, as text for the user; may be empty.
    #[serde(default)]
    pub diagnostics: String,
    /// Memory of its process tree in MiB at the last measurement.
    #[serde(default)]
    pub used_memory_mib: u64,
}

/// A container and what to run in it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LaunchContainer {
    pub container: ContainerId,
    /// Its limits.
    pub resources: Resources,
    pub launch: LaunchContext,
}

/// A command to run in a container, with its environment.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LaunchContext {
    /// The program and its arguments, run in the container's folder without a shell. A program with a
    /// slash is a path relative to that folder; otherwise it is looked up in `PATH`.
    pub command: Vec<String>,
    /// Names and values of variables. They replace those that the agent sets.
    #[serde(default)]
    pub environment: Vec<(String, String)>,
    /// Files that the agent puts into the folder before the start.
    #[serde(default)]
    pub artifacts: Vec<ArtifactUse>,
}

/// A file in the folder of a container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ArtifactUse {
    /// Its name in the folder: one path component.
    pub name: String,
    pub hash: ArtifactHash,
    pub size_bytes: u64,
    #[serde(default)]
    pub executable: bool,
}

/// An app master starts a container that it has leased. The request carries the
/// [`LeaseToken`](super::LeaseToken) in its `Authorization` header, which names the container. Repeating
/// it changes nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StartContainer {
    pub launch: LaunchContext,
}

/// The agent knows the container. The resource manager tells the app master when it ends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContainerStarted {}

/// An app master ends a container. The request carries the [`LeaseToken`](super::LeaseToken) in its
/// `Authorization` header, which names the container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StopContainer {}

/// The container is being ended, or has ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ContainerStopped {}
