//! The plan of a job: `/jobs/:id/plan`, and as part of `/jobs/:id`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use weir_base::{JobId, VertexId};

/// `/jobs/:id/plan`
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PlanAnswer {
    pub plan: Plan,
}

/// The vertices of a job and how they are joined.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Plan {
    /// The job.
    #[cfg_attr(test, ts(type = "string"))]
    pub jid: JobId,
    pub name: String,
    /// `STREAMING` or `BATCH`.
    #[serde(rename = "type")]
    pub job_type: String,
    /// Its vertices.
    pub nodes: Vec<PlanNode>,
}

/// A vertex.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PlanNode {
    /// The same as in the list of vertices.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: VertexId,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Always empty, as in Flink.
    pub operator: String,
    /// Always empty, as in Flink.
    pub operator_strategy: String,
    /// Names of its operators, escaped for HTML.
    pub description: String,
    /// Always empty.
    pub optimizer_properties: BTreeMap<String, String>,
    /// Its inputs; left out of the JSON when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<PlanInput>,
}

/// A stream between two vertices.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct PlanInput {
    /// Its place among the inputs, from 0.
    pub num: u32,
    /// The producing vertex.
    #[cfg_attr(test, ts(type = "string"))]
    pub id: VertexId,
    /// `FORWARD`, `HASH`, `REBALANCE`, `BROADCAST` or `GLOBAL`.
    pub ship_strategy: String,
    /// `pipelined_bounded` or `blocking`.
    pub exchange: String,
}

/// The job as it was written, one node per operator.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct StreamGraphAnswer {
    /// Operators.
    pub nodes: Vec<StreamGraphNode>,
}

/// An operator.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct StreamGraphNode {
    /// Its number, from 1.
    pub id: String,
    /// Number of subtasks.
    pub parallelism: u32,
    pub operator: String,
    /// Its name, escaped for HTML.
    pub description: String,
    /// The vertex it is chained into.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, ts(type = "string | null"))]
    pub job_vertex_id: Option<VertexId>,
    /// Its input.
    pub inputs: Vec<StreamGraphInput>,
}

/// A stream between two operators.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct StreamGraphInput {
    /// Its place among the inputs, from 0.
    pub num: u32,
    /// The producing operator.
    pub id: String,
    /// As in [`PlanInput`].
    pub ship_strategy: String,
    /// As in [`PlanInput`].
    pub exchange: String,
}
