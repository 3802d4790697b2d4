//! Errors that prevent a resource manager from starting or running. There is one variant for each action of the
//! operator.
//!
//! Refusals of single requests are [`weir_service::ApiError`]s with a code from [`codes`].

use std::{error::Error as StdError, io, path::PathBuf};

/// Codes of requests that this crate refuses, not the brain. Each has a page in `docs/errors/`.
pub mod codes {
    /// The submission is not valid. The brain uses the same code.
    pub const BAD_SUBMISSION: &str = "WEIR-RM-0005";
    /// The application does not exist. The brain uses the same code.
    pub const UNKNOWN_APPLICATION: &str = "WEIR-RM-0002";
    /// The resource manager is shutting down.
    pub const ENDING: &str = "WEIR-RM-0025";
    /// The brain's reply does not belong to the request. This is a defect.
    pub const CONTRADICTION: &str = "WEIR-RM-0026";
    /// The attempt, container or node does not exist.
    pub const NOT_FOUND: &str = "WEIR-RM-0030";
    /// The submission names a file that was not uploaded.
    pub const MISSING_ARTIFACT: &str = "WEIR-RM-0031";
    /// A client cannot set this state of an application.
    pub const BAD_STATE: &str = "WEIR-RM-0032";
    /// A query parameter is not valid.
    pub const BAD_QUERY: &str = "WEIR-RM-0033";
    /// The token belongs to another attempt.
    pub const OTHER_ATTEMPT: &str = "WEIR-RM-0034";
    /// The uploaded file is too large.
    pub const ARTIFACT_TOO_LARGE: &str = "WEIR-RM-0040";
    /// The uploaded file does not match its hash.
    pub const ARTIFACT_MISMATCH: &str = "WEIR-RM-0041";
    /// The upload was interrupted.
    pub const ARTIFACT_CUT_OFF: &str = "WEIR-RM-0042";
    /// The artefact does not exist.
    pub const ARTIFACT_UNKNOWN: &str = "WEIR-RM-0043";
    /// The artefact cannot be stored or read.
    pub const ARTIFACT_STORAGE: &str = "WEIR-RM-0044";
    /// The app master is not up yet.
    pub const NO_APP_MASTER: &str = "WEIR-RM-0050";
    /// The app master or agent does not answer.
    pub const NO_ANSWER: &str = "WEIR-RM-0051";
    /// The archive of an ended application has no answer for this path.
    pub const NOT_ARCHIVED: &str = "WEIR-RM-0052";
    /// An ended application cannot be changed, and a node can only be read.
    pub const READ_ONLY: &str = "WEIR-RM-0053";
}

/// An error that prevents a resource manager from running.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be read or written.
    #[error(
        "the store {path} cannot be used; check that the disk has room and that this user may write \
         there"
    )]
    Store { path: PathBuf, source: rusqlite::Error },
    /// The store is damaged, or is a file of another program.
    #[error(
        "the store {path} is damaged: {problem}; restore it from a copy, or move it away to begin \
         with an empty cluster"
    )]
    StoreDamaged { path: PathBuf, problem: String },
    /// A later release has written the store.
    #[error(
        "the store {path} was written by a newer release (layout {found}, this one knows {known}); \
         run that release, or another data folder"
    )]
    StoreNewer {
        path: PathBuf,
        /// Layout of the store.
        found: i32,
        /// Layout that this release writes.
        known: i32,
    },
    /// A later release has written a fact of a kind that this release does not know.
    #[error(
        "the store {path} was written by a newer release: fact {number} is of the kind {kind:?}, which \
         this release does not know; run that release, or another data folder"
    )]
    StoreFactNewer {
        path: PathBuf,
        /// Number of the fact in the store.
        number: i64,
        /// The kind that the fact names.
        kind: String,
    },
    /// Another process uses the store.
    #[error(
        "the store {path} is in use by another process; end that resource manager, or choose another \
         data folder"
    )]
    StoreInUse { path: PathBuf },
    /// A folder cannot be created, read or cleaned.
    #[error("the folder {path} cannot be used; check that this user may write there")]
    Folder { path: PathBuf, source: io::Error },
    /// An error of the port, the secret or the signal handlers.
    #[error(transparent)]
    Service(#[from] weir_service::Error),
    /// The daemon is shutting down.
    #[error("the resource manager is shutting down")]
    Ending,
}

impl Error {
    /// The stable code, which is also the name of the page under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store { .. } => "WEIR-RM-0020",
            Self::StoreDamaged { .. } => "WEIR-RM-0021",
            Self::StoreNewer { .. } | Self::StoreFactNewer { .. } => "WEIR-RM-0022",
            Self::StoreInUse { .. } => "WEIR-RM-0023",
            Self::Folder { .. } => "WEIR-RM-0024",
            Self::Service(error) => error.code(),
            Self::Ending => codes::ENDING,
        }
    }

    /// The error with all its causes, on one line.
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}
