//! Puts the layers together: file, environment, `-D` arguments.
//!
//! A later layer wins over an earlier one, whatever the order of the calls. Within a layer a key
//! may be set once, under its present or a former spelling; only of `-D` arguments the last one
//! counts. An empty value takes the key back to its default, so that a later layer can undo what
//! an earlier one has set.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::config::{Config, bad_value};
use crate::error::{Error, Warning};
use crate::file;
use crate::keys::{self, Found};
use crate::origin::Origin;

/// The environment variable that names the folder of the configuration file.
pub const CONF_DIR_VARIABLE: &str = "WEIR_CONF_DIR";

/// The name of the configuration file in that folder.
pub const FILE_NAME: &str = "weir.yaml";

/// How the names of environment variables that set a key begin.
pub const VARIABLE_PREFIX: &str = "WEIR_CONF_";

/// Collects the layers of a configuration.
#[derive(Debug, Default)]
pub struct ConfigBuilder {
    file: Option<PathBuf>,
    variables: BTreeMap<OsString, OsString>,
    dynamic: Vec<String>,
}

impl ConfigBuilder {
    /// A builder with the embedded defaults only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads this file, and not the one in the folder that `WEIR_CONF_DIR` names.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Adds environment variables, commonly `std::env::vars_os()`. Those not ours are passed over.
    pub fn env<K, V>(mut self, variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        self.variables.extend(variables.into_iter().map(|(k, v)| (k.into(), v.into())));
        self
    }

    /// Adds a `-D` argument, `key=value`.
    pub fn dynamic(mut self, argument: impl Into<String>) -> Self {
        self.dynamic.push(argument.into());
        self
    }

    /// Reads and checks all layers.
    pub fn build(self) -> Result<(Config, Vec<Warning>), Error> {
        let mut layers = Layers::default();
        if let Some(path) = self.file_path() {
            layers.add_file(&path)?;
        }
        layers.add_variables(&self.variables)?;
        layers.add_dynamic(&self.dynamic)?;
        Ok((layers.config, layers.warnings))
    }

    fn file_path(&self) -> Option<PathBuf> {
        let folder = self.variables.get(&OsString::from(CONF_DIR_VARIABLE));
        let folder = folder.filter(|folder| !folder.is_empty());
        self.file.clone().or_else(|| folder.map(|folder| Path::new(folder).join(FILE_NAME)))
    }
}

/// Layers that were read so far.
#[derive(Default)]
struct Layers {
    config: Config,
    warnings: Vec<Warning>,
    /// The keys that the layer being read has set, each with its place.
    seen: BTreeMap<&'static str, Origin>,
}

impl Layers {
    fn add_file(&mut self, path: &Path) -> Result<(), Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::UnreadableFile { path: path.to_owned(), source })?;
        let entries = file::read(&text).map_err(|problem| Error::MalformedFile {
            path: path.to_owned(),
            line: problem.line,
            problem: problem.problem,
        })?;
        for entry in entries {
            let path = path.display().to_string();
            let origin = Origin::File { path, line: entry.line };
            self.add_once(&entry.name, &entry.text, origin)?;
        }
        self.seen.clear();
        Ok(())
    }

    fn add_variables(&mut self, variables: &BTreeMap<OsString, OsString>) -> Result<(), Error> {
        for (name, value) in variables {
            let name = name.to_string_lossy();
            let Some(rest) = name.strip_prefix(VARIABLE_PREFIX) else {
                continue;
            };
            if name == CONF_DIR_VARIABLE {
                continue;
            }
            let found = keys::find_variable(rest).map_err(|nearest| Error::UnknownVariable {
                name: name.clone().into_owned(),
                nearest: nearest.map(|nearest| format!("{VARIABLE_PREFIX}{nearest}")),
            })?;
            let origin = Origin::Variable(name.clone().into_owned());
            match (value.to_str(), found) {
                (Some(text), _) => {
                    self.refuse_second(found, &origin)?;
                    self.add(found, rest, text, origin)?;
                }
                (None, Found::Known { spec, .. }) => {
                    let problem = "it is not UTF-8".to_owned();
                    return Err(bad_value(spec, &value.to_string_lossy(), &origin, problem));
                }
                (None, Found::Foreign(_)) => {}
            }
        }
        self.seen.clear();
        Ok(())
    }

    fn add_dynamic(&mut self, arguments: &[String]) -> Result<(), Error> {
        for argument in arguments {
            let (name, text) = argument
                .split_once('=')
                .map(|(name, text)| (name.trim(), text))
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| Error::MalformedDynamic { argument: argument.clone() })?;
            let found = keys::find_known(name, &Origin::Dynamic)?;
            self.add(found, name, text, Origin::Dynamic)?;
        }
        Ok(())
    }

    fn add_once(&mut self, name: &str, text: &str, origin: Origin) -> Result<(), Error> {
        let found = keys::find_known(name, &origin)?;
        self.refuse_second(found, &origin)?;
        self.add(found, name, text, origin)
    }

    fn refuse_second(&mut self, found: Found, origin: &Origin) -> Result<(), Error> {
        let Found::Known { spec, .. } = found else {
            return Ok(());
        };
        match self.seen.insert(spec.name(), origin.clone()) {
            None => Ok(()),
            Some(first) => Err(Error::SetTwice { key: spec.name(), first, second: origin.clone() }),
        }
    }

    fn add(&mut self, found: Found, name: &str, text: &str, origin: Origin) -> Result<(), Error> {
        match found {
            Found::Foreign(key) => {
                // A variable's name cannot be turned back into the key's, the table's name can.
                let is_variable = matches!(origin, Origin::Variable(_));
                let name = if is_variable { key.name } else { name }.to_owned();
                if key.refuses(text) {
                    return Err(Error::Unsupported { name, note: key.note, origin });
                }
                self.warnings.push(Warning::Foreign { name, note: key.note, origin });
                Ok(())
            }
            Found::Known { spec, deprecated } => {
                if let Some(old) = deprecated {
                    let (key, origin) = (spec.name(), origin.clone());
                    self.warnings.push(Warning::Deprecated { old, key, origin });
                }
                self.config
                    .set_text(spec, text, origin)
                    .map_err(|error| error.with_former_spelling(deprecated))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::PARALLELISM_DEFAULT;

    #[test]
    fn malformed_dynamic_arguments_are_refused() {
        for argument in ["", "=", "=4", " =4", "parallelism.default", "parallelism.default 4"] {
            let error = ConfigBuilder::new().dynamic(argument).build().expect_err(argument);
            assert_eq!(error.code(), "WEIR-CFG-0005", "{argument}");
            assert!(error.to_string().contains(&format!("{argument:?}")));
        }
    }

    #[test]
    fn last_dynamic_argument_counts() {
        let builder = ConfigBuilder::new();
        let builder = builder.dynamic("parallelism.default=2").dynamic("parallelism.default = 3");
        let (config, warnings) = builder.build().expect("valid");
        assert_eq!(config.get(&PARALLELISM_DEFAULT), 3);
        assert_eq!(warnings, []);
    }

    #[test]
    fn value_may_hold_an_equals_sign() {
        let (config, _) = ConfigBuilder::new().dynamic("pipeline.name=a=b").build().expect("valid");
        assert_eq!(config.get_optional(&keys::PIPELINE_NAME).as_deref(), Some("a=b"));
    }
}
