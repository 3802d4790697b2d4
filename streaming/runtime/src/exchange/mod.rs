//! How elements travel from task to task.
//!
//! ```text
//! task ─▶ ElementSender ─┬─ LocalSender ───────────────────────▶ Inbox ─▶ task   by pointer
//!                        └─ remote (net) ─ TCP, credit ─ decode ─▶ Inbox ─▶ task  by wire
//! ```
//!
//! Every task has one [`Inbox`] with a bounded queue per channel. A producer whose channel is
//! full parks; the time counts as backpressured. Control elements need no room.

pub mod inbox;

pub use inbox::{Delivery, Inbox, InboxLimits, LocalSender, QueuedElement, Received};

use crate::control::TaskControl;
use std::sync::Arc;
use weir_base::ExecutionAttempt;
use weir_dataflow::{Element, Error, Result};
use weir_graph::TaskId;

/// The producer's end of one channel.
pub trait ElementSender: Send {
    /// Hands an element over, waiting for room if it is a batch and there is none.
    ///
    /// # Errors
    /// [`weir_dataflow::Error::Cancelled`] when the producing task is told to stop meanwhile; an
    /// external error when the connection to the consumer is lost.
    fn send(&mut self, element: Element) -> Result<()>;
}

/// A channel between two subtasks, as both ends know it: with the attempts that fence it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ChannelAddress {
    /// Index of the job edge.
    pub edge: u32,
    /// Producing subtask and its deployment.
    pub producer: (TaskId, ExecutionAttempt),
    /// Consuming subtask and its deployment.
    pub consumer: (TaskId, ExecutionAttempt),
}

/// The consumer's end of a channel from another host.
pub struct RemoteInput {
    /// Which channel.
    pub address: ChannelAddress,
    /// Where its elements go.
    pub inbox: Arc<Inbox>,
    /// Index of the channel in the inbox.
    pub channel: usize,
    /// Called when the connection to the producer is lost before its end of input.
    pub on_lost: Box<dyn Fn(Error) + Send>,
}

/// The exchange between task hosts, as a task host uses it.
pub trait RemoteExchange: Send + Sync {
    /// Expects a producer to open this channel.
    fn register_input(&self, input: RemoteInput);

    /// Forgets every channel into a subtask.
    fn unregister(&self, consumer: (TaskId, ExecutionAttempt));

    /// Opens a channel to a subtask on another host; may block while connecting.
    fn open_output(
        &self,
        host: usize,
        address: ChannelAddress,
        control: Arc<TaskControl>,
    ) -> Result<Box<dyn ElementSender>>;
}
