//! Keys of the pipeline: parallelism, naming, chaining.

use super::keys;
use crate::key::{ConfigKey, OptionalKey};
use crate::value::ConfigValue;

keys! {
    "Parallelism and pipeline"

    /// The parallelism of a job that sets none itself.
    PARALLELISM_DEFAULT: ConfigKey<u32> =
        ConfigKey::new("parallelism.default", "1").at_least("1").at_most("32768");

    /// The number of key groups. The parallelism of the job can never be larger. `-1` derives
    /// it per operator: one and a half times the parallelism, rounded up to a power of two, at
    /// least 128 and at most 32768.
    PIPELINE_MAX_PARALLELISM: ConfigKey<MaxParallelism> =
        ConfigKey::new("pipeline.max-parallelism", "-1");

    /// The name of a job for which the program sets none.
    PIPELINE_NAME: OptionalKey<String> = OptionalKey::new("pipeline.name", "word count");

    /// Whether neighbouring operators may be chained into one task.
    PIPELINE_OPERATOR_CHAINING: ConfigKey<bool> =
        ConfigKey::new("pipeline.operator-chaining.enabled", "true")
            .deprecated(&["pipeline.operator-chaining"]);

    /// Whether operators without a `uid` get a generated one. With `false` such an operator is
    /// refused. An explicit `uid` keeps a savepoint usable after the job has changed.
    PIPELINE_AUTO_GENERATE_UIDS: ConfigKey<bool> =
        ConfigKey::new("pipeline.auto-generate-uids", "true");
}

/// The number of key groups of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MaxParallelism {
    /// Derived per operator from its parallelism.
    Derived,
    /// This many for every operator that does not set its own.
    Fixed(u32),
}

impl ConfigValue for MaxParallelism {
    const TYPE_NAME: &'static str = "integer from 1 to 32768, or -1";

    fn parse(text: &str) -> Result<Self, String> {
        match text.trim() {
            "-1" => Ok(Self::Derived),
            text => match u32::parse(text)? {
                0 => Err("it is too small".to_owned()),
                count @ 1..=32_768 => Ok(Self::Fixed(count)),
                _ => Err("it is too large".to_owned()),
            },
        }
    }

    fn to_text(&self) -> String {
        match self {
            Self::Derived => "-1".to_owned(),
            Self::Fixed(count) => count.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn max_parallelism_is_a_count_or_derived() {
        for (text, expect) in [
            ("-1", Ok(MaxParallelism::Derived)),
            ("1", Ok(MaxParallelism::Fixed(1))),
            ("32768", Ok(MaxParallelism::Fixed(32_768))),
            ("0", Err("it is too small".to_owned())),
            ("32769", Err("it is too large".to_owned())),
            ("-2", Err("it is not a whole number".to_owned())),
        ] {
            let value = MaxParallelism::parse(text);
            assert_eq!(value, expect, "{text}");
            if let Ok(value) = value {
                assert_eq!(value.to_text(), text);
            }
        }
    }
}
