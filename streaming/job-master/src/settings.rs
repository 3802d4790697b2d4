//! The settings of a job master: the one place that reads a job's configuration.
//!
//! Local execution and app masters both call [`job_settings`], so a key means the same in every mode.

use std::time::Duration;
use weir_base::JobId;
use weir_config::{
    Config,
    keys::{self, ExternalizedCheckpointRetention, RestartStrategyType},
};
use weir_coordination::{
    CheckpointRetention, CheckpointSettings, ExponentialDelay, JobSettings, RestartStrategy,
};
use weir_graph::Fingerprint;

/// Flink's value for unlimited: `Integer.MAX_VALUE`.
const UNLIMITED_ATTEMPTS: u32 = i32::MAX as u32;

/// How a job is run, by its configuration.
pub fn job_settings(job: JobId, fingerprint: Fingerprint, config: &Config) -> JobSettings {
    let interval = config.get_optional(&keys::CHECKPOINTING_INTERVAL);
    JobSettings {
        job,
        fingerprint,
        checkpoints: interval.map(|interval| checkpoint_settings(interval, config)),
        final_checkpoint_timeout: config.get(&keys::CHECKPOINTING_TIMEOUT),
        retention: retention(config.get(&keys::CHECKPOINTING_RETENTION)),
        restart: restart_strategy(config),
        storage_timeout: config.get(&keys::CHECKPOINTING_STORAGE_TIMEOUT),
        cancellation_timeout: config.get(&keys::TASK_CANCELLATION_TIMEOUT),
    }
}

fn checkpoint_settings(interval: Duration, config: &Config) -> CheckpointSettings {
    CheckpointSettings {
        interval,
        timeout: config.get(&keys::CHECKPOINTING_TIMEOUT),
        min_pause: config.get(&keys::CHECKPOINTING_MIN_PAUSE),
        tolerable_failures: config.get(&keys::CHECKPOINTING_TOLERABLE_FAILED),
        retained: config.get(&keys::CHECKPOINTING_NUM_RETAINED) as usize,
    }
}

fn retention(retention: ExternalizedCheckpointRetention) -> CheckpointRetention {
    match retention {
        ExternalizedCheckpointRetention::NoExternalizedCheckpoints => CheckpointRetention::Never,
        ExternalizedCheckpointRetention::DeleteOnCancellation => CheckpointRetention::OnFailure,
        ExternalizedCheckpointRetention::RetainOnCancellation => {
            CheckpointRetention::OnFailureOrCancellation
        }
    }
}

/// The restart strategy. Without a type it is none while checkpointing is off. While it is on, keys of
/// fixed delay or failure rate that are set choose that strategy, and otherwise it is exponential delay.
pub fn restart_strategy(config: &Config) -> RestartStrategy {
    match config.get_optional(&keys::RESTART_STRATEGY_TYPE) {
        Some(RestartStrategyType::None) => RestartStrategy::None,
        Some(RestartStrategyType::FixedDelay) => {
            fixed_delay(config, config.get(&keys::RESTART_FIXED_DELAY_ATTEMPTS))
        }
        Some(RestartStrategyType::FailureRate) => failure_rate(config),
        Some(RestartStrategyType::ExponentialDelay) => exponential_delay(config),
        None if !config.is_checkpointing_enabled() => RestartStrategy::None,
        None if config.is_set(&keys::RESTART_FIXED_DELAY_ATTEMPTS) => {
            fixed_delay(config, config.get(&keys::RESTART_FIXED_DELAY_ATTEMPTS))
        }
        None if config.is_set(&keys::RESTART_FIXED_DELAY_DELAY) => {
            fixed_delay(config, UNLIMITED_ATTEMPTS)
        }
        None if names_failure_rate(config) => failure_rate(config),
        None => exponential_delay(config),
    }
}

fn names_failure_rate(config: &Config) -> bool {
    config.is_set(&keys::RESTART_MAX_FAILURES)
        || config.is_set(&keys::RESTART_FAILURE_INTERVAL)
        || config.is_set(&keys::RESTART_FAILURE_RATE_DELAY)
}

