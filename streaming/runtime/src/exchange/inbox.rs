//! The inbox of a task: one bounded queue per channel, one place to wait.
//!
//! A channel's queue is bounded in batches and in bytes; one oversized batch passes alone. A
//! producer that finds no room parks until the consumer takes something from that channel. The
//! consumer takes from its channels in turn and leaves blocked ones (barrier alignment) alone,
//! whose bounds then hold their producers back: that is all alignment needs.
//!
//! Waking a thread costs more than a batch does. So a batch by itself does not wake a parked
//! consumer: a part of a channel's bounds does, a control element, and a [`Kick`], which a producer
//! gives to all its consumers before it waits for anything, and about every millisecond.

use super::ElementSender;
use crate::{
    control::{Kick, KickOnce, Signal, TaskControl, Wait},
    panics,
};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use weir_dataflow::{Batch, Element, Error, Result, vec_pool};

/// The consumer is woken when this part of a channel's bounds is filled: one divided by the number.
const WAKE_SHARE: usize = 2;

/// Bounds of one channel's queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InboxLimits {
    /// Batches a queue may hold.
    pub batches: usize,
    /// Bytes a queue may hold, one oversized batch excepted.
    pub bytes: usize,
}

impl Default for InboxLimits {
    fn default() -> Self {
        Self { batches: 8, bytes: 256 * 1024 }
    }
}

/// A batch as it came over the wire; the task decodes it when it takes it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    pub records: usize,
    /// Whether 8 bytes of key hash per record precede the payload.
    pub has_key_hashes: bool,
    /// Whether 8 bytes of event time per record come next.
    pub has_timestamps: bool,
    /// Whether 8 bytes of weight per record come next.
    pub has_weights: bool,
    /// Columns (little-endian) if any, in this order, then the encoded payload.
    pub bytes: Vec<u8>,
}

/// What lies in a queue.
#[derive(Debug)]
pub enum QueuedElement {
    /// An element handed over by pointer.
    Element(Element),
    /// A batch still encoded.
    Encoded(Delivery),
}

impl QueuedElement {
    fn cost(&self) -> Option<usize> {
        match self {
            Self::Element(Element::Batch(batch)) => Some(batch.size_bytes()),
            Self::Encoded(delivery) => Some(delivery.bytes.len()),
            Self::Element(_) => None,
        }
    }
}

/// What a look into the inbox found.
#[derive(Debug)]
pub enum Received {
    /// An element and the channel it came on.
    Element(usize, QueuedElement),
    /// [`Inbox::wake`] was called.
    Woken,
    Nothing,
}

struct Channel {
    queue: VecDeque<(QueuedElement, Option<usize>)>,
    batches: usize,
    bytes: usize,
    blocked: bool,
    /// Wakes the parked producer, if there is one.
    parked: Option<Arc<Signal>>,
    /// Told of every batch taken: how a remote producer gets its credit back.
    on_taken: Option<Box<dyn Fn(usize) + Send>>,
}

struct State {
    channels: Vec<Channel>,
    /// Channel to look at first.
    next: usize,
    /// Elements in unblocked channels.
    ready: usize,
    woken: bool,
    closed: bool,
    /// Whether the consumer is parked.
    waiting: bool,
}

impl Kick for Inbox {
    fn kick(&self) {
        let state = self.lock();
        self.wake_if(state.waiting && state.ready > 0, state);
    }
}

/// A task's inbox. See the module's documentation.
pub struct Inbox {
    state: Mutex<State>,
    readable: Signal,
    limits: InboxLimits,
}

