//! From a deployment to a running task: builds chain, inbox and writers on the task's own thread,
//! runs it, and turns every way out into a report.

use super::{Deployed, HostReportKind, Remote, Shared, TaskFailure, panics, uploader::Upload};
use crate::{
    control::TaskControl,
    exchange::{ChannelAddress, ElementSender, Inbox, LocalSender, RemoteInput},
    metrics::TaskMetrics,
    task::{
        chain::{Chain, Link, Target},
        core::{TaskCore, TaskEvent},
        gate::InputGate,
        runner::{Mailbox, Runner},
        writer::{OutputWriter, WriterParts},
    },
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, OnceLock},
    thread,
};
use weir_dataflow::{Error, Origin, PayloadType, Result, SubtaskInfo};
use weir_graph::{OutputChannels, Partitioning, TaskDeployment};
use weir_state::restored_states;

/// What the thread of a task starts with.
pub(super) struct TaskThread {
    pub shared: Arc<Shared>,
    pub remote: Option<Remote>,
    pub deployment: TaskDeployment,
    pub control: Arc<TaskControl>,
    pub inbox: Arc<Inbox>,
    pub mailbox: Arc<Mailbox>,
    pub metrics: Arc<TaskMetrics>,
}

/// How a task ended, with the operator to blame if known.
struct Ended {
    result: Result<()>,
    operator: Option<String>,
    panicked: Option<String>,
}

impl TaskThread {
    pub fn spawn(self) {
        // The kernel keeps 15 bytes of a thread's name.
        let name = format!("{}#{}", self.deployment.name, self.deployment.task.subtask);
        let deployed = self.deployed();
        let shared = Arc::clone(&self.shared);
        let spawned = thread::Builder::new().name(name).spawn(move || self.run());
        if let Err(error) = spawned {
            shared.running().remove(&deployed);
            let failure = TaskFailure {
                code: "WEIR-TASK-0004".to_owned(),
                message: format!("cannot start a thread for the task: {error}"),
                origin: Origin::External,
                task: deployed.0.to_string(),
                operator: None,
            };
            shared.report(deployed, HostReportKind::Failed(failure));
        }
    }

    fn deployed(&self) -> Deployed {
        (self.deployment.task, self.deployment.attempt)
    }

    fn run(self) {
        panics::mark_task_thread();
        // A connection that is lost fails the task with its own error instead of a bare cancel.
        let lost = Arc::new(OnceLock::new());
        let ended = self.run_guarded(&lost);
        self.inbox.close();
        if let Some(remote) = &self.remote {
            remote.exchange.unregister(self.deployed());
        }
        // Reported first: a producer that does not find this task any more must not be heard
        // before the reason why. What was abandoned is not there, and is not heard at all.
        if self.shared.running().contains_key(&self.deployed()) {
            let kind = self.report_kind(ended, lost.get());
            self.shared.report(self.deployed(), kind);
            self.shared.running().remove(&self.deployed());
        }
    }

    fn report_kind(&self, ended: Ended, lost: Option<&(String, String)>) -> HostReportKind {
        let failure = |code: &str, message: String, origin| {
            HostReportKind::Failed(TaskFailure {
                code: code.to_owned(),
                message,
                origin,
                task: self.deployment.display_name(),
                operator: ended.operator.clone(),
            })
        };
        match (ended.panicked, ended.result) {
            (Some(message), _) => failure("WEIR-TASK-0001", message, Origin::User),
            (None, Ok(())) => HostReportKind::Finished,
            (None, Err(Error::Cancelled)) => match lost {
                Some((code, message)) => failure(code, message.clone(), Origin::External),
                None => HostReportKind::Canceled,
            },
            (None, Err(error)) => failure(error.code(), error.to_string(), error.origin()),
        }
    }

    /// Builds and runs the task; catches what user code throws.
    fn run_guarded(&self, lost: &Arc<OnceLock<(String, String)>>) -> Ended {
        let built = catch_unwind(AssertUnwindSafe(|| self.build(lost)));
        let mut runner = match built {
            Ok(Ok(runner)) => runner,
            Ok(Err(error)) => {
                return Ended { result: Err(error), operator: None, panicked: None };
            }
            Err(payload) => {
                let panicked = Some(panics::describe(&*payload));
                return Ended { result: Ok(()), operator: None, panicked };
            }
        };
        let ran = catch_unwind(AssertUnwindSafe(|| self.open_and_run(&mut runner)));
        let (result, panicked) = match ran {
            Ok(result) => (result, None),
            Err(payload) => (Ok(()), Some(panics::describe(&*payload))),
        };
        let operator = Some(runner.core.current_operator().to_owned());
        let clean = result.is_ok() && panicked.is_none();
        let closed = catch_unwind(AssertUnwindSafe(|| runner.core.close()));
        let closing = Some(runner.core.current_operator().to_owned());
        match closed {
            Ok(Err(error)) if clean => Ended { operator: closing, result: Err(error), panicked },
            Err(payload) if clean => {
                let panicked = Some(panics::describe(&*payload));
                Ended { operator: closing, result, panicked }
            }
            _ => Ended { result, operator, panicked },
        }
    }

    fn open_and_run(&self, runner: &mut Runner) -> Result<()> {
        let mut states = restored_states(&self.deployment, &self.shared.config.storage)?;
        self.control.check()?;
        runner.core.open(|operator| states.remove(&operator).unwrap_or_default())?;
        self.shared.report(self.deployed(), HostReportKind::Running);
        runner.run(|event| self.on_event(event))
    }

