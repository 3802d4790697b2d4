//! Where containers come from: the border to a resource manager, ours or another.

use std::fmt;
use weir_base::{ContainerId, Failure};
use weir_protocol::cluster::Lease;

/// Leases containers for task managers, all of one size. No call waits; results are reported by
/// [`LeaseEvent`]s.
pub trait Leases: Send + Sync {
    /// The number of containers requested since the last [`LeaseEvent::Registered`].
    fn ask(&self, total: u64);

    /// Start the task manager of a leased container, however many tries it takes.
    fn start(&self, container: ContainerId);

    /// Give a container back.
    fn release(&self, container: ContainerId);

    /// A container that is or was leased.
    fn of(&self, container: ContainerId) -> Option<Lease>;
}

/// Events from the resource manager.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LeaseEvent {
    /// This app master is registered, for the first time or again; requests are reset.
    Registered {
        /// The app master of an earlier attempt has asked for containers.
        earlier_attempt_asked: bool,
    },
    /// A container is ours.
    Leased(ContainerId),
    /// A container has ended.
    Completed(ContainerId, Failure),
    /// A container cannot be started.
    StartRefused(ContainerId, Failure),
    /// Why the ask waits; empty when it does not.
    AskWaits(String),
    /// The ask can never be met.
    AskRefused(Failure),
    /// This app master is to end.
    Shutdown(String),
}

impl fmt::Display for LeaseEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered { .. } => f.write_str("the resource manager knows this app master"),
            Self::Leased(container) => write!(f, "leased {container}"),
            Self::Completed(_, failure) => f.write_str(&failure.message),
            Self::StartRefused(_, failure) | Self::AskRefused(failure) => {
                write!(f, "{} [{}]", failure.message, failure.code)
            }
            Self::AskWaits(reason) if reason.is_empty() => f.write_str("no ask waits"),
            Self::AskWaits(reason) => write!(f, "an ask waits: {reason}"),
            Self::Shutdown(why) => f.write_str(why),
        }
    }
}
