//! Runs: `map`, `filter`, `flat_map` and their like, fused by the compiler into one operator.
//!
//! A run is a value whose type spells out its closures, so a record passes through all of them
//! without a call that the compiler cannot see through. [`RunOperator`] drives it batch by batch.
//!
//! State: none. At a watermark, barrier or end: nothing of its own. Cost: the closures, and one
//! append per record that comes out.

use crate::aggregate::emit_chunks;
use std::marker::PhantomData;
use weir_dataflow::{
    Batch, Collector, Error, Operator, OperatorContext, Record, Result, batch::MAX_RECORDS,
    vec_pool,
};

mod sealed {
    /// Keeps [`Run`](super::Run) to this crate: its constant is relied upon.
    pub trait Sealed {}
}

/// A fused sequence of closures. Implemented by this crate alone.
pub trait Run: sealed::Sealed + Clone + Send + 'static {
    /// What goes in.
    type In: Record;
    /// What comes out.
    type Out: Record;
    /// Whether a record in gives at most one record out: then the output's size is known before,
    /// and appending to it costs a store.
    const AT_MOST_ONE: bool;

    /// Passes one record through and calls `sink` with each record that comes out.
    fn push(&mut self, record: Self::In, sink: &mut impl FnMut(Self::Out));

    /// Passes one record through into a collector.
    #[inline]
    fn push_into(&mut self, record: Self::In, out: &mut Collector<Self::Out>) {
        self.push(record, &mut |record| out.collect(record));
    }
}

/// The empty run.
pub struct Identity<T>(PhantomData<fn(T) -> T>);

impl<T> Identity<T> {
    /// The empty run.
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Identity<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Identity<T> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<T> sealed::Sealed for Identity<T> {}
impl<R, F, U> sealed::Sealed for Map<R, F, U> {}
impl<R, F> sealed::Sealed for Filter<R, F> {}
impl<R, F, U> sealed::Sealed for FlatMap<R, F, U> {}

impl<T: Record> Run for Identity<T> {
    type In = T;
    type Out = T;
    const AT_MOST_ONE: bool = true;

    #[inline]
    fn push(&mut self, record: T, sink: &mut impl FnMut(T)) {
        sink(record);
    }
}

/// One record in, one record out.
pub struct Map<R, F, U> {
    run: R,
    function: F,
    out: PhantomData<fn() -> U>,
}

impl<R, F, U> Map<R, F, U> {
    /// `run`, then `function`.
    pub const fn new(run: R, function: F) -> Self {
        Self { run, function, out: PhantomData }
    }
}

impl<R: Clone, F: Clone, U> Clone for Map<R, F, U> {
    fn clone(&self) -> Self {
        Self::new(self.run.clone(), self.function.clone())
    }
}

impl<R: Run, U: Record, F> Run for Map<R, F, U>
where
    F: FnMut(R::Out) -> U + Clone + Send + 'static,
{
    type In = R::In;
    type Out = U;
    const AT_MOST_ONE: bool = R::AT_MOST_ONE;

    #[inline]
    fn push(&mut self, record: R::In, sink: &mut impl FnMut(U)) {
        let Self { run, function, .. } = self;
        run.push(record, &mut |record| sink(function(record)));
    }
}

/// Keeps what a predicate holds for.
#[derive(Clone)]
pub struct Filter<R, F> {
    run: R,
    predicate: F,
}

impl<R, F> Filter<R, F> {
    /// `run`, then `predicate`.
    pub const fn new(run: R, predicate: F) -> Self {
        Self { run, predicate }
    }
}

impl<R: Run, F> Run for Filter<R, F>
where
    F: FnMut(&R::Out) -> bool + Clone + Send + 'static,
{
    type In = R::In;
    type Out = R::Out;
    const AT_MOST_ONE: bool = R::AT_MOST_ONE;

    #[inline]
    fn push(&mut self, record: R::In, sink: &mut impl FnMut(R::Out)) {
        let Self { run, predicate } = self;
        run.push(record, &mut |record| {
            if predicate(&record) {
                sink(record);
            }
        });
    }
}

/// One record in, any number out.
pub struct FlatMap<R, F, U> {
    run: R,
    function: F,
    scratch: Collector<U>,
}

impl<R, F, U> FlatMap<R, F, U> {
    /// `run`, then `function`.
    pub const fn new(run: R, function: F) -> Self {
        Self { run, function, scratch: Collector::new() }
    }
}

impl<R: Clone, F: Clone, U> Clone for FlatMap<R, F, U> {
    fn clone(&self) -> Self {
        Self::new(self.run.clone(), self.function.clone())
    }
}

impl<R: Run, U: Record, F> Run for FlatMap<R, F, U>
where
    F: FnMut(R::Out, &mut Collector<U>) + Clone + Send + 'static,
{
    type In = R::In;
    type Out = U;
    const AT_MOST_ONE: bool = false;

    #[inline]
    fn push(&mut self, record: R::In, sink: &mut impl FnMut(U)) {
        let Self { run, function, scratch } = self;
        run.push(record, &mut |record| {
            function(record, scratch);
            scratch.drain().for_each(&mut *sink);
        });
    }

    // At the end of a run the function writes straight into the output.
    #[inline]
    fn push_into(&mut self, record: R::In, out: &mut Collector<U>) {
        let Self { run, function, .. } = self;
        run.push(record, &mut |record| function(record, out));
    }
}

/// Drives a run. See the module's documentation.
pub struct RunOperator<R: Run> {
    /// Taken out while a batch passes, so that the closures' own state can live in registers; gone
    /// for good after a panic in one of them.
    run: Option<R>,
    out: Collector<R::Out>,
    /// Records to take in between two looks at the size of the output.
    stride: usize,
}

impl<R: Run> RunOperator<R> {
    /// An operator of a run.
    pub fn new(run: R) -> Self {
        Self { run: Some(run), out: Collector::new(), stride: 8 }
    }

