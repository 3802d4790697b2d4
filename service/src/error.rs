//! Why a daemon cannot have what it needs of its machine.

use std::{io, net::SocketAddr, path::PathBuf};

/// What can go wrong here outside of a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program listens there.
    #[error(
        "port in use: {name} cannot listen at {address}, where another process does; choose another \
         port, or end that process"
    )]
    PortInUse {
        /// Who wants it.
        name: &'static str,
        /// What it wants.
        address: SocketAddr,
    },
    /// The address is not ours, or not allowed.
    #[error("{name} cannot listen at {address}")]
    Bind {
        /// Who wants it.
        name: &'static str,
        /// What it wants.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The secret's file cannot be used.
    #[error("the token file {path} cannot be used: {problem}")]
    Secret {
        /// The file.
        path: PathBuf,
        /// Why not.
        problem: String,
    },
    /// The system gives no threads or timers.
    #[error("{what} cannot be had from the system")]
    System {
        /// What is missing.
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// The stable code, which is also the name of the page under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::PortInUse { .. } => "WEIR-HTTP-0001",
            Self::Bind { .. } => "WEIR-HTTP-0002",
            Self::Secret { .. } => "WEIR-HTTP-0003",
            Self::System { .. } => "WEIR-HTTP-0004",
        }
    }
}
