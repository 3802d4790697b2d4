//! The artefact that `weir run` uploads for the app master of a job.

use super::Message;
use serde::{Deserialize, Serialize};
use weir_base::{ArtifactHash, JobId};
use weir_graph::{Fingerprint, StreamGraph};

/// Name of the file in the folder of the app master's container.
pub const JOB_FILE: &str = "job.msgpack";

/// A job as it was submitted.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct JobSubmission {
    /// The job: derived from the application and the ordinal.
    pub job: JobId,
    /// Number of its `execute()` in `main`, from 0.
    pub ordinal: u32,
    /// Its graph, with the values of `env.once`.
    pub stream_graph: StreamGraph,
    /// Values with which a later run of `main` must agree.
    pub fingerprint: Fingerprint,
    /// The plan as Flink shows it.
    pub plan_json: String,
    /// The configuration of the job, resolved by the client: code over flags, `-D`, environment and
    /// file. JSON, as `weir_config::Config` writes it. All processes of the job use this one.
    pub configuration: String,
    /// What the client gave to `main`, that is the same without what the code of the program set. A
    /// task host runs `main` with it again. JSON, as above.
    pub launch_configuration: String,
    /// `weir` itself: what task managers run.
    pub weir: ShippedFile,
    /// The job executable: what task hosts run.
    pub executable: ShippedFile,
    /// Arguments of `main`, as bytes, since they need not be UTF-8.
    pub arguments: Vec<Vec<u8>>,
    /// The folder in which it was submitted. A task host works there if it exists on its node, so
    /// that relative paths mean the same, and in its container's folder otherwise.
    pub working_directory: String,
    /// Results of earlier jobs of the same `main`, by ordinal: a rerun is handed them.
    pub earlier: Vec<RecordedResult>,
}

/// The client and the app master of a job are of one release, so it crosses none.
impl Message for JobSubmission {
    const NAME: &'static str = "JobSubmission";
}

/// A file that was uploaded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ShippedFile {
    /// Its name, one path component.
    pub name: String,
    /// Its content.
    pub hash: ArtifactHash,
    pub size_bytes: u64,
}

/// How an earlier `execute()` of the same `main` ended. Only one that finished is followed by more.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct RecordedResult {
    pub job: JobId,
    pub name: String,
    /// From submission to end.
    pub runtime_ms: u64,
    /// Operators in graph order: name, parallelism, records in, records out.
    pub operators: Vec<(String, u32, u64, u64)>,
    /// Restarts on the way.
    pub restarts: u32,
    /// Checkpoints completed on the way.
    pub completed_checkpoints: u64,
}
