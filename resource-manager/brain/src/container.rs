//! A container as the resource manager knows it: a lease on a node.
//!
//! ```text
//!  NEW ─▶ ALLOCATED ─told to its app master─▶ ACQUIRED ─reported─▶ RUNNING ─ends─▶ COMPLETED
//!             │                                  │                   │
//!             │                                  └─▶ STOPPING ◀──────┘
//!             │                                         │ its node says that nothing of it runs
//!             └────────────▶ RELEASED, EXPIRED, KILLED ◀┘
//! ```
//!
//! As in YARN, with STOPPING: a released container holds its resources until its node
//! says that nothing of it runs, so that a node never runs more than it offers.

use weir_base::{ContainerId, Monotonic, NodeId, Resources, invariant};
use weir_protocol::cluster::ContainerState as Reported;

/// State of a container.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ContainerLife {
    /// Nothing yet.
    New,
    /// Leased; not yet reported to its app master.
    Allocated,
    /// Reported to its app master, or its node was ordered to launch it.
    Acquired,
    /// Its node has reported it.
    Running,
    /// It was released; processes of it may still run.
    Stopping,
    /// Ended by itself, or with its node.
    Completed,
    /// Released because it was not started in time.
    Expired,
    /// Given back.
    Released,
    /// Released.
    Killed,
}

use ContainerLife::{
    Acquired, Allocated, Completed, Expired, Killed, New, Released, Running, Stopping,
};

/// Every legal edge.
const EDGES: &[(ContainerLife, ContainerLife)] = &[
    (New, Allocated),
    // Found by a restarted resource manager: stored, or held by its app master, or running.
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
    /// Whether a container may go from one state to the other.
    pub fn may_become(self, to: Self) -> bool {
        EDGES.contains(&(self, to))
    }

    /// Whether nothing follows.
    pub fn is_terminal(self) -> bool {
        self >= Completed
    }

    /// As YARN spells it.
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

/// Why a container is released.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stop {
    /// Its final state.
    pub(crate) into: ContainerLife,
    /// The exit status it gets.
    pub(crate) exit_status: i32,
    /// Text for the user.
    pub(crate) diagnostics: String,
}

/// A lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Container {
    pub(crate) id: ContainerId,
    pub(crate) node: NodeId,
    pub(crate) resources: Resources,
    pub(crate) priority: u32,
    /// The ask it answers in this epoch.
    pub(crate) ask: Option<u32>,
    pub(crate) life: ContainerLife,
    /// It was reported to its app master.
    pub(crate) is_held: bool,
    /// How its node reported it last.
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

    /// Changes to another state.
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
