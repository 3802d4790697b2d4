//! Younger applications give way to the oldest one that waits.
//!
//! When the oldest application waits for containers for [`crate::Settings::give_way_wait`] and gets
//! none, younger ones that wait too give up theirs, as far as that helps it. Their attempts end as
//! preempted, which counts as no failure, and they begin again when there is room.

use super::{ResourceManager, attempts::AttemptFailure};
use crate::{messages::exit_status, scheduler::GiveWay, timers::Purpose};
use weir_base::{AttemptId, Now};

impl ResourceManager {
    /// Begins the wait anew when another application is the oldest, or when it got something.
    pub(super) fn watch_head(&mut self, now: Now, head: Option<AttemptId>) {
        let missing = |id: AttemptId| {
            let asks = self.attempt_ref(id).into_iter().flat_map(|attempt| attempt.asks.values());
            asks.fold(0u64, |sum, ask| sum.saturating_add(ask.missing()))
        };
        let head = head.map(|id| (id, missing(id)));
        if head == self.head {
            return;
        }
        self.head = head;
        self.wait_for_head(now);
    }

    fn wait_for_head(&mut self, now: Now) {
        match self.head {
            Some(_) => {
                let until = now.monotonic.after(self.settings.give_way_wait);
                self.timers.set(Purpose::GiveWay, until);
            }
            None => self.timers.clear(&Purpose::GiveWay),
        }
    }

    /// The oldest application has waited long enough.
    pub(super) fn younger_give_way(&mut self, now: Now) {
        self.plan_and_place(now);
        if let Some(GiveWay { to, younger }) = self.scheduler.give_way(&self.snapshot()) {
            for attempt in younger {
                self.gives_way(now, attempt, to);
            }
        }
        // Later there may be more that can give way.
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
}
