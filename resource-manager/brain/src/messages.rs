//! The inputs and effects of the brain. The messages of node agents and app masters are declared in
//! `weir_protocol::cluster`. A [`Ticket`] identifies a waiting caller. It is answered exactly once by
//! [`Effect::Reply`], at once or later.

mod application_spec;
mod fact;

pub use application_spec::ApplicationSpec;
pub use fact::{ApplicationOutcome, Fact};

use crate::Error;
use weir_base::{ApplicationId, ArtifactHash, Resources};
use weir_protocol::cluster::{
    Allocate, Allocated, AppMasterRegistered, FinishAppMaster, Lease, LeaveNode, NodeHeartbeat,
    NodeOrders, NodeRegistered, RegisterAppMaster, RegisterNode,
};

/// Identifies one waiting caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ticket(pub u64);

/// Identifies one [`Effect::Persist`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Token(pub u64);

/// A new lease. The shell adds the lease token, because only the shell has the key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantedLease {
    /// Id of the ask that it answers.
    pub ask: u32,
    pub lease: Lease,
}

/// An event for the brain. Late and repeated inputs are legal.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// The store has been read. This input comes first, and only once. Earlier callers are refused
    /// with [`Error::NotReady`].
    Start {
        /// Number of earlier starts, 0 for the first one. The shell has already stored it.
        epoch: u32,
        /// All stored facts, in the order in which they were persisted. [`Fact::Archived`] may be left out.
        facts: Vec<Fact>,
    },
    /// The facts of an [`Effect::Persist`] are durable.
    Persisted(Token),
    /// The facts of an [`Effect::Persist`] may not be durable.
    PersistFailed { token: Token, problem: String },
    /// A node joins. Answered by [`Reply::NodeRegistered`].
    RegisterNode { ticket: Ticket, register: RegisterNode },
    /// Answered by [`Reply::NodeOrders`], perhaps after `hold_ms`.
    NodeHeartbeat { ticket: Ticket, heartbeat: NodeHeartbeat },
    /// A node leaves the cluster; its containers have ended. Answered by [`Reply::NodeLeft`].
    NodeLeaves { ticket: Ticket, leave: LeaveNode },
    /// A client requests an application id. Answered by [`Reply::NewApplication`].
    NewApplication { ticket: Ticket },
    /// A client submits an application. The shell has checked that its artefacts exist. A repetition changes
    /// nothing. Answered by [`Reply::Submitted`] when the submission is durable.
    Submit { ticket: Ticket, submission: ApplicationSpec },
    /// A client kills an application. Answered by [`Reply::Kill`].
    Kill {
        ticket: Ticket,
        application: ApplicationId,
        /// Reason and user, for display.
        diagnostics: String,
    },
    /// An app master begins. Answered by [`Reply::AppMasterRegistered`].
    RegisterAppMaster {
        ticket: Ticket,
        /// The shell has checked the token of the attempt.
        register: RegisterAppMaster,
    },
    /// An app master reports what it holds and asks for containers. Answered by [`Reply::Allocated`], perhaps
    /// after `hold_ms`.
    Allocate {
        ticket: Ticket,
        /// The shell has checked the token of the attempt.
        allocate: Allocate,
    },
    /// An app master ends. Answered by [`Reply::AppMasterFinished`] when its end is durable.
    FinishAppMaster {
        ticket: Ticket,
        /// The shell has checked the token of the attempt.
        finish: FinishAppMaster,
    },
}

/// An action for the shell. The shell performs the effects in order.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Make these facts durable in this order, all or none, then send [`Input::Persisted`] or
    /// [`Input::PersistFailed`]. There is at most one at a time. See [`Fact`] for how a store keeps facts.
    Persist { token: Token, facts: Vec<Fact> },
    /// Answer a waiting caller.
    Reply { ticket: Ticket, reply: Result<Reply, Error> },
    /// Only ended applications use these artefacts: they may be deleted, now or later. Check
    /// [`ResourceManager::uses_artifact`] again before a later deletion.
    ///
    /// [`ResourceManager::uses_artifact`]: crate::ResourceManager::uses_artifact
    ArtifactsUnused(Vec<ArtifactHash>),
}

/// The answer to a waiting caller.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    NodeRegistered(NodeRegistered),
    NodeOrders(NodeOrders),
    /// The node is no longer part of the cluster.
    NodeLeft,
    /// An id for one submission.
    NewApplication {
        application: ApplicationId,
        /// The resources of the largest node; zero when there is no node.
        largest_node: Resources,
    },
    /// The submission is durable.
    Submitted(ApplicationId),
    /// The application is being killed, or had ended before.
    Kill {
        had_ended: bool,
    },
    AppMasterRegistered(AppMasterRegistered),
    Allocated(Allocated<GrantedLease>),
    /// The end of the app master is durable: it may exit.
    AppMasterFinished,
}
