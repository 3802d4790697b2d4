//! Ids of applications: handed out once, also across restarts.
//!
//! Numbers are set aside on record, some at a time, before they are handed out. A restarted resource
//! manager begins behind those set aside.

use super::ResourceManager;
use crate::{
    journal::After,
    messages::{Fact, Reply, Ticket},
};
use weir_base::{ApplicationId, Resources};

/// Ids that one record sets aside; the next record is written when half of them are left.
const AT_A_TIME: u32 = 8;

/// What was handed out.
#[derive(Clone, Debug, Default)]
pub(super) struct Ids {
    /// The next to be handed out.
    next: u32,
    /// The first that is not set aside on record.
    below: u32,
    /// As `below`, with the record that is under way.
    asked_below: u32,
    /// The highest id of an application that was forgotten.
    highest_forgotten: u32,
    waiting: Vec<Ticket>,
}

impl Ids {
    /// Takes what is on record.
    pub(super) fn recover(&mut self, below: u32, highest_forgotten: u32) {
        self.next = below.max(1);
        self.below = self.next;
        self.asked_below = self.next;
        self.highest_forgotten = highest_forgotten;
    }

    /// Whether a number may have been handed out, and not too long ago.
    pub(super) fn is_usable(&self, sequence: u32) -> bool {
        sequence > self.highest_forgotten && sequence < self.next
    }

    /// Notes that an application is forgotten; returns the highest of these so far.
    pub(super) fn forget(&mut self, sequence: u32) -> u32 {
        self.highest_forgotten = self.highest_forgotten.max(sequence);
        self.highest_forgotten
    }

    /// Callers that wait for an id.
    pub(super) fn take_waiting(&mut self) -> Vec<Ticket> {
        std::mem::take(&mut self.waiting)
    }

    /// Callers that wait for an id.
    pub(super) fn waiting(&self) -> &[Ticket] {
        &self.waiting
    }

    fn take(&mut self) -> Option<u32> {
        let sequence = (self.next < self.below).then_some(self.next)?;
        self.next += 1;
        Some(sequence)
    }
}

impl ResourceManager {
    pub(super) fn new_application(&mut self, ticket: Ticket) {
        self.ids.waiting.push(ticket);
        self.hand_out_ids();
    }

    pub(super) fn ids_reserved(&mut self, below: u32) {
        self.ids.below = self.ids.below.max(below);
        self.hand_out_ids();
    }

    /// Sets more aside when few are left.
    fn reserve_ids(&mut self) {
        let left = self.ids.asked_below.saturating_sub(self.ids.next);
        let wanted = u32::try_from(self.ids.waiting.len()).unwrap_or(AT_A_TIME);
        if left <= AT_A_TIME / 2 || left < wanted {
            self.ids.asked_below = self.ids.next.saturating_add(wanted).saturating_add(AT_A_TIME);
            let below = self.ids.asked_below;
            self.journal.write(Fact::ApplicationIdsReserved { below });
            self.journal.then(After::IdsReserved { below });
        }
    }

    fn hand_out_ids(&mut self) {
        let largest_node = self.largest_node().map_or(Resources::default(), |(_, total)| total);
        let cluster_timestamp = self.settings.cluster_timestamp;
        for ticket in self.ids.take_waiting() {
            match self.ids.take() {
                Some(sequence) => {
                    let application = ApplicationId { cluster_timestamp, sequence };
                    self.answer(ticket, Ok(Reply::NewApplication { application, largest_node }));
                }
                None => self.ids.waiting.push(ticket),
            }
        }
        self.reserve_ids();
    }
}
