//! The types a key may have, each with its reading and writing of text.
//!
//! Writing gives a text that reads back to the same value. Durations and sizes are spelled as in
//! Flink (`10 s`, `64mb`). Enums are declared with `config_enum!`: names are matched without
//! regard to case, and `_` counts as `-`.

use std::fmt;
use std::time::Duration;

use weir_base::{ParseShareError, Share, units};

/// A type that a configuration key may have.
pub trait ConfigValue: Sized + PartialOrd + 'static {
    /// Name of the type in documentation and errors.
    const TYPE_NAME: &'static str;

    /// All accepted texts, when they can be listed.
    const NAMES: &'static [&'static str] = &[];

    /// Names that Flink knows and Weir refuses, with the reason.
    const REFUSED: &'static [(&'static str, &'static str)] = &[];

    /// Reads a value; the error says what is wrong with `text`, in lower case.
    fn parse(text: &str) -> Result<Self, String>;

    /// Writes the value so that [`ConfigValue::parse`] reads it back.
    fn to_text(&self) -> String;
}

macro_rules! integer {
    ($($type:ty),+) => {$(
        impl ConfigValue for $type {
            const TYPE_NAME: &'static str = "integer";

            fn parse(text: &str) -> Result<Self, String> {
                use std::num::IntErrorKind::{NegOverflow, PosOverflow};
                text.trim().parse().map_err(|error: std::num::ParseIntError| {
                    match error.kind() {
                        PosOverflow => "it is too large",
                        NegOverflow => "it is too small",
                        _ => "it is not a whole number",
                    }
                    .to_owned()
                })
            }

            fn to_text(&self) -> String {
                self.to_string()
            }
        }
    )+};
}

integer!(u32, u64);

impl ConfigValue for Share {
    const TYPE_NAME: &'static str = "share above 0 and up to 1";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|error: ParseShareError| error.to_string())
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl ConfigValue for f64 {
    const TYPE_NAME: &'static str = "number";

    fn parse(text: &str) -> Result<Self, String> {
        let number = text.trim().parse().ok().filter(|number: &Self| number.is_finite());
        number.ok_or_else(|| "it is not a number".to_owned())
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl ConfigValue for bool {
    const TYPE_NAME: &'static str = "boolean";

    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_lowercase();
        text.parse().map_err(|_| "it is neither true nor false".to_owned())
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

impl ConfigValue for String {
    const TYPE_NAME: &'static str = "string";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn to_text(&self) -> String {
        self.clone()
    }
}

impl ConfigValue for Duration {
    const TYPE_NAME: &'static str = "duration";

    fn parse(text: &str) -> Result<Self, String> {
        units::parse_duration(text).map_err(|error| error.to_string())
    }

    fn to_text(&self) -> String {
        units::format_duration(*self)
    }
}

/// An amount of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemorySize {
    size_bytes: u64,
}

impl MemorySize {
    /// A size in bytes.
    pub const fn from_bytes(size_bytes: u64) -> Self {
        Self { size_bytes }
    }

    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        self.size_bytes
    }
}

impl fmt::Display for MemorySize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&units::format_size(self.size_bytes))
    }
}

impl ConfigValue for MemorySize {
    const TYPE_NAME: &'static str = "memory size";

    fn parse(text: &str) -> Result<Self, String> {
        units::parse_size_bytes(text).map(Self::from_bytes).map_err(|error| error.to_string())
    }

    fn to_text(&self) -> String {
        self.to_string()
    }
}

/// The names of an enum's values: all spellings of each, the first being the one written.
pub(crate) type Names<T> = [(&'static [&'static str], T)];

/// Finds the value that `text` names.
pub(crate) fn find_name<T: Copy>(
    text: &str,
    names: &Names<T>,
    refused: &[(&str, &str)],
) -> Result<T, String> {
    let same = |name: &str| {
        let plain = |text: &str| text.trim().to_lowercase().replace('_', "-");
        plain(name) == plain(text)
    };
    if let Some((_, value)) = names.iter().find(|(names, _)| names.iter().any(|name| same(name))) {
        return Ok(*value);
    }
    match refused.iter().find(|(name, _)| same(name)) {
        Some((_, reason)) => Err((*reason).to_owned()),
        None => Err("there is no such name".to_owned()),
    }
}

/// Declares an enum that is a configuration value.
macro_rules! config_enum {
    (
        $(#[$meta:meta])*
        pub enum $type:ident {
            $($(#[$value_meta:meta])* $value:ident = $first:literal $(| $other:literal)*,)+
        }
        refused {$($refused:literal => $reason:literal,)*}
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type {
            $($(#[$value_meta])* $value,)+
        }

        impl $crate::value::ConfigValue for $type {
            const TYPE_NAME: &'static str = "name";
            const NAMES: &'static [&'static str] = &[$($first, $($other,)*)+];
            const REFUSED: &'static [(&'static str, &'static str)] = &[$(($refused, $reason),)*];

            fn parse(text: &str) -> Result<Self, String> {
                let names = &[$((&[$first $(, $other)*] as &[&str], Self::$value),)+];
                $crate::value::find_name(text, names, Self::REFUSED)
            }

            fn to_text(&self) -> String {
                match self {
                    $(Self::$value => $first,)+
                }
                .to_owned()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::value::ConfigValue::to_text(self))
            }
        }
    };
}
pub(crate) use config_enum;

#[cfg(test)]
mod tests {
    use super::*;

    config_enum! {
        /// A test's enum.
        pub enum Speed {
            /// Default.
            VeryFast = "VERY_FAST" | "fast",
            /// Other.
            Slow = "SLOW",
        }
        refused {
            "WARP" => "there is no warp drive yet",
        }
    }

    fn problem<T: ConfigValue + std::fmt::Debug>(text: &str) -> String {
        T::parse(text).expect_err(text)
    }

    #[test]
    fn names_are_matched_without_case_and_underscore() {
        for text in ["VERY_FAST", "very-fast", "Very_Fast", " Fast "] {
            assert_eq!(Speed::parse(text), Ok(Speed::VeryFast), "{text}");
        }
        assert_eq!(Speed::VeryFast.to_text(), "VERY_FAST");
        assert_eq!(Speed::Slow.to_string(), "SLOW");
        assert_eq!(problem::<Speed>("warp"), "there is no warp drive yet");
        assert_eq!(problem::<Speed>("still"), "there is no such name");
    }

    #[test]
    fn values_written_read_back() {
        fn round_trip<T: ConfigValue + std::fmt::Debug>(value: T) {
            assert_eq!(T::parse(&value.to_text()).as_ref(), Ok(&value));
        }
        round_trip(u32::MAX);
        round_trip(u64::MAX);
        round_trip(1.5);
        round_trip(f64::MAX);
        round_trip(true);
        assert_eq!(bool::parse(" False "), Ok(false));
        round_trip("a = b; c".to_owned());
        round_trip(Duration::from_micros(1_500));
        round_trip(MemorySize::from_bytes(32 << 10));
        round_trip(Speed::Slow);
    }

    #[test]
    fn problems_say_what_is_wrong() {
        assert_eq!(problem::<u32>("four"), "it is not a whole number");
        assert_eq!(problem::<u32>("5000000000"), "it is too large");
        for text in ["NaN", "inf", "1,5", ""] {
            assert_eq!(problem::<f64>(text), "it is not a number", "{text}");
        }
        assert_eq!(problem::<bool>("yes"), "it is neither true nor false");
        assert!(problem::<Duration>("3 fortnights").contains("fortnights"));
        assert!(problem::<MemorySize>("much").contains("whole number"));
    }
}
