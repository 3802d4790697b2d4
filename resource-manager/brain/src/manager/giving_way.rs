//! Younger applications give way to the oldest one that waits.
//!
//! When the oldest application waits for containers for [`crate::Settings::give_way_wait`] and gets
//! none, younger ones that wait too give up theirs, as far as that helps it. Their attempts end as
//! preempted, which counts as no failure, and they begin again when there is room.

use super::{ResourceManager, attempts::AttemptFailure};
use crate::{container::ContainerLife, scheduler::GiveWay, timers::Purpose};
use weir_base::{AttemptId, NodeId, Now, Resources};
use weir_protocol::cluster::exit_status;

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
        let head = self.head;
        self.plan_and_place(now);
        if self.head != head {
            return;
        }
        let mut snapshot = self.snapshot();
        for room in &mut snapshot.nodes {
            room.ending = self.ending_on(&room.node);
        }
        if let Some(GiveWay { to, younger }) = self.scheduler.give_way(&snapshot) {
            for attempt in younger {
                self.gives_way(now, attempt, to);
            }
        }
        // Later there may be more that can give way.
        self.wait_for_head(now);
    }

    /// What containers hold on a node that are being ended, or whose attempt is over.
    fn ending_on(&self, node: &NodeId) -> Resources {
        let Some(node) = self.nodes.get(node) else { return Resources::default() };
        let strays = node.strays.values().map(|stray| stray.resources);
        let leases = node.containers.iter().filter_map(|id| self.containers.get(id));
        let ending = leases.filter(|lease| {
            let stops = lease.life == ContainerLife::Stopping;
            stops || self.working_attempt(lease.id.attempt).is_none()
        });
        let ending = ending.map(|lease| lease.resources);
        strays.chain(ending).fold(Resources::default(), Resources::saturating_add)
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
