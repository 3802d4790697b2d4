//! Traces the schema of a serde type without a value of it.
//!
//! The type is deserialised from a tracer that answers every question with a plain value (0, "",
//! one element) and writes down what was asked. Types that check their input may refuse such
//! values; their shape is then opaque. An enum shows its first variant's content and all names.

use crate::record::Record;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use std::{any::type_name, fmt};
use weir_graph::{Schema, Shape};

/// Deeper than this a recursive type is cut off.
const MAX_DEPTH: usize = 12;

/// The schema of a type.
pub fn schema_of<T: Record>() -> Schema {
    let mut shape = Shape::Opaque;
    let traced = T::deserialize(Tracer { shape: &mut shape, depth: 0 });
    if traced.is_err() && !matches!(shape, Shape::Float(_)) && shape.first_float().is_none() {
        shape = Shape::Opaque;
    }
    Schema { name: type_name::<T>().to_owned(), shape }
}

/// The tracer's sample was refused.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type refused the tracer's sample")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

struct Tracer<'a> {
    shape: &'a mut Shape,
    depth: usize,
}

impl Tracer<'_> {
    fn too_deep(&self) -> bool {
        self.depth >= MAX_DEPTH
    }
}

macro_rules! scalars {
    ($($method:ident, $visit:ident, $sample:expr, $shape:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            *self.shape = $shape;
            visitor.$visit($sample)
        }
    )*};
}

impl<'de> Deserializer<'de> for Tracer<'_> {
    type Error = Refused;

    scalars! {
        deserialize_bool, visit_bool, false, Shape::Bool;
        deserialize_i8, visit_i8, 0, Shape::Int(8);
        deserialize_i16, visit_i16, 0, Shape::Int(16);
        deserialize_i32, visit_i32, 0, Shape::Int(32);
        deserialize_i64, visit_i64, 0, Shape::Int(64);
        deserialize_i128, visit_i128, 0, Shape::Int(128);
        deserialize_u8, visit_u8, 0, Shape::Uint(8);
        deserialize_u16, visit_u16, 0, Shape::Uint(16);
        deserialize_u32, visit_u32, 0, Shape::Uint(32);
        deserialize_u64, visit_u64, 0, Shape::Uint(64);
        deserialize_u128, visit_u128, 0, Shape::Uint(128);
        deserialize_f32, visit_f32, 0.0, Shape::Float(32);
        deserialize_f64, visit_f64, 0.0, Shape::Float(64);
        deserialize_char, visit_char, 'a', Shape::Char;
        deserialize_str, visit_str, "", Shape::String;
        deserialize_string, visit_str, "", Shape::String;
        deserialize_bytes, visit_bytes, &[], Shape::Bytes;
        deserialize_byte_buf, visit_bytes, &[], Shape::Bytes;
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(Refused)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(Refused)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(Refused)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.shape = Shape::Unit;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if self.too_deep() {
            return visitor.visit_none();
        }
        *self.shape = Shape::Option(Box::new(Shape::Opaque));
        let Shape::Option(inner) = self.shape else { return Err(Refused) };
        visitor.visit_some(Tracer { shape: inner, depth: self.depth + 1 })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.shape = Shape::Sequence(Box::new(Shape::Opaque));
        let Shape::Sequence(inner) = self.shape else { return Err(Refused) };
        let left = usize::from(self.depth < MAX_DEPTH);
        visitor.visit_seq(Repeated { shape: inner, depth: self.depth + 1, left })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        *self.shape = Shape::Tuple(Vec::new());
        let Shape::Tuple(shapes) = self.shape else { return Err(Refused) };
        visitor.visit_seq(Elements { shapes, depth: self.depth + 1, left: len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.deserialize_tuple(len, visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        *self.shape = Shape::Map(Box::new(Shape::Opaque), Box::new(Shape::Opaque));
        let Shape::Map(key, value) = self.shape else { return Err(Refused) };
        let left = usize::from(self.depth < MAX_DEPTH);
        visitor.visit_map(Pairs { key, value, depth: self.depth + 1, left })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        *self.shape = Shape::Struct(Vec::new());
        let Shape::Struct(shapes) = self.shape else { return Err(Refused) };
        visitor.visit_map(Fields { shapes, names: fields, next: 0, depth: self.depth + 1 })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let shapes = variants.iter().map(|name| ((*name).to_owned(), Shape::Opaque)).collect();
        *self.shape = Shape::Enum(shapes);
        let Shape::Enum(shapes) = self.shape else { return Err(Refused) };
        let (_, first) = shapes.first_mut().ok_or(Refused)?;
        visitor.visit_enum(FirstVariant { shape: first, depth: self.depth + 1 })
    }
}

struct Repeated<'a> {
    shape: &'a mut Shape,
    depth: usize,
    left: usize,
}

impl<'de> SeqAccess<'de> for Repeated<'_> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(Tracer { shape: self.shape, depth: self.depth }).map(Some)
    }
}

