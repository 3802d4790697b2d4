//! A deserializer without data: it answers every question with a sample, and writes down the
//! shape of what was asked.

use super::{
    SELF_DESCRIBING,
    explorer::{Explorer, Leaf},
    fault::Fault,
};
use crate::text::Text;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use std::{any::type_name, fmt};
use weir_graph::Shape;

/// Texts that types which check their input are known to accept, after two that say nothing.
const TEXTS: &[&str] = &[
    "",
    "a",
    "1",
    "A",
    "127.0.0.1",
    "::1",
    "127.0.0.1:80",
    "2000-01-01",
    "2000-01-01T00:00:00Z",
    "2000-01-01T00:00:00",
    "2000-01-01 00:00:00",
    "00:00:00",
    "+00:00",
    "UTC",
    "00000000-0000-0000-0000-000000000001",
    "http://localhost/",
    "a@b.c",
    "1.0.0",
    "/a",
    "en",
    "EUR",
];

const BYTES: &[&[u8]] = &[&[], &[1], &[0; 4], &[0; 8], &[0; 16], &[0; 32], &[0x80], &[0xc0]];

/// Part of a path that leads to the keys of a map.
const MAP_KEY: &str = "[key]";

/// Containers that list their elements in another order in each process.
const HASH_TABLES: &[&str] = &["HashSet", "HashMap", "DashSet", "DashMap"];

/// Containers that list their elements in the order in which they were added, and ignore that
/// order when they compare.
const INSERTION_ORDERED: &[&str] = &["IndexSet", "IndexMap"];

/// A sample was refused.
#[derive(Debug)]
pub(super) enum Refused {
    /// By the type, or because of a fault.
    Sample,
    /// By a struct, because the field of this name came a second time: once under an alias.
    DuplicateField(&'static str),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the type refused a sample")
    }
}

impl std::error::Error for Refused {}

impl de::Error for Refused {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self::Sample
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::DuplicateField(field)
    }
}

/// Samples one value.
pub(super) struct Sampler<'a> {
    pub explorer: &'a mut Explorer,
    pub shape: &'a mut Shape,
}

impl Sampler<'_> {
    /// Visits a leaf with one of its samples.
    fn leaf<V>(
        self,
        shape: Shape,
        samples: usize,
        visit: impl FnOnce(Leaf) -> Result<V, Refused>,
    ) -> Result<V, Refused> {
        *self.shape = shape;
        if !self.explorer.count_value() {
            return Err(Refused::Sample);
        }
        let leaf = self.explorer.choose_leaf(samples.min(2), samples);
        let visited = visit(leaf);
        match &visited {
            Ok(_) => self.explorer.leaf_accepted(),
            Err(_) => self.explorer.leaf_refused(),
        }
        visited
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.leaf(Shape::String, TEXTS.len(), |leaf| match leaf {
            Leaf::Sample(index) => visitor.visit_str(TEXTS[index]),
            Leaf::Element(element) => visitor.visit_str(&format!("text {element}")),
        })
    }

    fn bytes<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        // A Text asks a compact format for bytes, because it is faster.
        if type_name::<V::Value>() == type_name::<Text>() {
            return self.text(visitor);
        }
        self.leaf(Shape::Bytes, BYTES.len(), |leaf| match leaf {
            Leaf::Sample(index) => visitor.visit_bytes(BYTES[index]),
            Leaf::Element(element) => visitor.visit_bytes(&[element as u8]),
        })
    }

    fn fault(self, fault: impl FnOnce(String) -> Fault) -> Refused {
        let path = self.explorer.shown_path();
        self.explorer.seen.fault.get_or_insert_with(|| fault(path));
        Refused::Sample
    }

    /// Notes a container whose equal values may list their elements differently.
    fn note_container<C>(&mut self) {
        let container = type_name::<C>();
        let path = container.split('<').next().unwrap_or(container);
        let name = path.rsplit("::").next().unwrap_or(path);
        let is_linked = name.starts_with("Linked") || name.starts_with("Ordered");
        let is_one_of = |kinds: &[&str]| kinds.iter().any(|kind| name.ends_with(kind));
        let part = (self.explorer.shown_path(), container);
        let seen = &mut self.explorer.seen;
        let noted = match () {
            () if !is_linked && is_one_of(HASH_TABLES) => &mut seen.hash_table,
            () if is_one_of(INSERTION_ORDERED) => &mut seen.insertion_ordered,
            () => return,
        };
        noted.get_or_insert(part);
    }

    /// Reads a type that may contain itself.
    fn named<T>(
        self,
        name: &'static str,
        read: impl FnOnce(Sampler<'_>) -> Result<T, Refused>,
    ) -> Result<T, Refused> {
        let Self { explorer, shape } = self;
        let may_go_on = explorer.begin_type(name) && explorer.count_value();
        let value = if may_go_on {
            read(Sampler { explorer: &mut *explorer, shape })
        } else {
            Err(Refused::Sample)
        };
        explorer.end_type();
        value
    }
}

