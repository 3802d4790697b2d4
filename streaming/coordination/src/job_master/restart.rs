//! The restart strategies: whether a failed job starts again, and after which delay.
//!
//! ```text
//! none                the first failure fails the job
//! fixed delay         a number of restarts, each after the same delay
//! failure rate        any number of restarts, but a limited number within an interval
//! exponential delay   each delay is longer than the one before, up to a maximum; a job that has run
//!                     without a failure for long enough begins with the first delay again
//! ```
//!
//! The delays of exponential delay are spread by a jitter, so that jobs that failed together do not
//! restart together.

use crate::messages::{ExponentialDelay, RestartStrategy};
use std::{collections::VecDeque, time::Duration};
use weir_base::{Monotonic, SeededRng};

/// Decision about a failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// Deploy again, not before this moment.
    RestartAt(Monotonic),
    /// The job fails.
    GiveUp,
}

/// The restarts of a job, by its strategy.
#[derive(Clone, Debug)]
pub(super) struct Restarts {
    strategy: RestartStrategy,
    rng: SeededRng,
    count: u32,
    /// Failure rate: the failures that began a restart, oldest first.
    recent: VecDeque<Monotonic>,
    /// Exponential delay: how far it has grown.
    backoff: Option<Backoff>,
}

/// The last delay of a run of failures.
#[derive(Clone, Copy, Debug)]
struct Backoff {
    /// Without jitter.
    delay: Duration,
    /// When the restart was due.
    restart_at: Monotonic,
    /// Restarts since the delay was reset.
    attempts: u32,
}

impl Restarts {
    pub fn new(strategy: RestartStrategy, rng: SeededRng) -> Self {
        Self { strategy, rng, count: 0, recent: VecDeque::new(), backoff: None }
    }

    /// Restarts so far.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// An earlier master has restarted the job so often.
    pub fn recall(&mut self, count: u32) {
        self.count = count;
    }

    /// Decides about a failure that happens now, and counts the restart when there is one.
    pub fn next(&mut self, now: Monotonic) -> Verdict {
        let restart_at = match self.strategy.clone() {
            RestartStrategy::None => None,
            RestartStrategy::FixedDelay { attempts, delay } => {
                (self.count < attempts).then(|| now.after(delay))
            }
            RestartStrategy::FailureRate { max_failures, interval, delay } => {
                self.within_rate(now, max_failures, interval).then(|| now.after(delay))
            }
            RestartStrategy::ExponentialDelay(settings) => self.back_off(now, &settings),
        };
        match restart_at {
            Some(restart_at) => {
                self.count = self.count.saturating_add(1);
                Verdict::RestartAt(restart_at)
            }
            None => Verdict::GiveUp,
        }
    }

    /// The limit of the strategy after [`Verdict::GiveUp`]. `None` if the job has no restart strategy.
    pub fn used_up(&self) -> Option<String> {
        match &self.strategy {
            RestartStrategy::None => None,
            RestartStrategy::FixedDelay { attempts, .. } => {
                Some(format!("{} of {attempts} restarts were used", self.count))
            }
            RestartStrategy::FailureRate { max_failures, interval, .. } => Some(format!(
                "{} failures within {} ms, {max_failures} are allowed",
                self.recent.len(),
                interval.as_millis()
            )),
            RestartStrategy::ExponentialDelay(settings) => {
                let used = self.backoff.map_or(0, |backoff| backoff.attempts);
                let allowed = settings.attempts_before_reset;
                Some(format!("{used} of {allowed} restarts were used since the last reset"))
            }
        }
    }

    /// Whether the failures of the last interval, this one included, are not too many.
    fn within_rate(&mut self, now: Monotonic, max_failures: u32, interval: Duration) -> bool {
        while self.recent.front().is_some_and(|failed_at| now >= failed_at.after(interval)) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.recent.len() <= max_failures as usize
    }

