//! A failure of a task, a checkpoint or a whole job: the one type for it in messages, the job log
//! and REST.

use serde::{Deserialize, Serialize};

/// The cause of a failure, and whether a retry can help.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum FailureOrigin {
    /// User code panicked or returned an error; a retry may help.
    User,
    /// An outside system (file, network, storage) failed; a retry may help.
    External,
    /// A defect of Weir; a retry may help.
    Internal,
    /// The input, the settings or the state are wrong, and no retry helps: the job fails at once.
    Permanent,
}

/// A failure and its cause, as text for the user.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    /// Stable error code, such as `WEIR-TASK-0001`.
    pub code: String,
    /// Lower case, no full stop; for a panic its message and source location.
    pub message: String,
    /// Decides whether the job may restart.
    pub origin: FailureOrigin,
    /// Display name of the subtask that failed, such as `Map (1/2)`; `None` if no single subtask did.
    pub task: Option<String>,
    /// Name of the operator that failed, if known.
    pub operator: Option<String>,
}

impl Failure {
    /// A failure that belongs to no single task.
    pub fn new(code: impl Into<String>, origin: FailureOrigin, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), origin, task: None, operator: None }
    }
}
