//! Applications that have waited for containers for a long time.
//!
//! **Younger applications give way** to the oldest waiting application. When it gets no container for
//! [`crate::Settings::give_way_wait`], younger applications that also wait give up their containers, as far as
//! that helps the oldest one. Their attempts end as preempted, which does not count as a failure. They begin
//! again when there is room.
//!
//! **No node is large enough.** A request for a container that is larger than every known node is refused at
//! once. A container may become too large later, when nodes leave or shrink, or it was requested before any node
//! was known. Then the request waits [`crate::Settings::larger_node_wait`] for a larger node to join or come
//! back. After that an application that waits for its app master fails, and an app master gets
//! [`crate::Error::TooLarge`] until a node is large enough.

use super::{ResourceManager, attempts::AttemptFailure};
use crate::{
    attempt::AttemptLife,
    scheduler::{Demand, GiveWay},
    timers::Purpose,
};
use weir_base::{AttemptId, Now};
use weir_protocol::cluster::exit_status;

impl ResourceManager {
    /// Restarts the wait when another application is the oldest waiting one, or when it got a container.
    pub(super) fn watch_head(&mut self, now: Now, head: Option<AttemptId>) {
        let missing = |id: AttemptId| {
            let asks = self
                .cluster
                .applications
                .attempt(id)
                .into_iter()
                .flat_map(|attempt| attempt.asks.values());
            asks.fold(0u64, |sum, ask| sum.saturating_add(ask.missing()))
        };
        let head = head.map(|id| (id, missing(id)));
        if self.planner.set_head(head) {
            self.wait_for_head(now);
        }
    }

    fn wait_for_head(&mut self, now: Now) {
        match self.planner.head() {
            Some(_) => {
                let until = now.monotonic.after(self.settings.give_way_wait);
                self.timers.set(Purpose::GiveWay, until);
            }
            None => self.timers.clear(&Purpose::GiveWay),
        }
    }

    /// The wait of the oldest application has ended: younger applications give way.
    pub(super) fn younger_give_way(&mut self, now: Now) {
        let head = self.planner.head();
        self.plan_and_place(now);
        if self.planner.head() != head {
            return;
        }
        let snapshot = self.cluster.snapshot_with_ending();
        if let Some(GiveWay { to, younger }) = self.planner.give_way(&snapshot) {
            for attempt in younger {
                self.gives_way(now, attempt, to);
            }
        }
        // More applications may be able to give way later.
        self.wait_for_head(now);
    }

    fn gives_way(&mut self, now: Now, id: AttemptId, to: AttemptId) {
        let diagnostics = format!(
            "gave way to {}, which is older: both waited for containers, and this one held what the \
             older one needs; it begins again when there is room",
            to.application
        );
        let failure =
            AttemptFailure { exit_status: exit_status::PREEMPTED, counted: false, diagnostics };
        self.attempt_failed(now, id, failure);
    }

    /// Starts the wait for a larger node for attempts that need one, and ends it for the others.
    pub(super) fn watch_sizes(&mut self, now: Now, demands: &[Demand]) {
        let too_large = self.cluster.too_large(demands);
        let (begun, over) = self.planner.set_too_large(too_large);
        for id in over {
            self.timers.clear(&Purpose::LargerNode(id));
            if let Some(attempt) = self.cluster.applications.attempt_mut(id) {
                attempt.too_large = None;
            }
        }
        let until = now.monotonic.after(self.settings.larger_node_wait);
        for id in begun {
            self.timers.set(Purpose::LargerNode(id), until);
        }
    }

    /// No larger node has joined in time.
    pub(super) fn larger_node_is_late(&mut self, now: Now, id: AttemptId) {
        let application = self.cluster.applications.get(&id.application);
        let Some(application) = application.filter(|one| one.kill.is_none()) else { return };
        let Some(error) = self.cluster.why_too_large(application) else { return };
        let Some(attempt) = self.cluster.applications.working_attempt_mut(id) else { return };
        if attempt.state == AttemptLife::Scheduled {
            return self.fail_without_retry(now, id, error.to_string());
        }
        attempt.too_large = Some(error);
        self.cluster.applications.touch(id);
    }
}
