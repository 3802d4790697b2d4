//! What a task counts while it runs, readable from any thread.

use crate::control::{TaskControl, TimeSpent, add};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use weir_dataflow::Timestamp;

/// Counters of one operator in one subtask; written by the task thread alone, once per batch.
#[derive(Debug, Default)]
pub struct OperatorMetrics {
    records_in: AtomicU64,
    records_out: AtomicU64,
}

impl OperatorMetrics {
    /// Records taken in (`numRecordsIn`); of a source those it has read from outside.
    pub fn records_in(&self) -> u64 {
        self.records_in.load(Ordering::Relaxed)
    }

    /// Records emitted (`numRecordsOut`).
    pub fn records_out(&self) -> u64 {
        self.records_out.load(Ordering::Relaxed)
    }

    pub(crate) fn add_in(&self, records: usize) {
        add(&self.records_in, records as u64);
    }

    pub(crate) fn add_out(&self, records: usize) {
        add(&self.records_out, records as u64);
    }
}

/// Metrics of one subtask.
pub struct TaskMetrics {
    /// One per operator of the chain.
    pub operators: Vec<Arc<OperatorMetrics>>,
    control: Arc<TaskControl>,
}

impl TaskMetrics {
    /// Fresh counters.
    pub fn new(operators: usize, control: Arc<TaskControl>) -> Arc<Self> {
        let operators = (0..operators).map(|_| Arc::default()).collect();
        Arc::new(Self { operators, control })
    }

    /// Busy, backpressured and idle time so far.
    pub fn time_spent(&self) -> TimeSpent {
        self.control.time_spent()
    }

    /// Bytes of records received from other hosts so far.
    pub fn bytes_in(&self) -> u64 {
        self.control.bytes_in()
    }

    /// Bytes of records sent to other hosts so far.
    pub fn bytes_out(&self) -> u64 {
        self.control.bytes_out()
    }

    /// The watermark of the input; `None` before the first.
    pub fn watermark(&self) -> Option<Timestamp> {
        self.control.watermark()
    }
}

/// The share of the span between two readings that was backpressured, 0 to 1.
pub fn backpressure_ratio(earlier: TimeSpent, later: TimeSpent) -> f64 {
    let total = |spent: TimeSpent| spent.busy + spent.backpressured + spent.idle;
    let span = total(later).saturating_sub(total(earlier));
    if span < Duration::from_millis(1) {
        return 0.0;
    }
    let waited = later.backpressured.saturating_sub(earlier.backpressured);
    (waited.as_secs_f64() / span.as_secs_f64()).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_is_the_backpressured_share_of_the_span() {
        let at = |busy, backpressured| TimeSpent {
            busy: Duration::from_millis(busy),
            backpressured: Duration::from_millis(backpressured),
            idle: Duration::ZERO,
        };
        assert_eq!(backpressure_ratio(at(100, 0), at(175, 25)), 0.25);
        assert_eq!(backpressure_ratio(at(100, 0), at(100, 0)), 0.0);
    }
}
