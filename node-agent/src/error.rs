//! Errors that keep an agent from starting, or end it.

use std::{io, path::PathBuf};

/// An error of the agent as a whole.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another agent uses the data folder.
    #[error(
        "another node agent uses {path}; give each agent its own data folder, or end the other one"
    )]
    DataDirInUse {
        /// The data folder.
        path: PathBuf,
    },
    /// The data folder cannot be used.
    #[error("the node agent cannot use its data folder {path}: {source}")]
    DataDir {
        /// The data folder.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The resource manager ordered the agent to end.
    #[error("the node agent has ended its containers and itself: {reason}")]
    ToldToEnd {
        /// Reason given by the resource manager.
        reason: String,
    },
    /// The operating system refuses something that the agent needs.
    #[error(transparent)]
    Service(#[from] weir_service::Error),
}

impl Error {
    /// The stable code, which is also the name of the page under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::DataDirInUse { .. } => "WEIR-NM-0001",
            Self::DataDir { .. } => "WEIR-NM-0002",
            Self::ToldToEnd { .. } => "WEIR-NM-0019",
            Self::Service(error) => error.code(),
        }
    }
}

/// Whether an error means that the disk, or the user's share of it, is full.
pub(crate) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}

/// The same for an error of which only the text is left.
pub(crate) fn says_disk_full(text: &str) -> bool {
    [libc::ENOSPC, libc::EDQUOT].iter().any(|code| text.contains(&format!("(os error {code})")))
}
