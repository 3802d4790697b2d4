//! From operations to a stream graph, now that the runtime mode is known.

use super::{
    Body, HasherFactory, Instance, Operation, Plan, PlanRegistry, SourceBody, SubmitAction,
    Upstream,
};
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use weir_base::OperatorId;
use weir_graph::{
    EdgeSpec, ExchangeKind, NodeId, Partitioning, RuntimeMode, StreamGraph, StreamNode,
};
use weir_operators::keyed_process::TIMERS_STATE;

/// What a build takes from the configuration.
pub(crate) struct BuildSettings {
    pub name: String,
    pub mode: RuntimeMode,
    pub parallelism: u32,
    pub max_parallelism: Option<u32>,
    pub chaining: bool,
    pub auto_uids: bool,
}

/// A built plan.
pub(crate) struct Built {
    pub graph: StreamGraph,
    pub registry: PlanRegistry,
    pub submit_actions: Vec<SubmitAction>,
}

impl Built {
    pub fn has_submit_actions(&self) -> bool {
        !self.submit_actions.is_empty()
    }

    /// Does what the author wants to be done once, when the job is submitted.
    pub fn run_submit_actions(&mut self) -> Result<()> {
        for action in self.submit_actions.drain(..) {
            action().map_err(|error| Error::Operator {
                code: "WEIR-RUN-0008",
                message: format!("the job was not submitted: env.on_submit returned: {error}"),
            })?;
        }
        Ok(())
    }
}

struct Builder {
    graph: StreamGraph,
    registry: PlanRegistry,
    /// The node that emits each operation's records.
    emitters: Vec<NodeId>,
    batch: bool,
}

impl Plan {
    /// Builds the graph; the plan is spent.
    pub fn build(self, settings: BuildSettings) -> Result<Built> {
        if let Some(error) = self.errors.into_iter().next() {
            return Err(error);
        }
        let mode = resolve_mode(&self.operations, settings.mode)?;
        if !settings.auto_uids
            && let Some(operation) = self.operations.iter().find(|op| op.settings.uid.is_none())
        {
            return Err(Error::Operator {
                code: "WEIR-RUN-0004",
                message: format!(
                    "operator {:?} has no uid and pipeline.auto-generate-uids is off: give it one \
                     with .uid(\"...\")",
                    operation.name
                ),
            });
        }
        let graph = StreamGraph {
            name: settings.name,
            mode,
            default_parallelism: settings.parallelism,
            default_max_parallelism: settings.max_parallelism,
            chaining: settings.chaining,
            once: self.once,
            ..StreamGraph::default()
        };
        let mut builder = Builder {
            graph,
            registry: PlanRegistry::default(),
            emitters: Vec::new(),
            batch: mode == RuntimeMode::Batch,
        };
        for operation in self.operations {
            let emitter = builder.add_operation(operation);
            builder.emitters.push(emitter);
        }
        check_state_names(&builder.graph)?;
        let Builder { graph, registry, .. } = builder;
        Ok(Built { graph, registry, submit_actions: self.submit_actions })
    }
}

/// A state is found again by its name, so an operator's states have names of their own.
fn check_state_names(graph: &StreamGraph) -> Result<()> {
    for node in &graph.nodes {
        let mut seen = BTreeSet::new();
        if let Some(twice) = node.states.iter().find(|state| !seen.insert(&state.name)) {
            return Err(Error::Operator {
                code: "WEIR-RUN-0007",
                message: format!(
                    "operator {:?} declares the state {:?} twice: give each state a name of its \
                     own ({TIMERS_STATE} is taken)",
                    node.name, twice.name
                ),
            });
        }
    }
    Ok(())
}

fn resolve_mode(operations: &[Operation], wanted: RuntimeMode) -> Result<RuntimeMode> {
    let unbounded = operations
        .iter()
        .find(|operation| matches!(&operation.body, Body::Source(source) if !source.bounded));
    match (wanted, unbounded) {
        (RuntimeMode::Automatic, None) => Ok(RuntimeMode::Batch),
        (RuntimeMode::Automatic, Some(_)) => Ok(RuntimeMode::Streaming),
        (RuntimeMode::Batch, Some(source)) => Err(Error::Operator {
            code: "WEIR-RUN-0005",
            message: format!(
                "source {:?} never ends and execution.runtime-mode is BATCH: use STREAMING or \
                 AUTOMATIC",
                source.name
            ),
        }),
        (mode, _) => Ok(mode),
    }
}

