//! Facts that are to be stored, and actions that wait until they are durable.
//!
//! One batch is in flight at a time. Facts written in the meantime form the next batch. A failed batch is
//! retried, together with the newer facts, until it succeeds. So facts become durable in the order in which
//! they were written. A fact may be stored twice; that does no harm, because it replaces itself.

use crate::messages::{Effect, Fact, Reply, Ticket, Token};
use std::{collections::VecDeque, time::Duration};
use weir_base::{ApplicationId, AttemptId, Monotonic, Now};

/// Delay between a failed write and the retry.
pub(crate) const RETRY_DELAY: Duration = Duration::from_secs(1);

/// An action that runs when all facts written before it are durable.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum After {
    /// Sends an answer to a caller. If the store fails, the caller gets an error instead.
    Reply(Ticket, Reply),
    /// Hands out application ids below this number.
    IdsReserved { below: u32 },
    /// Begins the first attempt of an application.
    ApplicationSaved(ApplicationId),
    /// Carries out a kill.
    KillSaved(ApplicationId),
    /// Allows the node to launch the app master.
    AttemptSaved(AttemptId),
    /// Allows grants of leases to the app master.
    FirstAskSaved(AttemptId),
    /// Allows the app master to exit.
    FinishSaved(AttemptId),
    /// Allows the node to forget the app master's container.
    AttemptEndSaved(AttemptId),
    /// Moves an application to its terminal state.
    EndSaved(ApplicationId),
}

#[derive(Clone, PartialEq, Debug)]
enum Entry {
    Fact(Fact),
    After(After),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Batch {
    token: Token,
    /// Number of entries at the front of the queue that the batch covers.
    entries: usize,
}

/// The queue of facts and actions in front of the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    queue: VecDeque<Entry>,
    in_flight: Option<Batch>,
    tokens: u64,
    /// A failed batch waits for its retry.
    awaits_retry: bool,
}

/// The consequences of a failed batch.
#[derive(Debug, Default)]
pub(crate) struct Failed {
    /// Callers that must get an error.
    pub(crate) tickets: Vec<Ticket>,
    /// When to call [`Journal::retry`].
    pub(crate) retry_at: Option<Monotonic>,
}

impl Journal {
    /// Appends a fact.
    pub(crate) fn write(&mut self, fact: Fact) {
        self.queue.push_back(Entry::Fact(fact));
    }

    /// Runs an action when all facts written so far are durable. It never runs if the resource manager
    /// restarts before that.
    pub(crate) fn then(&mut self, after: After) {
        self.queue.push_back(Entry::After(after));
    }

    /// Sends the next batch, and returns the actions that need not wait for a fact. Call it at the end of
    /// every step until it returns nothing.
    pub(crate) fn flush(&mut self, out: &mut Vec<Effect>) -> Vec<After> {
        if self.in_flight.is_some() || self.awaits_retry {
            return Vec::new();
        }
        let mut ready = Vec::new();
        while let Some(Entry::After(_)) = self.queue.front() {
            if let Some(Entry::After(after)) = self.queue.pop_front() {
                ready.push(after);
            }
        }
        if ready.is_empty() && !self.queue.is_empty() {
            self.tokens += 1;
            let token = Token(self.tokens);
            let facts = self.queue.iter().filter_map(|entry| match entry {
                Entry::Fact(fact) => Some(fact.clone()),
                Entry::After(_) => None,
            });
            out.push(Effect::Persist { token, facts: facts.collect() });
            self.in_flight = Some(Batch { token, entries: self.queue.len() });
        }
        ready
    }

    /// A batch is durable. Returns the actions that waited for it, in order.
    pub(crate) fn persisted(&mut self, token: Token) -> Vec<After> {
        let Some(in_flight) = self.in_flight.take_if(|in_flight| in_flight.token == token) else {
            return Vec::new();
        };
        let done = self.queue.drain(..in_flight.entries);
        done.filter_map(|entry| match entry {
            Entry::After(after) => Some(after),
            Entry::Fact(_) => None,
        })
        .collect()
    }

    /// A batch has failed, or its result is not known.
    pub(crate) fn failed(&mut self, now: Now, token: Token) -> Failed {
        let Some(in_flight) = self.in_flight.take_if(|in_flight| in_flight.token == token) else {
            return Failed::default();
        };
        self.awaits_retry = true;
        let mut tickets = Vec::new();
        let mut remaining = VecDeque::new();
        for (index, entry) in self.queue.drain(..).enumerate() {
            match entry {
                Entry::After(After::Reply(ticket, _)) if index < in_flight.entries => {
                    tickets.push(ticket);
                }
                other => remaining.push_back(other),
            }
        }
        self.queue = remaining;
        Failed { tickets, retry_at: Some(now.monotonic.after(RETRY_DELAY)) }
    }

    /// Allows a failed batch to be sent again.
    pub(crate) fn retry(&mut self) {
        self.awaits_retry = false;
    }

    /// Callers that wait for the store.
    pub(crate) fn tickets(&self) -> impl Iterator<Item = Ticket> {
        self.queue.iter().filter_map(|entry| match entry {
            Entry::After(After::Reply(ticket, _)) => Some(*ticket),
            _ => None,
        })
    }

    /// Whether the queue is empty.
    #[cfg(test)]
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(below: u32) -> Fact {
        Fact::ApplicationIdsReserved { below }
    }

    fn reply(ticket: u64) -> After {
        After::Reply(Ticket(ticket), Reply::NodeLeft)
    }

    fn sent(journal: &mut Journal) -> Option<(Token, Vec<Fact>)> {
        let mut out = Vec::new();
        assert!(journal.flush(&mut out).is_empty());
        match out.pop() {
            Some(Effect::Persist { token, facts }) => Some((token, facts)),
            _ => None,
        }
    }

    #[test]
    fn facts_written_during_a_batch_go_with_the_next_one() {
        let mut journal = Journal::default();
        journal.write(fact(1));
        journal.then(reply(1));
        assert_eq!(sent(&mut journal), Some((Token(1), vec![fact(1)])));
        journal.write(fact(2));
        journal.then(reply(2));
        assert_eq!(sent(&mut journal), None);
        assert_eq!(journal.persisted(Token(1)), [reply(1)]);
        assert_eq!(journal.persisted(Token(1)), []);
        assert_eq!(sent(&mut journal), Some((Token(2), vec![fact(2)])));
        assert_eq!(journal.persisted(Token(2)), [reply(2)]);
        assert!(journal.is_idle());
    }

    #[test]
    fn a_failed_batch_is_retried_and_its_callers_get_an_error() {
        let mut journal = Journal::default();
        let saved = After::ApplicationSaved(ApplicationId::default());
        journal.write(fact(1));
        journal.then(saved.clone());
        journal.then(reply(1));
        assert!(sent(&mut journal).is_some());
        journal.write(fact(2));
        let failed = journal.failed(Now::default(), Token(1));
        assert_eq!(failed.tickets, [Ticket(1)]);
        assert_eq!(sent(&mut journal), None);
        journal.retry();
        assert_eq!(sent(&mut journal), Some((Token(2), vec![fact(1), fact(2)])));
        assert_eq!(journal.persisted(Token(1)), []);
        assert_eq!(journal.persisted(Token(2)), [saved]);
    }

    #[test]
    fn without_facts_before_it_nothing_waits() {
        let mut journal = Journal::default();
        journal.then(reply(1));
        let mut out = Vec::new();
        assert_eq!(journal.flush(&mut out), [reply(1)]);
        assert!(out.is_empty() && journal.is_idle());
    }
}
