//! Answers of a parent to a job executable in the role client: plain data, with field names on the wire.

use crate::cluster::RecordedResult;
use serde::{Deserialize, Serialize};
use weir_base::JobId;

/// How a job goes that was handed over by `JobMessage::Graph`. Each gets one [`JobAnswer::Accepted`],
/// then one of the others, which is the last about it; or only the last, where it did not come to be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum JobAnswer {
    /// It is submitted.
    Accepted {
        /// By this id.
        job: JobId,
    },
    /// It has finished.
    Finished(RecordedResult),
    /// It has failed, or could not be submitted.
    Failed {
        /// Stable code.
        code: String,
        /// The error with its causes.
        message: String,
    },
    /// It was cancelled.
    Canceled,
    /// The client does not wait for the end of the job; `main` continues without a result.
    Detached,
}
