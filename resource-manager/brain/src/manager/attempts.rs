//! Attempts: begin, launch, failure, retry, end.

use super::ResourceManager;
use crate::{
    application::ApplicationLife,
    attempt::{Attempt, AttemptLife},
    container::{ContainerLife, Stop},
    journal::After,
    messages::{ApplicationOutcome, Fact},
    timers::Purpose,
};
use std::time::Duration;
use weir_base::{ApplicationId, AttemptId, Now};
use weir_protocol::cluster::{FinalStatus, Lease, exit_status};

/// Delay before a new attempt after the second uncounted failure. Each further uncounted failure doubles it.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// The longest such delay.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How an attempt failed.
pub(super) struct AttemptFailure {
    pub(super) exit_status: i32,
    /// Whether it counts against the application's attempts.
    pub(super) counted: bool,
    pub(super) diagnostics: String,
}

impl AttemptFailure {
    /// The end of an app master's container. It does not count if the application did not cause it.
    fn of_container(exit_status: i32, diagnostics: String) -> Self {
        let counted = !matches!(
            exit_status,
            exit_status::ABORTED
                | exit_status::PREEMPTED
                | exit_status::DISKS_FAILED
                | exit_status::KILLED_BY_RESOURCE_MANAGER
        );
        Self { exit_status, counted, diagnostics }
    }
}

impl ResourceManager {
    /// Adds an attempt. It starts after a delay if earlier attempts had uncounted failures.
    pub(super) fn begin_attempt(&mut self, now: Now, id: ApplicationId) {
        let Some(application) = self.cluster.applications.get_mut(&id) else { return };
        let number = application.attempts.last().map_or(1, |last| last.id.number + 1);
        application.attempts.push(Attempt::new(AttemptId { application: id, number }));
        let failures = application.uncounted_failures;
        if failures < 2 {
            return self.schedule_attempt(id);
        }
        let wait = FIRST_WAIT.saturating_mul(1 << (failures - 2).min(10)).min(LONGEST_WAIT);
        self.timers.set(Purpose::NextAttempt(id), now.monotonic.after(wait));
    }

    pub(super) fn schedule_attempt(&mut self, id: ApplicationId) {
        let Some(application) = self.cluster.applications.get_mut(&id) else { return };
        if let Some(attempt) = application.current_mut()
            && attempt.state == AttemptLife::New
        {
            attempt.enter(AttemptLife::Scheduled);
            self.planner.request();
        }
    }

    /// The container of an app master is leased: stores this fact.
    pub(super) fn app_master_leased(&mut self, now: Now, master: Lease) {
        let id = master.container.attempt;
        let Some(attempt) = self.cluster.applications.attempt_mut(id) else { return };
        attempt.enter(AttemptLife::AllocatedSaving);
        attempt.started_wall_ms = now.wall.0;
        attempt.master = Some(master.clone());
        attempt.master_reason = None;
        self.journal.write(Fact::AttemptStarted {
            attempt: id,
            container: master.container,
            node: master.node,
            resources: master.resources,
            started_wall_ms: now.wall.0,
        });
        self.journal.then(After::AttemptSaved(id));
    }

    /// The lease of an app master's container is durable: the node may launch the container.
    pub(super) fn attempt_saved(&mut self, now: Now, id: AttemptId) {
        let expiry = now.monotonic.after(self.settings.container_allocation_expiry);
        let Some(attempt) = self.cluster.applications.working_attempt_mut(id) else { return };
        let Some(master) = attempt.master.clone() else { return };
        attempt.enter(AttemptLife::Allocated);
        if let Some(container) = self.cluster.leases.get_mut(&master.container) {
            container.enter(ContainerLife::Acquired);
            container.is_held = true;
            self.timers.set(Purpose::Container(master.container), expiry);
            self.cluster.nodes.touch(master.node);
        }
    }

    /// A node has reported the container of an app master, which runs or will run soon.
    pub(super) fn app_master_reported(&mut self, now: Now, id: AttemptId) {
        let expiry = now.monotonic.after(self.settings.app_master_expiry);
        let Some(attempt) = self.cluster.applications.working_attempt_mut(id) else { return };
        if attempt.state == AttemptLife::Allocated {
            attempt.enter(AttemptLife::Launched);
        }
        let Some(master) = attempt.master.as_ref().map(|master| master.container) else { return };
        let container = self.cluster.leases.get(&master);
        let runs = container.is_some_and(|one| one.started_wall_ms.is_some());
        let purpose = Purpose::AppMaster(id);
        // The expiry starts only when the process runs: the node may need long to fetch its files, and reports that.
        if runs && !self.timers.has(&purpose) {
            self.timers.set(purpose, expiry);
        }
    }