    /// So many records in give about one batch out, judging by the last ones.
    fn learn(&mut self, taken: usize, emitted: usize) {
        let fan_out = emitted.div_ceil(taken.max(1)).max(1);
        self.stride = (MAX_RECORDS / fan_out).max(1);
    }
}

impl<R: Run> RunOperator<R> {
    fn take_run(&mut self) -> Result<R> {
        self.run.take().ok_or_else(|| Error::internal("a run is used after it has panicked"))
    }

    /// Passes records through a run that gives at most one for each.
    fn pass_each(run: &mut R, mut records: Vec<R::In>) -> Vec<R::Out> {
        assert!(R::AT_MOST_ONE, "the room below is for one record each");
        let mut out = vec_pool::take();
        out.reserve(records.len());
        let room: *mut R::Out = out.as_mut_ptr();
        let mut len = 0;
        for record in records.drain(..) {
            run.push(record, &mut |record| {
                // SAFETY: there is room for a record out for each record in; the trait is sealed,
                // and its implementations that say so call this at most once per record.
                unsafe { room.add(len).write(record) };
                len += 1;
            });
        }
        // SAFETY: the first `len` places have been written, one after the other.
        unsafe { out.set_len(len) };
        vec_pool::give(records);
        out
    }
}

impl<R: Run> Operator for RunOperator<R> {
    fn on_batch(&mut self, _: usize, batch: Batch, ctx: &mut OperatorContext<'_>) -> Result<()> {
        if R::AT_MOST_ONE {
            let mut run = self.take_run()?;
            let out = Self::pass_each(&mut run, batch.into_records::<R::In>()?);
            self.run = Some(run);
            return ctx.emit_records(out);
        }
        let mut run = self.take_run()?;
        let mut emptied = batch.into_records::<R::In>()?;
        let mut records = emptied.drain(..);
        let taken = records.len();
        let mut emitted = 0;
        loop {
            for record in records.by_ref().take(self.stride) {
                run.push_into(record, &mut self.out);
            }
            if self.out.len() >= MAX_RECORDS || records.len() == 0 {
                emitted += self.out.len();
                if self.out.len() > 2 * MAX_RECORDS {
                    // One record can give any number; what follows is made for usual batches.
                    emit_chunks(self.out.take().into_iter(), ctx)?;
                } else if !self.out.is_empty() {
                    ctx.emit_records(self.out.take())?;
                }
            }
            if records.len() == 0 {
                break;
            }
        }
        drop(records);
        self.run = Some(run);
        vec_pool::give(emptied);
        self.learn(taken, emitted);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_dataflow::operator::Gathered;

    fn check<R: Run>(run: R, input: Vec<R::In>, expected: Vec<R::Out>)
    where
        R::Out: PartialEq + std::fmt::Debug,
    {
        let mut gathered = Gathered::default();
        let mut operator = RunOperator::new(run);
        operator
            .on_batch(0, Batch::of(input), &mut OperatorContext::new(&mut gathered, 0))
            .unwrap();
        assert!(gathered.batches.iter().all(|(_, batch)| batch.len() <= 2 * MAX_RECORDS));
        assert_eq!(gathered.take_records::<R::Out>().unwrap(), expected);
    }

    #[test]
    fn closures_apply_in_the_order_they_were_written() {
        let run = Map::new(Identity::<u64>::new(), |n| n + 1);
        let run = Filter::new(run, |n: &u64| n.is_multiple_of(2));
        let run = FlatMap::new(run, |n: u64, out: &mut Collector<u64>| out.extend([n, n * 10]));
        check(run.clone(), vec![1, 2, 3], vec![2u64, 20, 4, 40]);
        check(
            Map::new(run, |n: u64| n.to_string()),
            vec![1],
            vec!["2".to_owned(), "20".to_owned()],
        );
    }

    #[test]
    fn a_large_fan_out_leaves_in_several_batches_in_order() {
        let run = FlatMap::new(Identity::<u64>::new(), |n: u64, out: &mut Collector<u64>| {
            out.extend((0..100).map(|i| n * 100 + i));
        });
        check(run, (0..200).collect(), (0..20_000).collect());
    }

    #[test]
    fn nothing_comes_out_of_nothing() {
        check(Filter::new(Identity::<u64>::new(), |_: &u64| false), vec![1, 2], Vec::<u64>::new());
    }
}
