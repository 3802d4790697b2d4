//! A serializer that lists the leaves of a value with their paths: two values with equal lists
//! are equal as far as serde can see.

use super::{SELF_DESCRIBING, fault::Fault, panics::catch_panic};
use serde::ser::{self, Serialize, Serializer};
use std::{collections::BTreeMap, fmt};

/// The leaves of a value.
pub(super) struct Leaves {
    path: String,
    /// Whether byte strings are listed as they are. Those of a `SelfDescribing` are listed sorted,
    /// because there may be a hash table in it.
    is_in_order: bool,
    /// Path and value of each leaf; also of the length of each sequence, of each variant and so on.
    pub list: Vec<(String, String)>,
    /// Structs by name, with the fields that were written.
    pub structs: BTreeMap<&'static str, Vec<&'static str>>,
}

impl Leaves {
    /// Lists the leaves of a value.
    ///
    /// # Errors
    /// What the compact codec cannot write, or a panic.
    pub fn of<T: Serialize>(value: &T) -> Result<Self, Fault> {
        let mut leaves = Self {
            path: String::new(),
            is_in_order: true,
            list: Vec::new(),
            structs: BTreeMap::new(),
        };
        match catch_panic(|| value.serialize(Recorder(&mut leaves))) {
            Ok(Ok(())) => Ok(leaves),
            Err(message) => {
                Err(Fault::Panicked { path: leaves.path, trait_name: "Serialize", message })
            }
            Ok(Err(NotWritten::Fault(fault))) => Err(*fault),
            Ok(Err(NotWritten::Custom(message))) => Err(Fault::NotReadBack {
                problem: format!(
                    "its Serialize refuses a value that its Deserialize has made: {message}"
                ),
            }),
        }
    }

    fn add(&mut self, value: impl ToString) {
        self.list.push((self.path.clone(), value.to_string()));
    }

    fn inside<R>(&mut self, part: &str, body: impl FnOnce(&mut Self) -> R) -> R {
        let length = self.path.len();
        self.path.push_str(part);
        let result = body(self);
        self.path.truncate(length);
        result
    }
}

#[derive(Debug)]
pub(super) enum NotWritten {
    Fault(Box<Fault>),
    Custom(String),
}

impl fmt::Display for NotWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Custom(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for NotWritten {}

impl ser::Error for NotWritten {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Custom(message.to_string())
    }
}

struct Recorder<'a>(&'a mut Leaves);

/// Parts of a value that follow one another.
struct Parts<'a> {
    leaves: &'a mut Leaves,
    /// Where the path goes back to in the end.
    path: usize,
    name: &'static str,
    fields: Vec<&'static str>,
    next: usize,
}

impl<'a> Recorder<'a> {
    fn leaf(self, value: impl ToString) -> Result<(), NotWritten> {
        self.0.add(value);
        Ok(())
    }

    fn parts(self, part: &str, name: &'static str) -> Parts<'a> {
        let path = self.0.path.len();
        self.0.path.push_str(part);
        Parts { leaves: self.0, path, name, fields: Vec::new(), next: 0 }
    }

    fn counted(self, length: Option<usize>) -> Result<Parts<'a>, NotWritten> {
        let Some(length) = length else {
            let path = self.0.path.clone();
            return Err(NotWritten::Fault(Box::new(Fault::UnknownLength { path })));
        };
        self.0.add(format!("{length} elements"));
        Ok(self.parts("", ""))
    }

