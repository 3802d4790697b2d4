//! Why an agent cannot begin, or ends.

use std::{io, path::PathBuf};

/// What can go wrong with an agent as a whole.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another agent works in the data folder.
    #[error(
        "another node agent uses {path}; give each agent its own data folder, or end the other one"
    )]
    DataDirInUse {
        /// The folder.
        path: PathBuf,
    },
    /// The data folder cannot be used.
    #[error("the node agent cannot use its data folder {path}: {source}")]
    DataDir {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The resource manager said that the agent is to end.
    #[error("the node agent has ended its containers and itself: {reason}")]
    ToldToEnd {
        /// Why.
        reason: String,
    },
    /// It does not get what it needs of the machine.
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

/// The same of an error that is only a text any more.
pub(crate) fn says_disk_full(text: &str) -> bool {
    [libc::ENOSPC, libc::EDQUOT].iter().any(|code| text.contains(&format!("(os error {code})")))
}
