//! The aggregates an author can name, as the operators know them.

use std::{cmp::Ordering, marker::PhantomData, ops::AddAssign};
use weir_dataflow::Record;
use weir_operators::Aggregation;

/// An aggregate with an accumulator of its own.
///
/// The accumulator must not depend on the order of records between [`AggregateFunction::merge`]s:
/// in batch mode parts of a key's records are aggregated apart and merged.
pub trait AggregateFunction: Clone + Send + 'static {
    /// Type of the records.
    type In: Record;
    /// What is kept per key.
    type Accumulator: Record;
    /// Type of the results.
    type Out: Record;

    /// An accumulator of no records.
    fn create_accumulator(&self) -> Self::Accumulator;
    /// Adds a record.
    fn add(&self, record: Self::In, accumulator: &mut Self::Accumulator);
    /// The result of what was added.
    fn result(&self, accumulator: &Self::Accumulator) -> Self::Out;
    /// Adds what another accumulator was given.
    fn merge(&self, accumulator: &mut Self::Accumulator, other: Self::Accumulator);
}

#[derive(Clone)]
pub(crate) struct Aggregate<A>(pub A);

impl<A: AggregateFunction> Aggregation for Aggregate<A> {
    type In = A::In;
    type Accumulator = A::Accumulator;
    type Out = A::Out;
    const COMBINES: bool = true;

    fn first(&mut self, record: A::In) -> A::Accumulator {
        let mut accumulator = self.0.create_accumulator();
        self.0.add(record, &mut accumulator);
        accumulator
    }

    fn add(&mut self, accumulator: &mut A::Accumulator, record: A::In) {
        self.0.add(record, accumulator);
    }

    fn merge(&mut self, accumulator: &mut A::Accumulator, other: A::Accumulator) {
        self.0.merge(accumulator, other);
    }

    fn result(&mut self, accumulator: &A::Accumulator) -> A::Out {
        self.0.result(accumulator)
    }
}

/// A value per key that is of the records' own type.
pub(crate) struct Reduce<T, F> {
    pub function: F,
    pub record: PhantomData<fn(T)>,
}

impl<T, F: Clone> Clone for Reduce<T, F> {
    fn clone(&self) -> Self {
        Self { function: self.function.clone(), record: PhantomData }
    }
}

impl<T: Record, F: FnMut(&mut T, T) + Clone + Send + 'static> Aggregation for Reduce<T, F> {
    type In = T;
    type Accumulator = T;
    type Out = T;
    const COMBINES: bool = true;

    #[inline]
    fn first(&mut self, record: T) -> T {
        record
    }

    #[inline]
    fn add(&mut self, accumulator: &mut T, record: T) {
        (self.function)(accumulator, record);
    }

    #[inline]
    fn merge(&mut self, accumulator: &mut T, other: T) {
        (self.function)(accumulator, other);
    }

    #[inline]
    fn result(&mut self, accumulator: &T) -> T {
        accumulator.clone()
    }
}

/// A value per key of any type; parts cannot be merged, so nothing is combined early.
pub(crate) struct Fold<T, A, F> {
    pub initial: A,
    pub function: F,
    pub record: PhantomData<fn(T)>,
}

impl<T, A: Clone, F: Clone> Clone for Fold<T, A, F> {
    fn clone(&self) -> Self {
        Self { initial: self.initial.clone(), function: self.function.clone(), record: PhantomData }
    }
}

impl<T: Record, A: Record, F> Aggregation for Fold<T, A, F>
where
    F: FnMut(&mut A, T) + Clone + Send + 'static,
{
    type In = T;
    type Accumulator = A;
    type Out = A;
    const COMBINES: bool = false;

    fn first(&mut self, record: T) -> A {
        let mut accumulator = self.initial.clone();
        (self.function)(&mut accumulator, record);
        accumulator
    }

    fn add(&mut self, accumulator: &mut A, record: T) {
        (self.function)(accumulator, record);
    }

    fn merge(&mut self, _: &mut A, _: A) {
        unreachable!("a fold does not combine, so nothing is merged");
    }

    fn result(&mut self, accumulator: &A) -> A {
        accumulator.clone()
    }
}

/// Adds up one field; the others stay those of the first record.
pub(crate) fn sum<T, N, F>(mut field: F) -> impl FnMut(&mut T, T) + Clone
where
    N: AddAssign + Clone,
    F: FnMut(&mut T) -> &mut N + Clone,
{
    move |total: &mut T, mut next: T| {
        let amount = field(&mut next).clone();
        *field(total) += amount;
    }
}

/// Keeps the extreme of one field; the others stay those of the first record.
pub(crate) fn extreme<T, N, F>(mut field: F, keep: Ordering) -> impl FnMut(&mut T, T) + Clone
where
    N: PartialOrd + Clone,
    F: FnMut(&mut T) -> &mut N + Clone,
{
    move |best: &mut T, mut next: T| {
        let candidate = field(&mut next).clone();
        let current = field(best);
        if candidate.partial_cmp(current) == Some(keep) {
            *current = candidate;
        }
    }
}
