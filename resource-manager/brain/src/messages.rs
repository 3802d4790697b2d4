//! The inputs and effects of the brain. What nodes and app masters send and get is declared in
//! `weir_protocol::cluster`. A caller that waits is named by a [`Ticket`], which is answered exactly once by
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

/// Names one waiting caller.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Ticket(pub u64);

/// Names one [`Effect::Persist`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Token(pub u64);

/// A new lease. The shell, which has the key, adds its token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantedLease {
    /// The ask that it answers.
    pub ask: u32,
    pub lease: Lease,
}

/// An event. Late and repeated ones are legal.
#[derive(Clone, PartialEq, Debug)]
pub enum Input {
    /// The store was read: the first input, and the only one of its kind. Callers that come before
    /// are refused with [`Error::NotReady`].
    Start {
        /// Number of starts before this one, 0 for the first; the shell has stored it already.
        epoch: u32,
        /// Every fact kept, in the order in which they were persisted. Of [`Fact::Archived`] none
        /// is needed.
        facts: Vec<Fact>,
    },
    /// The facts of an [`Effect::Persist`] are durable.
    Persisted(Token),
    /// They are not, or it is not known.
    PersistFailed {
        token: Token,
        /// Reason as text for the user.
        problem: String,
    },
    /// A node joins. Answered by [`Reply::NodeRegistered`].
    RegisterNode { ticket: Ticket, register: RegisterNode },
    /// Answered by [`Reply::NodeOrders`], perhaps after `hold_ms`.
    NodeHeartbeat { ticket: Ticket, heartbeat: NodeHeartbeat },
    /// A node leaves the cluster, its containers have ended. Answered by [`Reply::NodeLeft`].
    NodeLeaves { ticket: Ticket, leave: LeaveNode },
    /// A client wants an id. Answered by [`Reply::NewApplication`].
    NewApplication { ticket: Ticket },
    /// A client submits; the shell has seen that its artefacts are there. Repeating it changes
    /// nothing. Answered by [`Reply::Submitted`] when it is stored.
    Submit { ticket: Ticket, submission: ApplicationSpec },
    /// A client wants an application dead. Answered by [`Reply::Kill`].
    Kill {
        ticket: Ticket,
        application: ApplicationId,
        /// Reason and user, as text.
        diagnostics: String,
    },
    /// An app master begins. Answered by [`Reply::AppMasterRegistered`].
    RegisterAppMaster {
        ticket: Ticket,
        /// The shell has checked the token of the attempt.
        register: RegisterAppMaster,
    },
    /// An app master says what it has and wants. Answered by [`Reply::Allocated`], perhaps after
    /// `hold_ms`.
    Allocate {
        ticket: Ticket,
        /// The shell has checked the token of the attempt.
        allocate: Allocate,
    },
    /// An app master ends. Answered by [`Reply::AppMasterFinished`] when this is stored.
    FinishAppMaster {
        ticket: Ticket,
        /// The shell has checked the token of the attempt.
        finish: FinishAppMaster,
    },
}

/// An effect that the shell has to carry out, in order.
#[derive(Clone, PartialEq, Debug)]
pub enum Effect {
    /// Make these facts durable, all or none, then say [`Input::Persisted`] or
    /// [`Input::PersistFailed`]. One is under way at a time. See [`Fact`] for how they are kept.
    Persist {
        token: Token,
        /// The facts, in order.
        facts: Vec<Fact>,
    },
    /// Answer a waiting caller.
    Reply {
        ticket: Ticket,
        /// The answer.
        reply: Result<Reply, Error>,
    },
    /// No application that has not ended uses these any more: they may be deleted, at once or
    /// later. Before deleting one later ask [`ResourceManager::uses_artifact`] again.
    ///
    /// [`ResourceManager::uses_artifact`]: crate::ResourceManager::uses_artifact
    ArtifactsUnused(Vec<ArtifactHash>),
}

/// The answer to a waiting caller.
#[derive(Clone, PartialEq, Debug)]
pub enum Reply {
    NodeRegistered(NodeRegistered),
    /// Orders to the node.
    NodeOrders(NodeOrders),
    /// The node is out.
    NodeLeft,
    /// An id, good for one submission.
    NewApplication {
        application: ApplicationId,
        /// The largest node; nothing when there is none.
        largest_node: Resources,
    },
    /// The application is stored.
    Submitted(ApplicationId),
    /// The application is being killed, or had ended.
    Kill {
        /// Nothing was left to do.
        had_ended: bool,
    },
    AppMasterRegistered(AppMasterRegistered),
    /// Answer to an allocate request.
    Allocated(Allocated<GrantedLease>),
    /// The end is stored: the app master may exit.
    AppMasterFinished,
}
