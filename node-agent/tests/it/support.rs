//! A node with an agent in a separate process, its resource manager, and requests as an app master sends them.

use crate::resource_manager::ResourceManager;
use sha2::{Digest, Sha256};
use std::{
    fs,
    future::Future,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU8, Ordering},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use weir_base::{ApplicationId, ArtifactHash, AttemptId, ContainerId, NodeId, Resources};
use weir_node_agent::kill_all;
use weir_protocol::cluster::{
    ArtifactUse, ContainerReport, ContainerStarted, ContainerState, ContainerStopped,
    LaunchContext, Lease, LeaseToken, StartContainer, StopContainer,
};
use weir_service::{CallError, Client, Secret};

const PATIENCE: Duration = Duration::from_secs(60);
pub const EXECUTABLE: &str = env!("CARGO_BIN_EXE_weir-node-agent-under-test");

/// Waits for something that must happen.
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime").block_on(future)
}

pub fn container(sequence: u64) -> ContainerId {
    let application = ApplicationId { cluster_timestamp: 1_763_640_000_000, sequence: 1 };
    ContainerId { attempt: AttemptId { application, number: 1 }, epoch: 0, sequence }
}

pub fn shell(script: &str) -> LaunchContext {
    let command = ["sh", "-c", script].map(str::to_owned).to_vec();
    LaunchContext { command, ..LaunchContext::default() }
}

/// A file that the resource manager has, as used in a container.
pub fn artifact(name: &str, content: &[u8]) -> ArtifactUse {
    ArtifactUse {
        name: name.to_owned(),
        hash: ArtifactHash(Sha256::digest(content).into()),
        size_bytes: content.len() as u64,
        executable: true,
    }
}

/// An agent process; killed when dropped.
pub struct Agent {
    process: Child,
    pub address: String,
}

/// Starts an agent; returns the process and its first line.
pub fn spawn_agent(node: &Node, bind: &str, settings: &[&str]) -> (Child, String) {
    let mut command = Command::new(EXECUTABLE);
    command
        .args(["node-agent", bind])
        .args([node.data_dir(), node.secret_file()])
        .arg(&node.resource_manager.address)
        .args(["yarn.nodemanager.container-monitor.interval-ms=50 ms"])
        .args(settings)
        .env("WEIR_READY_FD", "1")
        .env("SECRET_OF_THE_AGENT", "not for containers")
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let mut process = command.spawn().expect("it starts");
    let mut line = String::new();
    let out = process.stdout.take().expect("piped");
    BufReader::new(out).read_line(&mut line).expect("it says something");
    (process, line.trim().to_owned())
}

