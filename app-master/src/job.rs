//! The job that an app master runs, made ready: its graph, settings and storage.

use crate::{
    assignment::Assignment,
    error::{Error, Result},
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc::Receiver},
};
use weir_app_master_brain::SlotSettings;
use weir_base::Resources;
use weir_checkpoint_storage::CheckpointStorage;
use weir_config::{Config, Folder, Key, MemorySize, Origin, keys};
use weir_coordination::{JobSettings, plan};
use weir_graph::JobGraph;
use weir_job_master::job_settings;
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
    /// Its configuration, as the client resolved it and as its task hosts are given it. Only
    /// `execution.checkpointing.dir` is changed here: it is an absolute folder, or not set when nothing
    /// is ever written. A host uses the folder with the name of the job's id in it, as the job master
    /// does.
    pub config: Config,
    /// The job's own folder, for its log and its checkpoints. `None` for a job that writes nothing: its
    /// log goes with this app master.
    pub folder: Option<PathBuf>,
}

impl Job {
    /// Makes the submitted job ready.
    ///
    /// # Errors
    /// It cannot be read, planned, or has nowhere to keep its checkpoints.
    pub fn prepare(assignment: &Assignment) -> Result<Self> {
        let submission = assignment.submission()?;
        let mut config = Config::from_json(&submission.configuration)?;
        let graph = plan(&submission.stream_graph)?;
        let settings = job_settings(submission.job, submission.fingerprint.clone(), &config);
        let folder = match folder(&submission, &config, assignment) {
            Some((folder, origin)) => {
                config.set_from(origin, &keys::CHECKPOINTING_DIR, Folder::at(&folder))?;
                Some(folder.join(submission.job.to_string()))
            }
            None if needs_storage(&graph, &settings) => return Err(Error::NoStorage),
            None if assignment.attempt.number > 1 => {
                return Err(Error::NotResumable { number: assignment.attempt.number });
            }
            None => None,
        };
        let submission = Arc::new(submission);
        Ok(Self { submission, graph, settings, config, folder })
    }

    /// Whether its log outlives this app master, so that another one can continue from it.
    pub fn is_resumable(&self) -> bool {
        self.folder.is_some()
    }

    /// Opens the storage of the job. It first waits for the answer of the resource manager: has an earlier
    /// attempt asked for containers?
    ///
    /// If none has, no task has run, and the folder is created if it does not exist. Otherwise the folder
    /// exists, since an app master creates it and writes the first record before it asks. If it does not
    /// exist here, this node does not see the storage of the earlier attempt, and the job must not start
    /// over in another place.
    pub fn storage_opener(
        &self,
        earlier_attempt_asked: Receiver<bool>,
    ) -> impl FnMut() -> weir_checkpoint_storage::Result<CheckpointStorage> + Send + 'static {
        let folder = self.folder.clone();
        let mut must_exist = None;
        move || {
            let Some(folder) = &folder else { return Ok(CheckpointStorage::in_memory()) };
            // No answer comes if the app master ends before it has registered. It creates nothing then.
            match *must_exist.get_or_insert_with(|| earlier_attempt_asked.recv().unwrap_or(true)) {
                true => CheckpointStorage::existing(folder),
                false => CheckpointStorage::local(folder),
            }
        }
    }

    /// Resources that it needs.
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

/// The folder of all jobs' checkpoints and where it was set: by the job, or by the cluster. A relative
/// one of the job is meant from where the job was submitted.
fn folder(
    submission: &JobSubmission,
    config: &Config,
    assignment: &Assignment,
) -> Option<(PathBuf, Origin)> {
    if let Some(own) = config.get_optional(&keys::CHECKPOINTING_DIR) {
        let path = Path::new(&submission.working_directory).join(own.path());
        return Some((path, config.origin(&keys::CHECKPOINTING_DIR)));
    }
    let of_cluster = Origin::Cluster(keys::CLUSTER_STORAGE_DIR.spec().name().to_owned());
    Some((assignment.storage.as_ref()?.path(), of_cluster))
}
