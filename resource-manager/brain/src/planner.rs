//! Decides when a plan is needed, and keeps the results of the last plan.

use crate::scheduler::{GiveWay, Scheduler, SchedulingPlan, Snapshot, WaitReason};
use std::collections::BTreeSet;
use weir_base::AttemptId;

/// The scheduler, and its state between two plans.
#[derive(Debug)]
pub(crate) struct Planner {
    scheduler: Box<dyn Scheduler>,
    /// A demand may be placed that could not be placed before.
    is_due: bool,
    /// After a restart nothing is leased until nodes and app masters have had time to come back.
    is_held: bool,
    /// The oldest attempt that waits for containers, and their number, according to the last plan.
    head: Option<(AttemptId, u64)>,
    /// Attempts that need a larger node than every active one, according to the last plan.
    too_large: BTreeSet<AttemptId>,
}

impl Planner {
    pub(crate) fn new(scheduler: Box<dyn Scheduler>) -> Self {
        Self { scheduler, is_due: false, is_held: false, head: None, too_large: BTreeSet::new() }
    }

    /// Requests a plan.
    pub(crate) fn request(&mut self) {
        self.is_due = true;
    }

    /// Requests a plan if something has changed.
    pub(crate) fn request_if(&mut self, has_changed: bool) {
        self.is_due |= has_changed;
    }

    pub(crate) fn is_due(&self) -> bool {
        self.is_due
    }

    /// Takes the request and returns whether to plan now. While planning is held a request is dropped, because
    /// [`Planner::release`] makes a new one.
    pub(crate) fn take_request(&mut self) -> bool {
        std::mem::take(&mut self.is_due) && !self.is_held
    }

    /// Plans nothing until [`Planner::release`].
    pub(crate) fn hold(&mut self) {
        self.is_held = true;
    }

    /// Ends the hold, and requests a plan.
    pub(crate) fn release(&mut self) {
        self.is_held = false;
        self.is_due = true;
    }

    pub(crate) fn plan(&self, snapshot: &Snapshot) -> SchedulingPlan {
        self.scheduler.plan(snapshot)
    }

    pub(crate) fn give_way(&self, snapshot: &Snapshot) -> Option<GiveWay> {
        self.scheduler.give_way(snapshot)
    }

    pub(crate) fn head(&self) -> Option<(AttemptId, u64)> {
        self.head
    }

    /// Sets the oldest waiting attempt. Returns whether the attempt or its number of missing containers has
    /// changed.
    pub(crate) fn set_head(&mut self, head: Option<(AttemptId, u64)>) -> bool {
        std::mem::replace(&mut self.head, head) != head
    }

    /// Sets the attempts that need a larger node. Returns the added and the removed attempts.
    pub(crate) fn set_too_large(
        &mut self,
        too_large: BTreeSet<AttemptId>,
    ) -> (Vec<AttemptId>, Vec<AttemptId>) {
        let begun = too_large.difference(&self.too_large).copied().collect();
        let over = self.too_large.difference(&too_large).copied().collect();
        self.too_large = too_large;
        (begun, over)
    }

    /// The reason of a wait as a text for users.
    pub(crate) fn describe(&self, reason: Option<&WaitReason>) -> String {
        if self.is_held {
            return "the resource manager was restarted and waits for nodes and app masters to come \
                    back before it leases anything"
                .to_owned();
        }
        reason.map_or_else(String::new, ToString::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::Fifo;
    use weir_base::{ApplicationId, Share};

    fn planner() -> Planner {
        Planner::new(Box::new(Fifo::new(Share::ALL)))
    }

    fn attempt(number: u32) -> AttemptId {
        AttemptId { application: ApplicationId::default(), number }
    }

    #[test]
    fn held_planner_plans_when_it_is_released() {
        let mut planner = planner();
        planner.hold();
        planner.request();
        assert!(!planner.take_request() && !planner.is_due());
        assert!(planner.describe(None).contains("was restarted"));
        planner.release();
        assert!(planner.take_request() && !planner.take_request());
        assert_eq!(planner.describe(None), "");
    }

    #[test]
    fn changes_of_waiting_attempts_are_returned() {
        let mut planner = planner();
        assert!(planner.set_head(Some((attempt(1), 2))));
        assert!(!planner.set_head(Some((attempt(1), 2))));
        assert!(planner.set_head(Some((attempt(1), 1))));
        let both = BTreeSet::from([attempt(1), attempt(2)]);
        assert_eq!(planner.set_too_large(both), (vec![attempt(1), attempt(2)], vec![]));
        let one = BTreeSet::from([attempt(2)]);
        assert_eq!(planner.set_too_large(one), (vec![], vec![attempt(1)]));
    }
}
