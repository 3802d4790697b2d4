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
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use weir_dataflow::{
    Key, KeyHasher, Operator, PayloadType, Record, Result as TaskResult, TypedKeyHasher,
    TypedPayload,
};
use weir_graph::{ChainingStrategy, Partitioning, Schema, StateDeclaration, TaskDeployment};
use weir_operators::UserResult;

/// Place of an operation in a plan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OperationId {
    plan: u64,
    index: usize,
}

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

/// What an author wants to be done once, when the job is submitted.
pub(crate) type SubmitAction = Box<dyn FnOnce() -> UserResult>;

/// A plan being written.
pub(crate) struct Plan {
    /// Differs from that of every other plan of this process.
    id: u64,
    pub operations: Vec<Operation>,
    pub submit_actions: Vec<SubmitAction>,
    pub once: BTreeMap<String, Vec<u8>>,
    /// Absolute paths of the text outputs.
    outputs: BTreeSet<PathBuf>,
    /// What is wrong already; reported by `execute`, since the methods that build cannot fail.
    pub errors: Vec<Error>,
}

impl Default for Plan {
    fn default() -> Self {
        static PLANS: AtomicU64 = AtomicU64::new(0);
        Self {
            id: PLANS.fetch_add(1, Ordering::Relaxed),
            operations: Vec::new(),
            submit_actions: Vec::new(),
            once: BTreeMap::new(),
            outputs: BTreeSet::new(),
            errors: Vec::new(),
        }
    }
}

impl Plan {
    /// Notes an output path. Two sinks of a job cannot write to the same one.
    pub fn note_output(&mut self, path: &Path) {
        // The sink itself refuses a path that has no absolute form.
        let Ok(output) = std::path::absolute(path) else { return };
        if let Some(output) = self.outputs.replace(output) {
            self.errors.push(Error::Operator {
                code: "WEIR-PLAN-0010",
                message: format!(
                    "two sinks of the job write to output {}: give each a path of its own, or unite the \
                     streams and write them with one sink",
                    output.display()
                ),
            });
        }
    }

    pub fn add(
        &mut self,
        name: impl Into<String>,
        inputs: Vec<Upstream>,
        body: Body,
    ) -> OperationId {
        let name = name.into();
        if inputs.iter().any(|input| input.operation.plan != self.id) {
            self.errors.push(foreign_stream(&name));
        }
        self.operations.push(Operation { name, inputs, body, settings: Settings::default() });
        OperationId { plan: self.id, index: self.operations.len() - 1 }
    }

    /// An operation of this plan; one of another plan is remembered as an error.
    pub fn operation(&mut self, id: OperationId) -> Option<&mut Operation> {
        if id.plan != self.id {
            self.errors.push(foreign_stream("a setting of an operator"));
            return None;
        }
        self.operations.get_mut(id.index)
    }

    /// Gives an operation its uid, once.
    pub fn set_uid(&mut self, id: OperationId, uid: String) {
        let Some(operation) = self.operation(id) else { return };
        match &operation.settings.uid {
            Some(first) if *first != uid => {
                let message = format!(
                    "operator {:?} is given the uid {uid:?} and has the uid {first:?} already: \
                     .uid() names the last operator of a stream, which all clones of the stream share",
                    operation.name
                );
                self.errors.push(Error::Operator { code: "WEIR-RUN-0010", message });
            }
            _ => operation.settings.uid = Some(uid),
        }
    }
}

/// A stream was used that belongs to another plan.
fn foreign_stream(user: &str) -> Error {
    Error::Operator {
        code: "WEIR-RUN-0009",
        message: format!(
            "{user:?} uses a stream of a job that was executed already, or of another environment: \
             make the stream again, from a source of this environment"
        ),
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
