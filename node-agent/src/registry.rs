//! State that shell and monitor share: running shims, and the last logged problem of the resource manager.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use weir_base::ContainerId;
use weir_node_agent_brain::Signal;
use weir_protocol::cluster::NodeAction;
use weir_service::{CallError, ProcessId};

/// A running container.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watched {
    pub shim: ProcessId,
    pub leased_bytes: u64,
    /// Number of SIGKILLs sent.
    pub kills: u32,
}

/// The running containers.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    running: Mutex<BTreeMap<ContainerId, Watched>>,
    /// The last logged problem in calls to the resource manager.
    problem: Mutex<Option<String>>,
    /// Whether an unknown action was logged.
    has_warned_of_action: AtomicBool,
}

/// A panic elsewhere does no harm: the data is consistent after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    pub fn insert(&self, id: ContainerId, watched: Watched) {
        lock(&self.running).insert(id, watched);
    }

    pub fn remove(&self, id: ContainerId) {
        lock(&self.running).remove(&id);
    }

    /// Every running container.
    pub fn all(&self) -> Vec<(ContainerId, Watched)> {
        lock(&self.running).iter().map(|(&id, &watched)| (id, watched)).collect()
    }

    /// Counts a signal; `None` when the container does not run.
    pub fn note_signal(&self, id: ContainerId, signal: Signal) -> Option<Watched> {
        let mut running = lock(&self.running);
        let watched = running.get_mut(&id)?;
        watched.kills += u32::from(signal == Signal::Kill);
        Some(*watched)
    }

    /// Logs the first action that this release does not know. The agent ignores such actions.
    pub fn note_action(&self, action: NodeAction) {
        if action == NodeAction::Unknown && !self.has_warned_of_action.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                "the resource manager sent an action that this release does not know; it is ignored"
            );
        }
    }

    /// Logs the result of a call to the resource manager when it differs from the last one.
    pub fn note_call(&self, address: &str, error: Option<&CallError>) {
        let problem = error.map(|error| format!("{error} [{}]", error.code()));
        let mut last = lock(&self.problem);
        if *last == problem {
            return;
        }
        match &problem {
            Some(problem) => tracing::warn!("no answer of the resource manager: {problem}"),
            None => tracing::info!("the resource manager at {address} answers again"),
        }
        *last = problem;
    }
}
