//! Batches: what travels between operators and tasks, never single records.
//!
//! A batch is a payload with optional columns beside it: timestamps, key hashes, weights. The
//! payload is erased (`Box<dyn Payload>`), so the runtime moves it without knowing its type; an
//! operator takes its `Vec<T>` back out. Erasure costs one virtual call per batch.

use crate::{
    codec,
    error::{Error, Result},
    operator::Timestamp,
    record::Record,
    schema_trace::check_value,
    selection::Selection,
    vec_pool,
};
use std::{
    any::{Any, type_name},
    fmt,
    marker::PhantomData,
    ops::Range,
};
use weir_base::invariant;

/// Records a batch holds before it is closed.
pub const MAX_RECORDS: usize = 1024;
/// Bytes a batch holds before it is closed.
pub const MAX_BYTES: usize = 32 * 1024;

/// Records of one type, without their columns.
pub trait Payload: Send {
    /// Number of records.
    fn len(&self) -> usize;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// An estimate of the memory the records take.
    fn size_bytes(&self) -> usize;
    /// A copy.
    fn duplicate(&self) -> Box<dyn Payload>;
    /// An empty payload of the same type, with room for a batch.
    fn empty_like(&self) -> Box<dyn Payload>;
    /// Takes the records from `at` on off the end.
    fn split_off(&mut self, at: usize) -> Box<dyn Payload>;
    /// Moves the records of each channel to the end of `into[channel]`, in order.
    fn scatter(self: Box<Self>, selection: &Selection, into: &mut [Option<Box<dyn Payload>>]);
    /// Moves all records of another payload of the same type to the end of this one.
    fn append(&mut self, other: Box<dyn Payload>);
    /// Appends the encoding of the records in `range`.
    fn encode(&self, range: Range<usize>, out: &mut Vec<u8>) -> Result<()>;
    /// Checks that the first record comes back equal from its encoding.
    fn check_first(&self) -> Result<()>;
    /// Gives its memory to the next batch of the type.
    fn recycle(self: Box<Self>);
    /// Name of the record type.
    fn type_name(&self) -> &'static str;
    /// For downcasts.
    fn as_any(&self) -> &dyn Any;
    /// For downcasts.
    fn as_any_mut(&mut self) -> &mut dyn Any;
    /// For downcasts.
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

/// Moves the values of each channel to the end of its vector, in order.
fn deal<T: Send + 'static>(mut values: Vec<T>, selection: &Selection, outs: &mut [&mut Vec<T>]) {
    assert_eq!(values.len(), selection.records, "every value has a target");
    assert_eq!(outs.len(), selection.ranges.len(), "every channel has an output");
    for (channel, out) in outs.iter_mut().enumerate() {
        out.reserve(selection.of(channel).len());
    }
    // SAFETY: from here on the values belong to the outputs, and nothing below can panic. A
    // selection names each index below the number of records exactly once, so each value is moved
    // exactly once, into room that was just reserved.
    unsafe {
        values.set_len(0);
        let source = values.as_ptr();
        for (channel, out) in outs.iter_mut().enumerate() {
            let indices = selection.of(channel);
            let end = out.as_mut_ptr().add(out.len());
            for (place, index) in indices.iter().enumerate() {
                end.add(place).write(source.add(*index as usize).read());
            }
            out.set_len(out.len() + indices.len());
        }
    }
    vec_pool::give(values);
}

/// Records measured for a size estimate.
const SAMPLES: usize = 8;

impl<T: Record> Payload for Vec<T> {
    fn len(&self) -> usize {
        self.len()
    }

    fn size_bytes(&self) -> usize {
        let fixed = size_of::<T>() * self.len();
        if !std::mem::needs_drop::<T>() || self.is_empty() {
            return fixed;
        }
        // What a record owns on the heap shows in its encoding; a few samples stand for all.
        let step = self.len().div_ceil(SAMPLES);
        let mut encoded = Vec::new();
        let mut sampled = 0;
        for record in self.iter().step_by(step) {
            if codec::encode_into(record, &mut encoded).is_err() {
                break;
            }
            sampled += 1;
        }
        fixed.max(encoded.len() * self.len() / sampled.max(1))
    }

    fn duplicate(&self) -> Box<dyn Payload> {
        Box::new(self.clone())
    }

