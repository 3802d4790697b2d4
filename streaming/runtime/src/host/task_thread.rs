//! From a deployment to a running task: builds chain, inbox and writers on the task's own thread,
//! runs it, and turns every way out into a report.

use super::{Deployed, LocalInput, Remote, Shared, uploader::Upload};
use crate::{
    control::TaskControl,
    exchange::{ChannelAddress, ElementSender, Inbox, LocalSender, RemoteInput},
    metrics::TaskMetrics,
    panics,
    task::{
        chain::{Chain, Link, Target},
        core::{TaskCore, TaskEvent},
        gate::InputGate,
        runner::{Mailbox, Runner},
        writer::{OutputWriter, WriterParts},
    },
};
use std::{
    sync::{Arc, OnceLock},
    thread,
};
use weir_base::{Failure, FailureOrigin};
use weir_dataflow::{Element, Error, PayloadType, Result, SubtaskInfo};
use weir_graph::{OutputChannels, Partitioning, TaskDeployment};
use weir_protocol::task::ReportKind;
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

/// The first connection to a task of another task host that this task lost.
#[derive(Debug)]
struct LostPeer {
    peer: Deployed,
    code: &'static str,
    message: String,
}

type FirstLost = Arc<OnceLock<LostPeer>>;

impl LostPeer {
    fn note(first: &FirstLost, peer: Deployed, error: &Error) {
        let _ = first.set(Self { peer, code: error.code(), message: error.to_string() });
    }

    fn error(&self) -> Error {
        Error::external(self.code, self.message.clone())
    }
}

/// Notes which peer is lost when sending to it fails.
struct PeerSender {
    inner: Box<dyn ElementSender>,
    peer: Deployed,
    lost: FirstLost,
}

impl ElementSender for PeerSender {
    fn send(&mut self, element: Element) -> Result<()> {
        let sent = self.inner.send(element);
        sent.inspect_err(|error| note_lost(&self.lost, self.peer, error))
    }
}

/// A batch that cannot be sent at all is a permanent failure of the sending task.
fn note_lost(lost: &FirstLost, peer: Deployed, error: &Error) {
    if error.origin() == FailureOrigin::External {
        LostPeer::note(lost, peer, error);
    }
}

/// How a task ended. The first problem is the one that is reported.
struct Ended {
    result: Result<()>,
    /// The operator to blame, if known.
    operator: Option<String>,
}

impl Ended {
    /// Takes a later problem for the cause if there was none; else it is only written down, since
    /// it may follow from the first.
    fn then(&mut self, task: &TaskThread, later: Result<()>, operator: Option<String>) {
        let Err(error) = later else { return };
        if self.result.is_ok() {
            *self = Self { result: Err(error), operator };
            return;
        }
        let (name, code) = (task.deployment.display_name(), error.code());
        let operator = operator.unwrap_or_else(|| "unknown".to_owned());
        panics::say(&format!(
            "operator {operator:?} of task {name:?}, at its end: {error} [{code}]"
        ));
    }
}

impl TaskThread {
    pub fn spawn(self) {
        // The kernel keeps 15 bytes of a thread's name.
        let name = format!("{}#{}", self.deployment.name, self.deployment.task.subtask);
        let deployed = self.deployed();
        let shared = Arc::clone(&self.shared);
        let spawned = thread::Builder::new().name(name).spawn(move || self.run_to_report());
        if let Err(error) = spawned {
            shared.running().remove(&deployed);
            let problem = format!("cannot start a thread for the task: {error}");
            let error = Error::external("WEIR-TASK-0004", problem);
            let failure = failure(deployed.0.to_string(), None, &error);
            shared.report(deployed, ReportKind::Failed(failure));
        }
    }

    fn deployed(&self) -> Deployed {
        (self.deployment.task, self.deployment.attempt)
    }

    /// The body of the thread. A task never ends without a report, whatever panics.
    fn run_to_report(self) {
        panics::mark_task_thread();
        let (shared, deployed, task) =
            (Arc::clone(&self.shared), self.deployed(), self.deployment.display_name());
        let ran = panics::catch_defect(|| {
            self.run();
            Ok(())
        });
        if let Err(error) = ran {
            panics::say(&format!("task {task:?}: {error}"));
            shared.ended(deployed, ReportKind::Failed(failure(task, None, &error)));
        }
        // The last user of the host drops what the author's closures hold.
        if let Err(error) = panics::catch_drop(shared) {
            panics::say(&error.to_string());
        }
    }

    fn run(self) {
        // A connection that is lost fails the task with its own error instead of a bare cancel.
        let lost = FirstLost::default();
        let mut ended = self.run_guarded(&lost);
        let head = self.deployment.operators.first().map(|head| head.node.name.clone());
        ended.then(&self, self.inbox.close(), head);
        if let Some(remote) = &self.remote {
            remote.exchange.unregister(self.deployed());
        }
        self.shared.ended(self.deployed(), self.report_kind(ended, lost.get()));
    }

