//! The producer's end of a channel to a task of another host.
//!
//! The task's own thread encodes a batch, waits for credit, then cuts it into buffers of the
//! pool. Both waits count as backpressured and end when the task is cancelled or the channel
//! fails. In this order a channel without credit holds no buffer that another one could use.

use super::{
    channel::{Admission, OutChannel},
    outgoing::OutConnection,
    pool::{Segment, SegmentPool},
    task_error,
};
use crate::{
    control::{Kick, KickOnce, TaskControl, Wait},
    exchange::ElementSender,
};
use std::sync::Arc;
use weir_dataflow::{Batch, Element, Result};
use weir_protocol::data::{
    Buffer, CloseReason, Columns, Control, EncodedBatch, Error, Frame, encode_buffer,
};

/// Room that is kept for encoding the next batch.
const KEPT_BYTES: usize = 1024 * 1024;

/// Sends over the wire. See the module's documentation.
pub struct RemoteSender {
    connection: Arc<OutConnection>,
    channel: Arc<OutChannel>,
    pool: Arc<SegmentPool>,
    control: Arc<TaskControl>,
    /// Where batches are encoded.
    encoded: Vec<u8>,
    max_batch_bytes: usize,
    /// Whether the first record was read back.
    is_checked: bool,
    has_ended: bool,
    kick: KickOnce,
}

impl RemoteSender {
    /// The sender of a channel that has just been opened; `control` is that of the task.
    pub fn new(
        connection: Arc<OutConnection>,
        channel: Arc<OutChannel>,
        pool: Arc<SegmentPool>,
        control: Arc<TaskControl>,
        max_batch_bytes: usize,
    ) -> Self {
        Self {
            connection,
            channel,
            pool,
            control,
            encoded: Vec::new(),
            max_batch_bytes,
            is_checked: false,
            has_ended: false,
            kick: KickOnce::default(),
        }
    }

    /// Waits until the connection stands.
    pub fn wait_connected(&self) -> Result<()> {
        self.wait_until(|| Ok(self.channel.is_connected().map_err(fail)?.then_some(())))
    }

