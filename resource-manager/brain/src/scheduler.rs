//! The scheduler: a snapshot goes in, a plan comes out.
//!
//! A scheduler works on plain data and changes nothing. The resource manager carries out the plan and skips
//! stale placements. Each unplaced demand has a reason.

mod fifo;
mod give_way;
mod reason;
mod rooms;
#[cfg(test)]
mod tests;

pub use fifo::Fifo;
pub use give_way::GiveWay;
pub use reason::{Shortage, WaitReason};

use std::fmt::Debug;
use weir_base::{AttemptId, NodeId, Resources};

/// Decides which containers are leased on which nodes.
pub trait Scheduler: Debug + Send {
    /// The leases to grant now, and the reasons of the demands that wait.
    fn plan(&self, snapshot: &Snapshot) -> SchedulingPlan;

    /// The applications that give up their containers for the oldest waiting application. `None` if that
    /// would not help it, or if the resources that it needs will become free soon.
    fn give_way(&self, snapshot: &Snapshot) -> Option<GiveWay>;
}

/// The input of a scheduler.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    /// Nodes that take containers.
    pub nodes: Vec<NodeRoom>,
    /// Nodes that send heartbeats but take no containers.
    pub unhealthy_nodes: usize,
    /// Sorted by attempt, priority and key.
    pub demands: Vec<Demand>,
    pub app_masters: AppMasters,
    /// The leases of all attempts with a demand, without those that are being stopped. Sorted by attempt.
    pub holdings: Vec<Holding>,
}

/// Number and size of all active app masters that have a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AppMasters {
    pub count: usize,
    /// Sum of their containers.
    pub resources: Resources,
}

/// Resources that an attempt has leased on a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holding {
    pub attempt: AttemptId,
    pub node: NodeId,
    /// Includes the app master's container.
    pub resources: Resources,
}

/// A node that takes containers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeRoom {
    pub node: NodeId,
    pub total: Resources,
    pub free: Resources,
    /// Resources that will become free soon, because their containers are being stopped. Only
    /// [`Scheduler::give_way`] uses this field.
    pub ending: Resources,
}

/// Identifies a demand within its attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DemandKey {
    /// The container of the app master.
    AppMaster,
    /// The app master's ask with this id.
    Ask(u32),
}

/// A number of missing containers of one kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Demand {
    pub attempt: AttemptId,
    /// Lower numbers first.
    pub priority: u32,
    pub key: DemandKey,
    /// Size of each container.
    pub resources: Resources,
    pub missing: u64,
}

/// The output of a scheduler.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SchedulingPlan {
    /// Leases to grant, in order.
    pub placements: Vec<Placement>,
    /// Demands with containers that are not placed.
    pub waiting: Vec<Waiting>,
    /// The oldest attempt that waits for containers and for which the nodes are large enough.
    pub head: Option<AttemptId>,
}

/// One lease to grant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    pub attempt: AttemptId,
    pub key: DemandKey,
    pub node: NodeId,
    pub resources: Resources,
}

/// A demand with containers that are not placed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    pub attempt: AttemptId,
    pub key: DemandKey,
    pub reason: WaitReason,
}
