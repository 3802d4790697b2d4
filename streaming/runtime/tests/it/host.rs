//! A task host with another one that is pretended: how a task opens its channels.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
    mpsc,
};
use std::time::Duration;
use weir_base::{ExecutionAttempt, JobId, VertexId};
use weir_checkpoint_storage::CheckpointStorage;
use weir_dataflow::{Element, Error, KeyHasher, Operator, PayloadType, Result};
use weir_graph::{ExchangeKind, NodeId, OutputChannels, Partitioning, TaskDeployment, TaskId};
use weir_protocol::task::ReportKind;
use weir_runtime::{
    HostConfig, TaskHost,
    control::TaskControl,
    exchange::{ChannelAddress, ElementSender, InboxLimits, RemoteExchange, RemoteInput},
    host::Remote,
    registry::OperatorRegistry,
    task::writer::BufferTimeout,
};

struct NoOperators;

impl OperatorRegistry for NoOperators {
    fn operator(&self, _: NodeId, _: &TaskDeployment) -> Result<Box<dyn Operator>> {
        Err(Error::internal("the task has no operator"))
    }

    fn payload_type(&self, _: NodeId) -> Result<Arc<dyn PayloadType>> {
        Err(Error::internal("the task has no input"))
    }

    fn key_hasher(&self, _: u32) -> Result<Box<dyn KeyHasher>> {
        Err(Error::internal("the task has no key"))
    }
}

struct NullSender;

impl ElementSender for NullSender {
    fn send(&mut self, _: Element) -> Result<()> {
        Ok(())
    }
}

/// Cancels the task that opens its first channel.
#[derive(Default)]
struct Cancelling {
    opened: AtomicUsize,
}

impl RemoteExchange for Cancelling {
    fn register_input(&self, _: RemoteInput) {}

    fn unregister(&self, _: (TaskId, ExecutionAttempt)) {}

    fn open_output(
        &self,
        _: usize,
        _: ChannelAddress,
        control: Arc<TaskControl>,
    ) -> Result<Box<dyn ElementSender>> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        control.cancel();
        Ok(Box::new(NullSender))
    }
}

/// Regression: a task built its thousands of channels to the end before it noticed a cancel.
#[test]
fn task_that_is_cancelled_while_it_opens_channels_opens_no_more() {
    let exchange = Arc::new(Cancelling::default());
    let (report, reports) = mpsc::channel();
    let report = Mutex::new(report);
    let host = TaskHost::new(HostConfig {
        job: JobId::of_text("host"),
        job_name: "host".to_owned(),
        buffer_timeout: BufferTimeout::OnlyFull,
        inbox_limits: InboxLimits::default(),
        registry: Arc::new(NoOperators),
        storage: CheckpointStorage::in_memory(),
        reports: Arc::new(move |sent| {
            let _ = report.lock().unwrap().send(sent);
        }),
        remote: Some(Remote {
            own: 0,
            host_of: Arc::new(|task| task.vertex as usize),
            exchange: Arc::clone(&exchange) as _,
        }),
    });
    let attempt = ExecutionAttempt(1);
    let consumer = |subtask| (TaskId { vertex: 1, subtask }, attempt);
    host.deploy(TaskDeployment {
        task: TaskId { vertex: 0, subtask: 0 },
        attempt,
        vertex: VertexId::of_text("source"),
        name: "source".to_owned(),
        parallelism: 1,
        max_parallelism: 128,
        operators: Vec::new(),
        chain: Vec::new(),
        inputs: Vec::new(),
        outputs: vec![OutputChannels {
            edge: 0,
            stream_edge: 0,
            operator: 0,
            consumers: (0..3).map(consumer).collect(),
            partitioning: Partitioning::Rebalance,
            exchange: ExchangeKind::Pipelined,
            max_parallelism: 128,
        }],
        restore: None,
    });
    let report = reports.recv_timeout(Duration::from_secs(60)).expect("the task ends");
    assert_eq!(exchange.opened.load(Ordering::SeqCst), 1);
    assert_eq!(report.kind, ReportKind::Canceled);
}
