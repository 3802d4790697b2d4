//! A task on the bench: channels that are filled by hand, a core that is stepped by hand, and what
//! it sends. Every element that leaves is checked against the grammar of channels.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};
use weir_base::{CheckpointId, ExecutionAttempt, Now, OperatorId};
use weir_dataflow::{
    Barrier, Batch, Element, ElementGrammar, Operator, RestoredState, Result, SubtaskInfo,
};
use weir_graph::{KeyGroupRange, Partitioning};
use weir_runtime::control::TaskControl;
use weir_runtime::{
    OperatorMetrics,
    exchange::ElementSender,
    task::{
        chain::{Chain, Link, Target},
        core::{TaskCore, TaskEvent},
        gate::InputGate,
        writer::{BufferTimeout, OutputWriter, WriterParts},
    },
};
use weir_state::TaskSnapshot;

pub const MAX_PARALLELISM: u32 = 16;

/// What left a task, in a form to compare.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sent {
    Records(Vec<(u64, u64)>),
    Barrier(u64),
    BarrierCancelled(u64),
    EndOfData,
    EndOfInput,
    Other(String),
}

/// A channel behind the task.
#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<(ElementGrammar, Vec<Sent>)>>);

impl Output {
    pub fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut self.0.lock().expect("whole").1)
    }
}

impl ElementSender for Output {
    fn send(&mut self, element: Element) -> Result<()> {
        let (grammar, sent) = &mut *self.0.lock().expect("whole");
        grammar.check(&element).expect("only what the grammar allows is sent");
        sent.push(match element {
            Element::Batch(batch) => Sent::Records(batch.into_records()?),
            Element::Barrier(Barrier { checkpoint }) => Sent::Barrier(checkpoint.0),
            Element::BarrierCancelled(checkpoint) => Sent::BarrierCancelled(checkpoint.0),
            Element::EndOfData => Sent::EndOfData,
            Element::EndOfInput => Sent::EndOfInput,
            other => Sent::Other(format!("{other:?}")),
        });
        Ok(())
    }
}

/// A chain of operators, each feeding the next, the last one the output.
pub fn chain_of(
    operators: Vec<Box<dyn Operator>>,
    output: &Output,
    timeout: BufferTimeout,
) -> Chain {
    let last = operators.len() - 1;
    let link = |(position, operator): (usize, Box<dyn Operator>)| Link {
        info: SubtaskInfo {
            job: weir_base::JobId::of_text("bench"),
            job_name: "bench".to_owned(),
            operator: OperatorId::of_text(&position.to_string()),
            operator_name: format!("operator {position}"),
            subtask: 0,
            parallelism: 1,
            max_parallelism: MAX_PARALLELISM,
            key_groups: KeyGroupRange::of_subtask(MAX_PARALLELISM, 1, 0),
            attempt: ExecutionAttempt(1),
            waker: Arc::new(|| {}),
        },
        operator,
        targets: vec![if position == last {
            Target::Writer(0)
        } else {
            Target::Operator { position: position + 1, input: 0 }
        }],
        metrics: Arc::new(OperatorMetrics::default()),
    };
    let writer = OutputWriter::new(WriterParts {
        partitioning: Partitioning::Forward,
        senders: vec![Box::new(output.clone())],
        hasher: None,
        max_parallelism: MAX_PARALLELISM,
        first_channel: 0,
        timeout,
    });
    Chain::new(operators.into_iter().enumerate().map(link).collect(), vec![writer])
}

/// A core with so many channels into input 0.
pub fn core_of(channels: usize, operators: Vec<Box<dyn Operator>>, output: &Output) -> TaskCore {
    let chain = chain_of(operators, output, BufferTimeout::OnlyFull);
    core_with(channels, chain, TaskControl::new())
}

fn core_with(channels: usize, chain: Chain, control: Arc<TaskControl>) -> TaskCore {
    let key_groups = KeyGroupRange::of_subtask(MAX_PARALLELISM, 1, 0);
    TaskCore::new(chain, InputGate::new(vec![0; channels]), key_groups, MAX_PARALLELISM, control)
}

pub fn records(records: &[(u64, u64)]) -> Element {
    Element::Batch(Batch::of(records.to_vec()))
}

pub fn barrier(checkpoint: u64) -> Element {
    Element::Barrier(Barrier { checkpoint: CheckpointId(checkpoint) })
}

/// A task with its channels.
pub struct Bench {
    pub core: TaskCore,
    pub control: Arc<TaskControl>,
    /// What the clocks show.
    pub now: Now,
    pub output: Output,
    channels: Vec<VecDeque<Element>>,
    pub blocked: BTreeSet<usize>,
    pub snapshots: Vec<(u64, TaskSnapshot)>,
    pub events: Vec<TaskEvent>,
}

impl Bench {
    /// A task that sends only full batches.
    pub fn new(channels: usize, operators: Vec<Box<dyn Operator>>) -> Self {
        Self::with_timeout(channels, operators, BufferTimeout::OnlyFull)
    }

    pub fn with_timeout(
        channels: usize,
        operators: Vec<Box<dyn Operator>>,
        timeout: BufferTimeout,
    ) -> Self {
        let output = Output::default();
        let control = TaskControl::new();
        let chain = chain_of(operators, &output, timeout);
        let mut core = core_with(channels, chain, Arc::clone(&control));
        core.open(|_| RestoredState::default()).expect("it opens");
        Self {
            core,
            control,
            now: Now::default(),
            output,
            channels: (0..channels).map(|_| VecDeque::new()).collect(),
            blocked: BTreeSet::new(),
            snapshots: Vec::new(),
            events: Vec::new(),
        }
    }

    /// Puts an element into a channel.
    pub fn push(&mut self, channel: usize, element: Element) {
        self.channels[channel].push_back(element);
    }

    /// Channels that have something which may be taken.
    pub fn ready(&self) -> Vec<usize> {
        let ready = |channel: &usize| {
            !self.blocked.contains(channel) && !self.channels[*channel].is_empty()
        };
        (0..self.channels.len()).filter(ready).collect()
    }

    /// Handles the next element of a channel.
    pub fn take(&mut self, channel: usize) {
        assert!(!self.blocked.contains(&channel), "a blocked channel is left alone");
        let element = self.channels[channel].pop_front().expect("something is there");
        self.core.on_element(channel, element, self.now).expect("it is handled");
        self.note_events();
    }

    /// Goes on with a cut batch until it is used up.
    pub fn finish_batch(&mut self) {
        while self.core.has_pending() {
            self.core.step_pending(self.now).expect("it is handled");
        }
        self.note_events();
    }

    /// Encodes one slice of a running snapshot; false when there is none.
    pub fn step_snapshot(&mut self) -> bool {
        let more = self.core.step_snapshot().expect("it is encoded");
        self.note_events();
        more
    }

    /// Takes whatever is ready, channel by channel, until nothing is.
    pub fn run_dry(&mut self) {
        while let Some(channel) = self.ready().first() {
            self.take(*channel);
            self.finish_batch();
            while self.step_snapshot() {}
        }
    }

    pub fn note_events(&mut self) {
        for event in self.core.take_events() {
            match event {
                TaskEvent::Block(channel) => assert!(self.blocked.insert(channel)),
                TaskEvent::Unblock(channel) => assert!(self.blocked.remove(&channel)),
                TaskEvent::SnapshotTaken(checkpoint, snapshot) => {
                    self.snapshots.push((checkpoint.0, snapshot));
                }
                event => self.events.push(event),
            }
        }
    }
}
