//! Ctrl-C and SIGTERM cancel the running job; a second one ends the process at once.

use crate::launch::say;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    sync::{Mutex, Once, PoisonError},
    thread,
    time::{Duration, Instant},
};
use weir_job_master::Handle;

/// A second signal this soon is the first one's echo.
const ECHO: Duration = Duration::from_secs(1);

/// The running job.
struct Running {
    handle: Handle,
    /// Whether it keeps its checkpoints where a later run finds them.
    resumable: bool,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

/// From now on signals are for this job.
pub(crate) fn listen_for(handle: &Handle, resumable: bool) {
    static LISTEN: Once = Once::new();
    let running = Running { handle: handle.clone(), resumable };
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
    LISTEN.call_once(|| {
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
        let listen = move || {
            let mut asked: Option<Instant> = None;
            for signal in signals.forever() {
                // A parent that signals the process group may forward the same signal once more.
                if asked.is_some_and(|at| at.elapsed() < ECHO) {
                    continue;
                }
                if asked.is_some() || !cancel_running() {
                    std::process::exit(128 + signal);
                }
                asked = Some(Instant::now());
                say("cancelling the job; once more ends the program at once");
            }
        };
        // Without the thread the default action stays away too; a kill still works.
        let _ = thread::Builder::new().name("signals".to_owned()).spawn(listen);
    });
}

/// The job has ended: signals end the program again.
pub(crate) fn forget() {
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

/// Cancels the running job, if there is one.
pub(crate) fn cancel_running() -> bool {
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    running.as_ref().map(|running| running.handle.cancel()).is_some()
}

/// The parent of this program has ended. A job that can be resumed just ends with the process, as
/// by `kill -9`: a cancellation would end it permanently. Any other is cancelled, which cleans up.
pub(crate) fn parent_is_gone() {
    let resumable = {
        let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().is_none_or(|running| running.resumable)
    };
    if resumable || !cancel_running() {
        std::process::exit(1);
    }
}
