//! What a job executable tells its parent: plain data, with field names on the wire.

use serde::{Deserialize, Serialize};
use std::fmt;
use weir_base::JobId;
use weir_graph::{Fingerprint, StreamGraph};

/// What a job executable tells its parent.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum JobMessage {
    /// A `StreamExecutionEnvironment` was created. First, and once per process.
    Hello {
        /// [`PROTOCOL`](super::PROTOCOL) of the executable.
        protocol: u32,
        /// Release of Weir that the executable was built with.
        weir_version: String,
    },
    /// Role client: `execute()` was called.
    Graph {
        /// Which `execute()` of this `main`, from 0.
        ordinal: u32,
        /// The job as written, with the values of `env.once`.
        stream_graph: Box<StreamGraph>,
        /// The fingerprint of that graph.
        fingerprint: Fingerprint,
        /// The plan as JSON in the shape that Flink's `info` prints.
        plan_json: String,
        /// The configuration of the job, resolved: what the program was given, and over it what its
        /// code set. JSON, as `weir_config::Config` writes it.
        configuration: String,
    },
    /// Role local: a job is about to run.
    Submitted {
        /// Its id.
        job: JobId,
        /// The name given to `execute`.
        name: String,
    },
    /// Role local: where a running job stands.
    Progress {
        /// Which job.
        job: JobId,
        /// Its operators, in graph order.
        operators: Vec<OperatorProgress>,
    },
    /// A job came to its end without an error.
    Finished {
        /// Which job.
        job: JobId,
        /// The name given to `execute`.
        name: String,
        /// From submission to end.
        runtime_ms: u64,
        /// Flink's name of the final state: `FINISHED` or `CANCELED`.
        status: String,
    },
    /// A job failed, or could not be submitted.
    Failed {
        /// Which job; none if it failed before it had an id.
        job: Option<JobId>,
        /// Stable code, such as `WEIR-RUN-0001`.
        code: String,
        /// The error with its causes.
        message: String,
        /// From submission to end; none if the job did not begin.
        #[serde(default)]
        runtime_ms: Option<u64>,
    },
    /// Role client: a job that was handed over shall stop.
    Cancel {
        /// Which, as the parent has named it.
        job: JobId,
    },
}

/// One operator of a running job, summed over its subtasks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct OperatorProgress {
    /// Display name.
    pub name: String,
    /// Number of subtasks.
    pub parallelism: u32,
    /// Records received since the job was submitted.
    pub records_in: u64,
    /// Records emitted since then.
    pub records_out: u64,
    /// Records per second since the message before: received, or emitted by a source.
    pub rate_per_s: f64,
    /// Part of the time spent waiting for room downstream, 0 to 1; that of the worst subtask.
    pub backpressure_ratio: f64,
    /// The same in a word.
    pub backpressure_level: BackpressureLevel,
}

/// Flink's three levels of backpressure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackpressureLevel {
    /// At most a tenth of the time.
    #[default]
    Ok,
    /// At most half of the time.
    Low,
    /// More than half of the time.
    High,
}

impl BackpressureLevel {
    /// The level of a ratio, by Flink's thresholds of 0.10 and 0.50.
    pub fn of_ratio(ratio: f64) -> Self {
        match ratio {
            ratio if ratio > 0.5 => Self::High,
            ratio if ratio > 0.1 => Self::Low,
            _ => Self::Ok,
        }
    }
}

impl fmt::Display for BackpressureLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Low => "low",
            Self::High => "high",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_flinks_thresholds() {
        for (ratio, level) in
            [(0.0, "ok"), (0.1, "ok"), (0.11, "low"), (0.5, "low"), (0.51, "high")]
        {
            assert_eq!(BackpressureLevel::of_ratio(ratio).to_string(), level);
        }
    }
}
