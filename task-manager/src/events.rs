//! Events of a task manager. Threads send them, one loop handles them.

use weir_protocol::control::{self, ManagerOrder, Order};

/// One thing that happened.
#[derive(Debug)]
pub enum Event {
    /// The job master wants something.
    Order(Order<ManagerOrder>),
    /// The job master was lost, or sent an invalid message.
    Disconnected(Ending),
    /// A task host has ended; it is not reaped yet.
    HostExited(u32),
    /// The task manager is asked to end.
    Terminated,
}

/// How a connection ended.
#[derive(Debug)]
pub enum Ending {
    /// Closed, broken or silent.
    Lost(String),
    /// It carried nonsense.
    Damaged(control::Error),
}
