//! A configuration: the values that were set, each valid, over the embedded defaults.
//!
//! Values are kept as text and parsed when read; reading is for the start of a job and not for
//! its records. As JSON a configuration is an object of texts, which is how it travels to a job
//! executable; origins stay behind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{BadValue, Error, Origin};
use crate::key::{ConfigKey, Key, KeySpec, OptionalKey};
use crate::keys::{self, Found};
use crate::value::ConfigValue;

/// A valid configuration. Two are equal when they set the same keys to the same texts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Config {
    values: BTreeMap<&'static str, SetValue>,
}

#[derive(Debug, Clone)]
struct SetValue {
    text: String,
    origin: Origin,
}

impl Config {
    /// A configuration in which nothing is set.
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of a key: the one set, or else the default.
    pub fn get<T: ConfigValue>(&self, key: &ConfigKey<T>) -> T {
        let text = self.text(&key.spec).expect("a key of this kind has a default");
        T::parse(text).expect("texts are checked when they are set, defaults by a test")
    }

    /// The value of a key that may be not set.
    pub fn get_optional<T: ConfigValue>(&self, key: &OptionalKey<T>) -> Option<T> {
        let text = self.text(&key.spec)?;
        Some(T::parse(text).expect("texts are checked when they are set"))
    }

    /// Whether some layer sets the key.
    pub fn is_set(&self, key: &impl Key) -> bool {
        self.values.contains_key(key.spec().name())
    }

    /// Where the value of the key comes from.
    pub fn origin(&self, key: &impl Key) -> Origin {
        self.values.get(key.spec().name()).map_or(Origin::Default, |value| value.origin.clone())
    }

    /// Sets a key; a value out of the key's range is an error.
    pub fn set<K: Key>(&mut self, key: &'static K, value: K::Value) -> Result<(), Error> {
        self.set_text(key.spec(), &value.to_text(), Origin::Program)
    }

    /// Takes a key back to its default.
    pub fn unset(&mut self, key: &impl Key) {
        self.values.remove(key.spec().name());
    }

    /// The names and texts of the values that are set, ordered by name.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(name, value)| (*name, value.text.as_str()))
    }

    /// Writes the set values as a JSON object of texts.
    pub fn to_json(&self) -> String {
        let entries: BTreeMap<_, _> = self.entries().collect();
        serde_json::to_string(&entries).expect("a map of texts is always JSON")
    }

    /// Reads what [`Config::to_json`] wrote.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let entries: BTreeMap<String, String> =
            serde_json::from_str(json).map_err(Error::MalformedJson)?;
        Self::try_from(entries)
    }

    /// Sets a key to a text; an empty one takes the key back to its default.
    pub(crate) fn set_text(
        &mut self,
        spec: &'static KeySpec,
        text: &str,
        origin: Origin,
    ) -> Result<(), Error> {
        let text = text.trim();
        if text.is_empty() {
            self.values.remove(spec.name());
            return Ok(());
        }
        spec.check(text).map_err(|problem| bad_value(spec, text, &origin, problem))?;
        self.values.insert(spec.name(), SetValue { text: text.to_owned(), origin });
        Ok(())
    }

    fn text(&self, spec: &KeySpec) -> Option<&str> {
        self.values.get(spec.name()).map(|value| value.text.as_str()).or(spec.default_text())
    }
}

pub(crate) fn bad_value(
    spec: &'static KeySpec,
    text: &str,
    origin: &Origin,
    problem: String,
) -> Error {
    Error::BadValue(Box::new(BadValue {
        key: spec.name(),
        value: text.to_owned(),
        origin: origin.clone(),
        problem,
        expected: spec.expected_with_article(),
        example: spec.example(),
    }))
}

impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        self.entries().eq(other.entries())
    }
}

impl Eq for Config {}

impl TryFrom<BTreeMap<String, String>> for Config {
    type Error = Error;

    fn try_from(entries: BTreeMap<String, String>) -> Result<Self, Error> {
        let mut config = Self::new();
        for (name, text) in entries {
            match keys::find(&name) {
                Ok(Found::Known { spec, .. }) => config.set_text(spec, &text, Origin::Json)?,
                Ok(Found::Foreign(_)) => {}
                Err(nearest) => {
                    return Err(Error::UnknownKey { name, origin: Origin::Json, nearest });
                }
            }
        }
        Ok(config)
    }
}

