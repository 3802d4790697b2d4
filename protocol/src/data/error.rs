//! What can go wrong between two task hosts. Each variant has a code with a page in
//! `docs/errors/`, and a code crosses the wire in an Error frame.

use weir_base::JobId;

/// Results of the data plane.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a connection, a channel or a batch failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// The bytes do not begin as a data connection does.
    #[error("the peer does not speak the data protocol of weir: it begins with \"{found}\"")]
    NotTheProtocol {
        /// Its first bytes, escaped.
        found: String,
    },
    /// Two releases met.
    #[error(
        "the peer uses version {theirs} of the data protocol, this task host uses version \
         {ours}; run the same release on all task hosts of a job"
    )]
    VersionMismatch {
        /// Spoken here.
        ours: u16,
        /// Spoken there.
        theirs: u16,
    },
    /// Something is longer than its bound.
    #[error("{what} of {length_bytes} bytes exceeds the limit of {limit_bytes} bytes")]
    Oversized {
        what: &'static str,
        length_bytes: u64,
        /// The bound.
        limit_bytes: u64,
    },
    /// The bytes end in the middle of something.
    #[error("the connection ended inside {what} after {got_bytes} bytes of it")]
    Truncated {
        what: &'static str,
        /// The part that was there.
        got_bytes: usize,
    },
    /// A channel that is unknown, or that a fence keeps out.
    #[error("channel refused: {problem}")]
    Refused {
        /// The channel and the reason.
        problem: String,
    },
    /// The connection broke.
    #[error("the data connection with task host {peer} is lost: {problem}")]
    ConnectionLost {
        /// The other host.
        peer: String,
        problem: String,
    },
    /// The connection never came to be.
    #[error("cannot connect to task host {peer}: {problem}")]
    CannotConnect {
        /// The other host.
        peer: String,
        problem: String,
    },
    /// A frame that breaks a rule of the protocol.
    #[error("malformed {what}: {problem}")]
    Malformed {
        /// Kind of the frame.
        what: &'static str,
        /// The rule.
        problem: String,
    },
    /// The port cannot be had.
    #[error("cannot listen for data connections on {address}: {problem}")]
    CannotListen {
        /// As it was configured.
        address: String,
        /// Message of the operating system.
        problem: String,
    },
    /// The peer is none of the job's.
    #[error(
        "task host {peer} does not hold the key of job {job}: it is none of the job's, or the key is that of another attempt"
    )]
    WrongKey {
        /// The other host.
        peer: String,
        job: JobId,
    },
    /// The peer reported it in an Error frame.
    #[error("{message}")]
    Reported {
        /// Its code, if it is one of those above.
        code: &'static str,
        /// Its words.
        message: String,
    },
}

/// Codes that may arrive in an Error frame.
const CODES: [&str; 10] = [
    "WEIR-NET-0001",
    "WEIR-NET-0002",
    "WEIR-NET-0003",
    "WEIR-NET-0004",
    "WEIR-NET-0005",
    "WEIR-NET-0006",
    "WEIR-NET-0007",
    "WEIR-NET-0008",
    "WEIR-NET-0009",
    "WEIR-NET-0010",
];

impl Error {
    /// The stable code; `docs/errors/<code>.md` says what to do.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotTheProtocol { .. } => CODES[0],
            Self::VersionMismatch { .. } => CODES[1],
            Self::Oversized { .. } => CODES[2],
            Self::Truncated { .. } => CODES[3],
            Self::Refused { .. } => CODES[4],
            Self::ConnectionLost { .. } => CODES[5],
            Self::CannotConnect { .. } => CODES[6],
            Self::Malformed { .. } => CODES[7],
            Self::CannotListen { .. } => CODES[8],
            Self::WrongKey { .. } => CODES[9],
            Self::Reported { code, .. } => code,
        }
    }

    /// A frame that breaks a rule.
    pub fn malformed(what: &'static str, problem: impl Into<String>) -> Self {
        Self::Malformed { what, problem: problem.into() }
    }

    /// A channel that is not let in.
    pub fn refused(problem: impl Into<String>) -> Self {
        Self::Refused { problem: problem.into() }
    }

    /// The error of an Error frame. A code that this release does not know counts as malformed.
    pub fn reported(code: &str, message: String) -> Self {
        let known = CODES.into_iter().find(|known| *known == code);
        Self::Reported { code: known.unwrap_or(CODES[7]), message }
    }
}
