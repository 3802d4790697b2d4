//! One configuration key: its definition, and the two typed handles on it.
//!
//! [`KeySpec`] is the definition without its Rust type, so that tables can hold all keys;
//! [`ConfigKey`] (always has a value) and [`OptionalKey`] (may be not set) add the type back.

use std::marker::PhantomData;

use crate::value::ConfigValue;

/// The process that reads a key, which decides until when it can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A job: it can be set in every layer, the code of the program included.
    Job,
    /// The command line, before the program starts.
    CommandLine,
    /// A daemon of the cluster, when it starts.
    Daemon,
}

impl Reader {
    pub(crate) fn why_not_in_code(self) -> &'static str {
        match self {
            Self::Job => "it can",
            Self::CommandLine => {
                "it is read before the program starts; set it in the configuration file, the \
                 environment or with -D"
            }
            Self::Daemon => {
                "it is read by the daemons of a cluster when they start; set it in their \
                 configuration file or environment"
            }
        }
    }
}

/// The definition of a key: everything that parsing, documentation and error texts need.
#[derive(Debug)]
pub struct KeySpec {
    name: &'static str,
    doc: &'static str,
    default: Option<&'static str>,
    example: Option<&'static str>,
    at_least: Option<&'static str>,
    at_most: Option<&'static str>,
    deprecated: &'static [&'static str],
    type_name: &'static str,
    names: &'static [&'static str],
    refused: &'static [(&'static str, &'static str)],
    reader: Reader,
    check: fn(&KeySpec, &str) -> Result<(), String>,
}

/// Parses `text` as the type of the key and compares it with the key's range.
fn check<T: ConfigValue>(spec: &KeySpec, text: &str) -> Result<(), String> {
    let value = T::parse(text)?;
    let bound = |bound: Option<&str>| bound.and_then(|text| T::parse(text).ok());
    if bound(spec.at_least).is_some_and(|least| value < least) {
        return Err("it is too small".to_owned());
    }
    if bound(spec.at_most).is_some_and(|most| value > most) {
        return Err("it is too large".to_owned());
    }
    Ok(())
}

impl KeySpec {
    const fn new<T: ConfigValue>(name: &'static str) -> Self {
        Self {
            name,
            doc: "",
            default: None,
            example: None,
            at_least: None,
            at_most: None,
            deprecated: &[],
            type_name: T::TYPE_NAME,
            names: T::NAMES,
            refused: T::REFUSED,
            reader: Reader::Job,
            check: check::<T>,
        }
    }

    /// The name users write, for example `parallelism.default`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Description of the key.
    pub fn doc(&self) -> &'static str {
        self.doc.trim()
    }

    /// The embedded default as text; `None` when the key may be not set.
    pub fn default_text(&self) -> Option<&'static str> {
        self.default
    }

    /// Former spellings, accepted with a warning.
    pub fn deprecated(&self) -> &'static [&'static str] {
        self.deprecated
    }

    /// Names that Flink accepts as value and Weir does not, each with the reason.
    pub fn refused(&self) -> &'static [(&'static str, &'static str)] {
        self.refused
    }

    /// The process that reads the key.
    pub fn reader(&self) -> Reader {
        self.reader
    }

    /// Form of a value: `integer from 1 to 32768`, `one of STREAMING, BATCH`.
    pub fn expected(&self) -> String {
        match (self.names, self.at_least, self.at_most) {
            ([only], ..) => format!("the name {only}"),
            ([_, ..], ..) => format!("one of {}", self.names.join(", ")),
            ([], None, None) => self.type_name.to_owned(),
            ([], Some(least), None) => format!("{} of at least {least}", self.type_name),
            ([], None, Some(most)) => format!("{} of at most {most}", self.type_name),
            ([], Some(least), Some(most)) => format!("{} from {least} to {most}", self.type_name),
        }
    }

    /// The same as part of a sentence: `an integer from 1 to 32768`.
    pub(crate) fn expected_with_article(&self) -> String {
        let expected = self.expected();
        match expected.chars().next() {
            _ if !self.names.is_empty() => expected,
            Some('a' | 'e' | 'i' | 'o' | 'u') => format!("an {expected}"),
            _ => format!("a {expected}"),
        }
    }

    /// A value that is accepted.
    pub fn example(&self) -> &'static str {
        self.example.or(self.default).unwrap_or("")
    }

    /// Whether `text` is a value of this key; the error says what is wrong with it.
    pub(crate) fn check(&self, text: &str) -> Result<(), String> {
        (self.check)(self, text)
    }

    #[cfg(test)]
    pub(crate) fn bounds_are_values(&self) -> bool {
        let bounds = self.at_least.iter().chain(&self.at_most);
        bounds.into_iter().all(|bound| self.check(bound) == Ok(()))
    }
}

