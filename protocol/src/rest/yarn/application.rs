//! Applications.

use super::{Entry, Resource};
use crate::cluster::FinalStatus;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use weir_base::{ApplicationId, AttemptId};

/// How an application stands, as YARN tells the world.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ApplicationState {
    /// Its id was given out.
    #[default]
    New,
    /// It is being stored.
    NewSaving,
    /// It is stored.
    Submitted,
    /// It waits for its app master to start and register.
    Accepted,
    /// Its app master has registered.
    Running,
    /// Its app master reported its end.
    Finished,
    /// It could not.
    Failed,
    /// A user stopped it.
    Killed,
}

impl ApplicationState {
    /// In the order in which they are entered.
    pub const ALL: [Self; 8] = [
        Self::New,
        Self::NewSaving,
        Self::Submitted,
        Self::Accepted,
        Self::Running,
        Self::Finished,
        Self::Failed,
        Self::Killed,
    ];

    /// As in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::NewSaving => "NEW_SAVING",
            Self::Submitted => "SUBMITTED",
            Self::Accepted => "ACCEPTED",
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }

    /// Whether nothing more will happen to it.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Finished | Self::Failed | Self::Killed)
    }
}

impl fmt::Display for ApplicationState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for ApplicationState {
    type Err = String;

    /// In any case, as YARN reads it.
    fn from_str(text: &str) -> Result<Self, String> {
        let named = |state: &Self| state.name().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(named).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{text:?} is no state of an application (there are {names})")
        })
    }
}

/// Answer to `GET /apps`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct Apps {
    pub apps: AppList,
}

/// Applications, the newest first; without the field when there is none.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct AppList {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub app: Vec<App>,
}

/// Answer to `GET /apps/{id}`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct OneApp {
    pub app: App,
}

/// An application.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct App {
    #[cfg_attr(test, ts(type = "string"))]
    pub id: ApplicationId,
    /// The user who submitted it.
    pub user: String,
    pub name: String,
    pub queue: String,
    /// How it stands.
    pub state: ApplicationState,
    /// How it ended, as its app master reported.
    pub final_status: FinalStatus,
    /// In percent.
    pub progress: f32,
    /// Target of the tracking URL: `UNASSIGNED`, `ApplicationMaster`, `History`.
    #[serde(rename = "trackingUI")]
    pub tracking_ui: String,
    /// Its page, through the proxy of the resource manager.
    pub tracking_url: String,
    /// Why it waits or ended, as text for the user.
    pub diagnostics: String,
    /// When the cluster was first started.
    pub cluster_id: u64,
    /// Its kind.
    pub application_type: String,
    /// Words by which it is found, with commas between.
    pub application_tags: String,
    /// Among applications of its queue.
    pub priority: i32,
    /// When it was submitted.
    pub started_time: u64,
    /// When its first app master was launched.
    pub launch_time: u64,
    /// When it ended.
    pub finished_time: u64,
    /// From submission to its end, or to now.
    pub elapsed_time: u64,
    /// Where the logs of its app master are.
    pub am_container_logs: String,
    /// The agent of its app master, `host:port`.
    pub am_host_http_address: String,
    /// Where its app master listens.
    #[serde(rename = "amRPCAddress")]
    pub am_rpc_address: String,
    /// The node of its app master.
    pub master_node_id: String,
    /// Memory of its containers in MiB.
    #[serde(rename = "allocatedMB")]
    pub allocated_mb: i64,
    /// Cores of its containers.
    #[serde(rename = "allocatedVCores")]
    pub allocated_vcores: i64,
    /// Memory kept free for it in MiB.
    #[serde(rename = "reservedMB")]
    pub reserved_mb: i64,
    /// Cores kept free for it.
    #[serde(rename = "reservedVCores")]
    pub reserved_vcores: i64,
    /// How many containers it has.
    pub running_containers: i64,
    /// MiB times seconds that it had.
    pub memory_seconds: u64,
    /// Cores times seconds that it had.
    pub vcore_seconds: u64,
    /// Its share of its queue, in percent.
    pub queue_usage_percentage: f32,
    /// Its share of the cluster, in percent.
    pub cluster_usage_percentage: f32,
    /// Both of the above by name.
    pub resource_seconds_map: EntryList,
    /// Memory taken away from it to make room.
    #[serde(rename = "preemptedResourceMB")]
    pub preempted_resource_mb: u64,
    /// Cores taken away from it.
    #[serde(rename = "preemptedResourceVCores")]
    pub preempted_resource_vcores: u64,
    /// Containers taken away from it.
    #[serde(rename = "numNonAMContainerPreempted")]
    pub num_non_am_container_preempted: u64,
    /// App masters taken away from it.
    #[serde(rename = "numAMContainerPreempted")]
    pub num_am_container_preempted: u64,
    /// MiB times seconds lost so.
    pub preempted_memory_seconds: u64,
    /// Cores times seconds lost so.
    pub preempted_vcore_seconds: u64,
    /// Both of the above by name.
    pub preempted_resource_seconds_map: EntryList,
    /// Asks that wait.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resource_requests: Vec<ResourceRequestInfo>,
    /// Containers of all asks that wait; not YARN's.
    pub pending_containers: u64,
    /// Why the first of them wait, as text for the user; Weir's own field.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pending_reason: String,
    /// `DISABLED`: logs stay where they were written.
    pub log_aggregation_status: String,
    /// Whether its app master runs outside of the cluster: never.
    pub unmanaged_application: bool,
    /// On which nodes it may run; empty for all.
    pub app_node_label_expression: String,
    /// On which nodes its app master may run; empty for all.
    pub am_node_label_expression: String,
    /// Its resources by partition.
    pub resource_info: UsageInfo,
    /// How long it may live.
    pub timeouts: AppTimeouts,
    /// Number of its current attempt; Weir's own field.
    pub current_attempt: u32,
}