impl Inbox {
    /// An inbox with this number of channels.
    pub fn new(channels: usize, limits: InboxLimits) -> Arc<Self> {
        let channel = || Channel {
            queue: VecDeque::new(),
            batches: 0,
            bytes: 0,
            blocked: false,
            parked: None,
            on_taken: None,
        };
        Arc::new(Self {
            state: Mutex::new(State {
                channels: (0..channels).map(|_| channel()).collect(),
                next: 0,
                ready: 0,
                woken: false,
                closed: false,
                waiting: false,
            }),
            readable: Signal::default(),
            limits,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bounds of each channel's queue.
    pub fn limits(&self) -> InboxLimits {
        self.limits
    }

    /// Puts an element into a channel if there is room; gives it back if not. `parked` is raised
    /// when there may be room again. A closed inbox takes everything and keeps nothing.
    pub fn offer(
        &self,
        channel: usize,
        element: QueuedElement,
        parked: &Arc<Signal>,
    ) -> std::result::Result<(), QueuedElement> {
        let cost = element.cost();
        let mut state = self.lock();
        if state.closed {
            return Ok(());
        }
        let entry = &mut state.channels[channel];
        let mut urgent = true;
        if let Some(bytes) = cost {
            let full = entry.batches >= self.limits.batches
                || (entry.batches > 0 && entry.bytes + bytes > self.limits.bytes);
            if full {
                entry.parked = Some(Arc::clone(parked));
                self.wake_if(state.waiting, state);
                return Err(element);
            }
            urgent = self.is_urgent(entry, bytes);
        }
        self.append(state, channel, element, cost, urgent);
        Ok(())
    }

    /// Whether the consumer should be woken for a channel that gets one more batch of this size.
    fn is_urgent(&self, channel: &Channel, bytes: usize) -> bool {
        (channel.batches + 1) * WAKE_SHARE >= self.limits.batches
            || (channel.bytes + bytes) * WAKE_SHARE >= self.limits.bytes
    }

    fn wake_if(&self, wake: bool, state: MutexGuard<'_, State>) {
        drop(state);
        if wake {
            self.readable.raise();
        }
    }

    /// Puts an element into a channel, room or not: for producers whose credit is counted
    /// elsewhere. A producer wakes the inbox when it has nothing more to push.
    pub fn push(&self, channel: usize, element: QueuedElement) {
        let cost = element.cost();
        let state = self.lock();
        if !state.closed {
            let urgent = cost.is_none_or(|bytes| self.is_urgent(&state.channels[channel], bytes));
            self.append(state, channel, element, cost, urgent);
        }
    }

    fn append(
        &self,
        mut state: MutexGuard<'_, State>,
        channel: usize,
        element: QueuedElement,
        cost: Option<usize>,
        urgent: bool,
    ) {
        let entry = &mut state.channels[channel];
        entry.queue.push_back((element, cost));
        if let Some(bytes) = cost {
            entry.batches += 1;
            entry.bytes += bytes;
        }
        if !entry.blocked {
            state.ready += 1;
        }
        self.wake_if(state.waiting && urgent, state);
    }

    /// Calls `on_taken` with the bytes of every batch that leaves the channel's queue.
    pub fn on_batch_taken(&self, channel: usize, on_taken: impl Fn(usize) + Send + 'static) {
        self.lock().channels[channel].on_taken = Some(Box::new(on_taken));
    }

    /// Takes the next element of an unblocked channel, or learns that there is none.
    pub fn poll(&self) -> Received {
        let mut state = self.lock();
        if state.ready > 0 {
            return Self::take(state);
        }
        if std::mem::take(&mut state.woken) { Received::Woken } else { Received::Nothing }
    }

    /// Waits for an element, a wake-up or the end of `timeout`.
    pub fn wait(&self, control: &TaskControl, timeout: Option<Duration>) -> Received {
        {
            let mut state = self.lock();
            if state.ready > 0 || state.woken {
                drop(state);
                return self.poll();
            }
            state.waiting = true;
        }
        control.waiting(Wait::Input, || self.readable.wait(timeout));
        self.lock().waiting = false;
        self.poll()
    }

    fn take(mut state: MutexGuard<'_, State>) -> Received {
        let count = state.channels.len();
        for step in 0..count {
            let channel = (state.next + step) % count;
            let entry = &mut state.channels[channel];
            if entry.blocked {
                continue;
            }
            let Some((element, cost)) = entry.queue.pop_front() else { continue };
            let mut parked = None;
            if let Some(bytes) = cost {
                entry.batches -= 1;
                entry.bytes -= bytes;
                parked = entry.parked.take();
                if let Some(on_taken) = &entry.on_taken {
                    on_taken(bytes);
                }
            }
            state.ready -= 1;
            state.next = (channel + 1) % count;
            drop(state);
            if let Some(parked) = parked {
                parked.raise();
            }
            return Received::Element(channel, element);
        }
        Received::Nothing
    }

    /// Stops or resumes taking from a channel.
    pub fn set_blocked(&self, channel: usize, blocked: bool) {
        let mut state = self.lock();
        let entry = &mut state.channels[channel];
        if entry.blocked == blocked {
            return;
        }
        entry.blocked = blocked;
        let queued = entry.queue.len();
        if blocked {
            state.ready -= queued;
        } else {
            state.ready += queued;
        }
    }

    /// Makes the consumer look up from a wait.
    pub fn wake(&self) {
        self.lock().woken = true;
        self.readable.raise();
    }

    /// Drops everything queued, and from now on everything that comes; frees parked producers.
    ///
    /// # Errors
    /// The first panic of a record's destructor; the other elements are dropped all the same.
    pub fn close(&self) -> Result<()> {
        let mut state = self.lock();
        state.closed = true;
        state.ready = 0;
        let mut dropped = Vec::new();
        for channel in &mut state.channels {
            dropped.append(&mut channel.queue.drain(..).collect());
            channel.on_taken = None;
            if let Some(parked) = channel.parked.take() {
                parked.raise();
            }
        }
        drop(state);
        dropped.into_iter().map(panics::catch_drop).fold(Ok(()), Result::and)
    }

    /// Batches queued in all channels.
    pub fn queued_batches(&self) -> usize {
        self.lock().channels.iter().map(|channel| channel.batches).sum()
    }
}

/// Sends by pointer to an inbox in the same process.
pub struct LocalSender {
    inbox: Arc<Inbox>,
    channel: usize,
    control: Arc<TaskControl>,
    parked: Arc<Signal>,
    kick: KickOnce,
}

impl LocalSender {
    /// The producer's end of a channel; `control` is that of the producing task.
    pub fn new(inbox: Arc<Inbox>, channel: usize, control: Arc<TaskControl>) -> Self {
        let parked = Arc::new(Signal::default());
        control.on_cancel({
            let parked = Arc::clone(&parked);
            move || parked.raise()
        });
        Self { inbox, channel, control, parked, kick: KickOnce::default() }
    }
}

impl ElementSender for LocalSender {
    fn send(&mut self, element: Element) -> Result<()> {
        let mut element = QueuedElement::Element(element);
        loop {
            match self.inbox.offer(self.channel, element, &self.parked) {
                Ok(()) => break,
                Err(back) => element = back,
            }
            self.control.check()?;
            self.control.waiting(Wait::Output, || self.parked.wait(None));
            self.control.check()?;
        }
        // Not before: a wait for room is a kick, and would be the one that counts.
        self.kick.later(&self.control, || Arc::clone(&self.inbox) as Arc<dyn Kick>);
        Ok(())
    }
}

impl Delivery {
    /// The batch, decoded.
    pub fn decode(self, payload_type: &dyn weir_dataflow::PayloadType) -> Result<Batch> {
        let mut rest = self.bytes.as_slice();
        let hashes = column(self.has_key_hashes, self.records, &mut rest, u64::from_le_bytes)?;
        let times = column(self.has_timestamps, self.records, &mut rest, i64::from_le_bytes)?;
        let weights = column(self.has_weights, self.records, &mut rest, i64::from_le_bytes)?;
        let mut batch = Batch::of_payload(payload_type.decode(rest, self.records)?);
        vec_pool::give(self.bytes);
        if let Some(hashes) = hashes {
            batch = batch.with_key_hashes(hashes);
        }
        if let Some(times) = times {
            batch = batch.with_timestamps(times);
        }
        if let Some(weights) = weights {
            batch = batch.with_weights(weights);
        }
        Ok(batch)
    }
}

/// Takes a column off the front of the bytes, if it is there.
fn column<T: Send + 'static>(
    is_there: bool,
    records: usize,
    bytes: &mut &[u8],
    value: impl Fn([u8; 8]) -> T,
) -> Result<Option<Vec<T>>> {
    if !is_there {
        return Ok(None);
    }
    let Some((front, rest)) = bytes.split_at_checked(records.saturating_mul(8)) else {
        return Err(Error::internal(format!(
            "a delivery with {} bytes left is too short for a column of {records} records",
            bytes.len()
        )));
    };
    *bytes = rest;
    let (words, _) = front.as_chunks::<8>();
    let mut values = vec_pool::take();
    values.extend(words.iter().map(|word| value(*word)));
    Ok(Some(values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const TWO_BATCHES: InboxLimits = InboxLimits { batches: 2, bytes: 1 << 20 };

    fn batch(value: u64) -> Element {
        Element::Batch(Batch::of(vec![value]))
    }

    fn value(received: Received) -> (usize, u64) {
        match received {
            Received::Element(channel, QueuedElement::Element(Element::Batch(batch))) => {
                (channel, batch.into_records::<u64>().unwrap()[0])
            }
            other => panic!("expected a batch, got {other:?}"),
        }
    }

    #[test]
    fn a_full_channel_parks_its_producer_and_keeps_order() {
        let inbox = Inbox::new(1, TWO_BATCHES);
        let control = TaskControl::new();
        let mut sender = LocalSender::new(Arc::clone(&inbox), 0, Arc::clone(&control));
        let producer = thread::spawn(move || (0..1000).try_for_each(|i| sender.send(batch(i))));
        let consumer = TaskControl::new();
        let next = || loop {
            match inbox.wait(&consumer, None) {
                Received::Nothing => {}
                received => return value(received),
            }
        };
        for expected in 0..1000 {
            assert_eq!(next(), (0, expected));
            assert!(inbox.queued_batches() <= 2);
        }
        producer.join().unwrap().unwrap();
    }

    #[test]
    fn a_blocked_channel_is_left_alone_and_others_go_on() {
        let inbox = Inbox::new(2, TWO_BATCHES);
        for (channel, i) in [(0, 10), (1, 20), (1, 21)] {
            inbox.push(channel, QueuedElement::Element(batch(i)));
        }
        inbox.set_blocked(0, true);
        assert_eq!(value(inbox.poll()), (1, 20));
        assert_eq!(value(inbox.poll()), (1, 21));
        assert!(matches!(inbox.poll(), Received::Nothing));
        inbox.set_blocked(0, false);
        assert_eq!(value(inbox.poll()), (0, 10));
    }

    #[test]
    fn cancelling_frees_a_parked_producer() {
        let inbox = Inbox::new(1, InboxLimits { batches: 1, bytes: 1 });
        let control = TaskControl::new();
        let mut sender = LocalSender::new(Arc::clone(&inbox), 0, Arc::clone(&control));
        sender.send(batch(1)).unwrap();
        let producer = thread::spawn(move || sender.send(batch(2)));
        control.cancel();
        assert!(matches!(producer.join().unwrap(), Err(Error::Cancelled)));
    }

    #[test]
    fn closing_frees_parked_producers_and_takes_everything() {
        let inbox = Inbox::new(1, InboxLimits { batches: 1, bytes: 1 });
        let mut sender = LocalSender::new(Arc::clone(&inbox), 0, TaskControl::new());
        sender.send(batch(1)).unwrap();
        let producer = thread::spawn(move || sender.send(batch(2)));
        inbox.close().unwrap();
        producer.join().unwrap().unwrap();
        assert!(matches!(inbox.poll(), Received::Nothing));
    }

    #[test]
    fn a_kick_wakes_the_consumer_of_a_single_batch() {
        let inbox = Inbox::new(1, InboxLimits { batches: 100, bytes: 1 << 20 });
        let control = TaskControl::new();
        let mut sender = LocalSender::new(Arc::clone(&inbox), 0, Arc::clone(&control));
        let consumer = thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.wait(&TaskControl::new(), None)
        });
        while !inbox.lock().waiting {
            thread::yield_now();
        }
        sender.send(batch(1)).unwrap();
        control.kick();
        assert_eq!(value(consumer.join().unwrap()), (0, 1));
    }

    /// The wait for room was the kick that the batch behind it had been registered for.
    #[test]
    fn a_batch_that_had_to_wait_for_room_is_kicked_too() {
        for _ in 0..200 {
            let inbox = Inbox::new(1, InboxLimits { batches: 4, bytes: 1 << 20 });
            let control = TaskControl::new();
            let mut sender = LocalSender::new(Arc::clone(&inbox), 0, Arc::clone(&control));
            let producer = thread::spawn(move || {
                (0..5).for_each(|i| sender.send(batch(i)).unwrap());
                control.kick();
            });
            let (consumer, mut taken) = (TaskControl::new(), 0);
            while taken < 5 {
                match inbox.wait(&consumer, Some(Duration::from_secs(60))) {
                    Received::Element(..) => taken += 1,
                    other => panic!("{taken} batches came, then {other:?}"),
                }
            }
            producer.join().unwrap();
        }
    }

    #[test]
    fn control_elements_need_no_room() {
        let inbox = Inbox::new(1, InboxLimits { batches: 1, bytes: 1 });
        let mut sender = LocalSender::new(Arc::clone(&inbox), 0, TaskControl::new());
        sender.send(batch(1)).unwrap();
        sender.send(Element::Watermark(7)).unwrap();
        sender.send(Element::EndOfData).unwrap();
    }

    /// Panics when it is dropped.
    #[derive(Clone, serde::Serialize, serde::Deserialize)]
    struct Bomb {
        #[serde(skip)]
        _alive: Arc<()>,
    }

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("broken in drop");
        }
    }

    #[test]
    fn records_that_panic_when_they_are_dropped_do_not_keep_an_inbox_from_closing() {
        let inbox = Inbox::new(2, InboxLimits::default());
        let alive = Arc::new(());
        for channel in [0, 0, 1] {
            let bomb = Batch::of(vec![Bomb { _alive: Arc::clone(&alive) }]);
            inbox.push(channel, QueuedElement::Element(Element::Batch(bomb)));
        }
        let error = inbox.close().unwrap_err();
        assert_eq!(error.code(), "WEIR-TASK-0001");
        assert!(error.to_string().contains("broken in drop"), "{error}");
        assert_eq!(Arc::strong_count(&alive), 1, "all of them were dropped");
    }
}
