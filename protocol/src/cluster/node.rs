//! Node agents and the resource manager: registration, heartbeats and orders.

use super::container::{ContainerReport, LaunchContainer};
use serde::{Deserialize, Serialize};
use weir_base::{ApplicationId, ContainerId, NodeId, Resources};

/// A node joins the cluster, or joins again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RegisterNode {
    /// The address of its agent, `host:port`.
    pub node: NodeId,
    /// Resources that all containers of the node may use together.
    pub total: Resources,
    /// Release of the agent.
    #[serde(default)]
    pub weir_version: String,
    /// A random number that differs between starts of the agent.
    pub incarnation: u64,
    /// Every container that runs, or has ended and was not yet forgotten by order.
    pub containers: Vec<ContainerReport>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeRegistered {
    /// Longest time from the answer to one heartbeat to the next heartbeat.
    pub heartbeat_interval_ms: u64,
    /// Without a heartbeat for this long, the resource manager treats the node as lost.
    pub expiry_ms: u64,
}

/// Everything that a node has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeHeartbeat {
    pub node: NodeId,
    /// As registered.
    pub incarnation: u64,
    /// From 1, grows by one with each heartbeat of the incarnation.
    pub sequence: u64,
    /// The resource manager may delay its answer by this time.
    #[serde(default)]
    pub hold_ms: u64,
    /// Every container, as in [`RegisterNode`].
    pub containers: Vec<ContainerReport>,
    /// Why the node cannot run containers (for example a full disk); `None` when it can.
    #[serde(default)]
    pub unhealthy: Option<String>,
    /// Memory used on the node in MiB, for display.
    #[serde(default)]
    pub used_memory_mib: u64,
}

/// Instruction to a node agent about its registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NodeAction {
    /// Nothing: the node is registered.
    Normal,
    /// The resource manager does not know the node: register again.
    Resync,
    /// Another agent has registered as this node: end.
    Shutdown,
    /// An action of a later release. It changes nothing: the agent stays registered, and the orders beside it
    /// count as after [`Self::Normal`].
    #[serde(other)]
    Unknown,
}

/// What a node has to do. The resource manager repeats each order until a heartbeat shows that it was
/// carried out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeOrders {
    /// Sequence number of the heartbeat that is answered.
    pub sequence: u64,
    pub action: NodeAction,
    /// App masters to start, unless the agent knows the container already.
    #[serde(default)]
    pub launch: Vec<LaunchContainer>,
    #[serde(default)]
    pub kill: Vec<KillContainer>,
    /// Ended containers that the agent need not report any more.
    #[serde(default)]
    pub forget: Vec<ContainerId>,
    /// Applications that have ended: the agent deletes their files, except their logs.
    #[serde(default)]
    pub ended: Vec<ApplicationId>,
}

/// An order to end a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KillContainer {
    pub container: ContainerId,
    /// The exit status that it gets, unless it ended before.
    pub exit_status: i32,
}

/// A node leaves the cluster after its containers have ended. Its leases end at once, not after
/// [`NodeRegistered::expiry_ms`]. An agent that leaves its containers running, to adopt them at its next
/// start, does not send this. Repeating it changes nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LeaveNode {
    pub node: NodeId,
    /// As registered. A message of another incarnation is ignored.
    pub incarnation: u64,
}

/// The node has left.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeLeft {}
