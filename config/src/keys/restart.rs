//! Keys of the restart strategy: what happens after a failure.
//!
//! How the keys and checkpointing together give a strategy is in the settings of `weir-job-master`.

use std::time::Duration;

use super::keys;
use crate::key::{ConfigKey, OptionalKey};
use crate::value::config_enum;

keys! {
    "Restart strategy"

    /// What happens when the job fails. Not set: `none` while checkpointing is off. While it is on:
    /// `fixed-delay` if one of its keys is set, else `failure-rate` if one of its keys is set, else
    /// `exponential-delay`.
    RESTART_STRATEGY_TYPE: OptionalKey<RestartStrategyType> =
        OptionalKey::new("restart-strategy.type", "fixed-delay")
            .deprecated(&["restart-strategy"]);

    /// The delay of `exponential-delay` before the first restart, and the shortest one.
    RESTART_INITIAL_BACKOFF: ConfigKey<Duration> =
        ConfigKey::new("restart-strategy.exponential-delay.initial-backoff", "1 s")
            .at_least("1 ms");

    /// The longest delay of `exponential-delay`. A smaller value than `initial-backoff`
    /// is replaced by `initial-backoff`.
    RESTART_MAX_BACKOFF: ConfigKey<Duration> =
        ConfigKey::new("restart-strategy.exponential-delay.max-backoff", "1 min")
            .at_least("1 ms");

    /// The factor by which `exponential-delay` multiplies its delay after each restart.
    RESTART_BACKOFF_MULTIPLIER: ConfigKey<f64> =
        ConfigKey::new("restart-strategy.exponential-delay.backoff-multiplier", "1.5")
            .at_least("1")
            .at_most("1000");

    /// How long a job must run without a failure until `exponential-delay` begins with
    /// `initial-backoff` again.
    RESTART_RESET_THRESHOLD: ConfigKey<Duration> =
        ConfigKey::new("restart-strategy.exponential-delay.reset-backoff-threshold", "1 h")
            .at_least("1 ms");

    /// The share by which `exponential-delay` makes a delay longer or shorter at random, so that jobs
    /// that failed together do not restart together.
    RESTART_JITTER_FACTOR: ConfigKey<f64> =
        ConfigKey::new("restart-strategy.exponential-delay.jitter-factor", "0.1")
            .at_least("0")
            .at_most("1");

    /// How often `exponential-delay` restarts the job without a reset of the delay before the job
    /// fails permanently. 2147483647 means no limit.
    RESTART_ATTEMPTS_BEFORE_RESET: ConfigKey<u32> =
        ConfigKey::new(
            "restart-strategy.exponential-delay.attempts-before-reset-backoff",
            "2147483647",
        )
        .at_least("1")
        .at_most("2147483647");

    /// How many failures in one interval `failure-rate` tolerates. One more fails the job permanently.
    RESTART_MAX_FAILURES: ConfigKey<u32> =
        ConfigKey::new("restart-strategy.failure-rate.max-failures-per-interval", "1")
            .at_most("100000");

    /// The interval in which `failure-rate` counts failures.
    RESTART_FAILURE_INTERVAL: ConfigKey<Duration> =
        ConfigKey::new("restart-strategy.failure-rate.failure-rate-interval", "1 min")
            .at_least("1 ms");

    /// How long `failure-rate` waits before a restart.
    RESTART_FAILURE_RATE_DELAY: ConfigKey<Duration> =
        ConfigKey::new("restart-strategy.failure-rate.delay", "1 s");

    /// How often `fixed-delay` restarts the job before it fails permanently. There is no limit if
    /// `restart-strategy.fixed-delay.delay` is set, and neither this key nor `restart-strategy.type`.
    RESTART_FIXED_DELAY_ATTEMPTS: ConfigKey<u32> =
        ConfigKey::new("restart-strategy.fixed-delay.attempts", "1").at_most("2147483647");

    /// How long `fixed-delay` waits before a restart.
    RESTART_FIXED_DELAY_DELAY: ConfigKey<Duration> =
        ConfigKey::new("restart-strategy.fixed-delay.delay", "1 s");
}

config_enum! {
    /// The kinds of restart strategy.
    pub enum RestartStrategyType {
        /// The first failure fails the job.
        None = "none" | "disable" | "off",
        /// A number of restarts, with a fixed pause before each.
        FixedDelay = "fixed-delay" | "fixeddelay",
        /// Restarts until there are too many failures in an interval.
        FailureRate = "failure-rate" | "failurerate",
        /// Restarts after delays that grow.
        ExponentialDelay = "exponential-delay" | "exponentialdelay",
    }
    refused {}
}