/// Pairs in YARN's envelope.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct EntryList {
    pub entry: Vec<Entry>,
}

/// An ask that waits.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct ResourceRequestInfo {
    /// Lower numbers first.
    pub priority: u32,
    /// On which host or rack; `*` for any.
    pub resource_name: String,
    /// Resources of each container.
    pub capability: Resource,
    pub num_containers: u64,
    /// Whether another place will do.
    pub relax_locality: bool,
    /// On which nodes; empty for all.
    pub node_label_expression: String,
    /// The app master's own number for it.
    pub allocation_request_id: u64,
}

/// Resources of an application by partition of the cluster. There is one partition, without a name.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct UsageInfo {
    pub resource_usages_by_partition: Vec<PartitionUsage>,
}

/// Resources of an application in a partition.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct PartitionUsage {
    pub partition_name: String,
    /// Resources of its containers.
    pub used: Resource,
    /// Resources that are reserved for it.
    pub reserved: Resource,
    /// Resources that it asks for.
    pub pending: Resource,
    /// Resources of its app master.
    pub am_used: Resource,
}

/// How long an application may live.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct AppTimeouts {
    /// By kind.
    pub timeout: Vec<AppTimeout>,
}

/// A time limit of an application.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct AppTimeout {
    /// `LIFETIME`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When; `UNLIMITED`.
    pub expiry_time: String,
    /// -1 without a limit.
    pub remaining_time_in_seconds: i64,
}

impl Default for AppTimeout {
    fn default() -> Self {
        Self {
            kind: "LIFETIME".to_owned(),
            expiry_time: "UNLIMITED".to_owned(),
            remaining_time_in_seconds: -1,
        }
    }
}

/// Body of `GET` and `PUT /apps/{id}/state`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AppState {
    /// A state's name; `KILLED` is the only one that can be put.
    pub state: String,
    /// Why; only when put.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub diagnostics: String,
}

/// Answer to Weir's own `GET /apps/{id}/pending`: why an application waits.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct PendingAnswer {
    /// Asks that are not placed.
    pub pending: PendingAsks,
}

/// Asks that are not placed; without the field when there is none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default)]
pub struct PendingAsks {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ask: Vec<PendingAskInfo>,
}

/// An ask that is not placed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(default, rename_all = "camelCase")]
pub struct PendingAskInfo {
    #[cfg_attr(test, ts(type = "string"))]
    pub attempt: AttemptId,
    /// The app master's own number for it; missing where the app master itself waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ask_id: Option<u64>,
    /// Lower numbers first.
    pub priority: u32,
    /// Resources of each container.
    pub capability: Resource,
    /// Containers missing.
    pub missing: u64,
    /// Reason as text for the user.
    pub reason: String,
}
