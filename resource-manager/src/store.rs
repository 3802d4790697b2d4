//! What outlives a resource manager: the facts by which its brain begins again, and what the pages of
//! ended applications showed.
//!
//! ```text
//! start:   open ─▶ begin: a new epoch, all facts in the order they were persisted
//! run:     append ─▶ on disk ─▶ the brain gets to know, and only then answers its caller
//! ```
//!
//! A store is used by one thread ([`StoreThread`]) and by one process at a time. What it has appended
//! is on disk and stays there through a crash of process or machine.

mod sqlite;
mod thread;

pub use sqlite::SqliteStore;
pub use thread::StoreThread;

use crate::error::Error;
use weir_base::ApplicationId;
use weir_resource_manager_brain::Fact;

/// Data of earlier processes in a store.
#[derive(Clone, PartialEq, Debug)]
pub struct Recovered {
    /// When the cluster was first started, in milliseconds since 1970.
    pub cluster_timestamp: u64,
    /// Starts of the resource manager before this one.
    pub epoch: u32,
    /// Every fact that was neither replaced nor forgotten, without archives, in the order in which they
    /// were persisted.
    pub facts: Vec<Fact>,
}

/// Keeps facts.
pub trait Store: Send + 'static {
    /// Begins a new epoch. `cluster_timestamp` counts when there was none before.
    ///
    /// # Errors
    /// The store is damaged or cannot be written.
    fn begin(&mut self, cluster_timestamp: u64) -> Result<Recovered, Error>;

    /// Appends facts, all of them or none, under the epoch begun. A fact replaces the one of the same
    /// [`Fact::key`]; one that [`Fact::forgets`] an application takes all others of it away.
    ///
    /// # Errors
    /// They cannot be written.
    fn append(&mut self, facts: &[Fact]) -> Result<(), Error>;

    /// The answer of an application's archive under exactly this path.
    ///
    /// # Errors
    /// It cannot be read.
    fn archived(&mut self, application: ApplicationId, path: &str)
    -> Result<Option<String>, Error>;
}
