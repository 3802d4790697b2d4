//! The process: connects store, files, brain and server, and shuts them down in order.

use crate::{
    artifacts::{Artifacts, Limits},
    error::Error,
    rest,
    shell::{self, ResourceManagerShell},
    store::{Recovered, SqliteStore, StoreThread},
};
use actix_web::web::Data;
use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};
use weir_config::{Config, Folder, keys};
use weir_resource_manager_brain::{Input, ResourceManager, Settings};
use weir_service::{
    Client, Clock, ErrorStyle, Handle, Secret, Server, ServerConfig, logs,
    process::raise_descriptor_limit, ready, signals,
};

/// Unused files are kept up to this total size.
const CACHE_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// The shortest time for which a file is kept after its upload or a request for it.
const GRACE: Duration = Duration::from_secs(600);
/// Interval between two evictions.
const EVICTION_INTERVAL: Duration = Duration::from_secs(60);
/// How long a lost node is still shown.
const LOST_NODE_RETENTION: Duration = Duration::from_secs(600);

/// The start options of a resource manager.
#[derive(Clone, Debug)]
pub struct Options {
    pub config: Config,
    /// The address to listen on. Port 0 means any free port.
    pub bind: SocketAddr,
    /// The folder for its state. It is created if it is missing. No other process may use it.
    pub data_dir: PathBuf,
    /// Path of the file with the cluster's secret.
    pub secret_file: PathBuf,
}

/// A resource manager that runs in the current actix system.
pub struct Daemon {
    server: Server,
}

impl Daemon {
    /// The address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Refuses new requests and shuts down.
    pub async fn stop(self) {
        self.server.stop().await;
    }
}

/// Runs a resource manager until SIGTERM or SIGINT. Reports to the parent process when it is ready, or why it
/// cannot start.
///
/// # Errors
/// The resource manager cannot start.
pub fn run(options: Options) -> Result<(), Error> {
    logs::init_logging("resource manager");
    // Each node, app master and client needs a connection.
    if let Err(error) = raise_descriptor_limit() {
        tracing::warn!("cannot raise the limit of open files: {error}");
    }
    let ended = actix_web::rt::System::new().block_on(async {
        let daemon = start(&options).await?;
        ready::ready(daemon.address());
        signals::terminated().await?;
        tracing::info!("the resource manager shuts down");
        daemon.stop().await;
        Ok(())
    });
    if let Err(error) = &ended {
        let error: &Error = error;
        tracing::error!("[{}] {}", error.code(), error.report());
        ready::failed(error.code(), &error.report());
    }
    ended
}

/// Starts a resource manager in the current actix system. [`run`] starts a whole process.
///
/// # Errors
/// The secret, the store or the folder cannot be read, or the address cannot be bound.
pub async fn start(options: &Options) -> Result<Daemon, Error> {
    let Options { config, bind, data_dir, secret_file } = options;
    let secret = Secret::load(secret_file)?;
    let in_folder = |source| Error::Folder { path: data_dir.clone(), source };
    fs::create_dir_all(data_dir).map_err(in_folder)?;
    let started_ms = Clock::start().now().wall.0;
    let store = SqliteStore::open(&data_dir.join("state.db"))?;
    let (store, recovered) = StoreThread::start(store, started_ms)?;
    let artifacts = Arc::new(Artifacts::open(&data_dir.join("artifacts"), limits(config))?);
    let Recovered { cluster_timestamp, epoch, facts } = recovered;
    tracing::info!(
        "cluster {cluster_timestamp}, epoch {epoch}: {} facts read from the store",
        facts.len()
    );
    let brain = ResourceManager::new(settings(config, cluster_timestamp));
    let shell = ResourceManagerShell::new(store.clone(), Arc::clone(&artifacts));
    let handle = weir_service::start(brain, shell);
    handle.tell(Input::Start { epoch, facts });
    // No reader may see a snapshot from before the start.
    handle.fresh_snapshot().await;
    let about = rest::About {
        cluster_timestamp,
        epoch,
        started_ms,
        storage_dir: config.get_optional(&keys::CLUSTER_STORAGE_DIR).map(|folder| storage(&folder)),
        minimum_allocation_mib: config.get(&keys::MINIMUM_ALLOCATION_MB),
    };
    actix_web::rt::spawn(evict_periodically(handle.clone(), Arc::clone(&artifacts)));
    let forwarder = Client::new().raw().clone();
    let state = Data::new(rest::State { handle, secret, artifacts, store, forwarder, about });
    let server = serve(config, *bind, state)?;
    tracing::info!("the resource manager listens at http://{}", server.address());
    Ok(Daemon { server })
}

/// The checkpoint folder for app masters. It is absolute, because they have another working directory.
fn storage(folder: &Folder) -> String {
    let path = folder.path();
    let path = std::path::absolute(&path).unwrap_or(path);
    path.to_string_lossy().into_owned()
}

fn serve(config: &Config, bind: SocketAddr, state: Data<rest::State>) -> Result<Server, Error> {
    if !bind.ip().is_loopback() {
        tracing::warn!(
            "{bind} is not a loopback address: anyone who can connect can read the state of the cluster, \
             and anyone with the cluster's token can run commands on its nodes; connections are not \
             encrypted"
        );
    }
    let configured = config.get(&keys::RESOURCE_MANAGER_ADDRESS);
    let name = configured.rsplit_once(':').map_or(configured.as_str(), |(name, _)| name);
    let server = ServerConfig {
        name: "the resource manager",
        bind,
        error_style: ErrorStyle::Yarn,
        allowed_hosts: vec![name.to_owned()],
        workers: 1,
    };
    let configure = move |services: &mut actix_web::web::ServiceConfig| {
        services.app_data(state.clone());
        rest::configure(services);
    };
    Ok(weir_service::bind(server, configure)?)
}

fn limits(config: &Config) -> Limits {
    Limits {
        max_size_bytes: config.get(&keys::MAX_ARTIFACT_SIZE).bytes(),
        cache_bytes: CACHE_BYTES,
        grace: GRACE,
    }
}

fn settings(config: &Config, cluster_timestamp: u64) -> Settings {
    let max_completed = config.get(&keys::MAX_COMPLETED_APPLICATIONS);
    Settings {
        cluster_timestamp,
        heartbeat_interval: config.get(&keys::NODE_HEARTBEAT_INTERVAL),
        node_expiry: config.get(&keys::NODE_EXPIRY),
        app_master_expiry: config.get(&keys::APP_MASTER_EXPIRY),
        container_allocation_expiry: config.get(&keys::CONTAINER_ALLOCATION_EXPIRY),
        recovery_wait: config.get(&keys::RECOVERY_WAIT),
        larger_node_wait: config.get(&keys::LARGER_NODE_WAIT),
        app_master_share: config.get(&keys::MAXIMUM_AM_RESOURCE_PERCENT),
        give_way_wait: config.get(&keys::MAX_WAIT_BEFORE_GIVING_WAY),
        max_app_attempts: config.get(&keys::MAX_APP_ATTEMPTS),
        max_completed_applications: usize::try_from(max_completed).unwrap_or(usize::MAX),
        minimum_allocation_mib: config.get(&keys::MINIMUM_ALLOCATION_MB),
        lost_node_retention: LOST_NODE_RETENTION,
    }
}

async fn evict_periodically(handle: Handle<ResourceManagerShell>, artifacts: Arc<Artifacts>) {
    let mut interval = actix_web::rt::time::interval(EVICTION_INTERVAL);
    loop {
        interval.tick().await;
        shell::evict(handle.clone(), Arc::clone(&artifacts)).await;
    }
}