    /// The container of an app master has ended.
    pub(super) fn app_master_ended(
        &mut self,
        now: Now,
        id: AttemptId,
        exit_status: i32,
        diagnostics: String,
    ) {
        let Some(application) = self.cluster.applications.get_mut(&id.application) else { return };
        let state = application.state;
        let Some(attempt) = application.current_mut().filter(|one| one.id == id) else { return };
        match state {
            ApplicationLife::FinishSaving => {
                attempt.exit_status = Some(exit_status);
            }
            ApplicationLife::Finishing => {
                attempt.exit_status = Some(exit_status);
                self.finished(now, id);
            }
            _ => {
                let diagnostics = match attempt.master {
                    Some(_) => describe_exit(exit_status, &diagnostics),
                    None => "no container was started for its app master".to_owned(),
                };
                let failure = AttemptFailure::of_container(exit_status, diagnostics);
                self.attempt_failed(now, id, failure);
            }
        }
    }

    /// The current attempt ends without a final report: the next attempt begins, or the application ends.
    pub(super) fn attempt_failed(&mut self, now: Now, id: AttemptId, failure: AttemptFailure) {
        let current = self.cluster.applications.get(&id.application).and_then(|one| one.current());
        if current.is_none_or(|attempt| attempt.id != id) {
            return;
        }
        let into = self.attempt_end_of(id.application);
        self.attempt_ended(now, id, into, &failure);
        match into {
            AttemptLife::Killed => self.killed(now, id.application),
            _ => self.retry_or_fail(now, id, &failure),
        }
    }

    /// Ends an attempt and its application, because no node is large enough for its app master.
    pub(super) fn fail_without_retry(&mut self, now: Now, id: AttemptId, why: String) {
        let failure = AttemptFailure {
            exit_status: exit_status::INVALID,
            counted: true,
            diagnostics: why.clone(),
        };
        self.attempt_ended(now, id, AttemptLife::Failed, &failure);
        let end = (ApplicationOutcome::Failed, FinalStatus::Failed, why);
        self.end_application(now, id.application, end);
    }

    /// Stores the end of the current attempt, and stops its containers.
    fn attempt_ended(
        &mut self,
        now: Now,
        id: AttemptId,
        into: AttemptLife,
        failure: &AttemptFailure,
    ) {
        let Some(attempt) = self.cluster.applications.attempt_mut(id) else { return };
        attempt.enter(into);
        attempt.ended_wall_ms = Some(now.wall.0);
        attempt.exit_status = Some(failure.exit_status);
        attempt.diagnostics.clone_from(&failure.diagnostics);
        attempt.shrink();
        self.planner.request();
        self.journal.write(Fact::AttemptEnded {
            attempt: id,
            exit_status: failure.exit_status,
            counted: failure.counted,
            diagnostics: failure.diagnostics.clone(),
            ended_wall_ms: now.wall.0,
        });
        self.journal.then(After::AttemptEndSaved(id));
        self.close_attempt(now, id);
    }

    fn retry_or_fail(&mut self, now: Now, id: AttemptId, failure: &AttemptFailure) {
        let allowed = self.settings.max_app_attempts.max(1);
        let Some(application) = self.cluster.applications.get_mut(&id.application) else { return };
        let allowed = application.submission.max_attempts.unwrap_or(allowed).clamp(1, allowed);
        let was_preempted = failure.exit_status == exit_status::PREEMPTED;
        application.count_failure(failure.exit_status, failure.counted);
        let failures = application.counted_failures;
        if was_preempted || (failures < allowed && allowed > 1) {
            if application.state == ApplicationLife::Running {
                application.enter(ApplicationLife::Accepted);
            }
            return self.begin_attempt(now, id.application);
        }
        let diagnostics = format!(
            "attempt {} failed and no other follows ({failures} of at most {allowed} failures): {}",
            id.number, failure.diagnostics
        );
        let end = (ApplicationOutcome::Failed, FinalStatus::Failed, diagnostics);
        self.end_application(now, id.application, end);
    }

    /// Stops everything that still belongs to an attempt which is over.
    pub(super) fn close_attempt(&mut self, now: Now, id: AttemptId) {
        self.timers.clear(&Purpose::AppMaster(id));
        self.answer_allocate(now, id);
        self.cluster.leases.await_none_of(id);
        self.stop_containers(now, id, Keep::None);
    }

