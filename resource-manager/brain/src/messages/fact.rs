//! Facts: the records in the store, which are read at the next start.
//!
//! A store keeps facts in the order in which they were persisted. A fact replaces an earlier fact with
//! the same [`Fact::key`]. A fact that [`Fact::forgets`] an application deletes all other facts of the
//! application: those whose key begins with the application's id and a slash.
//!
//! Every later release must read the facts of this one: `tests/it/fixtures/` holds each kind. So a field that is
//! added has a default. A release that writes a fact or a value which the release before cannot read raises the
//! layout of the store. Then the older release refuses to start; it never drops a fact.

use super::application_spec::ApplicationSpec;
use serde::{Deserialize, Serialize};
use weir_base::{ApplicationId, AttemptId, ContainerId, NodeId, Resources};
use weir_protocol::cluster::{ArchivedAnswer, FinalStatus};

/// How an application ended: YARN's terminal states.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ApplicationOutcome {
    /// Its app master reported the result.
    Finished,
    /// Its last attempt failed.
    Failed,
    /// A client killed it.
    Killed,
}

/// A record in the store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// Ids of applications below this number may have been handed out.
    ApplicationIdsReserved { below: u32 },
    /// An application was submitted.
    ApplicationSubmitted { submission: ApplicationSpec, submitted_wall_ms: u64 },
    /// A client has requested the kill of an application.
    KillRequested {
        application: ApplicationId,
        /// Reason and user.
        diagnostics: String,
    },
    /// The container of an app master is leased; its launch follows.
    AttemptStarted {
        attempt: AttemptId,
        /// The app master's container.
        container: ContainerId,
        node: NodeId,
        resources: Resources,
        started_wall_ms: u64,
    },
    /// An app master has asked for its first container.
    ContainersAsked { attempt: AttemptId },
    /// An app master has sent its final report.
    AttemptFinished {
        attempt: AttemptId,
        final_status: FinalStatus,
        diagnostics: String,
        /// 0 in a record of an older release.
        #[serde(default)]
        finished_wall_ms: u64,
    },
    /// An attempt has ended without a final report.
    AttemptEnded {
        attempt: AttemptId,
        /// Exit status of its app master's container.
        exit_status: i32,
        /// Whether it counts against the application's attempts.
        counted: bool,
        diagnostics: String,
        ended_wall_ms: u64,
    },
    /// An application has ended.
    ApplicationEnded {
        application: ApplicationId,
        outcome: ApplicationOutcome,
        /// The status that its app master reported, or `Failed`, or `Killed`.
        final_status: FinalStatus,
        diagnostics: String,
        ended_wall_ms: u64,
        /// Memory multiplied by time.
        memory_mib_seconds: u64,
        /// Virtual cores multiplied by time.
        vcore_seconds: u64,
    },
    /// The answers of the application's REST interface after its end. Need not be read at a start.
    Archived { application: ApplicationId, answers: Vec<ArchivedAnswer> },
    /// An ended application was removed because newer ones have ended.
    ApplicationForgotten {
        application: ApplicationId,
        /// The highest sequence number forgotten so far. Submissions with ids up to it are refused.
        highest: u32,
    },
}

impl Fact {
    /// Every value of the field `fact`.
    pub const KINDS: &[&str] = &[
        "application-ids-reserved",
        "application-submitted",
        "kill-requested",
        "attempt-started",
        "containers-asked",
        "attempt-finished",
        "attempt-ended",
        "application-ended",
        "archived",
        "application-forgotten",
    ];

    /// A later fact with the same key replaces this one.
    pub fn key(&self) -> String {
        match self {
            Self::ApplicationIdsReserved { .. } => "ids-reserved".to_owned(),
            Self::ApplicationForgotten { .. } => "forgotten".to_owned(),
            Self::ApplicationSubmitted { submission, .. } => {
                format!("{}/submitted", submission.application)
            }
            Self::KillRequested { application, .. } => format!("{application}/kill-requested"),
            Self::ApplicationEnded { application, .. } => format!("{application}/ended"),
            Self::Archived { application, .. } => format!("{application}/archived"),
            Self::AttemptStarted { attempt, .. } => of_attempt(*attempt, "started"),
            Self::ContainersAsked { attempt } => of_attempt(*attempt, "asked"),
            Self::AttemptFinished { attempt, .. } => of_attempt(*attempt, "finished"),
            Self::AttemptEnded { attempt, .. } => of_attempt(*attempt, "ended"),
        }
    }

    /// The application whose other facts the store deletes.
    pub fn forgets(&self) -> Option<ApplicationId> {
        match self {
            Self::ApplicationForgotten { application, .. } => Some(*application),
            _ => None,
        }
    }
}

fn of_attempt(attempt: AttemptId, what: &str) -> String {
    format!("{}/{}/{what}", attempt.application, attempt.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_an_application_begin_with_its_id() {
        let application = ApplicationId { cluster_timestamp: 7, sequence: 1 };
        let attempt = AttemptId { application, number: 2 };
        let ended = Fact::AttemptEnded {
            attempt,
            exit_status: 1,
            counted: true,
            diagnostics: String::new(),
            ended_wall_ms: 0,
        };
        assert_eq!(ended.key(), "application_7_0001/2/ended");
        let forgotten = Fact::ApplicationForgotten { application, highest: 1 };
        assert_eq!(
            (forgotten.key().as_str(), forgotten.forgets()),
            ("forgotten", Some(application))
        );
    }
}
