//! Credit: how much of a channel may be under way, counted at both ends.
//!
//! ```text
//! producer   Account   a batch goes out if window and what is under way allow; Credit frees it
//! consumer   Returns   a batch taken by the task becomes credit, sent back a few at a time
//! ```
//!
//! Credit counts batches. The bytes of the window are the producer's own account: batches come
//! back in the order they went, so it knows their sizes.

use super::outbox::Outbox;
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use weir_protocol::data::{Error, Frame, Result, Window};

/// The producer's account of one channel.
#[derive(Debug)]
pub struct Account {
    window: Window,
    /// Sizes of the batches under way, oldest first.
    under_way: VecDeque<u64>,
    bytes: u64,
}

impl Account {
    /// An account that allows this much.
    pub fn new(window: Window) -> Self {
        Self { window, under_way: VecDeque::new(), bytes: 0 }
    }

    /// Books a batch if there is room for it. One that exceeds the window passes when little is
    /// under way: less than what the consumer may keep back without giving credit.
    pub fn book(&mut self, batch_bytes: usize) -> bool {
        let batch_bytes = batch_bytes as u64;
        let is_full = self.under_way.len() >= self.window.batches as usize
            || (!is_little(self.bytes, self.window)
                && self.bytes + batch_bytes > self.window.bytes);
        if !is_full {
            self.under_way.push_back(batch_bytes);
            self.bytes += batch_bytes;
        }
        !is_full
    }

    /// The number of batches that the consumer has taken.
    pub fn give_back(&mut self, batches: u32) -> Result<()> {
        for _ in 0..batches {
            let Some(bytes) = self.under_way.pop_front() else {
                return Err(Error::malformed("credit", "it is for more batches than were sent"));
            };
            self.bytes -= bytes;
        }
        Ok(())
    }
}

/// Whether this number of bytes is less than a quarter of the window, which both ends may leave uncounted.
fn is_little(bytes: u64, window: Window) -> bool {
    bytes == 0 || bytes < window.bytes / 4
}

/// The consumer's count of one channel.
pub struct Returns {
    channel: u32,
    window: Window,
    outbox: Arc<Outbox>,
    received: AtomicU64,
    taken: AtomicU64,
    given_back: AtomicU64,
    /// Of the batches taken and not given back.
    due_bytes: AtomicU64,
}

impl Returns {
    /// Counts from nothing; credit goes out through the outbox of the channel's connection.
    pub fn new(channel: u32, window: Window, outbox: Arc<Outbox>) -> Self {
        let [received, taken, given_back, due_bytes] = [(); 4].map(|()| AtomicU64::new(0));
        Self { channel, window, outbox, received, taken, given_back, due_bytes }
    }

    /// A batch has come; an error if there was no credit for it.
    pub fn on_received(&self) -> Result<()> {
        let received = self.received.fetch_add(1, Ordering::SeqCst) + 1;
        if received - self.given_back.load(Ordering::SeqCst) <= u64::from(self.window.batches) {
            return Ok(());
        }
        Err(Error::malformed("buffer", "its batch was sent without credit"))
    }

    /// The task has taken a batch of this size. Credit goes back when a quarter of the window
    /// has gathered, in batches or in bytes: with less outstanding no producer waits.
    ///
    /// Called by one thread at a time (the inbox calls it under its lock).
    pub fn on_taken(&self, batch_bytes: usize) {
        let taken = self.taken.fetch_add(1, Ordering::SeqCst) + 1;
        let due = taken - self.given_back.load(Ordering::SeqCst);
        let due_bytes = self.due_bytes.load(Ordering::SeqCst) + batch_bytes as u64;
        self.due_bytes.store(due_bytes, Ordering::SeqCst);
        if due >= u64::from(self.window.batches / 4) || !is_little(due_bytes, self.window) {
            self.given_back.store(taken, Ordering::SeqCst);
            self.due_bytes.store(0, Ordering::SeqCst);
            // What is due never exceeds the window, which is a u32.
            let batches = due as u32;
            self.outbox.push_frame(&Frame::Credit { channel: self.channel, batches });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { batches: 8, bytes: 100 };

    #[test]
    fn the_account_bounds_batches_and_bytes_and_lets_one_giant_pass() {
        let mut account = Account::new(WINDOW);
        assert!(account.book(500), "nothing else is under way");
        assert!(!account.book(1));
        account.give_back(1).unwrap();
        assert_eq!((0..20).filter(|_| account.book(10)).count(), 8, "batches");
        account.give_back(8).unwrap();
        assert_eq!((0..20).filter(|_| account.book(30)).count(), 3, "bytes");
        assert_eq!(account.give_back(4).unwrap_err().code(), "WEIR-NET-0008");
    }

    #[test]
    fn a_producer_that_keeps_to_its_account_is_never_refused_and_never_stuck() {
        let mut rng = weir_base::SeededRng::new(3);
        for window in [1, 2, 3, 4, 8, 9].map(|batches| Window { batches, bytes: 100 }) {
            let mut account = Account::new(window);
            let returns = Returns::new(1, window, Arc::new(Outbox::default()));
            let (mut queued, mut credited) = (VecDeque::new(), 0);
            for _ in 0..10_000 {
                let bytes = 1 + rng.below(150) as usize;
                if account.book(bytes) {
                    queued.push_back(bytes);
                    returns.on_received().unwrap();
                } else {
                    assert!(!queued.is_empty(), "no room although everything was taken");
                }
                while rng.percent(50)
                    && let Some(bytes) = queued.pop_front()
                {
                    returns.on_taken(bytes);
                }
                let given_back = returns.given_back.load(Ordering::SeqCst);
                account.give_back((given_back - credited) as u32).unwrap();
                credited = given_back;
            }
        }
    }

    #[test]
    fn a_batch_without_credit_is_noticed() {
        let returns = Returns::new(1, WINDOW, Arc::new(Outbox::default()));
        (0..8).for_each(|_| returns.on_received().unwrap());
        assert_eq!(returns.on_received().unwrap_err().code(), "WEIR-NET-0008");
    }
}
