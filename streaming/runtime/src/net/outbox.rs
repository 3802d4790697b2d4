//! What waits to be written to one connection: buffers of the pool and small frames, in order.
//!
//! Any thread appends; the connection's writer takes whole groups and writes each with as few
//! system calls as it can. The writer is woken only when it may be asleep, and for buffers only when
//! some have gathered: a task that appends fewer wakes the outbox before it waits for anything.

use super::pool::Segment;
use crate::control::Kick;
use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    sync::Notify,
};
use weir_protocol::data::{Frame, encode_preamble};

/// Buffers written in one go: few enough that the first ones are soon back in the pool.
const GROUP: usize = 16;
/// Buffers that are worth waking the writer for.
const WAKE: usize = 4;
/// Small frames are gathered up to this size.
const GATHER_BYTES: usize = 4 * 1024;

enum Outgoing {
    Segment(Segment),
    Gathered(Vec<u8>),
}

impl Outgoing {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Segment(segment) => &segment.bytes,
            Self::Gathered(bytes) => bytes,
        }
    }
}

#[derive(Default)]
struct State {
    queue: VecDeque<Outgoing>,
    closed: bool,
    /// The writer has found the queue empty and was not woken since.
    writer_waits: bool,
}

/// The queue in front of one connection's socket.
#[derive(Default)]
pub struct Outbox {
    state: Mutex<State>,
    filled: Notify,
}

impl Kick for Outbox {
    fn kick(&self) {
        let state = self.lock();
        if !state.queue.is_empty() {
            self.wake_writer(state);
        }
    }
}

impl Outbox {
    /// Appends what a connection begins with; comes first.
    pub fn push_preamble(&self) {
        let mut bytes = Vec::new();
        encode_preamble(&mut bytes);
        let mut state = self.lock();
        assert!(state.queue.is_empty(), "the preamble comes first");
        state.queue.push_back(Outgoing::Gathered(bytes));
        self.wake_writer(state);
    }

    /// Appends a buffer, which is written when some have gathered or the outbox is kicked; a closed
    /// outbox drops it.
    pub fn push_segment(&self, segment: Segment) {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return;
        }
        state.queue.push_back(Outgoing::Segment(segment));
        if state.queue.len() >= WAKE {
            self.wake_writer(state);
        }
    }

    /// Appends a frame without records; a closed outbox drops it.
    pub fn push_frame(&self, frame: &Frame<'_>) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        if let Some(Outgoing::Gathered(bytes)) = state.queue.back_mut()
            && bytes.len() < GATHER_BYTES
        {
            Self::encode(frame, bytes);
        } else {
            let mut bytes = Vec::new();
            Self::encode(frame, &mut bytes);
            state.queue.push_back(Outgoing::Gathered(bytes));
        }
        self.wake_writer(state);
    }

    fn encode(frame: &Frame<'_>, bytes: &mut Vec<u8>) {
        // The texts in our messages are cut short where they are made.
        frame.encode_into(bytes).expect("our own messages are below the limit");
    }

    fn wake_writer(&self, mut state: MutexGuard<'_, State>) {
        let waits = std::mem::take(&mut state.writer_waits);
        drop(state);
        if waits {
            self.filled.notify_one();
        }
    }

    /// Nothing more is taken; the writer ends when it has written what is there.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// Nothing more is taken and nothing more is written.
    pub fn abort(&self) {
        let dropped = {
            let mut state = self.lock();
            state.closed = true;
            std::mem::take(&mut state.queue)
        };
        self.filled.notify_one();
        drop(dropped);
    }

    /// Writes what comes until the outbox is closed and empty.
    pub async fn drain(&self, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let mut group = Vec::with_capacity(GROUP);
        loop {
            let closed = {
                let mut state = self.lock();
                let count = state.queue.len().min(GROUP);
                group.extend(state.queue.drain(..count));
                state.writer_waits = count == 0 && !state.closed;
                state.closed
            };
            if !group.is_empty() {
                write_group(writer, &group).await?;
                group.clear();
            } else if closed {
                return Ok(());
            } else {
                self.filled.notified().await;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write_group(writer: &mut (impl AsyncWrite + Unpin), group: &[Outgoing]) -> io::Result<()> {
    let mut slices: Vec<_> = group.iter().map(|one| IoSlice::new(one.bytes())).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        let written = writer.write_vectored(rest).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        IoSlice::advance_slices(&mut rest, written);
    }
    Ok(())
}
