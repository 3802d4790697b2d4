//! The committer of sinks whose output is visible as soon as it is written.

use weir_dataflow::{Committer, Result};

/// Commits nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NothingToCommit;

impl Committer for NothingToCommit {
    type Committable = ();

    fn commit(&mut self, _committables: Vec<()>) -> Result<()> {
        Ok(())
    }
}
