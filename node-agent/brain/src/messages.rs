//! The inputs and effects of the brain. What travels between agents and others is declared in
//! `weir_protocol::cluster`.

use weir_base::{ApplicationId, ArtifactHash, ContainerId, Resources};
use weir_protocol::cluster::{
    ContainerReport, LaunchContainer, NodeHeartbeat, NodeOrders, NodeRegistered, RegisterNode,
};

/// Names one waiting caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ticket(pub u64);

/// What a starting agent finds on its disk.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Recovered {
    /// Containers that were launched.
    pub containers: Vec<RecoveredContainer>,
    /// Complete files of the cache, the one used last at the end.
    pub cached: Vec<CachedFile>,
    /// Applications of which there are logs.
    pub logs: Vec<ApplicationId>,
}

/// A container of an earlier start of the agent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecoveredContainer {
    pub container: ContainerId,
    /// Its limits.
    pub resources: Resources,
    /// How it stands.
    pub state: RecoveredState,
}

/// How a container of an earlier start stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RecoveredState {
    /// It runs, under its shim.
    Running,
    /// It has ended meanwhile, or was ended because no shim watched it.
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
    /// Why, for people; empty when there is nothing to say.
    pub diagnostics: String,
}

/// Why a file could not be fetched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DownloadFailure {
    /// What can be done.
    pub problem: DownloadProblem,
    /// What happened, for people.
    pub message: String,
}

/// What can be done about a download that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DownloadProblem {
    /// Try again: its source was not reached, or broke off.
    Transient,
    /// Nothing: the disk is full.
    DiskFull,
    /// Nothing: it is not there, or is another file.
    Fatal,
}

/// Why a container could not be launched.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LaunchFailure {
    /// [`weir_protocol::cluster::exit_status::DISKS_FAILED`] or [`weir_protocol::cluster::exit_status::INVALID`].
    pub exit_status: i32,
    /// What happened, for people.
    pub message: String,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerMemory {
    pub container: ContainerId,
    /// Of all its processes.
    pub used_bytes: u64,
    /// The largest of them.
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

/// What happened. Late and repeated ones are legal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// The disk was looked at: the first input, and the only one of its kind.
    Recovered(Recovered),
    /// A registration was answered, or was not.
    Registered {
        /// As in [`Effect::SendRegister`].
        registration: u64,
        /// The answer, or why there is none.
        result: Result<NodeRegistered, String>,
    },
    /// A heartbeat was answered, or was not.
    Answered {
        /// Of the heartbeat.
        sequence: u64,
        /// The answer, or why there is none.
        result: Result<NodeOrders, String>,
    },
    /// An app master starts a container; its token was verified.
    Start { ticket: Ticket, start: LaunchContainer },
    /// An app master ends a container; its token was verified.
    Stop {
        ticket: Ticket,
        container: ContainerId,
        /// As leased.
        resources: Resources,
    },
    /// A file was fetched, or was not.
    Downloaded {
        hash: ArtifactHash,
        /// Its size, or why it is not there.
        result: Result<u64, DownloadFailure>,
    },
    /// A container was launched, or was not.
    Launched {
        container: ContainerId,
        /// Whether its process runs.
        result: Result<(), LaunchFailure>,
    },
    /// Nothing of a container runs any more.
    Exited {
        container: ContainerId,
        /// How it ended.
        exit: Exit,
    },
    /// Memory was looked at.
    Measured {
        /// Of each running container.
        containers: Vec<ContainerMemory>,
        node_used_mib: u64,
    },
    /// The node was looked at.
    Checked {
        /// Why it can run no containers; `None` when it can.
        unhealthy: Option<String>,
    },
}

/// A signal to all processes of a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// SIGTERM to its main process.
    Term,
    /// SIGKILL to each.
    Kill,
}

/// What a waiting caller gets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reply {
    /// The container is known.
    Started(ContainerReport),
    /// The container ends, or has.
    Stopped,
    /// No.
    Refused(Refusal),
}

/// Why a container is not started.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// Its application has ended.
    ApplicationEnded,
    /// The agent is ending.
    ShuttingDown,
}

/// What the shell has to do, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Register, and tell the answer.
    SendRegister {
        /// Names this try.
        registration: u64,
        register: RegisterNode,
    },
    /// Send a heartbeat, and tell the answer.
    SendHeartbeat(NodeHeartbeat),
    /// Fetch a file into the cache, and tell how it went.
    Download {
        hash: ArtifactHash,
        /// Its size: no more is taken.
        size_bytes: u64,
    },
    /// Make the folder, put the files there, start the process, and tell how it went; later tell its
    /// exit.
    Launch(LaunchContainer),
    /// Signal a running container.
    Signal { container: ContainerId, signal: Signal },
    /// Delete the folder of a container that has ended.
    RemoveFolder(ContainerId),
    /// Delete the logs of an application that has ended.
    RemoveLogs(ApplicationId),
    /// Delete a file from the cache; a download of the same file that follows is not deleted instead.
    DeleteCached(ArtifactHash),
    /// Answer a waiting caller.
    Reply { ticket: Ticket, reply: Reply },
    /// End the agent; no container is left.
    End {
        /// Why, for people.
        reason: String,
    },
}