macro_rules! leaves {
    ($($method:ident, $visit:ident, $samples:expr, $of_element:expr, $shape:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
            let samples = $samples;
            self.leaf($shape, samples.len(), |leaf| match leaf {
                Leaf::Sample(index) => visitor.$visit(samples[index]),
                Leaf::Element(element) => visitor.$visit($of_element(element)),
            })
        }
    )*};
}

impl<'de> Deserializer<'de> for Sampler<'_> {
    type Error = Refused;

    leaves! {
        deserialize_i8, visit_i8, [0, 1, 2, 10, 100], |e| e as i8 + 1, Shape::Int(8);
        deserialize_i16, visit_i16, [0, 1, 2, 10, 100], |e| e as i16 + 1, Shape::Int(16);
        deserialize_i32, visit_i32, [0, 1, 2, 10, 100], |e| e as i32 + 1, Shape::Int(32);
        deserialize_i64, visit_i64, [0, 1, 2, 10, 100], |e| e as i64 + 1, Shape::Int(64);
        deserialize_i128, visit_i128, [0, 1, 2, 10, 100], |e| e as i128 + 1, Shape::Int(128);
        deserialize_u8, visit_u8, [0, 1, 2, 10, 100], |e| e as u8 + 1, Shape::Uint(8);
        deserialize_u16, visit_u16, [0, 1, 2, 10, 100], |e| e as u16 + 1, Shape::Uint(16);
        deserialize_u32, visit_u32, [0, 1, 2, 10, 100], |e| e as u32 + 1, Shape::Uint(32);
        deserialize_u64, visit_u64, [0, 1, 2, 10, 100], |e| e as u64 + 1, Shape::Uint(64);
        deserialize_u128, visit_u128, [0, 1, 2, 10, 100], |e| e as u128 + 1, Shape::Uint(128);
        deserialize_f32, visit_f32, [0.0, 1.5], |e| e as f32, Shape::Float(32);
        deserialize_f64, visit_f64, [0.0, 1.5], |e| e as f64, Shape::Float(64);
        deserialize_bool, visit_bool, [false, true], |e| e % 2 == 1, Shape::Bool;
        deserialize_char, visit_char, ['\0', 'a', '1', 'A'], |e| (b'a' + e as u8) as char, Shape::Char;
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.text(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.bytes(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.bytes(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Refused> {
        Err(self.fault(|path| Fault::AsksForType { path, type_name: type_name::<V::Value>() }))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_any(visitor)
    }

    /// Keys of structs and variants of enums do not come here; so this is a key of a map that is a
    /// struct with flattened fields.
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        let Some(type_name) = self.explorer.map else { return self.deserialize_any(visitor) };
        Err(self.fault(|path| {
            let path = path.trim_end_matches(MAP_KEY).to_owned();
            Fault::Flattened { path, type_name }
        }))
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
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if name == SELF_DESCRIBING {
            let path = self.explorer.shown_path();
            self.explorer.seen.self_describing.get_or_insert(path);
        }
        self.named(type_name::<V::Value>(), |inner| visitor.visit_newtype_struct(inner))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refused> {
        if !matches!(self.shape, Shape::Option(_)) {
            *self.shape = Shape::Option(Box::new(Shape::Opaque));
        }
        let Shape::Option(shape) = self.shape else { return Err(Refused::Sample) };
        let explorer = self.explorer;
        let part = |branch| if branch == 0 { "?" } else { "!" };
        if explorer.must_end() || explorer.choose_branch(2, |branch| part(branch).into()) == 1 {
            return visitor.visit_none();
        }
        let place = explorer.enter("?");
        let value = visitor.visit_some(Sampler { explorer: &mut *explorer, shape });
        explorer.leave(place);
        value
    }

    fn deserialize_seq<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        self.note_container::<V::Value>();
        if !matches!(self.shape, Shape::Sequence(_)) {
            *self.shape = Shape::Sequence(Box::new(Shape::Opaque));
        }
        let Shape::Sequence(shape) = self.shape else { return Err(Refused::Sample) };
        let explorer = self.explorer;
        let length = explorer.choose_length("[]");
        let place = explorer.enter("[]");
        let elements = Repeated { explorer: &mut *explorer, shape, next: 0, length };
        let value = visitor.visit_seq(elements);
        explorer.leave(place);
        value
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if !matches!(self.shape, Shape::Tuple(_)) {
            *self.shape = Shape::Tuple(Vec::new());
        }
        let Shape::Tuple(shapes) = self.shape else { return Err(Refused::Sample) };
        visitor.visit_seq(Elements { explorer: self.explorer, shapes, next: 0, len })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.named(type_name::<V::Value>(), |inner| inner.deserialize_tuple(len, visitor))
    }

    fn deserialize_map<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Refused> {
        self.note_container::<V::Value>();
        if !matches!(self.shape, Shape::Map(..)) {
            *self.shape = Shape::Map(Box::new(Shape::Opaque), Box::new(Shape::Opaque));
        }
        let Shape::Map(key, value) = self.shape else { return Err(Refused::Sample) };
        let explorer = self.explorer;
        let length = explorer.choose_length("[");
        let owner = type_name::<V::Value>();
        visitor.visit_map(Pairs { explorer, key, value, next: 0, length, owner })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.named(type_name::<V::Value>(), |inner| inner.fields(name, fields, visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        let name = type_name::<V::Value>();
        self.named(name, |inner| inner.variant(name, variants, visitor))
    }
}

impl Sampler<'_> {
    fn fields<'de, V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if !matches!(self.shape, Shape::Struct(_)) {
            *self.shape = Shape::Struct(Vec::new());
        }
        let Shape::Struct(shapes) = self.shape else { return Err(Refused::Sample) };
        let explorer = self.explorer;
        let named: Vec<_> =
            fields.iter().copied().filter(|name| !explorer.is_alias(name)).collect();
        explorer.seen.structs.insert(name, named.clone());
        let mut taken = 0;
        let read = Fields {
            explorer: &mut *explorer,
            shapes: &mut *shapes,
            names: &named,
            taken: &mut taken,
        };
        let value = visitor.visit_map(read);
        if let Err(Refused::DuplicateField(field)) = &value
            && let Some(alias) = alias_of(field, &named[..taken])
        {
            shapes.retain(|(name, _)| name != alias);
            explorer.found_alias(alias);
        }
        value.map_err(|_| Refused::Sample)
    }

    fn variant<'de, V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        if !matches!(self.shape, Shape::Enum(_)) {
            let shapes = variants.iter().map(|name| ((*name).to_owned(), Shape::Opaque)).collect();
            *self.shape = Shape::Enum(shapes);
        }
        let Shape::Enum(shapes) = self.shape else { return Err(Refused::Sample) };
        let explorer = self.explorer;
        let part = |variant: usize| format!("::{}", variants[variant]);
        let index = if explorer.must_end() {
            explorer.terminal_variant(name).ok_or(Refused::Sample)? as usize
        } else {
            explorer.choose_branch(variants.len(), part)
        };
        let (_, shape) = shapes.get_mut(index).ok_or(Refused::Sample)?;
        let recursions = explorer.recursions();
        let place = explorer.enter(&part(index));
        let inner = Sampler { explorer: &mut *explorer, shape };
        let value = visitor.visit_enum(Variant { index: index as u32, inner });
        explorer.leave(place);
        if value.is_ok() && explorer.recursions() == recursions {
            explorer.learn_terminal(name, index as u32);
        }
        value
    }
}

