//! Layered configuration: typed keys, where their values come from, and what is wrong with them.
//!
//! A value is looked for in five layers, the later one winning:
//!
//! ```text
//! embedded default  <  file (weir.yaml)  <  environment (WEIR_CONF_...)  <  -D key=value  <  code
//! ```
//!
//! A flag of its own, such as `-p`, wins over `-D` and loses against code. Each value keeps its
//! [`Origin`], also as JSON between processes. A key that is read before the code of a program
//! runs, or by a daemon, cannot be set in code: see [`Reader`].
//!
//! Every key is defined once, in a table under [`keys`]: name, type, default, range, former
//! spellings and the sentence that documents it. Parsing, error texts, `docs/configuration.md` and
//! the sample `conf/weir.yaml` all come from that definition.
//!
//! Invariant: a [`Config`] contains only known keys with values that parse and lie in
//! range, so reading from it cannot fail. A key of Flink that means nothing here yields a
//! [`Warning`], or an [`Error`] where ignoring it could lose state; any other unknown key is an
//! [`Error`].
//!
//! ```
//! use weir_config::{keys, ConfigBuilder};
//!
//! let (config, warnings) = ConfigBuilder::new()
//!     .env([("WEIR_CONF_PARALLELISM_DEFAULT", "2")])
//!     .dynamic("parallelism.default=4")
//!     .dynamic("execution.checkpointing.interval=10 s")
//!     .build()?;
//! assert_eq!(config.get(&keys::PARALLELISM_DEFAULT), 4);
//! assert!(config.get_optional(&keys::CHECKPOINTING_INTERVAL).is_some());
//! assert!(warnings.is_empty());
//! # Ok::<(), weir_config::Error>(())
//! ```
//!
//! This crate reads files and nothing else: no sockets, no threads, no process-wide state. The
//! environment is handed in by the caller.

#![warn(missing_docs)]

mod builder;
mod config;
pub mod docs;
mod effective;
mod error;
mod file;
#[cfg(test)]
mod flink_page;
mod folder;
mod foreign;
mod key;
pub mod keys;
mod nearest;
mod origin;
mod progress;
mod value;

pub use builder::{CONF_DIR_VARIABLE, ConfigBuilder, FILE_NAME, VARIABLE_PREFIX};
pub use config::{Config, Setting};
pub use error::{BadValue, Error, Warning};
pub use folder::Folder;
pub use key::{ConfigKey, Key, KeySpec, OptionalKey, Reader};
pub use nearest::nearest;
pub use origin::Origin;
pub use progress::ProgressStyle;
pub use value::{ConfigValue, MemorySize};
