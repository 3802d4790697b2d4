//! The node's tie to the resource manager: registration, then heartbeats.
//!
//! ```text
//!            answered                    Resync
//!  Joining ────────────▶ Joined ───────────────────▶ Joining
//!     │ no answer: again    │ no answer: again,
//!     ▼ after a wait        ▼ after a wait
//! ```
//!
//! A heartbeat is held by the resource manager until there is something to say. News does not wait
//! for its answer: a second heartbeat goes out that asks for an answer at once, and the first one's
//! answer is ignored by its sequence. Nothing overtakes that second one, so that answers get through
//! however much news there is.

use crate::backoff::Backoff;
use std::time::Duration;
use weir_base::Monotonic;

/// Wait before a heartbeat when the answer to the last said nothing new although it came early, as
/// it does while an order is being carried out.
const REPEATED_ORDERS_WAIT: Duration = Duration::from_millis(50);

/// A shorter hold would make the node ask without pause.
const MIN_INTERVAL_MS: u64 = 10;

/// What to send now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Send {
    /// A registration of this number.
    Register(u64),
    Heartbeat {
        sequence: u64,
        hold_ms: u64,
    },
}

/// Whether an answer brought something to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Told {
    /// It did.
    News,
    /// It brought nothing, or what is being done already.
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Nothing is sent: before the disk was looked at, and at the end.
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

/// The state of the tie.
#[derive(Clone, Debug)]
pub(crate) struct Heart {
    backoff: Backoff,
    /// An answer is given up when it is later than its hold by this.
    answer_timeout: Duration,
    phase: Phase,
    /// Of the last registration sent.
    registration: u64,
    /// Of the last heartbeat sent.
    sequence: u64,
    interval_ms: u64,
    /// The last request, while its answer is awaited.
    flight: Option<Flight>,
    /// When to send next while nothing is in flight.
    next: Monotonic,
    /// Requests in a row without an answer.
    failures: u32,
    news: bool,
}

impl Heart {
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

    /// Sends nothing any more.
    pub fn fall_silent(&mut self) {
        self.phase = Phase::Silent;
        self.flight = None;
    }

    /// Something happened that the resource manager should hear of at once.
    pub fn has_news(&mut self) {
        self.news = true;
    }

    /// Whether the resource manager knows the node, as far as this side knows.
    pub fn is_joined(&self) -> bool {
        self.phase == Phase::Joined
    }

    /// Takes the answer to a registration: whether it is the one awaited.
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

    /// The awaited answer to a heartbeat has been carried out.
    pub fn heard(&mut self, now: Monotonic, told: Told) {
        let held_out = self.flight.is_none_or(|flight| {
            now.millis_since(flight.sent) >= flight.hold_ms || flight.hold_ms == 0
        });
        let at_once = told == Told::News || held_out;
        self.answered(if at_once { now } else { now.after(REPEATED_ORDERS_WAIT) });
    }

    fn answered(&mut self, next: Monotonic) {
        self.flight = None;
        self.failures = 0;
        self.next = next;
    }

    /// A registration got no answer.
    pub fn registration_failed(&mut self, now: Monotonic, registration: u64) {
        if self.phase == Phase::Joining && registration == self.registration {
            self.failed(now);
        }
    }

    /// A heartbeat got no answer.
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
            // Overtaken only by news, and only while it may be held.
            Some(flight) => self.phase == Phase::Joined && self.news && flight.hold_ms > 0,
            None if self.phase == Phase::Joined && self.failures == 0 && self.news => true,
            None => self.next <= now,
        }
    }

    /// When [`Heart::due`] has something next.
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

    fn heart() -> Heart {
        let ms = Duration::from_millis;
        Heart::new(Backoff { min: ms(100), max: ms(300) }, ms(10_000))
    }

    fn joined() -> Heart {
        let mut heart = heart();
        heart.join(Monotonic(0));
        assert_eq!(heart.due(Monotonic(0)), Some(Send::Register(1)));
        assert!(heart.registered(Monotonic(1), 1, 1000));
        heart
    }

    fn beat(sequence: u64, hold_ms: u64) -> Option<Send> {
        Some(Send::Heartbeat { sequence, hold_ms })
    }

    #[test]
    fn waits_double_up_to_the_largest() {
        let mut heart = heart();
        heart.join(Monotonic(0));
        let mut now = Monotonic(0);
        for (registration, wait_ms) in [(1, 100), (2, 200), (3, 300), (4, 300)] {
            assert_eq!(heart.due(now), Some(Send::Register(registration)));
            heart.registration_failed(now, registration);
            heart.registration_failed(now, registration);
            assert_eq!(heart.next_deadline(), Some(Monotonic(now.0 + wait_ms)));
            now = Monotonic(now.0 + wait_ms);
        }
        assert_eq!(heart.due(now), Some(Send::Register(5)));
        assert!(!heart.registered(now, 4, 1000), "the answer to an earlier one is stale");
        assert!(heart.registered(now, 5, 1000));
    }

    #[test]
    fn news_overtakes_a_held_heartbeat_once() {
        let mut heart = joined();
        assert_eq!(heart.due(Monotonic(1)), beat(1, 1000));
        heart.has_news();
        assert_eq!(heart.due(Monotonic(2)), beat(2, 0));
        heart.has_news();
        assert_eq!(heart.due(Monotonic(3)), None, "the second one is answered at once");
        assert!(!heart.awaits(1) && heart.awaits(2));
        heart.heard(Monotonic(4), Told::Nothing);
        assert_eq!(heart.due(Monotonic(4)), beat(3, 1000));
    }

    #[test]
    fn orders_that_are_repeated_early_do_not_spin() {
        let mut heart = joined();
        assert_eq!(heart.due(Monotonic(1)), beat(1, 1000));
        heart.heard(Monotonic(2), Told::News);
        assert_eq!(heart.due(Monotonic(2)), beat(2, 1000));
        heart.heard(Monotonic(3), Told::Nothing);
        assert_eq!(heart.due(Monotonic(3)), None);
        assert_eq!(heart.due(Monotonic(53)), beat(3, 1000));
        heart.heard(Monotonic(1053), Told::Nothing);
        assert_eq!(heart.due(Monotonic(1053)), beat(4, 1000));
    }

    #[test]
    fn lost_answer_is_given_up_and_news_keeps_to_the_wait() {
        let mut heart = joined();
        assert_eq!(heart.due(Monotonic(1)), beat(1, 1000));
        assert_eq!(heart.next_deadline(), Some(Monotonic(11_001)));
        assert_eq!(heart.due(Monotonic(11_001)), None);
        heart.has_news();
        assert_eq!(heart.due(Monotonic(11_002)), None);
        assert_eq!(heart.due(Monotonic(11_101)), beat(2, 1000));
    }
}
