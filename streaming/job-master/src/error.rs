//! Errors of the shell itself, and how they become failures for the brain.

use std::any::Any;
use weir_base::{Failure, FailureOrigin};

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why the shell cannot continue. Callers get it as the [`Failure`] of the job's outcome.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A defect of ours: the thread of the job master cannot be started, or has panicked.
    #[error("internal error in the job master: {problem}")]
    Internal {
        /// The message of the panic, or the thread that could not be started.
        problem: String,
    },
    /// A record of the job log is intact, but says nothing this release understands.
    #[error(
        "record {record} of the job log is not understood, another release may have written it"
    )]
    Record {
        /// The file or object.
        record: String,
        /// Where reading stopped.
        #[source]
        source: serde_json::Error,
    },
    /// Checkpoint storage failed.
    #[error(transparent)]
    Storage(#[from] weir_checkpoint_storage::Error),
}

impl Error {
    /// The stable code; `docs/errors/<code>.md` says what to do.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Internal { .. } => "WEIR-JOB-0100",
            Self::Record { .. } => "WEIR-JOB-0101",
            Self::Storage(error) => error.code(),
        }
    }

    /// The error that a panic of one of our threads amounts to.
    pub(crate) fn of_panic(panic: &(dyn Any + Send)) -> Self {
        let words = panic.downcast_ref::<&str>().copied();
        let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
        Self::Internal { problem: words.unwrap_or("a panic without words").to_owned() }
    }

    fn origin(&self) -> FailureOrigin {
        match self {
            Self::Internal { .. } => FailureOrigin::Internal,
            Self::Record { .. } => FailureOrigin::Permanent,
            Self::Storage(error) if error.can_retry() => FailureOrigin::External,
            Self::Storage(_) => FailureOrigin::Permanent,
        }
    }

    /// The failure for the brain and the user, with all causes in the message.
    pub fn to_failure(&self) -> Failure {
        let mut message = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let words = error.to_string();
            // Stores repeat their cause in their own words.
            if !message.ends_with(&words) {
                message = format!("{message}: {words}");
            }
            cause = error.source();
        }
        Failure::new(self.code(), self.origin(), message)
    }
}
