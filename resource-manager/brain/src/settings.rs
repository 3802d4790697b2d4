//! The settings of the resource manager.

use std::time::Duration;
use weir_base::Share;

/// The settings of the resource manager. The comment of a field names its configuration key, if there is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Settings {
    /// Time of the first start of the cluster, in milliseconds since 1970. Part of every id.
    pub cluster_timestamp: u64,
    /// `yarn.resourcemanager.nodemanagers.heartbeat-interval-ms`.
    pub heartbeat_interval: Duration,
    /// `yarn.nm.liveness-monitor.expiry-interval-ms`.
    pub node_expiry: Duration,
    /// `yarn.am.liveness-monitor.expiry-interval-ms`. Also the limit for the time from the start of an app
    /// master's process to its registration, and from its final report to its exit.
    pub app_master_expiry: Duration,
    /// `yarn.resourcemanager.rm.container-allocation.expiry-interval-ms`.
    pub container_allocation_expiry: Duration,
    /// `yarn.resourcemanager.work-preserving-recovery.scheduling-wait-ms`.
    pub recovery_wait: Duration,
    /// `weir.resource-manager.larger-node-wait`.
    pub larger_node_wait: Duration,
    /// `yarn.scheduler.capacity.maximum-am-resource-percent`.
    pub app_master_share: Share,
    /// `yarn.resourcemanager.monitor.capacity.preemption.max_wait_before_kill`.
    pub give_way_wait: Duration,
    /// `yarn.resourcemanager.am.max-attempts`; at least 1.
    pub max_app_attempts: u32,
    /// `yarn.resourcemanager.max-completed-applications`.
    pub max_completed_applications: usize,
    /// `yarn.scheduler.minimum-allocation-mb`; at least 1.
    pub minimum_allocation_mib: u64,
    /// How long a node is still shown after it was lost or has left.
    pub lost_node_retention: Duration,
}