impl Builder {
    fn add_operation(&mut self, operation: Operation) -> NodeId {
        let Operation { name, inputs, body, settings } = operation;
        let uid = |suffix: &str| settings.uid.as_ref().map(|uid| format!("{uid}{suffix}"));
        match body {
            Body::Single(instance) => {
                let node = self.add_node(&name, instance, &settings, uid(""));
                self.connect(&inputs, node);
                node
            }
            Body::Source(source) => {
                let SourceBody { coordinator, reader, bounded, serial } = *source;
                let plain = super::Settings::default();
                let hidden = self.add_node(
                    &format!("{name} (coordinator)"),
                    coordinator,
                    &plain,
                    uid(" splits"),
                );
                let coordinator = self.node(hidden);
                coordinator.coordinator = true;
                coordinator.fixed_parallelism = Some(1);
                coordinator.bounded = bounded;
                let node = self.add_node(&name, reader, &settings, uid(""));
                self.node(node).bounded = bounded;
                if serial {
                    self.node(node).fixed_parallelism = Some(1);
                }
                self.add_edge(hidden, node, Some(Partitioning::Broadcast), None);
                node
            }
            Body::Aggregate(aggregate) => match aggregate.combined {
                Some((combiner, merger, hasher)) if self.batch => {
                    let before = super::Settings::default();
                    let first = self.add_node(
                        &format!("{name} (combine)"),
                        combiner,
                        &before,
                        uid(" combine"),
                    );
                    let direct: Vec<Upstream> = inputs
                        .iter()
                        .map(|input| Upstream { partitioning: None, hasher: None, ..input.clone() })
                        .collect();
                    self.connect(&direct, first);
                    let from = self.graph.inputs_of(first).next().map(|edge| edge.from);
                    self.node(first).parallelism_of = from;
                    let second = self.add_node(&name, merger, &settings, uid(""));
                    self.add_edge(first, second, Some(Partitioning::Hash), Some(hasher));
                    second
                }
                _ => {
                    let instance = if self.batch { aggregate.finals } else { aggregate.updates };
                    let node = self.add_node(&name, instance, &settings, uid(""));
                    self.connect(&inputs, node);
                    node
                }
            },
        }
    }

    fn node(&mut self, id: NodeId) -> &mut StreamNode {
        &mut self.graph.nodes[id.index()]
    }

    fn add_node(
        &mut self,
        name: &str,
        instance: Instance,
        settings: &super::Settings,
        uid: Option<String>,
    ) -> NodeId {
        let id = NodeId(self.graph.nodes.len() as u32);
        let Instance { kind, factory, output, states, specification, commits, abandon } = instance;
        self.registry.abandons.extend(abandon);
        // Without a uid an operator is known by its place, as in Flink: state is lost when the
        // operators before it change.
        let identity = match &uid {
            Some(uid) => format!("uid:{uid}"),
            None => format!("place:{}:{kind}", id.0),
        };
        self.graph.nodes.push(StreamNode {
            operator_id: OperatorId::of_text(&identity),
            uid,
            name: name.to_owned(),
            kind: kind.to_owned(),
            parallelism: settings.parallelism,
            max_parallelism: settings.max_parallelism,
            fixed_parallelism: None,
            parallelism_of: None,
            chaining: settings.chaining,
            states,
            output: output.as_ref().map(|output| output.schema.clone()),
            specification,
            bounded: true,
            coordinator: false,
            commits,
        });
        self.registry.operators.push((factory, output));
        id
    }

    fn connect(&mut self, inputs: &[Upstream], to: NodeId) {
        for input in inputs {
            let from = self.emitters[input.operation.index];
            self.add_edge(from, to, input.partitioning, input.hasher.clone());
        }
    }

    fn add_edge(
        &mut self,
        from: NodeId,
        to: NodeId,
        partitioning: Option<Partitioning>,
        hasher: Option<HasherFactory>,
    ) {
        let exchange = ExchangeKind::Pipelined;
        self.graph.edges.push(EdgeSpec { from, to, input: 0, partitioning, exchange });
        self.registry.hashers.push(hasher);
    }
}
