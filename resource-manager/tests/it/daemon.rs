//! Test helpers: a resource manager in a thread, and its simulated clients, agents and app masters.

use reqwest::{Method, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    future::Future,
    net::SocketAddr,
    path::{Path, PathBuf},
    thread::JoinHandle,
    time::Duration,
};
use tokio::sync::oneshot;
use weir_base::{ApplicationId, AttemptId, NodeId, Resources};
use weir_config::{Config, ConfigBuilder};
use weir_protocol::cluster::{
    AppMasterRegistered, ContainerReport, ContainerState, LaunchContainer, LeaveNode, Message,
    NodeHeartbeat, NodeLeft, NodeOrders, NodeRegistered, RegisterAppMaster, RegisterNode,
};
use weir_resource_manager::{Error, Options, start};
use weir_service::{CallError, Client, Secret};

/// How long a test waits for an expected event.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long an agent or app master allows the resource manager to hold back its answer.
pub const HOLD_MS: u64 = 5_000;

/// Runs a test in a new actix system.
pub fn test<T>(body: impl Future<Output = T>) -> T {
    actix_web::rt::System::new().block_on(body)
}

/// Repeats a query until it returns a value.
pub async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> T {
    let asking = async {
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let found = tokio::time::timeout(PATIENCE, asking).await;
    found.unwrap_or_else(|_| panic!("timeout: {what} did not happen"))
}

/// A data folder with a secret.
pub struct DataDir {
    folder: tempfile::TempDir,
    pub secret: Secret,
}

impl DataDir {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = Secret::create(&folder.path().join("token")).expect("a secret");
        Self { folder, secret }
    }

    /// The data folder of the resource manager.
    pub fn own(&self) -> PathBuf {
        self.folder.path().join("resource-manager")
    }

    pub fn options(&self, settings: &[&str]) -> Options {
        Options {
            config: config(settings),
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            data_dir: self.own(),
            secret_file: self.folder.path().join("token"),
        }
    }
}

fn config(settings: &[&str]) -> Config {
    let mut builder = ConfigBuilder::new()
        .dynamic("yarn.resourcemanager.work-preserving-recovery.scheduling-wait-ms=0 ms");
    for setting in settings {
        builder = builder.dynamic(*setting);
    }
    builder.build().expect("settings").0
}

/// A resource manager that runs in its own thread.
pub struct Daemon {
    pub address: SocketAddr,
    pub data_dir: DataDir,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    /// Starts one with a new data folder.
    pub fn start() -> Self {
        Self::with(DataDir::new(), &[])
    }

    /// Starts one with this data folder and these settings.
    pub fn with(data_dir: DataDir, settings: &[&str]) -> Self {
        let options = data_dir.options(settings);
        let (stop, stopped) = oneshot::channel();
        let (started, start_seen) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            test(async {
                let daemon = match start_when_free(&options).await {
                    Ok(daemon) => daemon,
                    Err(error) => panic!("{}", error.report()),
                };
                started.send(daemon.address()).expect("waited for");
                let _ = stopped.await;
                daemon.stop().await;
            });
        });
        let address = start_seen.recv_timeout(PATIENCE).expect("started");
        Self { address, data_dir, stop: Some(stop), thread: Some(thread) }
    }

    /// Stops it and starts another with the same data folder.
    pub fn restart(self, settings: &[&str]) -> Self {
        Self::with(self.end(), settings)
    }

    /// Stops it.
    pub fn end(mut self) -> DataDir {
        self.stop_and_wait();
        std::mem::replace(&mut self.data_dir, DataDir::new())
    }

    fn stop_and_wait(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the resource manager panicked");
        }
    }

    pub fn client(&self) -> Caller {
        Caller {
            address: self.address.to_string(),
            token: Some(self.data_dir.secret.bearer()),
            inner: reqwest::Client::builder().no_proxy().build().expect("a client"),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop_and_wait();
    }
}

