//! The plan while it is written: operations as the author names them, before the runtime mode is
//! known. [`Plan::build`] turns them into a stream graph and the table *node → factory*.
//!
//! One operation may become several operators: a source gets its hidden coordinator, a keyed
//! aggregate in batch mode its combiner.

mod build;
pub(crate) mod json;
mod registry;

pub(crate) use build::{BuildSettings, Built};
pub(crate) use registry::PlanRegistry;

use crate::{environment::StreamExecutionEnvironment, error::Error};
use std::{collections::BTreeMap, sync::Arc};
use weir_dataflow::{
    Key, KeyHasher, Operator, PayloadType, Record, Result as TaskResult, TypedKeyHasher,
    TypedPayload,
};
use weir_graph::{ChainingStrategy, Partitioning, Schema, StateDeclaration, TaskDeployment};

/// Place of an operation in the plan.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct OperationId(pub usize);

/// Makes an operator for a subtask.
pub(crate) type OperatorFactory =
    Arc<dyn Fn(&TaskDeployment) -> TaskResult<Box<dyn Operator>> + Send + Sync>;

/// Cleans up after a job that has ended without finishing.
pub(crate) type Abandon = Arc<dyn Fn() -> TaskResult<()> + Send + Sync>;

/// Makes the key function of an edge.
pub(crate) type HasherFactory = Arc<dyn Fn() -> Box<dyn KeyHasher> + Send + Sync>;

/// A record type, erased.
#[derive(Clone)]
pub(crate) struct OutputType {
    pub schema: Schema,
    pub payload: Arc<dyn PayloadType>,
}

impl OutputType {
    /// The type `T`; the environment remembers when it is none that can be sent.
    pub fn of<T: Record>(env: &StreamExecutionEnvironment) -> Self {
        Self { schema: env.schema_of::<T>(), payload: Arc::new(TypedPayload::<T>::new()) }
    }
}

/// An operator to be.
#[derive(Clone)]
pub(crate) struct Instance {
    pub kind: &'static str,
    pub factory: OperatorFactory,
    pub output: Option<OutputType>,
    pub states: Vec<StateDeclaration>,
    pub specification: Vec<u8>,
    pub commits: bool,
    pub abandon: Option<Abandon>,
}

impl Instance {
    /// An operator whose prototype is cloned for each subtask.
    pub fn new<O: Operator + 'static>(
        kind: &'static str,
        output: Option<OutputType>,
        make: impl Fn() -> O + Send + Sync + 'static,
    ) -> Self {
        Self::deployed(kind, output, move |_| make())
    }

    /// An operator that depends on how it is deployed.
    pub fn deployed<O: Operator + 'static>(
        kind: &'static str,
        output: Option<OutputType>,
        make: impl Fn(&TaskDeployment) -> O + Send + Sync + 'static,
    ) -> Self {
        Self {
            kind,
            factory: Arc::new(move |deployment| Ok(Box::new(make(deployment)))),
            output,
            states: Vec::new(),
            specification: Vec::new(),
            commits: false,
            abandon: None,
        }
    }

    pub fn with_states(mut self, states: Vec<StateDeclaration>) -> Self {
        self.states = states;
        self
    }
}

/// What an operation becomes.
pub(crate) enum Body {
    /// One operator.
    Single(Instance),
    /// A hidden coordinator and the readers it serves.
    Source(Box<SourceBody>),
    /// A keyed aggregate: updates in streaming mode; in batch mode combiner and merger where it
    /// combines, else finals.
    Aggregate(Box<AggregateBody>),
}

/// A source.
pub(crate) struct SourceBody {
    pub coordinator: Instance,
    pub reader: Instance,
    pub bounded: bool,
    pub serial: bool,
}

/// The shapes of a keyed aggregate.
pub(crate) struct AggregateBody {
    pub updates: Instance,
    pub finals: Instance,
    /// Combiner, merger, and the key function between them.
    pub combined: Option<(Instance, Instance, HasherFactory)>,
}

/// A stream that an operation reads.
#[derive(Clone)]
pub(crate) struct Upstream {
    pub operation: OperationId,
    pub partitioning: Option<Partitioning>,
    pub hasher: Option<HasherFactory>,
}

/// What the author sets on an operator.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub uid: Option<String>,
    pub parallelism: Option<u32>,
    pub max_parallelism: Option<u32>,
    pub chaining: ChainingStrategy,
}

pub(crate) struct Operation {
    pub name: String,
    pub inputs: Vec<Upstream>,
    pub body: Body,
    pub settings: Settings,
}

/// A plan being written.
#[derive(Default)]
pub(crate) struct Plan {
    pub operations: Vec<Operation>,
    pub once: BTreeMap<String, Vec<u8>>,
    /// What is wrong already; reported by `execute`, since the methods that build cannot fail.
    pub errors: Vec<Error>,
}

impl Plan {
    pub fn add(
        &mut self,
        name: impl Into<String>,
        inputs: Vec<Upstream>,
        body: Body,
    ) -> OperationId {
        let operation =
            Operation { name: name.into(), inputs, body, settings: Settings::default() };
        self.operations.push(operation);
        OperationId(self.operations.len() - 1)
    }

    pub fn operation(&mut self, id: OperationId) -> &mut Operation {
        &mut self.operations[id.0]
    }
}

/// The key function of an edge, from the author's.
pub(crate) fn hasher_of<T, K, F>(key_of: &SharedFn<F>) -> HasherFactory
where
    T: Record,
    K: Key,
    F: Fn(&T) -> K + Clone + Send + 'static,
{
    let key_of = key_of.clone();
    Arc::new(move || Box::new(TypedKeyHasher::new(key_of.get())))
}

/// A user function that every subtask gets a clone of; it need not be `Sync` for that.
pub(crate) struct SharedFn<F>(Arc<std::sync::Mutex<F>>);

impl<F> Clone for SharedFn<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<F: Clone> SharedFn<F> {
    pub fn new(function: F) -> Self {
        Self(Arc::new(std::sync::Mutex::new(function)))
    }

    pub fn get(&self) -> F {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}
