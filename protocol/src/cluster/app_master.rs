//! App masters and the resource manager: registration, asks, leases and the end.

use super::{
    container::ContainerReport,
    lease::{Lease, SignedLease},
};
use serde::{Deserialize, Serialize};
use weir_base::{AttemptId, ContainerId, Resources};

/// An app master registers, or registers again with a resource manager that was restarted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RegisterAppMaster {
    pub attempt: AttemptId,
    /// Port of its REST interface, on the node of its container.
    pub rest_port: u16,
    /// Leases that it holds; empty at first.
    pub held: Vec<Lease>,
}

/// The app master is registered. Totals of asks ([`Ask::total`]) count from this answer on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AppMasterRegistered {
    /// Release of the resource manager.
    pub weir_version: String,
    /// Number of starts of the resource manager before this one.
    pub epoch: u32,
    /// Resources of the largest node. A larger ask is refused.
    pub largest_node: Resources,
    /// Longest time from the answer to one allocate to the next allocate.
    pub heartbeat_interval_ms: u64,
    /// The resource manager gives up an app master from which it hears nothing for this long.
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

/// A request for containers of one kind.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ask {
    /// Names the kind within the attempt.
    pub id: u32,
    /// Lower numbers first, as in YARN.
    pub priority: u32,
    /// Of each container.
    pub resources: Resources,
    /// Number of containers that the app master has asked for since it registered, including those that were
    /// leased. A lower total withdraws containers that are not leased yet.
    pub total: u64,
}

/// Everything that an app master has and wants.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Allocate {
    pub attempt: AttemptId,
    /// As in [`AppMasterRegistered`].
    pub epoch: u32,
    /// From 1 since the registration, grows by one with each request.
    pub sequence: u64,
    /// The resource manager may delay its answer by this time.
    pub hold_ms: u64,
    pub asks: Vec<Ask>,
    /// Every lease that it knows, except those that it knows to have completed.
    pub held: Vec<ContainerId>,
    /// Leases that it gives back, until an answer reports them as completed.
    pub release: Vec<ContainerId>,
    /// Containers that it knows to have completed.
    pub seen: Vec<ContainerId>,
    /// From 0 to 1.
    pub progress: f32,
}

/// What the app master has to do about its registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AppMasterCommand {
    /// Nothing: it is registered.
    Normal,
    /// The resource manager was restarted: register again.
    Resync,
    /// End: the application was killed, or another attempt has begun.
    Shutdown,
}

/// An ask that is not fully leased yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PendingAsk {
    /// [`Ask::id`].
    pub ask: u32,
    /// Number of containers that are not leased yet.
    pub missing: u64,
    /// Why, for people.
    pub reason: String,
}

/// The answer to [`Allocate`].
///
/// `L` is how it names a lease: [`SignedLease`] between processes. The brain of the resource manager has no
/// key to sign with, so it names leases without a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Allocated<L = SignedLease> {
    /// Of the allocate that is answered.
    pub sequence: u64,
    pub command: AppMasterCommand,
    /// Leases that the allocate did not name as held.
    pub leases: Vec<L>,
    /// Containers that have completed and that no allocate has named as seen.
    pub completed: Vec<ContainerReport>,
    pub pending: Vec<PendingAsk>,
    /// Resources that are free in the cluster.
    pub headroom: Resources,
}

impl<L> Allocated<L> {
    /// The same answer with each lease replaced.
    pub fn map_leases<M>(self, replace: impl FnMut(L) -> M) -> Allocated<M> {
        let Self { sequence, command, leases, completed, pending, headroom } = self;
        let leases = leases.into_iter().map(replace).collect();
        Allocated { sequence, command, leases, completed, pending, headroom }
    }
}

/// How an application ended, as in YARN.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FinalStatus {
    /// It has not ended.
    #[default]
    Undefined,
    Succeeded,
    Failed,
    /// A client stopped it.
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

/// An app master ends. It repeats the request until it is answered.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FinishAppMaster {
    pub attempt: AttemptId,
    pub final_status: FinalStatus,
    /// Why, for people.
    pub diagnostics: String,
    /// What its REST interface would answer from now on.
    pub archive: Vec<ArchivedAnswer>,
}

/// The end is stored: the app master may exit. The resource manager ends all containers of the application.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AppMasterFinished {}