    fn back_off(&mut self, now: Monotonic, settings: &ExponentialDelay) -> Option<Monotonic> {
        let quiet = settings.reset_backoff_threshold;
        let last = self.backoff.filter(|last| now < last.restart_at.after(quiet));
        let attempts = last.map_or(0, |last| last.attempts);
        if attempts >= settings.attempts_before_reset {
            return None;
        }
        let delay = last.map_or(settings.initial_backoff, |last| settings.longer(last.delay));
        let restart_at = now.after(settings.spread(delay, &mut self.rng));
        self.backoff = Some(Backoff { delay, restart_at, attempts: attempts + 1 });
        Some(restart_at)
    }
}

impl ExponentialDelay {
    /// The maximum, which is never below the first delay.
    fn upper_bound(&self) -> Duration {
        self.max_backoff.max(self.initial_backoff)
    }

    /// The delay that follows this one.
    fn longer(&self, delay: Duration) -> Duration {
        let longer = Duration::try_from_secs_f64(delay.as_secs_f64() * self.backoff_multiplier);
        longer.unwrap_or(Duration::MAX).min(self.upper_bound())
    }

    /// A delay changed by at most the jitter, and kept between the first delay and the maximum.
    fn spread(&self, delay: Duration, rng: &mut SeededRng) -> Duration {
        let jitter = 1.0 + self.jitter_factor * (2.0 * rng.fraction() - 1.0);
        let spread = Duration::try_from_secs_f64(delay.as_secs_f64() * jitter);
        spread.unwrap_or(Duration::MAX).clamp(self.initial_backoff, self.upper_bound())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Delays in milliseconds until each restart; `None` where the job fails. A failure comes so
    /// many milliseconds after the restart before it was due.
    fn delays(strategy: &RestartStrategy, failures_after_ms: &[u64]) -> Vec<Option<u64>> {
        let mut restarts = Restarts::new(strategy.clone(), SeededRng::new(1));
        let mut now = Monotonic(0);
        let delay = |failure_after_ms: &u64| {
            now = now.after(Duration::from_millis(*failure_after_ms));
            let Verdict::RestartAt(at) = restarts.next(now) else { return None };
            let delay_ms = at.millis_since(now);
            now = at;
            Some(delay_ms)
        };
        failures_after_ms.iter().map(delay).collect()
    }

    fn exponential() -> ExponentialDelay {
        ExponentialDelay { jitter_factor: 0.0, ..ExponentialDelay::default() }
    }

    #[test]
    fn each_strategy_has_its_delays() {
        let fixed = RestartStrategy::FixedDelay { attempts: 2, delay: 5 * SECOND };
        let rate = |max_failures, interval_s| RestartStrategy::FailureRate {
            max_failures,
            interval: interval_s * SECOND,
            delay: SECOND,
        };
        let growing = RestartStrategy::ExponentialDelay(exponential());
        let limited = RestartStrategy::ExponentialDelay(ExponentialDelay {
            attempts_before_reset: 2,
            reset_backoff_threshold: 10 * SECOND,
            ..exponential()
        });
        let inverted = RestartStrategy::ExponentialDelay(ExponentialDelay {
            initial_backoff: 2 * SECOND,
            max_backoff: SECOND,
            ..exponential()
        });
        let (one, hour) = (Some(1_000), 3_600_000);
        for (strategy, failures_after_ms, expect) in [
            (&RestartStrategy::None, &[0][..], &[None][..]),
            (&fixed, &[0, 0, 0], &[Some(5_000), Some(5_000), None]),
            (&fixed, &[0, hour, hour], &[Some(5_000), Some(5_000), None]),
            // The second failure in ten seconds fails the job; one after them does not.
            (&rate(1, 10), &[0, 8_000], &[one, None]),
            (&rate(1, 10), &[0, 9_000, 9_000], &[one, one, one]),
            (&rate(2, 10), &[0, 0, 0], &[one, one, None]),
            (&rate(2, 10), &[0, 4_500, 4_500, 4_500], &[one, one, one, one]),
            (&rate(0, 10), &[0], &[None]),
            (
                &growing,
                &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                &[
                    one,
                    Some(1_500),
                    Some(2_250),
                    Some(3_375),
                    Some(5_062),
                    Some(7_593),
                    Some(11_390),
                    Some(17_085),
                    Some(25_628),
                    Some(38_443),
                    Some(57_665),
                    Some(60_000),
                    Some(60_000),
                ],
            ),
            // An hour without a failure resets the delay, less does not.
            (&growing, &[0, hour - 1, hour], &[one, Some(1_500), one]),
            (&limited, &[0, 0, 0], &[one, Some(1_500), None]),
            (&limited, &[0, 0, 10_000, 0, 0], &[one, Some(1_500), one, Some(1_500), None]),
            (&inverted, &[0, 0], &[Some(2_000), Some(2_000)]),
        ] {
            assert_eq!(delays(strategy, failures_after_ms), expect, "{strategy:?}");
        }
    }

    #[test]
    fn a_strategy_that_gives_up_says_its_limit() {
        let interval = 10 * SECOND;
        for (strategy, expected) in [
            (RestartStrategy::None, None),
            (
                RestartStrategy::FixedDelay { attempts: 0, delay: SECOND },
                Some("0 of 0 restarts were used"),
            ),
            (
                RestartStrategy::FixedDelay { attempts: 2, delay: SECOND },
                Some("2 of 2 restarts were used"),
            ),
            (
                RestartStrategy::FailureRate { max_failures: 1, interval, delay: SECOND },
                Some("2 failures within 10000 ms, 1 are allowed"),
            ),
            (
                RestartStrategy::ExponentialDelay(ExponentialDelay {
                    attempts_before_reset: 3,
                    ..exponential()
                }),
                Some("3 of 3 restarts were used since the last reset"),
            ),
        ] {
            let mut restarts = Restarts::new(strategy.clone(), SeededRng::new(1));
            let mut decide = || restarts.next(Monotonic(0));
            assert!((0..10).any(|_| decide() == Verdict::GiveUp), "{strategy:?}");
            assert_eq!(restarts.used_up().as_deref(), expected, "{strategy:?}");
        }
    }

    #[test]
    fn jitter_spreads_delays_within_its_bounds_and_follows_from_the_seed() {
        let settings = ExponentialDelay {
            initial_backoff: 10 * SECOND,
            jitter_factor: 0.5,
            ..ExponentialDelay::default()
        };
        let spread = |seed, delay_s: u32| {
            let mut rng = SeededRng::new(seed);
            (0..200).map(|_| settings.spread(delay_s * SECOND, &mut rng)).collect::<Vec<_>>()
        };
        assert_eq!(spread(1, 20), spread(1, 20));
        assert_ne!(spread(1, 20), spread(2, 20));
        for (delay_s, least_s, most_s) in [(10, 10, 15), (20, 10, 30), (60, 30, 60)] {
            let delays = spread(3, delay_s);
            assert!(
                delays.iter().all(|delay| (least_s * SECOND..=most_s * SECOND).contains(delay))
            );
            let (least, most) = (delays.iter().min(), delays.iter().max());
            assert!(most > least, "{delay_s}: all delays are {most:?}");
        }
    }

    #[test]
    fn huge_settings_do_not_overflow() {
        let settings = ExponentialDelay {
            max_backoff: Duration::MAX,
            backoff_multiplier: f64::MAX,
            jitter_factor: 1.0,
            reset_backoff_threshold: Duration::MAX,
            ..ExponentialDelay::default()
        };
        let mut restarts =
            Restarts::new(RestartStrategy::ExponentialDelay(settings), SeededRng::new(1));
        for _ in 0..5 {
            assert!(matches!(restarts.next(Monotonic(7)), Verdict::RestartAt(_)));
        }
        assert_eq!(restarts.count(), 5);
    }
}
