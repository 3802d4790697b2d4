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
    /// A signed integer with this number of bits.
    Int(u8),
    /// An unsigned integer with this number of bits.
    Uint(u8),
    /// A float with this number of bits.
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

    /// The name, and the shape where it says more than the name: `Order {id: u64}`, `u64`.
    pub fn spelled(&self) -> String {
        let shape = self.shape.to_string();
        let is_known = shape.is_empty() || shape == self.name;
        if is_known { self.name.clone() } else { format!("{} {shape}", self.name) }
    }
}

impl Shape {
    /// The path to the first part of the shape that is `wanted`, `None` where there is none. An
    /// empty path means the shape itself.
    pub fn find(&self, wanted: &impl Fn(&Self) -> bool) -> Option<String> {
        if wanted(self) {
            return Some(String::new());
        }
        let inside = |part: String, shape: &Self| Some(format!("{part}{}", shape.find(wanted)?));
        match self {
            Self::Option(inner) => inner.find(wanted),
            Self::Sequence(inner) => inside("[]".to_owned(), inner),
            Self::Map(key, value) => {
                inside("[key]".to_owned(), key).or_else(|| inside("[value]".to_owned(), value))
            }
            Self::Tuple(elements) => {
                (0..).zip(elements).find_map(|(i, shape): (u32, _)| inside(format!(".{i}"), shape))
            }
            Self::Struct(fields) => {
                fields.iter().find_map(|(name, shape)| inside(format!(".{name}"), shape))
            }
            Self::Enum(variants) => {
                variants.iter().find_map(|(name, shape)| inside(format!("::{name}"), shape))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// As Rust writes types; nothing for a shape that was not traced.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opaque => Ok(()),
            Self::Unit => f.write_str("()"),
            Self::Bool => f.write_str("bool"),
            Self::Int(bits) => write!(f, "i{bits}"),
            Self::Uint(bits) => write!(f, "u{bits}"),
            Self::Float(bits) => write!(f, "f{bits}"),
            Self::Char => f.write_str("char"),
            Self::String => f.write_str("String"),
            Self::Bytes => f.write_str("bytes"),
            Self::Option(inner) => write!(f, "Option<{inner}>"),
            Self::Sequence(inner) => write!(f, "Vec<{inner}>"),
            Self::Map(key, value) => write!(f, "Map<{key}, {value}>"),
            Self::Tuple(elements) => {
                let elements: Vec<_> = elements.iter().map(Self::to_string).collect();
                write!(f, "({})", elements.join(", "))
            }
            Self::Struct(fields) => write!(f, "{{{}}}", named(fields)),
            Self::Enum(variants) => write!(f, "enum {{{}}}", named(variants)),
        }
    }
}

fn named(shapes: &[(String, Shape)]) -> String {
    let shapes: Vec<_> = shapes.iter().map(|(name, shape)| format!("{name}: {shape}")).collect();
    shapes.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_with_its_path() {
        let float = |shape: &Shape| matches!(shape, Shape::Float(_));
        let prices = Shape::Sequence(Box::new(Shape::Option(Box::new(Shape::Float(64)))));
        let shape =
            Shape::Tuple(vec![Shape::String, Shape::Struct(vec![("prices".into(), prices)])]);
        assert_eq!(shape.find(&float).as_deref(), Some(".1.prices[]"));
        assert_eq!(Shape::Float(32).find(&float).as_deref(), Some(""));
        assert_eq!(Shape::Uint(64).find(&float), None);
    }
}
