//! Keys of the restart strategy: what happens after a failure.
//!
//! How the keys and checkpointing together give a strategy is in `effective.rs`.

use std::time::Duration;

use super::keys;
use crate::key::{ConfigKey, OptionalKey};
use crate::value::config_enum;

keys! {
    "Restart strategy"

    /// What happens when the job fails. Not set: `none` while checkpointing is off, `fixed-delay`
    /// while it is on (Flink 2 takes `exponential-delay` there, which is not supported yet).
    RESTART_STRATEGY_TYPE: OptionalKey<RestartStrategyType> =
        OptionalKey::new("restart-strategy.type", "fixed-delay")
            .deprecated(&["restart-strategy"]);

    /// How often `fixed-delay` restarts the job before it fails for good. When neither this key nor
    /// `restart-strategy.type` is set and checkpointing is on, the number is 2147483647.
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
    }
    refused {
        "exponential-delay" => "the exponential-delay strategy is not supported yet",
        "exponentialdelay" => "the exponential-delay strategy is not supported yet",
        "failure-rate" => "the failure-rate strategy is not supported yet",
        "failurerate" => "the failure-rate strategy is not supported yet",
    }
}
