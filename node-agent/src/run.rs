//! The agent process, from its options to its end.

use crate::{
    Error,
    adopt::{self, Adopted},
    fetch::Fetcher,
    launch::{Launcher, Running, START_TIMEOUT},
    layout::DataDir,
    monitor::{LastLook, Monitor, millis_now},
    registry::{Registry, Watched},
    rest::{self, Api},
    shell::{self, ANSWER_TIMEOUT, AgentShell},
};
use std::{
    cell::Cell,
    collections::BTreeMap,
    fs::{DirBuilder, File, TryLockError},
    io,
    net::SocketAddr,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    rc::Rc,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::sync::mpsc;
use weir_base::{NodeId, Resources};
use weir_config::{Config, keys};
use weir_node_agent_brain::{Input, NodeAgent, Recovered, Settings};
use weir_protocol::cluster::{ContainerState, LeaveNode, NodeLeft};
use weir_service::{
    Client, ErrorStyle, Handle, Secret, Server, ServerConfig, logs, ready, signals,
};

/// Time limit for telling the resource manager that the node leaves.
const GOODBYE: Duration = Duration::from_secs(2);

/// Options of an agent.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its configuration.
    pub config: Config,
    /// Address to listen at. It is also the name of the node, so with port 0 the node has a new name at each start.
    pub bind: SocketAddr,
    /// Folder for containers, logs and files, for this agent alone.
    pub data_dir: PathBuf,
    /// The cluster's secret.
    pub secret_file: PathBuf,
    /// `host:port` of the resource manager.
    pub resource_manager: String,
    /// The `weir` executable, started as shim of each container.
    pub weir_executable: PathBuf,
}

/// Runs an agent until SIGTERM or SIGINT, or until the resource manager orders it to end. After a signal, its
/// containers run on under their shims; if there is none, the node leaves the cluster at once.
///
/// # Errors
/// It cannot start, or was ordered to end.
pub fn run(options: Options) -> Result<(), Error> {
    logs::init_logging("node agent");
    let ended = actix::System::new().block_on(serve(options));
    if let Err(error) = &ended {
        tracing::error!("{error} [{}]", error.code());
        ready::failed(error.code(), &error.to_string());
    }
    ended
}

async fn serve(options: Options) -> Result<(), Error> {
    let in_folder = |source| Error::DataDir { path: options.data_dir.clone(), source };
    let data = prepare(&options.data_dir).map_err(in_folder)?;
    let _lock = lock(&data)?;
    let secret = Secret::load(&options.secret_file)?;
    let last_look = Arc::new(LastLook::default());
    let api = Arc::new(Api {
        handle: OnceLock::new(),
        node: OnceLock::new(),
        secret: secret.clone(),
        data: data.clone(),
        last_look: Arc::clone(&last_look),
        started_ms: millis_now(),
    });
    let (server, node) = listen(&options, &api)?;
    let (recovered, adopted) = look(&data).await.map_err(in_folder)?;
    tracing::info!(
        "node {node}: {} containers of before, {} of them run",
        recovered.containers.len(),
        adopted.len()
    );
    let launcher = Arc::new(launcher(&options, data, node.clone()));
    let registry = Arc::new(Registry::default());
    let (end, mut told_to_end) = mpsc::unbounded_channel();
    let leaving = Rc::new(Cell::new(false));
    let settings = settings(&options.config, node.clone());
    let leave = LeaveNode { node, incarnation: settings.incarnation };
    let brain = NodeAgent::new(settings);
    let shell = AgentShell {
        fetcher: Fetcher {
            client: Client::with_bearer(&secret.bearer()),
            resource_manager: options.resource_manager.clone(),
            data: launcher.data.clone(),
            checked: Arc::default(),
        },
        launcher: Arc::clone(&launcher),
        deletions: BTreeMap::new(),
        registry: Arc::clone(&registry),
        end,
        leaving: Rc::clone(&leaving),
    };
    let client = shell.fetcher.client.clone();
    let handle = weir_service::start(brain, shell);
    handle.tell(Input::Recovered(recovered));
    readopt(adopted, &launcher, &registry, &handle);
    let monitor = Monitor {
        interval: options.config.get(&keys::CONTAINER_MONITOR_INTERVAL),
        data_dir: launcher.data.root().to_owned(),
        registry,
        last_look,
    };
    actix::spawn(monitor.run(handle.clone()));
    // The only place that sets it.
    let _ = api.handle.set(handle.clone());
    ready::ready(server.address());
    let ended = tokio::select! {
        terminated = signals::terminated() => terminated.map_err(Error::from),
        reason = told_to_end.recv() => {
            Err(Error::ToldToEnd { reason: reason.unwrap_or_default() })
        }
    };
    tracing::info!("the node agent ends");
    server.stop().await;
    if ended.is_ok() && nothing_runs(&handle).await {
        leaving.set(true);
        say_goodbye(&client, &options.resource_manager, &leave).await;
    }
    ended
}

