//! Performs the brain's effects: requests to the resource manager, downloads, processes, files.

use crate::{
    fetch::Fetcher,
    launch::{Launcher, Running},
    registry::{Registry, Watched},
    remove, tree, watch,
};
use std::{
    cell::Cell, collections::BTreeMap, fs, io, path::PathBuf, rc::Rc, sync::Arc, time::Duration,
};
use tokio::{sync::mpsc::UnboundedSender, task::JoinHandle};
use weir_base::{ArtifactHash, ContainerId, Now};
use weir_node_agent_brain::{
    CachedFile, ContainerView, DownloadFailure, DownloadProblem, Effect, Exit, Input,
    LaunchFailure, NodeAgent, NodeView, Reply, Signal,
};
use weir_protocol::cluster::{
    LaunchContainer, NodeHeartbeat, NodeOrders, NodeRegistered, RegisterNode, exit_status,
};
use weir_service::{
    CallError, Handle, Outlet, Shell, Ticket,
    processes::{Processes, kill_each},
};

/// Time after the end of its hold when an answer counts as lost.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// View of an agent for readers.
#[derive(Debug)]
pub(crate) struct AgentView {
    pub node: NodeView,
    pub containers: Vec<ContainerView>,
}

/// Performs the effects of an agent's brain.
pub(crate) struct AgentShell {
    pub fetcher: Fetcher,
    pub launcher: Arc<Launcher>,
    /// Files that are being deleted from the cache.
    pub deletions: BTreeMap<ArtifactHash, JoinHandle<()>>,
    pub registry: Arc<Registry>,
    /// Receives the reason for which the agent must end.
    pub end: UnboundedSender<String>,
    /// Set when the agent and its node leave: it does not register again, whatever the answer is.
    pub leaving: Rc<Cell<bool>>,
}

/// Converts a caller's ticket to the brain's type.
pub(crate) fn ticket(ticket: Ticket) -> weir_node_agent_brain::Ticket {
    weir_node_agent_brain::Ticket(ticket.0)
}

impl Shell for AgentShell {
    type Brain = NodeAgent;
    type Reply = Reply;
    type Snapshot = AgentView;

    fn perform(&mut self, _: Now, effect: Effect, outlet: &mut Outlet<Self>) {
        let handle = outlet.handle();
        match effect {
            Effect::SendRegister { registration, register } => {
                self.register(registration, register, handle);
            }
            Effect::SendHeartbeat(heartbeat) => self.heartbeat(heartbeat, handle),
            Effect::Download { hash, size_bytes } => {
                self.download(CachedFile { hash, size_bytes }, handle);
            }
            Effect::Launch(container) => self.launch(container, handle),
            Effect::Signal { container, signal } => self.signal(container, signal),
            Effect::RemoveFolder(id) => {
                self.registry.remove(id);
                remove_folder(self.launcher.data.container(id).root().to_owned());
            }
            Effect::RemoveLogs(id) => remove_folder(self.launcher.data.application_logs(id)),
            Effect::DeleteCached(hash) => self.delete_cached(hash),
            Effect::Reply { ticket, reply } => outlet.reply(Ticket(ticket.0), reply),
            Effect::End { reason } => {
                // If the receiver is closed, the process is ending already.
                let _ = self.end.send(reason);
            }
        }
    }

    fn snapshot(&self, brain: &NodeAgent, _: Now) -> AgentView {
        AgentView { node: brain.node(), containers: brain.containers().collect() }
    }
}

impl AgentShell {
    fn register(&self, registration: u64, register: RegisterNode, handle: Handle<Self>) {
        if self.leaving.get() {
            return;
        }
        let Fetcher { client, resource_manager: address, .. } = self.fetcher.clone();
        let registry = Arc::clone(&self.registry);
        actix::spawn(async move {
            let path = "/internal/v1/nodes/register";
            let answer: Result<NodeRegistered, CallError> =
                client.call(&address, path, &register, ANSWER_TIMEOUT).await;
            registry.note_call(&address, answer.as_ref().err());
            let result = answer.map_err(|error| error.to_string());
            handle.tell(Input::Registered { registration, result });
        });
    }

    fn heartbeat(&self, heartbeat: NodeHeartbeat, handle: Handle<Self>) {
        let Fetcher { client, resource_manager: address, .. } = self.fetcher.clone();
        let registry = Arc::clone(&self.registry);
        actix::spawn(async move {
            let sequence = heartbeat.sequence;
            let timeout = ANSWER_TIMEOUT + Duration::from_millis(heartbeat.hold_ms);
            let path = "/internal/v1/nodes/heartbeat";
            let answer: Result<NodeOrders, CallError> =
                client.call(&address, path, &heartbeat, timeout).await;
            registry.note_call(&address, answer.as_ref().err());
            if let Ok(orders) = &answer {
                registry.note_action(orders.action);
            }
            let result = answer.map_err(|error| error.to_string());
            handle.tell(Input::Answered { sequence, result });
        });
    }

