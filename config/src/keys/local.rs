//! Keys of local execution and of what a program shows while it runs.

use std::time::Duration;

use super::keys;
use crate::key::ConfigKey;
use crate::value::config_enum;

keys! {
    "Local execution"

    /// How many task hosts local execution runs in the program's process. With more than one they
    /// exchange records over loopback TCP, as they would on a cluster.
    LOCAL_TASK_HOSTS: ConfigKey<u32> =
        ConfigKey::new("weir.local.task-hosts", "1").at_least("1").at_most("64");

    /// How a running job shows its progress on standard error. `AUTO` is a live table on a terminal
    /// and plain lines elsewhere, `ALWAYS` is plain lines everywhere, `NEVER` shows none. Warnings,
    /// including those about restarts of the job, are printed with every value.
    PROGRESS: ConfigKey<Progress> = ConfigKey::new("weir.progress", "AUTO");

    /// The time between two progress lines.
    PROGRESS_INTERVAL: ConfigKey<Duration> =
        ConfigKey::new("weir.progress.interval", "1 s").at_least("10 ms");
}

config_enum! {
    /// When a running job shows its progress.
    pub enum Progress {
        /// Live on a terminal, plain lines elsewhere.
        Auto = "AUTO",
        /// Always, as plain lines.
        Always = "ALWAYS",
        /// Never.
        Never = "NEVER",
    }
    refused {}
}