    fn empty_like(&self) -> Box<dyn Payload> {
        Box::new(vec_pool::take::<T>())
    }

    fn split_off(&mut self, at: usize) -> Box<dyn Payload> {
        Box::new(Vec::split_off(self, at))
    }

    fn scatter(self: Box<Self>, selection: &Selection, into: &mut [Option<Box<dyn Payload>>]) {
        let mut outs: Vec<&mut Self> = into
            .iter_mut()
            .map(|slot| {
                slot.get_or_insert_with(|| Box::new(vec_pool::take::<T>()))
                    .as_any_mut()
                    .downcast_mut::<Self>()
                    .expect("one exchange carries one record type")
            })
            .collect();
        deal(*self, selection, &mut outs);
    }

    fn append(&mut self, other: Box<dyn Payload>) {
        let mut other =
            other.into_any().downcast::<Self>().expect("one exchange carries one record type");
        Vec::append(self, &mut other);
    }

    fn encode(&self, range: Range<usize>, out: &mut Vec<u8>) -> Result<()> {
        codec::encode_all(&self[range], out)
    }

    fn check_first(&self) -> Result<()> {
        self.first().map_or(Ok(()), check_value)
    }

    fn recycle(self: Box<Self>) {
        vec_pool::give(*self);
    }

    fn type_name(&self) -> &'static str {
        type_name::<T>()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Makes payloads of one type from bytes.
pub trait PayloadType: Send + Sync {
    /// Decodes so many records that fill `bytes`.
    fn decode(&self, bytes: &[u8], records: usize) -> Result<Box<dyn Payload>>;
    /// Name of the record type.
    fn type_name(&self) -> &'static str;
}

/// [`PayloadType`] of `Vec<T>`.
pub struct TypedPayload<T>(PhantomData<fn() -> T>);

impl<T> TypedPayload<T> {
    /// The payload type of `Vec<T>`.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for TypedPayload<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Record> PayloadType for TypedPayload<T> {
    fn decode(&self, bytes: &[u8], records: usize) -> Result<Box<dyn Payload>> {
        let mut payload = vec_pool::take::<T>();
        codec::decode_all(bytes, records, &mut payload)?;
        Ok(Box::new(payload))
    }

    fn type_name(&self) -> &'static str {
        type_name::<T>()
    }
}

/// Records with their columns. Columns that are there are as long as the payload.
pub struct Batch {
    payload: Box<dyn Payload>,
    timestamps: Option<Vec<Timestamp>>,
    key_hashes: Option<Vec<u64>>,
    weights: Option<Vec<i64>>,
}

impl Batch {
    /// A batch of records without columns.
    pub fn of<T: Record>(records: Vec<T>) -> Self {
        Self::of_payload(Box::new(records))
    }

    /// A batch of a payload without columns.
    pub fn of_payload(payload: Box<dyn Payload>) -> Self {
        Self { payload, timestamps: None, key_hashes: None, weights: None }
    }

    /// With the hash of each record's key.
    #[must_use]
    pub fn with_key_hashes(mut self, hashes: Vec<u64>) -> Self {
        assert_eq!(hashes.len(), self.len(), "a column is as long as its payload");
        self.key_hashes = Some(hashes);
        self
    }

    /// Without the hashes: for whoever passes records on that were keyed for itself.
    #[must_use]
    pub fn without_key_hashes(mut self) -> Self {
        self.key_hashes.take().into_iter().for_each(vec_pool::give);
        self
    }

    /// With each record's event time.
    #[must_use]
    pub fn with_timestamps(mut self, timestamps: Vec<Timestamp>) -> Self {
        assert_eq!(timestamps.len(), self.len(), "a column is as long as its payload");
        self.timestamps = Some(timestamps);
        self
    }

