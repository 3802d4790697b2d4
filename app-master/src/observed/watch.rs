//! Waiting for news of a job without asking again and again.
//!
//! The job master publishes its states on a channel of a thread; here they arrive where async code
//! can wait for them.

use super::Shared;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};
use tokio::{sync::watch, time};
use weir_base::Failure;
use weir_job_master::StatusChange;
use weir_protocol::job::JobStatus;

/// How long the end of a failed job is held back for the log of the failure.
pub(super) const EXCERPT_GRACE: Duration = Duration::from_secs(5);

/// How a job ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ended {
    /// A terminal state.
    pub status: JobStatus,
    /// Why, if it failed.
    pub failure: Option<Failure>,
    /// When, in milliseconds since 1970.
    pub wall_ms: u64,
}

/// The latest news.
pub(super) struct Watch {
    latest: Mutex<Latest>,
    /// Carries no value: a receiver reads the state itself.
    news: watch::Sender<()>,
}

struct Latest {
    version: u64,
    /// With the time of the report.
    ended: Option<(Ended, Instant)>,
}

impl Watch {
    /// Versions of an attempt are above those of the attempts before it.
    pub(super) fn new(attempt_number: u32) -> Self {
        let version = u64::from(attempt_number) << 32;
        Self { latest: Mutex::new(Latest { version, ended: None }), news: watch::Sender::new(()) }
    }

    /// Counts the changes of the job's state.
    pub(super) fn version(&self) -> u64 {
        self.latest().version
    }

    /// How the job ended, if it has.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.latest().ended.as_ref().map(|(ended, _)| ended.clone())
    }

    /// How long the job has been known to have ended.
    pub(super) fn ended_for(&self) -> Option<Duration> {
        self.latest().ended.as_ref().map(|(_, heard)| heard.elapsed())
    }

    /// Wakes all waiting threads.
    pub(super) fn nudge(&self) {
        self.news.send_replace(());
    }

    pub(super) fn changed(&self, change: StatusChange) {
        {
            let mut latest = self.latest();
            latest.version += 1;
            if change.status.is_terminal() {
                let (status, failure, wall_ms) = (change.status, change.failure, change.wall.0);
                latest.ended = Some((Ended { status, failure, wall_ms }, Instant::now()));
            }
        }
        self.nudge();
    }

    /// Waits until `done`, which is asked after each piece of news, but not longer than this.
    pub(super) async fn wait_until(&self, longest: Duration, done: impl Fn() -> bool) {
        let mut news = self.news.subscribe();
        let waiting = async {
            loop {
                news.borrow_and_update();
                if done() || news.changed().await.is_err() {
                    return;
                }
            }
        };
        // Either way the caller looks for itself.
        let _ = time::timeout(longest, waiting).await;
    }

    fn latest(&self) -> MutexGuard<'_, Latest> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the states of the job on a separate thread until it has ended.
pub(super) fn follow(shared: &Arc<Shared>) {
    let changes = shared.handle.subscribe_status();
    let weak = Arc::downgrade(shared);
    let body = move || {
        for change in changes {
            let Some(shared) = weak.upgrade() else { return };
            let view = shared.handle.view();
            shared.fold(&view);
            shared.watch.changed(change);
        }
    };
    if let Err(error) = thread::Builder::new().name("job-watch".to_owned()).spawn(body) {
        tracing::warn!(
            "no thread to follow the job's state, so pages do not show its end: {error}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_base::WallTime;

    const LONG: Duration = Duration::from_secs(60);

    fn change(status: JobStatus) -> StatusChange {
        StatusChange { status, failure: None, wall: WallTime(7) }
    }

    #[actix_web::test]
    async fn waiting_readers_are_woken_by_news() {
        let watch = Watch::new(2);
        assert_eq!(watch.version(), 2 << 32);
        let waiting = watch.wait_until(LONG, || watch.ended().is_some());
        let news = async {
            watch.changed(change(JobStatus::Running));
            assert_eq!(watch.ended(), None);
            watch.changed(change(JobStatus::Finished));
        };
        let both = async { futures::join!(waiting, news) };
        time::timeout(LONG / 2, both).await.expect("both were woken");
        assert_eq!(watch.ended().map(|ended| ended.wall_ms), Some(7));
        assert_eq!(watch.version(), (2 << 32) + 2);
    }

    #[actix_web::test]
    async fn earlier_news_ends_a_wait_at_once() {
        let watch = Watch::new(1);
        watch.changed(change(JobStatus::Finished));
        let waiting = watch.wait_until(LONG, || watch.ended().is_some());
        time::timeout(LONG / 2, waiting).await.expect("it has ended already");
    }

    #[actix_web::test]
    async fn a_wait_ends_when_its_time_is_over() {
        Watch::new(1).wait_until(Duration::from_millis(1), || false).await;
    }
}
