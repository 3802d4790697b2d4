//! Heartbeat session with the resource manager: registration, then heartbeats.
//!
//! ```text
//!            answered                    Resync
//!  Joining ────────────▶ Joined ───────────────────▶ Joining
//!     │ no answer: again    │ no answer: again,
//!     ▼ after a wait        ▼ after a wait
//! ```
//!
//! The resource manager holds a heartbeat until it has an order. When the node has news, it does not wait for
//! that answer: it sends a second heartbeat that asks for an answer at once, and ignores the answer to the first
//! by its sequence number. A third heartbeat waits for the answer to the second, so that answers arrive even
//! when there is news all the time.

use crate::backoff::Backoff;
use std::time::Duration;
use weir_base::Monotonic;

/// Wait before the next heartbeat if an early answer brought no new order, as while an order is being
/// carried out.
const REPEATED_ORDERS_WAIT: Duration = Duration::from_millis(50);

/// With a shorter hold, the node would send requests without a pause.
const MIN_INTERVAL_MS: u64 = 10;

/// A request to send now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Send {
    /// A registration with this number.
    Register(u64),
    Heartbeat {
        sequence: u64,
        hold_ms: u64,
    },
}

/// Whether an answer brought new orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AnswerContent {
    /// New orders.
    News,
    /// No order, or only orders that are being carried out.
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing is sent: before recovery, and at the end.
    Silent,
    Joining,
    Joined,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Flight {
    sent: Monotonic,
    hold_ms: u64,
    give_up: Monotonic,
}

/// Heartbeat session with the resource manager.
#[derive(Clone, Debug)]
pub(crate) struct HeartbeatSession {
    backoff: Backoff,
    /// Time after the end of the hold when an answer counts as lost.
    answer_timeout: Duration,
    phase: Phase,
    /// Number of the last registration sent.
    registration: u64,
    /// Number of the last heartbeat sent.
    sequence: u64,
    interval_ms: u64,
    /// The last request, while its answer is awaited.
    flight: Option<Flight>,
    /// Time of the next request while none is in flight.
    next: Monotonic,
    /// Requests in a row without an answer.
    failures: u32,
    news: bool,
}

impl HeartbeatSession {
    pub fn new(backoff: Backoff, answer_timeout: Duration) -> Self {
        Self {
            backoff,
            answer_timeout,
            phase: Phase::Silent,
            registration: 0,
            sequence: 0,
            interval_ms: 1000,
            flight: None,
            next: Monotonic(0),
            failures: 0,
            news: false,
        }
    }

    /// Begins to register, for the first time or again.
    pub fn join(&mut self, now: Monotonic) {
        self.phase = Phase::Joining;
        self.flight = None;
        self.next = now;
    }

    /// Ends the session.
    pub fn end(&mut self) {
        self.phase = Phase::Silent;
        self.flight = None;
    }

    /// Records a change that the resource manager must learn at once.
    pub fn has_news(&mut self) {
        self.news = true;
    }

    /// Whether the node is registered, as far as the agent knows.
    pub fn is_joined(&self) -> bool {
        self.phase == Phase::Joined
    }

    /// Records an answer to a registration. Returns whether it is the awaited one.
    pub fn registered(&mut self, now: Monotonic, registration: u64, interval_ms: u64) -> bool {
        if self.phase != Phase::Joining || registration != self.registration {
            return false;
        }
        self.phase = Phase::Joined;
        self.interval_ms = interval_ms.max(MIN_INTERVAL_MS);
        self.answered(now);
        true
    }

    /// Whether the answer to this heartbeat is the one awaited.
    pub fn awaits(&self, sequence: u64) -> bool {
        self.phase == Phase::Joined && self.flight.is_some() && sequence == self.sequence
    }

    /// Records that the awaited answer to a heartbeat was carried out.
    pub fn carried_out(&mut self, now: Monotonic, content: AnswerContent) {
        let held_out = self.flight.is_none_or(|flight| {
            now.millis_since(flight.sent) >= flight.hold_ms || flight.hold_ms == 0
        });
        let at_once = content == AnswerContent::News || held_out;
        self.answered(if at_once { now } else { now.after(REPEATED_ORDERS_WAIT) });
    }

    fn answered(&mut self, next: Monotonic) {
        self.flight = None;
        self.failures = 0;
        self.next = next;
    }

    /// Records that a registration got no answer.
    pub fn registration_failed(&mut self, now: Monotonic, registration: u64) {
        if self.phase == Phase::Joining && registration == self.registration {
            self.failed(now);
        }
    }

    /// Records that a heartbeat got no answer.
    pub fn heartbeat_failed(&mut self, now: Monotonic, sequence: u64) {
        if self.awaits(sequence) {
            self.failed(now);
        }
    }

