//! Why an app master cannot do its work. What goes wrong with the job itself is the job's failure.

use std::{io, path::PathBuf};
use weir_protocol::control;
use weir_service::CallError;

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Errors outside of the job.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It was not started by a node agent, or by one of another release.
    #[error(
        "the environment variable {name} {problem}; app masters are started by the resource \
         manager: submit the job with weir run -t per-job"
    )]
    Environment {
        /// The variable.
        name: &'static str,
        problem: String,
    },
    /// The submitted job cannot be read.
    #[error("the submitted job in {path} cannot be used: {problem}")]
    Submission {
        /// The file.
        path: PathBuf,
        problem: String,
    },
    /// The job writes checkpoints and no folder is set.
    #[error(
        "the job takes checkpoints, and no folder for them is set that every node reaches: set \
         execution.checkpointing.dir for the job, or weir.cluster.storage-dir for the cluster"
    )]
    NoStorage,
    /// An earlier attempt has left nothing to continue from.
    #[error(
        "attempt {number} cannot continue the job: the earlier attempt has no job log; set \
         execution.checkpointing.dir for the job, or weir.cluster.storage-dir for the cluster"
    )]
    NotResumable {
        /// Number of this attempt.
        number: u32,
    },
    /// The resource manager does not want this app master.
    #[error("the resource manager refuses the app master")]
    Refused {
        /// In its words.
        #[source]
        source: CallError,
    },
    /// Another app master has the job.
    #[error("this app master has lost its job: {why}")]
    Superseded {
        /// To whom.
        why: String,
    },
    /// The job master could not continue, for a reason that may pass.
    #[error(
        "the job has stopped and the next attempt will continue it from the job log: {failure}"
    )]
    Interrupted {
        /// Why, with its code.
        failure: String,
    },
    /// A port or address cannot be had.
    #[error("the app master cannot listen on {host}")]
    Listen {
        /// Where.
        host: String,
        /// Why not.
        source: io::Error,
    },
    /// A defect of ours.
    #[error("internal error in the app master: {problem}")]
    Internal { problem: String },
    /// The configuration of the job is wrong.
    #[error(transparent)]
    Config(#[from] weir_config::Error),
    /// The graph of the job cannot be run.
    #[error(transparent)]
    Plan(#[from] weir_coordination::PlanError),
    /// The folder for checkpoints cannot be used.
    #[error(transparent)]
    Storage(#[from] weir_checkpoint_storage::Error),
    /// The machine does not give what a daemon needs.
    #[error(transparent)]
    Service(#[from] weir_service::Error),
}

impl Error {
    /// The stable code, which is also the name of the page under `docs/errors/`.
    pub fn code(&self) -> &str {
        match self {
            Self::Environment { .. } => "WEIR-AM-0001",
            Self::Submission { .. } => "WEIR-AM-0002",
            Self::NoStorage => "WEIR-AM-0003",
            Self::NotResumable { .. } => "WEIR-AM-0005",
            Self::Refused { .. } => "WEIR-AM-0006",
            Self::Superseded { .. } => "WEIR-AM-0007",
            Self::Listen { .. } => "WEIR-AM-0008",
            Self::Internal { .. } => "WEIR-AM-0009",
            Self::Interrupted { .. } => "WEIR-AM-0016",
            Self::Config(error) => error.code(),
            Self::Plan(error) => error.code(),
            Self::Storage(error) => error.code(),
            Self::Service(error) => error.code(),
        }
    }

    /// The error with its causes, in one line, and its code.
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let words = error.to_string();
            if !text.ends_with(&words) {
                text = format!("{text}: {words}");
            }
            cause = error.source();
        }
        format!("{text} [{}]", self.code())
    }
}

/// Why a connection of the control plane has ended.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The peer closed it.
    #[error("the connection was closed")]
    Closed,
    /// The peer closed it within a message.
    #[error("the connection was closed within a message")]
    CutOff,
    /// The system says so.
    #[error("the connection is lost: {0}")]
    Lost(#[from] io::Error),
    /// No message came for too long.
    #[error("nothing was heard for {silence_ms} ms")]
    Silent {
        /// How long.
        silence_ms: u128,
    },
    /// This side does not want it any more.
    #[error("the app master has closed the connection")]
    Dropped,
    /// A defect of ours.
    #[error("internal error while a report was taken")]
    Defect,
    /// The received bytes are not a message.
    #[error(transparent)]
    Protocol(#[from] control::Error),
    /// The peer was refused.
    #[error("{message}")]
    Refused {
        /// Stable code.
        code: &'static str,
        /// Why.
        message: String,
    },
}

impl Broken {
    /// The stable code, where there is one.
    pub fn code(&self) -> &str {
        match self {
            Self::Protocol(error) => error.code(),
            Self::Refused { code, .. } => code,
            _ => "WEIR-AM-0010",
        }
    }
}
