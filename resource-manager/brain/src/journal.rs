//! Facts on their way to the store, and what waits for them.
//!
//! One batch is being written at a time; facts that come in the meantime form the next batch. A batch that
//! failed is tried again, with what has come since, until it succeeds: so facts become durable in
//! the order in which they were written, and a repeated one does no harm, for it replaces itself.

use crate::messages::{Effect, Fact, Reply, Ticket, Token};
use std::{collections::VecDeque, time::Duration};
use weir_base::{ApplicationId, AttemptId, Monotonic, Now};

/// From a failed write to the next try.
pub(crate) const RETRY_DELAY: Duration = Duration::from_secs(1);

/// An action that waits until everything written before it is durable.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum After {
    /// A caller gets its answer, or the error if the store fails.
    Reply(Ticket, Reply),
    /// More ids may be handed out.
    IdsReserved {
        /// Numbers below this one.
        below: u32,
    },
    /// An application may begin.
    ApplicationSaved(ApplicationId),
    /// A kill is carried out.
    KillSaved(ApplicationId),
    /// An app master may be launched.
    AttemptSaved(AttemptId),
    /// Leases may be reported to an app master.
    FirstAskSaved(AttemptId),
    /// An app master may go.
    FinishSaved(AttemptId),
    /// The container of an app master may be forgotten by its node.
    AttemptEndSaved(AttemptId),
    /// An application has ended.
    EndSaved(ApplicationId),
}

#[derive(Clone, PartialEq, Debug)]
enum Entry {
    Fact(Fact),
    After(After),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Flight {
    token: Token,
    /// Entries from the front that it covers.
    entries: usize,
}

/// The way to the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Journal {
    queue: VecDeque<Entry>,
    flight: Option<Flight>,
    tokens: u64,
    /// A failed batch waits for its next try.
    resting: bool,
}

/// Consequences of a failed batch.
#[derive(Debug, Default)]
pub(crate) struct Failed {
    /// Callers that get an error.
    pub(crate) tickets: Vec<Ticket>,
    /// When to call [`Journal::retry`].
    pub(crate) retry_at: Option<Monotonic>,
}

impl Journal {
    /// Writes a fact behind those that wait.
    pub(crate) fn write(&mut self, fact: Fact) {
        self.queue.push_back(Entry::Fact(fact));
    }

    /// Does this when everything written so far is durable: perhaps never, when a start comes
    /// between.
    pub(crate) fn then(&mut self, after: After) {
        self.queue.push_back(Entry::After(after));
    }

    /// Sends the next batch, and takes what need not wait. Call it at the end of every step, until
    /// it returns nothing.
    pub(crate) fn flush(&mut self, out: &mut Vec<Effect>) -> Vec<After> {
        if self.flight.is_some() || self.resting {
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
            self.flight = Some(Flight { token, entries: self.queue.len() });
        }
        ready
    }

    /// A batch is durable: what follows from it, in order.
    pub(crate) fn persisted(&mut self, token: Token) -> Vec<After> {
        let Some(flight) = self.flight.take_if(|flight| flight.token == token) else {
            return Vec::new();
        };
        let done = self.queue.drain(..flight.entries);
        done.filter_map(|entry| match entry {
            Entry::After(after) => Some(after),
            Entry::Fact(_) => None,
        })
        .collect()
    }

    /// A batch is not durable, as far as is known.
    pub(crate) fn failed(&mut self, now: Now, token: Token) -> Failed {
        let Some(flight) = self.flight.take_if(|flight| flight.token == token) else {
            return Failed::default();
        };
        self.resting = true;
        let mut tickets = Vec::new();
        let mut rest = VecDeque::new();
        for (index, entry) in self.queue.drain(..).enumerate() {
            match entry {
                Entry::After(After::Reply(ticket, _)) if index < flight.entries => {
                    tickets.push(ticket);
                }
                other => rest.push_back(other),
            }
        }
        self.queue = rest;
        Failed { tickets, retry_at: Some(now.monotonic.after(RETRY_DELAY)) }
    }

    /// A failed batch may be tried again.
    pub(crate) fn retry(&mut self) {
        self.resting = false;
    }

    /// Callers that wait for the store.
    pub(crate) fn tickets(&self) -> impl Iterator<Item = Ticket> {
        self.queue.iter().filter_map(|entry| match entry {
            Entry::After(After::Reply(ticket, _)) => Some(*ticket),
            _ => None,
        })
    }

    /// Whether nothing is on its way.
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
