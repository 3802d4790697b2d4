//! App masters: their life with the resource manager, asks and leases.

use super::node::{ContainerReport, LeaseToken};
use serde::{Deserialize, Serialize};
use weir_base::{AttemptId, ContainerId, NodeId, Resources};

/// An app master begins, or begins again with a resource manager that was restarted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RegisterAppMaster {
    /// Which attempt.
    pub attempt: AttemptId,
    /// Port of its REST interface, on the node of its container.
    pub rest_port: u16,
    /// Leases it holds; empty at first.
    pub held: Vec<HeldLease>,
}

/// A lease as its app master knows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HeldLease {
    /// Which.
    pub container: ContainerId,
    /// Where.
    pub node: NodeId,
    /// How much.
    pub resources: Resources,
}

/// The app master is in. Asks begin anew: the numbers ever asked count from this answer on.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AppMasterRegistered {
    /// Release of the resource manager.
    pub weir_version: String,
    /// Starts of the resource manager before this one.
    pub epoch: u32,
    /// The largest node: an ask above it is refused.
    pub largest_node: Resources,
    /// The next allocate goes out at the latest so long after the answer to the last.
    pub heartbeat_interval_ms: u64,
    /// An app master that is silent for so long is given up.
    pub expiry_ms: u64,
    /// The app master of an earlier attempt has asked for containers. An app master creates the folder and the
    /// log of its job before it asks, so both must exist. True if the resource manager does not say it.
    #[serde(default = "unknown")]
    pub earlier_attempt_asked: bool,
}

/// A resource manager of an older release does not say it. The safe answer is that the folder must exist.
fn unknown() -> bool {
    true
}

/// Containers of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ask {
    /// Names the kind within the attempt.
    pub id: u32,
    /// Lower numbers first, as in YARN.
    pub priority: u32,
    /// Of each container.
    pub resources: Resources,
    /// How many the app master has ever asked for, since it registered; what was leased under this
    /// id since then is taken off. Lowering it withdraws what is not leased yet.
    pub total: u64,
}

/// What an app master has and wants.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Allocate {
    /// Which attempt.
    pub attempt: AttemptId,
    /// As in [`AppMasterRegistered`].
    pub epoch: u32,
    /// From 1 since it registered, grows by one with each request.
    pub sequence: u64,
    /// The resource manager may hold its answer back for so long.
    pub hold_ms: u64,
    /// Every ask.
    pub asks: Vec<Ask>,
    /// Every lease it has taken note of and not seen complete.
    pub held: Vec<ContainerId>,
    /// Leases it gives back; named until the answer has them as completed.
    pub release: Vec<ContainerId>,
    /// Completed containers it has taken note of.
    pub seen: Vec<ContainerId>,
    /// 0 to 1.
    pub progress: f32,
}

/// What the resource manager makes of an allocate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AppMasterCommand {
    /// Go on.
    Normal,
    /// The resource manager was restarted: register again.
    Resync,
    /// End: the application was killed, or another attempt has begun.
    Shutdown,
}

/// A leased container.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Lease {
    /// Which.
    pub container: ContainerId,
    /// The ask it answers.
    pub ask: u32,
    /// Where; also the address of the agent.
    pub node: NodeId,
    /// How much.
    pub resources: Resources,
    /// What the agent wants to see.
    pub token: LeaseToken,
}

/// Why an ask is not placed yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PendingAsk {
    /// Which.
    pub ask: u32,
    /// Containers missing.
    pub missing: u64,
    /// Why, for people.
    pub reason: String,
}

/// What an app master gets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Allocated {
    /// Of the allocate that is answered.
    pub sequence: u64,
    /// Whether it may go on.
    pub command: AppMasterCommand,
    /// Leases that the allocate did not name as held.
    pub leases: Vec<Lease>,
    /// Containers that have completed and that no allocate has named as seen.
    pub completed: Vec<ContainerReport>,
    /// Asks that wait.
    pub pending: Vec<PendingAsk>,
    /// What is free in the cluster.
    pub headroom: Resources,
}

/// How an application ended, as in YARN.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FinalStatus {
    /// It has not ended.
    #[default]
    Undefined,
    /// It did what it was to do.
    Succeeded,
    /// It could not.
    Failed,
    /// It was told to stop.
    Killed,
}

/// One answer of an app master's REST interface, kept after its end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ArchivedAnswer {
    /// The path, without the prefix `/v1`: `/jobs/overview`.
    pub path: String,
    /// The body, JSON.
    pub json: String,
}

/// An app master ends. Repeated until it is answered.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FinishAppMaster {
    /// Which attempt.
    pub attempt: AttemptId,
    /// How.
    pub final_status: FinalStatus,
    /// Why, for people.
    pub diagnostics: String,
    /// What its REST interface would answer from now on.
    pub archive: Vec<ArchivedAnswer>,
}

/// The end is on record: the app master may exit. All its containers are taken back.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AppMasterFinished {}
