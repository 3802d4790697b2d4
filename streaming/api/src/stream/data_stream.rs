//! [`DataStream`]: a stream of records, with the fused run of closures that is still open on it.

use crate::{
    environment::StreamExecutionEnvironment,
    plan::{Body, Instance, OperationId, OutputType, Settings, SharedFn, Upstream},
    stream::KeyedStream,
};
use weir_dataflow::{Collector, Key, Record};
use weir_graph::{ChainingStrategy, Partitioning};
use weir_operators::{
    Filter, FlatMap, Identity, Map, Process, ProcessFunction, Run, RunOperator, Union, UserResult,
};

/// A stream of records of type `T`.
///
/// `map`, `filter` and `flat_map` are fused by the compiler into one operator; `R` is the run of
/// closures that is open so far. Everything else ends the run: `name`, `uid`, `key_by`, a sink.
/// A stream without an open run can be cloned and used more than once; [`DataStream::seal`] ends
/// the run for that. A stream belongs to one job: after `execute` it cannot be used for the next one
/// (`WEIR-RUN-0009`).
pub struct DataStream<T: Record, R: Run<Out = T> = Identity<T>> {
    env: StreamExecutionEnvironment,
    upstream: Vec<Upstream>,
    run: R,
    /// Names of the closures of the open run.
    names: Vec<&'static str>,
}

impl<T: Record> Clone for DataStream<T> {
    fn clone(&self) -> Self {
        Self {
            env: self.env.clone(),
            upstream: self.upstream.clone(),
            run: Identity::new(),
            names: Vec::new(),
        }
    }
}

impl<T: Record> DataStream<T> {
    pub(crate) fn of_operation(env: StreamExecutionEnvironment, operation: OperationId) -> Self {
        Self::of_upstream(env, vec![Upstream { operation, partitioning: None, hasher: None }])
    }

    pub(crate) fn of_upstream(env: StreamExecutionEnvironment, upstream: Vec<Upstream>) -> Self {
        Self { env, upstream, run: Identity::new(), names: Vec::new() }
    }
}

impl<T: Record, R: Run<Out = T>> DataStream<T, R> {
    fn extend<U: Record, S: Run<In = R::In, Out = U>>(
        self,
        name: &'static str,
        extended: impl FnOnce(R) -> S,
    ) -> DataStream<U, S> {
        let Self { env, upstream, run, mut names } = self;
        names.push(name);
        DataStream { env, upstream, run: extended(run), names }
    }

    /// One record out for each record in.
    pub fn map<U: Record, F>(self, function: F) -> DataStream<U, Map<R, F, U>>
    where
        F: FnMut(T) -> U + Clone + Send + 'static,
    {
        self.extend("Map", |run| Map::new(run, function))
    }

    /// Keeps the records for which the predicate holds.
    pub fn filter<F>(self, predicate: F) -> DataStream<T, Filter<R, F>>
    where
        F: FnMut(&T) -> bool + Clone + Send + 'static,
    {
        self.extend("Filter", |run| Filter::new(run, predicate))
    }

    /// Any number of records out for each record in.
    pub fn flat_map<U: Record, F>(self, function: F) -> DataStream<U, FlatMap<R, F, U>>
    where
        F: FnMut(T, &mut Collector<U>) + Clone + Send + 'static,
    {
        self.extend("Flat Map", |run| FlatMap::new(run, function))
    }

    /// Like `map`, with a function that may fail; an error fails the task.
    pub fn try_map<U: Record, F>(self, function: F) -> DataStream<U>
    where
        F: FnMut(T) -> UserResult<U> + Clone + Send + 'static,
    {
        self.add("Map", TryMap { function, types: std::marker::PhantomData })
    }

    /// Like `flat_map`, with a function that may fail; an error fails the task.
    pub fn try_flat_map<U: Record, F>(self, function: F) -> DataStream<U>
    where
        F: FnMut(T, &mut Collector<U>) -> UserResult + Clone + Send + 'static,
    {
        self.add("Flat Map", TryFlatMap { function, types: std::marker::PhantomData })
    }

