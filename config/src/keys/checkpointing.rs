//! Keys of checkpoints and of the state they save.

use std::time::Duration;

use super::keys;
use crate::folder::Folder;
use crate::key::{ConfigKey, OptionalKey};
use crate::value::config_enum;

keys! {
    "Checkpointing and state"

    /// The time between the starts of two checkpoints. Not set: no checkpoints are taken.
    CHECKPOINTING_INTERVAL: OptionalKey<Duration> =
        OptionalKey::new("execution.checkpointing.interval", "10 s").at_least("10 ms");

    /// How long a checkpoint may take before it fails.
    CHECKPOINTING_TIMEOUT: ConfigKey<Duration> =
        ConfigKey::new("execution.checkpointing.timeout", "10 min").at_least("10 ms");

    /// The minimum time between the end of a checkpoint and the start of the next.
    CHECKPOINTING_MIN_PAUSE: ConfigKey<Duration> =
        ConfigKey::new("execution.checkpointing.min-pause", "0 ms");

    /// How many checkpoints in a row may fail before the job fails.
    CHECKPOINTING_TOLERABLE_FAILED: ConfigKey<u32> =
        ConfigKey::new("execution.checkpointing.tolerable-failed-checkpoints", "0")
            .at_most("2147483647");

    /// What a checkpoint guarantees.
    CHECKPOINTING_MODE: ConfigKey<CheckpointingMode> =
        ConfigKey::new("execution.checkpointing.mode", "EXACTLY_ONCE");

    /// The folder that keeps the checkpoints, as a path or a `file:///` URI. Other storage, such as
    /// `hdfs://` or `s3://`, is refused.
    CHECKPOINTING_DIR: OptionalKey<Folder> =
        OptionalKey::new("execution.checkpointing.dir", "file:///var/lib/weir/checkpoints")
            .deprecated(&["state.checkpoints.dir"]);

    /// How long a job waits for its checkpoint storage when reading or writing the job log fails. Until
    /// then the access is repeated, first after 1 s and later every 10 s. Meanwhile the tasks run and
    /// no output is committed. After that the attempt of the application fails, and the next attempt
    /// continues the job from the log.
    CHECKPOINTING_STORAGE_TIMEOUT: ConfigKey<Duration> =
        ConfigKey::new("weir.checkpointing.storage-timeout", "10 min");

    /// How many completed checkpoints are kept.
    CHECKPOINTING_NUM_RETAINED: ConfigKey<u32> =
        ConfigKey::new("execution.checkpointing.num-retained", "1")
            .at_least("1")
            .at_most("2147483647")
            .deprecated(&["state.checkpoints.num-retained"]);

    /// Whether the checkpoints of a job are kept after its end. `NO_EXTERNALIZED_CHECKPOINTS`: the job
    /// master deletes them at every end. `DELETE_ON_CANCELLATION`: they are kept if the job failed.
    /// `RETAIN_ON_CANCELLATION`: they are kept if the job failed or was canceled. The log of the job is
    /// always kept. A new job cannot start from kept checkpoints yet.
    CHECKPOINTING_RETENTION: ConfigKey<ExternalizedCheckpointRetention> = ConfigKey::new(
        "execution.checkpointing.externalized-checkpoint-retention",
        "NO_EXTERNALIZED_CHECKPOINTS",
    );

    /// Where running tasks keep their state: `hashmap` is the memory of the task host.
    STATE_BACKEND: ConfigKey<StateBackend> =
        ConfigKey::new("state.backend.type", "hashmap").deprecated(&["state.backend"]);
}

config_enum! {
    /// What a checkpoint guarantees.
    pub enum CheckpointingMode {
        /// Each record counts once in the state, also after a failure.
        ExactlyOnce = "EXACTLY_ONCE",
    }
    refused {
        "AT_LEAST_ONCE" => "at-least-once checkpoints are not supported yet; exactly-once ones \
            give the stronger guarantee",
    }
}

config_enum! {
    /// After which ends of a job its checkpoints are kept.
    pub enum ExternalizedCheckpointRetention {
        /// After none.
        NoExternalizedCheckpoints = "NO_EXTERNALIZED_CHECKPOINTS",
        /// After a failure.
        DeleteOnCancellation = "DELETE_ON_CANCELLATION",
        /// After a failure or a cancellation.
        RetainOnCancellation = "RETAIN_ON_CANCELLATION",
    }
    refused {}
}

config_enum! {
    /// Where running tasks keep their state.
    pub enum StateBackend {
        /// In the memory of the task host.
        Hashmap = "hashmap",
    }
    refused {
        "rocksdb" => "the RocksDB state backend is not supported yet",
        "forst" => "there is no ForSt state backend",
        "filesystem" => "this spelling of Flink 1.12 and before is not accepted",
        "jobmanager" => "this spelling of Flink 1.12 and before is not accepted",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::ConfigValue;

    #[test]
    fn unsupported_names_are_refused_with_a_reason() {
        let problem = CheckpointingMode::parse("AT_LEAST_ONCE").expect_err("refused");
        assert!(problem.starts_with("at-least-once checkpoints are not supported yet"));
        let problem = StateBackend::parse("rocksdb").expect_err("refused");
        assert_eq!(problem, "the RocksDB state backend is not supported yet");
    }
}
