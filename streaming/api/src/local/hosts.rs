//! The task hosts of a local job: one, or as many as `weir.local.task-hosts` says.

use crate::{error::Result, plan::PlanRegistry};
use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};
use weir_base::JobId;
use weir_checkpoint_storage::CheckpointStorage;
use weir_config::{Config, keys};
use weir_graph::{JobGraph, TaskId};
use weir_runtime::{
    HostConfig, HostReport, LocalNetwork, TaskHost,
    exchange::InboxLimits,
    host::{DeployedMetrics, Remote},
    task::writer::BufferTimeout,
};

/// Receives the reports of all hosts once somebody listens.
type Listener = Arc<OnceLock<Box<dyn Fn(HostReport) + Send + Sync>>>;

/// The hosts.
pub(crate) struct Hosts {
    hosts: Vec<TaskHost>,
    listener: Listener,
    network: Option<LocalNetwork>,
}

impl Hosts {
    pub fn new(
        job: JobId,
        graph: &JobGraph,
        config: &Config,
        registry: Arc<PlanRegistry>,
        storage: &CheckpointStorage,
    ) -> Result<Self> {
        let count = config.get(&keys::LOCAL_TASK_HOSTS) as usize;
        let listener = Listener::default();
        let network = match count {
            1 => None,
            _ => {
                let segment = config.get(&keys::MEMORY_SEGMENT_SIZE).bytes();
                let started = LocalNetwork::start(job, count, segment as usize);
                Some(started.map_err(|error| crate::error::Error::of_task(&error))?)
            }
        };
        let (buffer_timeout, inbox_limits) = (buffer_timeout(config), inbox_limits(config));
        let hosts = (0..count)
            .map(|own| {
                let listener = Arc::clone(&listener);
                TaskHost::new(HostConfig {
                    job_name: graph.name.clone(),
                    buffer_timeout,
                    inbox_limits,
                    registry: Arc::clone(&registry) as _,
                    storage: storage.clone(),
                    reports: Arc::new(move |report| {
                        if let Some(listen) = listener.get() {
                            listen(report);
                        }
                    }),
                    remote: network.as_ref().map(|network| Remote {
                        own,
                        host_of: Arc::new(move |task| host_of(task, count)),
                        exchange: network.exchange(own),
                    }),
                })
            })
            .collect();
        Ok(Self { hosts, listener, network })
    }

    /// Sends every report to `listen` from now on; before that nothing is deployed.
    pub fn listen(&self, listen: impl Fn(HostReport) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listen));
    }

    /// The host that runs a subtask.
    pub fn of(&self, task: TaskId) -> &TaskHost {
        &self.hosts[host_of(task, self.hosts.len())]
    }

    /// Metrics of the last deployment of every subtask.
    pub fn metrics(&self) -> BTreeMap<TaskId, DeployedMetrics> {
        self.hosts.iter().flat_map(TaskHost::metrics).collect()
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.hosts.iter().for_each(TaskHost::cancel_all);
        if let Some(network) = &self.network {
            network.shutdown();
        }
    }
}

/// When batches that are not full are sent.
pub(crate) fn buffer_timeout(config: &Config) -> BufferTimeout {
    match config.buffer_timeout() {
        keys::BufferTimeout::EachRecord => BufferTimeout::EachRecord,
        keys::BufferTimeout::After(timeout) => BufferTimeout::After(timeout),
        keys::BufferTimeout::OnlyFull => BufferTimeout::OnlyFull,
    }
}

/// Bounds of every channel.
pub(crate) fn inbox_limits(config: &Config) -> InboxLimits {
    InboxLimits {
        batches: config.get(&keys::NETWORK_BUFFERS_PER_CHANNEL) as usize,
        bytes: config.get(&keys::EXCHANGE_BYTES_PER_CHANNEL).bytes() as usize,
    }
}

fn host_of(task: TaskId, hosts: usize) -> usize {
    task.subtask as usize % hosts
}
