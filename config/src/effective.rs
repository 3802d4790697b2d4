//! Settings that follow from several keys together, so that the rule stands in one place.

use std::time::Duration;

use crate::config::Config;
use crate::keys::{self, BufferTimeout, MaxParallelism, RestartStrategyType};

/// What happens when a job fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartStrategy {
    /// The first failure fails the job.
    None,
    /// The job is restarted up to `attempts` times, each time after `delay`.
    FixedDelay {
        /// How many restarts there may be.
        attempts: u32,
        /// The pause before each.
        delay: Duration,
    },
}

/// What Flink calls unlimited: `Integer.MAX_VALUE`.
const UNLIMITED_ATTEMPTS: u32 = i32::MAX as u32;

impl Config {
    /// Whether the job takes checkpoints.
    pub fn is_checkpointing_enabled(&self) -> bool {
        self.is_set(&keys::CHECKPOINTING_INTERVAL)
    }

    /// The buffer timeout, with `execution.buffer-timeout.enabled` taken into account.
    pub fn buffer_timeout(&self) -> BufferTimeout {
        if self.get(&keys::BUFFER_TIMEOUT_ENABLED) {
            self.get(&keys::BUFFER_TIMEOUT)
        } else {
            BufferTimeout::OnlyFull
        }
    }

    /// The number of key groups, if it is not derived per operator.
    pub fn max_parallelism(&self) -> Option<u32> {
        match self.get(&keys::PIPELINE_MAX_PARALLELISM) {
            MaxParallelism::Derived => None,
            MaxParallelism::Fixed(count) => Some(count),
        }
    }

    /// The restart strategy. Without a type it is none while checkpointing is off, and a fixed
    /// delay while it is on, unlimited unless the number of attempts is set.
    pub fn restart_strategy(&self) -> RestartStrategy {
        let attempts = self.get(&keys::RESTART_FIXED_DELAY_ATTEMPTS);
        let delay = self.get(&keys::RESTART_FIXED_DELAY_DELAY);
        match self.get_optional(&keys::RESTART_STRATEGY_TYPE) {
            Some(RestartStrategyType::None) => RestartStrategy::None,
            Some(RestartStrategyType::FixedDelay) => {
                RestartStrategy::FixedDelay { attempts, delay }
            }
            None if !self.is_checkpointing_enabled() => RestartStrategy::None,
            None if self.is_set(&keys::RESTART_FIXED_DELAY_ATTEMPTS) => {
                RestartStrategy::FixedDelay { attempts, delay }
            }
            None => RestartStrategy::FixedDelay { attempts: UNLIMITED_ATTEMPTS, delay },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::ConfigBuilder;

    fn config(dynamic: &[&str]) -> Config {
        let builder = dynamic.iter().fold(ConfigBuilder::new(), |b, text| b.dynamic(*text));
        builder.build().expect("a valid configuration").0
    }

    #[test]
    fn restart_strategy_follows_from_type_and_checkpointing() {
        let fixed = |attempts, seconds| RestartStrategy::FixedDelay {
            attempts,
            delay: Duration::from_secs(seconds),
        };
        let checkpointing = "execution.checkpointing.interval=10 s";
        for (dynamic, expect) in [
            (&[][..], RestartStrategy::None),
            (&["restart-strategy.fixed-delay.attempts=3"], RestartStrategy::None),
            (&[checkpointing], fixed(2_147_483_647, 1)),
            (&[checkpointing, "restart-strategy.fixed-delay.attempts=3"], fixed(3, 1)),
            (&[checkpointing, "restart-strategy.fixed-delay.delay=5 s"], fixed(2_147_483_647, 5)),
            (&[checkpointing, "restart-strategy.type=off"], RestartStrategy::None),
            (&["restart-strategy.type=none"], RestartStrategy::None),
            (&["restart-strategy.type=fixeddelay"], fixed(1, 1)),
            (&[checkpointing, "restart-strategy=fixed-delay"], fixed(1, 1)),
        ] {
            assert_eq!(config(dynamic).restart_strategy(), expect, "{dynamic:?}");
        }
    }

    #[test]
    fn buffer_timeout_can_be_switched_off() {
        let off = "execution.buffer-timeout.enabled=false";
        let interval = "execution.buffer-timeout.interval=0";
        assert_eq!(config(&[interval]).buffer_timeout(), BufferTimeout::EachRecord);
        assert_eq!(config(&[interval, off]).buffer_timeout(), BufferTimeout::OnlyFull);
    }

    #[test]
    fn max_parallelism_is_none_when_derived() {
        assert_eq!(config(&[]).max_parallelism(), None);
        assert_eq!(config(&["pipeline.max-parallelism=256"]).max_parallelism(), Some(256));
    }
}
