//! [`KeyedStream`]: a stream grouped by a key, and what can be computed per key.

use crate::{
    environment::StreamExecutionEnvironment,
    error::Error,
    plan::{AggregateBody, Body, Instance, OutputType, SharedFn, Upstream, hasher_of},
    stream::{
        AggregateFunction, DataStream, TumblingProcessingTimeWindows, WindowedStream,
        aggregations::{Aggregate, Fold, Reduce, extreme, sum},
    },
};
use std::{cmp::Ordering, marker::PhantomData, ops::AddAssign};
use weir_dataflow::{Key, Record, schema_trace::check_key};
use weir_graph::{Partitioning, StateDeclaration, StateKind};
use weir_operators::{
    Aggregation, Combine, KeyedAggregate, KeyedProcess, KeyedProcessFunction, MergePartials,
    aggregate, keyed_process,
};

/// A stream whose records are grouped by a key of type `K`.
pub struct KeyedStream<T, K, F> {
    env: StreamExecutionEnvironment,
    upstream: Vec<Upstream>,
    key_of: SharedFn<F>,
    types: PhantomData<fn(T) -> K>,
}

impl<T: Record, K: Key, F> KeyedStream<T, K, F>
where
    F: Fn(&T) -> K + Clone + Send + 'static,
{
    pub(crate) fn new(env: StreamExecutionEnvironment, upstream: Vec<Upstream>, key_of: F) -> Self {
        if let Err(error) = check_key::<K>() {
            env.fail(Error::of_task(&error));
        }
        let key_of = SharedFn::new(key_of);
        let upstream = upstream
            .into_iter()
            .map(|upstream| Upstream {
                partitioning: Some(Partitioning::Hash),
                hasher: Some(hasher_of::<T, K, F>(&key_of)),
                ..upstream
            })
            .collect();
        Self { env, upstream, key_of, types: PhantomData }
    }

    pub(crate) fn environment(&self) -> &StreamExecutionEnvironment {
        &self.env
    }

    pub(crate) fn key_of(&self) -> SharedFn<F> {
        self.key_of.clone()
    }

    pub(crate) fn into_operation<U: Record>(self, name: &str, body: Body) -> DataStream<U> {
        let operation = self.env.plan(|plan| plan.add(name, self.upstream, body));
        DataStream::of_operation(self.env, operation)
    }

    /// The records as a plain stream, each on the subtask that owns its key.
    pub fn into_stream(self) -> DataStream<T> {
        DataStream::of_upstream(self.env, self.upstream)
    }

    fn add_aggregation<A: Aggregation<In = T>>(
        self,
        name: &str,
        aggregation: A,
    ) -> DataStream<A::Out> {
        let states = vec![state_of::<K, A::Accumulator>(
            &self.env,
            aggregate::STATE,
            StateKind::Aggregating,
        )];
        let shared = SharedFn::new(aggregation);
        let output = || Some(OutputType::of::<A::Out>(&self.env));
        let updates = {
            let (shared, key_of) = (shared.clone(), self.key_of());
            Instance::new("keyed-aggregate", output(), move || {
                KeyedAggregate::updates(shared.get(), key_of.get())
            })
        };
        let finals = {
            let (shared, key_of) = (shared.clone(), self.key_of());
            Instance::new("keyed-aggregate", output(), move || {
                KeyedAggregate::finals(shared.get(), key_of.get())
            })
        };
        let combined = A::COMBINES.then(|| {
            let partials = Some(OutputType::of::<(K, A::Accumulator)>(&self.env));
            let (first, key_of) = (shared.clone(), self.key_of());
            let combiner =
                Instance::new("combine", partials, move || Combine::new(first.get(), key_of.get()));
            let merger = Instance::new("keyed-aggregate", output(), move || {
                MergePartials::<A, K>::new(shared.get())
            });
            let by_key = SharedFn::new(|(key, _): &(K, A::Accumulator)| key.clone());
            let hasher = hasher_of::<(K, A::Accumulator), K, _>(&by_key);
            (combiner, merger.with_states(states.clone()), hasher)
        });
        let body = Body::Aggregate(Box::new(AggregateBody {
            updates: updates.with_states(states.clone()),
            finals: finals.with_states(states),
            combined,
        }));
        self.into_operation(name, body)
    }

    /// Combines each record of a key into the first one: `function(total, next)`.
    ///
    /// Streaming mode emits the new total after each record, batch mode each key's total once;
    /// there the function must be associative.
    pub fn reduce<G>(self, function: G) -> DataStream<T>
    where
        G: FnMut(&mut T, T) + Clone + Send + 'static,
    {
        self.add_aggregation("Reduce", Reduce { function, record: PhantomData })
    }

    /// Folds the records of a key into a value that starts as `initial`.
    pub fn fold<A: Record, G>(self, initial: A, function: G) -> DataStream<A>
    where
        G: FnMut(&mut A, T) + Clone + Send + 'static,
    {
        self.add_aggregation("Fold", Fold { initial, function, record: PhantomData })
    }

    /// Aggregates the records of a key with an accumulator.
    pub fn aggregate<A: AggregateFunction<In = T>>(self, function: A) -> DataStream<A::Out> {
        self.add_aggregation("Aggregate", Aggregate(function))
    }

    /// Adds up one field per key: `.sum(|(_, count)| count)`. Other fields stay those of the
    /// key's first record.
    pub fn sum<N, G>(self, field: G) -> DataStream<T>
    where
        N: AddAssign + Clone + 'static,
        G: FnMut(&mut T) -> &mut N + Clone + Send + 'static,
    {
        self.add_aggregation("Sum", Reduce { function: sum(field), record: PhantomData })
    }

    /// The smallest value of one field per key. Other fields stay those of the first record.
    pub fn min<N, G>(self, field: G) -> DataStream<T>
    where
        N: PartialOrd + Clone + 'static,
        G: FnMut(&mut T) -> &mut N + Clone + Send + 'static,
    {
        let function = extreme(field, Ordering::Less);
        self.add_aggregation("Min", Reduce { function, record: PhantomData })
    }

    /// The largest value of one field per key. Other fields stay those of the first record.
    pub fn max<N, G>(self, field: G) -> DataStream<T>
    where
        N: PartialOrd + Clone + 'static,
        G: FnMut(&mut T) -> &mut N + Clone + Send + 'static,
    {
        let function = extreme(field, Ordering::Greater);
        self.add_aggregation("Max", Reduce { function, record: PhantomData })
    }

    /// A function with a life cycle, keyed state and timers.
    pub fn process<P>(self, mut function: P) -> DataStream<P::Out>
    where
        P: KeyedProcessFunction<In = T, Key = K>,
    {
        let states = keyed_process::declarations_of(&mut function).unwrap_or_else(|error| {
            self.env.fail(Error::of_task(&error));
            Vec::new()
        });
        let (function, key_of) = (SharedFn::new(function), self.key_of());
        let output = Some(OutputType::of::<P::Out>(&self.env));
        let instance = Instance::new("keyed-process", output, move || {
            KeyedProcess::new(function.get(), key_of.get())
        });
        self.into_operation("Keyed Process", Body::Single(instance.with_states(states)))
    }

    /// Groups each key's records by windows of processing time.
    pub fn window(self, windows: TumblingProcessingTimeWindows) -> WindowedStream<T, K, F> {
        WindowedStream::new(self, windows)
    }
}

pub(crate) fn state_of<K: Key, V: Record>(
    env: &StreamExecutionEnvironment,
    name: &str,
    kind: StateKind,
) -> StateDeclaration {
    StateDeclaration {
        name: name.to_owned(),
        kind,
        key: Some(env.schema_of::<K>()),
        value: env.schema_of::<V>(),
        ttl_ms: None,
    }
}