mod sealed {
    pub trait Sealed {}
}

/// A key of either kind.
pub trait Key: sealed::Sealed {
    /// The type of the values.
    type Value: ConfigValue;

    /// The definition.
    fn spec(&self) -> &KeySpec;
}

/// A key that always has a value, its default if nothing else is set.
#[derive(Debug)]
pub struct ConfigKey<T> {
    pub(crate) spec: KeySpec,
    value: PhantomData<fn() -> T>,
}

/// A key without a default: not set unless some layer sets it.
#[derive(Debug)]
pub struct OptionalKey<T> {
    pub(crate) spec: KeySpec,
    value: PhantomData<fn() -> T>,
}

impl<T> sealed::Sealed for ConfigKey<T> {}
impl<T> sealed::Sealed for OptionalKey<T> {}

impl<T: ConfigValue> Key for ConfigKey<T> {
    type Value = T;

    fn spec(&self) -> &KeySpec {
        &self.spec
    }
}

impl<T: ConfigValue> Key for OptionalKey<T> {
    type Value = T;

    fn spec(&self) -> &KeySpec {
        &self.spec
    }
}

impl<T: ConfigValue> ConfigKey<T> {
    pub(crate) const fn new(name: &'static str, default: &'static str) -> Self {
        let mut spec = KeySpec::new::<T>(name);
        spec.default = Some(default);
        Self { spec, value: PhantomData }
    }
}

impl<T: ConfigValue> OptionalKey<T> {
    pub(crate) const fn new(name: &'static str, example: &'static str) -> Self {
        let mut spec = KeySpec::new::<T>(name);
        spec.example = Some(example);
        Self { spec, value: PhantomData }
    }
}

/// Attributes that a table may add to either kind of key.
macro_rules! builder_methods {
    ($key:ident) => {
        impl<T> $key<T> {
            pub(crate) const fn doc(mut self, doc: &'static str) -> Self {
                self.spec.doc = doc;
                self
            }

            pub(crate) const fn read_by(mut self, reader: Reader) -> Self {
                self.spec.reader = reader;
                self
            }

            #[allow(dead_code, reason = "not every kind of key uses every part yet")]
            pub(crate) const fn at_least(mut self, text: &'static str) -> Self {
                self.spec.at_least = Some(text);
                self
            }

            #[allow(dead_code, reason = "not every kind of key uses every part yet")]
            pub(crate) const fn at_most(mut self, text: &'static str) -> Self {
                self.spec.at_most = Some(text);
                self
            }

            #[allow(dead_code, reason = "not every kind of key uses every part yet")]
            pub(crate) const fn deprecated(mut self, names: &'static [&'static str]) -> Self {
                self.spec.deprecated = names;
                self
            }
        }
    };
}

builder_methods!(ConfigKey);
builder_methods!(OptionalKey);

#[cfg(test)]
mod tests {
    use super::*;

    static SIZED: ConfigKey<u32> = ConfigKey::new("a.size", "4").at_least("1").at_most("8");

    #[test]
    fn values_outside_the_range_are_refused() {
        for (text, expect) in [
            ("1", Ok(())),
            ("8", Ok(())),
            ("0", Err("it is too small".to_owned())),
            ("9", Err("it is too large".to_owned())),
            ("x", Err("it is not a whole number".to_owned())),
        ] {
            assert_eq!(SIZED.spec.check(text), expect, "{text}");
        }
    }

    #[test]
    fn expectation_names_type_and_range() {
        let cases = [
            (KeySpec::new::<u32>("k"), "integer"),
            (OptionalKey::<u32>::new("k", "1").at_least("1").spec, "integer of at least 1"),
            (ConfigKey::<u32>::new("k", "1").at_most("9").spec, "integer of at most 9"),
            (
                ConfigKey::<u32>::new("k", "1").at_least("1").at_most("9").spec,
                "integer from 1 to 9",
            ),
            (KeySpec::new::<bool>("k"), "boolean"),
        ];
        for (spec, expect) in cases {
            assert_eq!(spec.expected(), expect);
        }
    }
}
