//! YARN's JSON: what the resource manager says under `/ws/v1/cluster` and a node agent under
//! `/ws/v1/node`.
//!
//! ```text
//! {"app": {…}}   {"apps": {"app": [{…}, …]}}   {"apps": {}}        one, many, none
//! {"RemoteException": {"exception", "javaClassName", "message", "code"}}
//! ```
//!
//! Names, units and envelopes are YARN's (Hadoop 3): MiB in fields that end in `MB`, milliseconds since
//! 1970 in times, 0 for a time that has not come, -1 for what an ended application no longer has.
//! Readers take fields that are missing as empty and ignore those they do not know, so that releases
//! that differ understand each other.

mod application;
mod attempt;
mod cluster;
mod list;
mod node;
mod node_agent;
mod submission;

pub use application::{
    App, AppList, AppState, AppTimeout, AppTimeouts, ApplicationState, Apps, EntryList, OneApp,
    PartitionUsage, PendingAnswer, PendingAskInfo, PendingAsks, ResourceRequestInfo, UsageInfo,
};
pub use attempt::{
    AppAttempt, AppAttemptList, AppAttempts, Container, ContainerList, Containers, OneAppAttempt,
    OneContainer,
};
pub use cluster::{
    ClusterInfo, ClusterInfoAnswer, ClusterMetrics, ClusterMetricsAnswer, FifoScheduler, Ratio,
    Scheduler, SchedulerAnswer, StatItem, Statistics, StatisticsAnswer,
};
pub use node::{Node, NodeList, NodeState, Nodes, OneNode, Utilization};
pub use node_agent::{
    ContainerLogs, ContainerLogsAnswer, LogFile, NodeApp, NodeAppList, NodeApps, NodeContainer,
    NodeContainerList, NodeContainers, NodeInfo, NodeInfoAnswer, OneNodeApp, OneNodeContainer,
};
pub use submission::{
    ARTIFACT_SCHEME, Commands, ContainerSpec, Environment, LocalResource, LocalResourceEntry,
    LocalResources, NewApplication, Submission, Tags,
};

use serde::{Deserialize, Serialize};
use weir_base::Resources;

/// Memory and cores, as YARN writes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct Resource {
    /// Memory in MiB.
    pub memory: u64,
    /// Virtual cores.
    #[serde(rename = "vCores")]
    pub vcores: u32,
}

impl From<Resources> for Resource {
    fn from(resources: Resources) -> Self {
        Self { memory: resources.memory_mib, vcores: resources.vcores }
    }
}

impl From<Resource> for Resources {
    fn from(resource: Resource) -> Self {
        Self { memory_mib: resource.memory, vcores: resource.vcores }
    }
}

/// A pair in a list of pairs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Entry {
    pub key: String,
    #[serde(default)]
    pub value: String,
}

impl Entry {
    /// A pair.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into() }
    }
}

/// The body of every answer that is a refusal.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct RemoteExceptionAnswer {
    /// Why.
    #[serde(rename = "RemoteException")]
    pub remote_exception: RemoteException,
}

/// Why a request was refused.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct RemoteException {
    /// The short name of the class that YARN would throw.
    pub exception: String,
    /// Its full name.
    pub java_class_name: String,
    /// A text for the user.
    pub message: String,
    /// Weir's stable code, the name of a page under `docs/errors/`; YARN has none.
    pub code: String,
}
