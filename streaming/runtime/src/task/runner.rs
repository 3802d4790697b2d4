//! The thread of a task: waits, reads the clock, steps the core, and tells the host what happened.

use super::core::{TaskCore, TaskEvent};
use crate::{
    control::TaskControl,
    exchange::{Inbox, QueuedElement, Received},
};
use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};
use weir_base::{Monotonic, Now};
use weir_dataflow::{Element, Error, PayloadType, Result, SourcePoll, Timestamp};
use weir_protocol::task::TaskCommand;

/// Commands for a task; putting one in wakes it.
pub struct Mailbox {
    commands: Mutex<VecDeque<TaskCommand>>,
    filled: AtomicBool,
    inbox: Arc<Inbox>,
}

impl Mailbox {
    /// The mailbox of the task that reads `inbox`.
    pub fn new(inbox: Arc<Inbox>) -> Arc<Self> {
        Arc::new(Self { commands: Mutex::default(), filled: AtomicBool::new(false), inbox })
    }

    /// Leaves a command.
    pub fn send(&self, command: TaskCommand) {
        self.commands.lock().unwrap_or_else(PoisonError::into_inner).push_back(command);
        self.filled.store(true, Ordering::SeqCst);
        self.inbox.wake();
    }

    fn take(&self) -> Option<TaskCommand> {
        if !self.filled.load(Ordering::SeqCst) {
            return None;
        }
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        let command = commands.pop_front();
        self.filled.store(!commands.is_empty(), Ordering::SeqCst);
        command
    }
}

/// Everything a task's thread works with.
pub struct Runner {
    /// The machine.
    pub core: TaskCore,
    /// Its input.
    pub inbox: Arc<Inbox>,
    /// Its commands.
    pub mailbox: Arc<Mailbox>,
    /// Its stop flag and clock of waits.
    pub control: Arc<TaskControl>,
    /// Type of each channel's records, to decode what came over the wire.
    pub payload_types: Vec<Arc<dyn PayloadType>>,
}

impl Runner {
    /// Runs an opened task to its end; `on_event` hears what the host must know.
    ///
    /// # Errors
    /// What ended the task early; [`Error::Cancelled`] when it was told to stop.
    pub fn run(&mut self, mut on_event: impl FnMut(TaskEvent)) -> Result<()> {
        let mut kicked = self.control.now().monotonic;
        let mut burst = Burst::default();
        while !self.core.is_finished() {
            self.control.check()?;
            let now = self.control.now();
            if now.monotonic != kicked {
                self.control.kick();
                kicked = now.monotonic;
            }
            let progressed = self.step(now, burst.next(now.monotonic))?;
            self.publish(&mut on_event);
            if let Progress::Wait(until) = progressed {
                self.wait(until)?;
                // Before the inbox is looked into again: a barrier may have blocked its channel.
                self.publish(&mut on_event);
            }
        }
        Ok(())
    }

    fn publish(&mut self, on_event: &mut impl FnMut(TaskEvent)) {
        for event in self.core.take_events() {
            match event {
                TaskEvent::Block(channel) => self.inbox.set_blocked(channel, true),
                TaskEvent::Unblock(channel) => self.inbox.set_blocked(channel, false),
                event => on_event(event),
            }
        }
    }

    /// Does one thing, the most urgent first.
    fn step(&mut self, now: Now, polls: usize) -> Result<Progress> {
        if let Some(command) = self.mailbox.take() {
            self.on_command(command, now)?;
            return Ok(Progress::Made);
        }
        self.core.on_time(now)?;
        let encoding = self.core.step_snapshot()?;
        if self.core.has_pending() {
            self.core.step_pending(now)?;
            return Ok(Progress::Made);
        }
        match self.inbox.poll() {
            Received::Element(channel, element) => {
                self.on_received(channel, element, now)?;
                return Ok(Progress::Made);
            }
            Received::Woken => return Ok(Progress::Made),
            Received::Nothing => {}
        }
        if self.core.wants_poll() {
            match self.poll_source(now, polls)? {
                SourcePoll::More | SourcePoll::End => return Ok(Progress::Made),
                SourcePoll::Pending(until) if !encoding => return Ok(Progress::Wait(until)),
                SourcePoll::Pending(_) => {}
            }
        }
        Ok(if encoding { Progress::Made } else { Progress::Wait(None) })
    }

    /// Polls a source up to so often while it has more.
    fn poll_source(&mut self, now: Now, polls: usize) -> Result<SourcePoll> {
        for _ in 1..polls {
            let polled = self.core.poll_source(now)?;
            if polled != SourcePoll::More {
                return Ok(polled);
            }
        }
        self.core.poll_source(now)
    }

    fn on_command(&mut self, command: TaskCommand, now: Now) -> Result<()> {
        match command {
            TaskCommand::TriggerCheckpoint(id) => self.core.trigger_checkpoint(id, now),
            TaskCommand::CheckpointCompleted(id) => self.core.checkpoint_complete(id),
            TaskCommand::CheckpointAborted(id) => self.core.checkpoint_aborted(id, now),
            TaskCommand::Finish => self.core.finish_input(),
            // The task host does more than this, without waiting for the task to read its commands.
            TaskCommand::Cancel | TaskCommand::Abandon => Err(Error::Cancelled),
        }
    }

    fn on_received(&mut self, channel: usize, element: QueuedElement, now: Now) -> Result<()> {
        let element = match element {
            QueuedElement::Element(element) => element,
            QueuedElement::Encoded(delivery) => {
                self.control.received(delivery.bytes.len());
                Element::Batch(delivery.decode(&*self.payload_types[channel])?)
            }
        };
        self.core.on_element(channel, element, now)
    }

    fn wait(&mut self, until: Option<Timestamp>) -> Result<()> {
        if self.core.is_finished() {
            return Ok(());
        }
        let timeout = self.core.longest_wait(self.control.now(), until);
        match self.inbox.wait(&self.control, timeout) {
            Received::Element(channel, element) => {
                self.control.check()?;
                self.on_received(channel, element, self.control.now())
            }
            Received::Woken | Received::Nothing => Ok(()),
        }
    }
}

/// How often a source is polled between two looks at clock, commands and input: more often while
/// polls are much shorter than a millisecond, so that looking does not cost more than reading.
#[derive(Default)]
struct Burst {
    polls: usize,
    last: Monotonic,
}

impl Burst {
    const MAX_POLLS: usize = 16;

    fn next(&mut self, now: Monotonic) -> usize {
        let quick = now == self.last;
        self.last = now;
        self.polls =
            if quick { (self.polls * 2).min(Self::MAX_POLLS) } else { self.polls / 2 }.max(1);
        self.polls
    }
}

/// Whether a step did something.
enum Progress {
    /// Step again.
    Made,
    /// Nothing to do before this time, or before something comes.
    Wait(Option<Timestamp>),
}
