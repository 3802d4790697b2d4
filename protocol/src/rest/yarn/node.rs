//! Nodes as the resource manager sees them.

use super::Resource;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use weir_base::NodeId;

/// How a node stands.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NodeState {
    /// It is joining.
    #[default]
    New,
    /// It takes containers.
    Running,
    /// It says that it can run nothing.
    Unhealthy,
    /// It is being emptied.
    Decommissioning,
    /// It was taken out.
    Decommissioned,
    /// It went silent.
    Lost,
    /// Its agent was restarted.
    Rebooted,
    /// It ended by itself.
    Shutdown,
}

impl NodeState {
    /// In the order in which they are entered.
    pub const ALL: [Self; 8] = [
        Self::New,
        Self::Running,
        Self::Unhealthy,
        Self::Decommissioning,
        Self::Decommissioned,
        Self::Lost,
        Self::Rebooted,
        Self::Shutdown,
    ];

    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Running => "RUNNING",
            Self::Unhealthy => "UNHEALTHY",
            Self::Decommissioning => "DECOMMISSIONING",
            Self::Decommissioned => "DECOMMISSIONED",
            Self::Lost => "LOST",
            Self::Rebooted => "REBOOTED",
            Self::Shutdown => "SHUTDOWN",
        }
    }

    /// Returns true if its agent sends heartbeats.
    pub fn is_active(self) -> bool {
        matches!(self, Self::New | Self::Running | Self::Unhealthy | Self::Decommissioning)
    }
}

impl fmt::Display for NodeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for NodeState {
    type Err = String;

    /// In any case, as YARN reads it.
    fn from_str(text: &str) -> Result<Self, String> {
        let named = |state: &Self| state.name().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(named).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{text:?} is no state of a node (there are {names})")
        })
    }
}

/// Answer to `GET /nodes`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct Nodes {
    pub nodes: NodeList,
}

/// Nodes by id; without the field when there is none.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct NodeList {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub node: Vec<Node>,
}

/// Answer to `GET /nodes/{id}`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct OneNode {
    pub node: Node,
}

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct Node {
    pub rack: String,
    /// How it stands.
    pub state: NodeState,
    /// Its id, which is also the address of its agent.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: NodeId,
    pub node_host_name: String,
    /// Its agent, `host:port`.
    #[serde(rename = "nodeHTTPAddress")]
    pub node_http_address: String,
    /// Time of its last health report.
    pub last_health_update: u64,
    /// Release of its agent.
    pub version: String,
    /// Why it is unhealthy; empty when it is healthy.
    pub health_report: String,
    /// Containers on it.
    pub num_containers: u64,
    /// Memory leased on it in MiB.
    #[serde(rename = "usedMemoryMB")]
    pub used_memory_mb: u64,
    /// Memory free on it in MiB.
    #[serde(rename = "availMemoryMB")]
    pub avail_memory_mb: u64,
    /// Cores leased on it.
    pub used_virtual_cores: u64,
    /// Cores free on it.
    pub available_virtual_cores: u64,
    /// Opportunistic containers; there are none.
    pub num_running_opport_containers: u64,
    /// Memory of these.
    #[serde(rename = "usedMemoryOpportGB")]
    pub used_memory_opport_gb: u64,
    /// Cores of these.
    pub used_virtual_cores_opport: u64,
    /// Containers that wait on the node; there are none.
    pub num_queued_containers: u64,
    pub node_labels: Vec<String>,
    /// Measured use.
    pub resource_utilization: Utilization,
    /// Leased resources.
    pub used_resource: Resource,
    /// Free resources.
    pub available_resource: Resource,
}

/// What is really used on a node. YARN also has virtual memory and the use of the processor. Nothing here
/// measures them, so these fields are missing.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct Utilization {
    /// Memory of the node in MiB.
    #[serde(rename = "nodePhysicalMemoryMB")]
    pub node_physical_memory_mb: u64,
    /// Memory of its containers in MiB.
    #[serde(rename = "aggregatedContainersPhysicalMemoryMB")]
    pub aggregated_containers_physical_memory_mb: u64,
}
