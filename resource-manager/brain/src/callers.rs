//! Callers that wait for an answer, and the effects of the current step.

use crate::{
    Error,
    messages::{Effect, Reply, Ticket},
};
use std::collections::BTreeSet;
use weir_base::invariant;

/// The waiting callers. Each ticket is answered exactly once.
#[derive(Debug, Default)]
pub(crate) struct Callers {
    waiting: BTreeSet<Ticket>,
    effects: Vec<Effect>,
}

impl Callers {
    /// Adds a caller that waits for an answer.
    pub(crate) fn add(&mut self, ticket: Ticket) {
        invariant!(self.waiting.insert(ticket), "{ticket:?} waits already");
    }

    pub(crate) fn answer(&mut self, ticket: Ticket, reply: Result<Reply, Error>) {
        invariant!(self.waiting.remove(&ticket), "{ticket:?} is answered twice");
        self.effects.push(Effect::Reply { ticket, reply });
    }

    /// Callers that have no answer yet.
    pub(crate) fn waiting(&self) -> &BTreeSet<Ticket> {
        &self.waiting
    }

    /// The effects of this step so far, in order.
    pub(crate) fn effects(&mut self) -> &mut Vec<Effect> {
        &mut self.effects
    }

    /// Whether the last step handed over all of its effects.
    pub(crate) fn is_idle(&self) -> bool {
        self.effects.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(ticket: Ticket) -> Effect {
        Effect::Reply { ticket, reply: Err(Error::NotReady) }
    }

    #[test]
    fn answers_leave_in_order() {
        let mut callers = Callers::default();
        callers.add(Ticket(1));
        callers.add(Ticket(2));
        callers.answer(Ticket(2), Err(Error::NotReady));
        callers.answer(Ticket(1), Err(Error::NotReady));
        assert!(callers.waiting().is_empty() && !callers.is_idle());
        assert_eq!(*callers.effects(), [answered(Ticket(2)), answered(Ticket(1))]);
    }

    #[test]
    #[should_panic(expected = "is answered twice")]
    fn a_second_answer_breaks_an_invariant() {
        let mut callers = Callers::default();
        callers.add(Ticket(1));
        callers.answer(Ticket(1), Err(Error::NotReady));
        callers.answer(Ticket(1), Err(Error::NotReady));
    }
}