fn fixed_delay(config: &Config, attempts: u32) -> RestartStrategy {
    let delay = config.get(&keys::RESTART_FIXED_DELAY_DELAY);
    RestartStrategy::FixedDelay { attempts, delay }
}

fn failure_rate(config: &Config) -> RestartStrategy {
    RestartStrategy::FailureRate {
        max_failures: config.get(&keys::RESTART_MAX_FAILURES),
        interval: config.get(&keys::RESTART_FAILURE_INTERVAL),
        delay: config.get(&keys::RESTART_FAILURE_RATE_DELAY),
    }
}

fn exponential_delay(config: &Config) -> RestartStrategy {
    RestartStrategy::ExponentialDelay(ExponentialDelay {
        initial_backoff: config.get(&keys::RESTART_INITIAL_BACKOFF),
        max_backoff: config.get(&keys::RESTART_MAX_BACKOFF),
        backoff_multiplier: config.get(&keys::RESTART_BACKOFF_MULTIPLIER),
        reset_backoff_threshold: config.get(&keys::RESTART_RESET_THRESHOLD),
        jitter_factor: config.get(&keys::RESTART_JITTER_FACTOR),
        attempts_before_reset: config.get(&keys::RESTART_ATTEMPTS_BEFORE_RESET),
    })
}

