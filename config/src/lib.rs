//! Layered configuration: typed keys, where their values come from, and what is wrong with them.
//!
//! A value is looked for in four layers, the later one winning:
//!
//! ```text
//! embedded default  <  file (weir.yaml)  <  environment (WEIR_CONF_...)  <  -D key=value
//! ```
//!
//! Every key is defined once, in a table under [`keys`]: name, type, default, range, former
//! spellings and the sentence that documents it. Parsing, error texts, `docs/configuration.md` and
//! the sample `conf/weir.yaml` all come from that definition.
//!
//! What always holds: a [`Config`] contains only known keys with values that parse and lie in
//! range, so reading from it cannot fail. Keys of Flink that mean nothing here yield a
//! [`Warning`]; any other unknown key is an [`Error`].
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

mod builder;
mod config;
pub mod docs;
mod effective;
mod error;
mod file;
#[cfg(test)]
mod flink_page;
mod foreign;
mod key;
pub mod keys;
mod nearest;
mod value;

pub use builder::{CONF_DIR_VARIABLE, ConfigBuilder, FILE_NAME, VARIABLE_PREFIX};
pub use config::Config;
pub use effective::RestartStrategy;
pub use error::{BadValue, Error, Origin, Warning};
pub use key::{ConfigKey, Key, KeySpec, OptionalKey};
pub use nearest::nearest;
pub use value::{ConfigValue, MemorySize};
