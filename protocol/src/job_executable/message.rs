//! Messages of a job executable to its parent: plain data, with field names on the wire.

use crate::progress::OperatorProgress;
use serde::{Deserialize, Serialize};
use weir_base::JobId;
use weir_graph::{Fingerprint, StreamGraph};

/// A message of a job executable to its parent.
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
        /// Index of the `execute()` call of this `main`, from 0.
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
        job: JobId,
        /// Its operators, in graph order.
        operators: Vec<OperatorProgress>,
    },
    /// A job came to its end without an error.
    Finished {
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
        /// The job; `None` if it failed before it had an id.
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
        /// The id that the parent gave to the job.
        job: JobId,
    },
}