    /// With each record's weight: +1 adds it, -1 takes it back.
    #[must_use]
    pub fn with_weights(mut self, weights: Vec<i64>) -> Self {
        assert_eq!(weights.len(), self.len(), "a column is as long as its payload");
        self.weights = Some(weights);
        self
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.payload.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// The records, still erased.
    pub fn payload(&self) -> &dyn Payload {
        &*self.payload
    }

    /// Hashes of the keys, where they have been computed.
    pub fn key_hashes(&self) -> Option<&[u64]> {
        self.key_hashes.as_deref()
    }

    /// Event times, where they have been assigned.
    pub fn timestamps(&self) -> Option<&[Timestamp]> {
        self.timestamps.as_deref()
    }

    /// Weights, where there are retractions.
    pub fn weights(&self) -> Option<&[i64]> {
        self.weights.as_deref()
    }

    /// An estimate of the memory it takes.
    pub fn size_bytes(&self) -> usize {
        let columns = usize::from(self.timestamps.is_some())
            + usize::from(self.key_hashes.is_some())
            + usize::from(self.weights.is_some());
        self.payload.size_bytes() + columns * 8 * self.len()
    }

    /// Gives its memory to the batches to come: for whoever has read the records and needs no more
    /// of them. Dropping a batch frees it.
    pub fn recycle(self) {
        fn give<T: Send + 'static>(column: Option<Vec<T>>) {
            column.into_iter().for_each(vec_pool::give);
        }
        self.payload.recycle();
        give(self.timestamps);
        give(self.key_hashes);
        give(self.weights);
    }

    /// The records as a slice of their type.
    pub fn records<T: Record>(&self) -> Result<&[T]> {
        self.payload
            .as_any()
            .downcast_ref::<Vec<T>>()
            .map(Vec::as_slice)
            .ok_or_else(|| wrong_type::<T>(self.payload.type_name()))
    }

    /// Takes the records out.
    pub fn into_records<T: Record>(self) -> Result<Vec<T>> {
        let (records, hashes) = self.into_parts()?;
        hashes.into_iter().for_each(vec_pool::give);
        Ok(records)
    }

    /// Takes the records and the key hashes out.
    pub fn into_parts<T: Record>(self) -> Result<(Vec<T>, Option<Vec<u64>>)> {
        let found = self.payload.type_name();
        match self.payload.into_any().downcast::<Vec<T>>() {
            Ok(records) => Ok((*records, self.key_hashes)),
            Err(_) => Err(wrong_type::<T>(found)),
        }
    }

    /// A copy.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self {
            payload: self.payload.duplicate(),
            timestamps: self.timestamps.clone(),
            key_hashes: self.key_hashes.clone(),
            weights: self.weights.clone(),
        }
    }

    /// Takes the records from `at` on off the end, columns included.
    #[must_use]
    pub fn split_off(&mut self, at: usize) -> Self {
        fn tail<T>(column: &mut Option<Vec<T>>, at: usize) -> Option<Vec<T>> {
            column.as_mut().map(|column| column.split_off(at))
        }
        Self {
            payload: self.payload.split_off(at),
            timestamps: tail(&mut self.timestamps, at),
            key_hashes: tail(&mut self.key_hashes, at),
            weights: tail(&mut self.weights, at),
        }
    }

    /// Moves the records of each channel, columns included, to the end of `into[channel]`.
    pub fn scatter(self, selection: &Selection, into: &mut [BatchBuilder]) {
        fn spread<T: Send + 'static>(
            column: Option<Vec<T>>,
            selection: &Selection,
            into: &mut [BatchBuilder],
            of: impl Fn(&mut BatchBuilder) -> &mut Vec<T>,
        ) {
            if let Some(column) = column {
                let mut outs: Vec<&mut Vec<T>> = into.iter_mut().map(of).collect();
                deal(column, selection, &mut outs);
            }
        }
        let mut payloads: Vec<_> = into.iter_mut().map(|b| b.payload.take()).collect();
        self.payload.scatter(selection, &mut payloads);
        for (builder, payload) in into.iter_mut().zip(payloads) {
            builder.payload = payload;
        }
        spread(self.timestamps, selection, into, |b| &mut b.timestamps);
        spread(self.key_hashes, selection, into, |b| &mut b.key_hashes);
        spread(self.weights, selection, into, |b| &mut b.weights);
    }
}

fn wrong_type<T>(found: &str) -> Error {
    Error::internal(format!("expected a batch of {}, got one of {found}", type_name::<T>()))
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} x {})", self.len(), self.payload.type_name())
    }
}

/// Grows one channel's next batch.
#[derive(Default)]
pub struct BatchBuilder {
    payload: Option<Box<dyn Payload>>,
    timestamps: Vec<Timestamp>,
    key_hashes: Vec<u64>,
    weights: Vec<i64>,
}

