//! The end of an attempt: deletes output that will not be committed, archives what REST shows, reports the
//! end to the resource manager, and ends the task managers.

use crate::{
    assignment::Assignment,
    director::Director,
    error::{Error, Result},
    excerpts::Excerpts,
    observed::Observed,
    reports::Reports,
    resource_manager::{ResourceManager, Terms},
    rest,
    switchboard::Switchboard,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use weir_app_master_brain::SlotInput;
use weir_base::{Failure, FailureOrigin, Resources};
use weir_coordination::JobOutcome;
use weir_protocol::{
    cluster::{ArchivedAnswer, FinalStatus, FinishAppMaster, LaunchContext},
    control::HostOrder,
    job::JobStatus,
};
use weir_service::Handle;

/// For a task host to clear away what sinks have prepared.
const ABANDON_PATIENCE: Duration = Duration::from_secs(5);
const HOST_POLL: Duration = Duration::from_millis(20);
/// For the log of what a job has failed with; a busy node may take its time.
const EXCERPT_PATIENCE: Duration = Duration::from_secs(10);
/// For logs of failures that a job has got over.
const PAST_EXCERPT_PATIENCE: Duration = Duration::from_secs(1);
/// For the end of the job to be seen by what shows it.
const END_PATIENCE: Duration = Duration::from_secs(1);
/// Time for the last orders to be sent if no other process ends the task managers.
const FAREWELL: Duration = Duration::from_millis(100);

/// The parts of an app master that the end of its attempt needs.
pub struct Conclusion<'a> {
    /// Where the app master runs.
    pub assignment: &'a Assignment,
    /// Whether another app master can continue from the job's log.
    pub is_resumable: bool,
    /// The resource manager.
    pub manager: Arc<ResourceManager>,
    /// The slot pool, which ends the task managers.
    pub pool: Handle<Director>,
    /// Connections to the task hosts.
    pub switchboard: Arc<Switchboard>,
    /// Receives the answers of task hosts that have deleted output.
    pub reports: Arc<Reports>,
    /// Excerpts of logs that are being fetched.
    pub excerpts: Arc<Excerpts>,
    /// The view that REST shows.
    pub observed: Observed,
}

impl Conclusion<'_> {
    /// Ends the application with the job, or leaves it to others.
    ///
    /// # Errors
    /// As given, or the job is another app master's from now on.
    pub async fn conclude(&self, ended: Result<JobOutcome>) -> Result<()> {
        let outcome = match ended.and_then(|outcome| end_of_job(outcome, self.is_resumable)) {
            Ok(outcome) => outcome,
            Err(error) => return self.leave(error).await,
        };
        tracing::info!("the job has ended: {}", outcome.status.name());
        // If an earlier attempt has ended the job, that attempt has removed the output.
        let is_repeated = !outcome.off_record && !self.observed.job_has_begun();
        let is_first = self.assignment.attempt.number == 1;
        let may_have_output = !is_repeated && (!is_first || self.switchboard.has_deployed());
        if outcome.status != JobStatus::Finished && may_have_output {
            match open_commit(&outcome) {
                Some(words) => tracing::warn!("{words}"),
                None => self.abandon_output().await,
            }
        }
        let patience = match outcome.status {
            JobStatus::Failed => EXCERPT_PATIENCE,
            _ => PAST_EXCERPT_PATIENCE,
        };
        let _ = timeout(patience, self.excerpts.settled()).await;
        self.observed.wait_for_end(END_PATIENCE).await;
        let archive = rest::archive(&self.observed);
        self.pool.tell(SlotInput::JobEnded);
        self.manager.finish(&finish(self.assignment, &outcome, archive)).await;
        Ok(())
    }

    /// Ends what this app master has started, and nothing else: the log stays open for the next one.
    async fn leave(&self, why: Error) -> Result<()> {
        tracing::warn!("{}", why.in_full());
        self.reports.mute();
        self.pool.tell(SlotInput::JobEnded);
        sleep(FAREWELL).await;
        Err(why)
    }

    /// Task hosts clear away what sinks have prepared, each its own. When none comes in time it is left
    /// behind.
    async fn abandon_output(&self) {
        let told = async {
            let told_count = loop {
                match self.switchboard.tell_hosts(&HostOrder::AbandonOutput) {
                    0 if self.switchboard.is_doomed() => {
                        return Err("there is no task host".to_owned());
                    }
                    0 => sleep(HOST_POLL).await,
                    told_count => break told_count,
                }
            };
            self.reports.abandoned(told_count).await
        };
        let done = timeout(ABANDON_PATIENCE, told).await;
        if let Err(why) =
            done.unwrap_or_else(|_| Err("the task hosts have not done it in time".to_owned()))
        {
            tracing::warn!("output that was prepared may be left behind: {why}");
        }
    }
}

/// The outcome, if it is the end of the job and not of its master alone.
///
/// # Errors
/// Another app master runs the job, or can continue it.
pub fn end_of_job(outcome: JobOutcome, is_resumable: bool) -> Result<JobOutcome> {
    match &outcome.failure {
        why if outcome.status == JobStatus::Suspended => {
            let why = why.as_ref().map(|failure| failure.message.clone());
            let why = why.unwrap_or_else(|| "another one has it".to_owned());
            Err(Error::Superseded { why })
        }
        // A cancel ends the job also when it cannot be recorded.
        Some(failure)
            if outcome.status == JobStatus::Failed
                && outcome.off_record
                && is_resumable
                && failure.origin != FailureOrigin::Permanent =>
        {
            Err(Error::Interrupted { failure: describe(failure) })
        }
        _ => Ok(outcome),
    }
}