/// Sets the keys that give this restart strategy.
///
/// # Errors
/// A value is out of the range of its key.
pub fn set_restart_strategy(
    config: &mut Config,
    strategy: &RestartStrategy,
) -> Result<(), weir_config::Error> {
    let kind = match strategy {
        RestartStrategy::None => RestartStrategyType::None,
        RestartStrategy::FixedDelay { attempts, delay } => {
            config.set(&keys::RESTART_FIXED_DELAY_ATTEMPTS, *attempts)?;
            config.set(&keys::RESTART_FIXED_DELAY_DELAY, *delay)?;
            RestartStrategyType::FixedDelay
        }
        RestartStrategy::FailureRate { max_failures, interval, delay } => {
            config.set(&keys::RESTART_MAX_FAILURES, *max_failures)?;
            config.set(&keys::RESTART_FAILURE_INTERVAL, *interval)?;
            config.set(&keys::RESTART_FAILURE_RATE_DELAY, *delay)?;
            RestartStrategyType::FailureRate
        }
        RestartStrategy::ExponentialDelay(delay) => {
            config.set(&keys::RESTART_INITIAL_BACKOFF, delay.initial_backoff)?;
            config.set(&keys::RESTART_MAX_BACKOFF, delay.max_backoff)?;
            config.set(&keys::RESTART_BACKOFF_MULTIPLIER, delay.backoff_multiplier)?;
            config.set(&keys::RESTART_RESET_THRESHOLD, delay.reset_backoff_threshold)?;
            config.set(&keys::RESTART_JITTER_FACTOR, delay.jitter_factor)?;
            config.set(&keys::RESTART_ATTEMPTS_BEFORE_RESET, delay.attempts_before_reset)?;
            RestartStrategyType::ExponentialDelay
        }
    };
    config.set(&keys::RESTART_STRATEGY_TYPE, kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[(&str, &str)]) -> Config {
        let mut config = Config::new();
        for (key, value) in settings {
            config.set_named(key, value).expect(key);
        }
        config
    }

    #[test]
    fn restart_strategy_follows_from_type_and_checkpointing() {
        let fixed = |attempts, seconds| RestartStrategy::FixedDelay {
            attempts,
            delay: Duration::from_secs(seconds),
        };
        let rate = |max_failures| RestartStrategy::FailureRate {
            max_failures,
            interval: Duration::from_secs(60),
            delay: Duration::from_secs(1),
        };
        let checkpointing = ("execution.checkpointing.interval", "10 s");
        let attempts = ("restart-strategy.fixed-delay.attempts", "3");
        for (settings, expect) in [
            (&[][..], RestartStrategy::None),
            (&[attempts], RestartStrategy::None),
            (&[checkpointing], RestartStrategy::ExponentialDelay(ExponentialDelay::default())),
            (&[checkpointing, attempts], fixed(3, 1)),
            (
                &[checkpointing, ("restart-strategy.fixed-delay.delay", "5 s")],
                fixed(2_147_483_647, 5),
            ),
            (&[checkpointing, ("restart-strategy.type", "off")], RestartStrategy::None),
            (&[("restart-strategy.type", "none")], RestartStrategy::None),
            (&[("restart-strategy.type", "fixeddelay")], fixed(1, 1)),
            (&[checkpointing, ("restart-strategy", "fixed-delay")], fixed(1, 1)),
            (
                &[("restart-strategy.type", "exponentialdelay")],
                RestartStrategy::ExponentialDelay(ExponentialDelay::default()),
            ),
            (
                &[checkpointing, attempts, ("restart-strategy.type", "exponential-delay")],
                RestartStrategy::ExponentialDelay(ExponentialDelay::default()),
            ),
            (&[("restart-strategy.type", "failure-rate")], rate(1)),
            (
                &[checkpointing, ("restart-strategy.failure-rate.max-failures-per-interval", "4")],
                rate(4),
            ),
        ] {
            assert_eq!(restart_strategy(&config(settings)), expect, "{settings:?}");
        }
    }

    #[test]
    fn strategy_set_in_code_is_the_one_that_is_read() {
        let (delay, interval) = (Duration::from_secs(7), Duration::from_secs(90));
        for strategy in [
            RestartStrategy::None,
            RestartStrategy::FixedDelay { attempts: 3, delay },
            RestartStrategy::FailureRate { max_failures: 2, interval, delay },
            RestartStrategy::ExponentialDelay(ExponentialDelay {
                initial_backoff: Duration::from_millis(250),
                max_backoff: delay,
                backoff_multiplier: 2.25,
                reset_backoff_threshold: interval,
                jitter_factor: 0.0,
                attempts_before_reset: 4,
            }),
        ] {
            // Whatever was set before.
            let mut config = config(&[
                ("execution.checkpointing.interval", "10 s"),
                ("restart-strategy.type", "fixed-delay"),
                ("restart-strategy.exponential-delay.jitter-factor", "0.7"),
            ]);
            set_restart_strategy(&mut config, &strategy).expect("in range");
            assert_eq!(restart_strategy(&config), strategy);
        }
        let wild = ExponentialDelay { jitter_factor: 2.0, ..ExponentialDelay::default() };
        let wild = RestartStrategy::ExponentialDelay(wild);
        let error = set_restart_strategy(&mut Config::new(), &wild).expect_err("out of range");
        assert_eq!(error.code(), "WEIR-CFG-0002");
    }

    #[test]
    fn settings_of_a_job_are_those_of_its_configuration() {
        let job = JobId::of_text("job");
        let settings = job_settings(job, Fingerprint::default(), &Config::new());
        assert_eq!((settings.job, settings.checkpoints), (job, None));
        assert_eq!(settings.cancellation_timeout, Duration::from_secs(5));
        assert_eq!(settings.retention, CheckpointRetention::Never);
        let config = config(&[
            ("execution.checkpointing.interval", "10 s"),
            ("execution.checkpointing.timeout", "2 min"),
            ("execution.checkpointing.min-pause", "3 s"),
            ("execution.checkpointing.tolerable-failed-checkpoints", "4"),
            ("execution.checkpointing.num-retained", "5"),
            ("execution.checkpointing.externalized-checkpoint-retention", "RETAIN_ON_CANCELLATION"),
            ("task.cancellation.timeout", "6 s"),
            ("weir.checkpointing.storage-timeout", "7 min"),
        ]);
        let settings = job_settings(job, Fingerprint::default(), &config);
        let expect = CheckpointSettings {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(120),
            min_pause: Duration::from_secs(3),
            tolerable_failures: 4,
            retained: 5,
        };
        assert_eq!(settings.checkpoints, Some(expect));
        assert_eq!(settings.final_checkpoint_timeout, Duration::from_secs(120));
        assert_eq!(settings.cancellation_timeout, Duration::from_secs(6));
        assert_eq!(settings.retention, CheckpointRetention::OnFailureOrCancellation);
        assert_eq!(settings.storage_timeout, Duration::from_secs(420));
    }
}
