//! Answers of every `/metrics`: names, values, and values aggregated over subtasks.

use serde::{Deserialize, Serialize};

/// The metrics of subtasks that the page asks for, as one query. The archive of an ended job has the answer to
/// exactly this query.
pub const PAGE_SUBTASK_METRICS: &str = "backPressuredTimeMsPerSecond,busyTimeMsPerSecond,\
                                        idleTimeMsPerSecond,numRecordsInPerSecond,\
                                        numRecordsOutPerSecond";

/// A metric: its name alone where none was asked for, else with its value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Metric {
    /// Its name within its scope.
    pub id: String,
    /// Its value as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// A metric over several subtasks; only the aggregates that were asked for are there.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct AggregatedMetric {
    /// Its name within its scope.
    pub id: String,
    /// The smallest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avg: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<f64>,
    /// How unevenly the values are spread: mean absolute deviation by mean, in percent, at most 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skew: Option<f64>,
}
