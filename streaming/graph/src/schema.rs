//! Schemas: what a record, key or state value looks like, as far as serde tells.
//!
//! A schema is compared when a job is restored and when two processes meet, and it is where a
//! float in a key is found before a job runs.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A named type.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Schema {
    /// The type's name as the compiler prints it, or as the author supplied it.
    pub name: String,
    /// Its traced shape.
    pub shape: Shape,
}

/// The shape of a type in serde's data model.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Shape {
    /// Not traced: the type checks its input and refused the tracer's samples.
    Opaque,
    /// `()`, unit structs.
    Unit,
    /// `bool`.
    Bool,
    /// A signed integer of so many bits.
    Int(u8),
    /// An unsigned integer of so many bits.
    Uint(u8),
    /// A float of so many bits.
    Float(u8),
    /// `char`.
    Char,
    /// Text.
    String,
    /// Raw bytes.
    Bytes,
    /// A value that may be missing.
    Option(Box<Shape>),
    /// Any number of elements.
    Sequence(Box<Shape>),
    /// Keys and values.
    Map(Box<Shape>, Box<Shape>),
    /// A fixed number of elements.
    Tuple(Vec<Shape>),
    /// Named fields.
    Struct(Vec<(String, Shape)>),
    /// Named variants.
    Enum(Vec<(String, Shape)>),
}

impl Schema {
    /// A schema known by its name alone.
    pub fn opaque(name: impl Into<String>) -> Self {
        Self { name: name.into(), shape: Shape::Opaque }
    }
}

impl Shape {
    /// The path to the first float in the shape, `None` where there is none. An empty path means
    /// the shape itself is a float.
    pub fn first_float(&self) -> Option<String> {
        match self {
            Self::Float(_) => Some(String::new()),
            Self::Option(inner) | Self::Sequence(inner) => inner.first_float(),
            Self::Map(key, value) => key.first_float().or_else(|| value.first_float()),
            Self::Tuple(elements) => elements
                .iter()
                .enumerate()
                .find_map(|(i, shape)| shape.first_float().map(|rest| format!(".{i}{rest}"))),
            Self::Struct(fields) | Self::Enum(fields) => fields
                .iter()
                .find_map(|(name, shape)| shape.first_float().map(|rest| format!(".{name}{rest}"))),
            _ => None,
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_float_is_found_with_its_path() {
        let shape = Shape::Tuple(vec![
            Shape::String,
            Shape::Struct(vec![("price".into(), Shape::Option(Box::new(Shape::Float(64))))]),
        ]);
        assert_eq!(shape.first_float().as_deref(), Some(".1.price"));
        assert_eq!(Shape::Uint(64).first_float(), None);
    }
}