    fn on_event(&self, event: TaskEvent) {
        let kind = match event {
            TaskEvent::EndOfData => HostReportKind::EndOfData,
            TaskEvent::Committed(checkpoint) => HostReportKind::Committed(checkpoint),
            TaskEvent::SnapshotTaken(checkpoint, snapshot) => {
                let upload = Upload::new(&self.deployment, checkpoint, snapshot);
                self.shared.uploader.upload(upload);
                return;
            }
            TaskEvent::Block(_) | TaskEvent::Unblock(_) => return,
        };
        self.shared.report(self.deployed(), kind);
    }

    fn build(&self, lost: &Arc<OnceLock<(String, String)>>) -> Result<Runner> {
        self.register_remote_inputs(lost);
        let links = self.links()?;
        let writers = self
            .deployment
            .outputs
            .iter()
            .map(|output| self.writer(output))
            .collect::<Result<Vec<_>>>()?;
        let mut inputs = Vec::new();
        let mut payload_types: Vec<Arc<dyn PayloadType>> = Vec::new();
        for input in &self.deployment.inputs {
            let payload_type = self.shared.config.registry.payload_type(input.producer_node)?;
            for _ in &input.producers {
                inputs.push(input.input as usize);
                payload_types.push(Arc::clone(&payload_type));
            }
        }
        let core = TaskCore::new(
            Chain::new(links, writers),
            InputGate::new(inputs),
            self.deployment.key_groups(),
            self.deployment.max_parallelism,
            Arc::clone(&self.control),
        );
        Ok(Runner {
            core,
            inbox: Arc::clone(&self.inbox),
            mailbox: Arc::clone(&self.mailbox),
            control: Arc::clone(&self.control),
            payload_types,
        })
    }

    fn links(&self) -> Result<Vec<Link>> {
        let deployment = &self.deployment;
        let waker = {
            let inbox = Arc::clone(&self.inbox);
            Arc::new(move || inbox.wake())
        };
        (0u32..)
            .zip(&deployment.operators)
            .zip(&self.metrics.operators)
            .map(|((position, operator), metrics)| {
                Ok(Link {
                    info: SubtaskInfo {
                        job_name: self.shared.config.job_name.clone(),
                        operator: operator.node.operator_id,
                        operator_name: operator.node.name.clone(),
                        subtask: deployment.task.subtask,
                        parallelism: deployment.parallelism,
                        max_parallelism: deployment.max_parallelism,
                        key_groups: deployment.key_groups(),
                        attempt: deployment.attempt,
                        waker: Arc::clone(&waker) as _,
                    },
                    operator: self.shared.config.registry.operator(operator.node_id, deployment)?,
                    targets: self.targets_of(position),
                    metrics: Arc::clone(metrics),
                })
            })
            .collect()
    }

    fn targets_of(&self, position: u32) -> Vec<Target> {
        let chained =
            self.deployment.chain.iter().filter(|edge| edge.from == position).map(|edge| {
                Target::Operator { position: edge.to as usize, input: edge.input as usize }
            });
        let outputs = self.deployment.outputs.iter().enumerate();
        let written = outputs
            .filter(|(_, output)| output.operator == position)
            .map(|(index, _)| Target::Writer(index));
        chained.chain(written).collect()
    }

    fn writer(&self, output: &OutputChannels) -> Result<OutputWriter> {
        let config = &self.shared.config;
        let hasher = match output.partitioning {
            Partitioning::Hash => Some(config.registry.key_hasher(output.stream_edge)?),
            _ => None,
        };
        let senders = output
            .consumers
            .iter()
            .map(|consumer| self.sender(output.edge, *consumer))
            .collect::<Result<Vec<_>>>()?;
        Ok(OutputWriter::new(WriterParts {
            partitioning: output.partitioning,
            senders,
            hasher,
            max_parallelism: output.max_parallelism,
            first_channel: self.deployment.task.subtask as usize,
            timeout: config.buffer_timeout,
        }))
    }

    fn sender(&self, edge: u32, consumer: Deployed) -> Result<Box<dyn ElementSender>> {
        if let Some(remote) = &self.remote {
            let host = (remote.host_of)(consumer.0);
            if host != remote.own {
                let address = ChannelAddress { edge, producer: self.deployed(), consumer };
                return remote.exchange.open_output(host, address, Arc::clone(&self.control));
            }
        }
        // A consumer that is gone has said why: the whole attempt is coming down.
        let (inbox, channel) =
            self.shared.input_of(consumer, edge, self.deployed()).ok_or(Error::Cancelled)?;
        let channel = channel.ok_or_else(|| {
            Error::internal(format!(
                "task {} expects nothing from task {} over edge {edge}",
                consumer.0, self.deployment.task
            ))
        })?;
        Ok(Box::new(LocalSender::new(inbox, channel, Arc::clone(&self.control))))
    }

    fn register_remote_inputs(&self, lost: &Arc<OnceLock<(String, String)>>) {
        let Some(remote) = &self.remote else { return };
        let channels =
            self.deployment.inputs.iter().flat_map(|input| {
                input.producers.iter().map(move |producer| (input.edge, *producer))
            });
        for (channel, (edge, producer)) in channels.enumerate() {
            if (remote.host_of)(producer.0) == remote.own {
                continue;
            }
            let control = Arc::clone(&self.control);
            let lost = Arc::clone(lost);
            remote.exchange.register_input(RemoteInput {
                address: ChannelAddress { edge, producer, consumer: self.deployed() },
                inbox: Arc::clone(&self.inbox),
                channel,
                on_lost: Box::new(move |error| {
                    let _ = lost.set((error.code().to_owned(), error.to_string()));
                    control.cancel();
                }),
            });
        }
    }
}
