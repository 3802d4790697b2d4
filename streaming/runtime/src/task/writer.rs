//! The output side of a task: routes batches to channels and closes them.
//!
//! A batch is closed at 1,024 records or 32 KiB, at the buffer timeout, or before a control
//! element. Partitioning is one counting pass and one append per record; the key hash is
//! computed once and travels along. A keyed exchange reads a table *key group → channel*.

use crate::exchange::ElementSender;
use std::time::Duration;
use weir_base::Monotonic;
use weir_dataflow::{
    Batch, Element, KeyHasher, Result, Selection,
    batch::{BatchBuilder, MAX_BYTES, MAX_RECORDS},
    vec_pool,
};
use weir_graph::{Partitioning, key_group_of, subtask_of_key_group};

/// When a batch that is not full is sent all the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BufferTimeout {
    /// After every call of an operator.
    EachRecord,
    /// When its first record has waited so long.
    After(Duration),
    /// Never: only full batches and those before a control element.
    OnlyFull,
}

/// What it takes to build a writer.
pub struct WriterParts {
    /// Routing.
    pub partitioning: Partitioning,
    /// The consumers' channels.
    pub senders: Vec<Box<dyn ElementSender>>,
    /// Key function of a hash edge.
    pub hasher: Option<Box<dyn KeyHasher>>,
    /// Number of key groups of the consumer.
    pub max_parallelism: u32,
    /// First channel of a rebalance.
    pub first_channel: usize,
    /// When to send what is not full.
    pub timeout: BufferTimeout,
}

/// Writes one output edge of a task.
pub struct OutputWriter {
    partitioning: Partitioning,
    senders: Vec<Box<dyn ElementSender>>,
    builders: Vec<BatchBuilder>,
    hasher: Option<Box<dyn KeyHasher>>,
    /// Channel of each key group.
    routes: Vec<u32>,
    targets: Vec<u32>,
    selection: Selection,
    next: usize,
    timeout: BufferTimeout,
    /// When the oldest unsent record came; `None` when nothing is unsent.
    oldest: Option<Monotonic>,
}

impl OutputWriter {
    /// A writer for an edge.
    pub fn new(parts: WriterParts) -> Self {
        let channels = parts.senders.len();
        let owner = |group| subtask_of_key_group(group, parts.max_parallelism, channels as u32);
        Self {
            partitioning: parts.partitioning,
            builders: (0..channels).map(|_| BatchBuilder::default()).collect(),
            senders: parts.senders,
            hasher: parts.hasher,
            routes: (0..parts.max_parallelism).map(owner).collect(),
            targets: Vec::new(),
            selection: Selection::default(),
            next: parts.first_channel % channels.max(1),
            timeout: parts.timeout,
            oldest: None,
        }
    }

    /// Routes a batch.
    pub fn write(&mut self, batch: Batch, now: Monotonic) -> Result<()> {
        match self.partitioning {
            Partitioning::Hash => self.write_hashed(batch)?,
            Partitioning::Broadcast => {
                for channel in 1..self.senders.len() {
                    self.append(channel, batch.duplicate())?;
                }
                self.append(0, batch)?;
            }
            Partitioning::Rebalance => {
                let channel = self.next;
                self.next = (channel + 1) % self.senders.len();
                self.append(channel, batch)?;
            }
            Partitioning::Forward | Partitioning::Global => self.append(0, batch)?,
        }
        match self.timeout {
            BufferTimeout::EachRecord => self.flush(),
            _ => {
                self.oldest.get_or_insert(now);
                Ok(())
            }
        }
    }

    fn write_hashed(&mut self, mut batch: Batch) -> Result<()> {
        if batch.key_hashes().is_none()
            && let Some(hasher) = &mut self.hasher
        {
            let mut hashes = vec_pool::take();
            hasher.hash(batch.payload(), &mut hashes)?;
            batch = batch.with_key_hashes(hashes);
        }
        if self.senders.len() == 1 {
            return self.append(0, batch);
        }
        let groups = self.routes.len() as u32;
        let routes = &self.routes;
        let hashes = batch.key_hashes().unwrap_or_default();
        self.targets.clear();
        self.targets.extend(hashes.iter().map(|hash| routes[key_group_of(*hash, groups) as usize]));
        self.selection.select(&self.targets, self.builders.len());
        batch.scatter(&self.selection, &mut self.builders);
        for channel in 0..self.builders.len() {
            self.send_if_full(channel)?;
        }
        Ok(())
    }

    fn append(&mut self, channel: usize, batch: Batch) -> Result<()> {
        let builder = &mut self.builders[channel];
        if builder.is_empty() && batch.len() >= MAX_RECORDS / 2 {
            return self.senders[channel].send(Element::Batch(batch));
        }
        builder.append(batch);
        self.send_if_full(channel)
    }

    fn send_if_full(&mut self, channel: usize) -> Result<()> {
        let builder = &mut self.builders[channel];
        if builder.len() >= MAX_RECORDS || builder.size_bytes() >= MAX_BYTES {
            self.send_built(channel)?;
        }
        Ok(())
    }