    fn send_batch(&mut self, batch: Batch) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        if !self.is_checked {
            batch.payload().check_first()?;
            self.is_checked = true;
        }
        let mut encoded = EncodedBatch {
            records: batch.len(),
            columns: Columns {
                key_hashes: batch.key_hashes().is_some(),
                timestamps: batch.timestamps().is_some(),
                weights: batch.weights().is_some(),
            },
            bytes: std::mem::take(&mut self.encoded),
        };
        encoded.bytes.clear();
        encode(&batch, &mut encoded.bytes)?;
        batch.recycle();
        self.check(&encoded)?;
        let sent = self.send_encoded(&encoded);
        self.encoded = encoded.bytes;
        self.encoded.clear();
        self.encoded.shrink_to(KEPT_BYTES);
        sent
    }

    /// What the other side would refuse fails here, where the cause is known.
    fn check(&self, encoded: &EncodedBatch) -> Result<()> {
        let checked = match encoded.bytes.len() {
            length if length > self.max_batch_bytes => Err(Error::Oversized {
                what: "an encoded batch",
                length_bytes: length as u64,
                limit_bytes: self.max_batch_bytes as u64,
            }),
            _ => encoded.check(),
        };
        checked.map_err(|e| weir_dataflow::Error::permanent(e.code(), e.to_string()))
    }

    fn send_encoded(&mut self, batch: &EncodedBatch) -> Result<()> {
        let length = batch.bytes.len();
        let admission = self.wait_admitted(|| self.channel.admit_batch(length))?;
        if admission == Admission::Pointless {
            return Ok(());
        }
        // A batch may be empty of bytes (records without content), never of pieces.
        let pieces = length.div_ceil(self.pool.segment_bytes()).max(1);
        for piece in 0..pieces {
            let start = piece * self.pool.segment_bytes();
            let end = length.min(start + self.pool.segment_bytes());
            let mut segment = self.take_segment()?;
            let buffer = Buffer {
                channel: self.channel.id,
                is_last: piece + 1 == pieces,
                columns: batch.columns,
                // The check has bounded it.
                records: batch.records as u32,
                bytes: &batch.bytes[start..end],
            };
            encode_buffer(&buffer, &mut segment.bytes);
            let outbox = &self.connection.outbox;
            outbox.push_segment(segment);
            self.kick.later(&self.control, || Arc::clone(outbox) as Arc<dyn Kick>);
        }
        self.control.sent(length);
        Ok(())
    }

    fn send_control(&mut self, control: Control) -> Result<()> {
        if self.wait_admitted(|| self.channel.admit_control())? == Admission::Granted {
            self.connection.outbox.push_frame(&Frame::Control(self.channel.id, control));
        }
        self.has_ended |= control == Control::EndOfInput;
        Ok(())
    }

    fn wait_admitted(
        &self,
        admit: impl Fn() -> weir_protocol::data::Result<Admission>,
    ) -> Result<Admission> {
        self.wait_until(|| match admit().map_err(fail)? {
            Admission::Wait => Ok(None),
            admission => Ok(Some(admission)),
        })
    }

    fn take_segment(&self) -> Result<Segment> {
        let signal = &self.channel.signal;
        let taken = self.wait_until(|| {
            self.channel.is_connected().map_err(fail)?;
            Ok(self.pool.try_take(signal))
        });
        if taken.is_err() {
            self.pool.leave(signal);
        }
        taken
    }

    /// Parks until there is a value, the channel fails or the task is cancelled.
    fn wait_until<T>(&self, ready: impl Fn() -> Result<Option<T>>) -> Result<T> {
        loop {
            if let Some(value) = ready()? {
                return Ok(value);
            }
            self.control.check()?;
            self.control.waiting(Wait::Output, || self.channel.signal.wait(None));
            self.control.check()?;
        }
    }
}

impl ElementSender for RemoteSender {
    fn send(&mut self, element: Element) -> Result<()> {
        let control = match element {
            Element::Batch(batch) => return self.send_batch(batch),
            Element::Watermark(watermark) => Control::Watermark(watermark),
            Element::Idle => Control::Idle,
            Element::Active => Control::Active,
            Element::Barrier(barrier) => Control::Barrier(barrier.checkpoint),
            Element::BarrierCancelled(checkpoint) => Control::BarrierCancelled(checkpoint),
            Element::LatencyMarker(born_ms) => Control::LatencyMarker(born_ms),
            Element::EndOfData => Control::EndOfData,
            Element::EndOfInput => Control::EndOfInput,
        };
        self.send_control(control)
    }
}

impl Drop for RemoteSender {
    fn drop(&mut self) {
        let reason = if self.has_ended { CloseReason::Finished } else { CloseReason::Abandoned };
        self.connection.release(self.channel.id, reason);
    }
}

fn fail(error: Error) -> weir_dataflow::Error {
    task_error(&error)
}

/// Columns in the order of the wire, then the records.
fn encode(batch: &Batch, out: &mut Vec<u8>) -> Result<()> {
    fn column<T: Copy>(values: Option<&[T]>, out: &mut Vec<u8>, bytes: impl Fn(T) -> [u8; 8]) {
        if let Some(values) = values {
            let start = out.len();
            out.resize(start + values.len() * 8, 0);
            let (words, _) = out[start..].as_chunks_mut::<8>();
            words.iter_mut().zip(values).for_each(|(word, value)| *word = bytes(*value));
        }
    }
    column(batch.key_hashes(), out, u64::to_le_bytes);
    column(batch.timestamps(), out, i64::to_le_bytes);
    column(batch.weights(), out, i64::to_le_bytes);
    batch.payload().encode(0..batch.len(), out)
}