    fn stop_containers(&mut self, now: Now, id: AttemptId, keep: Keep) {
        let Some(attempt) = self.cluster.applications.attempt(id) else { return };
        let master = attempt.master.as_ref().map(|master| master.container);
        for container in attempt.containers.clone() {
            if keep == Keep::Master && Some(container) == master {
                continue;
            }
            let exit_status = if Some(container) == master {
                exit_status::KILLED_BY_RESOURCE_MANAGER
            } else {
                exit_status::KILLED_AFTER_APPLICATION
            };
            let diagnostics = "its application or attempt is over".to_owned();
            let stop = Stop { into: ContainerLife::Killed, exit_status, diagnostics };
            self.stop_container(now, container, stop);
        }
    }

    /// Stops the current attempt of an application that is being killed or whose app master takes too long to
    /// exit. The attempt is over when the container of its app master has ended.
    pub(super) fn stop_attempt(&mut self, now: Now, id: ApplicationId) {
        let current = self.cluster.applications.get(&id).and_then(|one| one.current());
        let Some(attempt) = current.map(|attempt| attempt.id) else {
            return self.killed(now, id);
        };
        self.close_attempt(now, attempt);
        self.end_attempt_without_master(now, attempt);
    }

    /// Ends the attempt now if the app master has no container, or none that still runs.
    fn end_attempt_without_master(&mut self, now: Now, id: AttemptId) {
        let Some(attempt) =
            self.cluster.applications.get(&id.application).and_then(|one| one.current())
        else {
            return;
        };
        let has_master = attempt.containers.iter().any(|&one| attempt.is_master(one));
        if attempt.id == id && !has_master {
            let exit = exit_status::KILLED_BY_RESOURCE_MANAGER;
            self.app_master_ended(now, id, exit, String::new());
        }
    }

    pub(super) fn app_master_is_late(&mut self, now: Now, id: AttemptId) {
        let Some(application) = self.cluster.applications.get(&id.application) else { return };
        match application.state {
            ApplicationLife::Finishing => self.stop_attempt(now, id.application),
            ApplicationLife::Accepted | ApplicationLife::Running => {
                let silent = self.settings.app_master_expiry.as_millis();
                let diagnostics = format!("the app master was silent for more than {silent} ms");
                let exit_status = exit_status::KILLED_BY_RESOURCE_MANAGER;
                let failure = AttemptFailure { exit_status, counted: true, diagnostics };
                self.attempt_failed(now, id, failure);
            }
            _ => {}
        }
    }

    /// The final report of an app master is durable.
    pub(super) fn finish_saved(&mut self, now: Now, id: AttemptId) {
        let expiry = now.monotonic.after(self.settings.app_master_expiry);
        let Some(application) = self.cluster.applications.get_mut(&id.application) else { return };
        if application.state != ApplicationLife::FinishSaving {
            return;
        }
        application.enter(ApplicationLife::Finishing);
        let Some(attempt) = application.current_mut() else { return };
        attempt.enter(AttemptLife::Finishing);
        let has_ended = attempt.exit_status.is_some();
        self.stop_containers(now, id, Keep::Master);
        if has_ended {
            self.finished(now, id);
        } else {
            self.timers.set(Purpose::AppMaster(id), expiry);
        }
    }

    /// An app master has ended after its final report.
    fn finished(&mut self, now: Now, id: AttemptId) {
        let Some(application) = self.cluster.applications.get_mut(&id.application) else { return };
        let Some(attempt) = application.current_mut() else { return };
        attempt.enter(AttemptLife::Finished);
        attempt.ended_wall_ms = Some(now.wall.0);
        attempt.shrink();
        let finish = application.finish.clone();
        self.close_attempt(now, id);
        let (final_status, diagnostics) = finish
            .map_or_else(Default::default, |finish| (finish.final_status, finish.diagnostics));
        let end = (ApplicationOutcome::Finished, final_status, diagnostics);
        self.end_application(now, id.application, end);
    }
}

/// Which containers of an attempt keep running.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    None,
    /// The container of its app master.
    Master,
}

/// Describes the end of an app master for users.
fn describe_exit(exit_status: i32, diagnostics: &str) -> String {
    let how = match exit_status {
        0 => "exited with code 0 without a final report".to_owned(),
        1..=128 => format!("exited with code {exit_status}"),
        129..=192 => format!("was ended by signal {}", exit_status - 128),
        _ => format!("ended with status {exit_status}"),
    };
    match diagnostics {
        "" => format!("the app master's container {how}"),
        details => format!("the app master's container {how}: {details}"),
    }
}
