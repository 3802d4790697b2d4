//! Errors of a configuration.
//!
//! Every [`Error`] is the user's to mend, and trying again without a change does not help; the one
//! exception is an unreadable file, which may become readable. Each has a code and a page under
//! `docs/errors/`.

use std::fmt;
use std::path::PathBuf;

use crate::key::Reader;
use crate::origin::Origin;

/// A value that its key does not accept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadValue {
    /// The key, in its present spelling.
    pub key: &'static str,
    /// The former spelling of the key, if it was written so.
    pub former_spelling: Option<&'static str>,
    /// The value as it was written.
    pub value: String,
    /// Where it was written.
    pub origin: Origin,
    /// What is wrong with it.
    pub problem: String,
    /// The accepted values.
    pub expected: String,
    /// A value that the key accepts.
    pub example: &'static str,
}

impl fmt::Display for BadValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, former_spelling, value, origin, problem, expected, example } = self;
        write!(f, "bad value {value:?} for ")?;
        match former_spelling {
            Some(old) => write!(f, "{old} (now called {key})")?,
            None => write!(f, "{key}")?,
        }
        write!(f, " in {origin}: {problem}; ")?;
        write!(f, "expected is {expected}, for example `{key}: {example}`")
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key is neither ours nor Flink's.
    #[error("unknown key {name:?} in {origin}{}", hint(.nearest.as_deref()))]
    UnknownKey {
        /// The key as it was written.
        name: String,
        /// Where it was written.
        origin: Origin,
        /// The known key that is spelled most like it.
        nearest: Option<&'static str>,
    },
    /// A key does not accept the value given for it.
    #[error("{0}")]
    BadValue(Box<BadValue>),
    /// The file cannot be read.
    #[error("cannot read the configuration file {}", .path.display())]
    UnreadableFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no YAML, or not of the form a configuration has.
    #[error("malformed configuration file {}:{line}: {problem}", .path.display())]
    MalformedFile {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        problem: String,
    },
    /// A `-D` argument is not `key=value`.
    #[error(
        "malformed -D argument {argument:?}: write -D key=value, for example \
         -D parallelism.default=4"
    )]
    MalformedDynamic {
        /// The argument as it was written.
        argument: String,
    },
    /// An environment variable with our prefix names no key.
    #[error("environment variable {name} names no key{}", hint(.nearest.as_deref()))]
    UnknownVariable {
        /// The variable.
        name: String,
        /// The variable of the key that is spelled most like it.
        nearest: Option<String>,
    },
    /// One layer sets a key twice.
    #[error("{key} is set twice, in {first} and in {second}: remove one of them")]
    SetTwice {
        /// The key, in its present spelling.
        key: &'static str,
        /// The first place.
        first: Origin,
        /// The second place.
        second: Origin,
    },
    /// A configuration sent as JSON does not have the form that `Config::to_json` writes.
    #[error(
        "malformed configuration in JSON: expected an object with a value and a source for each key"
    )]
    MalformedJson(#[source] serde_json::Error),
    /// A program sets a key that is read before the program runs, or by another process.
    #[error("{key} cannot be set by the program: {}", .reader.why_not_in_code())]
    NotForPrograms {
        /// The key, in its present spelling.
        key: &'static str,
        /// The process that reads it.
        reader: Reader,
    },
    /// A key of Flink that Weir does not support, and that must not be ignored.
    #[error("{name} in {origin} is not supported: {note}")]
    Unsupported {
        /// The key as it was written.
        name: String,
        /// Why, and what to do instead.
        note: &'static str,
        /// Where it was written.
        origin: Origin,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || "; docs/configuration.md lists all keys".to_owned(),
        |nearest| format!("; did you mean {nearest}?"),
    )
}

impl Error {
    /// Adds the spelling in which the key was written, if it is a former one.
    pub(crate) fn with_former_spelling(mut self, old: Option<&'static str>) -> Self {
        if let Self::BadValue(bad) = &mut self {
            bad.former_spelling = old;
        }
        self
    }

    /// Every code that [`Error::code`] may give, in order.
    pub const CODES: &'static [&'static str] = &[
        "WEIR-CFG-0001",
        "WEIR-CFG-0002",
        "WEIR-CFG-0003",
        "WEIR-CFG-0004",
        "WEIR-CFG-0005",
        "WEIR-CFG-0006",
        "WEIR-CFG-0007",
        "WEIR-CFG-0008",
        "WEIR-CFG-0009",
        "WEIR-CFG-0010",
    ];

    /// The stable code, which is also the name of the page under `docs/errors/`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownKey { .. } => "WEIR-CFG-0001",
            Self::BadValue(_) => "WEIR-CFG-0002",
            Self::UnreadableFile { .. } => "WEIR-CFG-0003",
            Self::MalformedFile { .. } => "WEIR-CFG-0004",
            Self::MalformedDynamic { .. } => "WEIR-CFG-0005",
            Self::UnknownVariable { .. } => "WEIR-CFG-0006",
            Self::SetTwice { .. } => "WEIR-CFG-0007",
            Self::MalformedJson(_) => "WEIR-CFG-0008",
            Self::NotForPrograms { .. } => "WEIR-CFG-0009",
            Self::Unsupported { .. } => "WEIR-CFG-0010",
        }
    }
}

/// Something in a configuration that its author should know but that does not stop a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A former spelling was used.
    Deprecated {
        /// The spelling used.
        old: &'static str,
        /// The present one.
        key: &'static str,
        /// Where.
        origin: Origin,
    },
    /// A key of Flink has no meaning here; its value is ignored.
    Foreign {
        /// The key as it was written.
        name: String,
        /// A remark, such as the key that replaces it.
        note: &'static str,
        /// Where.
        origin: Origin,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deprecated { old, key, origin } => {
                write!(f, "{old} in {origin} is now called {key}")
            }
            Self::Foreign { name, note, origin } => {
                write!(f, "{name} in {origin} is ignored: {note}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_where_and_what_to_do() {
        let unknown = Error::UnknownKey {
            name: "a.b".to_owned(),
            origin: Origin::Dynamic,
            nearest: Some("a.c"),
        };
        assert_eq!(unknown.to_string(), "unknown key \"a.b\" in a -D argument; did you mean a.c?");
        let variable = Error::UnknownVariable { name: "WEIR_CONF_X".to_owned(), nearest: None };
        let text =
            "environment variable WEIR_CONF_X names no key; docs/configuration.md lists all keys";
        assert_eq!(variable.to_string(), text);
        assert_eq!(variable.code(), "WEIR-CFG-0006");
    }
}
