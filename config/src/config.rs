//! A configuration: the values that were set, each valid, over the embedded defaults.
//!
//! Values are kept as text and parsed when read; reading is for the start of a job and not for
//! its records. As JSON a configuration is an object of values, each with its origin, which is how
//! it travels between processes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{BadValue, Error};
use crate::key::{ConfigKey, Key, KeySpec, OptionalKey, Reader};
use crate::keys::{self, Found};
use crate::origin::Origin;
use crate::value::ConfigValue;

/// A valid configuration. Two are equal when they set the same keys to the same texts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, SetValue>", into = "BTreeMap<String, SetValue>")]
pub struct Config {
    values: BTreeMap<&'static str, SetValue>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct SetValue {
    #[serde(rename = "value")]
    text: String,
    #[serde(rename = "source")]
    origin: Origin,
}

/// A key with its effective value, for display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The key.
    pub key: &'static str,
    /// The value that holds.
    pub value: &'a str,
    /// Where it comes from.
    pub origin: Origin,
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

    /// Sets a key in code.
    ///
    /// # Errors
    /// The value is out of the key's range, or no job reads the key.
    pub fn set<K: Key>(&mut self, key: &'static K, value: K::Value) -> Result<(), Error> {
        self.set_in_code(key.spec(), &value.to_text())
    }

    /// Sets the key of this name in code, under its present or a former spelling, to a value as it
    /// would be in a file. An empty value resets the key to its default.
    ///
    /// # Errors
    /// There is no such key, no job reads it, or the value is not one of the key.
    ///
    /// ```
    /// let mut config = weir_config::Config::new();
    /// config.set_named("execution.checkpointing.interval", "10 s")?;
    /// assert!(config.set_named("execution.target", "per-job").is_err());
    /// # Ok::<(), weir_config::Error>(())
    /// ```
    pub fn set_named(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let origin = Origin::Program;
        match keys::find_known(name, &origin)? {
            Found::Known { spec, deprecated } => self
                .set_in_code(spec, value)
                .map_err(|error| error.with_former_spelling(deprecated)),
            Found::Foreign(key) => {
                Err(Error::Unsupported { name: name.to_owned(), note: key.note, origin })
            }
        }
    }

    fn set_in_code(&mut self, spec: &'static KeySpec, text: &str) -> Result<(), Error> {
        match spec.reader() {
            Reader::Job => self.set_text(spec, text, Origin::Program),
            reader => Err(Error::NotForPrograms { key: spec.name(), reader }),
        }
    }

    /// Sets a key outside of a program's code, for example by a flag of the command line.
    ///
    /// # Errors
    /// The value is out of the key's range.
    pub fn set_from<K: Key>(
        &mut self,
        origin: Origin,
        key: &'static K,
        value: K::Value,
    ) -> Result<(), Error> {
        self.set_text(key.spec(), &value.to_text(), origin)
    }

    /// Takes a key back to its default.
    pub fn unset(&mut self, key: &impl Key) {
        self.values.remove(key.spec().name());
    }

    /// The names and texts of the values that are set, ordered by name.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(name, value)| (*name, value.text.as_str()))
    }

    /// Every key that has a value and is not read by daemons alone: those that are set and those
    /// with a default.
    pub fn settings(&self) -> impl Iterator<Item = Setting<'_>> {
        keys::all().filter(|spec| spec.reader() != Reader::Daemon).filter_map(|spec| {
            let set = self.values.get(spec.name());
            Some(Setting {
                key: spec.name(),
                value: self.text(spec)?,
                origin: set.map_or(Origin::Default, |set| set.origin.clone()),
            })
        })
    }

    /// Writes the set values with their origins as JSON.
    ///
    /// ```
    /// let mut config = weir_config::Config::new();
    /// config.set_named("pipeline.name", "count")?;
    /// let json = r#"{"pipeline.name":{"value":"count","source":"program"}}"#;
    /// assert_eq!(config.to_json(), json);
    /// # Ok::<(), weir_config::Error>(())
    /// ```
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.values).expect("a map of plain data is always JSON")
    }

    /// Reads what [`Config::to_json`] wrote.
    pub fn from_json(json: &str) -> Result<Self, Error> {
        let entries: BTreeMap<String, SetValue> =
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
        former_spelling: None,
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

impl TryFrom<BTreeMap<String, SetValue>> for Config {
    type Error = Error;

    fn try_from(entries: BTreeMap<String, SetValue>) -> Result<Self, Error> {
        let mut config = Self::new();
        for (name, SetValue { text, origin }) in entries {
            match keys::find_known(&name, &origin)? {
                Found::Known { spec, .. } => config.set_text(spec, &text, origin)?,
                Found::Foreign(key) => {
                    return Err(Error::Unsupported { name, note: key.note, origin });
                }
            }
        }
        Ok(config)
    }
}

impl From<Config> for BTreeMap<String, SetValue> {
    fn from(config: Config) -> Self {
        config.values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
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
        config.set_from(Origin::Flag("-p".to_owned()), &PARALLELISM_DEFAULT, 4).expect("in range");
        let json = config.to_json();
        assert_eq!(
            json,
            concat!(
                r#"{"execution.buffer-timeout.interval":{"value":"-1","source":"program"},"#,
                r#""parallelism.default":{"value":"4","source":{"flag":"-p"}},"#,
                r#""pipeline.name":{"value":"word \"count\"","source":"program"}}"#,
            )
        );
        assert_eq!(Config::from_json(&json).expect("our own JSON"), config);
        let read = Config::from_json(&json).expect("our own JSON");
        assert_eq!(read.origin(&PARALLELISM_DEFAULT), Origin::Flag("-p".to_owned()));
        let by_serde: Config = serde_json::from_str(&json).expect("the same shape");
        assert_eq!(serde_json::to_string(&by_serde).expect("always JSON"), json);
    }

    #[test]
    fn json_is_checked_like_any_other_layer() {
        for (json, code) in [
            ("[]", "WEIR-CFG-0008"),
            (r#"{"parallelism.default":"4"}"#, "WEIR-CFG-0008"),
            (r#"{"parallelism.default":{"value":"four","source":"dynamic"}}"#, "WEIR-CFG-0002"),
            (r#"{"paralelism.default":{"value":"4","source":"dynamic"}}"#, "WEIR-CFG-0001"),
            (r#"{"rest.port":{"value":"4","source":"dynamic"}}"#, "WEIR-CFG-0010"),
        ] {
            assert_eq!(Config::from_json(json).expect_err(json).code(), code, "{json}");
        }
    }

    #[test]
    fn keys_that_no_job_reads_are_refused_in_code() {
        for spec in keys::all() {
            let result = Config::new().set_named(spec.name(), spec.example());
            let code = match spec.reader() {
                Reader::Job => None,
                Reader::CommandLine | Reader::Daemon => Some("WEIR-CFG-0009"),
            };
            assert_eq!(result.err().map(|error| error.code()), code, "{}", spec.name());
        }
        let error = Config::new().set(&EXECUTION_TARGET, ExecutionTarget::PerJob);
        assert_eq!(
            error.expect_err("too late").to_string(),
            "execution.target cannot be set by the program: it is read before the program starts; \
             set it in the configuration file, the environment or with -D"
        );
        let error = Config::new().set_named("rest.port", "8081").expect_err("without meaning");
        assert_eq!(error.code(), "WEIR-CFG-0010");
        let error = Config::new().set_named("paralelism.default", "2").expect_err("unknown");
        assert_eq!(error.code(), "WEIR-CFG-0001");
    }

    #[test]
    fn settings_are_the_effective_values_with_their_origins() {
        let mut config = Config::new();
        config.set_named("state.checkpoints.num-retained", "3").expect("a former spelling");
        config.set_from(Origin::Dynamic, &NODE_VCORES, 2).expect("in range");
        let settings: Vec<_> = config.settings().collect();
        let find = |key: &str| settings.iter().find(|setting| setting.key == key);
        let key = "execution.checkpointing.num-retained";
        assert_eq!(find(key), Some(&Setting { key, value: "3", origin: Origin::Program }));
        let key = "parallelism.default";
        assert_eq!(find(key), Some(&Setting { key, value: "1", origin: Origin::Default }));
        assert_eq!(find("execution.checkpointing.interval"), None, "not set, no default");
        assert_eq!(find("yarn.nodemanager.resource.cpu-vcores"), None, "of the daemons");
    }
}
