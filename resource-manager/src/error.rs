//! Why a resource manager cannot start or continue: one variant for each remedy.
//!
//! Refusals of single requests are [`weir_service::ApiError`]s; their codes are in [`codes`].

use std::{error::Error as StdError, io, path::PathBuf};

/// Codes of requests that are refused here and not by the brain; each has a page in `docs/errors/`.
pub mod codes {
    /// The submission makes no sense; the brain's code for the same.
    pub const BAD_SUBMISSION: &str = "WEIR-RM-0005";
    /// No such application; the brain's code for the same.
    pub const UNKNOWN_APPLICATION: &str = "WEIR-RM-0002";
    /// The resource manager is ending.
    pub const ENDING: &str = "WEIR-RM-0025";
    /// The brain answered another question than it was asked: a defect.
    pub const CONTRADICTION: &str = "WEIR-RM-0026";
    /// No such attempt, container or node.
    pub const NOT_FOUND: &str = "WEIR-RM-0030";
    /// The submission names a file that was not uploaded.
    pub const MISSING_ARTIFACT: &str = "WEIR-RM-0031";
    /// An application cannot be put into this state.
    pub const BAD_STATE: &str = "WEIR-RM-0032";
    /// A parameter of the query makes no sense.
    pub const BAD_QUERY: &str = "WEIR-RM-0033";
    /// The token is another attempt's.
    pub const OTHER_ATTEMPT: &str = "WEIR-RM-0034";
    /// The uploaded file is too large.
    pub const ARTIFACT_TOO_LARGE: &str = "WEIR-RM-0040";
    /// The uploaded file does not match its hash.
    pub const ARTIFACT_MISMATCH: &str = "WEIR-RM-0041";
    /// The upload was cut off.
    pub const ARTIFACT_CUT_OFF: &str = "WEIR-RM-0042";
    /// No such artefact.
    pub const ARTIFACT_UNKNOWN: &str = "WEIR-RM-0043";
    /// The artefact cannot be stored or read.
    pub const ARTIFACT_STORAGE: &str = "WEIR-RM-0044";
    /// The app master is not up yet.
    pub const NO_APP_MASTER: &str = "WEIR-RM-0050";
    /// The app master or agent does not answer.
    pub const NO_ANSWER: &str = "WEIR-RM-0051";
    /// Nothing was kept under this path of an ended application.
    pub const NOT_ARCHIVED: &str = "WEIR-RM-0052";
    /// An ended application cannot be changed, a node only be read.
    pub const READ_ONLY: &str = "WEIR-RM-0053";
}

/// Why a resource manager cannot run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be read or written.
    #[error(
        "the store {path} cannot be used; check that the disk has room and that this user may write \
         there"
    )]
    Store {
        /// Its file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The store is not what was written.
    #[error(
        "the store {path} is damaged: {problem}; restore it from a copy, or move it away to begin \
         with an empty cluster"
    )]
    StoreDamaged {
        /// Its file.
        path: PathBuf,
        problem: String,
    },
    /// A later release has written the store.
    #[error(
        "the store {path} was written by a newer release (layout {found}, this one knows {known}); \
         run that release, or another data folder"
    )]
    StoreNewer {
        /// Its file.
        path: PathBuf,
        /// Its layout.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// A later release has written a fact of a kind that this one does not know.
    #[error(
        "the store {path} was written by a newer release: fact {number} is of the kind {kind:?}, which \
         this release does not know; run that release, or another data folder"
    )]
    StoreFactNewer {
        /// Its file.
        path: PathBuf,
        /// Number of the fact in the store.
        number: i64,
        /// The kind that the fact names.
        kind: String,
    },
    /// Another process works with the store.
    #[error(
        "the store {path} is in use by another process; end that resource manager, or choose another \
         data folder"
    )]
    StoreInUse {
        /// Its file.
        path: PathBuf,
    },
    /// A folder cannot be made, read or swept.
    #[error("the folder {path} cannot be used; check that this user may write there")]
    Folder {
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The port, the secret, the signals.
    #[error(transparent)]
    Service(#[from] weir_service::Error),
    /// The daemon is ending.
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
