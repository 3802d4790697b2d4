//! All keys, one file per area, and the search for a key by the name a user wrote.
//!
//! A key is one entry of a `keys!` table; its doc comment is also its text in
//! `docs/configuration.md`. Names are Flink's wherever Flink has one; ours begin with `weir.`.

mod application;
mod checkpointing;
mod cluster;
mod execution;
mod local;
mod parallelism;
mod restart;
mod task_manager;

pub use application::*;
pub use checkpointing::*;
pub use cluster::*;
pub use execution::*;
pub use local::*;
pub use parallelism::*;
pub use restart::*;
pub use task_manager::*;

use crate::error::Error;
use crate::foreign::{self, ForeignKey};
use crate::key::{KeySpec, Reader};
use crate::nearest::nearest;
use crate::origin::Origin;

/// Declares the keys of an area as statics, and `AREA` with all of them. A job reads a key unless
/// `(Reader)` behind its name says otherwise; `(Reader)` behind the title is that of all keys.
macro_rules! keys {
    (
        $title:literal ($reader:ident)
        $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $definition:expr;)+
    ) => {
        $crate::keys::keys! {
            $title
            $($(#[doc = $doc])+ $key ($reader): $type = $definition;)+
        }
    };
    (
        $title:literal
        $($(#[doc = $doc:literal])+ $key:ident $(($reader:ident))?: $type:ty = $definition:expr;)+
    ) => {
        $(
            $(#[doc = $doc])+
            pub static $key: $type = $definition
                .doc(concat!($($doc),+))
                $(.read_by($crate::key::Reader::$reader))?;
        )+

        pub(crate) static AREA: $crate::keys::Area =
            $crate::keys::Area { title: $title, keys: &[$(&$key.spec),+] };
    };
}
pub(crate) use keys;

/// Keys that belong together.
pub(crate) struct Area {
    /// The headline in the documentation.
    pub title: &'static str,
    /// The keys, in the order of the documentation.
    pub keys: &'static [&'static KeySpec],
}

/// Every area, in the order of the documentation.
pub(crate) static AREAS: &[&Area] = &[
    &parallelism::AREA,
    &execution::AREA,
    &checkpointing::AREA,
    &restart::AREA,
    &task_manager::AREA,
    &local::AREA,
    &application::AREA,
    &cluster::AREA,
];

/// The definitions of all keys.
pub fn all() -> impl Iterator<Item = &'static KeySpec> {
    AREAS.iter().flat_map(|area| area.keys).copied()
}

/// The definitions of the keys that a job reads: those that its program may set.
pub fn of_jobs() -> impl Iterator<Item = &'static KeySpec> {
    all().filter(|spec| spec.reader() == Reader::Job)
}

/// The key that a name written by a user means.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found {
    /// One of our keys.
    Known {
        /// The key.
        spec: &'static KeySpec,
        /// The former spelling that was used.
        deprecated: Option<&'static str>,
    },
    /// A key of Flink without meaning here.
    Foreign(&'static ForeignKey),
}

/// All names that can be written, each with its key.
fn names() -> impl Iterator<Item = (&'static str, Found)> {
    all()
        .flat_map(|spec| {
            let old = spec.deprecated().iter().map(move |name| (*name, Some(*name)));
            std::iter::once((spec.name(), None))
                .chain(old)
                .map(move |(name, deprecated)| (name, Found::Known { spec, deprecated }))
        })
        .chain(foreign::all().map(|key| (key.name, Found::Foreign(key))))
}

/// Finds the key of `name`; the error is the nearest known name.
pub(crate) fn find(name: &str) -> Result<Found, Option<&'static str>> {
    names().find(|(known, _)| matches(known, name, '.')).map(|(_, found)| found).ok_or_else(|| {
        let known = names().map(|(known, _)| known);
        nearest(name, known.filter(|known| !known.ends_with('*')))
    })
}

/// The same; the error says where the unknown name was written.
pub(crate) fn find_known(name: &str, origin: &Origin) -> Result<Found, Error> {
    find(name).map_err(|nearest| Error::UnknownKey {
        name: name.to_owned(),
        origin: origin.clone(),
        nearest,
    })
}

/// Finds the key of an environment variable from its name after the prefix.
pub(crate) fn find_variable(rest: &str) -> Result<Found, Option<String>> {
    let variables: Vec<(String, Found)> =
        names().map(|(name, found)| (variable(name), found)).collect();
    variables
        .iter()
        .find(|(known, _)| matches(known, rest, '_'))
        .map(|(_, found)| *found)
        .ok_or_else(|| {
            let known = variables.iter().map(|(known, _)| known.as_str());
            nearest(rest, known.filter(|known| !known.ends_with('*'))).map(str::to_owned)
        })
}

/// The name of the environment variable for a key, without the prefix.
pub(crate) fn variable(name: &str) -> String {
    name.chars()
        .map(|c| match c {
            '*' => '*',
            c if c.is_ascii_alphanumeric() => c.to_ascii_uppercase(),
            _ => '_',
        })
        .collect()
}

/// Whether `name` is `known`, or lies under it when `known` ends in `*`.
fn matches(known: &str, name: &str, separator: char) -> bool {
    match known.strip_suffix('*') {
        Some(head) => name.starts_with(head) || head.strip_suffix(separator) == Some(name),
        None => known == name,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_default_example_and_bound_is_a_value() {
        for spec in all() {
            assert!(!spec.doc().is_empty(), "{}", spec.name());
            assert_eq!(spec.check(spec.example()), Ok(()), "{}", spec.name());
            if let Some(default) = spec.default_text() {
                assert_eq!(spec.check(default), Ok(()), "{}", spec.name());
            }
            assert!(spec.bounds_are_values(), "{}", spec.name());
        }
    }

    #[test]
    fn names_and_variables_are_distinct() {
        let mut seen = BTreeMap::new();
        for (name, _) in names() {
            let previous = seen.insert(variable(name), name);
            assert_eq!(previous, None, "{name} has the same environment variable");
        }
        assert!(!seen.contains_key("DIR"), "WEIR_CONF_DIR names the folder of the file");
        for (name, _) in names() {
            let covering = names().filter(|(known, _)| matches(known, name, '.')).count();
            assert_eq!(covering, 1, "{name}");
        }
    }

    #[test]
    fn names_are_found_in_every_spelling() {
        let describe = |found: Found| match found {
            Found::Known { spec, deprecated: None } => spec.name().to_owned(),
            Found::Known { spec, deprecated: Some(old) } => format!("{old} -> {}", spec.name()),
            Found::Foreign(key) => format!("foreign {}", key.name),
        };
        for (name, expect) in [
            ("parallelism.default", "parallelism.default"),
            ("state.backend", "state.backend -> state.backend.type"),
            ("rest.port", "foreign rest.port"),
            ("akka.ask.timeout", "foreign akka.*"),
        ] {
            assert_eq!(find(name).map(describe).as_deref(), Ok(expect), "{name}");
            assert_eq!(
                find_variable(&variable(name)).map(describe).as_deref(),
                Ok(expect),
                "{name}"
            );
        }
        assert_eq!(find("paralelism.default").map(describe), Err(Some("parallelism.default")));
        assert_eq!(
            find_variable("PARALELISM_DEFAULT").map(describe),
            Err(Some("PARALLELISM_DEFAULT".to_owned()))
        );
    }
}
