//! Ids of applications. Each id is handed out once, also across restarts.
//!
//! Numbers are reserved in the store, several at a time, before they are handed out. A restarted resource
//! manager begins after the reserved numbers.

use crate::messages::Ticket;

/// Number of ids that one fact reserves. The next fact is written when half of them are left.
const AT_A_TIME: u32 = 8;

#[derive(Clone, Debug, Default)]
pub(crate) struct Ids {
    /// The next number to hand out.
    next: u32,
    /// The first number that is not reserved in the store.
    below: u32,
    /// Like `below`, but includes the fact that is being stored.
    asked_below: u32,
    /// The highest id of an application that was forgotten.
    highest_forgotten: u32,
    waiting: Vec<Ticket>,
}

impl Ids {
    /// Restores the stored state.
    pub(crate) fn recover(&mut self, below: u32, highest_forgotten: u32) {
        self.next = below.max(1);
        self.below = self.next;
        self.asked_below = self.next;
        self.highest_forgotten = highest_forgotten;
    }

    /// Whether a number may have been handed out, and is not too old.
    pub(crate) fn is_usable(&self, sequence: u32) -> bool {
        sequence > self.highest_forgotten && sequence < self.next
    }

    /// Records that an application is forgotten. Returns the highest forgotten number so far.
    pub(crate) fn forget(&mut self, sequence: u32) -> u32 {
        self.highest_forgotten = self.highest_forgotten.max(sequence);
        self.highest_forgotten
    }

    /// Adds a caller that waits for an id.
    pub(crate) fn ask(&mut self, ticket: Ticket) {
        self.waiting.push(ticket);
    }

    /// Removes and returns all callers that wait for an id.
    pub(crate) fn take_waiting(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.waiting)
    }

    /// Callers that wait for an id.
    pub(crate) fn waiting(&self) -> &[Ticket] {
        &self.waiting
    }

    /// Numbers below this are reserved in the store.
    pub(crate) fn reserved(&mut self, below: u32) {
        self.below = self.below.max(below);
    }

    /// Gives reserved ids to the waiting callers, in the order in which they asked.
    pub(crate) fn hand_out(&mut self) -> Vec<(Ticket, u32)> {
        let reserved = self.below.saturating_sub(self.next) as usize;
        let served = self.waiting.len().min(reserved);
        let first = self.next;
        self.next += served as u32;
        self.waiting.drain(..served).zip(first..).collect()
    }

    /// If few numbers are left, returns the new limit below which numbers have to be reserved.
    pub(crate) fn reserve(&mut self) -> Option<u32> {
        let left = self.asked_below.saturating_sub(self.next);
        let wanted = u32::try_from(self.waiting.len()).unwrap_or(AT_A_TIME);
        if left > AT_A_TIME / 2 && left >= wanted {
            return None;
        }
        self.asked_below = self.next.saturating_add(wanted).saturating_add(AT_A_TIME);
        Some(self.asked_below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_handed_out_in_order_once_they_are_reserved() {
        let mut ids = Ids::default();
        ids.recover(5, 2);
        ids.ask(Ticket(1));
        ids.ask(Ticket(2));
        assert_eq!(ids.hand_out(), []);
        let below = ids.reserve().expect("none are left");
        assert_eq!(ids.reserve(), None, "a fact is being stored");
        ids.reserved(below);
        assert_eq!(ids.hand_out(), [(Ticket(1), 5), (Ticket(2), 6)]);
        assert!(ids.waiting().is_empty());
        assert!(ids.is_usable(6) && ids.is_usable(3) && !ids.is_usable(2) && !ids.is_usable(7));
        assert_eq!((ids.forget(4), ids.forget(3)), (4, 4));
        assert!(!ids.is_usable(4));
    }

    #[test]
    fn more_ids_are_reserved_before_the_last_one_is_handed_out() {
        let mut ids = Ids::default();
        ids.recover(1, 0);
        let below = ids.reserve().expect("none are left");
        ids.reserved(below);
        let mut given = 0;
        while ids.reserve().is_none() {
            ids.ask(Ticket(given));
            given += ids.hand_out().len() as u64;
        }
        assert_eq!(given, u64::from(AT_A_TIME / 2));
    }
}
