//! Warnings on standard error when a job on a cluster restarts, whatever `weir.progress` says.
//!
//! They have a thread and a connection of their own, so that a slow answer never delays the news of the
//! job's end.

use crate::remote::{Remote, proxy_path};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use weir_base::{ApplicationId, JobId};
use weir_protocol::rest::flink::result::JobProgress;
use weir_protocol::restart_warnings::RestartWarnings;

/// How long the app master may hold its answer back.
const HOLD: Duration = Duration::ZERO;

/// The thread that warns.
pub struct Warner {
    thread: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Warner {
    /// Warns of each restart of a job.
    pub fn start(remote: &Remote, application: ApplicationId, job: JobId) -> Self {
        let Ok(remote) = remote.again() else { return Self { thread: None } };
        let path = format!("{}/jobs/{job}/progress", proxy_path(application));
        let (stop, stopped) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("restarts".to_owned())
            .spawn(move || warn(&remote, &path, &stopped));
        Self { thread: thread.ok().map(|thread| (stop, thread)) }
    }

    /// Tells what is left to tell of a job that has ended.
    pub fn stop(self) {
        if let Some((stop, thread)) = self.thread {
            drop(stop);
            let _ = thread.join();
        }
    }
}

fn warn(remote: &Remote, path: &str, stopped: &mpsc::Receiver<()>) {
    let mut warnings = RestartWarnings::default();
    loop {
        let waited = stopped.recv_timeout(warnings.pause());
        // Without an app master there is no answer; the thread that waits for the job's end says why.
        if let Ok(progress) = remote.get_held::<JobProgress>(path, HOLD) {
            let JobProgress { restarts, restart_delay_ms, failure, .. } = progress;
            if let Some(line) = warnings.next(restarts, restart_delay_ms, failure.as_ref()) {
                weir_terminal::note(&line);
            }
        }
        if waited != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}
