//! Local execution: the same coordination and the same runtime as on a cluster, in this process.
//!
//! ```text
//! JobMasterShell ──TaskGateway──▶ LocalGateway ──▶ TaskHost (one, or several over loopback TCP)
//!        ▲                                             │
//!        └──────────────── reports ────────────────────┘
//! ```

mod gateway;
mod hosts;
mod progress;
mod restarts;
mod result;
pub(crate) mod signals;

pub(crate) use hosts::HostSettings;
#[cfg(test)]
pub(crate) use hosts::local_hosts;
pub(crate) use result::Running;

use crate::{
    error::Result,
    launch::{Launched, print_line},
    plan::Built,
};
use gateway::LocalGateway;
use hosts::Hosts;
use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use weir_base::{HexId, JobId, SeededRng};
use weir_checkpoint_storage::CheckpointStorage;
use weir_config::{Config, keys};
use weir_coordination::plan::plan;
use weir_graph::{Fingerprint, JobGraph, StreamGraph};
use weir_job_master::{JobMasterShell, job_settings};
use weir_protocol::job_executable::JobMessage;

/// Starts a job in this process.
pub(crate) fn start(
    mut built: Built,
    ordinal: u32,
    config: &Config,
    launched: Launched,
) -> Result<Running> {
    let graph = plan(&built.graph)?;
    let folder = checkpoint_folder(config);
    let storage = match &folder {
        Some(folder) => CheckpointStorage::local(folder)?,
        None => CheckpointStorage::in_memory(),
    };
    // A log with records is that of an earlier process, whose job continues now.
    if built.has_submit_actions() && storage.log().load()?.1.is_empty() {
        built.run_submit_actions()?;
    }
    let job = job_id(&built.graph, ordinal, folder.is_some());
    let settings = job_settings(job, Fingerprint::of(&built.graph), config);
    launched.tell(&JobMessage::Submitted { job, name: graph.name.clone() });
    if launched.prints_lines() {
        print_line(&format!("Job has been submitted with JobID {job}"));
    }
    let abandons = built.registry.abandons.clone();
    let hosts = Arc::new(Hosts::new(job, &graph, config, Arc::new(built.registry), &storage)?);
    let submitted = Instant::now();
    let handle = JobMasterShell::start(graph.clone(), settings, storage, {
        let hosts = Arc::clone(&hosts);
        move |reports| Box::new(LocalGateway::new(hosts, reports))
    });
    if launched.is_interactive() {
        signals::listen_for(&handle, folder.is_some());
    }
    let progress = progress::Reporter::start(&graph, &hosts, &handle, config, &launched);
    let restarts = match launched.is_interactive() {
        true => restarts::Warner::start(&handle),
        false => restarts::Warner::silent(),
    };
    Ok(Running {
        job,
        graph,
        handle,
        hosts,
        launched,
        progress,
        restarts,
        submitted,
        abandons,
        resumable: folder.is_some(),
    })
}

/// The folder that keeps checkpoints and job logs.
pub(crate) fn checkpoint_folder(config: &Config) -> Option<PathBuf> {
    config.get_optional(&keys::CHECKPOINTING_DIR).map(|folder| folder.path())
}

/// A job that keeps its checkpoints in a folder is the same job whenever it runs again there: it
/// continues from its checkpoint. Otherwise every run is a new job.
fn job_id(graph: &StreamGraph, ordinal: u32, resumable: bool) -> JobId {
    if resumable {
        return JobId::of_text(&format!("local:{ordinal}:{}", graph.name));
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seed = since.as_nanos() as u64 ^ (u64::from(std::process::id()) << 40) ^ u64::from(ordinal);
    let mut rng = SeededRng::new(seed);
    JobId(HexId((u128::from(rng.next_u64()) << 64) | u128::from(rng.next_u64())))
}

/// Whole milliseconds, as Flink prints run times.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Vertices that users are shown.
fn shown(graph: &JobGraph) -> impl Iterator<Item = (u32, &weir_graph::JobVertex)> {
    (0u32..).zip(&graph.vertices).filter(|(_, vertex)| !vertex.coordinator)
}
