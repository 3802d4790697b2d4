//! The state of a channel at the producers' end.
//!
//! ```text
//! Connecting ─▶ Opening ─ChannelOpened─▶ Open ─ConsumerGone─▶ Gone
//!     └────────────┴── refused, connection lost ──┴─▶ Failed
//! ```

use super::credit::Account;
use crate::control::Signal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use weir_protocol::data::{CloseReason, Error, Result, Window};

/// A channel as its sender and its connection share it.
pub struct OutChannel {
    pub id: u32,
    /// Raised whenever the sender should look again.
    pub signal: Arc<Signal>,
    phase: Mutex<Phase>,
}

enum Phase {
    Connecting,
    Opening,
    Open(Account),
    Gone,
    Failed(Error),
}

/// Whether an element may go out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It may.
    Granted,
    /// Not yet.
    Wait,
    /// No consumer takes it any more; it may be dropped.
    Pointless,
}

impl OutChannel {
    /// A channel that has just been asked for.
    pub fn new(id: u32, signal: Arc<Signal>, is_connected: bool) -> Self {
        let phase = if is_connected { Phase::Opening } else { Phase::Connecting };
        Self { id, signal, phase: Mutex::new(phase) }
    }

    /// Asks for leave to send a control element.
    pub fn admit_control(&self) -> Result<Admission> {
        self.admit(|_| true)
    }

    /// Asks for credit to send a batch of this size, and books it if it is granted.
    pub fn admit_batch(&self, batch_bytes: usize) -> Result<Admission> {
        self.admit(|account| account.book(batch_bytes))
    }

    /// Whether the connection stands.
    pub fn is_connected(&self) -> Result<bool> {
        match &*self.lock() {
            Phase::Connecting => Ok(false),
            Phase::Failed(error) => Err(error.clone()),
            Phase::Opening | Phase::Open(_) | Phase::Gone => Ok(true),
        }
    }

    fn admit(&self, has_room: impl FnOnce(&mut Account) -> bool) -> Result<Admission> {
        match &mut *self.lock() {
            Phase::Open(account) => {
                Ok(if has_room(account) { Admission::Granted } else { Admission::Wait })
            }
            Phase::Connecting | Phase::Opening => Ok(Admission::Wait),
            Phase::Gone => Ok(Admission::Pointless),
            Phase::Failed(error) => Err(error.clone()),
        }
    }

    /// The connection stands.
    pub fn connected(&self) {
        *self.lock() = Phase::Opening;
        self.signal.raise();
    }

    /// The consumer lets the channel in.
    pub fn opened(&self, window: Window) -> Result<()> {
        let mut phase = self.lock();
        if !matches!(*phase, Phase::Opening) || window.batches == 0 {
            return Err(Error::malformed("window", "it is empty, or not the first one"));
        }
        *phase = Phase::Open(Account::new(window));
        Ok(())
    }

    /// The consumer has taken batches.
    pub fn give_back(&self, batches: u32) -> Result<()> {
        match &mut *self.lock() {
            Phase::Open(account) => account.give_back(batches),
            Phase::Gone | Phase::Failed(_) => Ok(()),
            Phase::Connecting | Phase::Opening => {
                Err(Error::malformed("credit", "its channel is not opened yet"))
            }
        }
    }

    /// The consumer's host ends the channel.
    pub fn close(&self, reason: CloseReason) {
        let phase = match reason {
            CloseReason::Refused(problem) => Phase::Failed(Error::refused(problem)),
            CloseReason::Finished | CloseReason::Abandoned | CloseReason::ConsumerGone => {
                Phase::Gone
            }
        };
        *self.lock() = phase;
    }

    /// The connection is lost.
    pub fn fail(&self, error: &Error) {
        let mut phase = self.lock();
        if !matches!(*phase, Phase::Gone | Phase::Failed(_)) {
            *phase = Phase::Failed(error.clone());
        }
        drop(phase);
        self.signal.raise();
    }

    fn lock(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
