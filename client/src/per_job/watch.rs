//! Waits for the end of a job, whatever happens to those who could tell it.
//!
//! ```text
//!  execution-result (held back until there is one) ──▶ the result
//!        │ no answer
//!        ▼
//!  application? ── waits for its app master ──▶ says for what, asks again
//!        │     └── runs ─────────────────────▶ asks again: the next attempt takes the job up
//!        │     └── has ended ────────────────▶ what it left, or how it ended and its diagnostics
//!        └ no answer: the resource manager is away; the job continues, asks again
//! ```

use super::submit::Submitted;
use crate::applications::pending_reasons;
use crate::problem::Problem;
use crate::remote::{Remote, application_path, proxy_path};
use std::thread;
use std::time::{Duration, Instant};
use weir_protocol::rest::flink::result::{ExecutionResult, WeirResult};
use weir_protocol::rest::yarn::{App, AppAttempts, ApplicationState, OneApp};
use weir_protocol::{cluster::FinalStatus, job::JobStatus};
use weir_service::CallError;

/// How long an app master may hold its answer back; then it is looked whether the job waits for room.
const HOLD: Duration = Duration::from_secs(3);
/// How often an application is asked about that waits for its app master.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How often a daemon that does not answer is asked again.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// After this time a line says what the application waits for.
const WAITS_LONG: Duration = Duration::from_secs(3);

/// A job that is waited for.
pub struct Watch<'a> {
    remote: &'a Remote,
    submitted: Submitted,
    /// Since when there is no app master.
    waiting_since: Option<Instant>,
    /// The last printed reason why the application waits.
    told_reason: String,
    /// Whether it was printed that a daemon does not answer.
    told_silence: bool,
    /// Whether the app master has failed to answer since `attempt` was last compared.
    may_be_replaced: bool,
    /// The latest attempt of the application that a line has named; at first the first one.
    attempt: u32,
}

impl<'a> Watch<'a> {
    /// Id of this job.
    pub fn new(remote: &'a Remote, submitted: Submitted) -> Self {
        Self {
            remote,
            submitted,
            waiting_since: None,
            told_reason: String::new(),
            told_silence: false,
            may_be_replaced: false,
            attempt: 1,
        }
    }

    /// Waits until it has ended.
    pub fn until_end(mut self) -> Result<WeirResult, Problem> {
        loop {
            match self.ask() {
                Ok(Some(result)) => {
                    self.tell_replacement();
                    return Ok(result);
                }
                Ok(None) => {
                    self.tell_replacement();
                    self.hears_again();
                    self.tell_reason("");
                    // A server that does not hold its answers back is asked with pauses.
                    thread::sleep(LOOK_AGAIN);
                }
                Err(_) => {
                    self.may_be_replaced = true;
                    if let Some(result) = self.without_answer()? {
                        return Ok(result);
                    }
                }
            }
        }
    }

    /// The result, once there is one.
    fn ask(&self) -> Result<Option<WeirResult>, CallError> {
        let Submitted { application, job } = self.submitted;
        let wait_ms = HOLD.as_millis();
        let path =
            format!("{}/jobs/{job}/execution-result?wait-ms={wait_ms}", proxy_path(application));
        let answer: ExecutionResult = self.remote.get_held(&path, HOLD)?;
        Ok(answer.weir_result)
    }

    /// The app master does not answer: looks why.
    fn without_answer(&mut self) -> Result<Option<WeirResult>, Problem> {
        let path = application_path(self.submitted.application);
        match self.remote.get_held::<OneApp>(&path, Duration::ZERO) {
            Ok(OneApp { app }) if app.state.has_ended() => self.what_is_left(&app),
            Ok(OneApp { app }) if app.state == ApplicationState::Running => {
                self.waiting_since = None;
                thread::sleep(LOOK_AGAIN);
                Ok(None)
            }
            Ok(OneApp { app }) => {
                if self.waiting_since.get_or_insert_with(Instant::now).elapsed() >= WAITS_LONG {
                    self.tell_reason(&app.diagnostics);
                }
                thread::sleep(LOOK_AGAIN);
                Ok(None)
            }
            Err(error) if error.is_passing() => {
                self.tell_silence();
                thread::sleep(TRY_AGAIN);
                Ok(None)
            }
            Err(error) => Err(self.remote.problem(error)),
        }
    }

    /// The archive that an ended app master has left with the resource manager.
    fn what_is_left(&self, app: &App) -> Result<Option<WeirResult>, Problem> {
        let error = match self.ask() {
            Ok(Some(result)) => return Ok(Some(result)),
            // It has ended since the application was looked up.
            Err(CallError::Unreachable { .. } | CallError::TimedOut { .. }) => return Ok(None),
            Ok(None) => String::new(),
            Err(error) => format!(" ({error})"),
        };
        let result = result_of(app).ok_or_else(|| ended_without_result(app))?;
        note(&format!("{} has ended; nothing more is kept of its job{error}", app.id));
        Ok(Some(result))
    }