impl BatchBuilder {
    /// Number of records.
    pub fn len(&self) -> usize {
        self.payload.as_ref().map_or(0, |payload| payload.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// An estimate of the memory the records take.
    pub fn size_bytes(&self) -> usize {
        self.payload.as_ref().map_or(0, |payload| payload.size_bytes())
    }

    /// Moves a whole batch to the end.
    pub fn append(&mut self, batch: Batch) {
        match &mut self.payload {
            Some(payload) => payload.append(batch.payload),
            None => self.payload = Some(batch.payload),
        }
        self.timestamps.extend(batch.timestamps.into_iter().flatten());
        self.key_hashes.extend(batch.key_hashes.into_iter().flatten());
        self.weights.extend(batch.weights.into_iter().flatten());
        let len = self.len();
        let fits = |column: usize| column == 0 || column == len;
        invariant!(
            fits(self.timestamps.len()) && fits(self.key_hashes.len()) && fits(self.weights.len()),
            "batches with and without a column are joined"
        );
    }

    /// Takes what has been gathered; `None` if there is nothing.
    pub fn take(&mut self) -> Option<Batch> {
        fn column<T: Send + 'static>(values: &mut Vec<T>) -> Option<Vec<T>> {
            (!values.is_empty()).then(|| std::mem::replace(values, vec_pool::take()))
        }
        if self.is_empty() {
            return None;
        }
        let payload = self.payload.take()?;
        Some(Batch {
            payload,
            timestamps: column(&mut self.timestamps),
            key_hashes: column(&mut self.key_hashes),
            weights: column(&mut self.weights),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema_trace::refuses_samples::Swapped;

    #[test]
    fn first_record_that_does_not_come_back_is_refused() {
        let check = |records: Vec<Swapped>| (&records as &dyn Payload).check_first();
        let error = check(vec![Swapped::new(1, 2)]).expect_err("it would arrive changed");
        assert_eq!(error.code(), "WEIR-TYPE-0003");
        check(vec![Swapped::new(1, 1), Swapped::new(1, 2)]).expect("only the first is checked");
        check(Vec::new()).expect("nothing to check");
    }

    #[test]
    fn scatter_keeps_order_and_columns_together() {
        let batch = Batch::of(vec![10u64, 11, 12, 13]).with_key_hashes(vec![0, 1, 2, 3]);
        let mut builders = [BatchBuilder::default(), BatchBuilder::default()];
        let mut selection = Selection::default();
        selection.select(&[1, 0, 1, 1], 2);
        batch.scatter(&selection, &mut builders);
        let [left, right] = builders.map(|mut b| b.take().unwrap().into_parts::<u64>().unwrap());
        assert_eq!(left, (vec![11], Some(vec![1])));
        assert_eq!(right, (vec![10, 12, 13], Some(vec![0, 2, 3])));
    }

    #[test]
    fn a_batch_survives_the_wire() {
        let records = vec![("a".to_owned(), 1u64), ("b".to_owned(), 2)];
        let batch = Batch::of(records.clone());
        let mut bytes = Vec::new();
        batch.payload().encode(0..2, &mut bytes).unwrap();
        let wire = TypedPayload::<(String, u64)>::new();
        let back = Batch::of_payload(wire.decode(&bytes, 2).unwrap());
        assert_eq!(back.into_records::<(String, u64)>().unwrap(), records);
        assert!(wire.decode(&bytes, 1).is_err());
        assert!(wire.decode(&bytes, 3).is_err());
    }

    #[test]
    fn taking_the_wrong_type_is_an_error() {
        assert!(Batch::of(vec![1u64]).into_records::<u32>().is_err());
    }

    #[test]
    fn the_size_counts_what_records_own() {
        let lines = Batch::of(vec!["x".repeat(1000); 100]);
        assert!(lines.size_bytes() >= 100_000);
        assert_eq!(Batch::of(vec![1u64; 100]).size_bytes(), 800);
    }

    #[test]
    fn a_split_takes_columns_along() {
        let mut batch = Batch::of(vec![1u64, 2, 3]).with_key_hashes(vec![7, 8, 9]);
        let tail = batch.split_off(1);
        assert_eq!(batch.into_parts::<u64>().unwrap(), (vec![1], Some(vec![7])));
        assert_eq!(tail.into_parts::<u64>().unwrap(), (vec![2, 3], Some(vec![8, 9])));
    }
}
