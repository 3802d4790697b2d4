//! How others look at a job and wait for it: a cloneable handle on what the shell publishes.

use crate::mailbox::Mail;
use crossbeam_channel::{Receiver, Sender};
use std::{
    fmt,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use weir_base::{Failure, WallTime};
use weir_coordination::{Input, JobOutcome, JobView};
use weir_protocol::job::JobStatus;

/// The job's state has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatusChange {
    pub status: JobStatus,
    /// Why, where a failure is the cause.
    pub failure: Option<Failure>,
    /// When, for display.
    pub wall: WallTime,
}

/// A running or ended job. Clones refer to the same job; dropping them all does not end it.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    mailbox: Sender<Mail>,
}

impl Handle {
    pub(crate) fn new(shared: Arc<Shared>, mailbox: Sender<Mail>) -> Self {
        Self { shared, mailbox }
    }

    /// Asks the job to end. Returns at once; [`Handle::wait`] tells when it has.
    pub fn cancel(&self) {
        // Without a receiver the job has ended.
        let _ = self.mailbox.send(Mail::Input(Input::CancelRequested));
    }

    /// The job as it was at most 100 ms ago. A change of its status shows at once.
    pub fn view(&self) -> Arc<JobView> {
        Arc::clone(&lock(&self.shared.view))
    }

    /// Waits for the job to end.
    pub fn wait(&self) -> JobOutcome {
        let mut outcome = lock(&self.shared.outcome);
        loop {
            if let Some((outcome, _)) = &*outcome {
                return outcome.clone();
            }
            outcome = self.shared.ended.wait(outcome).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// When the job ended; `None` while it runs.
    pub fn ended_at(&self) -> Option<Instant> {
        lock(&self.shared.outcome).as_ref().map(|(_, at)| *at)
    }

    /// Waits for the job to end, but not longer than this; `None` when it still runs.
    pub fn wait_timeout(&self, timeout: Duration) -> Option<JobOutcome> {
        let deadline = Instant::now().checked_add(timeout);
        let Some(deadline) = deadline else {
            return Some(self.wait());
        };
        let mut outcome = lock(&self.shared.outcome);
        loop {
            if let Some((outcome, _)) = &*outcome {
                return Some(outcome.clone());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            let waited = self.shared.ended.wait_timeout(outcome, left);
            outcome = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// A channel of the job's states: the present one, then every change. It closes behind a
    /// terminal state.
    pub fn subscribe_status(&self) -> Receiver<StatusChange> {
        self.shared.subscribe()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let latest = lock(&self.shared.statuses).latest.clone();
        f.debug_struct("Handle").field("latest", &latest).finish_non_exhaustive()
    }
}

/// The state that the shell publishes.
pub(crate) struct Shared {
    view: Mutex<Arc<JobView>>,
    statuses: Mutex<Statuses>,
    /// How and when it ended.
    outcome: Mutex<Option<(JobOutcome, Instant)>>,
    ended: Condvar,
}

struct Statuses {
    latest: StatusChange,
    subscribers: Vec<Sender<StatusChange>>,
}

impl Shared {
    pub(crate) fn new(view: JobView, latest: StatusChange) -> Self {
        Self {
            view: Mutex::new(Arc::new(view)),
            statuses: Mutex::new(Statuses { latest, subscribers: Vec::new() }),
            outcome: Mutex::new(None),
            ended: Condvar::new(),
        }
    }

    pub(crate) fn publish_view(&self, view: JobView) {
        *lock(&self.view) = Arc::new(view);
    }

    pub(crate) fn view(&self) -> Arc<JobView> {
        Arc::clone(&lock(&self.view))
    }

    pub(crate) fn status_changed(&self, change: StatusChange) {
        let mut statuses = lock(&self.statuses);
        // A subscriber that has dropped its receiver is removed.
        statuses.subscribers.retain(|subscriber| subscriber.send(change.clone()).is_ok());
        if change.status.is_terminal() {
            statuses.subscribers.clear();
        }
        statuses.latest = change;
    }

    /// The job has ended; wakes all waiting threads. The first outcome stays.
    pub(crate) fn end(&self, outcome: JobOutcome) {
        lock(&self.outcome).get_or_insert_with(|| (outcome, Instant::now()));
        self.ended.notify_all();
    }

    fn subscribe(&self) -> Receiver<StatusChange> {
        let (sender, receiver) = crossbeam_channel::unbounded();
        let mut statuses = lock(&self.statuses);
        // The receiver is ours and open.
        let _ = sender.send(statuses.latest.clone());
        if !statuses.latest.status.is_terminal() {
            statuses.subscribers.push(sender);
        }
        receiver
    }
}

/// Guarded data is consistent after every statement, so a poisoned lock can be used.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