impl From<Config> for BTreeMap<String, String> {
    fn from(config: Config) -> Self {
        config.values.into_iter().map(|(name, value)| (name.to_owned(), value.text)).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::keys::*;

    #[test]
    fn values_set_by_the_program_are_read_back() {
        let mut config = Config::new();
        assert_eq!(config.get(&PARALLELISM_DEFAULT), 1);
        assert_eq!(config.get_optional(&CHECKPOINTING_INTERVAL), None);
        assert!(!config.is_set(&PARALLELISM_DEFAULT));
        assert_eq!(config.origin(&PARALLELISM_DEFAULT), Origin::Default);

        config.set(&PARALLELISM_DEFAULT, 4).expect("in range");
        config.set(&CHECKPOINTING_INTERVAL, Duration::from_secs(10)).expect("in range");
        assert_eq!(config.get(&PARALLELISM_DEFAULT), 4);
        assert_eq!(config.get_optional(&CHECKPOINTING_INTERVAL), Some(Duration::from_secs(10)));
        assert!(config.is_set(&PARALLELISM_DEFAULT));
        assert_eq!(config.origin(&PARALLELISM_DEFAULT), Origin::Program);
        let entries: Vec<_> = config.entries().collect();
        assert_eq!(
            entries,
            [("execution.checkpointing.interval", "10 s"), ("parallelism.default", "4")]
        );

        config.unset(&PARALLELISM_DEFAULT);
        assert_eq!(config.get(&PARALLELISM_DEFAULT), 1);
    }

    #[test]
    fn value_out_of_range_is_refused_and_changes_nothing() {
        let mut config = Config::new();
        let error = config.set(&PARALLELISM_DEFAULT, 0).expect_err("zero");
        assert_eq!(
            error.to_string(),
            "bad value \"0\" for parallelism.default in the program: it is too small; \
             expected is an integer from 1 to 32768, for example `parallelism.default: 1`"
        );
        assert_eq!(config, Config::new());
    }

    #[test]
    fn every_default_is_readable() {
        let config = Config::new();
        assert_eq!(config.get(&PIPELINE_MAX_PARALLELISM), MaxParallelism::Derived);
        assert_eq!(config.get(&RUNTIME_MODE), RuntimeMode::Streaming);
        assert_eq!(config.get(&BUFFER_TIMEOUT), BufferTimeout::After(Duration::from_millis(100)));
        assert_eq!(config.get(&CHECKPOINTING_TIMEOUT), Duration::from_secs(600));
        assert_eq!(config.get(&CHECKPOINTING_MODE), CheckpointingMode::ExactlyOnce);
        assert_eq!(config.get(&STATE_BACKEND), StateBackend::Hashmap);
        assert_eq!(config.get(&MEMORY_SEGMENT_SIZE).bytes(), 32 << 10);
        assert_eq!(config.get(&EXCHANGE_BYTES_PER_CHANNEL).bytes(), 256 << 10);
        assert_eq!(config.get(&PROGRESS), Progress::Auto);
    }

    #[test]
    fn json_carries_the_set_values() {
        let mut config = Config::new();
        config.set(&PIPELINE_NAME, "word \"count\"".to_owned()).expect("any text");
        config.set(&BUFFER_TIMEOUT, BufferTimeout::OnlyFull).expect("in range");
        let json = config.to_json();
        assert_eq!(
            json,
            r#"{"execution.buffer-timeout.interval":"-1","pipeline.name":"word \"count\""}"#
        );
        assert_eq!(Config::from_json(&json).expect("our own JSON"), config);
        let by_serde: Config = serde_json::from_str(&json).expect("the same shape");
        assert_eq!(serde_json::to_string(&by_serde).expect("always JSON"), json);
    }

    #[test]
    fn json_is_checked_like_any_other_layer() {
        for (json, code) in [
            ("[]", "WEIR-CFG-0008"),
            (r#"{"parallelism.default":4}"#, "WEIR-CFG-0008"),
            (r#"{"parallelism.default":"four"}"#, "WEIR-CFG-0002"),
            (r#"{"paralelism.default":"4"}"#, "WEIR-CFG-0001"),
        ] {
            assert_eq!(Config::from_json(json).expect_err(json).code(), code, "{json}");
        }
    }
}
