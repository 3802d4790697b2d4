//! The bounded pool of buffers that encoded batches wait in until the socket takes them.
//!
//! A buffer goes back when it is dropped. Who finds none is parked, first come, first woken.

use crate::control::Signal;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use weir_protocol::data::HEADER_BYTES;

/// The buffers of one host.
pub struct SegmentPool {
    state: Mutex<State>,
    /// Bytes of a batch that a buffer carries.
    segment_bytes: usize,
}

struct State {
    free: Vec<Vec<u8>>,
    /// Buffers that may still be allocated.
    unborn: usize,
    parked: VecDeque<Arc<Signal>>,
}

/// A buffer: one frame with its header.
pub struct Segment {
    pub bytes: Vec<u8>,
    pool: Arc<SegmentPool>,
}

impl SegmentPool {
    /// A pool of at most this number of buffers; they are allocated when first needed.
    pub fn new(buffers: usize, segment_bytes: usize) -> Arc<Self> {
        assert!(buffers > 0 && segment_bytes > 0, "a pool has room");
        let state = State { free: Vec::new(), unborn: buffers, parked: VecDeque::new() };
        Arc::new(Self { state: Mutex::new(state), segment_bytes })
    }

    /// Bytes of a batch that a buffer carries.
    pub fn segment_bytes(&self) -> usize {
        self.segment_bytes
    }

    /// An empty buffer. If there is none, `parked` is raised when there may be one; who then no
    /// longer wants it calls [`SegmentPool::leave`].
    pub fn try_take(self: &Arc<Self>, parked: &Arc<Signal>) -> Option<Segment> {
        let mut state = self.lock();
        let bytes = match state.free.pop() {
            Some(bytes) => bytes,
            None if state.unborn > 0 => {
                state.unborn -= 1;
                Vec::with_capacity(HEADER_BYTES + self.segment_bytes)
            }
            None => {
                if !state.parked.iter().any(|other| Arc::ptr_eq(other, parked)) {
                    state.parked.push_back(Arc::clone(parked));
                }
                return None;
            }
        };
        // Who was woken by something else no longer waits: it must not get a wake-up meant for the
        // next.
        state.parked.retain(|other| !Arc::ptr_eq(other, parked));
        Some(Segment { bytes, pool: Arc::clone(self) })
    }

    /// Stops waiting; a wake-up meant for the caller goes to the next.
    pub fn leave(&self, parked: &Arc<Signal>) {
        let mut state = self.lock();
        let before = state.parked.len();
        state.parked.retain(|other| !Arc::ptr_eq(other, parked));
        if state.parked.len() == before {
            Self::wake_next(state);
        }
    }

    fn wake_next(mut state: MutexGuard<'_, State>) {
        let next = state.parked.pop_front();
        drop(state);
        if let Some(next) = next {
            next.raise();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut state = self.pool.lock();
        state.free.push(bytes);
        SegmentPool::wake_next(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn is_raised(signal: &Signal) -> bool {
        let start = std::time::Instant::now();
        signal.wait(Some(Duration::from_secs(60)));
        start.elapsed() < Duration::from_secs(60)
    }

    #[test]
    fn buffers_are_bounded_and_go_back() {
        let pool = SegmentPool::new(2, 10);
        let [first, second] = [(); 2].map(|()| Arc::new(Signal::default()));
        let held = (pool.try_take(&first).unwrap(), pool.try_take(&first).unwrap());
        assert!(pool.try_take(&first).is_none());
        assert!(pool.try_take(&second).is_none());
        drop(held.0);
        assert!(is_raised(&first), "the first that waited is woken first");
        let again = pool.try_take(&first).unwrap();
        assert!(again.bytes.is_empty());
        assert!(pool.try_take(&second).is_none());
    }

    /// Its entry was left behind, and the next free buffer woke it instead of the one that waited.
    #[test]
    fn who_takes_a_buffer_out_of_turn_is_not_woken_for_the_next() {
        let pool = SegmentPool::new(1, 10);
        let [first, second] = [(); 2].map(|()| Arc::new(Signal::default()));
        let held = pool.try_take(&first).unwrap();
        assert!(pool.try_take(&second).is_none());
        assert!(pool.try_take(&first).is_none());
        drop(held);
        assert!(is_raised(&second));
        let out_of_turn = pool.try_take(&first).unwrap();
        assert!(pool.try_take(&second).is_none());
        drop(out_of_turn);
        let state = pool.lock();
        assert!(state.parked.is_empty(), "the one that waits was woken");
        drop(state);
        assert!(is_raised(&second));
    }

    #[test]
    fn who_leaves_passes_the_wake_up_on() {
        let pool = SegmentPool::new(1, 10);
        let [first, second] = [(); 2].map(|()| Arc::new(Signal::default()));
        let held = pool.try_take(&first).unwrap();
        assert!(pool.try_take(&first).is_none());
        assert!(pool.try_take(&second).is_none());
        drop(held);
        pool.leave(&first);
        assert!(is_raised(&second));
        assert!(pool.try_take(&second).is_some());
    }
}
