//! Why a task manager ends.

use std::io;
use weir_protocol::control;

/// The result of most things here.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a task manager ends without an order.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The environment is not that of a container.
    #[error(
        "environment variable {name} {problem}: a task manager is started by its app master, in a \
         container"
    )]
    Variable {
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The container's folder does not exist any more.
    #[error("the container's folder cannot be found")]
    NoFolder {
        /// Why.
        source: io::Error,
    },
    /// No server answers.
    #[error("the job master at {address} cannot be reached")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        source: io::Error,
    },
    /// The peer is not the job master, or refuses this task manager.
    #[error(transparent)]
    Control(#[from] control::Error),
    /// The connection has ended.
    #[error("the connection to the job master at {address} has ended: {problem}")]
    Lost {
        /// Where.
        address: String,
        problem: String,
    },
    /// The system gives no threads or handlers.
    #[error("{what} cannot be had from the system")]
    System {
        what: &'static str,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// The stable code, which is also the name of the page under `docs/errors/`.
    pub fn code(&self) -> &str {
        match self {
            Self::Variable { .. } | Self::NoFolder { .. } => "WEIR-TM-0004",
            Self::Unreachable { .. } => "WEIR-TM-0005",
            Self::Control(error) => error.code(),
            Self::Lost { .. } => "WEIR-TM-0006",
            Self::System { .. } => "WEIR-TM-0007",
        }
    }
}