struct Elements<'a> {
    shapes: &'a mut Vec<Shape>,
    depth: usize,
    left: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let mut shape = Shape::Opaque;
        let value = seed.deserialize(Tracer { shape: &mut shape, depth: self.depth });
        self.shapes.push(shape);
        value.map(Some)
    }
}

struct Pairs<'a> {
    key: &'a mut Shape,
    value: &'a mut Shape,
    depth: usize,
    left: usize,
}

impl<'de> MapAccess<'de> for Pairs<'_> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(Tracer { shape: self.key, depth: self.depth }).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        seed.deserialize(Tracer { shape: self.value, depth: self.depth })
    }
}

struct Fields<'a> {
    shapes: &'a mut Vec<(String, Shape)>,
    names: &'static [&'static str],
    next: usize,
    depth: usize,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        let Some(name) = self.names.get(self.next) else { return Ok(None) };
        seed.deserialize((*name).into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        let mut shape = Shape::Opaque;
        let value = seed.deserialize(Tracer { shape: &mut shape, depth: self.depth });
        self.shapes.push((self.names[self.next].to_owned(), shape));
        self.next += 1;
        value
    }
}

struct FirstVariant<'a> {
    shape: &'a mut Shape,
    depth: usize,
}

impl<'de, 'a> EnumAccess<'de> for FirstVariant<'a> {
    type Error = Refused;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Refused> {
        let index: de::value::U32Deserializer<Refused> = 0u32.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> VariantAccess<'de> for FirstVariant<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        *self.shape = Shape::Unit;
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refused> {
        seed.deserialize(Tracer { shape: self.shape, depth: self.depth })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        Tracer { shape: self.shape, depth: self.depth }.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        Tracer { shape: self.shape, depth: self.depth }.deserialize_struct("", fields, visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Serialize, Deserialize)]
    struct Order {
        id: u64,
        price: Option<f64>,
        tags: Vec<Text>,
        parent: Option<Box<Order>>,
    }

    #[derive(Clone, Serialize, Deserialize)]
    enum Event {
        Click { x: i32 },
        Close,
    }

    #[test]
    fn structs_tuples_and_options_are_traced() {
        let schema = schema_of::<(Text, u64)>();
        assert_eq!(schema.shape, Shape::Tuple(vec![Shape::String, Shape::Uint(64)]));
        assert_eq!(schema_of::<Order>().shape.first_float().as_deref(), Some(".price"));
        let Shape::Struct(fields) = schema_of::<Order>().shape else { panic!("a struct") };
        assert_eq!(fields[2], ("tags".into(), Shape::Sequence(Box::new(Shape::String))));
    }

    #[test]
    fn enums_show_their_variants() {
        let Shape::Enum(variants) = schema_of::<Event>().shape else { panic!("an enum") };
        assert_eq!(variants[0].1, Shape::Struct(vec![("x".into(), Shape::Int(32))]));
        assert_eq!(variants[1].0, "Close");
    }

    #[test]
    fn a_type_that_checks_its_input_is_opaque_but_named() {
        let schema = schema_of::<std::num::NonZeroU64>();
        assert_eq!(schema.shape, Shape::Opaque);
        assert!(schema.name.contains("NonZero"));
    }
}
