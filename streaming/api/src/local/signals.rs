//! Ctrl-C and SIGTERM cancel the running job; a second one ends the process at once.

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use std::{
    sync::{Mutex, Once, PoisonError},
    thread,
};
use weir_job_master::Handle;

static RUNNING: Mutex<Option<Handle>> = Mutex::new(None);

/// From now on signals are for this job.
pub(crate) fn listen_for(handle: &Handle) {
    static LISTEN: Once = Once::new();
    *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some(handle.clone());
    LISTEN.call_once(|| {
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
        let listen = move || {
            let mut asked = false;
            for signal in signals.forever() {
                if asked || !cancel_running() {
                    std::process::exit(128 + signal);
                }
                asked = true;
                eprintln!("cancelling the job; once more ends the program at once");
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
    running.as_ref().map(Handle::cancel).is_some()
}