    fn report_kind(&self, ended: Ended, lost: Option<&LostPeer>) -> ReportKind {
        let Ended { result, operator } = ended;
        let Err(error) = result else { return ReportKind::Finished };
        let name = self.deployment.display_name();
        let is_cancelled = matches!(error, Error::Cancelled);
        match lost.filter(|lost| is_cancelled || lost.code == error.code()) {
            Some(lost) => ReportKind::LostPeer {
                peer: lost.peer,
                failure: failure(name, operator, &lost.error()),
            },
            None if is_cancelled => ReportKind::Canceled,
            None => ReportKind::Failed(failure(name, operator, &error)),
        }
    }

    /// Builds, runs and takes down the task; catches what the author's code throws.
    fn run_guarded(&self, lost: &FirstLost) -> Ended {
        let mut runner = match panics::catch(|| self.build(lost)) {
            Ok(runner) => runner,
            Err(error) => return Ended { result: Err(error), operator: None },
        };
        let result = panics::catch(|| self.open_and_run(&mut runner));
        let current = |runner: &Runner| Some(runner.core.current_operator().to_owned());
        let mut ended = Ended { result, operator: current(&runner) };
        let closed = runner.core.close();
        ended.then(self, closed, current(&runner));
        for (operator, error) in runner.core.dispose() {
            ended.then(self, Err(error), Some(operator));
        }
        ended
    }

    fn open_and_run(&self, runner: &mut Runner) -> Result<()> {
        let mut states = restored_states(&self.deployment, &self.shared.config.storage)?;
        self.control.check()?;
        runner.core.open(|operator| states.remove(&operator).unwrap_or_default())?;
        self.shared.report(self.deployed(), ReportKind::Running);
        runner.run(|event| self.on_event(event))
    }

    fn on_event(&self, event: TaskEvent) {
        let kind = match event {
            TaskEvent::EndOfData => ReportKind::EndOfData,
            TaskEvent::Committed(checkpoint) => ReportKind::Committed(checkpoint),
            TaskEvent::SnapshotTaken(checkpoint, snapshot) => {
                let upload = Upload::new(&self.deployment, checkpoint, snapshot);
                self.shared.uploader.upload(upload);
                return;
            }
            TaskEvent::Block(_) | TaskEvent::Unblock(_) => return,
        };
        self.shared.report(self.deployed(), kind);
    }

    fn build(&self, lost: &FirstLost) -> Result<Runner> {
        self.register_remote_inputs(lost);
        let links = self.links()?;
        let writers = self
            .deployment
            .outputs
            .iter()
            .map(|output| self.writer(output, lost))
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
                        job: self.shared.config.job,
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

    fn writer(&self, output: &OutputChannels, lost: &FirstLost) -> Result<OutputWriter> {
        let config = &self.shared.config;
        let hasher = match output.partitioning {
            Partitioning::Hash => Some(config.registry.key_hasher(output.stream_edge)?),
            _ => None,
        };
        let local = self.shared.inputs_of(&output.consumers, output.edge, self.deployed());
        let consumers = output.consumers.iter().zip(local);
        let senders = consumers
            .map(|(consumer, local)| self.sender(output.edge, *consumer, local, lost))
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

    fn sender(
        &self,
        edge: u32,
        consumer: Deployed,
        local: Option<LocalInput>,
        lost: &FirstLost,
    ) -> Result<Box<dyn ElementSender>> {
        // A task with thousands of consumers takes long to get here for the last one.
        self.control.check()?;
        if let Some(remote) = &self.remote {
            let host = (remote.host_of)(consumer.0);
            if host != remote.own {
                let address = ChannelAddress { edge, producer: self.deployed(), consumer };
                let opened = remote.exchange.open_output(host, address, Arc::clone(&self.control));
                let inner = opened.inspect_err(|error| note_lost(lost, consumer, error))?;
                let lost = Arc::clone(lost);
                return Ok(Box::new(PeerSender { inner, peer: consumer, lost }));
            }
        }
        // A consumer that is gone has said why: the whole attempt is coming down.
        let LocalInput { inbox, channel } = local.ok_or(Error::Cancelled)?;
        let channel = channel.ok_or_else(|| {
            Error::internal(format!(
                "task {} expects nothing from task {} over edge {edge}",
                consumer.0, self.deployment.task
            ))
        })?;
        Ok(Box::new(LocalSender::new(inbox, channel, Arc::clone(&self.control))))
    }

    fn register_remote_inputs(&self, lost: &FirstLost) {
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
                    LostPeer::note(&lost, producer, &error);
                    control.cancel();
                }),
            });
        }
    }
}

/// The failure of a task, or of its part of a checkpoint.
pub(super) fn failure(task: String, operator: Option<String>, error: &Error) -> Failure {
    Failure {
        task: Some(task),
        operator,
        ..Failure::new(error.code(), error.origin(), error.to_string())
    }
}
