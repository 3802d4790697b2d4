//! What travels between agents and others, with the names and fields of `weir_protocol::cluster`, so
//! that a shell converts it field by field. A brain knows no protocol.

use weir_base::{ApplicationId, ArtifactHash, ContainerId, NodeId, Resources};

/// Exit statuses that are no exit codes of processes, as in YARN. A process ended by signal `n` has
/// `128 + n`.
pub mod exit_status {
    /// Not known, or never started.
    pub const INVALID: i32 = -1000;
    /// The node's disk is full or broken.
    pub const DISKS_FAILED: i32 = -101;
    /// Used more memory than leased.
    pub const KILLED_EXCEEDING_MEMORY: i32 = -104;
    /// Killed by its app master.
    pub const KILLED_BY_APP_MASTER: i32 = -105;
    /// Killed by the resource manager.
    pub const KILLED_BY_RESOURCE_MANAGER: i32 = -106;
    /// Killed because its application has ended.
    pub const KILLED_AFTER_APPLICATION: i32 = -107;
}

/// A node joins, or joins again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegisterNode {
    /// Where its agent listens.
    pub node: NodeId,
    /// What it offers.
    pub total: Resources,
    /// Release of the agent.
    pub weir_version: String,
    /// Differs between starts of the agent.
    pub incarnation: u64,
    /// Every container it has and need not forget yet.
    pub containers: Vec<ContainerReport>,
}

/// The node is in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeRegistered {
    /// Release of the resource manager.
    pub weir_version: String,
    /// Starts of the resource manager before this one.
    pub epoch: u32,
    /// When the cluster was first started, in milliseconds since 1970.
    pub cluster_timestamp: u64,
    /// The next heartbeat goes out at the latest so long after the answer to the last.
    pub heartbeat_interval_ms: u64,
    /// A node that is silent for so long is given up.
    pub expiry_ms: u64,
}

/// How a container stands, as told to others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ContainerState {
    /// Its files are fetched, or its process is being started.
    Localizing,
    /// Its process runs.
    Running,
    /// It is being killed.
    Killing,
    /// It has ended; nothing of it runs.
    Complete,
}

/// One container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerReport {
    /// Which.
    pub container: ContainerId,
    /// What it was leased.
    pub resources: Resources,
    /// How it stands.
    pub state: ContainerState,
    /// Its exit code, or one of [`exit_status`]; set when it is complete.
    pub exit_status: Option<i32>,
    /// Why it ended, for people; empty when there is nothing to say.
    pub diagnostics: String,
    /// Memory of its process tree in MiB, when last looked at.
    pub used_memory_mib: u64,
}

/// What a node has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeHeartbeat {
    /// Which node.
    pub node: NodeId,
    /// As registered.
    pub incarnation: u64,
    /// From 1, grows by one with each heartbeat of the incarnation.
    pub sequence: u64,
    /// The resource manager may hold its answer back for so long.
    pub hold_ms: u64,
    /// Every container, as in [`RegisterNode`].
    pub containers: Vec<ContainerReport>,
    /// Why it can run no containers; `None` when it can.
    pub unhealthy: Option<String>,
    /// Memory used on the node in MiB, for display.
    pub used_memory_mib: u64,
}

/// What the resource manager makes of a heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeAction {
    /// Go on.
    Normal,
    /// The node is not known: register again.
    Resync,
    /// End: another agent has registered as this node since.
    Shutdown,
}

/// What a node has to do. Repeated until a heartbeat shows that it is done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeOrders {
    /// Of the heartbeat that is answered.
    pub sequence: u64,
    /// Whether the node may go on.
    pub action: NodeAction,
    /// App masters to start.
    pub launch: Vec<LaunchContainer>,
    /// Containers to end, each with the exit status it then gets unless it ended by itself.
    pub kill: Vec<(ContainerId, i32)>,
    /// Ended containers that need not be reported any more.
    pub forget: Vec<ContainerId>,
    /// Applications that have ended.
    pub ended: Vec<ApplicationId>,
}

/// A container and what to run in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaunchContainer {
    /// Which.
    pub container: ContainerId,
    /// Its limits.
    pub resources: Resources,
    /// What to run.
    pub launch: LaunchContext,
}

/// What to run in a container.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LaunchContext {
    /// The words of the command.
    pub command: Vec<String>,
    /// Variables over those that the agent sets.
    pub environment: Vec<(String, String)>,
    /// Files put into the folder first.
    pub artifacts: Vec<ArtifactUse>,
}

/// A file in the folder of a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArtifactUse {
    /// Its name in the folder: one path component.
    pub name: String,
    /// Its content.
    pub hash: ArtifactHash,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Whether it may be run.
    pub executable: bool,
}
