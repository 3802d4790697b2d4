//! Scheduled events, ordered by virtual time; equal times keep the order of scheduling.

use std::collections::BTreeMap;

/// Events with the millisecond each is due.
#[derive(Debug)]
pub(crate) struct Queue<E> {
    events: BTreeMap<(u64, u64), E>,
    planned: u64,
}

impl<E> Queue<E> {
    pub(crate) fn new() -> Self {
        Self { events: BTreeMap::new(), planned: 0 }
    }

    /// Plans an event.
    pub(crate) fn push(&mut self, at_ms: u64, event: E) {
        self.events.insert((at_ms, self.planned), event);
        self.planned += 1;
    }

    /// The next event and its time.
    pub(crate) fn pop(&mut self) -> Option<(u64, E)> {
        self.events.pop_first().map(|((at_ms, _), event)| (at_ms, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_then_by_planning() {
        let mut queue = Queue::new();
        for (at, event) in [(5, "c"), (1, "a"), (5, "d"), (2, "b")] {
            queue.push(at, event);
        }
        let order: Vec<&str> = std::iter::from_fn(|| queue.pop()).map(|(_, event)| event).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
    }
}
