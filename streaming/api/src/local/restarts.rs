//! Lines on standard error when a local job resumes from a checkpoint or restarts, for each value of
//! `weir.progress`.
//!
//! A thread of its own writes them, so that a line comes at once and not with the next progress.

use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};
use weir_base::Failure;
use weir_job_master::Handle;
use weir_protocol::{
    job::JobStatus, rest::flink::result::FailureReport, restart_warnings::RestartWarnings,
};

/// The thread that warns.
pub(crate) struct Warner {
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Warner {
    /// Warns of each restart until the job has ended.
    pub fn start(handle: &Handle) -> Self {
        let (stop, stopped) = mpsc::channel();
        let handle = handle.clone();
        let thread = thread::Builder::new()
            .name("restarts".to_owned())
            .spawn(move || warn(&handle, &stopped));
        Self { thread: thread.ok().map(|thread| (stop, thread)) }
    }

    /// Warns of no job.
    pub fn silent() -> Self {
        Self { thread: None }
    }

    /// Tells what is left to tell of a job that has ended.
    pub fn stop(self) {
        if let Some((stop, thread)) = self.thread {
            drop(stop);
            let _ = thread.join();
        }
    }
}

fn warn(handle: &Handle, stopped: &mpsc::Receiver<()>) {
    let mut warnings = RestartWarnings::default();
    let mut restarts = 0;
    let mut is_first_run = true;
    let changes = handle.subscribe_status();
    // The channel closes behind the end of the job.
    while let Ok(first) = changes.recv() {
        let mut cause = None;
        for change in std::iter::once(first).chain(changes.try_iter()) {
            if change.status == JobStatus::Restarting && change.failure.is_some() {
                restarts += 1;
                cause = change.failure;
            }
            if change.status == JobStatus::Running && std::mem::take(&mut is_first_run) {
                note_resumed(handle);
            }
        }
        let Some(cause) = cause else { continue };
        let delay_ms = handle.view().restart_delay_ms;
        if let Some(line) = warnings.next(restarts, delay_ms, Some(&report(cause))) {
            weir_terminal::note(&line);
            // Ends early when the job has ended.
            let _ = stopped.recv_timeout(warnings.pause());
        }
    }
}

/// Says from which checkpoint of an earlier run the job continues.
fn note_resumed(handle: &Handle) {
    let view = handle.view();
    if let Some(id) = view.checkpoints.last_restored {
        weir_terminal::note(&format!("job {:?} continues from checkpoint {id}", view.name));
    }
}

fn report(failure: Failure) -> FailureReport {
    let Failure { code, message, operator, task, .. } = failure;
    FailureReport { code, message, operator, task, ..FailureReport::default() }
}