    fn variant(self, index: u32, variant: &'static str) -> Parts<'a> {
        self.0.add(format!("variant {index}"));
        self.parts(&format!("::{variant}"), "")
    }
}

macro_rules! leaves {
    ($($method:ident: $type:ty),*) => {$(
        fn $method(self, value: $type) -> Result<(), NotWritten> {
            self.leaf(value)
        }
    )*};
}

impl<'a> Serializer for Recorder<'a> {
    type Ok = ();
    type Error = NotWritten;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Parts<'a>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    leaves! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128, serialize_u8: u8, serialize_u16: u16,
        serialize_u32: u32, serialize_u64: u64, serialize_u128: u128, serialize_f32: f32,
        serialize_f64: f64, serialize_char: char, serialize_str: &str
    }

    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<(), NotWritten> {
        let mut bytes = bytes.to_vec();
        if !self.0.is_in_order {
            bytes.sort_unstable();
        }
        self.leaf(format!("{bytes:?}"))
    }

    fn serialize_none(self) -> Result<(), NotWritten> {
        self.leaf("None")
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotWritten> {
        self.0.add("Some");
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotWritten> {
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotWritten> {
        Ok(())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        index: u32,
        _: &'static str,
    ) -> Result<(), NotWritten> {
        self.leaf(format!("variant {index}"))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<(), NotWritten> {
        let is_in_order = std::mem::replace(&mut self.0.is_in_order, name != SELF_DESCRIBING);
        let written = value.serialize(Recorder(&mut *self.0));
        self.0.is_in_order = is_in_order;
        written
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), NotWritten> {
        self.0.add(format!("variant {index}"));
        self.0.inside(&format!("::{variant}"), |leaves| value.serialize(Recorder(leaves)))
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Parts<'a>, NotWritten> {
        self.counted(length)
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, NotWritten> {
        Ok(self.parts("", ""))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, NotWritten> {
        Ok(self.parts("", ""))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, NotWritten> {
        Ok(self.variant(index, variant))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Parts<'a>, NotWritten> {
        self.counted(length)
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Parts<'a>, NotWritten> {
        Ok(self.parts("", name))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        index: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, NotWritten> {
        Ok(self.variant(index, variant))
    }
}

impl Parts<'_> {
    fn add<T: Serialize + ?Sized>(&mut self, part: &str, value: &T) -> Result<(), NotWritten> {
        self.leaves.inside(part, |leaves| value.serialize(Recorder(leaves)))
    }

    fn field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), NotWritten> {
        self.fields.push(name);
        self.add(&format!(".{name}"), value)
    }

    fn skipped(&self, field: &str) -> NotWritten {
        let path = format!("{}.{field}", self.leaves.path);
        NotWritten::Fault(Box::new(Fault::LeavesOut { path }))
    }

    fn done(self) -> Result<(), NotWritten> {
        self.leaves.structs.insert(self.name, self.fields);
        self.leaves.path.truncate(self.path);
        Ok(())
    }
}

macro_rules! numbered {
    ($($trait:ident: $method:ident, $part:expr;)*) => {$(
        impl ser::$trait for Parts<'_> {
            type Ok = ();
            type Error = NotWritten;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotWritten> {
                let part = $part(self.next);
                self.next += 1;
                self.add(&part, value)
            }

            fn end(self) -> Result<(), NotWritten> {
                self.done()
            }
        }
    )*};
}

numbered! {
    SerializeSeq: serialize_element, |_| "[]".to_owned();
    SerializeTuple: serialize_element, |index| format!(".{index}");
    SerializeTupleStruct: serialize_field, |index| format!(".{index}");
    SerializeTupleVariant: serialize_field, |index| format!(".{index}");
}

impl ser::SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = NotWritten;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotWritten> {
        self.add("[key]", key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotWritten> {
        self.add("[value]", value)
    }

    fn end(self) -> Result<(), NotWritten> {
        self.done()
    }
}

macro_rules! named {
    ($($trait:ident),*) => {$(
        impl ser::$trait for Parts<'_> {
            type Ok = ();
            type Error = NotWritten;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), NotWritten> {
                self.field(name, value)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), NotWritten> {
                Err(self.skipped(name))
            }

            fn end(self) -> Result<(), NotWritten> {
                self.done()
            }
        }
    )*};
}

named! { SerializeStruct, SerializeStructVariant }
