//! Attempts of an application and their containers.

use super::Entry;
use crate::cluster::FinalStatus;
use serde::{Deserialize, Serialize};
use weir_base::{AttemptId, ContainerId};

/// Answer to `GET /apps/{id}/appattempts`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct AppAttempts {
    /// All of the application.
    pub app_attempts: AppAttemptList,
}

/// Attempts, the oldest first; without the field when there is none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct AppAttemptList {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub app_attempt: Vec<AppAttempt>,
}

/// Answer to `GET /apps/{id}/appattempts/{attempt}`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct OneAppAttempt {
    pub app_attempt: AppAttempt,
}

/// An attempt: one app master.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct AppAttempt {
    pub id: u32,
    #[cfg_attr(test, ts(type = "string"))]
    pub app_attempt_id: AttemptId,
    /// When it began.
    pub start_time: u64,
    /// When it ended.
    pub finished_time: u64,
    /// The app master's container; empty before there is one.
    pub container_id: String,
    /// The app master's agent, `host:port`.
    pub node_http_address: String,
    /// The app master's node.
    pub node_id: String,
    /// Where its logs are.
    pub logs_link: String,
    /// Nodes that the app master does not want.
    pub blacklisted_nodes: String,
    /// Nodes on which app masters failed.
    pub nodes_blacklisted_by_system: String,
    /// `SCHEDULED`, `ALLOCATED`, `LAUNCHED`, `RUNNING`, `FINISHED`, `FAILED`, `KILLED`; Weir's own field.
    pub state: String,
    /// How it ended. `FINISHED` says only that the app master has reported an end; this says which one.
    /// Weir's own field.
    pub final_status: FinalStatus,
    /// Why it ended; Weir's own field.
    pub diagnostics: String,
}

/// Answer to `GET /apps/{id}/appattempts/{attempt}/containers`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct Containers {
    pub containers: ContainerList,
}

/// Containers by id; without the field when there is none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct ContainerList {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub container: Vec<Container>,
}

/// Answer to `GET /apps/{id}/appattempts/{attempt}/containers/{container}`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct OneContainer {
    pub container: Container,
}

/// A container as the resource manager sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct Container {
    #[cfg_attr(test, ts(type = "string"))]
    pub container_id: ContainerId,
    /// Its memory in MiB.
    #[serde(rename = "allocatedMB")]
    pub allocated_mb: u64,
    /// Its cores.
    #[serde(rename = "allocatedVCores")]
    pub allocated_vcores: u32,
    /// On which node.
    pub assigned_node_id: String,
    /// Priority of the request that it answers.
    pub priority: u32,
    /// When it was leased.
    pub started_time: u64,
    /// When it ended.
    pub finished_time: u64,
    /// From lease to end, or to now.
    pub elapsed_time: u64,
    /// Why it ended.
    pub diagnostics_info: String,
    /// Where its logs are.
    pub log_url: String,
    /// Its exit code, or one of YARN's numbers below 0; 0 while it runs.
    pub container_exit_status: i32,
    /// `NEW`, `RUNNING` or `COMPLETE`.
    pub container_state: String,
    /// Its agent, `http://host:port`.
    pub node_http_address: String,
    /// On which node.
    pub node_id: String,
    /// Its memory and cores by name.
    pub allocated_resources: Vec<Entry>,
}
