//! Deadlines by purpose. Each purpose has at most one deadline.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use weir_base::{ApplicationId, AttemptId, ContainerId, Monotonic, NodeId};

/// The purpose of a deadline.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Purpose {
    /// The write to the store is retried.
    Store,
    /// Leasing begins after a restart: nodes and app masters have had time to come back.
    LeasingBegins,
    /// Recovery ends: leases that have not come back are lost.
    RecoveryEnds,
    /// Younger applications give way to the oldest waiting one.
    GiveWay,
    /// The wait of an attempt for a larger node ends.
    LargerNode(AttemptId),
    /// A node expires, or a lost node is removed from the view.
    Node(NodeId),
    /// A held heartbeat is answered.
    NodeHold(NodeId),
    /// A lease expires because its container was not started.
    Container(ContainerId),
    /// An app master expires because it sent no message.
    AppMaster(AttemptId),
    /// A held allocate is answered.
    AppMasterHold(AttemptId),
    /// The next attempt begins.
    NextAttempt(ApplicationId),
}

impl Purpose {
    /// Whether the deadline depends on messages of another process, which may not have been read in time.
    fn is_liveness(&self) -> bool {
        matches!(
            self,
            Self::LeasingBegins
                | Self::RecoveryEnds
                | Self::GiveWay
                | Self::LargerNode(_)
                | Self::Node(_)
                | Self::Container(_)
                | Self::AppMaster(_)
        )
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Timers {
    by_purpose: BTreeMap<Purpose, Monotonic>,
    by_time: BTreeSet<(Monotonic, Purpose)>,
}

impl Timers {
    /// Sets the deadline of a purpose. Replaces an earlier one.
    pub(crate) fn set(&mut self, purpose: Purpose, at: Monotonic) {
        self.clear(&purpose);
        self.by_purpose.insert(purpose.clone(), at);
        self.by_time.insert((at, purpose));
    }

    /// Removes the deadline of a purpose.
    pub(crate) fn clear(&mut self, purpose: &Purpose) {
        if let Some((purpose, at)) = self.by_purpose.remove_entry(purpose) {
            self.by_time.remove(&(at, purpose));
        }
    }

    /// Removes and returns the next purpose whose deadline has passed.
    pub(crate) fn pop_due(&mut self, now: Monotonic) -> Option<Purpose> {
        let (at, _) = self.by_time.first()?;
        if *at > now {
            return None;
        }
        let (_, purpose) = self.by_time.pop_first()?;
        self.by_purpose.remove(&purpose);
        Some(purpose)
    }

    /// Extends every deadline that depends on messages of other processes.
    pub(crate) fn extend_liveness(&mut self, by: Duration) {
        let all = self.by_purpose.iter().filter(|(purpose, _)| purpose.is_liveness());
        let moved: Vec<_> = all.map(|(purpose, at)| (purpose.clone(), at.after(by))).collect();
        moved.into_iter().for_each(|(purpose, at)| self.set(purpose, at));
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<Monotonic> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Whether the deadline of a purpose has passed.
    pub(crate) fn is_due(&self, purpose: &Purpose, now: Monotonic) -> bool {
        self.by_purpose.get(purpose).is_some_and(|at| *at <= now)
    }

    /// Whether a purpose has a deadline.
    pub(crate) fn has(&self, purpose: &Purpose) -> bool {
        self.by_purpose.contains_key(purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_of_others_are_moved_and_own_ones_are_not() {
        let mut timers = Timers::default();
        timers.set(Purpose::Store, Monotonic(5));
        timers.set(Purpose::Node(NodeId("a:1".to_owned())), Monotonic(3));
        timers.extend_liveness(Duration::from_millis(10));
        assert_eq!(timers.pop_due(Monotonic(99)), Some(Purpose::Store));
        assert_eq!(timers.next(), Some(Monotonic(13)));
    }

    #[test]
    fn purposes_come_in_order_of_time_and_only_once() {
        let mut timers = Timers::default();
        timers.set(Purpose::Store, Monotonic(5));
        timers.set(Purpose::RecoveryEnds, Monotonic(3));
        timers.set(Purpose::Store, Monotonic(2));
        assert_eq!(timers.next(), Some(Monotonic(2)));
        assert_eq!(timers.pop_due(Monotonic(1)), None);
        assert_eq!(timers.pop_due(Monotonic(9)), Some(Purpose::Store));
        timers.clear(&Purpose::RecoveryEnds);
        assert_eq!(timers.pop_due(Monotonic(9)), None);
        assert_eq!(timers.next(), None);
    }
}
