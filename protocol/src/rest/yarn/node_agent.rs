//! Answers of a node agent under `/ws/v1/node`.

use serde::{Deserialize, Serialize};
use weir_base::{ApplicationId, ContainerId, NodeId};

/// Answer to `GET /ws/v1/node` and `/info`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct NodeInfoAnswer {
    /// The agent.
    pub node_info: NodeInfo,
}

/// A node agent.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct NodeInfo {
    #[cfg_attr(test, ts(type = "string"))]
    pub id: NodeId,
    pub node_host_name: String,
    /// Memory that it offers in MiB.
    #[serde(rename = "totalPmemAllocatedContainersMB")]
    pub total_pmem_allocated_containers_mb: u64,
    /// Virtual memory that it offers in MiB; the same, since it is not looked at.
    #[serde(rename = "totalVmemAllocatedContainersMB")]
    pub total_vmem_allocated_containers_mb: u64,
    /// Cores that it offers.
    #[serde(rename = "totalVCoresAllocatedContainers")]
    pub total_vcores_allocated_containers: u64,
    /// Whether virtual memory is enforced: never.
    pub vmem_check_enabled: bool,
    /// Whether memory is enforced: always.
    pub pmem_check_enabled: bool,
    /// When its health was last looked at.
    pub last_node_update_time: u64,
    /// When it began.
    #[serde(rename = "nmStartupTime")]
    pub nm_startup_time: u64,
    /// Why it is unhealthy; empty when it is healthy.
    pub health_report: String,
    /// Whether it can run containers.
    pub node_healthy: bool,
    /// `memory-mb, vcores`.
    pub resource_types: String,
    /// Its release.
    pub node_manager_version: String,
    /// The same with more detail.
    pub node_manager_build_version: String,
    /// Empty: builds carry no date.
    pub node_manager_version_built_on: String,
    /// The release again, for clients that want this field.
    pub hadoop_version: String,
    /// The same with more detail.
    pub hadoop_build_version: String,
    /// Empty: builds carry no date.
    pub hadoop_version_built_on: String,
    /// Its release; Weir's own field, which distinguishes it from Hadoop.
    pub weir_version: String,
}

/// Answer to `GET /apps`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct NodeApps {
    pub apps: NodeAppList,
}

/// Applications with containers on the node; without the field when there is none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct NodeAppList {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub app: Vec<NodeApp>,
}

/// Answer to `GET /apps/{id}`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct OneNodeApp {
    pub app: NodeApp,
}

/// An application on a node.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct NodeApp {
    #[cfg_attr(test, ts(type = "string"))]
    pub id: ApplicationId,
    /// `RUNNING`, `FINISHING_CONTAINERS_WAIT`, `FINISHED`.
    pub state: String,
    /// The user who submitted it; empty if the agent does not know.
    pub user: String,
    /// Its containers on the node.
    #[cfg_attr(test, ts(type = "Array<string>"))]
    pub containerids: Vec<ContainerId>,
}

/// Answer to `GET /containers`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct NodeContainers {
    /// All on the node.
    pub containers: NodeContainerList,
}

/// Containers by id; without the field when there is none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct NodeContainerList {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub container: Vec<NodeContainer>,
}

/// Answer to `GET /containers/{id}`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct OneNodeContainer {
    pub container: NodeContainer,
}

/// A container on its node.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct NodeContainer {
    #[cfg_attr(test, ts(type = "string"))]
    pub id: ContainerId,
    /// `LOCALIZING`, `RUNNING`, `KILLING`, `COMPLETE`.
    pub state: String,
    /// Its exit code, or one of YARN's numbers below 0; -1000 while it runs.
    pub exit_code: i32,
    /// Why it ended.
    pub diagnostics: String,
    /// The user who submitted its application; empty if the agent does not know.
    pub user: String,
    /// Its memory limit in MiB.
    #[serde(rename = "totalMemoryNeededMB")]
    pub total_memory_needed_mb: u64,
    /// Its cores.
    #[serde(rename = "totalVCoresNeeded")]
    pub total_vcores_needed: u64,
    /// `GUARANTEED`.
    pub execution_type: String,
    /// Where its logs are.
    pub container_logs_link: String,
    /// On which node.
    #[cfg_attr(test, ts(type = "string"))]
    pub node_id: NodeId,
    pub container_log_files: Vec<String>,
    /// Memory of its process tree in MiB, when last looked at; Weir's own field.
    #[serde(rename = "usedMemoryMB")]
    pub used_memory_mb: u64,
}

/// Answer to `GET /containers/{id}/logs`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerLogsAnswer {
    pub container_logs_info: ContainerLogs,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct ContainerLogs {
    pub container_log_info: Vec<LogFile>,
    /// `LOCAL`.
    pub log_aggregation_type: String,
    #[cfg_attr(test, ts(type = "string"))]
    pub container_id: ContainerId,
    /// On which node.
    #[cfg_attr(test, ts(type = "string"))]
    pub node_id: NodeId,
}

#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct LogFile {
    /// `stdout`, `stderr`, or a rotated one as `stdout.1`.
    pub file_name: String,
    /// In bytes; a text, as in YARN.
    pub file_size: String,
    /// When it was last written, in milliseconds since 1970; a text, as in YARN.
    pub last_modified_time: String,
}