    /// A function with a life cycle: open, process, finish, close.
    pub fn process<P: ProcessFunction<In = T>>(self, function: P) -> DataStream<P::Out> {
        self.add("Process", function)
    }

    fn add<P: ProcessFunction<In = T>>(self, name: &str, function: P) -> DataStream<P::Out> {
        let function = SharedFn::new(function);
        let output = Some(OutputType::of::<P::Out>(&self.env));
        let instance = Instance::new("process", output, move || Process::new(function.get()));
        self.into_operation(name, Body::Single(instance))
    }

    /// The records of this stream and others, in no order between them.
    pub fn union<S: Run<Out = T>>(self, other: DataStream<T, S>) -> DataStream<T> {
        let (first, second) = (self.seal(), other.seal());
        let env = first.env;
        let inputs = first.upstream.into_iter().chain(second.upstream).collect();
        let instance = Instance::new("union", Some(OutputType::of::<T>(&env)), || Union);
        let operation = env.plan(|plan| plan.add("Union", inputs, Body::Single(instance)));
        DataStream::of_operation(env, operation)
    }

    /// Groups the records by a key; the same key always goes to the same subtask.
    ///
    /// A key is any serde type that can be compared. Floats, maps and hash sets are refused:
    /// `execute` returns `WEIR-KEY-0001`.
    pub fn key_by<K: Key, F>(self, key_of: F) -> KeyedStream<T, K, F>
    where
        F: Fn(&T) -> K + Clone + Send + 'static,
    {
        let sealed = self.seal();
        KeyedStream::new(sealed.env, sealed.upstream, key_of)
    }

    /// Ends the open run, so that the stream can be cloned and read by several operators.
    pub fn seal(self) -> DataStream<T> {
        let Self { env, upstream, run, names } = self;
        if names.is_empty() {
            return DataStream { env, upstream, run: Identity::new(), names };
        }
        let run = SharedFn::new(run);
        let output = Some(OutputType::of::<T>(&env));
        let instance = Instance::new("run", output, move || RunOperator::new(run.get()));
        let name = names.join(" -> ");
        let operation = env.plan(|plan| plan.add(name, upstream, Body::Single(instance)));
        DataStream::of_operation(env, operation)
    }

    /// Adds an operator that reads this stream.
    pub(crate) fn into_operation<U: Record>(self, name: &str, body: Body) -> DataStream<U> {
        let sealed = self.seal();
        let operation = sealed.env.plan(|plan| plan.add(name, sealed.upstream, body));
        DataStream::of_operation(sealed.env, operation)
    }

    /// Adds an operator that ends this stream.
    pub(crate) fn into_sink(self, name: String, instance: Instance) -> DataStreamSink {
        let sealed = self.seal();
        let env = sealed.env;
        let operation = env.plan(|plan| plan.add(name, sealed.upstream, Body::Single(instance)));
        DataStreamSink { env, operation }
    }

    pub(crate) fn environment(&self) -> &StreamExecutionEnvironment {
        &self.env
    }

    /// Changes the settings of the last operator.
    fn set(self, change: impl FnOnce(&mut Settings)) -> DataStream<T> {
        let sealed = self.seal();
        if let [Upstream { operation, .. }] = sealed.upstream[..] {
            sealed.env.plan(|plan| {
                if let Some(operation) = plan.operation(operation) {
                    change(&mut operation.settings);
                }
            });
        }
        sealed
    }

    /// Sets the display name of the last operator.
    pub fn name(self, name: impl Into<String>) -> DataStream<T> {
        let sealed = self.seal();
        if let [Upstream { operation, .. }] = sealed.upstream[..] {
            sealed.env.plan(|plan| {
                if let Some(operation) = plan.operation(operation) {
                    operation.name = name.into();
                }
            });
        }
        sealed
    }

    /// Names the last operator for its state: checkpoints find it by this, whatever changes
    /// around it. Not empty, and unique within a job.
    pub fn uid(self, uid: impl Into<String>) -> DataStream<T> {
        let sealed = self.seal();
        if let [Upstream { operation, .. }] = sealed.upstream[..] {
            sealed.env.plan(|plan| plan.set_uid(operation, uid.into()));
        }
        sealed
    }

