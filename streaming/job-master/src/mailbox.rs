//! Messages to the thread of the job master.

use crate::error::Error;
use weir_coordination::Input;

/// A letter to the job master. The mailbox is unbounded: an order to a task may cause a report on
/// the same thread, and a bounded one could then wait for itself. What is sent is control traffic
/// only, a few letters per task and checkpoint.
#[derive(Debug)]
pub(crate) enum Mail {
    /// For the brain.
    Input(Input),
    /// The shell cannot continue: one of its threads has panicked.
    Fatal(Error),
}
