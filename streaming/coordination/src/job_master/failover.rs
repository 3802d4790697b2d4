//! The reaction to a failure: another start, or the end of the job.

use super::{
    episode::{Episodes, Rank},
    restart::{Restarts, Verdict},
};
use crate::messages::RestartStrategy;
use std::time::Duration;
use weir_base::{Failure, FailureOrigin, Monotonic, Now, SeededRng};

/// Applies the restart strategy.
#[derive(Clone, Debug)]
pub(super) struct Failover {
    restarts: Restarts,
    /// The wait before the latest restart.
    delay: Duration,
    /// The limit of the restart strategy, if the job fails because of it and its failure does not say so yet.
    used_up: Option<String>,
    pub(super) episodes: Episodes,
}

impl Failover {
    /// The generator decides the jitter of delays.
    pub(super) fn new(strategy: RestartStrategy, rng: SeededRng) -> Self {
        let restarts = Restarts::new(strategy, rng);
        Self { restarts, delay: Duration::ZERO, used_up: None, episodes: Episodes::default() }
    }

    /// Restarts so far.
    pub(super) fn restarts(&self) -> u32 {
        self.restarts.count()
    }

    /// The wait before the latest restart; zero before the first.
    pub(super) fn delay(&self) -> Duration {
        self.delay
    }

    /// An earlier master has restarted the job so often.
    pub(super) fn recall(&mut self, restarts: u32) {
        self.restarts.recall(restarts);
    }

    /// Remembers a failure for display.
    pub(super) fn remember(&mut self, now: Now, failure: &Failure) {
        self.episodes.add(now, Rank::Own, failure, None);
    }

    /// Decides, and counts the restart when there is one.
    pub(super) fn judge(&mut self, now: Monotonic, failure: &Failure) -> Verdict {
        let verdict = match failure.origin {
            FailureOrigin::Permanent => Verdict::GiveUp,
            _ => self.restarts.next(now),
        };
        if verdict == Verdict::GiveUp && failure.origin != FailureOrigin::Permanent {
            self.used_up = self.restarts.used_up();
        }
        if let Verdict::RestartAt(at) = verdict {
            self.delay = Duration::from_millis(at.millis_since(now));
        }
        verdict
    }

    /// The cause of the end of the job. It says that the restart strategy allows no further restart, if this
    /// is why none follows.
    pub(super) fn final_cause(&mut self) -> Option<&Failure> {
        let may_be_retried = |root: &Failure| root.origin != FailureOrigin::Permanent;
        if self.episodes.root().is_some_and(may_be_retried)
            && let Some(limit) = self.used_up.take()
        {
            let note = format!("; the restart strategy allows no further restart: {limit}");
            self.episodes.add_to_root(&note);
        }
        self.episodes.root()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(origin: FailureOrigin) -> Failure {
        Failure::new("X", origin, String::new())
    }

    #[test]
    fn a_permanent_failure_is_never_retried() {
        let delay = Duration::from_millis(5);
        let strategy = RestartStrategy::FixedDelay { attempts: 2, delay };
        let mut failover = Failover::new(strategy, SeededRng::new(1));
        let permanent = failure(FailureOrigin::Permanent);
        assert_eq!(failover.judge(Monotonic(0), &permanent), Verdict::GiveUp);
        assert_eq!((failover.restarts(), failover.delay()), (0, Duration::ZERO));
        let passing = failure(FailureOrigin::External);
        assert_eq!(failover.judge(Monotonic(0), &passing), Verdict::RestartAt(Monotonic(5)));
        assert_eq!((failover.restarts(), failover.delay()), (1, delay));
    }
}
