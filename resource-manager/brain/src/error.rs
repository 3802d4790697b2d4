//! Why a request is refused.

use weir_base::{ApplicationId, AttemptId, NodeId, Resources};

/// Why a request is refused. The codes have a page each under `docs/errors/`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The store has not been read yet; a retry helps.
    #[error("the resource manager is starting: it has not read its store yet; try again")]
    NotReady,
    /// The application is not known, or was forgotten.
    #[error(
        "{application} is not known here; `weir application list --states ALL` shows all applications"
    )]
    UnknownApplication { application: ApplicationId },
    /// The id was never handed out, or too long ago.
    #[error(
        "application id {application} was not handed out by this cluster, or too long ago; ask for \
         one with POST /ws/v1/cluster/apps/new-application"
    )]
    IdNotHandedOut { application: ApplicationId },
    /// The id has another submission.
    #[error(
        "application id {application} was submitted before with other content; ask for a new id"
    )]
    AlreadySubmitted { application: ApplicationId },
    /// The submission makes no sense.
    #[error("the submission of {application} is not valid: {problem}")]
    InvalidSubmission {
        application: ApplicationId,
        /// The problem and how to correct it.
        problem: String,
    },
    /// No node could ever hold it.
    #[error(
        "{what} of {asked} is larger than any node: the largest is {node} with {largest}; ask for less \
         or add a larger node"
    )]
    TooLarge {
        /// The requested resources.
        what: String,
        /// How much.
        asked: Resources,
        /// The largest node.
        node: NodeId,
        /// Resources that it offers.
        largest: Resources,
    },
    /// The store cannot be written; a retry may help.
    #[error(
        "the resource manager could not write its store and goes on trying: {problem}; repeat the \
         request, which is safe"
    )]
    StoreFailed { problem: String },
    /// The attempt is over, or never was.
    #[error(
        "attempt {attempt} is not the current one of its application, or has ended: end this app master"
    )]
    AttemptOver { attempt: AttemptId },
    /// The node's words make no sense.
    #[error("node {:?} cannot be taken in: {problem}", node.0)]
    InvalidNode { node: NodeId, problem: String },
    /// Another agent has registered as this node since.
    #[error(
        "another agent has registered as node {node} since: end this one, or give it an address of \
         its own"
    )]
    NodeSuperseded { node: NodeId },
    /// A message of an app master is not valid.
    #[error("the request of attempt {attempt} is not valid: {problem}")]
    InvalidRequest { attempt: AttemptId, problem: String },
}

impl Error {
    /// The code of its page.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotReady => "WEIR-RM-0001",
            Self::UnknownApplication { .. } => "WEIR-RM-0002",
            Self::IdNotHandedOut { .. } => "WEIR-RM-0003",
            Self::AlreadySubmitted { .. } => "WEIR-RM-0004",
            Self::InvalidSubmission { .. } => "WEIR-RM-0005",
            Self::TooLarge { .. } => "WEIR-RM-0006",
            Self::StoreFailed { .. } => "WEIR-RM-0007",
            Self::AttemptOver { .. } => "WEIR-RM-0008",
            Self::InvalidNode { .. } => "WEIR-RM-0009",
            Self::NodeSuperseded { .. } => "WEIR-RM-0010",
            Self::InvalidRequest { .. } => "WEIR-RM-0011",
        }
    }

    /// Whether the same request may be answered otherwise later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::NotReady | Self::StoreFailed { .. })
    }
}