/// The alias among the names that were read when `field` came a second time. serde lists a field's
/// own name and its aliases one behind the other, sorted, and reports the field's own name: if that
/// was the last one read, the alias came before it.
fn alias_of(field: &str, read: &[&'static str]) -> Option<&'static str> {
    let (last, earlier) = read.split_last()?;
    if *last == field { earlier.last().copied() } else { Some(last) }
}

struct Repeated<'a> {
    explorer: &'a mut Explorer,
    shape: &'a mut Shape,
    next: usize,
    length: usize,
}

impl<'de> SeqAccess<'de> for Repeated<'_> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        if self.next == self.length {
            return Ok(None);
        }
        let before = self.explorer.begin_element(self.next);
        self.next += 1;
        let value = seed.deserialize(Sampler { explorer: self.explorer, shape: self.shape });
        self.explorer.end_element(before);
        value.map(Some)
    }
}

struct Elements<'a> {
    explorer: &'a mut Explorer,
    shapes: &'a mut Vec<Shape>,
    next: usize,
    len: usize,
}

impl<'de> SeqAccess<'de> for Elements<'_> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        if self.next == self.len {
            return Ok(None);
        }
        if self.shapes.len() == self.next {
            self.shapes.push(Shape::Opaque);
        }
        let shape = &mut self.shapes[self.next];
        let place = self.explorer.enter(&format!(".{}", self.next));
        self.next += 1;
        let value = seed.deserialize(Sampler { explorer: self.explorer, shape });
        self.explorer.leave(place);
        value.map(Some)
    }
}

