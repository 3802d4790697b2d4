//! A container in the resource manager: a lease on a node.
//!
//! ```text
//!  NEW ─▶ ALLOCATED ─told to its app master─▶ ACQUIRED ─reported─▶ RUNNING ─ends─▶ COMPLETED
//!             │                                  │                   │
//!             │                                  └─▶ STOPPING ◀──────┘
//!             │                                         │ its node reports that it does not run
//!             └────────────▶ RELEASED, EXPIRED, KILLED ◀┘
//! ```
//!
//! The states are YARN's, with one more, STOPPING: a revoked container occupies its resources until its node
//! reports that no process of it runs. So the containers on a node never exceed its resources.

use weir_base::{ContainerId, Monotonic, NodeId, Resources, invariant};
use weir_protocol::cluster::ContainerState as Reported;

/// The life cycle of a container.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ContainerLife {
    /// Created, not leased.
    New,
    /// Leased; the app master does not know of it yet.
    Allocated,
    /// The lease was sent to the app master, or the node was ordered to launch the container.
    Acquired,
    /// The node has reported it.
    Running,
    /// It was revoked; processes of it may still run.
    Stopping,
    /// Ended by itself, or with its node.
    Completed,
    /// Revoked because it was not started in time.
    Expired,
    /// Released by its app master.
    Released,
    /// Revoked by the resource manager.
    Killed,
}

use ContainerLife::{
    Acquired, Allocated, Completed, Expired, Killed, New, Released, Running, Stopping,
};

/// Every legal transition.
const EDGES: &[(ContainerLife, ContainerLife)] = &[
    (New, Allocated),
    // Found after a restart of the resource manager: stored, held by its app master, or running.
    (New, Acquired),
    (New, Running),
    (Allocated, Acquired),
    (Allocated, Completed),
    (Allocated, Expired),
    (Allocated, Released),
    (Allocated, Killed),
    (Acquired, Running),
    (Acquired, Stopping),
    (Acquired, Completed),
    (Running, Stopping),
    (Running, Completed),
    (Stopping, Expired),
    (Stopping, Released),
    (Stopping, Killed),
];

impl ContainerLife {
    /// Whether the transition from this state to `to` is legal.
    pub fn may_become(self, to: Self) -> bool {
        EDGES.contains(&(self, to))
    }

    /// Whether the state is final.
    pub fn is_terminal(self) -> bool {
        self >= Completed
    }

    /// The name that YARN uses.
    pub fn name(self) -> &'static str {
        match self {
            New => "NEW",
            Allocated => "ALLOCATED",
            Acquired => "ACQUIRED",
            Running => "RUNNING",
            Stopping => "STOPPING",
            Completed => "COMPLETED",
            Expired => "EXPIRED",
            Released => "RELEASED",
            Killed => "KILLED",
        }
    }
}

/// The revocation of a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stop {
    /// The terminal state.
    pub(crate) into: ContainerLife,
    pub(crate) exit_status: i32,
    pub(crate) diagnostics: String,
}

/// A lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Container {
    pub(crate) id: ContainerId,
    pub(crate) node: NodeId,
    pub(crate) resources: Resources,
    pub(crate) priority: u32,
    /// Id of the ask that it answers in this epoch.
    pub(crate) ask: Option<u32>,
    pub(crate) life: ContainerLife,
    /// Its app master is known to hold it.
    pub(crate) is_held: bool,
    /// The state that its node reported last.
    pub(crate) reported: Option<Reported>,
    pub(crate) stop: Option<Stop>,
    pub(crate) since: Monotonic,
    pub(crate) allocated_wall_ms: u64,
    pub(crate) started_wall_ms: Option<u64>,
    pub(crate) used_memory_mib: u64,
}

impl Container {
    pub(crate) fn new(id: ContainerId, node: NodeId, resources: Resources) -> Self {
        Self {
            id,
            node,
            resources,
            priority: 0,
            ask: None,
            life: New,
            is_held: false,
            reported: None,
            stop: None,
            since: Monotonic::default(),
            allocated_wall_ms: 0,
            started_wall_ms: None,
            used_memory_mib: 0,
        }
    }

    /// Changes the state. Panics if the transition is not legal.
    pub(crate) fn enter(&mut self, to: ContainerLife) {
        invariant!(self.life.may_become(to), "{}: {:?} to {to:?}", self.id, self.life);
        self.life = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_only_advance_and_terminal_states_are_final() {
        for &(from, to) in EDGES {
            assert!(!from.is_terminal() && from < to, "{from:?} to {to:?}");
        }
    }

    #[test]
    #[should_panic(expected = "Released to Running")]
    fn a_released_container_does_not_run() {
        let id = ContainerId::default();
        let mut container = Container::new(id, NodeId::default(), Resources::default());
        container.life = Released;
        container.enter(Running);
    }
}
