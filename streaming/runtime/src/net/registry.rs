//! Which channels the tasks of this host expect, and which peers wait for them to.
//!
//! ```text
//! register_input ─┐                        ┌─ attach: the window goes to the producer
//!                 ├─ both ends agree? ─────┼─ refuse: a fence keeps the channel out
//! OpenChannel ────┘                        └─ wait: the consumer is not registered yet
//! ```
//!
//! The fence: a channel is let in only if it leads to a registered deployment, from the very
//! deployment of the producer that the consumer was told of. One for an older deployment of the
//! consumer is refused; one for a newer deployment waits for that to register.

use super::incoming::{Attachment, InChannel};
use crate::exchange::Inbox;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use weir_base::ExecutionAttempt;
use weir_graph::TaskId;
use weir_protocol::data::{ChannelEnds, CloseReason};

/// Told, on the thread of the network, that a channel will bring no more; must not block.
pub type LostHook = Box<dyn Fn(weir_dataflow::Error) + Send>;

/// Channels that may wait for their consumers at a time.
const MAX_WAITING: usize = 16 * 1024;

type Deployment = (TaskId, ExecutionAttempt);

/// The inputs of this host's tasks.
#[derive(Default)]
pub struct Registry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By consumer, then by edge and producing subtask.
    consumers: HashMap<Deployment, HashMap<(u32, TaskId), Input>>,
    /// The newest deployment of each consumer, and whether it has unregistered.
    newest: HashMap<TaskId, (ExecutionAttempt, bool)>,
    waiting: Vec<(ChannelEnds, Arc<InChannel>)>,
}

struct Input {
    producer: ExecutionAttempt,
    taker: Taker,
}

enum Taker {
    Free(Attachment),
    Attached(Arc<InChannel>),
}

enum Verdict {
    Attach,
    Wait,
    /// The consumer has ended: as with a closed inbox, its producers go on.
    Gone,
    Refuse(String),
}

impl Registry {
    /// Expects a channel that feeds channel `index` of the inbox.
    pub fn register(&self, ends: ChannelEnds, inbox: Arc<Inbox>, index: usize, on_lost: LostHook) {
        let mut state = self.lock();
        let (task, attempt) = ends.consumer;
        let newest = state.newest.entry(task).or_insert((attempt, false));
        if newest.0 < attempt {
            *newest = (attempt, false);
        }
        let taker = Taker::Free(Attachment::new(inbox, index, on_lost));
        let input = Input { producer: ends.producer.1, taker };
        let inputs = state.consumers.entry(ends.consumer).or_default();
        inputs.insert((ends.edge, ends.producer.0), input);
        for (ends, channel) in std::mem::take(&mut state.waiting) {
            state.settle(ends, channel);
        }
    }

    /// Closes all channels to a deployment and expects none any more.
    pub fn unregister(&self, consumer: Deployment) {
        let mut state = self.lock();
        let newest = state.newest.entry(consumer.0).or_insert((consumer.1, true));
        if newest.0 <= consumer.1 {
            *newest = (consumer.1, true);
        }
        let inputs = state.consumers.remove(&consumer).unwrap_or_default();
        for (ends, channel) in std::mem::take(&mut state.waiting) {
            state.settle(ends, channel);
        }
        drop(state);
        for input in inputs.into_values() {
            if let Taker::Attached(channel) = input.taker {
                channel.close(CloseReason::ConsumerGone);
            }
        }
    }

    /// A peer opens a channel.
    pub fn open(&self, ends: ChannelEnds, channel: Arc<InChannel>) {
        self.lock().settle(ends, channel);
    }

    /// Takes a channel off the waiting ones; whether it was among them.
    pub fn stop_waiting(&self, channel: &Arc<InChannel>) -> bool {
        let mut state = self.lock();
        let before = state.waiting.len();
        state.waiting.retain(|(_, other)| !Arc::ptr_eq(other, channel));
        state.waiting.len() < before
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn settle(&mut self, ends: ChannelEnds, channel: Arc<InChannel>) {
        match self.verdict(&ends) {
            Verdict::Attach => self.attach(&ends, channel),
            Verdict::Wait => self.waiting.push((ends, channel)),
            Verdict::Gone => channel.close(CloseReason::ConsumerGone),
            Verdict::Refuse(problem) => {
                channel.close(CloseReason::refused(&format!("{ends}: {problem}")));
            }
        }
    }

    fn verdict(&self, ends: &ChannelEnds) -> Verdict {
        let (task, attempt) = ends.consumer;
        let key = (ends.edge, ends.producer.0);
        let input = self.consumers.get(&ends.consumer).and_then(|inputs| inputs.get(&key));
        let problem = match (input, self.newest.get(&task)) {
            (Some(input), _) if input.producer != ends.producer.1 => {
                format!("the producer's attempt {} is expected", input.producer)
            }
            (Some(Input { taker: Taker::Attached(_), .. }), _) => "it is open already".to_owned(),
            (Some(_), _) => return Verdict::Attach,
            (None, Some((newest, _))) if *newest > attempt => {
                format!("the consumer is deployed anew as attempt {newest}")
            }
            (None, Some((newest, true))) if *newest == attempt => return Verdict::Gone,
            (None, _) if self.waiting.len() >= MAX_WAITING => {
                "too many channels wait for their consumers".to_owned()
            }
            (None, _) => return Verdict::Wait,
        };
        Verdict::Refuse(problem)
    }

    fn attach(&mut self, ends: &ChannelEnds, channel: Arc<InChannel>) {
        let inputs = self.consumers.get_mut(&ends.consumer);
        let input = inputs.and_then(|inputs| inputs.get_mut(&(ends.edge, ends.producer.0)));
        let Some(input) = input else { return };
        let taker = std::mem::replace(&mut input.taker, Taker::Attached(Arc::clone(&channel)));
        if let Taker::Free(attachment) = taker {
            channel.attach(attachment);
        }
    }
}