async fn nothing_runs(handle: &Handle<AgentShell>) -> bool {
    let view = handle.fresh_snapshot().await;
    view.containers.iter().all(|container| container.report.state == ContainerState::Complete)
}

/// Tells the resource manager that the node leaves. If this call fails, the node expires there for lack of
/// heartbeats.
async fn say_goodbye(client: &Client, resource_manager: &str, leave: &LeaveNode) {
    let path = "/internal/v1/nodes/leave";
    let left: Result<NodeLeft, _> = client.call(resource_manager, path, leave, GOODBYE).await;
    if let Err(error) = left {
        tracing::info!("the resource manager was not told that the node leaves: {error}");
    }
}

fn prepare(root: &Path) -> io::Result<DataDir> {
    let mut private = DirBuilder::new();
    private.mode(0o700).recursive(true).create(root)?;
    let data = DataDir::new(root)?;
    for folder in [data.cache(), data.containers(), data.logs()] {
        private.create(folder)?;
    }
    Ok(data)
}

/// Locks the data folder for as long as the file is open.
fn lock(data: &DataDir) -> Result<File, Error> {
    let in_folder = |source| Error::DataDir { path: data.root().to_owned(), source };
    let file = File::options().create(true).append(true).open(data.lock()).map_err(in_folder)?;
    // The descriptor is closed on exec, so no container holds the lock.
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::DataDirInUse { path: data.root().to_owned() }),
        Err(TryLockError::Error(error)) => Err(in_folder(error)),
    }
}

/// Opens the port, and determines the node's name.
fn listen(options: &Options, api: &Arc<Api>) -> Result<(Server, NodeId), Error> {
    let bind = options.bind;
    if !bind.ip().is_loopback() {
        tracing::warn!(
            "the node agent listens at {bind}, which other machines reach: whoever has the cluster's \
             secret, or reads it on the network, runs programs here"
        );
    }
    let host = if bind.ip().is_unspecified() { Some(host_name()) } else { None };
    let config = ServerConfig {
        name: "the node agent",
        bind,
        error_style: ErrorStyle::Yarn,
        allowed_hosts: host.clone().into_iter().collect(),
        workers: 1,
    };
    let api = Arc::clone(api);
    let shared = Arc::clone(&api);
    let server = weir_service::bind(config, move |service| rest::configure(service, &shared))?;
    let address = server.address();
    let node = match host {
        Some(host) => NodeId(format!("{host}:{}", address.port())),
        None => NodeId(address.to_string()),
    };
    // The only place that sets it.
    let _ = api.node.set(node.clone());
    Ok((server, node))
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

async fn look(data: &DataDir) -> io::Result<(Recovered, Vec<Adopted>)> {
    let data = data.clone();
    let looked = tokio::task::spawn_blocking(move || adopt::look(&data));
    looked.await.map_err(io::Error::other)?
}

fn launcher(options: &Options, data: DataDir, node: NodeId) -> Launcher {
    Launcher {
        data,
        executable: options.weir_executable.clone(),
        node,
        log_max_bytes: options.config.get(&keys::CONTAINER_LOG_MAX_SIZE).bytes(),
        log_max_files: options.config.get(&keys::CONTAINER_LOG_MAX_FILES),
        start_timeout: START_TIMEOUT,
    }
}

fn settings(config: &Config, node: NodeId) -> Settings {
    let total = Resources {
        memory_mib: config.get(&keys::NODE_MEMORY_MB),
        vcores: config.get(&keys::NODE_VCORES),
    };
    // Two starts of an agent are never in the same millisecond, since each needs the lock.
    let incarnation = millis_now();
    Settings {
        kill_delay: config.get(&keys::KILL_DELAY),
        cache_target_bytes: config.get(&keys::CACHE_TARGET_SIZE_MB) << 20,
        log_retention: Duration::from_secs(config.get(&keys::LOG_RETAIN_SECONDS)),
        answer_timeout: ANSWER_TIMEOUT + Duration::from_secs(1),
        ..Settings::new(node, total, incarnation)
    }
}

fn readopt(
    adopted: Vec<Adopted>,
    launcher: &Arc<Launcher>,
    registry: &Arc<Registry>,
    handle: &Handle<AgentShell>,
) {
    for Adopted { container, resources, shim, ended } in adopted {
        let leased_bytes = resources.memory_mib.saturating_mul(1 << 20);
        registry.insert(container, Watched { shim, leased_bytes, kills: 0 });
        let running = Running { shim, ended, child: None };
        let (launcher, registry, handle) =
            (Arc::clone(launcher), Arc::clone(registry), handle.clone());
        actix::spawn(async move {
            shell::watch_over(container, running, &launcher, &registry, &handle).await;
        });
    }
}