    /// Says what the application waits for, once for each reason: for room, or else what the resource
    /// manager says of it.
    fn tell_reason(&mut self, diagnostics: &str) {
        // A question without an answer is reported when it is asked again.
        let reasons = pending_reasons(self.remote, self.submitted.application).unwrap_or_default();
        let reason = match reasons.into_iter().next() {
            Some(reason) => format!("waits for {reason}"),
            None => diagnostics.trim().to_owned(),
        };
        if !reason.is_empty() && reason != self.told_reason {
            let application = self.submitted.application;
            note(&format!("{application}: {reason}"));
            self.told_reason = reason;
        }
    }

    /// Says that another attempt of the application has the job now. Its counters begin again.
    fn tell_replacement(&mut self) {
        if !std::mem::take(&mut self.may_be_replaced) {
            return;
        }
        let Submitted { application, job } = self.submitted;
        let path = format!("{}/appattempts", application_path(application));
        let Ok(attempts) = self.remote.get_held::<AppAttempts>(&path, Duration::ZERO) else {
            // Asked again after the next answer.
            self.may_be_replaced = true;
            return;
        };
        let latest = attempts.app_attempts.app_attempt.iter().map(|attempt| attempt.id).max();
        if let Some(latest) = latest.filter(|latest| *latest > self.attempt) {
            self.attempt = latest;
            note(&format!(
                "{application}: the app master has ended, and attempt {latest} has taken over job \
                 {job}; restarts and records are counted from the start of attempt {latest}"
            ));
        }
    }

    fn tell_silence(&mut self) {
        if !self.told_silence {
            note(&format!(
                "the resource manager at {} does not answer; job {} continues without it; waiting",
                self.remote.address(),
                self.submitted.job
            ));
            self.told_silence = true;
        }
    }

    fn hears_again(&mut self) {
        self.waiting_since = None;
        if std::mem::take(&mut self.told_silence) {
            note(&format!("the resource manager at {} answers again", self.remote.address()));
        }
    }
}

fn note(text: &str) {
    weir_terminal::note(text);
}

/// The result of a job of which only is known that its app master brought it to an end, and to which.
fn result_of(app: &App) -> Option<WeirResult> {
    let status = match (app.state, app.final_status) {
        (ApplicationState::Finished, FinalStatus::Succeeded) => JobStatus::Finished,
        (ApplicationState::Finished, FinalStatus::Killed) => JobStatus::Canceled,
        _ => return None,
    };
    Some(WeirResult {
        status,
        failure: None,
        restarts: 0,
        completed_checkpoints: 0,
        operators: Vec::new(),
        runtime_ms: app.finished_time.saturating_sub(app.started_time),
    })
}

/// The application has ended without a word about its job.
fn ended_without_result(app: &App) -> Problem {
    let how = match (app.state, app.final_status) {
        (ApplicationState::Killed, _) => "was killed",
        (ApplicationState::Finished, FinalStatus::Failed) => "failed",
        (ApplicationState::Finished, _) => "ended without the result of its job",
        _ => "failed before its job could end",
    };
    let why = match app.diagnostics.trim() {
        "" => String::new(),
        diagnostics => format!(": {diagnostics}"),
    };
    Problem::failure("WEIR-CLI-0208", format!("{} {how}{why}", app.id))
        .help(format!("`weir logs {}` shows what its containers printed", app.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn application_that_failed_early_shows_its_diagnostics() {
        let app = App {
            state: ApplicationState::Failed,
            diagnostics: "no node has 9 GB\n".to_owned(),
            ..App::default()
        };
        let problem = ended_without_result(&app);
        assert_eq!(
            problem.what,
            "application_0_0000 failed before its job could end: no node has 9 GB"
        );
        let killed = App { state: ApplicationState::Killed, ..App::default() };
        assert_eq!(ended_without_result(&killed).what, "application_0_0000 was killed");
    }

    #[test]
    fn job_whose_result_is_lost_ended_as_its_application_says() {
        let app = |state, final_status| App {
            state,
            final_status,
            started_time: 5,
            finished_time: 12,
            diagnostics: "task Map (1/2): boom [WEIR-TASK-0001]".to_owned(),
            ..App::default()
        };
        let finished = result_of(&app(ApplicationState::Finished, FinalStatus::Succeeded));
        let finished = finished.expect("it ended well");
        assert_eq!((finished.status, finished.runtime_ms), (JobStatus::Finished, 7));
        let cancelled = result_of(&app(ApplicationState::Finished, FinalStatus::Killed));
        assert_eq!(cancelled.map(|result| result.status), Some(JobStatus::Canceled));
        let failed = app(ApplicationState::Finished, FinalStatus::Failed);
        assert_eq!(result_of(&failed), None);
        let what = "application_0_0000 failed: task Map (1/2): boom [WEIR-TASK-0001]";
        assert_eq!(ended_without_result(&failed).what, what);
        assert_eq!(result_of(&app(ApplicationState::Killed, FinalStatus::Killed)), None);
    }
}
