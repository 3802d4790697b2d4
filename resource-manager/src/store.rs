//! The durable state of a resource manager: the facts from which its brain restarts, and the archived REST answers
//! of ended applications.
//!
//! ```text
//! start:   open ─▶ begin: a new epoch, all facts in the order in which they were persisted
//! run:     append ─▶ durable ─▶ input `Persisted` ─▶ the brain answers its caller
//! ```
//!
//! Only one thread ([`StoreThread`]) of one process uses a store at a time. Appended facts survive a crash of the
//! process or the machine.

mod sqlite;
mod thread;

pub use sqlite::SqliteStore;
pub use thread::StoreThread;

use crate::error::Error;
use weir_base::ApplicationId;
use weir_resource_manager_brain::Fact;

/// The stored state of earlier processes.
#[derive(Clone, PartialEq, Debug)]
pub struct Recovered {
    /// Time of the first start of the cluster, in milliseconds since 1970.
    pub cluster_timestamp: u64,
    /// Number of earlier starts of the resource manager.
    pub epoch: u32,
    /// All facts that were neither replaced nor forgotten, without archives, in the order in which they were
    /// persisted.
    pub facts: Vec<Fact>,
}

/// A store of facts.
pub trait Store: Send + 'static {
    /// Begins a new epoch. `cluster_timestamp` is stored only at the first start.
    ///
    /// # Errors
    /// The store is damaged or cannot be written.
    fn begin(&mut self, cluster_timestamp: u64) -> Result<Recovered, Error>;

    /// Appends facts in the current epoch, all or none. A fact replaces the earlier one with the same
    /// [`Fact::key`]. A fact that [`Fact::forgets`] an application deletes all other facts of the application.
    ///
    /// # Errors
    /// The facts cannot be written.
    fn append(&mut self, facts: &[Fact]) -> Result<(), Error>;

    /// The archived answer of an application for exactly this path.
    ///
    /// # Errors
    /// The archive cannot be read.
    fn archived(&mut self, application: ApplicationId, path: &str)
    -> Result<Option<String>, Error>;
}