/// Retries while the store is in use: the threads of a stopped resource manager may still hold it for a moment.
async fn start_when_free(options: &Options) -> Result<weir_resource_manager::Daemon, Error> {
    loop {
        match start(options).await {
            Err(Error::StoreInUse { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            result => return result,
        }
    }
}

/// A plain HTTP client, not the one of Weir.
#[derive(Clone)]
pub struct Caller {
    address: String,
    token: Option<String>,
    inner: reqwest::Client,
}

impl Caller {
    pub fn without_token(mut self) -> Self {
        self.token = None;
        self
    }

    pub fn with_token(mut self, token: &str) -> Self {
        self.token = Some(token.to_owned());
        self
    }

    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.inner.request(method, format!("http://{}{path}", self.address));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn send(&self, method: Method, path: &str) -> Response {
        self.request(method, path).send().await.expect("an answer")
    }

    /// The JSON of a successful answer.
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = read(self.send(Method::GET, path).await).await;
        assert_eq!(status, 200, "GET {path}: {body}");
        body
    }

    /// Sends JSON, and returns status and JSON of the answer.
    pub async fn json(&self, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let response = self.request(method, path).json(body).send().await.expect("an answer");
        read(response).await
    }

    pub async fn upload(&self, content: &[u8]) -> String {
        let hash = hash_of(content);
        let path = format!("/ws/v1/cluster/artifacts/{hash}");
        let request = self.request(Method::PUT, &path).body(content.to_vec());
        let status = request.send().await.expect("an answer").status().as_u16();
        assert!([200, 201].contains(&status), "{status}");
        hash
    }

    pub async fn new_application(&self) -> ApplicationId {
        let (status, body) =
            self.json(Method::POST, "/ws/v1/cluster/apps/new-application", &json!({})).await;
        assert_eq!(status, 200, "{body}");
        body["application-id"].as_str().expect("an id").parse().expect("an id")
    }

    /// Submits a Weir job.
    pub async fn submit(&self) -> ApplicationId {
        let id = self.new_application().await;
        let body = submission(id, &[("weir", &self.upload(b"weir").await)]);
        let (status, body) = self.json(Method::POST, "/ws/v1/cluster/apps", &body).await;
        assert_eq!(status, 202, "{body}");
        id
    }

    pub async fn app(&self, id: ApplicationId) -> Value {
        self.get(&format!("/ws/v1/cluster/apps/{id}")).await["app"].clone()
    }

    /// Waits until the application is in a state.
    pub async fn app_in(&self, id: ApplicationId, state: &str) -> Value {
        let asked = || async {
            let app = self.app(id).await;
            (app["state"] == state).then_some(app)
        };
        eventually(&format!("{id} in state {state}"), asked).await
    }
}

/// Status and JSON of an answer; `null` if the body is not JSON.
pub async fn read(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = response.bytes().await.expect("a body");
    (status, serde_json::from_slice(&bytes).unwrap_or_default())
}

/// The code of an error in YARN's format.
pub fn code(body: &Value) -> &str {
    body["RemoteException"]["code"].as_str().unwrap_or_default()
}

pub fn hash_of(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The body of a submission with these files.
pub fn submission(id: ApplicationId, files: &[(&str, &str)]) -> Value {
    let entry = files.iter().map(|(name, hash)| {
        json!({"key": name, "value": {"resource": format!("artifact:{hash}"), "type": "FILE",
            "visibility": "APPLICATION", "size": 0, "timestamp": 0, "executable": true}})
    });
    json!({
        "application-id": id,
        "application-name": "word count",
        "application-type": "WEIR",
        "max-app-attempts": 2,
        "resource": {"memory": 256, "vCores": 1},
        "application-tags": {"tag": ["weir-job:0a0b"]},
        "am-container-spec": {
            "commands": {"command": "./weir  app-master"},
            "environment": {"entry": [{"key": "A", "value": "a"}]},
            "local-resources": {"entry": entry.collect::<Vec<_>>()},
        },
    })
}

/// A simulated node agent.
pub struct Agent {
    pub node: NodeId,
    client: Client,
    address: String,
    sequence: u64,
}

impl Agent {
    /// Creates an agent and registers it.
    pub async fn start(daemon: &Daemon, node: &str) -> Self {
        let mut agent = Self::new(daemon, node);
        agent.register(Vec::new()).await.expect("registered");
        agent
    }

    pub fn new(daemon: &Daemon, node: &str) -> Self {
        Self {
            node: NodeId(node.to_owned()),
            client: Client::with_bearer(&daemon.data_dir.secret.bearer()),
            address: daemon.address.to_string(),
            sequence: 0,
        }
    }

    pub async fn register(
        &mut self,
        containers: Vec<ContainerReport>,
    ) -> Result<NodeRegistered, CallError> {
        self.sequence = 0;
        let message = RegisterNode {
            node: self.node.clone(),
            total: Resources { memory_mib: 4096, vcores: 4 },
            weir_version: "0.1.0".to_owned(),
            incarnation: 7,
            containers,
        };
        let path = "/internal/v1/nodes/register";
        self.client.call(&self.address, path, &message, PATIENCE).await
    }

    pub async fn beat(&mut self, containers: &[ContainerReport], hold_ms: u64) -> NodeOrders {
        self.sequence += 1;
        let message = NodeHeartbeat {
            node: self.node.clone(),
            incarnation: 7,
            sequence: self.sequence,
            hold_ms,
            containers: containers.to_vec(),
            unhealthy: None,
            used_memory_mib: 512,
        };
        let path = "/internal/v1/nodes/heartbeat";
        self.client.call(&self.address, path, &message, PATIENCE).await.expect("orders")
    }

    pub async fn leave(&self) -> Result<NodeLeft, CallError> {
        let message = LeaveNode { node: self.node.clone(), incarnation: 7 };
        let path = "/internal/v1/nodes/leave";
        self.client.call(&self.address, path, &message, PATIENCE).await
    }

    /// Waits for an app master to launch.
    pub async fn launched(&mut self) -> LaunchContainer {
        for _ in 0..20 {
            let orders = self.beat(&[], HOLD_MS).await;
            if let Some(launch) = orders.launch.into_iter().next() {
                return launch;
            }
        }
        panic!("no app master was launched");
    }
}

/// The report of an agent about a container.
pub fn report(launch: &LaunchContainer, exit_status: Option<i32>) -> ContainerReport {
    let state = match exit_status {
        Some(_) => ContainerState::Complete,
        None => ContainerState::Running,
    };
    ContainerReport {
        container: launch.container,
        resources: launch.resources,
        state,
        exit_status,
        diagnostics: String::new(),
        used_memory_mib: 20,
    }
}

/// A simulated app master.
pub struct AppMaster {
    pub attempt: AttemptId,
    client: Client,
    address: String,
}

impl AppMaster {
    pub fn new(daemon: &Daemon, attempt: AttemptId) -> Self {
        let token = daemon.data_dir.secret.application_token(attempt);
        let address = daemon.address.to_string();
        Self { attempt, client: Client::with_bearer(&token), address }
    }

    pub async fn call<A: Message, B: Message>(
        &self,
        what: &str,
        message: &A,
    ) -> Result<B, CallError> {
        let path = format!("/internal/v1/app-masters/{what}");
        self.client.call(&self.address, &path, message, PATIENCE).await
    }

    pub async fn register(&self, rest_port: u16) -> AppMasterRegistered {
        let message = RegisterAppMaster { attempt: self.attempt, rest_port, held: Vec::new() };
        self.call("register", &message).await.expect("registered")
    }
}

/// The folder of unfinished uploads.
pub fn staging(own: &Path) -> PathBuf {
    own.join("artifacts/staging")
}
