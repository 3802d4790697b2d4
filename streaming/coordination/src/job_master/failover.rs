//! What a failure leads to: another start, or the end of the job.

use super::episode::{Episodes, Rank};
use crate::messages::{Failure, FailureOrigin, RestartStrategy};
use std::time::Duration;
use weir_base::{Monotonic, Now};

/// What to do about a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Deploy again, not before this moment.
    RestartAt(Monotonic),
    /// The job fails.
    GiveUp,
}

/// Applies the restart strategy.
#[derive(Clone, Debug)]
pub(super) struct Failover {
    strategy: RestartStrategy,
    restarts: u32,
    /// The wait before the latest restart.
    delay: Duration,
    pub(super) episodes: Episodes,
}

impl Failover {
    pub(super) fn new(strategy: RestartStrategy) -> Self {
        Self { strategy, restarts: 0, delay: Duration::ZERO, episodes: Episodes::default() }
    }

    /// Restarts so far.
    pub(super) fn restarts(&self) -> u32 {
        self.restarts
    }

    /// The wait before the latest restart; zero before the first.
    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    /// An earlier master has restarted the job so often.
    pub(super) fn recall(&mut self, restarts: u32) {
        self.restarts = restarts;
    }

    /// Remembers a failure for display.
    pub(super) fn remember(&mut self, now: Now, failure: &Failure) {
        self.episodes.add(now, Rank::Own, failure, None);
    }

    /// Decides, and counts the restart when there is one.
    pub(super) fn judge(&mut self, now: Monotonic, failure: &Failure) -> Verdict {
        match &self.strategy {
            RestartStrategy::FixedDelay { attempts, delay }
                if failure.origin != FailureOrigin::Permanent && self.restarts < *attempts =>
            {
                self.restarts += 1;
                self.delay = *delay;
                Verdict::RestartAt(now.after(*delay))
            }
            _ => Verdict::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(origin: FailureOrigin) -> Failure {
        Failure { code: "X".into(), message: String::new(), origin, task: None, operator: None }
    }

    #[test]
    fn a_fixed_delay_is_granted_so_many_times() {
        let delay = Duration::from_millis(5);
        let mut failover = Failover::new(RestartStrategy::FixedDelay { attempts: 2, delay });
        let verdicts: Vec<Verdict> =
            (0..3).map(|_| failover.judge(Monotonic(10), &failure(FailureOrigin::User))).collect();
        let again = Verdict::RestartAt(Monotonic(15));
        assert_eq!(verdicts, [again, again, Verdict::GiveUp]);
        assert_eq!((failover.restarts(), failover.delay()), (2, delay));
    }

    #[test]
    fn a_permanent_failure_is_never_retried() {
        let delay = Duration::ZERO;
        let mut failover = Failover::new(RestartStrategy::FixedDelay { attempts: 2, delay });
        let permanent = failure(FailureOrigin::Permanent);
        assert_eq!(failover.judge(Monotonic(0), &permanent), Verdict::GiveUp);
        assert_eq!(failover.restarts(), 0);
    }
}
