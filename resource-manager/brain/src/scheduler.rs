//! The scheduler: a snapshot of the cluster goes in, placements come out.
//!
//! A scheduler decides on plain data and changes nothing. The resource manager carries its plan out
//! and drops those that have become stale. Every demand that is not placed gets a reason.

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

/// Decides who gets what.
pub trait Scheduler: Debug + Send {
    /// The leases to make now, and the reasons for those that are not made.
    fn plan(&self, snapshot: &Snapshot) -> SchedulingPlan;

    /// The applications that give up their containers, so that the oldest waiting one gets its own.
    /// `None` when that would not help it, or when what it needs is about to become free.
    fn give_way(&self, snapshot: &Snapshot) -> Option<GiveWay>;
}

/// The nodes and the demands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    /// Nodes that take containers.
    pub nodes: Vec<NodeRoom>,
    /// Nodes that send heartbeats but take no containers.
    pub unhealthy_nodes: usize,
    /// Demands by attempt, priority and key.
    pub demands: Vec<Demand>,
    /// App masters that work.
    pub app_masters: AppMasters,
    /// Leases of attempts whose app master waits for containers, by attempt.
    pub holdings: Vec<Holding>,
}

/// App masters with a container.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AppMasters {
    pub count: usize,
    /// Resources of their containers.
    pub resources: Resources,
}

/// Leases of an attempt on a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holding {
    pub attempt: AttemptId,
    pub node: NodeId,
    /// How much, with its app master.
    pub resources: Resources,
}

/// A node that takes containers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeRoom {
    pub node: NodeId,
    /// Resources that it offers.
    pub total: Resources,
    /// Resources left for new leases.
    pub free: Resources,
    /// Resources about to become free: held by containers that are being stopped. A placement does not use them.
    pub ending: Resources,
}

/// Names a demand within its attempt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DemandKey {
    /// The container of the app master.
    AppMaster,
    /// An ask of the app master.
    Ask(u32),
}

/// Containers of one kind that are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Demand {
    pub attempt: AttemptId,
    /// Lower numbers first.
    pub priority: u32,
    /// The demand of the attempt.
    pub key: DemandKey,
    /// Resources of each container.
    pub resources: Resources,
    pub missing: u64,
}

/// The leases to make, and the demands that wait.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SchedulingPlan {
    /// Leases to give, in order.
    pub placements: Vec<Placement>,
    /// Demands that are not wholly placed.
    pub waiting: Vec<Waiting>,
    /// The oldest attempt that waits for containers which the nodes could hold.
    pub head: Option<AttemptId>,
}

/// One lease to give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Placement {
    pub attempt: AttemptId,
    /// For which demand.
    pub key: DemandKey,
    /// Where.
    pub node: NodeId,
    /// How much.
    pub resources: Resources,
}

/// A demand that is not wholly placed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    pub attempt: AttemptId,
    pub key: DemandKey,
    /// Why.
    pub reason: WaitReason,
}