    fn failed(&mut self, now: Monotonic) {
        if self.flight.take().is_none() {
            return;
        }
        self.next = now.after(self.backoff.wait(self.failures));
        self.failures = self.failures.saturating_add(1);
    }

    pub fn due(&mut self, now: Monotonic) -> Option<Send> {
        if self.flight.is_some_and(|flight| flight.give_up <= now) {
            self.failed(now);
        }
        if self.phase == Phase::Silent || !self.may_send(now) {
            return None;
        }
        let hold_ms = match self.flight {
            Some(_) => 0,
            None => self.interval_ms,
        };
        self.news = false;
        let hold = Duration::from_millis(hold_ms);
        let give_up = now.after(self.answer_timeout.saturating_add(hold));
        self.flight = Some(Flight { sent: now, hold_ms, give_up });
        if self.phase == Phase::Joining {
            self.registration += 1;
            return Some(Send::Register(self.registration));
        }
        self.sequence += 1;
        Some(Send::Heartbeat { sequence: self.sequence, hold_ms })
    }

    fn may_send(&self, now: Monotonic) -> bool {
        match self.flight {
            // Only news overtakes a heartbeat, and only one that the resource manager may hold.
            Some(flight) => self.phase == Phase::Joined && self.news && flight.hold_ms > 0,
            None if self.phase == Phase::Joined && self.failures == 0 && self.news => true,
            None => self.next <= now,
        }
    }

    /// Time at which [`HeartbeatSession::due`] gives the next request.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        match (self.phase, self.flight) {
            (Phase::Silent, _) => None,
            (_, Some(flight)) => Some(flight.give_up),
            (_, None) => Some(self.next),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> HeartbeatSession {
        let ms = Duration::from_millis;
        HeartbeatSession::new(Backoff { min: ms(100), max: ms(300) }, ms(10_000))
    }

    fn joined() -> HeartbeatSession {
        let mut session = session();
        session.join(Monotonic(0));
        assert_eq!(session.due(Monotonic(0)), Some(Send::Register(1)));
        assert!(session.registered(Monotonic(1), 1, 1000));
        session
    }

    fn beat(sequence: u64, hold_ms: u64) -> Option<Send> {
        Some(Send::Heartbeat { sequence, hold_ms })
    }

    #[test]
    fn waits_double_up_to_the_largest() {
        let mut session = session();
        session.join(Monotonic(0));
        let mut now = Monotonic(0);
        for (registration, wait_ms) in [(1, 100), (2, 200), (3, 300), (4, 300)] {
            assert_eq!(session.due(now), Some(Send::Register(registration)));
            session.registration_failed(now, registration);
            session.registration_failed(now, registration);
            assert_eq!(session.next_deadline(), Some(Monotonic(now.0 + wait_ms)));
            now = Monotonic(now.0 + wait_ms);
        }
        assert_eq!(session.due(now), Some(Send::Register(5)));
        assert!(!session.registered(now, 4, 1000), "the answer to an earlier one is stale");
        assert!(session.registered(now, 5, 1000));
    }

    #[test]
    fn news_overtakes_a_held_heartbeat_once() {
        let mut session = joined();
        assert_eq!(session.due(Monotonic(1)), beat(1, 1000));
        session.has_news();
        assert_eq!(session.due(Monotonic(2)), beat(2, 0));
        session.has_news();
        assert_eq!(session.due(Monotonic(3)), None, "the second one is answered at once");
        assert!(!session.awaits(1) && session.awaits(2));
        session.carried_out(Monotonic(4), AnswerContent::Nothing);
        assert_eq!(session.due(Monotonic(4)), beat(3, 1000));
    }

    #[test]
    fn orders_that_are_repeated_early_do_not_spin() {
        let mut session = joined();
        assert_eq!(session.due(Monotonic(1)), beat(1, 1000));
        session.carried_out(Monotonic(2), AnswerContent::News);
        assert_eq!(session.due(Monotonic(2)), beat(2, 1000));
        session.carried_out(Monotonic(3), AnswerContent::Nothing);
        assert_eq!(session.due(Monotonic(3)), None);
        assert_eq!(session.due(Monotonic(53)), beat(3, 1000));
        session.carried_out(Monotonic(1053), AnswerContent::Nothing);
        assert_eq!(session.due(Monotonic(1053)), beat(4, 1000));
    }

    #[test]
    fn lost_answer_is_given_up_and_news_keeps_to_the_wait() {
        let mut session = joined();
        assert_eq!(session.due(Monotonic(1)), beat(1, 1000));
        assert_eq!(session.next_deadline(), Some(Monotonic(11_001)));
        assert_eq!(session.due(Monotonic(11_001)), None);
        session.has_news();
        assert_eq!(session.due(Monotonic(11_002)), None);
        assert_eq!(session.due(Monotonic(11_101)), beat(2, 1000));
    }
}
