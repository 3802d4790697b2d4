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
use weir_protocol::task::TaskReport;
use weir_runtime::{
    HostConfig, LocalNetwork, TaskHost,
    exchange::InboxLimits,
    host::{DeployedMetrics, Remote},
    task::writer::BufferTimeout,
};

/// Receives the reports of all hosts once it is set.
type Listener = Arc<OnceLock<Box<dyn Fn(TaskReport) + Send + Sync>>>;

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
        let HostSettings { buffer_timeout, inbox_limits, segment_bytes } = HostSettings::of(config);
        let count = local_hosts(config);
        let listener = Listener::default();
        let network = match count {
            1 => None,
            _ => {
                let started = LocalNetwork::start(job, count, segment_bytes);
                Some(started.map_err(|error| crate::error::Error::of_task(&error))?)
            }
        };
        let hosts = (0..count)
            .map(|own| {
                let listener = Arc::clone(&listener);
                TaskHost::new(HostConfig {
                    job,
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
    pub fn listen(&self, listen: impl Fn(TaskReport) + Send + Sync + 'static) {
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

/// What a task host takes from the configuration, in this process or on a cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct HostSettings {
    /// When batches that are not full are sent.
    pub buffer_timeout: BufferTimeout,
    /// Bounds of every channel.
    pub inbox_limits: InboxLimits,
    /// Size of a buffer between task hosts.
    pub segment_bytes: usize,
}

impl HostSettings {
    pub fn of(config: &Config) -> Self {
        Self {
            buffer_timeout: match config.buffer_timeout() {
                keys::BufferTimeout::EachRecord => BufferTimeout::EachRecord,
                keys::BufferTimeout::After(timeout) => BufferTimeout::After(timeout),
                keys::BufferTimeout::OnlyFull => BufferTimeout::OnlyFull,
            },
            inbox_limits: InboxLimits {
                batches: config.get(&keys::NETWORK_BUFFERS_PER_CHANNEL) as usize,
                bytes: config.get(&keys::EXCHANGE_BYTES_PER_CHANNEL).bytes() as usize,
            },
            segment_bytes: config.get(&keys::MEMORY_SEGMENT_SIZE).bytes() as usize,
        }
    }
}

/// Number of task hosts in this process.
pub(crate) fn local_hosts(config: &Config) -> usize {
    config.get(&keys::LOCAL_TASK_HOSTS) as usize
}

fn host_of(task: TaskId, hosts: usize) -> usize {
    task.subtask as usize % hosts
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_protocol::data::MAX_BUFFER_BYTES;

    #[test]
    fn every_size_of_a_buffer_that_can_be_set_takes_effect() {
        let name = "taskmanager.memory.segment-size";
        let mut config = Config::new();
        for size_kb in (4..=128).step_by(4) {
            let fits = size_kb * 1024 <= MAX_BUFFER_BYTES;
            let set = config.set_named(name, &format!("{size_kb} kb"));
            assert_eq!(set.is_ok(), fits, "{size_kb} kb: {set:?}");
        }
        assert_eq!(HostSettings::of(&config).segment_bytes, MAX_BUFFER_BYTES);
    }
}
