//! Why a job could not be built or did not end well.

use weir_base::Failure;
use weir_coordination::{JobOutcome, plan::PlanError};

/// Result of building and running jobs.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a job could not be built or did not end well.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Configuration(#[from] weir_config::Error),
    /// The graph is wrong.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An operator cannot be built as asked: a float key, a source that cannot be described.
    #[error("{message}")]
    Operator {
        /// Stable code.
        code: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
    /// The checkpoint folder cannot be used.
    #[error(transparent)]
    Checkpoints(#[from] weir_checkpoint_storage::Error),
    /// The program was started by a `weir` that it does not understand.
    #[error(transparent)]
    Launch(#[from] weir_protocol::job_executable::Error),
    /// The job failed.
    #[error("{}", describe(.0))]
    JobFailed(Box<Failure>),
    /// The job was cancelled.
    #[error("job was cancelled")]
    JobCanceled,
}

/// A failure with its place, as it is shown to users.
pub(crate) fn describe(failure: &Failure) -> String {
    let mut place = String::new();
    if let Some(operator) = &failure.operator {
        place.push_str(&format!("operator {operator:?}"));
    }
    if let Some(task) = &failure.task {
        let separator = if place.is_empty() { "" } else { " of " };
        place.push_str(&format!("{separator}task {task:?}"));
    }
    if place.is_empty() { failure.message.clone() } else { format!("{place}: {}", failure.message) }
}

impl Error {
    /// The stable code; its page is `docs/errors/<code>.md`.
    pub fn code(&self) -> &str {
        match self {
            Self::Configuration(error) => error.code(),
            Self::Plan(error) => error.code(),
            Self::Operator { code, .. } => code,
            Self::Checkpoints(error) => error.code(),
            Self::Launch(error) => error.code(),
            Self::JobFailed(failure) => &failure.code,
            Self::JobCanceled => "WEIR-RUN-0002",
        }
    }

    pub(crate) fn of_task(error: &weir_dataflow::Error) -> Self {
        Self::Operator { code: error.code(), message: error.to_string() }
    }

    pub(crate) fn of_outcome(outcome: &JobOutcome) -> Option<Self> {
        match (&outcome.failure, outcome.status) {
            (_, weir_protocol::job::JobStatus::Finished) => None,
            (_, weir_protocol::job::JobStatus::Canceled) => Some(Self::JobCanceled),
            (Some(failure), _) => Some(Self::JobFailed(Box::new(failure.clone()))),
            (None, status) => Some(Self::Operator {
                code: "WEIR-RUN-0003",
                message: format!("job ended in state {status:?} without a reason"),
            }),
        }
    }
}

// A `main` that returns this error shows it by its `Debug`: to a user, not to a developer.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self} [{}]", self.code())
    }
}
