//! What can go wrong while a task runs, and whose fault it is.

use weir_base::FailureOrigin;

/// Result of everything an operator does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a task.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The task was told to stop while it waited. Not a failure.
    #[error("the task was cancelled")]
    Cancelled,
    /// A user function returned an error.
    #[error("{0}")]
    User(Box<dyn std::error::Error + Send + Sync>),
    /// Anything else, with its stable code.
    #[error("{message}")]
    Coded {
        /// Code such as `WEIR-SRC-0001`.
        code: &'static str,
        /// What failed, where, and what to do.
        message: String,
        /// Whose fault.
        origin: FailureOrigin,
    },
}

impl Error {
    /// An error that no retry mends.
    pub fn permanent(code: &'static str, message: impl Into<String>) -> Self {
        Self::Coded { code, message: message.into(), origin: FailureOrigin::Permanent }
    }

    /// An error of an outside system.
    pub fn external(code: &'static str, message: impl Into<String>) -> Self {
        Self::Coded { code, message: message.into(), origin: FailureOrigin::External }
    }

    /// A defect of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::Coded {
            code: "WEIR-TASK-0005",
            message: message.into(),
            origin: FailureOrigin::Internal,
        }
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Cancelled => "WEIR-TASK-0000",
            Self::User(_) => "WEIR-TASK-0002",
            Self::Coded { code, .. } => code,
        }
    }

    /// Whose fault.
    pub fn origin(&self) -> FailureOrigin {
        match self {
            Self::Cancelled => FailureOrigin::Internal,
            Self::User(_) => FailureOrigin::User,
            Self::Coded { origin, .. } => *origin,
        }
    }
}

/// Error of an operating system call on a file; a full disk gets its own code.
pub fn file_error(
    code: &'static str,
    action: &str,
    path: &std::path::Path,
    error: &std::io::Error,
) -> Error {
    if error.kind() == std::io::ErrorKind::StorageFull {
        return Error::external(
            "WEIR-SINK-0003",
            format!("no space left to {action} {}: free some and run again", path.display()),
        );
    }
    Error::external(code, format!("cannot {action} {}: {error}", path.display()))
}
