//! The inputs and effects of the brain. The messages between processes are declared in
//! `weir_protocol::cluster`.

use weir_base::{ApplicationId, ArtifactHash, ContainerId, Resources};
use weir_protocol::cluster::{
    ContainerReport, LaunchContainer, NodeHeartbeat, NodeOrders, NodeRegistered, RegisterNode,
};

/// Names one waiting caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ticket(pub u64);

/// State that a starting agent finds on its disk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// Containers that were launched.
    pub containers: Vec<RecoveredContainer>,
    /// Complete files of the cache, most recently used last.
    pub cached: Vec<CachedFile>,
    /// Applications that have logs.
    pub logs: Vec<ApplicationId>,
}

/// A container of an earlier start of the agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveredContainer {
    pub container: ContainerId,
    /// Its resource limits.
    pub resources: Resources,
    /// State of the container.
    pub state: RecoveredState,
}

/// State of a container of an earlier start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecoveredState {
    /// It runs, supervised by its shim.
    Running,
    /// It has ended since, or was killed because its shim was not running.
    Exited(Exit),
}

/// A file of the cache.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CachedFile {
    /// Its content.
    pub hash: ArtifactHash,
    pub size_bytes: u64,
}

/// How a container ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Exit {
    /// Exit code, `128 + signal`, or one of [`weir_protocol::cluster::exit_status`].
    pub exit_status: i32,
    /// Reason as text for the user; empty when there is none.
    pub diagnostics: String,
}

/// Why a file could not be fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DownloadFailure {
    /// Kind of the problem.
    pub problem: DownloadProblem,
    /// Description as text for the user.
    pub message: String,
}

/// Remedy for a failed download.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DownloadProblem {
    /// A repetition: the source was not reached, or the connection broke.
    Transient,
    /// Free disk space.
    DiskFull,
    /// Nothing: the file does not exist, or its content differs.
    Fatal,
}

/// Why a container could not be launched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaunchFailure {
    /// [`weir_protocol::cluster::exit_status::DISKS_FAILED`] or [`weir_protocol::cluster::exit_status::INVALID`].
    pub exit_status: i32,
    /// Description as text for the user.
    pub message: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerMemory {
    pub container: ContainerId,
    /// Sum over all its processes.
    pub used_bytes: u64,
    /// Its largest process.
    pub largest: Option<LargestProcess>,
}

/// The largest process of a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LargestProcess {
    pub pid: u32,
    pub name: String,
    /// Its memory.
    pub used_bytes: u64,
}

/// Event to handle. Late and repeated ones are legal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// State found on the disk. Always the first input, and given once.
    Recovered(Recovered),
    /// Result of a registration.
    Registered {
        /// Number given in [`Effect::SendRegister`].
        registration: u64,
        /// The answer, or the reason why there is none.
        result: Result<NodeRegistered, String>,
    },
    /// Result of a heartbeat.
    Answered {
        /// Sequence number of the heartbeat.
        sequence: u64,
        /// The answer, or the reason why there is none.
        result: Result<NodeOrders, String>,
    },
    /// An app master starts a container; its token was verified.
    Start { ticket: Ticket, start: LaunchContainer },
    /// An app master ends a container; its token was verified.
    Stop {
        ticket: Ticket,
        container: ContainerId,
        /// Resources of the lease.
        resources: Resources,
    },
    /// Result of a download.
    Downloaded {
        hash: ArtifactHash,
        /// The size, or the failure.
        result: Result<u64, DownloadFailure>,
    },
    /// Result of a launch.
    Launched {
        container: ContainerId,
        /// Success when the process runs.
        result: Result<(), LaunchFailure>,
    },
    /// All processes of a container have ended.
    Exited {
        container: ContainerId,
        /// How it ended.
        exit: Exit,
    },
    /// Result of a memory measurement.
    Measured {
        /// Memory of each running container.
        containers: Vec<ContainerMemory>,
        node_used_mib: u64,
    },
    /// Result of a health check of the node.
    Checked {
        /// Reason why it can run no containers; `None` when it can.
        unhealthy: Option<String>,
    },
}

/// Signal to a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// SIGTERM to its main process.
    Term,
    /// SIGKILL to each of its processes.
    Kill,
}

/// Reply to a waiting caller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The container is known.
    Started(ContainerReport),
    /// The container has ended or is being ended.
    Stopped,
    /// The request is refused.
    Refused(Refusal),
}

/// Reason for a refused start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Its application has ended.
    ApplicationEnded,
    /// The agent is shutting down.
    ShuttingDown,
}

/// Action for the shell, performed in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Register, and give the result back.
    SendRegister {
        /// Number of this attempt.
        registration: u64,
        register: RegisterNode,
    },
    /// Send a heartbeat, and give the result back.
    SendHeartbeat(NodeHeartbeat),
    /// Fetch a file into the cache, and give the result back.
    Download {
        hash: ArtifactHash,
        /// Expected size; no more bytes are read.
        size_bytes: u64,
    },
    /// Make the folder, link the files, start the process, and give the result back; give the exit back
    /// later.
    Launch(LaunchContainer),
    /// Signal a running container.
    Signal { container: ContainerId, signal: Signal },
    /// Delete the folder of a container that has ended.
    RemoveFolder(ContainerId),
    /// Delete the logs of an application that has ended.
    RemoveLogs(ApplicationId),
    /// Delete a file from the cache. A download of the same file that follows is not affected.
    DeleteCached(ArtifactHash),
    /// Answer a waiting caller.
    Reply { ticket: Ticket, reply: Reply },
    /// End the agent; no container is left.
    End {
        /// Reason as text for the user.
        reason: String,
    },
}