/// Whether a job in this state has begun under this master: the record of its epoch is in the log. A job
/// that an earlier master has ended goes from Initializing to its end at once.
pub fn has_begun(status: JobStatus) -> bool {
    status != JobStatus::Initializing && !status.is_terminal()
}

/// The job cannot be run by this attempt nor by another: the application fails with this.
pub async fn cannot_begin(assignment: &Assignment, error: &Error) {
    let manager = reporter(assignment);
    if let Err(refused) = manager.register().await {
        tracing::error!("{}", refused.in_full());
        return;
    }
    let request = FinishAppMaster {
        attempt: assignment.attempt,
        final_status: FinalStatus::Failed,
        diagnostics: error.in_full(),
        archive: Vec::new(),
    };
    manager.finish(&request).await;
}

/// A connection to the resource manager that only registers and reports the end.
fn reporter(assignment: &Assignment) -> Arc<ResourceManager> {
    let terms = Terms {
        address: assignment.resource_manager.clone(),
        attempt: assignment.attempt,
        token: assignment.token.clone(),
        rest_port: 0,
        resources: Resources::default(),
        launch: LaunchContext::default(),
    };
    ResourceManager::new(terms).0
}

fn finish(
    assignment: &Assignment,
    outcome: &JobOutcome,
    archive: Vec<ArchivedAnswer>,
) -> FinishAppMaster {
    let why = outcome.failure.as_ref().map(describe);
    let diagnostics: Vec<String> = why.into_iter().chain(open_commit(outcome)).collect();
    FinishAppMaster {
        attempt: assignment.attempt,
        final_status: match outcome.status {
            JobStatus::Finished => FinalStatus::Succeeded,
            JobStatus::Canceled => FinalStatus::Killed,
            _ => FinalStatus::Failed,
        },
        diagnostics: diagnostics.join("; "),
        archive,
    }
}

/// Output that must not be removed, because a part of it is committed already.
fn open_commit(outcome: &JobOutcome) -> Option<String> {
    let checkpoint = outcome.last_checkpoint.filter(|_| outcome.commit_is_open)?;
    Some(format!(
        "output that checkpoint {checkpoint} covers may be committed in part only; what sinks have prepared \
         is left where it is"
    ))
}

/// `task Map (1/2), operator Map: message [CODE]`
fn describe(failure: &Failure) -> String {
    let Failure { code, message, task, operator, .. } = failure;
    let place = match (task, operator) {
        (Some(task), Some(operator)) => format!("task {task}, operator {operator}: "),
        (Some(task), None) => format!("task {task}: "),
        _ => String::new(),
    };
    format!("{place}{message} [{code}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::CheckpointId;

    fn outcome(status: JobStatus, off_record: bool, origin: FailureOrigin) -> JobOutcome {
        let failure = Failure::new("WEIR-JOB-0005", origin, "the log cannot be written");
        JobOutcome {
            status,
            failure: Some(failure),
            restarts: 0,
            completed_checkpoints: 0,
            last_checkpoint: None,
            off_record,
            commit_is_open: false,
        }
    }

    #[test]
    fn failure_that_a_next_attempt_can_recover_from_does_not_end_the_job() {
        use FailureOrigin::{External, Internal, Permanent};
        const INTERRUPTED: Option<&str> = Some("WEIR-AM-0016");
        for (status, off_record, origin, is_resumable, left_with) in [
            (JobStatus::Failed, false, External, true, None),
            (JobStatus::Failed, true, External, true, INTERRUPTED),
            (JobStatus::Failed, true, Internal, true, INTERRUPTED),
            (JobStatus::Failed, true, Permanent, true, None),
            // Its log went with this app master.
            (JobStatus::Failed, true, External, false, None),
            (JobStatus::Canceled, true, External, true, None),
            (JobStatus::Suspended, true, External, true, Some("WEIR-AM-0007")),
        ] {
            let ended = end_of_job(outcome(status, off_record, origin), is_resumable);
            let code = ended.err().map(|error| error.code().to_owned());
            assert_eq!(code.as_deref(), left_with, "{status:?} {off_record} {origin:?}");
        }
    }

    #[test]
    fn output_that_may_be_committed_in_part_is_named() {
        let ended = outcome(JobStatus::Failed, false, FailureOrigin::User);
        let ended = JobOutcome { last_checkpoint: Some(CheckpointId(7)), ..ended };
        assert_eq!(open_commit(&ended), None);
        let words = open_commit(&JobOutcome { commit_is_open: true, ..ended });
        assert!(words.expect("told").starts_with("output that checkpoint 7 covers"));
    }

    #[test]
    fn interruption_says_why_with_both_codes() {
        let ended = end_of_job(outcome(JobStatus::Failed, true, FailureOrigin::External), true);
        let words = ended.expect_err("it goes on").in_full();
        assert!(
            words.ends_with("the log cannot be written [WEIR-JOB-0005] [WEIR-AM-0016]"),
            "{words}"
        );
    }
}