struct Pairs<'a> {
    explorer: &'a mut Explorer,
    key: &'a mut Shape,
    value: &'a mut Shape,
    next: usize,
    length: usize,
    owner: &'static str,
}

impl<'de> MapAccess<'de> for Pairs<'_> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        if self.next == self.length {
            return Ok(None);
        }
        let before = self.explorer.begin_element(self.next);
        let place = self.explorer.enter(MAP_KEY);
        let outer = self.explorer.map.replace(self.owner);
        let key = seed.deserialize(Sampler { explorer: &mut *self.explorer, shape: self.key });
        self.explorer.map = outer;
        self.explorer.leave(place);
        self.explorer.end_element(before);
        key.map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        let before = self.explorer.begin_element(self.next);
        self.next += 1;
        let place = self.explorer.enter("[value]");
        let value = seed.deserialize(Sampler { explorer: &mut *self.explorer, shape: self.value });
        self.explorer.leave(place);
        self.explorer.end_element(before);
        value
    }
}

/// Reads a struct's fields by their names, so that aliases are found: serde lists them as fields.
struct Fields<'a> {
    explorer: &'a mut Explorer,
    shapes: &'a mut Vec<(String, Shape)>,
    names: &'a [&'static str],
    /// How many names have been read.
    taken: &'a mut usize,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Refused;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Refused> {
        let Some(name) = self.names.get(*self.taken) else { return Ok(None) };
        *self.taken += 1;
        seed.deserialize((*name).into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        let name = self.names[*self.taken - 1];
        let known = self.shapes.iter().position(|(known, _)| known == name);
        let index = known.unwrap_or_else(|| {
            self.shapes.push((name.to_owned(), Shape::Opaque));
            self.shapes.len() - 1
        });
        let place = self.explorer.enter(&format!(".{name}"));
        let shape = &mut self.shapes[index].1;
        let value = seed.deserialize(Sampler { explorer: &mut *self.explorer, shape });
        self.explorer.leave(place);
        value
    }
}

struct Variant<'a> {
    index: u32,
    inner: Sampler<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Refused;
    type Variant = Sampler<'a>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Sampler<'a>), Refused> {
        let index: de::value::U32Deserializer<Refused> = self.index.into_deserializer();
        Ok((seed.deserialize(index)?, self.inner))
    }
}

impl<'de> VariantAccess<'de> for Sampler<'_> {
    type Error = Refused;

    fn unit_variant(self) -> Result<(), Refused> {
        *self.shape = Shape::Unit;
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Refused> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, Refused> {
        self.deserialize_tuple(len, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refused> {
        self.fields(type_name::<V::Value>(), fields, visitor)
    }
}
