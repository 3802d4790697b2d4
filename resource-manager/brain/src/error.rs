//! Errors of requests to the resource manager.

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
    /// The id was never handed out, or its application was forgotten.
    #[error(
        "application id {application} was not handed out by this cluster, or too long ago; ask for \
         one with POST /ws/v1/cluster/apps/new-application"
    )]
    IdNotHandedOut { application: ApplicationId },
    /// The id was already used for a submission with other content.
    #[error(
        "application id {application} was submitted before with other content; ask for a new id"
    )]
    AlreadySubmitted { application: ApplicationId },
    /// The submission is not valid.
    #[error("the submission of {application} is not valid: {problem}")]
    InvalidSubmission {
        application: ApplicationId,
        /// What is wrong and how to correct it.
        problem: String,
    },
    /// The request is larger than every node.
    #[error(
        "{what} of {asked} is larger than any node: the largest is {node} with {largest}; ask for less \
         or add a larger node"
    )]
    TooLarge {
        /// A text that names the requested container.
        what: String,
        asked: Resources,
        /// The largest node.
        node: NodeId,
        /// The resources of that node, as far as the request may use them.
        largest: Resources,
    },
    /// The store cannot be written; a retry may help.
    #[error(
        "the resource manager could not write its store and goes on trying: {problem}; repeat the \
         request, which is safe"
    )]
    StoreFailed { problem: String },
    /// The attempt has ended or does not exist.
    #[error(
        "attempt {attempt} is not the current one of its application, or has ended: end this app master"
    )]
    AttemptOver { attempt: AttemptId },
    /// The registration of the node is not valid.
    #[error("node {:?} cannot be taken in: {problem}", node.0)]
    InvalidNode { node: NodeId, problem: String },
    /// Another agent has replaced this agent of the node.
    #[error(
        "another agent has registered as node {node} since: end this one, or give it an address of \
         its own"
    )]
    NodeSuperseded { node: NodeId },
    /// The request of an app master is not valid.
    #[error("the request of attempt {attempt} is not valid: {problem}")]
    InvalidRequest { attempt: AttemptId, problem: String },
}

impl Error {
    /// The error code, which names the page under `docs/errors/`.
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

    /// Whether a retry of the same request may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::NotReady | Self::StoreFailed { .. })
    }
}