    /// Waits for a deletion of the same file that is under way, which would delete the download.
    fn download(&mut self, file: CachedFile, handle: Handle<Self>) {
        let (fetcher, deletion) = (self.fetcher.clone(), self.deletions.remove(&file.hash));
        actix::spawn(async move {
            if let Some(deletion) = deletion {
                // A deletion that has panicked is over as well.
                let _ = deletion.await;
            }
            let result = fetcher.fetch(file).await;
            if let Err(failure) = &result {
                tracing::warn!("{}", failure.message);
            }
            handle.tell(Input::Downloaded { hash: file.hash, result });
        });
    }

    fn delete_cached(&mut self, hash: ArtifactHash) {
        let Fetcher { data, checked, .. } = &self.fetcher;
        let path = data.cached(hash);
        checked.forget(hash);
        self.deletions.retain(|_, deletion| !deletion.is_finished());
        let deletion = tokio::task::spawn_blocking(move || {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!("file {hash} cannot be deleted from the cache: {error}");
            }
        });
        self.deletions.insert(hash, deletion);
    }

    fn launch(&self, container: LaunchContainer, handle: Handle<Self>) {
        let (launcher, registry) = (Arc::clone(&self.launcher), Arc::clone(&self.registry));
        let fetcher = self.fetcher.clone();
        let id = container.container;
        let leased_bytes = container.resources.memory_mib.saturating_mul(1 << 20);
        actix::spawn(async move {
            let running = match launch(&fetcher, &launcher, container).await {
                Ok(running) => running,
                Err(failure) => {
                    tracing::warn!("container {id} was not started: {}", failure.message);
                    return handle.tell(Input::Launched { container: id, result: Err(failure) });
                }
            };
            tracing::info!("container {id} runs under process {}", running.shim.pid);
            registry.insert(id, Watched { shim: running.shim, leased_bytes, kills: 0 });
            handle.tell(Input::Launched { container: id, result: Ok(()) });
            watch_over(id, running, &launcher, &registry, &handle).await;
        });
    }

    fn signal(&self, id: ContainerId, signal: Signal) {
        let Some(watched) = self.registry.note_signal(id, signal) else { return };
        match signal {
            // The shim passes it to the command. If the shim has ended, its end will be reported.
            Signal::Term => drop(watched.shim.signal(libc::SIGTERM)),
            Signal::Kill => {
                actix::spawn(tokio::task::spawn_blocking(move || kill(watched)));
            }
        }
    }
}

/// Starts a container after checking that its cached files are unchanged.
async fn launch(
    fetcher: &Fetcher,
    launcher: &Arc<Launcher>,
    container: LaunchContainer,
) -> Result<Running, LaunchFailure> {
    let artifacts = container.launch.artifacts.iter();
    let files: Vec<CachedFile> = artifacts
        .map(|artifact| CachedFile { hash: artifact.hash, size_bytes: artifact.size_bytes })
        .collect();
    fetcher.mend(&files).await.map_err(not_mended)?;
    let launcher = Arc::clone(launcher);
    let launched = tokio::task::spawn_blocking(move || launcher.launch(&container)).await;
    launched.unwrap_or_else(|_| Err(cut_short()))
}

fn not_mended(DownloadFailure { problem, message }: DownloadFailure) -> LaunchFailure {
    let exit_status = match problem {
        DownloadProblem::DiskFull => exit_status::DISKS_FAILED,
        DownloadProblem::Transient | DownloadProblem::Fatal => exit_status::INVALID,
    };
    LaunchFailure { exit_status, message }
}

/// Kills a container. The first kill spares the shim, which then writes the exit record; a later one kills
/// the shim as well. Blocks.
fn kill(watched: Watched) {
    if watched.kills > 1 {
        let _ = watched.shim.signal(libc::SIGKILL);
    }
    kill_each(&tree::of_shim(&Processes::scan(), watched.shim));
}

/// Waits for the end of a container and reports it to the brain.
pub(crate) async fn watch_over(
    id: ContainerId,
    running: Running,
    launcher: &Launcher,
    registry: &Registry,
    handle: &Handle<AgentShell>,
) {
    let Running { shim, ended, child } = running;
    if let Err(error) = watch::ended(ended).await {
        tracing::error!("the end of container {id} cannot be waited for: {error}");
        // A container that cannot be watched is not started.
        let _ = shim.signal(libc::SIGKILL);
    }
    let folder = launcher.data.container(id);
    let verdict = tokio::task::spawn_blocking(move || {
        // Reaps the child, which has ended, so this does not block.
        let _: Option<io::Result<_>> = child.map(|mut child| child.wait());
        watch::verdict(&folder, Some(shim))
    });
    let exit = verdict.await.unwrap_or_else(|_| Exit {
        exit_status: exit_status::INVALID,
        diagnostics: "the agent is ending".to_owned(),
    });
    registry.remove(id);
    tracing::info!("container {id} has ended with status {}", exit.exit_status);
    handle.tell(Input::Exited { container: id, exit });
}

fn cut_short() -> LaunchFailure {
    let message = "the agent is ending [WEIR-NM-0016]".to_owned();
    LaunchFailure { exit_status: exit_status::INVALID, message }
}

fn remove_folder(path: PathBuf) {
    actix::spawn(tokio::task::spawn_blocking(move || remove::folder(&path)));
}
