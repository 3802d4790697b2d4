//! Node agents: their life with the resource manager, and the containers they start.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use weir_base::{ApplicationId, ArtifactHash, ContainerId, NodeId, Resources};

/// Exit statuses of containers that are no exit codes of processes, as in YARN. A process ended by
/// signal `n` has `128 + n`.
pub mod exit_status {
    /// Not known, or never started.
    pub const INVALID: i32 = -1000;
    /// Released by its app master, or its node was lost.
    pub const ABORTED: i32 = -100;
    /// The node's disk is full or broken.
    pub const DISKS_FAILED: i32 = -101;
    /// Killed to make room.
    pub const PREEMPTED: i32 = -102;
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
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RegisterNode {
    /// Where its agent listens.
    pub node: NodeId,
    /// What it offers.
    pub total: Resources,
    /// Release of the agent.
    pub weir_version: String,
    /// Random; differs between starts of the agent.
    pub incarnation: u64,
    /// Every container it has, running or ended and not yet to be forgotten.
    pub containers: Vec<ContainerReport>,
}

/// The node is in.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NodeRegistered {
    /// Release of the resource manager.
    pub weir_version: String,
    /// Starts of the resource manager before this one.
    pub epoch: u32,
    /// When the cluster was first started, in milliseconds since 1970: tells clusters apart.
    pub cluster_timestamp: u64,
    /// The next heartbeat goes out at the latest so long after the answer to the last.
    pub heartbeat_interval_ms: u64,
    /// A node that is silent for so long is given up.
    pub expiry_ms: u64,
}

/// How a container stands at its agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ContainerState {
    /// Its files are fetched.
    Localizing,
    /// Its process runs.
    Running,
    /// It is being killed.
    Killing,
    /// It has ended; nothing of it runs.
    Complete,
}

/// One container at its agent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
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
    /// Why it can run no containers (a full disk, say); `None` when it can.
    pub unhealthy: Option<String>,
    /// Memory used on the node in MiB, for display.
    pub used_memory_mib: u64,
}

/// What the resource manager makes of a heartbeat.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NodeAction {
    /// Go on.
    Normal,
    /// The node is not known: register again.
    Resync,
    /// End: another agent has registered as this node since.
    Shutdown,
}

/// What a node has to do. Repeated until a heartbeat shows that it is done.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NodeOrders {
    /// Of the heartbeat that is answered.
    pub sequence: u64,
    /// Whether the node may go on.
    pub action: NodeAction,
    /// App masters to start; one that is known already is not started again.
    pub launch: Vec<LaunchContainer>,
    /// Containers to end, each with the exit status it then gets unless it ended by itself.
    pub kill: Vec<(ContainerId, i32)>,
    /// Ended containers that need not be reported any more.
    pub forget: Vec<ContainerId>,
    /// Applications that have ended: their files on this node may go, all but their logs.
    pub ended: Vec<ApplicationId>,
}

/// A node leaves for good, when nothing runs in its containers any more: what the resource manager
/// leased on it has ended, and it need not wait until the node has been silent for long. An agent that
/// leaves its containers running, to take them back later, does not say this. Repeating it changes
/// nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaveNode {
    /// Which node.
    pub node: NodeId,
    /// As registered; of another one this is old news.
    pub incarnation: u64,
}

/// The node is out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeLeft {}

/// A container and what to run in it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct LaunchContainer {
    /// Which.
    pub container: ContainerId,
    /// Its limits.
    pub resources: Resources,
    /// What to run.
    pub launch: LaunchContext,
}

/// What to run in a container: any command.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct LaunchContext {
    /// The words of the command, run in the container's folder without a shell. The first is a path
    /// when it has a slash, relative to that folder; else it is looked up in `PATH`.
    pub command: Vec<String>,
    /// Variables over those that the agent sets.
    pub environment: Vec<(String, String)>,
    /// Files put into the folder first.
    pub artifacts: Vec<ArtifactUse>,
}

/// A file in the folder of a container.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
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

/// What a lease token says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaseClaims {
    /// The lease.
    pub container: ContainerId,
    /// On which node.
    pub node: NodeId,
    /// Of how much.
    pub resources: Resources,
}

/// A lease as its agent accepts it: the claims, and an HMAC-SHA256 over their bytes by the lease key,
/// which resource manager and agents derive from the cluster's secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaseToken {
    /// Msgpack of [`LeaseClaims`].
    pub claims: Vec<u8>,
    /// The code over them.
    pub mac: Vec<u8>,
}

/// A text that is no lease token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a lease token is two hexadecimal numbers with a dot between them")]
pub struct ParseLeaseTokenError;

/// As it is sent behind `Authorization: Bearer `: claims and code in lower-case hex, with a dot between.
impl fmt::Display for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.claims.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(".")?;
        self.mac.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for LeaseToken {
    type Err = ParseLeaseTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (claims, mac) = text.split_once('.').ok_or(ParseLeaseTokenError)?;
        let (claims, mac) = (bytes_of_hex(claims), bytes_of_hex(mac));
        Ok(Self {
            claims: claims.ok_or(ParseLeaseTokenError)?,
            mac: mac.ok_or(ParseLeaseTokenError)?,
        })
    }
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digit =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
    if rest.is_empty() { bytes.collect() } else { None }
}

/// An app master starts a container that it has leased. The request carries the [`LeaseToken`] in its
/// `Authorization` header. Repeating it changes nothing.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StartContainer {
    /// What to run.
    pub launch: LaunchContext,
}

/// The container is known to the agent now; how it goes on is told by the resource manager.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ContainerStarted {
    /// How it stands.
    pub report: ContainerReport,
}

/// An app master ends a container. The request carries the [`LeaseToken`] in its `Authorization` header.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StopContainer {}

/// The container ends, or has.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ContainerStopped {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_token_is_read_back_from_its_text_and_nothing_else_is_one() {
        let token = LeaseToken { claims: (0..=255).collect(), mac: vec![0xab; 32] };
        assert_eq!(token.to_string().parse(), Ok(token));
        let empty = LeaseToken { claims: vec![], mac: vec![] };
        assert_eq!(".".parse(), Ok(empty));
        for text in ["", "ab", "ab.c", "a.bc", "+1.00", "ab.cd.ef", "gg.00", "ä.00"] {
            assert_eq!(text.parse::<LeaseToken>(), Err(ParseLeaseTokenError), "{text}");
        }
    }
}
