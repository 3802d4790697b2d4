//! Where user functions put what they emit.

use crate::vec_pool;

/// Takes the records that a function emits, in order.
///
/// A plain vector underneath: collecting costs a push, and the engine looks at it once per batch.
#[derive(Debug)]
pub struct Collector<T> {
    records: Vec<T>,
}

impl<T: Send + 'static> Collector<T> {
    /// Takes the records, leaving a collector with room for as many again.
    pub fn take(&mut self) -> Vec<T> {
        std::mem::replace(&mut self.records, vec_pool::take())
    }
}

impl<T> Collector<T> {
    /// An empty collector.
    pub const fn new() -> Self {
        Self { records: Vec::new() }
    }

    /// A collector with room for so many records.
    pub fn with_capacity(records: usize) -> Self {
        Self { records: Vec::with_capacity(records) }
    }

    /// Emits a record.
    #[inline]
    pub fn collect(&mut self, record: T) {
        self.records.push(record);
    }

    /// Number of records collected since they were last taken.
    #[inline]
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether nothing was collected since records were last taken.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Takes the records out one by one, keeping the room.
    pub fn drain(&mut self) -> std::vec::Drain<'_, T> {
        self.records.drain(..)
    }
}

impl<T> Default for Collector<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Extend<T> for Collector<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, records: I) {
        self.records.extend(records);
    }
}
