//! Keys of the execution: runtime mode, target, buffer timeout.

use std::time::Duration;

use weir_base::units;

use super::keys;
use crate::key::ConfigKey;
use crate::value::{ConfigValue, config_enum};

keys! {
    "Execution"

    /// Whether the job runs as a stream (results as they change), as a batch (final results once),
    /// or as its sources require: `AUTOMATIC` is batch when all sources are bounded, else streaming.
    RUNTIME_MODE: ConfigKey<RuntimeMode> =
        ConfigKey::new("execution.runtime-mode", "STREAMING");

    /// Where the job runs: `local` inside the program itself, `per-job` on a cluster, with its own app
    /// master and containers. `weir run` reads it before the program starts, so a program cannot set
    /// it. A program that is started directly always runs locally; there `per-job` is an error.
    EXECUTION_TARGET (CommandLine): ConfigKey<ExecutionTarget> = ConfigKey::new("execution.target", "local");

    /// How long a record may wait in a batch that is not full before the batch is sent. `0` sends
    /// each record at once; `-1` sends only full batches.
    BUFFER_TIMEOUT: ConfigKey<BufferTimeout> =
        ConfigKey::new("execution.buffer-timeout.interval", "100 ms")
            .deprecated(&["execution.buffer-timeout"]);

    /// Whether the buffer timeout is used; `false` is the same as an interval of `-1`.
    BUFFER_TIMEOUT_ENABLED: ConfigKey<bool> =
        ConfigKey::new("execution.buffer-timeout.enabled", "true");
}

config_enum! {
    /// How a job is executed.
    pub enum RuntimeMode {
        /// As a stream: results as they change.
        Streaming = "STREAMING",
        /// As a batch: final results once.
        Batch = "BATCH",
        /// Batch when every source is bounded, else streaming.
        Automatic = "AUTOMATIC",
    }
    refused {}
}

config_enum! {
    /// Where a job is executed.
    pub enum ExecutionTarget {
        /// Inside the program itself.
        Local = "local",
        /// On a cluster, with an app master and containers of its own.
        PerJob = "per-job",
    }
    refused {
        "remote" => "there are no sessions yet; per-job runs on a cluster",
        "session" => "there are no sessions yet; per-job runs on a cluster",
        "application" => "main runs in the client so far; per-job runs on a cluster",
        "yarn-application" => "main runs in the client so far; per-job runs on a cluster",
        "yarn-per-job" => "with Weir's own resource manager it is called per-job",
        "yarn-session" => "there are no sessions yet; per-job runs on a cluster",
        "kubernetes-application" => "there is no support for Kubernetes",
        "kubernetes-session" => "there is no support for Kubernetes",
    }
}

/// How long a record may wait in a batch that is not full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BufferTimeout {
    /// Each record is sent at once.
    EachRecord,
    /// A batch is sent when its oldest record has waited this long. Never zero.
    After(Duration),
    /// Only full batches are sent.
    OnlyFull,
}

impl ConfigValue for BufferTimeout {
    const TYPE_NAME: &'static str = "duration, or 0, or -1";

    fn parse(text: &str) -> Result<Self, String> {
        if matches!(text.trim(), "-1" | "-1 ms" | "-1ms") {
            return Ok(Self::OnlyFull);
        }
        let interval = units::parse_duration(text).map_err(|error| error.to_string())?;
        Ok(if interval.is_zero() { Self::EachRecord } else { Self::After(interval) })
    }

    fn to_text(&self) -> String {
        match self {
            Self::EachRecord => "0 ms".to_owned(),
            Self::After(interval) => units::format_duration(*interval),
            Self::OnlyFull => "-1".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffer_timeout_has_two_special_values() {
        for (text, expect, written) in [
            ("0", BufferTimeout::EachRecord, "0 ms"),
            ("0 ms", BufferTimeout::EachRecord, "0 ms"),
            ("-1", BufferTimeout::OnlyFull, "-1"),
            ("-1 ms", BufferTimeout::OnlyFull, "-1"),
            ("5", BufferTimeout::After(Duration::from_millis(5)), "5 ms"),
            ("2 s", BufferTimeout::After(Duration::from_secs(2)), "2 s"),
        ] {
            assert_eq!(BufferTimeout::parse(text), Ok(expect), "{text}");
            assert_eq!(expect.to_text(), written);
            assert_eq!(BufferTimeout::parse(written), Ok(expect));
        }
        assert!(BufferTimeout::parse("-2").is_err());
        assert!(BufferTimeout::parse("soon").is_err());
    }

    #[test]
    fn targets_of_flink_are_refused_with_a_reason() {
        let problem = ExecutionTarget::parse("yarn-per-job").expect_err("refused");
        assert_eq!(problem, "with Weir's own resource manager it is called per-job");
    }
}
