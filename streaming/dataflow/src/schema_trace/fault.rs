//! Why values of a type would not come back equal from the compact codec.

use std::fmt;

/// What is wrong, and in which part of the type. A part is a path such as `.items[].price` or
/// `::Click.x` (field `x` of variant `Click`); the empty path is the type itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    /// `Deserialize` asks the data which type it has.
    AsksForType {
        /// Part of the type.
        path: String,
        /// What is read there.
        type_name: &'static str,
    },
    /// A struct is read as a map of fields.
    Flattened {
        /// Part of the type.
        path: String,
        /// What is read there.
        type_name: &'static str,
    },
    /// `Serialize` leaves out a field.
    LeavesOut {
        /// The field.
        path: String,
    },
    /// `Serialize` does not say how many elements follow.
    UnknownLength {
        /// Part of the type.
        path: String,
    },
    /// A struct is written with other fields than it is read with.
    OtherFields {
        /// Name of the struct.
        name: &'static str,
        /// As `Serialize` writes it.
        written: Vec<&'static str>,
        /// As `Deserialize` reads it.
        read: Vec<&'static str>,
    },
    /// Code of the type's author panicked.
    Panicked {
        /// Part of the type.
        path: String,
        /// Name of the trait whose code it was.
        trait_name: &'static str,
        /// Message of the panic.
        message: String,
    },
    /// A value was written, and reading it failed or gave another value.
    NotReadBack {
        /// What happened, as a sentence about "it".
        problem: String,
    },
}

/// "its part .a.b", or "it" for the type itself.
pub(super) struct Part<'a>(pub &'a str);

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("it") } else { write!(f, "its part {}", self.0) }
    }
}

/// " (the type)", or nothing where serde's derive reads into a helper of its own.
struct Named<'a>(&'a str);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_helper = self.0.contains("<impl ") || self.0.contains("::private::");
        if is_helper { Ok(()) } else { write!(f, " ({})", self.0) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsksForType { path, type_name } => write!(
                f,
                "{}{} asks the data which type it has, and the compact codec does not \
                 store types: `#[serde(tag)]`, `#[serde(untagged)]` and `serde_json::Value` do that",
                Part(path),
                Named(type_name)
            ),
            Self::Flattened { path, type_name } => write!(
                f,
                "{}{} is read by the names of its fields, and the compact codec does \
                 not store names: `#[serde(flatten)]` does that",
                Part(path),
                Named(type_name)
            ),
            Self::LeavesOut { path } => write!(
                f,
                "{} is left out of some values, and the compact codec reads every field: \
                 `#[serde(skip_serializing_if)]` does that",
                Part(path)
            ),
            Self::UnknownLength { path } => write!(
                f,
                "{} is written as a sequence or map whose length is not known in advance",
                Part(path)
            ),
            Self::OtherFields { name, written, read } => write!(
                f,
                "struct {name} writes the fields {written:?} and reads the fields {read:?}: \
                 `#[serde(skip_serializing)]` and `#[serde(skip_deserializing)]` do that \
                 (`#[serde(skip)]` leaves a field out of both)"
            ),
            Self::Panicked { path, trait_name, message } => {
                if !path.is_empty() {
                    write!(f, "{} cannot be read or written: ", Part(path))?;
                }
                write!(f, "its {trait_name} panicked on a sample: {message}")
            }
            Self::NotReadBack { problem } => f.write_str(problem),
        }
    }
}