    fn send_built(&mut self, channel: usize) -> Result<()> {
        match self.builders[channel].take() {
            Some(batch) => self.senders[channel].send(Element::Batch(batch)),
            None => Ok(()),
        }
    }

    /// Sends everything that is unsent.
    pub fn flush(&mut self) -> Result<()> {
        self.oldest = None;
        (0..self.builders.len()).try_for_each(|channel| self.send_built(channel))
    }

    /// When something unsent must be sent.
    pub fn flush_deadline(&self) -> Option<Monotonic> {
        match self.timeout {
            BufferTimeout::After(timeout) => self.oldest.map(|oldest| oldest.after(timeout)),
            _ => None,
        }
    }

    /// Sends what has waited long enough.
    pub fn flush_if_due(&mut self, now: Monotonic) -> Result<()> {
        match self.flush_deadline() {
            Some(deadline) if deadline <= now => self.flush(),
            _ => Ok(()),
        }
    }

    /// Sends everything unsent, then a control element to every channel.
    pub fn broadcast(&mut self, control: impl Fn() -> Element) -> Result<()> {
        self.flush()?;
        self.senders.iter_mut().try_for_each(|sender| sender.send(control()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};
    use weir_dataflow::{TypedKeyHasher, hash_key};

    type Log = Arc<Mutex<Vec<Element>>>;

    struct Recorder(Log);

    impl ElementSender for Recorder {
        fn send(&mut self, element: Element) -> Result<()> {
            self.0.lock().unwrap().push(element);
            Ok(())
        }
    }

    fn writer(
        partitioning: Partitioning,
        channels: usize,
        timeout: BufferTimeout,
    ) -> (OutputWriter, Vec<Log>) {
        let logs: Vec<Log> = (0..channels).map(|_| Log::default()).collect();
        let senders = logs.iter().map(|log| Box::new(Recorder(Arc::clone(log))) as _).collect();
        let parts = WriterParts {
            partitioning,
            senders,
            hasher: Some(Box::new(TypedKeyHasher::new(|n: &u64| *n))),
            max_parallelism: 128,
            first_channel: 0,
            timeout,
        };
        (OutputWriter::new(parts), logs)
    }

    fn numbers(log: &Log) -> Vec<u64> {
        let elements = std::mem::take(&mut *log.lock().unwrap());
        elements
            .into_iter()
            .filter_map(|element| match element {
                Element::Batch(batch) => Some(batch.into_records::<u64>().unwrap()),
                _ => None,
            })
            .flatten()
            .collect()
    }

    #[test]
    fn a_keyed_edge_sends_each_key_to_the_owner_of_its_group_in_order() {
        let (mut writer, logs) = writer(Partitioning::Hash, 3, BufferTimeout::OnlyFull);
        let sent: Vec<u64> = (0..5000).collect();
        for chunk in sent.chunks(700) {
            writer.write(Batch::of(chunk.to_vec()), Monotonic(0)).unwrap();
        }
        writer.flush().unwrap();
        let mut all = Vec::new();
        for (channel, log) in (0..).zip(&logs) {
            let received = numbers(log);
            assert!(received.is_sorted());
            for n in &received {
                let group = key_group_of(hash_key(n).unwrap(), 128);
                assert_eq!(subtask_of_key_group(group, 128, 3), channel);
            }
            all.extend(received);
        }
        all.sort_unstable();
        assert_eq!(all, sent);
    }

    #[test]
    fn broadcast_rebalance_and_global_route_as_named() {
        for (partitioning, expected) in [
            (Partitioning::Broadcast, [vec![1, 2], vec![1, 2]]),
            (Partitioning::Rebalance, [vec![1], vec![2]]),
            (Partitioning::Global, [vec![1, 2], vec![]]),
        ] {
            let (mut writer, logs) = writer(partitioning, 2, BufferTimeout::EachRecord);
            writer.write(Batch::of(vec![1u64]), Monotonic(0)).unwrap();
            writer.write(Batch::of(vec![2u64]), Monotonic(0)).unwrap();
            assert_eq!([numbers(&logs[0]), numbers(&logs[1])], expected);
        }
    }

    #[test]
    fn unsent_records_leave_at_the_timeout_or_before_a_control_element() {
        let timeout = BufferTimeout::After(Duration::from_millis(100));
        let (mut writer, logs) = writer(Partitioning::Forward, 1, timeout);
        writer.write(Batch::of(vec![1u64]), Monotonic(1000)).unwrap();
        writer.flush_if_due(Monotonic(1099)).unwrap();
        assert!(logs[0].lock().unwrap().is_empty());
        writer.flush_if_due(Monotonic(1100)).unwrap();
        assert_eq!(numbers(&logs[0]), [1]);
        writer.write(Batch::of(vec![2u64]), Monotonic(1200)).unwrap();
        writer.broadcast(|| Element::EndOfData).unwrap();
        let sent = logs[0].lock().unwrap();
        assert!(matches!(&sent[..], [Element::Batch(_), Element::EndOfData]));
    }
}
