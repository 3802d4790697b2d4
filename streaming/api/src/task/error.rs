//! Why a task host ends. It says so on standard error, and the task manager reports that it ended.

use weir_base::LeaderEpoch;
use weir_protocol::control;

pub(super) type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a task host ends.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The job itself: its graph, its checkpoint folder, its data port.
    #[error(transparent)]
    Job(crate::error::Error),
    /// There is no way to the job master.
    #[error("cannot connect to the job master at {address}: {problem}")]
    CannotConnect {
        /// The address as it was given.
        address: String,
        /// Message of the operating system.
        problem: String,
    },
    /// The connection is lost.
    #[error("the connection to the job master has ended: {problem}")]
    Lost {
        /// The cause, as far as known.
        problem: String,
    },
    /// It sent an invalid message, or a refusal.
    #[error(transparent)]
    Control(#[from] control::Error),
    /// It belongs to the past.
    #[error("the job master that answers leads epoch {epoch}, this host was ordered in {ordered}")]
    OldLeader {
        /// Its epoch.
        epoch: LeaderEpoch,
        /// Leader epoch of the order.
        ordered: LeaderEpoch,
    },
    /// It takes no reports.
    #[error("the job master does not read reports: {waiting} of them wait")]
    NoReportsTaken {
        /// How many.
        waiting: usize,
    },
    /// `main` executes jobs that it did not when the job was submitted.
    #[error(
        "main executes job number {ordinal} before the one that was submitted, and its result is not \
         recorded: main must execute the same jobs whenever it runs"
    )]
    NoEarlierResult {
        /// From 0.
        ordinal: u32,
    },
    /// A thread that the host cannot do without has panicked; standard error says where.
    #[error("thread {thread:?} of the task host panicked")]
    ThreadPanicked {
        /// Its name.
        thread: &'static str,
    },
    /// The system gives no more threads.
    #[error("cannot start a thread of the task host: {problem}")]
    NoThread {
        /// Its message.
        problem: String,
    },
}

impl Error {
    /// The stable code; its page is `docs/errors/<code>.md`.
    pub fn code(&self) -> &str {
        match self {
            Self::Job(error) => error.code(),
            Self::Control(error) => error.code(),
            Self::CannotConnect { .. } => "WEIR-HOST-0001",
            Self::Lost { .. } => "WEIR-HOST-0002",
            Self::OldLeader { .. } => "WEIR-HOST-0003",
            Self::NoReportsTaken { .. } => "WEIR-HOST-0004",
            Self::NoEarlierResult { .. } => "WEIR-HOST-0005",
            Self::NoThread { .. } => "WEIR-HOST-0006",
            Self::ThreadPanicked { .. } => "WEIR-HOST-0007",
        }
    }
}

/// The cause of the lost connection, as text.
pub(super) fn lost(error: &std::io::Error) -> Error {
    use std::io::ErrorKind;
    let problem = match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            "it has said nothing for too long".to_owned()
        }
        _ => error.to_string(),
    };
    Error::Lost { problem }
}