impl Agent {
    fn start(node: &Node, bind: &str, settings: &[&str]) -> Self {
        let (process, line) = spawn_agent(node, bind, settings);
        let address = line.strip_prefix("ready ").unwrap_or_else(|| panic!("it says {line:?}"));
        Self { process, address: address.to_owned() }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Any port of an address that no other agent listens at: no process takes the port while the agent is dead.
fn address_of_its_own() -> String {
    static TAKEN: AtomicU8 = AtomicU8::new(0);
    format!("127.0.1.{}:0", TAKEN.fetch_add(1, Ordering::Relaxed))
}

/// A node: folder, secret, resource manager, agent. Everything is removed on drop.
pub struct Node {
    folder: TempDir,
    pub secret: Secret,
    pub resource_manager: ResourceManager,
    agent: Option<Agent>,
    settings: Vec<&'static str>,
}

impl Node {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    pub fn start_with(settings: &[&'static str]) -> Self {
        let mut node = Self::without_agent(settings);
        node.agent = Some(Agent::start(&node, &address_of_its_own(), settings));
        node
    }

    pub fn without_agent(settings: &[&'static str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let secret = Secret::create(&folder.path().join("token")).expect("made");
        let resource_manager = ResourceManager::start();
        Self { folder, secret, resource_manager, agent: None, settings: settings.to_vec() }
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("node-agent-1")
    }

    pub fn secret_file(&self) -> PathBuf {
        self.folder.path().join("token")
    }

    pub fn container_folder(&self, id: ContainerId) -> PathBuf {
        self.data_dir().join("containers").join(id.to_string())
    }

    pub fn address(&self) -> &str {
        &self.agent.as_ref().expect("it runs").address
    }

    /// Kills the agent with SIGKILL.
    pub fn kill_agent(&mut self) -> String {
        let agent = self.agent.take().expect("it runs");
        agent.address.clone()
    }

    /// Sends SIGTERM to the agent and waits for its end.
    pub fn end_agent(&mut self) {
        let mut agent = self.agent.take().expect("it runs");
        let pid = i32::try_from(agent.process.id()).expect("a pid");
        // SAFETY: plain system call; the process is our child and not waited for yet.
        assert_eq!(unsafe { libc::kill(pid, libc::SIGTERM) }, 0);
        assert!(agent.process.wait().expect("it ends").success());
    }

    pub fn restart_agent(&mut self, address: &str) {
        self.agent = Some(Agent::start(self, address, &self.settings));
    }

    pub fn token(&self, id: ContainerId, memory_mib: u64) -> LeaseToken {
        let node = NodeId(self.address().to_owned());
        let resources = Resources { memory_mib, vcores: 1 };
        self.secret.sign_lease(&Lease { container: id, node, resources })
    }

    pub fn start_request(
        &self,
        token: &LeaseToken,
        launch: LaunchContext,
    ) -> Result<ContainerStarted, CallError> {
        let request = StartContainer { launch };
        let call = async {
            let path = "/internal/v1/containers/start";
            let client = Client::new().with_lease(token);
            client.call(self.address(), path, &request, PATIENCE).await
        };
        block_on(call)
    }

    /// Starts a container of 512 MiB as an app master does.
    pub fn run(&self, id: ContainerId, launch: LaunchContext) {
        let token = self.token(id, 512);
        self.start_request(&token, launch).expect("accepted");
    }

    pub fn stop(&self, id: ContainerId) {
        let client = Client::new().with_lease(&self.token(id, 512));
        let call = async {
            let path = "/internal/v1/containers/stop";
            client.call(self.address(), path, &StopContainer {}, PATIENCE).await
        };
        let _: ContainerStopped = block_on(call).expect("accepted");
    }

    pub fn report_in(&self, id: ContainerId, state: ContainerState) -> ContainerReport {
        wait_for(&format!("{id} {state:?}"), || {
            self.resource_manager.report(id).filter(|report| report.state == state)
        })
    }

    /// Waits for the end of a container and returns its report.
    pub fn ended(&self, id: ContainerId) -> ContainerReport {
        self.report_in(id, ContainerState::Complete)
    }

    pub fn running(&self, id: ContainerId) {
        self.report_in(id, ContainerState::Running);
    }

    /// Status and body of a `GET`.
    pub fn get(&self, path: &str) -> (u16, String) {
        let url = format!("http://{}{path}", self.address());
        block_on(async {
            let response = Client::new().raw().get(url).send().await.expect("an answer");
            (response.status().as_u16(), response.text().await.expect("a body"))
        })
    }

    pub fn json(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }

    pub fn log(&self, id: ContainerId, file: &str) -> String {
        let (status, text) = self.get(&format!("/ws/v1/node/containers/{id}/logs/{file}"));
        assert_eq!(status, 200, "{text}");
        text
    }

    /// The number in one of the files of a container's `.weir`.
    pub fn pid(&self, id: ContainerId, path: &str) -> i32 {
        let file = self.container_folder(id).join(".weir/pid");
        let text = fs::read(file).expect("there");
        let record: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        let pid = record.pointer(path).and_then(serde_json::Value::as_i64).expect("a number");
        i32::try_from(pid).expect("small")
    }

    /// Processes that belong to containers of this node, including shims.
    pub fn processes(&self) -> Vec<u32> {
        marked_processes(&self.data_dir())
    }

    pub fn nothing_is_left(&self) {
        wait_for("all processes end", || self.processes().is_empty().then_some(()));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.agent.take());
        kill_all(&self.data_dir(), Duration::ZERO);
    }
}

fn marked_processes(folder: &Path) -> Vec<u32> {
    let mark = format!("WEIR_CONTAINER_FOLDER={}", folder.canonicalize().expect("there").display());
    let has_mark = |pid: &u32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one.starts_with(mark.as_bytes()))
    };
    weir_service::process::all_pids().into_iter().filter(has_mark).collect()
}
