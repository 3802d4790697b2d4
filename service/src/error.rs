//! Errors of a daemon when the operating system refuses a resource.

use std::{io, net::SocketAddr, path::PathBuf};

/// An error outside of a request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another program listens at the address.
    #[error(
        "port in use: {name} cannot listen at {address}, where another process does; choose another \
         port, or end that process"
    )]
    PortInUse {
        /// Name of the daemon.
        name: &'static str,
        /// Requested address.
        address: SocketAddr,
    },
    /// The address does not belong to this machine, or its use is not allowed.
    #[error("{name} cannot listen at {address}")]
    Bind {
        /// Name of the daemon.
        name: &'static str,
        /// Requested address.
        address: SocketAddr,
        /// Cause.
        source: io::Error,
    },
    /// The file of the secret cannot be used.
    #[error("the token file {path} cannot be used: {problem}")]
    Secret {
        /// The file.
        path: PathBuf,
        /// Cause.
        problem: String,
    },
    /// The operating system provides no threads or timers.
    #[error("{what} cannot be had from the system")]
    System {
        /// The missing resource.
        what: &'static str,
        /// Cause.
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
