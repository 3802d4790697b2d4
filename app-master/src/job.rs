//! The job that an app master runs, made ready: its graph, settings and storage.

use crate::{
    assignment::Assignment,
    error::{Error, Result},
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc::Receiver},
};
use weir_base::Resources;
use weir_checkpoint_storage::CheckpointStorage;
use weir_config::{Config, MemorySize, keys};
use weir_coordination::{
    CheckpointSettings, JobSettings, RestartStrategy, plan, slots::SlotSettings,
};
use weir_graph::JobGraph;
use weir_protocol::cluster::JobSubmission;

const MIB: u64 = 1024 * 1024;

/// A job that is ready to run.
pub struct Job {
    /// As it was submitted.
    pub submission: Arc<JobSubmission>,
    /// Its graph, chained.
    pub graph: JobGraph,
    /// How it is run.
    pub settings: JobSettings,
    /// Its effective configuration.
    pub config: Config,
    /// The job's own folder, for its log and its checkpoints. `None` for a job that writes nothing: its
    /// log goes with this app master.
    pub folder: Option<PathBuf>,
    /// The configuration that task hosts are given. `execution.checkpointing.dir` in it is a plain
    /// folder, or not set when nothing is ever written; a host uses the folder that is called as the
    /// job's id in it, as the job master does.
    pub host_configuration: String,
}

impl Job {
    /// Makes the submitted job ready.
    ///
    /// # Errors
    /// It cannot be read, planned, or has nowhere to keep its checkpoints.
    pub fn prepare(assignment: &Assignment) -> Result<Self> {
        let submission = assignment.submission()?;
        let mut config = Config::try_from(submission.configuration.clone())?;
        let graph = plan(&submission.stream_graph)?;
        let settings = settings(&submission, &config);
        let folder = folder(&submission, &config, assignment)?;
        match &folder {
            Some(folder) => {
                config.set(&keys::CHECKPOINTING_DIR, folder.to_string_lossy().into_owned())?;
            }
            None if needs_storage(&graph, &settings) => return Err(Error::NoStorage),
            None if assignment.attempt.number > 1 => {
                return Err(Error::NotResumable { number: assignment.attempt.number });
            }
            None => {}
        }
        let folder = folder.map(|folder| folder.join(submission.job.to_string()));
        let host_configuration = config.to_json();
        let submission = Arc::new(submission);
        Ok(Self { submission, graph, settings, config, folder, host_configuration })
    }

    /// Whether its log outlives this app master, so that another one can go on from it.
    pub fn is_resumable(&self) -> bool {
        self.folder.is_some()
    }

    /// What opens the storage. It first waits to be told whether an earlier attempt has registered.
    ///
    /// If none has, none has opened the folder, and it is created. Otherwise it must exist: where it
    /// does not, this node does not see the storage that the earlier attempt used, and must not start
    /// the job over in another place.
    pub fn storage_opener(
        &self,
        earlier_registered: Receiver<bool>,
    ) -> impl FnMut() -> weir_checkpoint_storage::Result<CheckpointStorage> + Send + 'static {
        let folder = self.folder.clone();
        let mut must_exist = None;
        move || {
            let Some(folder) = &folder else { return Ok(CheckpointStorage::in_memory()) };
            // An app master that ends before it has registered opens nothing that could be kept.
            match *must_exist.get_or_insert_with(|| earlier_registered.recv().unwrap_or(true)) {
                true => CheckpointStorage::existing(folder),
                false => CheckpointStorage::local(folder),
            }
        }
    }

    /// What it wants of the cluster.
    pub fn slot_settings(&self) -> SlotSettings {
        let slots = self.graph.vertices.iter().map(|vertex| vertex.parallelism).max();
        SlotSettings {
            slots: slots.unwrap_or(1),
            slots_per_manager: self.config.get(&keys::TASK_SLOTS),
            request_timeout: self.config.get(&keys::SLOT_REQUEST_TIMEOUT),
        }
    }

    /// The size of one task manager's container.
    pub fn manager_resources(&self) -> Resources {
        let slots = self.config.get(&keys::TASK_SLOTS);
        Resources {
            memory_mib: mebibytes(self.config.get(&keys::TASK_MANAGER_MEMORY)),
            vcores: self.config.get_optional(&keys::TASK_MANAGER_VCORES).unwrap_or(slots),
        }
    }
}

fn mebibytes(size: MemorySize) -> u64 {
    size.bytes().div_ceil(MIB)
}

/// Whether anything is ever written: checkpoints in between, or the one at the end that sinks commit.
fn needs_storage(graph: &JobGraph, settings: &JobSettings) -> bool {
    let operators = graph.vertices.iter().flat_map(|vertex| &vertex.operators);
    settings.checkpoints.is_some() || operators.into_iter().any(|operator| operator.node.commits)
}

/// The folder of all jobs' checkpoints: the job's own setting, or the cluster's. A relative one is
/// meant from where the job was submitted.
fn folder(
    submission: &JobSubmission,
    config: &Config,
    assignment: &Assignment,
) -> Result<Option<PathBuf>> {
    let text = config.get_optional(&keys::CHECKPOINTING_DIR).or_else(|| assignment.storage.clone());
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let path = text.strip_prefix("file://").unwrap_or(&text);
    if path.contains("://") {
        return Err(Error::StorageKind { folder: text });
    }
    Ok(Some(Path::new(&submission.working_directory).join(path)))
}

fn settings(submission: &JobSubmission, config: &Config) -> JobSettings {
    let timeout = config.get(&keys::CHECKPOINTING_TIMEOUT);
    let interval = config.get_optional(&keys::CHECKPOINTING_INTERVAL);
    JobSettings {
        job: submission.job,
        fingerprint: submission.fingerprint.clone(),
        checkpoints: interval.map(|interval| CheckpointSettings {
            interval,
            timeout,
            min_pause: config.get(&keys::CHECKPOINTING_MIN_PAUSE),
            tolerable_failures: config.get(&keys::CHECKPOINTING_TOLERABLE_FAILED),
            retained: config.get(&keys::CHECKPOINTING_NUM_RETAINED).max(1) as usize,
        }),
        final_checkpoint_timeout: timeout,
        restart: match config.restart_strategy() {
            weir_config::RestartStrategy::None => RestartStrategy::None,
            weir_config::RestartStrategy::FixedDelay { attempts, delay } => {
                RestartStrategy::FixedDelay { attempts, delay }
            }
        },
        storage_timeout: config.get(&keys::CHECKPOINTING_STORAGE_TIMEOUT),
        cancellation_timeout: config.get(&keys::TASK_CANCELLATION_TIMEOUT),
    }
}
