//! The cluster as a whole.

use super::{ApplicationState, Resource};
use serde::{Deserialize, Serialize};

/// Answer to `GET /ws/v1/cluster` and `/info`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ClusterInfoAnswer {
    /// The resource manager.
    pub cluster_info: ClusterInfo,
}

/// The resource manager.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct ClusterInfo {
    /// When the cluster was first started: tells clusters apart.
    pub id: u64,
    /// When this process began.
    pub started_on: u64,
    /// `STARTED`.
    pub state: String,
    /// `ACTIVE`: there is no other.
    pub ha_state: String,
    /// The store that keeps its state.
    pub rm_state_store_name: String,
    /// Its release.
    pub resource_manager_version: String,
    /// The same with more detail.
    pub resource_manager_build_version: String,
    /// Empty: builds carry no date.
    pub resource_manager_version_built_on: String,
    /// The release again, for clients that want this field.
    pub hadoop_version: String,
    /// The same with more detail.
    pub hadoop_build_version: String,
    /// Empty: builds carry no date.
    pub hadoop_version_built_on: String,
    /// There is no ZooKeeper.
    pub ha_zoo_keeper_connection_state: String,
    /// Its release; Weir's own field, which distinguishes it from Hadoop.
    pub weir_version: String,
    /// Starts of the resource manager before this one; Weir's own field.
    pub weir_epoch: u32,
    /// Where jobs keep checkpoints when they name no folder; Weir's own field.
    pub weir_storage_dir: String,
}

/// Answer to `GET /metrics`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ClusterMetricsAnswer {
    /// The figures.
    pub cluster_metrics: ClusterMetrics,
}

/// Figures of the cluster.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct ClusterMetrics {
    /// Applications ever submitted.
    pub apps_submitted: u64,
    /// Applications that finished.
    pub apps_completed: u64,
    /// Applications that wait for their app master.
    pub apps_pending: u64,
    /// Applications whose app master runs.
    pub apps_running: u64,
    /// Applications that failed.
    pub apps_failed: u64,
    /// Applications that were killed.
    pub apps_killed: u64,
    /// Memory kept free for an ask, in MiB.
    #[serde(rename = "reservedMB")]
    pub reserved_mb: u64,
    /// Memory that is free, in MiB.
    #[serde(rename = "availableMB")]
    pub available_mb: u64,
    /// Memory that is leased, in MiB.
    #[serde(rename = "allocatedMB")]
    pub allocated_mb: u64,
    /// Cores kept free for an ask.
    pub reserved_virtual_cores: u64,
    /// Cores that are free.
    pub available_virtual_cores: u64,
    /// Cores that are leased.
    pub allocated_virtual_cores: u64,
    /// Containers that are leased.
    pub containers_allocated: u64,
    /// Containers for which room is kept.
    pub containers_reserved: u64,
    /// Containers that are asked for and not leased.
    pub containers_pending: u64,
    /// All memory in MiB.
    #[serde(rename = "totalMB")]
    pub total_mb: u64,
    /// All cores.
    pub total_virtual_cores: u64,
    /// Nodes that run, healthy or not, lost ones too.
    pub total_nodes: u64,
    /// Nodes that went silent.
    pub lost_nodes: u64,
    /// Nodes that say that they can run nothing.
    pub unhealthy_nodes: u64,
    /// Nodes that are being emptied.
    pub decommissioning_nodes: u64,
    /// Nodes that were taken out.
    pub decommissioned_nodes: u64,
    /// Nodes whose agent was restarted.
    pub rebooted_nodes: u64,
    /// Nodes that run and are healthy.
    pub active_nodes: u64,
    /// Nodes that ended by themselves.
    pub shutdown_nodes: u64,
    /// Leased resources.
    pub total_used_resources_across_partition: Resource,
    /// Resources of all nodes.
    pub total_cluster_resources_across_partition: Resource,
}

/// Answer to `GET /scheduler`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct SchedulerAnswer {
    pub scheduler: Scheduler,
}

/// The envelope of the scheduler.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Scheduler {
    pub scheduler_info: FifoScheduler,
}

/// The FIFO scheduler: one queue.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct FifoScheduler {
    /// `fifoScheduler`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its share of the cluster: 1.
    pub capacity: f32,
    /// The share of it that is leased; `NaN` without nodes.
    pub used_capacity: Ratio,
    /// `RUNNING`.
    pub qstate: String,
    /// The smallest lease in MiB.
    pub min_queue_memory_capacity: u64,
    /// The largest lease in MiB.
    pub max_queue_memory_capacity: u64,
    pub num_nodes: u64,
    /// Leased memory in MiB.
    pub used_node_capacity: u64,
    /// Free memory in MiB.
    pub avail_node_capacity: u64,
    /// All memory in MiB.
    pub total_node_capacity: u64,
    pub num_containers: u64,
}

/// A number, or the text `NaN`, which JSON has no number for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(untagged)]
pub enum Ratio {
    Number(f32),
    /// `NaN`.
    Text(String),
}

impl Ratio {
    /// A share of a whole.
    pub fn of(part: u64, whole: u64) -> Self {
        match whole {
            0 => Self::Text("NaN".to_owned()),
            _ => Self::Number((part as f64 / whole as f64) as f32),
        }
    }
}

/// Answer to `GET /appstatistics`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct StatisticsAnswer {
    /// The counts.
    pub app_stat_info: Statistics,
}

/// Applications counted by state and kind.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct Statistics {
    pub stat_item: Vec<StatItem>,
}

/// How many applications of a kind are in a state.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct StatItem {
    pub state: ApplicationState,
    /// The kind; `*` for all.
    #[serde(rename = "type")]
    pub kind: String,
    pub count: u64,
}
