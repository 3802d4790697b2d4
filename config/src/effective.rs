//! Settings that follow from several keys together: each rule is in one place.

use crate::config::Config;
use crate::keys::{self, BufferTimeout, MaxParallelism};

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
