//! `/jobs/:id/exceptions`: what has failed lately.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `/jobs/:id/exceptions`
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct JobExceptions {
    /// The cause of the latest interruption, as Flink up to 1.20 has it.
    #[serde(rename = "root-exception")]
    pub root_exception: Option<String>,
    /// When it was; only there when it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<i64>,
    /// All of them, as Flink up to 1.20 has them.
    #[serde(rename = "all-exceptions")]
    pub all_exceptions: Vec<LegacyException>,
    /// Whether there are more.
    pub truncated: bool,
    /// All of them.
    #[serde(rename = "exceptionHistory")]
    pub exception_history: ExceptionHistory,
}

/// Failures, newest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct ExceptionHistory {
    /// Failures.
    pub entries: Vec<ExceptionEntry>,
    /// Whether there are more.
    pub truncated: bool,
}

/// A failure.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ExceptionEntry {
    /// Its code, such as `WEIR-TASK-0001`.
    pub exception_name: String,
    /// Message, operator, and the end of the container's log, as far as known.
    pub stacktrace: String,
    /// When the job master got the report.
    pub timestamp: i64,
    /// Always empty.
    pub failure_labels: BTreeMap<String, String>,
    /// `Map (1/2)`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_name: Option<String>,
    /// `host:port`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The same, as Flink 1.20 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_manager_id: Option<String>,
    /// The failures that followed from this one, the first of them; empty inside this list.
    pub concurrent_exceptions: Vec<ExceptionEntry>,
    /// How many followed from it.
    #[serde(default, rename = "weir-concurrent-exception-count", skip_serializing_if = "is_zero")]
    pub concurrent_exception_count: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A failure, as Flink up to 1.20 has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LegacyException {
    /// As [`ExceptionEntry::stacktrace`].
    pub exception: String,
    /// `Map (1/2)`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// `host:port`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// `host:port`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// When the job master got the report.
    pub timestamp: i64,
    /// The container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_manager_id: Option<String>,
}