    /// Parallelism of the last operator. Beats every other setting.
    pub fn set_parallelism(self, parallelism: u32) -> DataStream<T> {
        self.set(|settings| settings.parallelism = Some(parallelism))
    }

    /// Number of key groups of the last operator.
    pub fn set_max_parallelism(self, max_parallelism: u32) -> DataStream<T> {
        self.set(|settings| settings.max_parallelism = Some(max_parallelism))
    }

    /// Runs the last operator in a task of its own.
    pub fn disable_chaining(self) -> DataStream<T> {
        self.set(|settings| settings.chaining = ChainingStrategy::Never)
    }

    /// Begins a new task with the last operator.
    pub fn start_new_chain(self) -> DataStream<T> {
        self.set(|settings| {
            if settings.chaining == ChainingStrategy::Always {
                settings.chaining = ChainingStrategy::Head;
            }
        })
    }

    fn partition(self, partitioning: Partitioning) -> DataStream<T> {
        let mut sealed = self.seal();
        for upstream in &mut sealed.upstream {
            upstream.partitioning = Some(partitioning);
        }
        sealed
    }

    /// Subtask `i` to subtask `i` of the next operator, which has the same parallelism.
    pub fn forward(self) -> DataStream<T> {
        self.partition(Partitioning::Forward)
    }

    /// Batches in turn to every subtask of the next operator.
    pub fn rebalance(self) -> DataStream<T> {
        self.partition(Partitioning::Rebalance)
    }

    /// Each record to all subtasks of the next operator.
    pub fn broadcast(self) -> DataStream<T> {
        self.partition(Partitioning::Broadcast)
    }

    /// Everything to the first subtask of the next operator.
    pub fn global(self) -> DataStream<T> {
        self.partition(Partitioning::Global)
    }
}

/// A stream's end, for the settings of its sink.
pub struct DataStreamSink {
    env: StreamExecutionEnvironment,
    operation: OperationId,
}

impl DataStreamSink {
    fn set(self, change: impl FnOnce(&mut Settings)) -> Self {
        self.env.plan(|plan| {
            if let Some(operation) = plan.operation(self.operation) {
                change(&mut operation.settings);
            }
        });
        self
    }

    /// Sets the display name of the sink.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.env.plan(|plan| {
            if let Some(operation) = plan.operation(self.operation) {
                operation.name = name.into();
            }
        });
        self
    }

    /// Names the sink for its state. Not empty, and unique within a job.
    pub fn uid(self, uid: impl Into<String>) -> Self {
        self.env.plan(|plan| plan.set_uid(self.operation, uid.into()));
        self
    }

    /// Parallelism of the sink.
    pub fn set_parallelism(self, parallelism: u32) -> Self {
        self.set(|settings| settings.parallelism = Some(parallelism))
    }

    /// Runs the sink in a task of its own.
    pub fn disable_chaining(self) -> Self {
        self.set(|settings| settings.chaining = ChainingStrategy::Never)
    }
}

#[derive(Clone)]
struct TryMap<T, F, U> {
    function: F,
    types: std::marker::PhantomData<fn(T) -> U>,
}

impl<T: Record, U: Record, F> ProcessFunction for TryMap<T, F, U>
where
    F: FnMut(T) -> UserResult<U> + Clone + Send + 'static,
{
    type In = T;
    type Out = U;

    fn process(&mut self, record: T, out: &mut Collector<U>) -> UserResult {
        out.collect((self.function)(record)?);
        Ok(())
    }
}

#[derive(Clone)]
struct TryFlatMap<T, F, U> {
    function: F,
    types: std::marker::PhantomData<fn(T) -> U>,
}

impl<T: Record, U: Record, F> ProcessFunction for TryFlatMap<T, F, U>
where
    F: FnMut(T, &mut Collector<U>) -> UserResult + Clone + Send + 'static,
{
    type In = T;
    type Out = U;

    fn process(&mut self, record: T, out: &mut Collector<U>) -> UserResult {
        (self.function)(record, out)
    }
}
