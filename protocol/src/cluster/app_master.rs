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
    /// Number of starts of the resource manager before this one.
    pub epoch: u32,
    /// Longest time from the answer to one allocate to the next allocate.
    pub heartbeat_interval_ms: u64,
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
    /// Resources of each container.
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
    #[serde(default)]
    pub hold_ms: u64,
    pub asks: Vec<Ask>,
    /// Every lease that it knows, except those that it knows to have completed.
    pub held: Vec<ContainerId>,
    /// Leases that it gives back, until an answer reports them as completed.
    #[serde(default)]
    pub release: Vec<ContainerId>,
    /// Containers that it knows to have completed.
    #[serde(default)]
    pub seen: Vec<ContainerId>,
    /// From 0 to 1.
    #[serde(default)]
    pub progress: f32,
}

/// Instruction to an app master about its registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AppMasterCommand {
    /// Nothing: it is registered.
    Normal,
    /// The resource manager was restarted: register again.
    Resync,
    /// End: the application was killed, or another attempt has begun.
    Shutdown,
    /// A command of a later release. It changes nothing: the app master continues as after [`Self::Normal`].
    #[serde(other)]
    Unknown,
}

/// An ask that is not fully leased yet.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PendingAsk {
    /// [`Ask::id`].
    pub ask: u32,
    /// Number of containers that are not leased yet.
    pub missing: u64,
    /// Reason as text for the user.
    #[serde(default)]
    pub reason: String,
}

/// The answer to [`Allocate`].
///
/// `L` is how it names a lease: [`SignedLease`] between processes. The brain of the resource manager has no
/// key to sign with, so it names leases without a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "L: Deserialize<'de>"))]
pub struct Allocated<L = SignedLease> {
    /// Sequence number of the allocate request that is answered.
    pub sequence: u64,
    pub command: AppMasterCommand,
    /// Leases that the allocate did not name as held.
    #[serde(default)]
    pub leases: Vec<L>,
    /// Containers that have completed and that no allocate has named as seen.
    #[serde(default)]
    pub completed: Vec<ContainerReport>,
    #[serde(default)]
    pub pending: Vec<PendingAsk>,
}

impl<L> Allocated<L> {
    /// The same answer with each lease replaced.
    pub fn map_leases<M>(self, replace: impl FnMut(L) -> M) -> Allocated<M> {
        let Self { sequence, command, leases, completed, pending } = self;
        let leases = leases.into_iter().map(replace).collect();
        Allocated { sequence, command, leases, completed, pending }
    }
}

/// How an application ended, as in YARN.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "UPPERCASE")]
pub enum FinalStatus {
    Succeeded,
    Failed,
    /// A client stopped it.
    Killed,
    /// It has not ended, or its app master reported a status that only a later release knows.
    #[default]
    #[serde(other)]
    Undefined,
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
    /// Reason as text for the user.
    #[serde(default)]
    pub diagnostics: String,
    /// Answers of its REST interface, to be served after its end.
    #[serde(default)]
    pub archive: Vec<ArchivedAnswer>,
}

/// The end is stored: the app master may exit. The resource manager ends all containers of the application.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AppMasterFinished {}
