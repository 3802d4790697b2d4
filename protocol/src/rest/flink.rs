//! Flink's REST shapes, as an app master answers them; one file per resource.
//!
//! Field names, nesting and meanings are those of Flink 1.20 and 2.x, so that its clients work. What
//! holds everywhere:
//! - a number or boolean is never missing and never `null`: `-1` stands for an unknown time,
//! - times are milliseconds since 1970, durations milliseconds, ids 32 lower-case hex digits,
//! - fields of ours stand at the top level only, since Flink's own parser refuses unknown nested
//!   fields in places; they begin with `weir-`.

pub mod checkpoints;
pub mod cluster;
pub mod exceptions;
pub mod job;
pub mod metrics;
pub mod plan;
pub mod result;
pub mod state;
pub mod task_managers;
pub mod vertex;

use serde::{Deserialize, Serialize};

/// A time that is not known, or has not come yet.
pub const UNKNOWN_MS: i64 = -1;

/// The address that Flink shows for a task that is not deployed yet.
pub const UNASSIGNED: &str = "(unassigned)";

/// Every error: an object with this one field. Flink's client knows an error by that.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Errors {
    pub errors: Vec<String>,
}

/// `{}`
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
pub struct Empty {}
